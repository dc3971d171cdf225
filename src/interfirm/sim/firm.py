"""An organisation of a world: the production node, its vault on a simulated disk, and its user who never gives up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from interfirm.base.turn import TurnLoop
from interfirm.contracts.packages import Engine
from interfirm.ledger.builder import Draft
from interfirm.node.books import Books, Plan
from interfirm.node.flows.catalogue import FLOWS, OPENED_BY_PEERS
from interfirm.node.flows.machine import ENDED, FlowEngine
from interfirm.node.flows.messages import PrivateValue
from interfirm.node.flows.types import AnsweredPerson, AskedFlow, TellProgress
from interfirm.node.node import HeardTell, Node, Refused, WakeAt
from interfirm.node.policy import Policy
from interfirm.node.services import Services
from interfirm.node.vault.turn import Turn
from interfirm.sim.dishonest import LyingEngine, spend_again
from interfirm.sim.parties import Firm, Population
from interfirm.sim.process import Killed, Process, Surroundings
from interfirm.sim.sqlite import AFTER, BEFORE, SimVault, open_vault

PARTLY = "killed while releasing effects"
PERSON_MS_MAX = 2_000
ENDED_ANYHOW = (*ENDED, "failed")


class WatchedBooks(Books):
    """Books that show everything that is built, for the checkers."""

    built: Callable[[Draft], None]

    def draft(self, plan: Plan, **options: Any) -> Draft:
        """See Books."""
        made = super().draft(plan, **options)
        self.built(made)
        return made

    def sealed(self, draft: Draft, seals: bytes) -> Draft:
        """See Books."""
        made = super().sealed(draft, seals)
        self.built(made)
        return made


class SimFirm(Process):
    """See the module."""

    node: Node
    vault: SimVault
    services: Services

    def __init__(
        self,
        firm: Firm,
        around: Surroundings,
        *,
        population: Population,
        engine: Engine,
        path: Path,
        policy: Policy,
        window_ms: int,
        built: Callable[[Draft], None],
        honest: bool = True,
    ) -> None:
        super().__init__(firm.name, firm.identity, around)
        self.firm = firm
        self.honest = honest
        self.ended: dict[str, str] = {}
        """State of each flow that this firm's user asked for and that has ended."""
        self._population = population
        self._engine = engine
        self._path = path
        self._policy = policy
        self._window_ms = window_ms
        self._built = built
        self._asked: dict[str, tuple[AskedFlow, tuple[PrivateValue, ...]]] = {}
        self._release_left: int | None = None
        self._person_at: int | None = None

    # life -----------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self.vault = open_vault(self._path, self._engine)
        books = WatchedBooks(self.firm.keys, self._engine, self._population, self._population.network)
        books.built = self._built
        self.services = Services(
            books, policy=self._policy, random=self.random.randbytes, names=self._population.name_of,
            default_notary=self._population.notaries[0].id, window_ms=self._window_ms,
        )  # fmt: skip
        notaries = {notary.id: notary.identity for notary in self._population.notaries}
        self.node = Node(self.vault, self._flows(), notary_peers=notaries)
        self.loop = TurnLoop(self.node.turn, self._release)
        self.vault.fate = self._fate
        self.vault.lie = None if self.honest else spend_again
        for effect in self.node.start(self.clock_ms()):
            self._release(effect)
        self._ask_again()
        self._look_at_inbox()

    def _flows(self) -> FlowEngine:
        if self.honest:
            return FlowEngine(FLOWS, self.services, opened_by_peers=OPENED_BY_PEERS)
        return LyingEngine(self.services, self.random, self._lied, self.around.faults.lie_ppm)

    def _lied(self, lie: str) -> None:
        self.around.trace.inject(self.around.agenda.now_ms, self.name, lie)

    def _die(self) -> None:
        self._release_left = self._person_at = None
        self.vault.close()

    def _fate(self) -> str:
        """Whether this commit is one at which the process is killed."""
        if not self.happens(self.around.faults.crash_ppm):
            return ""
        doom = self.random.choice((BEFORE, AFTER, PARTLY))
        if doom == PARTLY:
            self._release_left = self.random.randint(0, 3)
            return ""
        return doom

    # what its user does ---------------------------------------------------------------------------------------------

    def ask(self, event: AskedFlow, privates: Sequence[PrivateValue] = ()) -> None:
        """Ask for a flow, and ask again after every restart until the node knows it."""
        self._asked[event.id] = (event, tuple(privates))
        self.tell("asked", f"{event.kind} {event.id}")
        if self.up:
            self._hand_in(event, tuple(privates))

    def _hand_in(self, event: AskedFlow, privates: tuple[PrivateValue, ...]) -> None:
        if privates:
            with self.vault.read() as turn:
                known = turn.private(privates[0].commitment) is not None
            if not known:
                self._alive(lambda: self._keep_privates(privates))
        self.hear(event)

    def _keep_privates(self, privates: tuple[PrivateValue, ...]) -> None:
        with self.vault.turn() as turn:
            self.services.keep_privates(turn, privates)

    def _ask_again(self) -> None:
        with self.vault.read() as turn:
            records = {name: turn.flow(name) for name in self._asked}
        for name, record in records.items():
            if record is None:
                self._hand_in(*self._asked[name])
            else:
                self._note(name, record.state)

    @contextmanager
    def reading(self) -> Iterator[Turn]:
        """Look into the vault, also where the process is down."""
        vault = self.vault if self.up else open_vault(self._path, self._engine)
        try:
            with vault.read() as turn:
                yield turn
        finally:
            if vault is not self.vault:
                vault.close()

    def unanswered(self) -> list[str]:
        """Flows asked for that have not ended."""
        return [name for name in self._asked if name not in self.ended]

    def _note(self, flow: str, state: str) -> None:
        if flow in self._asked and state in ENDED_ANYHOW and flow not in self.ended:
            self.ended[flow] = state
            self.tell("ended", f"{flow} {state}")

    def _look_at_inbox(self) -> None:
        """A person decides what waits in the inbox, after a while."""
        if self._person_at is None:
            self._person_at = self.around.agenda.now_ms + self.random.randint(1, PERSON_MS_MAX)
            life = self.life
            self.around.agenda.at(self._person_at, lambda: self._decide(life))

    def _decide(self, life: int) -> None:
        if life != self.life or not self.up:
            return
        self._person_at = None
        with self.vault.read() as turn:
            items = turn.inbox()
        for item in items:
            self.hear(AnsweredPerson(item=item.id, approved=True, reason=""))

    # effects --------------------------------------------------------------------------------------------------------

    def _release(self, effect: Any) -> None:
        if self._release_left is not None:
            self._release_left -= 1
            if self._release_left < 0:
                raise Killed(PARTLY)
        if self.carry_out(effect):
            return
        match effect:
            case WakeAt():
                self.wake_at(effect.at_ms)
            case TellProgress():
                self._progress(effect)
            case Refused():
                self.tell("refused", f"{type(effect.event).__name__} {effect.refusal.code}")
            case HeardTell():
                self.tell("notary told", "")
            case _:
                raise AssertionError(effect)

    def _progress(self, effect: TellProgress) -> None:
        if effect.state == "waiting" and any(step.name == "Wait for a person" for step in effect.steps):
            self._look_at_inbox()
        self._note(effect.flow, effect.state)

    def _run(self) -> None:
        super()._run()
        self._release_left = None
