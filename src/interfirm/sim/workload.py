"""What the people of a world do: cash, bills and offers on the generic templates, and now and then something foolish.

Each thing done is one transaction asked for at one firm, chosen among what is possible by that firm's own vault.
Foolish things (a number used before, a contract that is being used already) and what needs a liar's signature are
rationed, so that most of what is tried can be done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.money import Money
from interfirm.base.values import Value
from interfirm.business.cash.contract import Cash
from interfirm.contracts.language import Party, Private, Ref, Template
from interfirm.contracts.types import Command, ContractRef, CreateCommand, ExerciseCommand
from interfirm.ledger.private import commit_private
from interfirm.node.flows.deliver import ShareArguments
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.messages import PrivateValue
from interfirm.node.flows.types import AskedFlow
from interfirm.node.vault.types import StoredContract
from interfirm.sim.chance import chance
from interfirm.sim.firm import SimFirm
from interfirm.sim.trade.contract import Bill, Draft, Offer
from interfirm.sim.world import World

EVERY_MS = 700
"""Mean time from one thing to the next."""
LIAR_RATE = 0.9
"""How often the liar, if there is one, does something too, by thing done."""
PAGE = 200
WEIGHTS = {
    "issue": 3, "move": 4, "divide": 1, "merge": 1, "draft": 4, "accept": 6, "reject": 1, "offer": 4, "take": 6,
    "pay": 4,
}  # fmt: skip


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


class Workload:
    """See the module."""

    def __init__(self, world: World, *, transactions: int) -> None:
        self.world = world
        self.tries: list[Try] = []
        self.shares: list[Share] = []
        self.random = chance(world.seed, "workload")
        self._transactions = transactions
        self._used: set[ContractRef] = set()
        self._numbers: dict[bytes, list[str]] = {}
        self._looked_up: dict[tuple[type[Any], Any], list[tuple[SimFirm, StoredContract, Any]]] = {}
        self._acting = world.honest
        self._liars = [firm for firm in world.firms if not firm.honest]
        self._foolish_left = transactions // 8
        self._risky_left = transactions // 6
        self._actions: dict[str, Callable[[], bool]] = {
            name: getattr(self, f"_{name}") for name in WEIGHTS
        }  # fmt: skip

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
        names = list(WEIGHTS)
        order = sorted(names, key=lambda name: self.random.random() ** (1 / WEIGHTS[name]), reverse=True)
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
        amount = Money(self.random.randint(1_000, 100_000), "EUR")
        cash = Cash(issuer=_party(self.bank), owner=_party(owner), amount=amount)
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
        self._exercise(firm, stored, "move", to=_party(to), amount=part)
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
        self._exercise(firm, stored, "merge", others=(_ref(other),))
        return True

    def _draft(self) -> bool:
        supplier = self._somebody()
        debtor = self._other(supplier) if supplier else None
        if supplier is None or debtor is None:
            return False
        amount = Money(self.random.randint(100, 20_000), "EUR")
        draft = Draft(
            supplier=_party(supplier), debtor=_party(debtor), amount=amount, number=self._number(supplier),
            mark=self._mark(),
        )  # fmt: skip
        self._ask(supplier, "draft", self._create("trade.Draft", draft))
        return True

    def _accept(self) -> bool:
        return self._of_draft("accept")

    def _reject(self) -> bool:
        return self._of_draft("reject")

    def _of_draft(self, choice: str) -> bool:
        found = self._pick(Draft, lambda firm, draft: draft.debtor.id == firm.identity, with_=lambda d: [d.supplier])
        if found is None:
            return False
        firm, stored, _ = found
        self._exercise(firm, stored, choice)
        return True

    def _offer(self) -> bool:
        found = self._pick(Bill, lambda firm, bill: bill.holder.id == firm.identity, keep=True)
        if found is None:
            return False
        firm, stored, bill = found
        lender = self._other(firm, without=(bill.debtor,))
        if lender is None:
            return False
        price = Money(max(1, bill.amount.minor * self.random.randint(80, 99) // 100), bill.amount.currency)
        value, salt = f"because {self._mark()}", self.random.randbytes(32)
        private = PrivateValue(commitment=commit_private(salt, value), subject=firm.name, value=value, salt=salt)
        offer = Offer(
            seller=_party(firm), lender=_party(lender), bill=_ref(stored), price=price, mark=self._mark(),
            remark=Private(private.commitment),
        )  # fmt: skip
        self._ask(firm, "offer", self._create("trade.Offer", offer), privates=(private,))
        self._share(firm, stored.ref, lender)
        return True

    def _take(self) -> bool:
        def may(firm: SimFirm, offer: Offer) -> bool:
            return offer.lender.id == firm.identity and self._cash_for(firm, offer.price) is not None

        found = self._pick(Offer, may, with_=lambda offer: [offer.seller, self._debtor_of(offer)], keep=True)
        if found is None:
            return False
        firm, stored, offer = found
        cash = self._cash_for(firm, offer.price)
        if cash is None or not self._knows(firm, offer.bill):
            return False
        self._used.update((cash.ref, stored.ref))
        self._exercise(firm, stored, "take", cash=_ref(cash))
        return True

    def _pay(self) -> bool:
        def may(firm: SimFirm, bill: Bill) -> bool:
            return bill.debtor.id == firm.identity and self._cash_for(firm, bill.amount) is not None

        found = self._pick(Bill, may, with_=lambda bill: [bill.holder], keep=True)
        if found is None:
            return False
        firm, stored, bill = found
        cash = self._cash_for(firm, bill.amount)
        if cash is None:
            return False
        self._used.update((cash.ref, stored.ref))
        self._exercise(firm, stored, "pay", cash=_ref(cash))
        return True

    def _let_liar_act(self) -> None:
        """The liar does business of its own, or tries to spend twice; none of it counts as tried."""
        self._acting = self._liars
        try:
            if self.random.random() < 0.3:
                self._spend_twice()
            else:
                names = ("move", "divide", "merge", "draft", "accept", "reject", "offer", "take", "pay")
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
                self._exercise(firm, stored, "move", to=_party(to), amount=cash.amount)
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
    ) -> None:
        name = f"{action}-{len(self.tries)}"
        arguments = msgspec.msgpack.encode(ExerciseArguments(commands=(command,), notary=notary))
        self.tries.append(Try(flow=name, firm=firm.name, action=action, issued=issued, attack=not firm.honest))
        firm.ask(AskedFlow(id=name, kind="exercise", arguments=arguments), privates)

    def _create(self, template: str, contract: Template) -> CreateCommand:
        code = self.world.engine.named(template)
        return CreateCommand(template=code.id, payload=codec.plain(contract))

    def _exercise(self, firm: SimFirm, stored: StoredContract, choice: str, **arguments: Any) -> None:
        code = self.world.engine.template(stored.template)
        plain = code.choices[choice].arguments_plain(arguments)
        command = ExerciseCommand(ref=stored.ref, template=stored.template, choice=choice, arguments=plain)
        self._ask(firm, choice, command)

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
    ) -> tuple[SimFirm, StoredContract, Any] | None:
        """A contract that somebody may act on, not in use unless somebody is a fool; marked as used unless `keep`."""
        usable = [each for each in self._held(kind) if each[0] in self._acting and may(each[0], each[2])]
        free = [each for each in usable if each[1].ref not in self._used]
        if len(free) < len(usable) and self._foolish_left and self.random.random() < 0.1:
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

    def _held(self, kind: type[Any], *, status: Any = "active") -> list[tuple[SimFirm, StoredContract, Any]]:
        """What each firm that is up sees of a template in its own vault; looked up once for each thing done."""
        found = self._looked_up.get((kind, status))
        if found is None:
            found = self._looked_up[kind, status] = list(self._look_up(kind, status))
        return found

    def _look_up(self, kind: type[Any], status: Any) -> Iterator[tuple[SimFirm, StoredContract, Any]]:
        code = self.world.engine.named(kind.__name__)
        for firm in self.world.firms:
            if firm.up:
                with firm.vault.read() as turn:
                    page = turn.contracts_of(code.id, status=status, limit=PAGE)
                for stored in page.rows:
                    yield firm, stored, codec.from_plain(stored.payload, kind)

    def _cash_for(self, firm: SimFirm, amount: Money) -> StoredContract | None:
        home = self.world.population.notaries[0].id
        for holder, stored, cash in self._held(Cash):
            mine = holder is firm and cash.owner.id == firm.identity and stored.ref not in self._used
            if mine and stored.notary == home and cash.amount.currency == amount.currency and cash.amount >= amount:
                return stored
        return None

    def _debtor_of(self, offer: Offer) -> Party | None:
        for firm, stored, bill in self._held(Bill):
            if firm.honest and stored.ref == ContractRef(offer.bill.transaction, offer.bill.index):
                return Party(bill.debtor.id)
        return None

    def _knows(self, firm: SimFirm, ref: Ref[Bill]) -> bool:
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
        if known and self._foolish_left and self.random.random() < 0.05:
            self._foolish_left -= 1
            return self.random.choice(known)
        known.append(f"{supplier.name}-{len(known)}")
        return known[-1]

    def _mark(self) -> str:
        return f"mark-{self.random.randbytes(8).hex()}"


def _party(firm: SimFirm) -> Party:
    return Party(firm.identity)


def _ref(stored: StoredContract) -> Ref[Any]:
    return Ref(stored.ref.transaction, stored.ref.index)
