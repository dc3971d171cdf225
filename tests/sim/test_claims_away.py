"""Worlds whose claims are made away from home, while everything fails and one firm lies: each is taken there, once."""

from __future__ import annotations

import os

import pytest

from interfirm.node.flows import reservations
from interfirm.node.flows.context import Context
from interfirm.sim.faults import climate
from interfirm.sim.moving import Claiming
from interfirm.sim.run import Report, live
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import World

WORLDS = int(os.environ.get("INTERFIRM_SIM_WORLDS", "2000")) // 20
CHUNK = 20
CLIMATES = ("none", "calm", "storm", "storm", "storm")


def claiming_world(seed: int, faults: str) -> tuple[Report, int]:
    """What came of a world, and how many claims were made in it away from home."""
    with World(seed, trade_engine(), firms=3 + seed % 3, notaries=2 + seed % 2, faults=climate(faults)) as world:
        report = live(Claiming(world, transactions=15), business="claiming")
        accepted = [each.request for notary in world.notaries[1:] for each in notary.accepted.values()]
    return report, sum(len(request.claims) for request in accepted)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, WORLDS, CHUNK))
def test_what_is_claimed_elsewhere_in_a_storm_is_taken_at_home_once(first: int) -> None:
    failed, away = [], 0
    for seed in range(first, min(first + CHUNK, WORLDS)):
        report, claimed = claiming_world(seed, CLIMATES[seed % len(CLIMATES)])
        away += claimed
        if not report.passed:
            found = {name: findings[:3] for name, findings in report.checkers.items() if findings}
            failed.append(f"seed {seed} {report.faults}: {report.committed} of {report.tried}, {found}")
    assert not failed, "\n".join(failed)
    assert away, "nothing was claimed elsewhere"


@pytest.mark.parametrize("seed", [5, 13, 16])
def test_a_few_claiming_worlds_keep_every_promise(seed: int) -> None:
    report, away = claiming_world(seed, "storm")
    assert report.passed, report.as_plain()
    assert away


# planted bugs ---------------------------------------------------------------------------------------------------------


def worlds_until(found: str, *, seeds: range) -> None:
    """Some calm world in which the checker finds something."""
    for seed in seeds:
        report, _ = claiming_world(seed, "none")
        if report.checkers[found]:
            return
    raise AssertionError(f"{found} found nothing in {len(seeds)} worlds")


def test_an_owner_that_does_not_settle_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def careless(ctx: Context, request: object) -> str:
        return ""

    monkeypatch.setattr(reservations, "_code", careless)
    worlds_until("no claim twice", seeds=range(12))
