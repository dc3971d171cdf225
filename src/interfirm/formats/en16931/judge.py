"""The judge: every rule, on every place it concerns."""

from __future__ import annotations

from decimal import localcontext

from interfirm.formats.en16931.findings import Finding
from interfirm.formats.en16931.model import Document
from interfirm.formats.en16931.places import View
from interfirm.formats.en16931.rule import Rule
from interfirm.formats.en16931.rules import codes, presence, structure, sums, vat
from interfirm.formats.numbers import EXACT

RULES: tuple[Rule, ...] = tuple(rule for part in (presence, sums, vat, codes, structure) for rule in part.rules())


def judge(document: Document) -> tuple[Finding, ...]:
    """What is wrong in a document by EN 16931: first how the file is written, then what it says.

    A fatal finding is a reason to refuse (`refuse_findings`), a warning is none. Rules: EN 16931-1:2017 section 6.4 and
    the artefacts published for its UBL syntax. Decimals are exact; each rule is listed with at most
    `LIMITS.findings_count_max` places.
    """
    view = View(document.invoice)
    with localcontext(EXACT):
        return (*document.syntax, *(finding for rule in RULES for finding in rule.findings(view)))
