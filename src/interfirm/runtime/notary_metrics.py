"""What a solo notary or a validator counts, and its page for Prometheus; figures named as a node's mean the same.

The page is where `[api]` of `node.toml` in the process's folder says: nowhere without it. It has numbers only and asks
nobody who reads it, so it is for this machine, or for a network that only Prometheus reaches.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from interfirm.runtime.configuration import read_configuration

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PATH, CONFIGURATION = "/metrics", "node.toml"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""The buckets of every duration that is counted, a node's too."""
_ABOUT = {
    "interfirm_notary_height": "Height of the last batch or block.",
    "interfirm_notary_accepted": "Transactions accepted.",
    "interfirm_peers_connected": "Peers there is a connection with.",
    "interfirm_events_waiting": "Events that wait for a turn.",
    "interfirm_certificate_expiry_timestamp_seconds": "When the certificate ends, since 1970.",
}
Figures = Mapping[str, Callable[[], float]]
"""Names of `_ABOUT`, and how each is looked up when the page is read."""


class NotaryMetrics:
    """The counters of one process. `at` is told the points of its batches, `page` is what Prometheus reads."""

    def __init__(self, folder: Path, *, now_s: Callable[[], float] = time.time) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when a count began is of no use to anybody
        self.registry = CollectorRegistry()
        self._commit_seconds = Histogram(
            "interfirm_notary_commit_seconds", "From the begin of a batch or block to its commit.", buckets=SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.folder, self.now_s = folder, now_s
        self.committed_s = 0.0
        self._begun_s = 0.0
        ProcessCollector(registry=self.registry)

    def at(self, point: str) -> None:
        """A batch or block has come to a point."""
        if point == "begun":
            self._begun_s = time.perf_counter()
        elif point == "committed":
            self._commit_seconds.observe(time.perf_counter() - self._begun_s)
            self.committed_s = self.now_s()

    def watch(self, figures: Figures) -> None:
        """Show these figures, too."""
        self.registry.register(_Now(self, figures))

    def page(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Serve the page meanwhile, where the folder's file says; Refusal `configuration.*`, `http.address`."""
        api = read_configuration(self.folder / CONFIGURATION, {}).api
        if not api.port:
            yield
            return
        from interfirm.runtime.http import HttpServer  # and all that serves HTTP, which most validators do without

        server = HttpServer(_Door(self.page), api)
        await server.start()
        try:
            yield
        finally:
            await server.stop()


class _Door:
    """Answers `/metrics`, and `/health` while the process lives (ASGI)."""

    def __init__(self, page: Callable[[], bytes]) -> None:
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        from starlette.responses import PlainTextResponse, Response

        if scope["type"] != "http":
            return
        response: Response = PlainTextResponse("there is nothing here\n", status_code=404)
        if scope["path"] == "/health":
            response = PlainTextResponse("alive\n")
        elif scope["path"] == PATH:
            headers = {"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"}
            response = Response(self._page(), headers=headers)
        await response(scope, receive, send)


class _Now(Collector):
    """What is looked up when the page is read."""

    def __init__(self, metrics: NotaryMetrics, figures: Figures) -> None:
        self._metrics, self._figures = metrics, figures

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """See Collector."""
        return [GaugeMetricFamily(name, about, value) for name, about, value in self._all()]

    def _all(self) -> Iterator[tuple[str, str, float]]:
        metrics = self._metrics
        for name, look in self._figures.items():
            yield name, _ABOUT[name], look()
        about = "When the last batch or block was committed, since 1970; 0 for none since the start."
        yield "interfirm_notary_committed_timestamp_seconds", about, metrics.committed_s
        yield "interfirm_disk_free_bytes", "Free space where its files lie.", shutil.disk_usage(metrics.folder).free
