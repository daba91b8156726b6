"""Where the measured processes run: a copy of the project, alone with its caches."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from warehouse import PROJECT_ROOT
from warehouse.database import environment_without_libpq

COPIED = (
    *("api", "benchmarks", "dbt_project", "ingestion", "sandbox", "warehouse"),
    *("dbt_project.yml", "profiles.yml.example"),
)


@dataclass(frozen=True)
class Workplace:
    """A folder with a copy of the project, and the way to its bucket.

    A copy, because dbt parses the project anew when another database was the last to be
    built from its folder, and because no `.env` or `profiles.yml` may decide.
    """

    folder: Path
    bucket: dict[str, str]

    def environment(self, database_url: str) -> dict[str, str]:
        """Return the variables that lead a process to a database and the bucket."""
        return environment_without_libpq() | {
            **self.bucket,
            "DATABASE_URL": database_url,
            "DLT_DATA_DIR": str(self.folder / "dlt"),
            "LOG_LEVEL": "WARNING",
        }

    def run(self, *arguments: str, database_url: str = "") -> str:
        """Run Python with the arguments; return what it prints.

        Raises RuntimeError with what it said when it fails.
        """
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment(database_url),
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{arguments} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def seconds(self, *arguments: str, database_url: str = "") -> float:
        """Run Python with the arguments; return how long the whole process took."""
        begin = time.perf_counter()
        self.run(*arguments, database_url=database_url)
        return time.perf_counter() - begin

    def job(self, name: str, database_url: str) -> dict[str, Any]:
        """Run a job of jobs.py in a process of its own; return its figures."""
        text = self.run("-m", "benchmarks.jobs", name, database_url=database_url)
        figures: dict[str, Any] = json.loads(text.splitlines()[-1])
        return figures


def make_workplace(folder: Path, bucket: dict[str, str]) -> Workplace:
    """Copy the project into the folder."""
    for name in COPIED:
        source = PROJECT_ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copyfile(source, folder / name)
    return Workplace(folder, bucket)


def new_database(server_url: str, name: str) -> str:
    """Make an empty database in place of one of this name; return its URL."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name}".encode())
        connection.execute(f"create database {name}".encode())
        # Else one measurement pays for what another wrote.
        connection.execute("checkpoint")
    parts = conninfo_to_dict(server_url)
    return (
        f"postgresql://{parts['user']}:{parts['password']}"
        f"@{parts['host']}:{parts['port']}/{name}"
    )


def cores() -> int:
    """Return how many processors this process may use."""
    return (
        len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    )
