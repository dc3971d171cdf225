"""The people of a world: they choose what to do by their own firms' vaults, ask for it, and are now and then foolish.

Each thing done is one transaction asked for at one firm. Foolish things (a number used before, a contract that is being
used already) and what needs a liar's signature are rationed, so that most of what is tried can be done. What there is
to do comes from a business: trade/people.py, factoring.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.money import Money
from interfirm.base.values import Value
from interfirm.business.cash.contract import Cash
from interfirm.contracts.language import Party, Ref, Template
from interfirm.contracts.types import Command, ContractRef, CreateCommand, ExerciseCommand
from interfirm.node.flows.deliver import ShareArguments
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.messages import PrivateValue
from interfirm.node.flows.types import AskedFlow
from interfirm.node.vault.types import StoredContract
from interfirm.sim.chance import chance
from interfirm.sim.firm import SimFirm
from interfirm.sim.world import World

EVERY_MS = 2_000
"""Mean time from one thing to the next."""
LIAR_RATE = 0.9
"""How often the liar, if there is one, does something too, by thing done."""
FOOLISH_RATE = 0.4
"""How often a chance to be foolish is taken, while the ration lasts."""
PAGE = 200
Held = tuple[SimFirm, StoredContract, Any]
"""A firm, a contract in its vault, and what the contract says."""


class Try(Value, frozen=True):
    """One transaction that was asked for."""

    flow: str
    firm: str
    action: str
    issued: Money | None = None
    """Cash that it brings into the world."""
    attack: bool = False


class Share(Value, frozen=True):
    """A contract disclosed to somebody."""

    ref: ContractRef
    to: bytes


class People:
    """See the module. A business names its actions in `weights`, by how often they are wanted; `_name` does each."""

    weights: ClassVar[dict[str, int]] = {"issue": 3, "move": 4, "divide": 1, "merge": 1}

    def __init__(self, world: World, *, transactions: int) -> None:
        self.world = world
        self.tries: list[Try] = []
        self.shares: list[Share] = []
        self.random = chance(world.seed, "workload")
        self._transactions = transactions
        self._used: set[ContractRef] = set()
        self._numbers: dict[bytes, list[str]] = {}
        self._looked_up: dict[tuple[type[Any], Any], list[Held]] = {}
        self._acting = world.honest
        self._liars = [firm for firm in world.firms if not firm.honest]
        self._foolish_left = transactions // 8
        self._risky_left = transactions // 6
        self._actions: dict[str, Callable[[], bool]] = {name: getattr(self, f"_{name}") for name in self.weights}

    @property
    def bank(self) -> SimFirm:
        """Who issues cash."""
        return self.world.firms[0]

    def begin(self) -> None:
        """Plan everything; the world then only has to run."""
        at_ms = self.world.agenda.now_ms
        for number in range(self._transactions):
            at_ms += self.random.randint(1, 2 * EVERY_MS)
            self.world.agenda.at(at_ms, lambda n=number: self._act(n))  # type: ignore[misc]  # binds the loop's value
        self.end_ms = at_ms

    def _act(self, number: int) -> None:
        """Do one thing, the first that is possible of a random order; the bank can always issue cash."""
        self._looked_up.clear()
        names = list(self.weights)
        order = sorted(names, key=lambda name: self.random.random() ** (1 / self.weights[name]), reverse=True)
        if number < 2:
            order.insert(0, "issue")
        if self._liars and self.random.random() < LIAR_RATE:
            self._let_liar_act()
        if not any(self._actions[name]() for name in order):
            self.world.agenda.after(EVERY_MS, lambda: self._act(number))

    # actions: each returns whether there was something to do --------------------------------------------------------

    def _issue(self) -> bool:
        owner = self._other(self.bank)
        if owner is None or not self.bank.up:
            return False
        amount = Money(self.random.randint(5_000, 200_000), "EUR")
        cash = Cash(issuer=party_of(self.bank), owner=party_of(owner), amount=amount)
        notary = self.random.choice(self.world.population.notaries).id
        self._ask(self.bank, "issue", self._create("cash.Cash", cash), notary=notary, issued=amount)
        return True

    def _move(self) -> bool:
        found = self._pick(Cash, lambda firm, cash: cash.owner.id == firm.identity)
        if found is None:
            return False
        firm, stored, cash = found
        to = self._other(firm)
        if to is None:
            return False
        part = Money(self.random.randint(1, cash.amount.minor), cash.amount.currency)
        self._exercise(firm, stored, "move", to=party_of(to), amount=part)
        return True

    def _divide(self) -> bool:
        found = self._pick(Cash, lambda firm, cash: cash.owner.id == firm.identity and cash.amount.minor > 1)
        if found is None:
            return False
        firm, stored, cash = found
        part = self.random.randint(1, cash.amount.minor - 1)
        parts = (Money(part, cash.amount.currency), Money(cash.amount.minor - part, cash.amount.currency))
        self._exercise(firm, stored, "divide", amounts=parts)
        return True

    def _merge(self) -> bool:
        found = self._pick(Cash, lambda firm, cash: cash.owner.id == firm.identity)
        if found is None:
            return False
        firm, stored, _ = found
        others = [
            other
            for holder, other, cash in self._held(Cash)
            if holder is firm and other.ref != stored.ref and other.notary == stored.notary
            and cash.owner.id == firm.identity and other.ref not in self._used
        ]  # fmt: skip
        if not others:
            return False
        other = self.random.choice(others)
        self._used.add(other.ref)
        self._exercise(firm, stored, "merge", others=(ref_of(other),))
        return True

    def _let_liar_act(self) -> None:
        """The liar does business of its own, or tries to spend twice; none of it counts as tried."""
        self._acting = self._liars
        try:
            if self.random.random() < 0.3:
                self._spend_twice()
            else:
                names = [name for name in self.weights if name != "issue"]
                any(self._actions[name]() for name in self.random.sample(names, len(names)))
        finally:
            self._acting = self.world.honest

    def _spend_twice(self) -> None:
        """The liar spends one piece of cash twice, at the same time, to two others."""
        spent = [
            (firm, stored, cash)
            for firm, stored, cash in self._held(Cash, status=None)
            if firm in self._acting and cash.owner.id == firm.identity
        ]
        if not spent:
            return
        firm, stored, cash = self.random.choice(spent)
        for _ in range(2):
            to = self._other(firm)
            if to is not None:
                self._exercise(firm, stored, "move", to=party_of(to), amount=cash.amount)
        self.world.trace.inject(self.world.agenda.now_ms, firm.name, "lie: double spend")

    # asking -----------------------------------------------------------------------------------------------------------

    def _ask(
        self,
        firm: SimFirm,
        action: str,
        command: Command,
        *,
        notary: bytes | None = None,
        privates: tuple[PrivateValue, ...] = (),
        issued: Money | None = None,
        lower_ms: int | None = None,
    ) -> None:
        name = f"{action}-{len(self.tries)}"
        asked = ExerciseArguments(commands=(command,), notary=notary, lower_ms=lower_ms)
        arguments = msgspec.msgpack.encode(asked)
        self.tries.append(Try(flow=name, firm=firm.name, action=action, issued=issued, attack=not firm.honest))
        firm.ask(AskedFlow(id=name, kind="exercise", arguments=arguments), privates)

    def _create(self, template: str, contract: Template) -> CreateCommand:
        code = self.world.engine.named(template)
        return CreateCommand(template=code.id, payload=codec.plain(contract))

    def _exercise(
        self, firm: SimFirm, stored: StoredContract, choice: str, *, lower_ms: int | None = None, **arguments: Any
    ) -> None:
        code = self.world.engine.template(stored.template)
        plain = code.choices[choice].arguments_plain(arguments)
        command = ExerciseCommand(ref=stored.ref, template=stored.template, choice=choice, arguments=plain)
        self._ask(firm, choice, command, lower_ms=lower_ms)

    def _share(self, firm: SimFirm, ref: ContractRef, to: SimFirm) -> None:
        name = f"share-{len(self.shares)}"
        self.shares.append(Share(ref=ref, to=to.identity))
        arguments = msgspec.msgpack.encode(ShareArguments(refs=(ref,), to=to.identity))
        firm.ask(AskedFlow(id=name, kind="share", arguments=arguments))

    # choosing ---------------------------------------------------------------------------------------------------------

    def _pick(
        self,
        kind: type[Any],
        may: Callable[[SimFirm, Any], bool],
        *,
        with_: Callable[[Any], list[Party | None]] = lambda contract: [],
        keep: bool = False,
    ) -> Held | None:
        """A contract that somebody may act on, not in use unless somebody is a fool; marked as used unless `keep`."""
        usable = [each for each in self._held(kind) if each[0] in self._acting and may(each[0], each[2])]
        free = [each for each in usable if each[1].ref not in self._used]
        if len(free) < len(usable) and self._foolish_left and self.random.random() < FOOLISH_RATE:
            self._foolish_left -= 1
            free = usable
        safe = [each for each in free if all(p is not None and self._is_honest(p.id) for p in with_(each[2]))]
        risky = [each for each in free if each not in safe and None not in with_(each[2])]
        if not safe and risky and self._risky_left:
            self._risky_left -= 1
            safe = risky
        if not safe:
            return None
        chosen = self.random.choice(safe)
        if not keep:
            self._used.add(chosen[1].ref)
        return chosen

    def _held(self, kind: type[Any], *, status: Any = "active") -> list[Held]:
        """What each firm that is up sees of a template in its own vault; looked up once for each thing done."""
        found = self._looked_up.get((kind, status))
        if found is None:
            found = self._looked_up[kind, status] = list(self._look_up(kind, status))
        return found

    def _look_up(self, kind: type[Any], status: Any) -> Iterator[Held]:
        code = self.world.engine.named(kind.__name__)
        for firm in self.world.firms:
            if firm.up:
                with firm.vault.read() as turn:
                    page = turn.select(code.id, status=status, limit=PAGE)
                for stored in page.rows:
                    yield firm, stored, codec.from_plain(stored.payload, kind)

    def _cash_for(self, firm: SimFirm, amount: Money) -> StoredContract | None:
        home = self.world.population.notaries[0].id
        for holder, stored, cash in self._held(Cash):
            mine = holder is firm and cash.owner.id == firm.identity and stored.ref not in self._used
            if mine and stored.notary == home and cash.amount.currency == amount.currency and cash.amount >= amount:
                return stored
        return None

    def _knows(self, firm: SimFirm, ref: Ref[Any]) -> bool:
        with firm.vault.read() as turn:
            try:
                firm.services.books.disclosure(turn, ContractRef(ref.transaction, ref.index))
            except Refusal:
                return False
        return True

    def _somebody(self) -> SimFirm | None:
        up = [firm for firm in self._acting if firm.up]
        return self.random.choice(up) if up else None

    def _other(self, firm: SimFirm, *, without: tuple[Party, ...] = ()) -> SimFirm | None:
        """Somebody else to do business with, honest or not."""
        banned = {firm.identity, *(party.id for party in without)}
        others = [other for other in self.world.firms if other.identity not in banned]
        return self.random.choice(others) if others else None

    def _is_honest(self, identity: bytes) -> bool:
        firm = self.world.firm_of(identity)
        return firm is not None and firm.honest

    def _number(self, supplier: SimFirm) -> str:
        """A new number, or one that was used before."""
        known = self._numbers.setdefault(supplier.identity, [])
        if known and self._foolish_left and self.random.random() < FOOLISH_RATE:
            self._foolish_left -= 1
            return self.random.choice(known)
        known.append(f"{supplier.name}-{len(known)}")
        return known[-1]

    def _mark(self) -> str:
        return f"mark-{self.random.randbytes(8).hex()}"


def party_of(firm: SimFirm) -> Party:
    """The firm as contracts name it."""
    return Party(firm.identity)


def ref_of(stored: StoredContract) -> Ref[Any]:
    """The contract as contracts name it."""
    return Ref(stored.ref.transaction, stored.ref.index)
