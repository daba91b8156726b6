"""Units of systemd and a line for cron: understood, tight, and true to the code."""

import configparser
import re
import subprocess
from copy import deepcopy
from datetime import timedelta
from pathlib import Path

import pytest

from api.server import GRACE_SECONDS
from sandbox import postgres, sample
from sandbox.s3 import S3Server
from tests.conftest import drop_database, new_database
from tests.deploy.test_watching import check
from tests.marts.warehouse import Warehouse
from tests.programs import needs
from warehouse import PROJECT_ROOT
from warehouse.__main__ import EXIT_INTERRUPTED
from warehouse.commands.elt import EXIT_SOME_FAILED
from warehouse.errors import AlreadyRunning

UNITS = sorted((PROJECT_ROOT / "deploy" / "systemd").iterdir())
CRON = PROJECT_ROOT / "deploy" / "cron" / "twaps"
PLACE = "/srv/twaps"
"""Where the files say that the checkout is."""

EXPOSED = 20
"""Tenths of the ten points by which systemd tells how exposed a service is."""


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, for this checkout."""
    for unit in UNITS:
        text = unit.read_text().replace(PLACE, str(PROJECT_ROOT))
        (tmp_path / unit.name).write_text(text)
    return sorted(tmp_path.iterdir())


def service(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read(PROJECT_ROOT / "deploy" / "systemd" / f"{name}.service")
    return parser["Service"]


@needs("systemd-analyze")
def test_systemd_has_nothing_to_say_against_the_units(units: list[Path]) -> None:
    assert len(units) == 3
    assert check("systemd-analyze", "verify", *units) == ""


@needs("systemd-analyze")
def test_the_timer_is_hourly_and_catches_up() -> None:
    (timer,) = [unit for unit in UNITS if unit.suffix == ".timer"]
    assert "Persistent=yes" in timer.read_text()
    (when,) = re.findall(r"^OnCalendar=(.*)$", timer.read_text(), re.MULTILINE)
    said = check("systemd-analyze", "calendar", "--iterations=3", when)
    assert len(re.findall(r"\d\d:05:00", said)) >= 3


@needs("systemd-analyze")
def test_a_service_can_do_little_but_its_work(units: list[Path]) -> None:
    for unit in units:
        if unit.suffix == ".service":
            options = ("--no-pager", "--offline=yes", f"--threshold={EXPOSED}")
            check("systemd-analyze", "security", *options, unit)


def test_statuses_that_are_no_failure_are_none_to_systemd() -> None:
    succeeded = {
        int(each) for each in service("twaps-elt")["SuccessExitStatus"].split()
    }
    expected = {EXIT_SOME_FAILED, AlreadyRunning.exit_code, EXIT_INTERRUPTED}
    assert succeeded == expected


def test_exports_under_way_have_their_time_when_the_api_is_to_end() -> None:
    api = service("twaps-api")
    assert int(api["TimeoutStopSec"]) > GRACE_SECONDS
    assert api["KillMode"] == "mixed"


def test_the_line_for_cron_runs_and_writes_its_log(tmp_path: Path) -> None:
    *_, line = CRON.read_text().splitlines()
    minute, *others, user, command = line.split(None, 6)
    assert minute.isdigit()
    assert others == ["*"] * 4
    assert user == "twaps"
    assert "%" not in command
    here = command.replace(PLACE, str(PROJECT_ROOT)).replace(
        "/var/log/twaps", str(tmp_path)
    )
    # Cron gives a command little more than this.
    ended = subprocess.run(
        ["/bin/sh", "-c", here],
        env={"DATABASE_URL": "mysql://h/d", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 1
    assert (ended.stdout, ended.stderr) == (b"", b"")
    assert "not a Postgres URL" in (tmp_path / "elt.log").read_text()


def test_a_missed_week_is_caught_up_by_one_run(
    server: postgres.Server, sample_marts: Warehouse, tmp_path: Path
) -> None:
    url = new_database(server, template=sample_marts.url)
    with S3Server() as s3:
        warehouse = Warehouse(s3, url, tmp_path, deepcopy(sample_marts.oracle))
        week = sample.generate(
            days=7,
            twaps_per_day=100,
            seed=2,
            start=sample.DEFAULT_START + timedelta(days=2),
        )
        sample.fill(warehouse, week)
        assert len(warehouse.bucket) > 7 * 24
        warehouse.run_with_oracle()
        assert warehouse.differences() == []
        (newest,) = warehouse.query(
            "select * from marts.etl_runs order by finished_at desc limit 1"
        )
        assert newest["objects_loaded"] > 7 * 24
        assert newest["objects_not_fetched"] == 0
    drop_database(server, url)
