"""Whole worlds from a seed, and what came of them. A report holds only what the seed determines."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.contracts.packages import Engine
from interfirm.sim import checkers
from interfirm.sim.factoring import Factoring, factoring_engine
from interfirm.sim.faults import climate
from interfirm.sim.moving import Claiming, Moving
from interfirm.sim.people import People
from interfirm.sim.trade.people import Trade, trade_engine
from interfirm.sim.world import World

COMMITTED_PERCENT_MIN = 60
"""A world that commits less of what it tries fails: it tested little."""


class Report(Value, frozen=True):
    """What came of one world."""

    seed: int
    firms: int
    notaries: int
    faults: str
    business: str
    tried: int
    committed: int
    refused: dict[str, int]
    """By the code of the refusal."""
    attacks: int
    """Transactions that the liar asked for in order to cheat."""
    injected: dict[str, int]
    """How often each fault was injected."""
    checkers: dict[str, list[str]]
    """What each checker found; empty where all holds."""
    events: int
    virtual_ms: int
    trace: str
    """Hash of everything that happened, in order."""

    @property
    def passed(self) -> bool:
        """Whether every checker is content and enough was committed."""
        return self.enough and not any(self.checkers.values())

    @property
    def enough(self) -> bool:
        """Whether the world committed most of what it tried."""
        return self.committed * 100 >= COMMITTED_PERCENT_MIN * self.tried

    def as_plain(self) -> dict[str, Any]:
        """JSON-ready; the same bytes for the same seed."""
        return {**msgspec.to_builtins(self), "enough": self.enough, "passed": self.passed}


BUSINESSES: dict[str, tuple[type[People], Callable[[], Engine]]] = {
    "trade": (Trade, trade_engine),
    "factoring": (Factoring, factoring_engine),
    "moving": (Moving, trade_engine),
    "claiming": (Claiming, trade_engine),
}
FACTORING_FIRMS_MIN = 4
"""Bank, seller, buyer and lender."""


def business_of(seed: int, firms: int) -> str:
    """What business a world does, unless somebody wants another: every third is about receivables and their sale."""
    return "factoring" if seed % 3 == 2 and firms >= FACTORING_FIRMS_MIN else "trade"


def run_world(
    seed: int,
    *,
    firms: int = 4,
    notaries: int = 1,
    faults: str = "storm",
    transactions: int = 50,
    business: str | None = None,
) -> Report:
    """Run one world: people act while faults happen, then all faults end, then the checkers look.

    Raises Refusal `sim.faults` and `sim.business` for what there is not.
    """
    name = business or business_of(seed, firms)
    if name not in BUSINESSES:
        raise Refusal("sim.business", "there is no such business", business=name[:40], known=sorted(BUSINESSES))
    people, engine = BUSINESSES[name]
    with World(seed, engine(), firms=firms, notaries=notaries, faults=climate(faults)) as world:
        return live(people(world, transactions=transactions), business=name)


def live(workload: People, *, business: str = "trade") -> Report:
    """Let a workload happen in its world and report."""
    world = workload.world
    start_ms = world.agenda.now_ms
    workload.begin()
    world.run(workload.end_ms - start_ms + SETTLING_MS)
    world.heal()
    refused = Counter(code for code in _outcomes(workload) if code)
    tried = [asked for asked in workload.tries if not asked.attack]
    found = checkers.check_world(workload)
    return Report(
        seed=world.seed, firms=len(world.firms), notaries=len(world.notaries), faults=world.climate.name,
        business=business, tried=len(tried), committed=len(tried) - refused.total(),
        refused=dict(sorted(refused.items())),
        attacks=len(workload.tries) - len(tried), injected=dict(sorted(world.trace.injected.items())),
        checkers=found, events=world.trace.count, virtual_ms=world.agenda.now_ms - start_ms, trace=world.trace.hash(),
    )  # fmt: skip


SETTLING_MS = 20_000
"""How long faults go on after the last thing was asked for."""


def _outcomes(workload: People) -> Iterator[str]:
    """The refusal code of each try, or empty where it was committed."""
    firms = {firm.name: firm for firm in workload.world.firms}
    for asked in workload.tries:
        if asked.attack:
            continue
        with firms[asked.firm].reading() as turn:
            record = turn.flow(asked.flow)
        if record is None or record.state == "waiting":
            yield "unanswered"
        elif record.state == "refused":
            refusal = msgspec.msgpack.decode(record.result)
            yield str(refusal["values"].get("rule", refusal["code"]))
        else:
            yield "" if record.state == "done" else record.state


def run_many(
    seeds: Iterable[int],
    *,
    firms: int = 4,
    notaries: int = 1,
    faults: str = "storm",
    transactions: int = 50,
    processes: int | None = None,
) -> Iterator[Report]:
    """Run worlds on all cores, in the order of their seeds."""
    work = partial(run_world, firms=firms, notaries=notaries, faults=faults, transactions=transactions)
    with ProcessPoolExecutor(processes or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, seeds)
