"""The semantic model, written by the binding as UBL 2.1."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lxml import etree

from interfirm.base.values import Value
from interfirm.formats.en16931.model import Document
from interfirm.formats.numbers import number_text
from interfirm.formats.ubl.binding import PREFIXES, ROOTS, Shape, Term, qualified
from interfirm.formats.xml import Element, add, serialise, set_text


def write_ubl(document: Document) -> bytes:
    """The document as a UBL 2.1 file, its elements in the order of the schema; what is absent is not written."""
    kind = document.invoice.kind
    namespace, shape = ROOTS[kind]
    root = etree.Element(f"{{{namespace}}}{kind}", nsmap={None: namespace, **PREFIXES})  # type: ignore[dict-item] # the stubs know no default namespace
    _write(root, document.invoice, shape)
    return serialise(root)


def _write(element: Element, value: Value, shape: Shape) -> None:
    for term in shape.fields:
        held = getattr(value, term.field)
        for item in held if term.repeats else (held,):
            if item is not None:
                _write_term(element, item, term)


def _write_term(element: Element, item: Any, term: Term) -> None:
    target = element
    fresh = False
    for step in term.path.split("/"):
        if step.startswith("@"):
            set_text(target, item, attribute=step[1:])
            return
        if step != ".":
            # below a step that repeats everything is new; above it, values of one group share their parents
            fresh = fresh or step.endswith("*")
            target = _child(target, qualified(step), fresh=fresh)
    if term.shape is not None:
        _write(target, item, term.shape)
    else:
        set_text(target, _text(item))


def _child(parent: Element, name: str, *, fresh: bool) -> Element:
    last = parent[-1] if len(parent) else None
    if not fresh and last is not None and last.tag == name:
        return last
    return add(parent, name)


def _text(item: bool | str | Decimal) -> str:
    match item:
        case bool():
            return "true" if item else "false"
        case Decimal():
            return number_text(item)
        case str():
            return item
