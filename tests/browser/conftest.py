"""A loaded warehouse, its API, and a browser in front of it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import httpx
import pytest
from playwright.sync_api import Browser, Page

from sandbox import postgres, sample
from sandbox.s3 import S3Server
from tests.browser.chromium import chromium, visit
from tests.conftest import new_database
from tests.marts.warehouse import Warehouse
from tests.warehouse.command import environment, serving

Open = Callable[..., AbstractContextManager[Page]]


@dataclass
class Site:
    """What is to be looked at."""

    api: httpx.Client
    heaviest: str

    @property
    def url(self) -> str:
        return str(self.api.base_url)


@pytest.fixture(scope="session")
def site(
    server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Two days of sample data with all their oddities."""
    with S3Server() as s3:
        warehouse = Warehouse(s3, new_database(server), tmp_path_factory.mktemp("dlt"))
        for each in sample.generate(days=2, twaps_per_day=1500, wallets=40):
            warehouse.put(each.key, each.body, each.last_modified)
        warehouse.run()
        (row,) = warehouse.query(
            """
            select wallet from marts.twap_latest
            group by wallet order by count(*) desc limit 1
            """
        )
        with serving(environment(DATABASE_URL=warehouse.url)) as api:
            yield Site(api, row["wallet"])


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(site: Site, browser: Browser) -> Open:
    """Open a page of the site; what goes wrong on it fails the test."""
    return partial(visit, browser, site.url)
