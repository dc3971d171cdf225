"""What a node counts, and the page on which Prometheus reads it; the names are promised (docs/operator.md).

Everything is counted as it happens or kept in memory anyway: reading the page asks the database nothing, and costs the
same on an old node as on a new one. Labels have few values: what others could choose freely is never one.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from interfirm.node.flows.machine import ENDED
from interfirm.node.flows.types import TellProgress
from interfirm.node.node import Effect
from interfirm.runtime.notary_metrics import SECONDS

if TYPE_CHECKING:
    from interfirm.runtime.node_process import NodeProcess

CONTENT_TYPE = CONTENT_TYPE_LATEST
OTHER = "other"
CODES_COUNT_MAX = 500
"""Different codes of refusals that are counted each for itself."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_EVENTS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)
Step = Callable[[Sequence[object], int], list[Effect]]


class Metrics:
    """The counters of one process. `page` is what Prometheus reads."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when a count began is of no use to anybody
        self.registry = to = CollectorRegistry()
        self._turn_seconds = Histogram("interfirm_turn_seconds", "Duration of turns.", buckets=SECONDS, registry=to)
        self._turn_events = Histogram("interfirm_turn_events", "Events of a turn.", buckets=_EVENTS, registry=to)
        self._vault_seconds = Histogram(
            "interfirm_vault_turn_seconds", "Duration of a turn's database transaction, its commit included.",
            buckets=SECONDS, registry=to,
        )  # fmt: skip
        self._ended = Counter("interfirm_flows_ended", "Flows that ended, or failed.", ["kind", "state"], registry=to)
        self._refusals = Counter("interfirm_refusals", "Refusals, by the code of the rule.", ["code"], registry=to)
        self._requests = Counter("interfirm_http_requests", "Requests over HTTP.", ["method", "status"], registry=to)
        self._codes: set[str] = set()
        self._inbox: set[str] = set()
        self._begun_s = 0.0
        ProcessCollector(registry=self.registry)

    def page(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def timed(self, step: Step) -> Step:
        """The step of a turn loop, with its turns counted and timed."""

        def turn(events: Sequence[object], now_ms: int) -> list[Effect]:
            begun_s = time.perf_counter()
            try:
                return step(events, now_ms)
            finally:
                self._turn_seconds.observe(time.perf_counter() - begun_s)
                self._turn_events.observe(len(events))

        return turn

    def at(self, point: str) -> None:
        """A turn has come to one of `node.POINTS`."""
        if point == "begun":
            self._begun_s = time.perf_counter()
        elif point == "committed":
            self._vault_seconds.observe(time.perf_counter() - self._begun_s)

    def progressed(self, told: TellProgress) -> None:
        """A flow has come further."""
        if not told.again and told.state in (*ENDED, "failed"):
            self._ended.labels(told.record.kind, told.state).inc()

    def refused(self, code: str) -> None:
        """Something was refused."""
        if code not in self._codes and len(self._codes) >= CODES_COUNT_MAX:  # a peer chooses the codes of its refusals
            code = OTHER
        self._codes.add(code)
        self._refusals.labels(code).inc()

    def answered(self, method: str, status: int) -> None:
        """A request over HTTP was answered."""
        self._requests.labels(method if method in _METHODS else OTHER, str(status)).inc()

    def inbox_opened(self, items: Iterable[str]) -> None:
        """These items wait for a person; those that are known to, too."""
        self._inbox.update(items)

    def inbox_decided(self, item: str) -> None:
        """A person has decided this item."""
        self._inbox.discard(item)

    @property
    def inbox_count(self) -> int:
        """How many items wait for a person."""
        return len(self._inbox)

    def watch(self, process: NodeProcess, *, certificate_until_s: float) -> None:
        """Show what is kept in memory by a node's process, too."""
        self.registry.register(_Now(self, process, certificate_until_s))


class _Now(Collector):
    """What is looked up when the page is read: lengths that are at hand, and nothing that has to be counted."""

    def __init__(self, metrics: Metrics, process: NodeProcess, certificate_until_s: float) -> None:
        self._metrics = metrics
        self._process = process
        self._certificate_until_s = certificate_until_s

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        under_way = GaugeMetricFamily(
            "interfirm_flows_under_way", "Flows under way, by what they wait on.", labels=["kind", "waits_on"]
        )
        for (kind, on), count in self._process.assembly.services.waiting.counts.items():
            under_way.add_metric([kind, on], count)
        yield under_way
        faults = CounterMetricFamily("interfirm_task_faults", "Faults of lasting work.", labels=["task"])
        for task, count in self._process.tending.faults.items():
            faults.add_metric([task], count)
        yield faults
        for name, about, value in self._plain():
            yield GaugeMetricFamily(name, about, value)

    def _plain(self) -> Iterator[tuple[str, str, float]]:
        process, node = self._process, self._process.node
        waiting = process.assembly.services.waiting
        sessions = node.sessions.peers.values()
        since_ms = waiting.notary_since_ms
        asked = sum(count for (_, on), count in waiting.counts.items() if on == "notary")
        age_s = 0.0 if since_ms is None else max(0, process.clock.now_ms() - since_ms) / 1000
        free = shutil.disk_usage(process.assembly.home.folder).free
        letters, letter_bytes = sum(len(each.outbox) for each in sessions), sum(each.outbox_bytes for each in sessions)
        yield "interfirm_peers_connected", "Peers there is a connection with.", len(process.network.peers())
        yield "interfirm_outbox_messages", "Messages that peers have not taken yet.", letters
        yield "interfirm_outbox_bytes", "Bytes that peers have not taken yet.", letter_bytes
        yield "interfirm_notary_requests_waiting", "Requests without an answer of a notary.", asked
        yield "interfirm_notary_wait_seconds", "How long the longest of them waits.", age_s
        yield "interfirm_inbox_open", "Items that wait for a person.", self._metrics.inbox_count
        yield "interfirm_approvals_open", "What waits for approvals of people here.", process.approving.count
        yield "interfirm_approvals_wait_seconds", "How long the oldest of it waits.", process.approving.age_s
        yield "interfirm_events_waiting", "Events that wait for a turn.", process.driver.loop.waiting
        yield "interfirm_paused", "1 while the node begins nothing new.", node.flows.pause.paused is not None
        yield "interfirm_held_messages", "Messages that a paused node keeps until it goes on.", node.flows.pause.held
        failing = len(process.tending.waiting)
        yield "interfirm_tasks_failing", "Lasting work that has failed and is not begun again yet.", failing
        yield "interfirm_storage_failed", "1 while nothing can be written.", process.storage.failure is not None
        yield "interfirm_disk_free_bytes", "Free space where the node's files lie.", free
        until_s = self._certificate_until_s
        yield "interfirm_certificate_expiry_timestamp_seconds", "When the certificate ends, since 1970.", until_s
