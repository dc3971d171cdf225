"""The form of a rule: a test that holds at every place of a context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.formats.en16931.findings import Finding, Severity
from interfirm.formats.en16931.model import Amount, Identifier, Quantity
from interfirm.formats.en16931.places import View, at
from interfirm.formats.numbers import number_text


class Rule(Value, frozen=True):
    """A rule: it holds at every place of its context, or finds something wrong there."""

    id: str
    context: str
    """The name of a context of `places.CONTEXTS`."""
    holds: Callable[[Any, View], bool]
    message: str
    terms: tuple[tuple[str, str], ...] = ()
    """Business terms that the rule reads and the fields that hold them, shown in a finding."""
    severity: Severity = "fatal"

    def findings(self, view: View) -> Iterator[Finding]:
        """Every place where the rule does not hold, up to the limit."""
        met = 0
        for location, place in view.places(self.context):
            if not self.holds(place, view):
                yield Finding(self.id, self.severity, location, self.message, tuple(self._shown(place)))
                met += 1
                if met >= LIMITS.findings_count_max:
                    return

    def _shown(self, place: Any) -> Iterator[tuple[str, str]]:
        for term, path in self.terms:
            held = at(place, path)
            if held is not None:
                yield term, shown(held)


def shown(value: Any) -> str:
    """A held value as people write it, cut to a line."""
    if isinstance(value, Decimal):
        return number_text(value)
    if isinstance(value, Amount):
        value = f"{shown(value.value) if value.value is not None else ''} {value.currency or ''}"
    elif isinstance(value, Quantity):
        value = f"{shown(value.value) if value.value is not None else ''} {value.unit or ''}"
    elif isinstance(value, Identifier):
        value = f"{value.value or ''} {value.scheme or ''}"
    return str(value).strip()[:120]


def filled(value: Any) -> bool:
    """Whether something is there and is not only white space."""
    return value is not None and (not isinstance(value, str) or bool(value.strip()))
