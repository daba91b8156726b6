"""A real browser, in which whatever a page does wrong is noticed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

# Of a machine that does much else; 5 seconds otherwise.
expect.set_options(timeout=30_000)

QUIET = [
    # Root may not run it otherwise.
    "--no-sandbox",
    # A browser asks its maker for things of its own.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is missing. On Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


class Visit:
    """A page, and what went wrong on it or was asked of others."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        self.faults: list[str] = []
        self._base_url = base_url
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", self._note_request)

    def _note_message(self, message: ConsoleMessage) -> None:
        # Whatever breaks the Content-Security-Policy is an error here too.
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((self._base_url, "data:", "blob:")):
            self.faults.append(f"asked for {request.url}")


@contextmanager
def visit(browser: Browser, base_url: str, **options: Any) -> Iterator[Page]:
    """A page of its own; it fails the test that it goes wrong in."""
    with browser.new_context(base_url=base_url, **options) as context:
        visited = Visit(context.new_page(), base_url)
        yield visited.page
        assert visited.faults == []
