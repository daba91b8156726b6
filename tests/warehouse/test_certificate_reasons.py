"""Each reason why an answer may not be whole, made to happen, and mended."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingestion import Selection
from sandbox import postgres
from sandbox.parquet import write_rows
from sandbox.s3 import S3Server
from sandbox.sample import PREFIX
from tests.api.marts import show
from tests.conftest import new_database
from tests.marts.warehouse import Warehouse
from tests.warehouse.command import environment, serving
from tests.warehouse.visitor import get
from tests.warehouse.year_edges import EDGE, HOUR_NS, event
from warehouse.errors import UserError

DAY = 24 * HOUR_NS
NIGHT = datetime(2026, 1, 2, tzinfo=UTC)
MORNING = datetime(2026, 1, 2, 6, tzinfo=UTC)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)

BREAKS_AT_ITS_BEGINNING = """
    create function marts.break() returns trigger language plpgsql
    as $$ begin raise exception 'broken by hand'; end $$;
    create trigger break before insert on marts.etl_builds
    execute function marts.break();
"""
MENDED_AT_ITS_BEGINNING = "drop function marts.break() cascade"
BREAKS_HALFWAY = (
    "alter table marts.twap_latest add constraint break check (asset <> 'ETH')"
)
MENDED_HALFWAY = "alter table marts.twap_latest drop constraint break"


def at_hour(hour: int, **changes: Any) -> dict[str, Any]:
    """An event of 1 January at so many hours and a half."""
    ns = hour * HOUR_NS + HOUR_NS // 2
    return event(hour, ns, "finished", **changes)


@dataclass
class Answers:
    """What the API says at one stage."""

    overall: dict[str, Any]
    """The certificate over all that there is."""
    of_a_window: dict[str, Any]
    """The certificate of a page of EDGE's, from 09:00 to 18:00."""
    later: dict[str, Any]
    """The certificate from 5 January on: no object is so new."""
    headers: httpx.Headers
    listed_at: datetime | None

    def reasons(self) -> dict[str, tuple[int, str | None, str | None]]:
        return told(self.overall)


def told(certificate: dict[str, Any]) -> dict[str, tuple[int, str | None, str | None]]:
    """The reasons of a certificate by their codes: count, from and to."""
    assert certificate["complete"] is not bool(certificate["reasons"])
    return {r["code"]: (r["count"], r["from"], r["to"]) for r in certificate["reasons"]}


@dataclass
class Story:
    warehouse: Warehouse
    api: httpx.Client | None = None
    stages: dict[str, Answers] = field(default_factory=dict)

    def put(self, name: str, body: bytes, at: datetime) -> None:
        self.warehouse.put(f"{PREFIX}{name}.parquet", body, at)

    def look(self, stage: str) -> None:
        assert self.api
        page = self.api.get(
            "/api/v1/twaps",
            params={
                "wallet": EDGE,
                "start": "2026-01-01T09:00:00Z",
                "end": "2026-01-01T18:00:00Z",
            },
        )
        (newest,) = self.warehouse.query(
            "select max(listed_at) as at from marts.etl_runs"
            " where mode in ('incremental', 'since')"
        )
        self.stages[stage] = Answers(
            get(self.api, "/api/v1/coverage"),
            page.json()["coverage"],
            get(self.api, "/api/v1/coverage", start="2026-01-05", before="2026-01-06"),
            page.headers,
            newest["at"],
        )


@pytest.fixture(scope="module")
def stages(
    server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Answers]:
    """The life of a warehouse that is filled by halves, broken and mended."""
    folder = tmp_path_factory.mktemp("certificates")
    with S3Server() as s3:
        story = Story(Warehouse(s3, new_database(server), folder / "dlt"))
        run = story.warehouse.run
        run(Selection(local_files=(local_file(folder),)))
        with serving(environment(DATABASE_URL=story.warehouse.url)) as story.api:
            story.look("local file")

            assert run() == 0
            story.look("nothing shown")

            story.put("corrupt", b"PAR1 and then nothing", MORNING)
            assert run(Selection(object_key=f"{PREFIX}corrupt.parquet")) == 3
            story.look("one key")

            rows = [at_hour(11), at_hour(14), at_hour(15, state_sz="a lot")]
            story.put("gaps", write_rows(rows), NIGHT)
            run(Selection(since=NOON))
            story.look("since")

            assert run() == 3
            story.look("whole bucket")

            story.put("gaps", write_rows(rows), NOON)
            story.warehouse.execute(BREAKS_AT_ITS_BEGINNING)
            run_broken(story.warehouse)
            story.look("broken at its beginning")

            story.warehouse.execute(MENDED_AT_ITS_BEGINNING)
            story.put("gaps", write_rows(rows[:2]), NOON)
            rows = [at_hour(hour, state_coin="ETH") for hour in (12, 13)]
            story.put("corrupt", write_rows(rows), NOON)
            story.warehouse.execute(BREAKS_HALFWAY)
            run_broken(story.warehouse)
            story.look("broken halfway")

            story.warehouse.execute(MENDED_HALFWAY)
            assert run() == 0
            story.look("mended")
    return story.stages


def local_file(folder: Path) -> Path:
    path = folder / "local.parquet"
    path.write_bytes(write_rows([at_hour(10)]))
    return path


def run_broken(warehouse: Warehouse) -> None:
    with pytest.raises(UserError):
        warehouse.run()


Stages = dict[str, Answers]


def test_local_files_alone_are_no_listing_of_the_bucket(stages: Stages) -> None:
    assert stages["local file"].reasons() == {"never_listed": (1, None, None)}
    assert stages["local file"].overall["listed_at"] is None


def test_a_listing_that_shows_nothing_is_none(stages: Stages) -> None:
    assert stages["nothing shown"].reasons() == {"never_listed": (1, None, None)}


def test_one_object_alone_is_no_listing_of_the_bucket(stages: Stages) -> None:
    assert stages["one key"].reasons() == {
        "never_listed": (1, None, None),
        "failed_objects": (1, show(MORNING), show(MORNING)),
    }


def test_objects_that_a_run_leaves_out_are_not_fetched(stages: Stages) -> None:
    found = stages["since"]
    assert found.reasons() == {
        "objects_not_fetched": (2, show(NIGHT), show(found.listed_at)),
        "failed_objects": (1, show(MORNING), show(MORNING)),
    }
    assert found.overall["listed_at"] == show(found.listed_at)


def test_whole_bucket_lacks_only_what_cannot_be_read(stages: Stages) -> None:
    assert stages["whole bucket"].reasons() == {
        "failed_objects": (1, show(MORNING), show(MORNING)),
        "rejected_rows": (1, show(NIGHT), show(NIGHT)),
        "empty_hours": (2, "2026-01-01T12:00:00Z", "2026-01-01T14:00:00Z"),
    }


def test_window_that_is_longer_than_the_history_lacks_both_ends(
    stages: Stages,
) -> None:
    found = told(stages["whole bucket"].of_a_window)
    assert found.keys() == stages["whole bucket"].reasons().keys() | {
        "before_first_event",
        "after_last_event",
    }
    first, last = "2026-01-01T10:30:00Z", "2026-01-01T14:30:00Z"
    assert found["before_first_event"] == (2, "2026-01-01T09:00:00Z", first)
    assert found["after_last_event"] == (4, last, "2026-01-01T18:00:00Z")


def test_objects_older_than_the_window_do_not_count_for_it(stages: Stages) -> None:
    assert told(stages["whole bucket"].later).keys() == {"after_last_event"}


@pytest.mark.parametrize("stage", ["broken at its beginning", "broken halfway"])
def test_build_that_broke_is_told_until_it_is_mended(
    stages: Stages, stage: str
) -> None:
    found = stages[stage]
    assert found.reasons()["build_in_progress"] == (1, None, None)
    assert "build_in_progress" in told(found.of_a_window)
    assert "etag" not in found.headers
    assert found.headers["cache-control"] == "no-store"


def test_mended_warehouse_is_complete(stages: Stages) -> None:
    mended = stages["mended"]
    assert mended.reasons() == {}
    assert told(mended.of_a_window).keys() == {"before_first_event", "after_last_event"}
    assert "etag" in mended.headers
    assert mended.overall["listed_at"] == show(mended.listed_at)
