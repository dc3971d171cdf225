"""Templates: Bill (a debt with a number that exists once) and Offer (to sell one, on terms only two parties see).

One of each shape that matters: signatories who all confirm, an owner who confirms alone (Cash), a claim, a private
field, a parent with secret terms over a child that others see.
"""

from __future__ import annotations

from interfirm.business.cash.contract import Cash
from interfirm.contracts.language import Claim, Money, Party, Private, Ref, Template, Transaction, choice, require


class Draft(Template):
    """A bill that its debtor has not accepted."""

    supplier: Party
    """Who is to be paid."""
    debtor: Party
    """Who is to pay."""
    amount: Money
    """How much."""
    number: str
    """The supplier's number for it."""
    mark: str
    """A word that occurs nowhere else."""

    def signatories(self) -> tuple[Party, ...]:
        """The supplier says so."""
        return (self.supplier,)

    def observers(self) -> tuple[Party, ...]:
        """The debtor is asked."""
        return (self.debtor,)

    def confirmers(self) -> tuple[Party, ...]:
        """Both, so that it is not withdrawn while it is accepted."""
        return (self.supplier, self.debtor)

    @choice(by="debtor")
    def accept(self, tx: Transaction) -> Ref[Bill]:
        """Owe it."""
        return tx.create(
            Bill(
                supplier=self.supplier,
                debtor=self.debtor,
                holder=self.supplier,
                amount=self.amount,
                number=self.number,
            )
        )

    @choice(by="debtor")
    def reject(self, tx: Transaction) -> None:
        """Owe nothing."""


class Bill(Template):
    """A debt that the debtor has accepted."""

    supplier: Party
    """Who was to be paid at first, and gave the number."""
    debtor: Party
    """Who owes."""
    holder: Party
    """Who is owed."""
    amount: Money
    """How much."""
    number: str
    """The supplier's number for it: one debt a number, for ever."""
    sold: int = 0
    """How often it was sold."""

    def signatories(self) -> tuple[Party, ...]:
        """Who owes and who is owed."""
        return (self.debtor, self.holder)

    def observers(self) -> tuple[Party, ...]:
        """The supplier follows its bill."""
        return (self.supplier,)

    def claims(self) -> tuple[Claim, ...]:
        """The number, when the bill is made; a sale makes no new debt."""
        return (Claim(family="bill", owner=self.supplier, key=(self.number,)),) if self.sold == 0 else ()

    def ensure(self) -> None:
        """A debt is more than nothing, to somebody else."""
        require(self.amount.minor > 0, "a bill is more than nothing", amount=self.amount)
        require(self.debtor != self.holder, "nobody owes itself")

    @choice(by=("holder", "to"))
    def assign(self, tx: Transaction, to: Party) -> Ref[Bill]:
        """Give it to somebody else."""
        require(to != self.holder, "a bill is given to somebody else")
        return tx.create(self.replace(holder=to, sold=self.sold + 1))

    @choice(by="debtor")
    def pay(self, tx: Transaction, cash: Ref[Cash]) -> None:
        """Pay all of it in cash."""
        tx.exercise(cash, Cash.move, to=self.holder, amount=self.amount)


class Offer(Template):
    """A holder's offer to sell a bill to one lender."""

    seller: Party
    """Who holds the bill."""
    lender: Party
    """Who may buy."""
    bill: Ref[Bill]
    """What is sold."""
    price: Money
    """For how much; the debtor never learns it."""
    mark: str
    """A word that occurs nowhere else."""
    remark: Private[str] | None = None
    """Why the seller sells."""

    def signatories(self) -> tuple[Party, ...]:
        """The seller is bound by the offer."""
        return (self.seller,)

    def observers(self) -> tuple[Party, ...]:
        """The lender sees it."""
        return (self.lender,)

    def confirmers(self) -> tuple[Party, ...]:
        """Both."""
        return (self.seller, self.lender)

    @choice(by="lender")
    def take(self, tx: Transaction, cash: Ref[Cash]) -> Ref[Bill]:
        """Pay and receive the bill, in one transaction."""
        tx.exercise(cash, Cash.move, to=self.seller, amount=self.price)
        return tx.exercise(self.bill, Bill.assign, to=self.lender)
