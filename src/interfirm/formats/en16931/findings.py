"""What a judge finds wrong in a document, and how findings become a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from interfirm.base.errors import Refusal
from interfirm.base.values import Value

Severity = Literal["fatal", "warning"]
_RULES_SHOWN_MAX = 50


class Finding(Value, frozen=True):
    """One rule that one place of a document breaks."""

    rule: str
    """Stable id: an EN 16931 rule (`BR-CO-16`), one of its UBL syntax (`UBL-SR-44`) or a house check (`ubl.value`)."""
    severity: Severity
    """A fatal finding refuses the document."""
    location: str
    """The business group and its position (`BG-25[2]`), or the path in the file; empty for the whole document."""
    message: str
    """The rule in one sentence."""
    values: tuple[tuple[str, str], ...] = ()
    """The business terms that the rule read, and what they hold; an absent one is left out."""


def fatal(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that refuse a document."""
    return tuple(finding for finding in findings if finding.severity == "fatal")


def refuse_findings(findings: Iterable[Finding]) -> None:
    """Refuse a document with fatal findings.

    Raises Refusal `invoice.en16931`; its `rules` are the ids of the broken rules, each once in order of appearance,
    its `findings` the first of each as a map of rule, location, message and values.
    """
    first: dict[str, Finding] = {}
    for finding in fatal(findings):
        first.setdefault(finding.rule, finding)
    if not first:
        return
    shown = list(first.values())[:_RULES_SHOWN_MAX]
    raise Refusal(
        "invoice.en16931",
        "the document breaks rules of EN 16931",
        rules=[finding.rule for finding in shown],
        findings=[
            {"rule": f.rule, "location": f.location, "message": f.message, "values": dict(f.values)} for f in shown
        ],
    )
