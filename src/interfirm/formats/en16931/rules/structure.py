"""What may stand once only, as far as the semantic model shows it (UBL-SR)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from interfirm.formats.en16931.model import Party
from interfirm.formats.en16931.places import View
from interfirm.formats.en16931.rule import Rule

TAX_REGISTRATIONS_MAX = 2


def _registrations(party: Party | None, *, vat: bool) -> int:
    if party is None:
        return 0
    return sum(
        held.number is not None and held.is_vat is vat and held.scheme is not None for held in party.tax_registrations
    )


def _one_invoiced_object(document: Any, _view: View) -> bool:
    objects = [held for held in document.supporting_documents if held.type_code == "130" and held.id is not None]
    return len(objects) <= 1


def _document_has_plain_type(held: Any, view: View) -> bool:
    """A supporting document has no type and no scheme, but for the invoiced object and a credit note's project."""
    if held.type_code == "130" or (view.invoice.kind == "CreditNote" and held.type_code == "50"):
        return True
    return held.type_code is None and (held.id is None or held.id.scheme is None)


def _one_creditor_id(_document: Any, view: View) -> bool:
    schemes = [(held.scheme or "").upper() for held in view.values("party_identifiers")]
    return schemes.count("SEPA") <= 1


def _one_reference(document: Any, _view: View) -> bool:
    return len({held.reference for held in document.payment_instructions if held.reference is not None}) <= 1


def _one_means(document: Any, _view: View) -> bool:
    return len({held.code for held in document.payment_instructions if held.code is not None}) <= 1


def _one_means_text(document: Any, _view: View) -> bool:
    return sum(held.text is not None for held in document.payment_instructions) <= 1


def rules() -> Iterator[Rule]:
    """All rules of this file."""
    document = "document"
    yield Rule("UBL-SR-04", document, _one_invoiced_object, "there is one invoiced object (BT-18) at most")
    yield Rule(
        "UBL-SR-12", document, lambda held, _view: _registrations(held.seller, vat=True) <= 1,
        "a seller has one VAT identifier (BT-31) at most",
    )  # fmt: skip
    yield Rule(
        "UBL-SR-13", document, lambda held, _view: _registrations(held.seller, vat=False) <= 1,
        "a seller has one other tax number (BT-32) at most",
    )  # fmt: skip
    yield Rule(
        "UBL-SR-18", document, lambda held, _view: _registrations(held.buyer, vat=True) <= 1,
        "a buyer has one VAT identifier (BT-48) at most",
    )  # fmt: skip
    yield Rule(
        "UBL-SR-29", document, _one_creditor_id, "there is one bank assigned creditor identifier (BT-90) at most"
    )
    yield Rule(
        "UBL-SR-42", "seller", lambda held, _view: len(held.tax_registrations) <= TAX_REGISTRATIONS_MAX,
        "a seller has two tax registrations at most",
    )  # fmt: skip
    yield Rule(
        "UBL-SR-43", "supporting_documents", _document_has_plain_type,
        "a supporting document has a type only where it is the invoiced object or a credit note's project",
    )  # fmt: skip
    yield Rule(
        "ubl.charge-indicator", "everywhere", lambda held, _view: held.is_charge is not None,
        "an allowance or charge says which of both it is",
    )  # fmt: skip
    yield Rule("UBL-SR-44", document, _one_reference, "all payment instructions have one reference (BT-83)")
    yield Rule("UBL-SR-46", document, _one_means_text, "the payment means text (BT-82) stands once at most")
    yield Rule("UBL-SR-47", document, _one_means, "all payment instructions have one means (BT-81)")
