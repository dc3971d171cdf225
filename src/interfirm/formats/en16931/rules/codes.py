"""Which codes may stand where: BR-CL, one row each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from interfirm.formats.en16931 import codelists as lists
from interfirm.formats.en16931.places import View, at
from interfirm.formats.en16931.rule import Rule

CODED: tuple[tuple[str, str, str, str, frozenset[str]], ...] = (
    # rule, context, field ("." is the value itself), term, list
    ("BR-CL-03", "amounts", "currency", "currency of an amount", lists.CURRENCIES),
    ("BR-CL-04", "currency", ".", "BT-5", lists.CURRENCIES),
    ("BR-CL-05", "tax_currency", ".", "BT-6", lists.CURRENCIES),
    ("BR-CL-06", "period", "description_code", "BT-8", lists.TAX_POINT_CODES),
    ("BR-CL-07", "invoiced_objects", "id.scheme", "BT-18-1/BT-128-1", lists.OBJECT_SCHEMES),
    ("BR-CL-10", "other_identifiers", "scheme", "BT-46-1", lists.IDENTIFIER_SCHEMES),
    ("BR-CL-10", "paid_identifiers", "scheme", "BT-29-1/BT-60-1", lists.IDENTIFIER_SCHEMES | {"SEPA"}),
    ("BR-CL-11", "legal_ids", "scheme", "BT-30-1/BT-47-1/BT-61-1", lists.IDENTIFIER_SCHEMES),
    ("BR-CL-13", "classifications", "list_id", "BT-158-1", lists.CLASSIFICATION_SCHEMES),
    ("BR-CL-14", "countries", ".", "BT-40/BT-55/BT-69/BT-80", lists.COUNTRIES),
    ("BR-CL-15", "origin_countries", ".", "BT-159", lists.COUNTRIES),
    ("BR-CL-16", "payment_instructions", "code", "BT-81", lists.PAYMENT_MEANS),
    ("BR-CL-17", "document_categories", "code", "BT-95/BT-102/BT-118", lists.VAT_CATEGORIES),
    ("BR-CL-18", "line_categories", "code", "BT-151", lists.VAT_CATEGORIES),
    ("BR-CL-19", "allowances", "reason_code", "BT-98/BT-140", lists.ALLOWANCE_REASONS),
    ("BR-CL-20", "charges", "reason_code", "BT-105/BT-145", lists.CHARGE_REASONS),
    ("BR-CL-21", "standard_ids", "scheme", "BT-157-1", lists.IDENTIFIER_SCHEMES),
    ("BR-CL-23", "quantities", "unit", "BT-130", lists.UNITS),
    ("BR-CL-23", "base_quantities", "unit", "BT-150", lists.UNITS),
    ("BR-CL-24", "attachments", "media_type", "BT-125-1", lists.MEDIA_TYPES),
    ("BR-CL-25", "endpoints", "scheme", "BT-34-1/BT-49-1", lists.ENDPOINT_SCHEMES),
    ("BR-CL-26", "delivery_location", "scheme", "BT-71-1", lists.IDENTIFIER_SCHEMES),
)
ALWAYS = frozenset({"BR-CL-03"})
"""Rules that an absent code breaks too; elsewhere absence is another rule's concern."""
_SUBJECT_CHARS = 3


def _in_list(rule: str, field: str, codes: frozenset[str]) -> Callable[[Any, View], bool]:
    def holds(place: Any, _view: View) -> bool:
        code = at(place, field)
        return code in codes or (code is None and rule not in ALWAYS)

    return holds


def _type_is_known(document: Any, _view: View) -> bool:
    codes = lists.INVOICE_TYPES if document.kind == "Invoice" else lists.CREDIT_NOTE_TYPES
    return document.type_code is None or document.type_code in codes


def _exemption_is_known(category: Any, _view: View) -> bool:
    code = category.exemption_code
    return code is None or code.upper() in lists.EXEMPTION_REASONS


def _subject_is_known(note: str, _view: View) -> bool:
    """`#ADU#text` names its subject; a note without two # around three characters names none."""
    subject, closing, _ = note.partition("#")[2].partition("#")
    return not closing or len(subject) != _SUBJECT_CHARS or subject in lists.NOTE_SUBJECTS


def rules() -> Iterator[Rule]:
    """All rules of this file."""
    yield Rule(
        "BR-CL-01", "document", _type_is_known, "the type code (BT-3) is in UNTDID 1001", (("BT-3", "type_code"),)
    )
    for rule, context, field, term, codes in CODED:
        yield Rule(rule, context, _in_list(rule, field, codes), f"{term} is a code of its list", ((term, field),))
    yield Rule(
        "BR-CL-08", "notes", _subject_is_known, "the subject of a note (BT-21) is in UNTDID 4451", (("BT-22", "."),)
    )
    message = "the reason for exemption (BT-121) is in VATEX"
    yield Rule("BR-CL-22", "all_categories", _exemption_is_known, message, (("BT-121", "exemption_code"),))
