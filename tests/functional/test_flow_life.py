"""How flows end before they are done: cancelled, declined, killed, failed and tried again; and a turn that fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.support.flows import flow, result

from interfirm.contracts.types import ContractRef, CreateCommand, ExerciseCommand
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.machine import FlowEngine
from interfirm.node.flows.types import AnsweredPerson, AskedCancel, AskedFlow, AskedKill, AskedRetry
from interfirm.node.records import Records
from interfirm.node.vault.types import FlowRecord, InboxItem
from interfirm.sim import firm as firms
from interfirm.sim.firm import SimFirm
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import ASK_ALL, WINDOW_MS, World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two firms where people are asked, and decide only when a test says so."""
    monkeypatch.setattr(firms.SimFirm, "_look_at_inbox", lambda firm: None)
    with World(5, trade_engine(), firms=2, policies=(ASK_ALL,)) as made:
        yield made


def inbox(firm: SimFirm) -> list[InboxItem]:
    with firm.reading() as turn:
        return turn.inbox()


def answering(firm: SimFirm) -> FlowRecord:
    with firm.reading() as turn:
        (record,) = [each for each in turn.flows() if each.kind == "respond"]
    return record


def waiting_for_a_person(world: World) -> ContractRef:
    """The debtor wants to accept a draft, and the supplier's people have been asked."""
    supplier, debtor = world.firms
    template = world.engine.named("trade.Draft").id
    payload = [[supplier.identity], [debtor.identity], [700, "EUR"], "B-1", "a-mark"]
    _ask(supplier, "draft", CreateCommand(template=template, payload=payload))
    assert world.run(1_000)
    transaction = result(supplier, "draft")["transaction"]
    ref = ContractRef(transaction, 0)
    _ask(debtor, "accept", ExerciseCommand(ref=ref, template=template, choice="accept", arguments=[]))
    world.run(1_000)
    return ref


def _ask(firm: SimFirm, name: str, command: CreateCommand | ExerciseCommand) -> None:
    arguments = msgspec.msgpack.encode(ExerciseArguments(commands=(command,)))
    firm.ask(AskedFlow(id=name, kind="exercise", arguments=arguments))


def is_locked(firm: SimFirm, ref: ContractRef) -> bool:
    with firm.reading() as turn:
        return turn.locked_by(ref, firm.clock_ms()) is not None


def test_a_person_who_agrees_lets_it_happen(world: World) -> None:
    supplier, debtor = world.firms
    ref = waiting_for_a_person(world)
    (item,) = inbox(supplier)
    assert item.summary["actions"][0]["choice"] == "accept"
    assert is_locked(debtor, ref)
    supplier.hear(AnsweredPerson(item=item.id, approved=True, reason=""))
    assert world.run(5_000)
    assert flow(debtor, "accept").state == "done"
    assert answering(supplier).state == "done"
    assert not is_locked(debtor, ref)


def test_a_person_who_declines_says_why(world: World) -> None:
    supplier, debtor = world.firms
    ref = waiting_for_a_person(world)
    (item,) = inbox(supplier)
    supplier.hear(AnsweredPerson(item=item.id, approved=False, reason="not what we agreed"))
    assert world.run(5_000)
    refused = result(debtor, "accept")
    assert (refused["code"], refused["reason"]) == ("flow.declined", "not what we agreed")
    assert refused["values"]["rule"] == "policy.person"
    assert not is_locked(debtor, ref)


def test_a_decision_survives_a_kill_before_and_after_it(world: World) -> None:
    supplier, debtor = world.firms
    waiting_for_a_person(world)
    supplier.kill("killed while a person thinks")
    world.run(2_000)
    (item,) = inbox(supplier)
    supplier.hear(AnsweredPerson(item=item.id, approved=True, reason=""))
    world.run(3)
    supplier.kill("killed when a person has decided")
    assert world.run(60_000)
    if flow(debtor, "accept").state != "done":  # the decision was lost with the kill; it can be made again
        (item,) = inbox(supplier)
        supplier.hear(AnsweredPerson(item=item.id, approved=True, reason=""))
        assert world.run(60_000)
    assert flow(debtor, "accept").state == "done"


def test_a_proposer_may_cancel_while_others_think(world: World) -> None:
    supplier, debtor = world.firms
    ref = waiting_for_a_person(world)
    debtor.hear(AskedCancel(id="accept"))
    world.run(5_000)
    assert flow(debtor, "accept").state == "cancelled"
    assert not is_locked(debtor, ref)
    (item,) = inbox(supplier)
    supplier.hear(AnsweredPerson(item=item.id, approved=True, reason=""))
    assert world.run(WINDOW_MS)
    assert result(supplier, answering(supplier).id) == "dropped: notary.withdrawn"
    with supplier.reading() as turn:
        contract = turn.contract(ref)
    assert contract is not None
    assert contract.status == "active"


def test_an_operator_ends_a_flow_and_leaves_a_record(world: World) -> None:
    _, debtor = world.firms
    ref = waiting_for_a_person(world)
    debtor.hear(AskedKill(id="accept", who="the operator", reason="the supplier is gone"))
    world.run(5_000)
    record = flow(debtor, "accept")
    assert record.state == "killed"
    assert result(debtor, "accept")["who"] == "the operator"
    assert not is_locked(debtor, ref)


def test_a_flow_that_failed_is_kept_and_can_be_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    supplier, _ = world.firms
    template = world.engine.named("trade.Draft").id
    payload = [[supplier.identity], [world.firms[1].identity], [700, "EUR"], "B-1", "a-mark"]
    with monkeypatch.context() as broken:
        broken.setattr(Records, "add", lambda *arguments, **options: 1 // 0)
        _ask(supplier, "draft", CreateCommand(template=template, payload=payload))
        world.run(1_000)
    assert flow(supplier, "draft").state == "failed"
    assert "ZeroDivisionError" in result(supplier, "draft")
    supplier.hear(AskedRetry(id="draft"))
    assert world.run(5_000)
    assert flow(supplier, "draft").state == "done"
    with supplier.reading() as turn:
        assert turn.contract(ContractRef(result(supplier, "draft")["transaction"], 0)) is not None


def test_an_event_that_breaks_the_engine_does_not_take_others_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplier, debtor = world.firms
    template = world.engine.named("trade.Draft").id
    step = FlowEngine.step

    def fragile(engine: FlowEngine, turn: Any, event: Any, now_ms: int) -> Any:
        if isinstance(event, AskedFlow) and event.id == "poison":
            turn.blob_put("half", b"written", b"")
            raise RuntimeError("a bug")
        return step(engine, turn, event, now_ms)

    monkeypatch.setattr(FlowEngine, "step", fragile)
    for name, number in (("one", "B-1"), ("poison", "B-2"), ("two", "B-3")):
        payload = [[supplier.identity], [debtor.identity], [700, "EUR"], number, "a-mark"]
        _ask(supplier, name, CreateCommand(template=template, payload=payload))
    world.run(5_000)
    assert flow(supplier, "one").state == "done"
    assert flow(supplier, "two").state == "done"
    with supplier.reading() as turn:
        assert turn.flow("poison") is None
        assert turn.blob_get("half", b"written") is None
