"""A contract with the fields that lists of bills use."""

from __future__ import annotations

from interfirm.contracts.language import Day, Money, Party, Template


class Bill(Template):
    """What a buyer is to pay its supplier, and when."""

    supplier: Party
    """Who invoices."""
    buyer: Party
    """Who is to pay."""
    number: str
    """The supplier's number."""
    payable: Money
    """How much."""
    due: Day
    """When."""

    def signatories(self) -> tuple[Party, ...]:
        """Who invoices."""
        return (self.supplier,)

    def observers(self) -> tuple[Party, ...]:
        """Who is to pay."""
        return (self.buyer,)
