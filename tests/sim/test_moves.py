"""Worlds whose contracts move between notaries, while everything fails and one firm lies: usable at one at a time."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from interfirm.contracts.types import ContractRef
from interfirm.node.flows import moves as flows
from interfirm.node.moves import Moves
from interfirm.notary import moves as notary_moves
from interfirm.notary.moves import machine
from interfirm.notary.state import REFS, Overlay
from interfirm.notary.types import Lock, ref_key
from interfirm.sim.faults import climate
from interfirm.sim.moving import Moving
from interfirm.sim.run import Report, live
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import World

WORLDS = int(os.environ.get("INTERFIRM_SIM_WORLDS", "2000")) // 10
CHUNK = 20
CLIMATES = ("none", "calm", "storm", "storm", "storm")


def moving_world(seed: int, faults: str, transactions: int = 15) -> tuple[Report, Counter[str]]:
    """What came of a world, and how often each step of a move was taken in it."""
    with World(seed, trade_engine(), firms=3 + seed % 3, notaries=2 + seed % 2, faults=climate(faults)) as world:
        report = live(Moving(world, transactions=transactions), business="moving")
        steps = Counter(type(each.request).__name__ for n in world.notaries for each in n.passages.values())
    return report, steps


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, WORLDS, CHUNK))
def test_what_moves_in_a_storm_is_usable_at_one_notary_at_a_time(first: int) -> None:
    failed, steps = [], Counter[str]()
    for seed in range(first, min(first + CHUNK, WORLDS)):
        report, taken = moving_world(seed, CLIMATES[seed % len(CLIMATES)])
        steps += taken
        if not report.passed:
            found = {name: findings[:3] for name, findings in report.checkers.items() if findings}
            failed.append(f"seed {seed} {report.faults}: {report.committed} of {report.tried}, {found}")
    assert not failed, "\n".join(failed)
    assert steps["Import"] > CHUNK, f"little moved: {steps}"


@pytest.mark.parametrize("seed", [1, 3, 8])
def test_a_few_moving_worlds_keep_every_promise(seed: int) -> None:
    report, steps = moving_world(seed, "storm")
    assert report.passed, report.as_plain()
    assert steps["Import"]


def test_a_false_word_of_a_move_keeps_no_contract_out_of_the_books() -> None:
    """A liar told the issuer a way that the cash never went, before the issuer had heard of the cash."""
    with World(157, trade_engine(), firms=4, notaries=2, faults=climate("storm")) as world:
        report = live(Moving(world, transactions=12), business="moving")
    assert report.passed, report.as_plain()


# planted bugs ---------------------------------------------------------------------------------------------------------


def worlds_until(found: str, *, faults: str, seeds: range) -> None:
    """Some world in which the checker finds something."""
    for seed in seeds:
        report, _ = moving_world(seed, faults)
        if report.checkers[found]:
            return
    raise AssertionError(f"{found} found nothing in {len(seeds)} worlds")


def test_a_notary_that_does_not_lock_what_it_lets_go_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = machine.lock

    def careless(request: Lock, name: bytes, state: Overlay, notary: bytes, abroad: object) -> tuple[bytes, ...]:
        before = state.get(REFS, ref_key(request.ref))
        confirmers = lock(request, name, state, notary, abroad)
        state.put(REFS, ref_key(request.ref), before)
        return confirmers

    def unfinished(request: object, state: Overlay, abroad: object) -> tuple[bytes, bytes]:
        raise machine.Refusal("move.unknown", "no such lock here")

    monkeypatch.setattr(notary_moves.machine, "lock", careless)
    monkeypatch.setattr(notary_moves.machine, "finish", unfinished)
    worlds_until("one notary", faults="none", seeds=range(4))


def test_an_asker_that_leaves_what_it_has_locked_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgetful(move: object, receipt: bytes, talks: object) -> flows.HasMoved:
        return flows.HasMoved(ref=(bytes(32), 0), notary=bytes(32), lock=bytes(32))

    monkeypatch.setattr(flows, "to_the_end", forgetful)
    worlds_until("one notary", faults="none", seeds=range(4))


def test_a_node_that_does_not_follow_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Moves, "follow", lambda moves, turn, way, now_ms: list[ContractRef]())
    worlds_until("vaults agree", faults="none", seeds=range(4))
