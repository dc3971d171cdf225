"""The simulated composition root: cores, disks, clock, network and people of one world, all from one seed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from interfirm.contracts.packages import Engine
from interfirm.ledger.builder import Draft
from interfirm.node.policy import Policy, Rule, Verdict
from interfirm.sim.agenda import Agenda
from interfirm.sim.chance import chance
from interfirm.sim.faults import NONE, Faults
from interfirm.sim.firm import SimFirm
from interfirm.sim.network import Network
from interfirm.sim.notary import SimNotary
from interfirm.sim.parties import Population
from interfirm.sim.process import Surroundings
from interfirm.sim.sqlite import new_vault, scratch
from interfirm.sim.trace import Trace

START_MS = 1_767_600_000_000
"""2026-01-05T08:00:00Z."""
WINDOW_MS = 120_000
HEALING_MS = 30 * 60_000
"""How long a healed world is given until everything has been answered."""
ACTIONS_MAX = 2_000_000
SIGN_ALL = Policy(rules=[Rule(template="*", choice="*", verdict=Verdict.SIGN, name="sign what holds")])
ASK_ALL = Policy(rules=[Rule(template="*", choice="*", verdict=Verdict.ASK, name="ask a person")])


class World:
    """See the module. Use as a context manager: its files are removed at the end."""

    def __init__(
        self,
        seed: int,
        engine: Engine,
        *,
        firms: int = 3,
        notaries: int = 1,
        faults: Faults = NONE,
        policies: Sequence[Policy] = (SIGN_ALL, ASK_ALL),
        keep_trace: bool = False,
    ) -> None:
        self.seed = seed
        self.climate = faults
        self.at_rest = False
        self.drafts: dict[bytes, Draft] = {}
        self._built_from: dict[bytes, bytes] = {}
        self.engine = engine
        self.agenda = Agenda(START_MS)
        self.trace = Trace(keep=keep_trace)
        self.random = chance(seed, "world")
        self.seen: dict[tuple[bytes, bytes], dict[bytes, None]] = {}
        self.population = Population(seed, firms=firms, notaries=notaries)
        network = Network(self.agenda, chance(seed, "network"), faults, self.trace, delivered=self._delivered)
        self.around = Surroundings(seed, self.agenda, network, self.trace, faults)
        self._folder = scratch()
        folder = self._folder
        self.notaries = [
            SimNotary(n, self.around, population=self.population, path=folder / f"{n.name}.db")
            for n in self.population.notaries
        ]
        self.firms = [self._firm(i, folder, policies[i % len(policies)]) for i in range(firms)]
        for process in (*self.notaries, *self.firms):
            network.join(process.identity, process)
        for notary in self.notaries:
            notary.register(self.population.registrations())
        for process in (*self.notaries, *self.firms):
            process.start()
        if faults.partition_every_ms:
            self._plan_partition()

    def _firm(self, number: int, folder: Path, policy: Policy) -> SimFirm:
        firm = self.population.firms[number]
        path = folder / f"{firm.name}.db"
        new_vault(path, self.engine)
        last = number == len(self.population.firms) - 1
        return SimFirm(
            firm, self.around, population=self.population, engine=self.engine, path=path, policy=policy,
            window_ms=WINDOW_MS, built=self._built, honest=not (last and self.climate.dishonest),
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop everybody and remove all files."""
        for process in (*self.firms, *self.notaries):
            process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def honest(self) -> list[SimFirm]:
        """The firms that do not lie."""
        return [firm for firm in self.firms if firm.honest]

    def firm_of(self, identity: bytes) -> SimFirm | None:
        """The firm with this identity."""
        return next((firm for firm in self.firms if firm.identity == identity), None)

    # time -----------------------------------------------------------------------------------------------------------

    def run(self, ms: int) -> bool:
        """Let time pass; False where something is still planned after it."""
        self.at_rest = self.agenda.run(until_ms=self.agenda.now_ms + ms, actions_max=ACTIONS_MAX)
        return self.at_rest

    def heal(self) -> bool:
        """End all faults, bring everybody back, and let them finish; False where they do not come to rest."""
        self.trace.tell(self.agenda.now_ms, "world", "heals")
        calm = NONE.replace(dishonest=self.around.faults.dishonest, lie_ppm=self.around.faults.lie_ppm)
        self.around.faults = self.around.network.faults = calm
        self.around.network.heal()
        return self.run(HEALING_MS)

    # faults ---------------------------------------------------------------------------------------------------------

    def _plan_partition(self) -> None:
        every_ms = self.around.faults.partition_every_ms
        self.agenda.after(self.random.randint(1, 2 * every_ms), self._partition)

    def _partition(self) -> None:
        faults = self.around.faults
        if not faults.partition_every_ms:
            return
        everyone = [process.identity for process in (*self.notaries, *self.firms)]
        self.random.shuffle(everyone)
        side = set(everyone[: self.random.randint(1, len(everyone) - 1)])
        self.trace.inject(self.agenda.now_ms, "network", "partition")
        self.around.network.cut(side)
        self.agenda.after(self.random.randint(1, faults.partition_ms_max), self.around.network.heal)
        self._plan_partition()

    def _built(self, draft: Draft) -> None:
        """Remember what is built; a draft that commits to sealed views takes the place of the one without."""
        self.drafts.pop(self._built_from.get(draft.seed, b""), None)
        self._built_from[draft.seed] = draft.id
        self.drafts[draft.id] = draft

    def _delivered(self, sender: bytes, receiver: bytes, body: bytes) -> None:
        self.seen.setdefault((sender, receiver), {})[body] = None
