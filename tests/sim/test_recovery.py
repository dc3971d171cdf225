"""Worlds in which, after a storm, one firm loses its database while another is away and the liar goes on lying."""

from __future__ import annotations

import os

import msgspec
import pytest
from tests.functional.test_recovery import lose

from interfirm.contracts.types import ContractRef
from interfirm.node.flows.recovery import RebuildArguments, Rebuilt
from interfirm.node.flows.types import AskedFlow
from interfirm.node.vault.types import StoredContract
from interfirm.sim.checkers import _contracts
from interfirm.sim.faults import climate
from interfirm.sim.firm import SimFirm
from interfirm.sim.moving import Moving
from interfirm.sim.run import live
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import World

WORLDS = int(os.environ.get("INTERFIRM_SIM_WORLDS", "2000")) // 40
LONG_MS = 30 * 60_000


def active(world: World, firm: SimFirm) -> dict[ContractRef, StoredContract]:
    return {ref: each for ref, each in _contracts(world, firm).items() if each.status == "active"}


def holders(world: World, victim: SimFirm, ref: ContractRef) -> set[bytes]:
    """Who else holds a contract: not everybody whom it concerns has been told of it yet."""
    found = set()
    for firm in world.firms:
        if firm is not victim:
            with firm.reading() as turn:
                if turn.contract(ref) is not None:
                    found.add(firm.identity)
    return found


def recovered(seed: int) -> tuple[str, int]:
    """What is wrong with the books that were made again, or nothing; and how many contracts were."""
    with World(seed, trade_engine(), firms=4, notaries=2, faults=climate("storm")) as world:
        if not live(Moving(world, transactions=12), business="moving").passed:
            return f"seed {seed}: the world itself failed", 0
        victim, away, *others = world.honest
        before = active(world, victim)
        shared = {ref: holders(world, victim, ref) for ref in before}
        lose(victim)
        away.stop()
        peers = tuple(firm.identity for firm in world.firms if firm is not victim)
        arguments = msgspec.msgpack.encode(RebuildArguments(peers=peers))
        victim.ask(AskedFlow(id="rebuild", kind="rebuild", arguments=arguments))
        world.run(LONG_MS)
        with victim.reading() as turn:
            record = turn.flow("rebuild")
        if record is None or record.state != "done":
            return f"seed {seed}: recovery did not end", 0
        report = msgspec.msgpack.decode(record.result, type=Rebuilt)
        return _wrong(world, victim, seed, before, shared, report, {firm.identity for firm in others}), report.unspent


def _wrong(
    world: World, victim: SimFirm, seed: int, before: dict[ContractRef, StoredContract],
    shared: dict[ContractRef, set[bytes]], report: Rebuilt, vouching: set[bytes],
) -> str:  # fmt: skip
    """A liar that shares a contract with nobody else may leave it out, and what nobody else holds is gone."""
    after = active(world, victim)
    false = [ref for ref in after if not any(notary.is_usable(ref) for notary in world.notaries)]
    gone = [ref for ref in before if ref not in after]
    lost = [ref for ref in gone if shared[ref] & vouching]
    excused = {*report.uncovered, *(firm.identity for firm in world.firms if not firm.honest)}
    silent = [ref for ref in gone if shared[ref] and not shared[ref] & excused]
    if false or lost or silent or report.complete or report.unspent != len(after):
        return f"seed {seed}: {len(false)} false, {len(lost)} lost, {len(silent)} not reported, {report.complete}"
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, max(WORLDS, 1), 10))
def test_what_honest_peers_share_is_recovered_and_nothing_false_is(first: int) -> None:
    found = [recovered(seed) for seed in range(first, min(first + 10, max(WORLDS, 1)))]
    assert not any(wrong for wrong, _ in found), "\n".join(wrong for wrong, _ in found if wrong)
    assert sum(count for _, count in found), "little was recovered"
