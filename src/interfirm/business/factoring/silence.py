"""Template: TrustCollection (silent factoring, until the lender ends the silence)."""

from __future__ import annotations

from interfirm.business.companies.contract import Account
from interfirm.business.factoring.advance import Advance, Applied
from interfirm.business.factoring.facility import Exposure
from interfirm.business.receivables.contract import InvoiceId, Receivable
from interfirm.contracts.language import Day, Money, Party, Ref, Template, Transaction, choice, require


class TrustCollection(Template):
    """Silent factoring: the seller stays the holder and collects in trust; the lender alone may end the silence.

    The lender alone confirms this. Turning it into an assignment also needs the receivable's confirmers, of whom the
    seller is one: its node confirms by default what its firm has agreed to here.
    """

    seller: Party
    """Who collects."""
    lender: Party
    """For whom."""
    invoice: InvoiceId
    """What."""
    paid_before: Money
    """What had been paid before the purchase."""

    def signatories(self) -> tuple[Party, ...]:
        """Both."""
        return (self.seller, self.lender)

    def confirmers(self) -> tuple[Party, ...]:
        """The lender."""
        return (self.lender,)

    def ensure(self) -> None:
        """Sums are not negative."""
        require(self.paid_before.minor >= 0, "a sum of payments is not negative", paid=self.paid_before)

    @choice(by="lender")
    def disclose(
        self, tx: Transaction, receivable: Ref[Receivable], advance: Ref[Advance], exposure: Ref[Exposure],
        account: Account, on: Day,
    ) -> Applied:  # fmt: skip
        """End the silence: take the right over and tell the debtor to pay the lender."""
        right = tx.fetch(Receivable, receivable)
        require(right.invoice == self.invoice and right.seller == self.seller, "this is another receivable")
        assigned = tx.exercise(receivable, Receivable.assign, to=self.lender)
        noticed = tx.exercise(assigned, Receivable.notify, account=account)
        return tx.exercise(
            advance, Advance.disclosed, receivable=noticed, exposure=exposure, paid_before=self.paid_before, on=on
        )

    @choice(by="lender")
    def finish(self, tx: Transaction) -> None:
        """The purchase is over."""
