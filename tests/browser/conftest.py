"""A loaded warehouse, its API, and a browser in front of it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import chromium, visit
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


# Not for the session: others make copies of the marts, which nobody may read meanwhile.
@pytest.fixture(scope="module")
def site(sample_marts: Warehouse) -> Iterator[Site]:
    """Two days of the demo, with all their oddities."""
    (row,) = sample_marts.query(
        """
        select wallet from marts.twap_latest
        group by wallet order by count(*) desc limit 1
        """
    )
    with serving(environment(DATABASE_URL=sample_marts.url)) as api:
        yield Site(api, row["wallet"])


# Not for the session: its event loop would be in the way of other tests' own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(site: Site, browser: Browser) -> Open:
    """Open a page of the site; what goes wrong on it fails the test."""
    return partial(visit, browser, site.url)
