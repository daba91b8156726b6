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

from benchmarks.bucket import Bucket
from warehouse import PROJECT_ROOT
from warehouse.database import environment_without_libpq

COPIED = (
    *("api", "benchmarks", "dbt_project", "ingestion", "sandbox", "warehouse"),
    *("dbt_project.yml", "profiles.yml.example"),
)


@dataclass(frozen=True)
class Workplace:
    """A bucket, a database for it, and a copy of the project between them.

    A copy, because no `.env` or `profiles.yml` may decide.
    """

    folder: Path
    bucket: Bucket
    url: str

    def environment(self) -> dict[str, str]:
        """Return the variables that lead a process to the database and the bucket."""
        return environment_without_libpq() | {
            **self.bucket.environment,
            "DATABASE_URL": self.url,
            "DLT_DATA_DIR": str(self.folder / "dlt"),
            "LOG_LEVEL": "WARNING",
        }

    def run(self, *arguments: str) -> str:
        """Run Python with the arguments; return what it prints.

        Raises RuntimeError with what it said when it fails.
        """
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment(),
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{arguments} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def seconds(self, *arguments: str) -> float:
        """Run Python with the arguments; return how long the whole process took."""
        begin = time.perf_counter()
        self.run(*arguments)
        return time.perf_counter() - begin

    def job(self, name: str) -> dict[str, Any]:
        """Run a job of jobs.py in a process of its own; return its figures."""
        text = self.run("-m", "benchmarks.jobs", name)
        figures: dict[str, Any] = json.loads(text.splitlines()[-1])
        return figures

    def empty_database(self) -> None:
        """Make the database anew."""
        server, _, name = self.url.rpartition("/")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} (force)".encode())
            connection.execute(f"create database {name}".encode())
            # Else one measurement pays for what another wrote.
            connection.execute("checkpoint")


def make_workplace(folder: Path, bucket: Bucket, server_url: str) -> Workplace:
    """Copy the project into the folder; the database is called as the folder is."""
    for name in COPIED:
        source = PROJECT_ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            folder.mkdir(exist_ok=True)
            shutil.copyfile(source, folder / name)
    parts = conninfo_to_dict(server_url)
    login = f"{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}"
    return Workplace(folder, bucket, f"postgresql://{login}/{folder.name}")


def cores() -> int:
    """Return how many processors this process may use."""
    return (
        len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    )
