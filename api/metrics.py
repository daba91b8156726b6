"""What this process, or all workers together, did with requests, for Prometheus.

With one worker the figures lie in its memory. With several they lie in files in the
folder PROMETHEUS_MULTIPROC_DIR, which must be there, and empty, before the first worker
imports this module; then any worker answers for all.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS: Final = frozenset(
    ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT")
)
OTHER_METHOD: Final = "other"

UNMATCHED: Final = "unmatched"
"""The route of a request that none took: a wrong path, or an answer before routing."""

BROKEN: Final = "broken"
"""The status of an answer that did not come to its end, whoever broke it off."""

# A page takes milliseconds; an export may take minutes.
SECONDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1, 2.5, 5, 10, 30, 60, 120, 300),
)

MULTIPROCESS: Final = values.ValueClass is not values.MutexValue
"""Whether several workers share their figures: prometheus_client found the folder."""

ROUTE_KEY: Final = "api.metrics.route"
"""Where in the scope the route's template is handed outwards."""

# When a series began is of no use to anyone, and doubles their number.
disable_created_metrics()  # type: ignore[no-untyped-call]  # has no types


class Metrics:
    """The figures of one application, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time from a request to the last byte of its answer.",
            ["method", "route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._in_progress = Gauge(
            "http_requests_in_progress",
            "Requests under way, this one too.",
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self.connections_active = Gauge(
            "database_connections_active",
            "Connections to the database that are in use.",
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self.connections_max = Gauge(
            "database_connections_max",
            "Connections to the database that may be in use at once.",
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count a request as under way for as long as the block runs."""
        with self._in_progress.track_inprogress():
            yield

    def count(self, method: str, route: str, status: str, seconds: float) -> None:
        """Count a request that has ended, however it did."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self, also: Collector) -> bytes:
        """Return all figures, and those of `also`, in Prometheus's text format.

        With several workers these are the sums over all; what the operating system
        tells of a process (`process_…`) is then left out.
        """
        registry = self._registry
        if MULTIPROCESS:
            _forget_dead_workers(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # as above
        return generate_latest(registry) + generate_latest(_only(also))


class Meter:
    """Counts every request and how long it took. Stands outermost."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count it at its end."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
        # A list, since those in between may pass on a copy of the scope.
        route: list[str] = []
        scope[ROUTE_KEY] = route
        begun = ""
        status = BROKEN

        async def note_status(message: Message) -> None:
            nonlocal begun, status
            await send(message)
            if message["type"] == "http.response.start":
                begun = str(message["status"])
            elif not message.get("more_body", False):
                status = begun

        try:
            with self.metrics.under_way():
                await self.app(scope, receive, note_status)
        finally:
            seconds = time.perf_counter() - began
            self.metrics.count(
                method, route[0] if route else UNMATCHED, status, seconds
            )


class RouteNote:
    """Tells the Meter which route took the request. Stands innermost."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note the template of its route."""
        try:
            await self.app(scope, receive, send)
        finally:
            # `/twaps/{twap_id}`, where `path` has the converter too.
            template = getattr(scope.get("route"), "path_format", None)
            if template and ROUTE_KEY in scope:
                scope[ROUTE_KEY].append(template)


def _only(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


def _forget_dead_workers(folder: Path) -> None:
    """Take back what workers had under way that were killed; what they did stays."""
    pids = {int(path.stem.rsplit("_", 1)[1]) for path in folder.glob("gauge_live*.db")}
    for pid in pids - {os.getpid()}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            # Another worker may be at it too.
            with suppress(FileNotFoundError):
                mark_process_dead(pid)  # type: ignore[no-untyped-call]  # as above
        except PermissionError:
            # It lives, and is another user's.
            pass
