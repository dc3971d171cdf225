"""A template's fields as columns of a table, and back: pure.

A field of one value is one column. Money, prices, quantities and records are a column for each part (`gross.amount`,
`gross.currency`); what holds several values (a list, a map) is one cell of JSON. Paths may go on into lists by number
(`lines.0.quantity`) when a table is read.
"""

from __future__ import annotations

import json
import types as python_types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.money import Money, Quantity, UnitPrice
from interfirm.contracts import language

FieldReader = Callable[[str], Any]
"""The JSON value of a cell; ValueError for what is none."""
_PARTS: dict[Any, dict[str, Any]] = {
    Money: {"amount": str, "currency": str},
    UnitPrice: {"amount": str, "currency": str},
    Quantity: {"value": str, "unit": str},
    language.Attachment: {"content": str, "media_type": str, "size_bytes": int, "name": str},
}
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def columns_of(kinds: Mapping[str, Any]) -> list[str]:
    """The paths of all columns of these fields, in order."""
    return [path for name, kind in kinds.items() for path in _paths(name, kind)]


def _paths(path: str, kind: Any) -> list[str]:
    parts = _parts_of(bare(kind))
    if parts is None:
        return [path]
    return [below for name, inner in parts.items() for below in _paths(f"{path}.{name}", inner)]


def _parts_of(kind: Any) -> dict[str, Any] | None:
    if kind in _PARTS:
        return _PARTS[kind]
    if isinstance(kind, type) and issubclass(kind, language.Record):
        return typing.get_type_hints(kind)
    return None


def bare(kind: Any) -> Any:
    """The type of a field that may be empty."""
    if typing.get_origin(kind) in (typing.Union, python_types.UnionType):
        inner = [each for each in typing.get_args(kind) if each is not type(None)]
        return inner[0] if len(inner) == 1 else kind
    return kind


def cell_of(fields: Mapping[str, Any], path: str) -> str:
    """The text of a column in fields as JSON; empty for what is not there."""
    value: Any = fields
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return ""
        value = value[part]
    return text_of(value)


def text_of(value: Any) -> str:
    """A JSON value as the text of a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return str(value)


def kind_at(kinds: Mapping[str, Any], path: str) -> Any:
    """The type at a path; Refusal `bulk.path` where there is none."""
    first, *rest = path.split(".")
    found = kinds.get(first)
    for part in rest:
        found = _kind_below(bare(found), part)
    if found is None:
        raise Refusal("bulk.path", "no field has this path", path=path[:100], fields=list(kinds))
    return bare(found)


def _kind_below(kind: Any, part: str) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and part.isdecimal():
        return inner[0]
    if origin is dict:
        return inner[1]
    if (origin is language.Private or kind is language.Private) and part in ("value", "subject"):
        return str
    return (_parts_of(kind) or {}).get(part)


def reader_of(kind: Any) -> FieldReader:
    """What makes JSON of a cell for a field of this type."""
    if kind is int:
        return _integer
    if kind is bool:
        return _truth
    composed = typing.get_origin(kind) in (tuple, dict) or _parts_of(kind) is not None
    private = typing.get_origin(kind) is language.Private or kind is language.Private
    return _json if composed or private else str


def _integer(text: str) -> int:
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdecimal() or len(text) > 30:
        raise ValueError(text)
    return int(text)


def _truth(text: str) -> bool:
    return _TRUTHS[text.lower()]


def _json(text: str) -> Any:
    # money and quantities may also be written in one cell: `12.50 EUR`
    return json.loads(text) if text[:1] in ("{", "[") else text


def put_at(fields: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a path, making what holds it; Refusal `bulk.path` where two columns fight for one place."""
    *above, last = path.split(".")
    place: Any = fields
    for part in above:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise Refusal("bulk.path", "two columns fill one place", path=path[:100])
    place[last] = value


def listed(value: Any, kind: Any) -> Any:
    """The value with the lists that paths with numbers filled; gaps are left out."""
    kind = bare(kind)
    if not isinstance(value, dict):
        return value
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        return [listed(value[key], inner) for key in sorted(value, key=int)]
    parts = _parts_of(kind) or {}
    return {name: listed(inner, parts.get(name)) for name, inner in value.items()}
