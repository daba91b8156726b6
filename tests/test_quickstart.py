"""docs/quickstart.md, done as it says, at a terminal, against the sandbox's S3."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from ingestion.cost import GET_USD, LIST_USD, TRANSFER_USD_PER_GB
from sandbox import postgres
from sandbox.parquet import write_rows
from sandbox.s3 import S3Server
from tests.conftest import new_database
from tests.warehouse.command import environment, run_at_a_terminal, serving
from warehouse import PROJECT_ROOT
from warehouse.commands.demo import show
from warehouse.settings import Settings

TEXT = (PROJECT_ROOT / "docs" / "quickstart.md").read_text()
ADDRESS = "http://127.0.0.1:8000"
BEGAN, ENDED = 1790248352992, 1790253754010

ERASES_A_LINE = "\x1b[2K"
HIDES_THE_CURSOR = "\x1b[?25l"

TOLD = {
    "twap_id": 2250263,
    "state_coin": "BNB",
    "state_user": "0x325edd95bb016c36027ce3b9f7595af7094a9564",
    "state_side": "B",
    "state_sz": "122.0",
    "state_minutes": 90,
    "state_timestamp": BEGAN,
}
PLACED = {"time": BEGAN, "status": "activated"}
PLACED |= {"state_executedSz": "0.0", "state_executedNtl": "0.0"}
FINISHED = {"time": ENDED, "status": "finished"}
FINISHED |= {"state_executedSz": "122.0", "state_executedNtl": "93969.64597"}

SHOWN_BY_THE_DEMO = "0xdem0"
OTHERS = [
    TOLD | FINISHED | {"twap_id": number, "state_user": SHOWN_BY_THE_DEMO}
    for number in range(8)
]


def plain(shown: str) -> str:
    """What a terminal was sent, without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


class Reader(NamedTuple):
    """Who has followed the document to the end of its fifth step."""

    env: dict[str, str]
    planned: tuple[int, str]
    """How `make elt ARGS="--dry-run"` ended, and what it showed."""
    loaded: tuple[int, str]
    """The same of `make elt`."""


@pytest.fixture(scope="module")
def reader(
    server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    with S3Server() as bucket:
        rows = write_rows([TOLD | PLACED, TOLD | FINISHED, *OTHERS])
        bucket.put("raw/twap_statuses/one.parquet", rows)
        bucket.put("raw/twap_statuses/broken.parquet", b"PAR1 but no more")
        env = environment(
            DATABASE_URL=new_database(server),
            DLT_DATA_DIR=str(tmp_path_factory.mktemp("dlt")),
            **bucket.environment,
        )
        planned = run_at_a_terminal("elt", "--dry-run", env=env)
        loaded = run_at_a_terminal("elt", env=env)
        bucket.delete("raw/twap_statuses/broken.parquet")
        yield Reader(env, planned, loaded)


def test_no_command_of_the_document_is_left_out_here() -> None:
    commands = re.findall(r"^\$ (.*)$", "".join(blocks("console")), re.MULTILINE)
    made = [command for command in commands if command.startswith("make ")]
    assert made == ['make elt ARGS="--dry-run"', "make elt", "make serve"]
    others = [command for command in commands if command not in made]
    assert all(command.startswith("sudo -u postgres ") for command in others)


def test_a_dry_run_at_a_terminal_ends_in_what_it_would_cost(reader: Reader) -> None:
    status, shown = reader.planned
    assert status == 0
    table, steps = plain(shown).split("How to go on:")
    assert re.search(r"would fetch +2 objects, ", table)
    assert re.search(r"would cost +about 0\.0000 USD", table)
    assert "make elt " in steps


def test_a_run_at_a_terminal_shows_bars_and_ends_in_a_table(reader: Reader) -> None:
    status, shown = reader.loaded
    assert status == 3
    assert ERASES_A_LINE in shown
    bars, table = plain(shown).rsplit("listed  ", 1)
    assert re.search(r"fetched .*2/2 objects.*0\.0/0\.0 MB", bars)
    assert re.search(r"landed .*2/2 objects", bars)
    assert re.search(r"built .*\d+/\d+ steps", bars)
    assert re.search(r"landed +1 objects, 10 rows, ", table)
    assert re.search(r"failed +1 objects", table)
    assert re.search(r"marts now +9 TWAPs of 2 wallets, in 10 events", table)
    assert f"make serve   then open {ADDRESS}/" in table


def test_a_run_that_is_killed_could_leave_no_hidden_cursor(reader: Reader) -> None:
    assert HIDES_THE_CURSOR not in reader.planned[1] + reader.loaded[1]


def test_a_log_for_machines_has_no_bars_among_its_lines(reader: Reader) -> None:
    env = reader.env | {"LOG_FORMAT": "json"}
    status, shown = run_at_a_terminal("elt", "--dry-run", env=env)
    assert status == 0
    assert ERASES_A_LINE not in shown
    assert any(
        json.loads(line)["event"] == "listed"
        for line in shown.splitlines()
        if line.startswith("{")
    )


def test_the_hourly_command_writes_lines_and_nothing_else(
    reader: Reader, tmp_path: Path
) -> None:
    (line,) = [block for block in blocks("text") if "elt.log" in block]
    minute, *others, command = line.split(maxsplit=5)
    assert (minute.isdecimal(), others) == (True, ["*"] * 4)
    command = command.replace("/srv/twaps", shlex.quote(str(PROJECT_ROOT)))
    command = command.replace(".venv/bin/python", shlex.quote(sys.executable))
    log = tmp_path / "elt.log"
    command = command.replace("elt.log", shlex.quote(str(log)))
    ended = subprocess.run(
        ["sh", "-c", command], env=reader.env, timeout=60, check=False
    )
    assert ended.returncode == 0
    assert "\x1b" not in log.read_text()
    assert "1 objects listed, 0 new: 0 loaded" in log.read_text()


def test_a_year_of_the_wallet_is_saved_as_the_document_shows(
    reader: Reader, tmp_path: Path
) -> None:
    save, certificate = blocks("bash")
    with serving(reader.env) as client:

        def shell(code: str) -> str:
            address = str(client.base_url).rstrip("/")
            return subprocess.run(
                ["bash", "-ec", code.replace(ADDRESS, address)],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            ).stdout

        assert shell(save) in blocks("text")
        assert json.loads(shell(certificate))["complete"] is False


def test_the_demo_ends_in_a_wallets_twaps_the_certificate_and_its_page(
    reader: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(reader.env["DATABASE_URL"]) as connection:
        show(connection, Settings())
    shown = capsys.readouterr().out
    assert len(re.findall(r"^\d +BNB +B +finished +122 +122 ", shown, re.M)) == 8
    assert re.search(r"all that the bucket held at [\d:]{5} UTC is here", shown)
    assert "except for 1 failed objects." in shown
    assert f"make serve   then open {ADDRESS}/?wallet={SHOWN_BY_THE_DEMO}\n" in shown


def test_the_policy_allows_to_list_the_bucket_and_to_get_what_a_run_gets() -> None:
    settings = Settings()
    bucket = f"arn:aws:s3:::{settings.aws_s3_bucket}"
    (policy,) = map(json.loads, blocks("json"))
    allowed = [(each["Action"], each["Resource"]) for each in policy["Statement"]]
    assert allowed == [
        ("s3:ListBucket", bucket),
        ("s3:GetObject", f"{bucket}/{settings.aws_s3_prefix}*"),
    ]


def test_the_settings_of_the_document_are_those_of_the_example() -> None:
    example = (PROJECT_ROOT / ".env.example").read_text()
    for name in re.findall(r"^(\w+)=", "".join(blocks("ini")), re.MULTILINE):
        assert f"# {name}=" in example


def test_the_prices_of_the_document_are_those_of_a_dry_run() -> None:
    text = " ".join(TEXT.split())
    assert f"{(LIST_USD * 1000).normalize()} USD for 1,000 LIST requests" in text
    assert f"{(GET_USD * 1000).normalize()} USD for 1,000 GETs" in text
    assert f"{TRANSFER_USD_PER_GB[Settings().aws_region]} USD for each GB" in text
