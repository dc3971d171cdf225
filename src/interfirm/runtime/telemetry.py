"""Traces of flows (OpenTelemetry): one transaction's flows at all firms are one trace, and nothing is sent for that.

Every firm works out the same trace id from the transaction's id, and the proposer's span from it too, so each firm's
collector gets its own part, and parts that are put together fit. Spans are made when a flow ends, from its record: what
a flow looked like is known then, restarts included. A flow without a transaction is a trace of its own.

The extra `interfirm[telemetry]` brings OpenTelemetry; nodes without it, or without an endpoint, do without.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from interfirm.base.errors import Refusal, check
from interfirm.base.hashing import digest
from interfirm.node.desk_operate import reason_of
from interfirm.node.flows.types import Step, TellProgress
from interfirm.node.vault.types import FlowRecord
from interfirm.runtime.watching import TelemetrySettings, read_secret

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
    from opentelemetry.trace import SpanContext

PROPOSES = "exercise"
"""The flow that a transaction's trace begins with."""
SEND_S = 5
"""How long a collector may take."""
_NS_PER_MS = 1_000_000


class Telemetry:
    """Makes the spans of one firm's flows and hands them to a processor."""

    def __init__(self, processor: SpanProcessor, *, identity: bytes, firm: str, percent: int = 100) -> None:
        from opentelemetry.sdk.resources import Resource

        self._processor = processor
        self._identity = identity
        self._percent = percent
        self._resource: Resource = Resource.create({"service.name": "interfirm", "service.instance.id": firm})

    def ended(self, told: TellProgress) -> None:
        """A flow ended, or failed: make its spans."""
        trace = trace_id(told.transaction or digest("flow", self._identity, told.flow.encode()))
        if trace % 100 < self._percent:
            for span in self._spans(told, trace):
                self._processor.on_end(span)

    def close(self) -> None:
        """Send what is left."""
        self._processor.shutdown()

    def _spans(self, told: TellProgress, trace: int) -> Iterator[ReadableSpan]:
        record, transaction = told.record, told.transaction
        root = span_id(transaction, b"proposal") if transaction else 0
        own = root if root and record.kind == PROPOSES else span_id(self._identity, record.id.encode())
        above = _context(trace, root) if root and own != root else None
        attributes = {"interfirm.flow": record.id, "interfirm.state": record.state}
        if transaction:
            attributes["interfirm.transaction"] = transaction.hex()
        if reason := reason_of(record):
            attributes["interfirm.code"] = reason["code"]
        ended = _Moment(record)
        context = _context(trace, own)
        good = record.state == "done"
        yield self._span(record.kind, context, above, record.started_ms, ended.ms(0), attributes, good)
        yield from self._steps(told.steps, trace, own, record.id, ended)

    def _steps(
        self, steps: tuple[Step, ...], trace: int, above: int, place: str, ended: _Moment
    ) -> Iterator[ReadableSpan]:
        for number, step in enumerate(steps):
            here = f"{place}/{number}"
            own = span_id(self._identity, here.encode())
            until_ms = ended.ms(step.ended_ms)
            good = step.state != "failed"
            parent = _context(trace, above)
            yield self._span(step.name, _context(trace, own), parent, step.started_ms, until_ms, {}, good)
            yield from self._steps(step.steps, trace, own, here, ended)

    def _span(
        self, name: str, context: SpanContext, parent: SpanContext | None, from_ms: int, until_ms: int,
        attributes: dict[str, str], good: bool,
    ) -> ReadableSpan:  # fmt: skip
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import Status, StatusCode

        return ReadableSpan(
            name, context=context, parent=parent, resource=self._resource, attributes=attributes,
            status=Status(StatusCode.UNSET if good else StatusCode.ERROR),
            start_time=from_ms * _NS_PER_MS, end_time=max(from_ms, until_ms) * _NS_PER_MS,
        )  # fmt: skip


class _Moment:
    """When what has not ended by itself ended: with its flow."""

    def __init__(self, record: FlowRecord) -> None:
        self._changed_ms = record.changed_ms

    def ms(self, ended_ms: int) -> int:
        return ended_ms or self._changed_ms


def trace_id(transaction: bytes) -> int:
    """The trace of a transaction's flows at all firms; from it nobody learns the transaction's id."""
    return int.from_bytes(digest("trace", transaction)[:16], "big")


def span_id(whose: bytes, what: bytes) -> int:
    """A span's id, the same again after a restart."""
    return int.from_bytes(digest("span", whose, what)[:8], "big")


def _context(trace: int, span: int) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(trace, span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def otlp_telemetry(settings: TelemetrySettings, *, identity: bytes, firm: str) -> Telemetry | None:
    """Telemetry that is sent over OTLP in a thread of its own; None where nothing is to be sent.

    Refusal `telemetry.missing` where OpenTelemetry is not installed, `configuration.secret`, `configuration.header`.
    """
    if not settings.endpoint:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise Refusal("telemetry.missing", "traces need OpenTelemetry: pip install 'interfirm[telemetry]'",
                      reason=str(error)) from error  # fmt: skip
    exporter = OTLPSpanExporter(endpoint=settings.endpoint, headers=_headers(settings), timeout=SEND_S)
    processor = BatchSpanProcessor(exporter)
    return Telemetry(processor, identity=identity, firm=firm, percent=settings.percent)


def _headers(settings: TelemetrySettings) -> dict[str, str]:
    if not settings.header_file:
        return {}
    name, colon, value = read_secret(settings.header_file).partition(":")
    check(bool(colon and name.strip() and value.strip()), "configuration.header", "a header is `Name: value`",
          path=settings.header_file)  # fmt: skip
    return {name.strip(): value.strip()}
