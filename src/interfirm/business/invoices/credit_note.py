"""Template: CreditNote; and the claim that numbers invoices and credit notes alike."""

from __future__ import annotations

from interfirm.business.invoices.document import CREDIT_KINDS, Document, require_document
from interfirm.business.receivables.contract import InvoiceId
from interfirm.contracts.language import Claim, Party, Template, require

CREDIT_NOTE = "381"
"""The credit notes that are made here, UNTDID 1001."""


def number_claim(seller: Party, document: Document) -> Claim:
    """The key of a document's number: one number a year for each tax number of a seller."""
    key = (document.seller.tax_id, document.number, document.issued.year)
    return Claim(family="invoice.number", owner=seller, key=key)


class CreditNote(Template):
    """A credit note on an invoice; never changes."""

    seller: Party
    """Who credits."""
    buyer: Party
    """Who is credited."""
    document: Document
    """What it says."""
    invoice: InvoiceId
    """The invoice it is on."""
    exact: bool = True
    """Whether the document was made here, or imported."""

    def signatories(self) -> tuple[Party, ...]:
        """The seller."""
        return (self.seller,)

    def observers(self) -> tuple[Party, ...]:
        """The buyer."""
        return (self.buyer,)

    def claims(self) -> tuple[Claim, ...]:
        """It takes a number of the seller's, as invoices do."""
        return (number_claim(self.seller, self.document),)

    def ensure(self) -> None:
        """It is a credit note and its arithmetic holds."""
        require(self.seller != self.buyer, "seller and buyer differ")
        require(self.document.kind in CREDIT_KINDS, "this is no credit note", kind=self.document.kind)
        require_document(self.document, self.exact)
