"""A UBL invoice or credit note, read by the binding into the semantic model."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.formats.en16931.findings import Finding, Severity
from interfirm.formats.en16931.model import Document, Invoice
from interfirm.formats.numbers import parse_day, parse_number
from interfirm.formats.ubl.binding import ROOTS, Shape, Term, qualified
from interfirm.formats.ubl.syntax import judge_syntax
from interfirm.formats.xml import Element, attributes, local_name, parse, text_of

_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_MESSAGES = {
    "ubl.value": "the element does not hold a value of its type",
    "ubl.repeated": "an element stands more often than EN 16931 allows",
    "ubl.unmapped": "EN 16931 has no business term for this; it stays in the original file only",
}


def read_ubl(data: bytes) -> Document:
    """The invoice or credit note in a UBL 2.1 file, to be judged next.

    Nothing of a well-formed file is a reason to refuse yet: an element without a business term is a warning
    `ubl.unmapped`, a value that is none of its type a fatal finding `ubl.value`, one too many `ubl.repeated`.
    Raises Refusal `xml.*` as the parser, and `ubl.root` for a document of another kind.
    """
    root = parse(data)
    for kind, (namespace, shape) in ROOTS.items():
        if root.tag == f"{{{namespace}}}{kind}":
            reading = _Reading()
            invoice = reading.value(root, shape, _Place(kind), kind=kind)
            assert isinstance(invoice, Invoice)
            return Document(invoice, (*reading.findings, *judge_syntax(root)))
    raise Refusal("ubl.root", "this is neither a UBL 2.1 invoice nor a credit note", root=str(root.tag)[:120])


class _Place:
    """Where an element stands; its path is written only when a finding needs it."""

    __slots__ = ("_name", "_position", "_within")

    def __init__(self, name: str, within: _Place | None = None, position: int = 1) -> None:
        self._name, self._within, self._position = name, within, position

    def __str__(self) -> str:
        own = self._name if self._position == 1 else f"{self._name}[{self._position}]"
        return f"{self._within}/{own}" if self._within is not None else own


class _Node:
    """One step of the binding, seen from its parent element."""

    def __init__(self) -> None:
        self.own: Term | None = None
        self.repeats = False
        self.steps: dict[str, _Node] = {}
        self.attributes: dict[str, Term] = {}


@cache
def _compiled(shape: Shape) -> _Node:
    """The terms of a shape as a tree of steps."""
    top = _Node()
    for term in shape.fields:
        node = top
        for step in term.path.split("/"):
            if step.startswith("@"):
                node.attributes[step[1:]] = term
                break
            if step == ".":
                node.own = term
                break
            node = node.steps.setdefault(qualified(step), _Node())
            node.repeats = step.endswith("*")
        else:
            node.own = term
    return top


class _Reading:
    """The findings met while one document is read."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._met: Counter[str] = Counter()

    def value(self, element: Element, shape: Shape, place: _Place, **given: Any) -> Value:
        """The value of a shape in an element, with the fields already given."""
        found: dict[str, Any] = dict(given)
        node = _compiled(shape)
        if node.own is not None:
            self._keep(found, node.own, element, place)
        self._walk(element, node, place, found)
        for term in shape.fields:
            # each field is given, because the defaults (the scheme VAT) are for those who write documents
            found[term.field] = tuple(found.get(term.field, ())) if term.repeats else found.get(term.field)
        return shape.type(**found)

    def _walk(self, element: Element, node: _Node, place: _Place, found: dict[str, Any]) -> None:
        for name, text in attributes(element):
            term = node.attributes.get(name)
            if term is not None:
                found[term.field] = text.strip()
            elif not name.startswith("{"):
                self._report("ubl.unmapped", "warning", f"{place}/@{name}")
        seen: dict[str, int] = {}
        for child in element:
            tag = str(child.tag)
            seen[tag] = seen.get(tag, 0) + 1
            below = _Place(local_name(child), place, seen[tag])
            step = node.steps.get(tag)
            if step is None:
                self._report("ubl.unmapped", "warning", below)
            elif seen[tag] > 1 and not step.repeats:
                self._report("ubl.repeated", "fatal", below)
            elif step.own is not None and step.own.shape is not None:
                _put(found, step.own, self.value(child, step.own.shape, below))
            else:
                if step.own is not None:
                    self._keep(found, step.own, child, below)
                self._walk(child, step, below, found)

    def _keep(self, found: dict[str, Any], term: Term, element: Element, place: _Place) -> None:
        text = text_of(element)
        try:
            value = _parsed(term, text)
        except Refusal:
            self._report("ubl.value", "fatal", place, (str(place).rsplit("/", 1)[-1], text[:80]))
            # a day stays as it is written, so that it counts as present
            value = text if term.kind == "day" else None
        _put(found, term, value)

    def _report(self, rule: str, severity: Severity, place: object, *values: tuple[str, str]) -> None:
        self._met[rule] += 1
        if self._met[rule] <= LIMITS.findings_count_max:
            self.findings.append(Finding(rule, severity, str(place), _MESSAGES[rule], values))


def _put(found: dict[str, Any], term: Term, value: Any) -> None:
    if term.repeats:
        found.setdefault(term.field, []).append(value)
    else:
        found[term.field] = value


def _parsed(term: Term, text: str) -> Any:
    match term.kind:
        case "number":
            return parse_number(text)
        case "day":
            parse_day(text)
            return text
        case "flag":
            if text not in _FLAGS:
                raise Refusal("flag.malformed", "this is neither true nor false", text=text[:40])
            return _FLAGS[text]
        case _:
            return text
