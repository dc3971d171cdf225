"""Traces: the flows of one transaction at two firms are one trace, without a word between the firms about it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from interfirm.base.errors import Refusal
from interfirm.contracts.types import ContractRef, CreateCommand, ExerciseCommand
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.machine import ENDED
from interfirm.node.flows.types import AskedFlow, TellProgress
from interfirm.runtime.telemetry import Telemetry, otlp_telemetry
from interfirm.runtime.watching import TelemetrySettings
from interfirm.sim.firm import SimFirm
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import SIGN_ALL, World


@pytest.fixture
def world() -> Iterator[World]:
    with World(5, trade_engine(), firms=2, policies=(SIGN_ALL,)) as made:
        yield made


class Traced:
    """A firm's spans, as its own collector has them."""

    def __init__(self, firm: SimFirm, *, percent: int = 100) -> None:
        self.exporter = InMemorySpanExporter()
        processor = SimpleSpanProcessor(self.exporter)
        self.telemetry = Telemetry(processor, identity=firm.identity, firm=firm.name, percent=percent)
        release = firm.loop._release

        def released(effect: Any) -> None:
            if isinstance(effect, TellProgress) and effect.state in ENDED and not effect.again:
                self.telemetry.ended(effect)
            release(effect)

        firm.loop._release = released

    def flows(self, kind: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == kind]

    def flow(self, kind: str) -> ReadableSpan:
        (span,) = self.flows(kind)
        return span


def ask(firm: SimFirm, name: str, command: CreateCommand | ExerciseCommand) -> None:
    arguments = msgspec.msgpack.encode(ExerciseArguments(commands=(command,)))
    firm.hear(AskedFlow(id=name, kind="exercise", arguments=arguments))


def accepted(world: World) -> None:
    """The supplier makes a draft, and the debtor accepts it, which the supplier signs."""
    supplier, debtor = world.firms
    template = world.engine.named("trade.Draft").id
    payload = [[supplier.identity], [debtor.identity], [700, "EUR"], "B-1", "a-mark"]
    ask(supplier, "draft", CreateCommand(template=template, payload=payload))
    assert world.run(5_000)
    with supplier.reading() as turn:
        record = turn.flow("draft")
    assert record is not None
    ref = ContractRef(msgspec.msgpack.decode(record.result)["transaction"], 0)
    ask(debtor, "accept", ExerciseCommand(ref=ref, template=template, choice="accept", arguments=[]))
    assert world.run(5_000)


def is_within(inner: ReadableSpan, outer: ReadableSpan) -> bool:
    begun, ended = inner.start_time or 0, inner.end_time or 0
    return (outer.start_time or 0) <= begun <= ended <= (outer.end_time or 0)


def test_a_transaction_is_one_trace_at_both_firms(world: World) -> None:
    supplier, debtor = (Traced(firm) for firm in world.firms)
    accepted(world)
    proposed, signed = debtor.flow("exercise"), supplier.flow("respond")
    assert proposed.context.trace_id == signed.context.trace_id
    assert proposed.parent is None
    assert signed.parent is not None
    assert signed.parent.span_id == proposed.context.span_id
    assert proposed.attributes is not None
    assert proposed.attributes["interfirm.flow"] == "accept"
    assert proposed.resource.attributes["service.instance.id"] == world.firms[1].name
    drafted = supplier.flow("exercise")
    assert drafted.context.trace_id != proposed.context.trace_id, "another transaction"
    assert debtor.flow("take-delivery").context.trace_id == drafted.context.trace_id


def test_the_steps_of_a_flow_are_spans_within_it(world: World) -> None:
    debtor = Traced(world.firms[1])
    accepted(world)
    flow = debtor.flow("exercise")
    spans = {s.context.span_id: s for s in debtor.exporter.get_finished_spans()}
    steps = [s for s in spans.values() if s.parent is not None and s.parent.span_id == flow.context.span_id]
    names = ["Interpret and lock", "Ask for proofs of claims", "Build and sign", "Gather signatures", "Record"]
    assert [s.name for s in steps if s.name in names] == names
    assert all(is_within(step, flow) for step in steps)
    inner = [s for s in spans.values() if s.parent is not None and spans.get(s.parent.span_id) in steps]
    assert [s.name.partition(" of ")[0] for s in inner] == ["Signature"]


def test_no_two_spans_have_one_id(world: World) -> None:
    traced = [Traced(firm) for firm in world.firms]
    accepted(world)
    ids = [span.context.span_id for each in traced for span in each.exporter.get_finished_spans()]
    assert len(set(ids)) == len(ids) > 5


def test_nobody_learns_a_transaction_from_the_trace_alone(world: World) -> None:
    debtor = Traced(world.firms[1])
    accepted(world)
    flow = debtor.flow("exercise")
    assert flow.attributes is not None
    transaction = str(flow.attributes["interfirm.transaction"])
    assert f"{flow.context.trace_id:032x}" not in transaction


def test_a_share_of_the_traces_is_the_same_share_everywhere(world: World) -> None:
    none = [Traced(firm, percent=0) for firm in world.firms]
    accepted(world)
    assert [each.exporter.get_finished_spans() for each in none] == [(), ()]


class _Collector(BaseHTTPRequestHandler):
    taken: list[tuple[str, str, int]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.taken.append((self.path, self.headers["x-key"], len(body)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


def test_spans_are_sent_over_otlp_where_the_configuration_says(world: World, tmp_path: Any) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "header").write_text("X-Key: abc\n")
    url = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
    settings = TelemetrySettings(endpoint=url, header_file=str(tmp_path / "header")).checked()
    telemetry = otlp_telemetry(settings, identity=world.firms[1].identity, firm="debtor")
    assert telemetry is not None
    traced = Traced(world.firms[1])
    traced.telemetry = telemetry
    try:
        accepted(world)
        telemetry.close()
    finally:
        server.shutdown()
        server.server_close()
    assert _Collector.taken
    assert {(path, key) for path, key, _ in _Collector.taken} == {("/v1/traces", "abc")}


def test_without_an_endpoint_nothing_is_traced() -> None:
    assert otlp_telemetry(TelemetrySettings(), identity=bytes(32), firm="x") is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"endpoint": "http://collector.example/v1/traces"}, "configuration.url"),
        ({"endpoint": "collector:4318"}, "configuration.url"),
        ({"percent": 101}, "configuration.percent"),
    ],
)
def test_settings_that_are_not_safe_are_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as caught:
        TelemetrySettings().replace(**changes).checked()
    assert caught.value.code == code
    assert json.dumps(caught.value.as_plain())
