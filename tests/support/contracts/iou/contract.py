"""Sample templates, one for each shape of the ledger's rules."""

from __future__ import annotations

from interfirm.contracts.language import (
    Claim,
    Fallback,
    Instant,
    Money,
    Party,
    Private,
    Ref,
    Template,
    Transaction,
    choice,
    require,
)


class Iou(Template):
    """A debt that both sides have signed, and that `watchers` may see; both confirm whatever happens to it."""

    debtor: Party
    creditor: Party
    amount: Money
    watchers: tuple[Party, ...] = ()

    def signatories(self) -> list[Party]:
        return [self.debtor, self.creditor]

    def observers(self) -> tuple[Party, ...]:
        return self.watchers

    def ensure(self) -> None:
        require(self.amount.minor > 0, "a debt is above zero")

    @choice(by=("creditor", "to"))
    def transfer(self, tx: Transaction, to: Party) -> Ref[Iou]:
        """Make somebody else the creditor."""
        return tx.create(self.replace(creditor=to))

    @choice(by="creditor")
    def forgive(self, tx: Transaction) -> None:
        """End the debt."""

    @choice(by="creditor", consuming=False)
    def remind(self, tx: Transaction, text: str) -> Ref[Note]:
        """Leave a note; the debt stays."""
        return tx.create(Note(author=self.creditor, readers=(self.debtor,), text=text, about=tx.this(self)))

    @choice(by="debtor")
    def settle(self, tx: Transaction, cash: Ref[Cash]) -> Ref[Cash]:
        """Pay with cash of the same amount."""
        require(tx.fetch(Cash, cash).amount == self.amount, "the whole debt is paid at once")
        return tx.exercise(cash, Cash.move, to=self.creditor)

    @choice(by="creditor")
    def burn(self, tx: Transaction, steps: int) -> int:
        """Work for a while."""
        done = 0
        for step in range(steps):
            done = done + step
        return done


class Note(Template):
    """A text of one author about a debt."""

    author: Party
    readers: tuple[Party, ...]
    text: str
    about: Ref[Iou] | None = None

    def signatories(self) -> list[Party]:
        return [self.author]

    def observers(self) -> tuple[Party, ...]:
        return self.readers

    @choice(by="author", consuming=False)
    def read(self, tx: Transaction) -> Money:
        """The amount of the debt it is about."""
        require(self.about is not None, "the note is about something")
        return tx.fetch(Iou, self.about).amount


class Cash(Template):
    """A promise of the issuer that its owner alone may move: signatory the issuer, confirmer the owner."""

    issuer: Party
    owner: Party
    amount: Money

    def signatories(self) -> list[Party]:
        return [self.issuer]

    def observers(self) -> list[Party]:
        return [self.owner]

    def confirmers(self) -> list[Party]:
        return [self.owner]

    def ensure(self) -> None:
        require(self.amount.minor > 0, "cash is above zero")

    @choice(by="owner")
    def move(self, tx: Transaction, to: Party) -> Ref[Cash]:
        """Give it all away."""
        return tx.create(self.replace(owner=to))

    @choice(by="owner")
    def split(self, tx: Transaction, amount: Money) -> tuple[Ref[Cash], Ref[Cash]]:
        """Two pieces of the same sum."""
        return tx.create(self.replace(amount=amount)), tx.create(self.replace(amount=self.amount - amount))

    @choice(by="owner")
    def pay(self, tx: Transaction, to: Party, amount: Money) -> tuple[Ref[Cash], Ref[Cash]]:
        """Split, and move the first piece."""
        first, rest = tx.create(self.replace(amount=amount)), tx.create(self.replace(amount=self.amount - amount))
        return tx.exercise(first, Cash.move, to=to), rest

    @choice(by="issuer")
    def top_up(self, tx: Transaction, amount: Money) -> Ref[Cash]:
        """More of it, which the issuer alone can want."""
        return tx.create(self.replace(amount=self.amount + amount))


class Vault(Template):
    """A right of `keeper` to issue cash in the issuer's name, up to a limit that is counted by consuming."""

    issuer: Party
    keeper: Party
    left: Money

    def signatories(self) -> list[Party]:
        return [self.issuer]

    def observers(self) -> list[Party]:
        return [self.keeper]

    def confirmers(self) -> list[Party]:
        return [self.keeper]

    @choice(by="keeper")
    def issue(self, tx: Transaction, to: Party, amount: Money) -> Ref[Cash]:
        """Issue cash and keep the right to the rest."""
        require(self.left.minor >= amount.minor, "the limit is reached")
        tx.create(self.replace(left=self.left - amount))
        return tx.create(Cash(issuer=self.issuer, owner=to, amount=amount))

    @choice(by="keeper")
    def raise_cash(self, tx: Transaction, cash: Ref[Cash], amount: Money) -> Ref[Cash]:
        """Top up a piece of cash in the issuer's name."""
        require(self.left.minor >= amount.minor, "the limit is reached")
        tx.create(self.replace(left=self.left - amount))
        return tx.exercise(cash, Cash.top_up, amount=amount)

    @choice(by="keeper")
    def bill(self, tx: Transaction, buyer: Party, number: str, amount: Money, due: Instant) -> Ref[Invoice]:
        """Write an invoice in the issuer's name; the issuer's number is still the issuer's to claim."""
        tx.create(self)
        return tx.create(Invoice(seller=self.issuer, buyer=buyer, number=number, amount=amount, due=due))


class Invoice(Template):
    """A seller's claim on a buyer that the buyer has not accepted; its number exists once for the seller."""

    seller: Party
    buyer: Party
    number: str
    amount: Money
    due: Instant

    def signatories(self) -> list[Party]:
        return [self.seller]

    def observers(self) -> list[Party]:
        return [self.buyer]

    def claims(self) -> list[Claim]:
        return [Claim(family="invoice", owner=self.seller, key=(self.number,))]

    @choice(by="buyer")
    def accept(self, tx: Transaction) -> Ref[Receivable]:
        """Owe what is invoiced."""
        return tx.create(Receivable(obligor=self.buyer, holder=self.seller, outstanding=self.amount, due=self.due))


class Receivable(Template):
    """The right to be paid for one accepted invoice; from `due` on its holder confirms alone."""

    obligor: Party
    holder: Party
    outstanding: Money
    due: Instant

    def signatories(self) -> list[Party]:
        return [self.obligor, self.holder]

    def fallback(self) -> Fallback:
        return Fallback(confirmers=(self.holder,), since=self.due)

    def ensure(self) -> None:
        require(self.outstanding.minor >= 0, "outstanding cannot be negative")

    @choice(by=("holder", "to"))
    def assign(self, tx: Transaction, to: Party) -> Ref[Receivable]:
        """Give the right to `to`. What was paid for it is nobody's business here."""
        return tx.create(self.replace(holder=to))

    @choice(by="holder")
    def write_off(self, tx: Transaction) -> None:
        """Give up what is overdue."""
        tx.not_before(self.due)

    @choice(by="obligor")
    def pay_early(self, tx: Transaction) -> None:
        """Pay before it is due."""
        tx.before(self.due)


class Offer(Template):
    """A holder's offer to sell one receivable to one lender, on terms only they see."""

    seller: Party
    lender: Party
    receivable: Ref[Receivable]
    price: Money

    def signatories(self) -> list[Party]:
        return [self.seller]

    def observers(self) -> list[Party]:
        return [self.lender]

    @choice(by="lender")
    def take(self, tx: Transaction, cash: Ref[Cash]) -> Ref[Receivable]:
        """Pay and receive the right, in one transaction."""
        require(tx.fetch(Cash, cash).amount == self.price, "the price is paid")
        tx.exercise(cash, Cash.move, to=self.seller)
        return tx.exercise(self.receivable, Receivable.assign, to=self.lender)


class Person(Template):
    """Personal data of somebody: on the ledger only commitments, and what nobody minds."""

    keeper: Party
    reader: Party
    name: Private[str]
    country: str

    def signatories(self) -> list[Party]:
        return [self.keeper]

    def observers(self) -> list[Party]:
        return [self.reader]

    @choice(by="keeper")
    def hand_on(self, tx: Transaction, to: Party) -> Ref[Person]:
        """Let somebody else read, with the same commitments."""
        return tx.create(self.replace(reader=to))


class Basket(Template):
    """Counts by label, to be unpacked in the order of the map."""

    owner: Party
    counts: dict[str, int]

    def signatories(self) -> list[Party]:
        return [self.owner]

    @choice(by="owner")
    def unpack(self, tx: Transaction) -> tuple[Ref[Basket], ...]:
        """One basket for each label."""
        return tuple(
            [tx.create(Basket(owner=self.owner, counts={label: count})) for label, count in self.counts.items()]
        )

    @choice(by="owner", consuming=False)
    def repack(self, tx: Transaction, counts: dict[str, int]) -> Ref[Basket]:
        """Another basket, unpacked at once."""
        made = tx.create(Basket(owner=self.owner, counts=counts))
        tx.exercise(made, Basket.unpack)
        return made


class Pair(Template):
    """Two baskets that its choice makes and names by local refs."""

    owner: Party
    first: Ref[Basket] | None = None
    second: Ref[Basket] | None = None

    def signatories(self) -> list[Party]:
        return [self.owner]

    @choice(by="owner")
    def fill(self, tx: Transaction) -> Ref[Pair]:
        """Make both, and a pair that names them."""
        one = tx.create(Basket(owner=self.owner, counts={"one": 1}))
        two = tx.create(Basket(owner=self.owner, counts={"two": 2}))
        return tx.create(self.replace(first=one, second=two))

    @choice(by="owner", consuming=False)
    def count(self, tx: Transaction) -> int:
        """Read both."""
        require(self.first is not None and self.second is not None, "the pair is filled")
        return len(tx.fetch(Basket, self.first).counts) + len(tx.fetch(Basket, self.second).counts)
