"""Firms whose clocks are wrong, on the production code: what they propose and what is proposed to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from interfirm.base.errors import Refusal
from interfirm.contracts.types import ContractRef, CreateCommand, ExerciseCommand
from interfirm.node.flows.clock import TOLERANCE_MS, ClocksCompared, check_clock
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.types import AskedFlow
from interfirm.sim.firm import SimFirm
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import SIGN_ALL, World

HOUR_MS, DAY_MS = 3_600_000, 24 * 3_600_000


@pytest.fixture
def world() -> Iterator[World]:
    with World(9, trade_engine(), firms=2, policies=(SIGN_ALL,)) as made:
        for firm in made.firms:
            firm.skew_ms = 0
        yield made


def ask(firm: SimFirm, name: str, command: CreateCommand | ExerciseCommand) -> None:
    arguments = msgspec.msgpack.encode(ExerciseArguments(commands=(command,)))
    firm.ask(AskedFlow(id=name, kind="exercise", arguments=arguments))


def ended(firm: SimFirm, name: str) -> tuple[str, Any]:
    with firm.reading() as turn:
        record = turn.flow(name)
    assert record is not None
    return record.state, msgspec.msgpack.decode(record.result) if record.result else None


def draft(world: World, name: str = "draft") -> ContractRef:
    supplier, debtor = world.firms
    template = world.engine.named("trade.Draft").id
    payload = [[supplier.identity], [debtor.identity], [700, "EUR"], name, "a-mark"]
    ask(supplier, name, CreateCommand(template=template, payload=payload))
    world.run(60_000)
    state, result = ended(supplier, name)
    assert state == "done", result
    return ContractRef(result["transaction"], 0)


def accept(world: World, ref: ContractRef) -> tuple[str, Any]:
    """The debtor proposes, the supplier must sign."""
    template = world.engine.named("trade.Draft").id
    ask(world.firms[1], "accept", ExerciseCommand(ref=ref, template=template, choice="accept", arguments=[]))
    assert world.run(40 * DAY_MS)
    return ended(world.firms[1], "accept")


def test_a_notary_refuses_a_window_that_ends_too_far_ahead(world: World) -> None:
    ref = draft(world)
    world.firms[1].skew_ms = 31 * DAY_MS
    state, result = accept(world, ref)
    assert (state, result["code"]) == ("refused", "notary.window")
    assert set(result["values"]) == {"upper", "now"}


def test_a_peer_refuses_what_comes_from_a_clock_that_is_behind(world: World) -> None:
    ref = draft(world)
    world.firms[1].skew_ms = -HOUR_MS
    state, result = accept(world, ref)
    assert (state, result["code"], result["values"]["rule"]) == ("refused", "flow.declined", "ledger.window"), result


def test_a_peer_whose_clock_is_ahead_refuses_and_the_proposer_is_told_why(world: World) -> None:
    ref = draft(world)
    world.firms[0].skew_ms = HOUR_MS
    state, result = accept(world, ref)
    assert (state, result["code"], result["values"]["rule"]) == ("refused", "flow.declined", "ledger.window"), result


def test_what_was_refused_for_a_wrong_clock_can_be_done_when_it_is_right(world: World) -> None:
    supplier, debtor = world.firms
    ref = draft(world)
    debtor.skew_ms = 31 * DAY_MS
    assert accept(world, ref)[0] == "refused"
    debtor.skew_ms = 0
    template = world.engine.named("trade.Draft").id
    ask(debtor, "again", ExerciseCommand(ref=ref, template=template, choice="accept", arguments=[]))
    assert world.run(60_000)
    assert ended(debtor, "again")[0] == "done"
    with supplier.reading() as turn:
        contract = turn.contract(ref)
    assert contract is not None
    assert contract.status == "consumed"


@pytest.mark.parametrize("skew_ms", [0, DAY_MS, -DAY_MS])
def test_a_node_learns_how_far_its_clock_is_from_the_notarys(world: World, skew_ms: int) -> None:
    firm = world.firms[0]
    firm.skew_ms = skew_ms
    firm.ask(AskedFlow(id="clock", kind="compare-clocks", arguments=b""))
    assert world.run(60_000)
    state, result = ended(firm, "clock")
    assert state == "done"
    seen = ClocksCompared(**result)
    assert abs(seen.ahead_ms - skew_ms) <= seen.after_ms - seen.before_ms
    if skew_ms:
        with pytest.raises(Refusal, match=r"clock\.differs") as refused:
            check_clock(seen)
        assert refused.value.values["ahead_ms"] == seen.ahead_ms
    else:
        assert check_clock(seen) is seen


@pytest.mark.parametrize(("ahead_ms", "fine"), [(TOLERANCE_MS, True), (TOLERANCE_MS + 1, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_tolerance_is_exact(ahead_ms: int, fine: bool, sign: int) -> None:
    seen = ClocksCompared(before_ms=10**12 + sign * ahead_ms, notary_ms=10**12, after_ms=10**12 + sign * ahead_ms)
    if fine:
        assert check_clock(seen).ahead_ms == sign * ahead_ms
    else:
        with pytest.raises(Refusal, match=r"clock\.differs"):
            check_clock(seen)


def test_a_slow_answer_does_not_make_a_clock_wrong() -> None:
    seen = ClocksCompared(before_ms=0, notary_ms=500_000, after_ms=1_000_000)
    assert check_clock(seen).ahead_ms == 0
