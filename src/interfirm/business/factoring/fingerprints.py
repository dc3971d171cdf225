"""Template: Financing (the fingerprints of what was financed, taken once and for ever)."""

from __future__ import annotations

from interfirm.business.factoring.terms import Offered
from interfirm.contracts.language import Claim, Party, Template, require


class Financing(Template):
    """The fingerprints of a financed receivable: claimed once and for ever, so that it is not financed twice.

    The exact one (tax number, number, year, round) refuses; the two looser ones carry a number, and one above 1 warns
    that something like it was financed before. A lender insists on the lowest free numbers (see fingerprints.py).
    """

    seller: Party
    """Whose claims they are."""
    lender: Party
    """Who financed it."""
    offered: Offered
    """What was financed."""
    parties_number: int
    """How many times, with this one, something of the same buyer, amount and day of issue was financed."""
    order_number: int
    """How many times, with this one, something for the same order was."""

    def signatories(self) -> tuple[Party, ...]:
        """Both."""
        return (self.seller, self.lender)

    def claims(self) -> tuple[Claim, ...]:
        """One exact fingerprint and one or two looser ones."""
        it = self.offered
        exact = Claim(
            family="factoring.invoice",
            owner=self.seller,
            key=(it.invoice.tax_id, it.invoice.number, it.invoice.year, it.round),
        )
        amount = (it.gross.minor, it.gross.currency, it.issued.number)
        parties = Claim(
            family="factoring.parties", owner=self.seller, key=(it.obligor.id, *amount, self.parties_number)
        )
        if it.order == "":
            return (exact, parties)
        order = Claim(family="factoring.order", owner=self.seller, key=(it.obligor.id, it.order, self.order_number))
        return (exact, parties, order)

    def ensure(self) -> None:
        """Numbers count from 1."""
        require(self.parties_number > 0 and self.order_number > 0, "fingerprints are numbered from 1")
