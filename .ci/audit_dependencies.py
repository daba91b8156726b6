"""Ask whether a pinned dependency has a known vulnerability; say it in few lines.

pip-audit takes a package that the service does not know for a good one, and ends in a
traceback where there is no network. Here, 0 means that every package was looked up and
that none is affected.
"""

import json
import subprocess
import sys
from typing import NamedTuple


class Verdict(NamedTuple):
    """What is printed, and the exit status."""

    lines: list[str]
    exit_status: int


def verdict(answer: str, complaint: str) -> Verdict:
    """Return what pip-audit's JSON means; `complaint` is what it said on stderr."""
    try:
        packages = json.loads(answer)["dependencies"]
    except ValueError:
        reason = complaint.strip().splitlines()[-1:] or ["it said nothing"]
        return Verdict([f"Nothing was audited, since pip-audit failed: {reason[0]}"], 1)
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        line = "Nothing was audited: the vulnerability service cannot be reached."
        return Verdict([line], 1)
    found = [
        f"{package['name']} {package['version']}: {vulnerability['id']}, mended in "
        f"{', '.join(vulnerability['fix_versions']) or 'no version yet'}"
        for package in packages
        for vulnerability in package.get("vulns", [])
    ]
    if skipped:
        found.append(f"Not audited, since the service does not know them: {skipped}")
    if found:
        return Verdict(found, 1)
    return Verdict([f"None of {len(packages)} packages has a known vulnerability."], 0)


def main(requirements: str) -> int:
    """Audit a file of requirements with hashes; return the exit status."""
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--format", "json"),
            *("--require-hashes", "--disable-pip", "--progress-spinner", "off"),
            *("--requirement", requirements),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    lines, exit_status = verdict(ran.stdout, ran.stderr)
    print("\n".join(lines))
    return exit_status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
