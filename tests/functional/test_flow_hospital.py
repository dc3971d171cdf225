"""What an operator sees of flows, and may do about them: waits, reasons, skip, kill, pause; over simulated firms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.support.flows import flow, result

from interfirm.base.errors import Refusal
from interfirm.contracts.types import ContractRef, CreateCommand, ExerciseCommand
from interfirm.node.access.types import Caller
from interfirm.node.asking import Start
from interfirm.node.desk import Desk
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.types import (
    AnsweredPerson,
    AskedFlow,
    AskedKill,
    AskedPause,
    AskedResume,
    AskedRetry,
    AskedSkip,
)
from interfirm.node.operations import OPERATIONS
from interfirm.node.records import Records
from interfirm.sim import firm as firms
from interfirm.sim.firm import SimFirm
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import ASK_ALL, World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two firms where people are asked, and decide only when a test says so."""
    monkeypatch.setattr(firms.SimFirm, "_look_at_inbox", lambda firm: None)
    with World(5, trade_engine(), firms=2, policies=(ASK_ALL,)) as made:
        yield made


def ask(firm: SimFirm, name: str, command: CreateCommand | ExerciseCommand) -> None:
    arguments = msgspec.msgpack.encode(ExerciseArguments(commands=(command,)))
    firm.hear(AskedFlow(id=name, kind="exercise", arguments=arguments))


def a_draft(world: World, number: str = "B-1") -> CreateCommand:
    supplier, debtor = world.firms
    payload = [[supplier.identity], [debtor.identity], [700, "EUR"], number, "a-mark"]
    return CreateCommand(template=world.engine.named("trade.Draft").id, payload=payload)


def waiting_for_a_person(world: World) -> None:
    """The debtor wants to accept a draft, and the supplier's people have been asked."""
    supplier, debtor = world.firms
    ask(supplier, "draft", a_draft(world))
    assert world.run(1_000)
    ref = ContractRef(result(supplier, "draft")["transaction"], 0)
    template = world.engine.named("trade.Draft").id
    ask(debtor, "accept", ExerciseCommand(ref=ref, template=template, choice="accept", arguments=[]))
    world.run(1_000)


def desk(firm: SimFirm) -> Desk:
    return Desk(firm.vault, firm.services, NAMES, now_ms=firm.clock_ms, operations=OPERATIONS)


class _Names:
    def name_of(self, party: bytes) -> str:
        return party.hex()[:8]


NAMES: Any = _Names()
VIEWER = Caller(name="someone", roles=("viewer",), door="token")
OPERATOR = Caller(name="olga", roles=("operator",), door="token")


def listed(firm: SimFirm, caller: Caller | None = None, **filters: Any) -> list[dict[str, Any]]:
    whose = desk(firm) if caller is None else desk(firm).of(caller)
    answer = whose.handle("flows.list", filters)
    assert isinstance(answer, dict)
    found: list[dict[str, Any]] = answer["flows"]
    return found


def test_a_list_says_what_each_flow_waits_for_and_since_when(world: World) -> None:
    supplier, debtor = world.firms
    waiting_for_a_person(world)
    (asked,) = listed(debtor, state="waiting")
    assert (asked["waits"]["on"], asked["waits"]["who"]) == ("peer", supplier.services.name_of(supplier.identity))
    assert asked["started_ms"] <= asked["waits"]["since_ms"] <= debtor.clock_ms()
    assert asked["waits"]["until_ms"] is not None
    (answering,) = listed(supplier, waiting_on="person")
    assert (answering["kind"], answering["waits"]["who"]) == ("respond", "sign")
    with supplier.reading() as turn:
        assert turn.inbox_item(answering["waits"]["item"]) is not None
    assert listed(supplier, waiting_on="notary") == []


def test_how_long_a_flow_waits_is_known_after_a_restart_too(world: World) -> None:
    supplier, _ = world.firms
    waiting_for_a_person(world)
    (before,) = listed(supplier, waiting_on="person")
    supplier.kill("killed while a person thinks")
    world.run(30_000)
    (after,) = listed(supplier, waiting_on="person")
    assert after["waits"] == before["waits"]
    assert after["age_ms"] > before["age_ms"]


def test_a_list_is_filtered_by_state_kind_and_age(world: World) -> None:
    supplier, _ = world.firms
    waiting_for_a_person(world)
    assert [f["id"] for f in listed(supplier, kind="exercise")] == ["draft"]
    assert [f["kind"] for f in listed(supplier, state="waiting")] == ["respond"]
    age = listed(supplier, kind="exercise")[0]["age_ms"]
    assert [f["id"] for f in listed(supplier, older_than_ms=age)] == ["draft"]
    assert listed(supplier, older_than_ms=age + 1) == []


def test_a_list_goes_on_where_its_page_ended(world: World) -> None:
    supplier, _ = world.firms
    for number in range(5):
        ask(supplier, f"draft-{number}", a_draft(world, f"B-{number}"))
        world.run(100)
    assert world.run(5_000)
    one = desk(supplier).handle("flows.list", {"limit": 3, "kind": "exercise"})
    assert isinstance(one, dict)
    two = desk(supplier).handle("flows.list", {"limit": 3, "kind": "exercise", "after": one["next"]})
    assert isinstance(two, dict)
    ids = [f["id"] for f in (*one["flows"], *two["flows"])]
    assert ids == [f"draft-{n}" for n in (4, 3, 2, 1, 0)]
    assert "next" not in two


@pytest.mark.parametrize("filters", [{"state": "lost"}, {"waiting_on": "godot"}])
def test_a_filter_that_fits_nothing_ever_is_refused(world: World, filters: dict[str, str]) -> None:
    with pytest.raises(Refusal, match=r"form\.fields"):
        listed(world.firms[0], **filters)


def test_a_refused_flow_says_its_rule_and_a_failed_one_its_last_word(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplier, debtor = world.firms
    waiting_for_a_person(world)
    (item,) = listed(supplier, waiting_on="person")
    supplier.hear(AnsweredPerson(item=item["waits"]["item"], approved=False, reason="not what we agreed"))
    assert world.run(5_000)
    (declined,) = listed(debtor, state="refused")
    assert declined["reason"] == {"code": "flow.declined", "reason": "not what we agreed"}
    monkeypatch.setattr(Records, "add", lambda *arguments, **options: 1 // 0)
    ask(supplier, "broken", a_draft(world, "B-2"))
    world.run(1_000)
    (failed,) = listed(supplier, state="failed")
    assert failed["reason"]["code"] == "flow.failed"
    assert failed["reason"]["reason"].startswith("ZeroDivisionError")


def test_whoever_may_not_see_all_flows_sees_the_own_ones(world: World) -> None:
    supplier, _ = world.firms
    waiting_for_a_person(world)
    assert listed(supplier, VIEWER) == []
    assert [f["id"] for f in listed(supplier, OPERATOR, kind="exercise")] == ["draft"]


# skip and kill ------------------------------------------------------------------------------------------------------


def test_a_flow_that_waits_until_a_time_may_go_on_before_it(world: World) -> None:
    supplier, debtor = world.firms
    waiting_for_a_person(world)
    (before,) = listed(debtor, waiting_on="peer")
    debtor.hear(AskedSkip(id="accept"))
    world.run(1_000)
    (after,) = listed(debtor, waiting_on="peer")
    assert before["waits"]["until_ms"] > before["waits"]["since_ms"] + 1_000, "it would have waited longer"
    assert after["waits"]["since_ms"] > before["waits"]["since_ms"], "the notary was asked before that"
    (item,) = listed(supplier, waiting_on="person")
    supplier.hear(AnsweredPerson(item=item["waits"]["item"], approved=True, reason=""))
    assert world.run(5_000)
    assert flow(debtor, "accept").state == "done"
    with debtor.reading() as turn:
        assert turn.next_timer_ms() is None, "no timer of an ended flow is left"


def test_a_wait_for_a_person_or_a_notary_is_not_skipped(world: World) -> None:
    supplier, _ = world.firms
    waiting_for_a_person(world)
    (item,) = listed(supplier, waiting_on="person")
    supplier.hear(AskedSkip(id=item["id"]))
    world.run(1_000)
    assert flow(supplier, item["id"]).state == "waiting"
    assert [f["id"] for f in listed(supplier, waiting_on="person")] == [item["id"]]


def test_a_flow_goes_on_from_what_was_skipped_after_a_restart(world: World) -> None:
    supplier, debtor = world.firms
    waiting_for_a_person(world)
    debtor.hear(AskedSkip(id="accept"))
    world.run(1_000)
    (before,) = listed(debtor, waiting_on="peer")
    debtor.kill("killed after a skip")
    world.run(5_000)
    (after,) = listed(debtor, kind="exercise")
    assert after["state"] == "waiting"
    assert after["waits"]["since_ms"] >= before["waits"]["since_ms"]
    (item,) = listed(supplier, waiting_on="person")
    supplier.hear(AnsweredPerson(item=item["waits"]["item"], approved=True, reason=""))
    assert world.run(60_000)
    assert flow(debtor, "accept").state == "done"


def test_a_flow_that_failed_for_good_can_be_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    supplier, _ = world.firms
    with monkeypatch.context() as broken:
        broken.setattr(Records, "add", lambda *arguments, **options: 1 // 0)
        ask(supplier, "draft", a_draft(world))
        world.run(1_000)
    supplier.kill("restarted with a failed flow")
    world.run(5_000)
    supplier.hear(AskedKill(id="draft", who="the operator", reason="cannot be cured"))
    world.run(1_000)
    assert flow(supplier, "draft").state == "killed"
    with supplier.reading() as turn:
        assert turn.journal("draft") == []
    supplier.hear(AskedRetry(id="draft"))
    world.run(1_000)
    assert flow(supplier, "draft").state == "killed"


# pause --------------------------------------------------------------------------------------------------------------

PAUSE = AskedPause(who="olga", reason="new software")


def test_a_paused_node_begins_nothing_that_its_people_ask_for(world: World) -> None:
    supplier, _ = world.firms
    supplier.hear(PAUSE)
    ask(supplier, "draft", a_draft(world))
    assert world.run(1_000)
    with supplier.reading() as turn:
        assert turn.flow("draft") is None
    supplier.hear(AskedResume())
    ask(supplier, "draft", a_draft(world))
    assert world.run(1_000)
    assert flow(supplier, "draft").state == "done"


def test_a_pause_survives_a_restart(world: World) -> None:
    supplier, _ = world.firms
    supplier.hear(PAUSE)
    world.run(1_000)
    supplier.kill("killed while paused")
    world.run(5_000)
    assert supplier.node.flows.pause.paused is not None
    assert (supplier.node.flows.pause.paused.who, supplier.node.flows.pause.paused.reason) == ("olga", "new software")


@pytest.mark.parametrize("killed", [False, True], ids=["running", "killed"])
def test_what_a_peer_proposes_to_a_paused_node_begins_when_it_goes_on(world: World, killed: bool) -> None:
    supplier, debtor = world.firms
    ask(supplier, "draft", a_draft(world))
    assert world.run(1_000)
    supplier.hear(PAUSE)
    world.run(10)
    ref = ContractRef(result(supplier, "draft")["transaction"], 0)
    template = world.engine.named("trade.Draft").id
    ask(debtor, "accept", ExerciseCommand(ref=ref, template=template, choice="accept", arguments=[]))
    world.run(5_000)
    assert listed(supplier, kind="respond") == []
    assert supplier.node.flows.pause.held == 1
    if killed:
        supplier.kill("killed with a proposal waiting")
        world.run(5_000)
    supplier.hear(AskedResume())
    world.run(1_000)
    assert supplier.node.flows.pause.held == 0
    (item,) = listed(supplier, waiting_on="person")
    supplier.hear(AnsweredPerson(item=item["waits"]["item"], approved=True, reason=""))
    assert world.run(10_000)
    assert flow(debtor, "accept").state == "done"


def test_what_is_under_way_ends_while_its_node_is_paused(world: World) -> None:
    supplier, debtor = world.firms
    waiting_for_a_person(world)
    (item,) = listed(supplier, waiting_on="person")
    supplier.hear(PAUSE)
    debtor.hear(PAUSE)
    supplier.hear(AnsweredPerson(item=item["waits"]["item"], approved=True, reason=""))
    assert world.run(5_000)
    assert flow(debtor, "accept").state == "done"
    assert not supplier.services.waiting.is_busy


def test_the_operations_hand_in_what_an_operator_asks_for(world: World) -> None:
    supplier, _ = world.firms
    mine = desk(supplier).of(OPERATOR)
    asked = [
        mine.handle("node.pause", {"reason": "new software"}),
        mine.handle("node.resume", {}),
        mine.handle("flows.skip", {"id": "x"}),
        mine.handle("flows.retry", {"id": "x"}),
    ]
    events = [each.event for each in asked if isinstance(each, Start)]
    assert events == [PAUSE, AskedResume(), AskedSkip(id="x"), AskedRetry(id="x")]
    with pytest.raises(Refusal, match=r"access\.operation"):
        desk(supplier).of(VIEWER).handle("node.pause", {"reason": "new software"})
