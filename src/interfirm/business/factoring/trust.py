"""Template: TrustMoney (what the debtor paid to the seller although it was to pay the lender)."""

from __future__ import annotations

from interfirm.business.cash.contract import Cash
from interfirm.business.companies.contract import within_day
from interfirm.business.receivables.contract import InvoiceId, Receivable
from interfirm.contracts.language import Claim, Day, Money, Party, Ref, Template, Transaction, choice, require


class TrustMoney(Template):
    """Money of the lender's that the debtor paid to the seller: held in trust, still owed, no payment of the debt."""

    seller: Party
    """Who got it."""
    lender: Party
    """Whose it is."""
    debtor: Party
    """Who paid it to the wrong party."""
    invoice: InvoiceId
    """For which invoice."""
    amount: Money
    """How much."""
    end_to_end_id: str
    """What the debtor called the transfer."""
    booked: Day
    """When it was booked."""

    def signatories(self) -> tuple[Party, ...]:
        """Both."""
        return (self.seller, self.lender)

    def claims(self) -> tuple[Claim, ...]:
        """The transfer is counted once, as any payment to the seller."""
        return (Claim(family="payment.end-to-end-id", owner=self.seller, key=(self.end_to_end_id,)),)

    def ensure(self) -> None:
        """There is something to hold."""
        require(self.amount.minor > 0, "money is more than nothing", amount=self.amount)

    @choice(by="seller")
    def hand_over(self, tx: Transaction, cash: Ref[Cash], receivable: Ref[Receivable], on: Day) -> Ref[Receivable]:
        """Pay it to the lender, who takes it as payment of the debt; what exceeds the debt is sorted out by the two."""
        within_day(tx, on)
        right = tx.fetch(Receivable, receivable)
        require(right.invoice == self.invoice and right.seller == self.seller, "this is another receivable")
        require(right.holder == self.lender, "the right is someone else's", holder=right.holder)
        tx.exercise(cash, Cash.move, to=self.lender, amount=self.amount)
        amount = min(self.amount, right.outstanding)
        return tx.exercise(
            receivable, Receivable.acknowledge, amount=amount, end_to_end_id=self.end_to_end_id, booked=on
        )
