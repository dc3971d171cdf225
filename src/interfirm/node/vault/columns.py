"""How a template's fields become columns of its own table, and a payload one row of it. Pure: knows no database.

Party, Hash, Private, bytes -> one column of bytes. Money -> `<f>_minor`, `<f>_currency`. Quantity -> `<f>_value`,
`<f>_scale`, `<f>_unit`; UnitPrice alike with `_currency`. Rate -> parts per million, Instant -> ms, Day -> the day's
number and `<f>_date` as YYYY-MM-DD. Ref -> `<f>_transaction`, `<f>_index`. int, bool, str and codes as they are;
everything nested as JSON text with bytes in hex. Optional fields may be null.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal

from interfirm.base.money import Money, Quantity, Rate, UnitPrice
from interfirm.base.time import Day, Instant
from interfirm.base.values import Value
from interfirm.contracts.language import Code, Hash, Party, Private, Ref
from interfirm.contracts.types import Plain

ColumnKind = Literal["bytes", "integer", "text", "boolean", "json"]
NAME_CHARS_MAX = 60
"""Some databases cut longer identifiers."""
PARTY_INDEXES_MAX = 4
"""Indexes cost writes; parties declared later are found by scanning."""
OWN_COLUMNS = ("_number", "_transaction", "_index", "_status", "_time_ms")
"""Contract fields cannot begin with an underscore, so these never collide with one."""
_EPOCH = datetime.date(1970, 1, 1).toordinal()


class Column(Value, frozen=True):
    """One column of a template's table."""

    name: str
    kind: ColumnKind
    nullable: bool


class Field(Value, frozen=True):
    """A field of a template and the columns it is spread over."""

    name: str
    kind: str
    """Name of its shape in `SHAPES`."""
    type: Any
    columns: tuple[Column, ...]
    nullable: bool


class Plan(Value, frozen=True):
    """The columns of a template's table, and the columns of each of its indexes."""

    fields: dict[str, Field]
    indexes: tuple[tuple[str, ...], ...]
    keys: frozenset[str]
    """Columns whose values find few rows by an index of their own."""


class Shape(Value, frozen=True):
    """How one kind of field is spread: (suffix, kind) of its columns, and plain value -> their values."""

    columns: tuple[tuple[str, ColumnKind], ...]
    split: Callable[[Plain, bytes], tuple[Any, ...]]
    order: tuple[int, ...] = (0,)
    """Which columns, in which order, sort it; empty where it has no order."""


def _date_text(number: int) -> str:
    return datetime.date.fromordinal(number + _EPOCH).isoformat()


def _one(plain: Plain, transaction: bytes) -> tuple[Any, ...]:
    return (plain,)


def _inner(plain: Plain, transaction: bytes) -> tuple[Any, ...]:
    return (plain[0],)


def _all(plain: Plain, transaction: bytes) -> tuple[Any, ...]:
    return tuple(plain)


def json_text(plain: Plain) -> str:
    """Compact JSON of builtins, bytes as hex text."""
    return json.dumps(plain, default=bytes.hex, ensure_ascii=False, separators=(",", ":"))


SHAPES: dict[str, Shape] = {
    "bytes": Shape((("", "bytes"),), _one),
    "inner-bytes": Shape((("", "bytes"),), _inner),
    "integer": Shape((("", "integer"),), _one),
    "inner-integer": Shape((("", "integer"),), _inner),
    "boolean": Shape((("", "boolean"),), _one),
    "text": Shape((("", "text"),), _one),
    "money": Shape((("_minor", "integer"), ("_currency", "text")), _all, (1, 0)),
    "day": Shape((("", "integer"), ("_date", "text")), lambda plain, _: (plain[0], _date_text(plain[0]))),
    "quantity": Shape((("_value", "integer"), ("_scale", "integer"), ("_unit", "text")), _all, ()),
    "price": Shape((("_value", "integer"), ("_scale", "integer"), ("_currency", "text")), _all, ()),
    "ref": Shape(
        (("_transaction", "bytes"), ("_index", "integer")),
        lambda plain, transaction: (plain[0] or transaction, plain[1]),
        (),
    ),
    "json": Shape((("", "json"),), lambda plain, _: (json_text(plain),), ()),
}
_KINDS: tuple[tuple[type, str], ...] = (
    (Party, "inner-bytes"), (Hash, "inner-bytes"), (Private, "inner-bytes"), (Ref, "ref"), (Money, "money"),
    (Quantity, "quantity"), (UnitPrice, "price"), (Rate, "inner-integer"), (Instant, "inner-integer"), (Day, "day"),
    (Code, "text"), (bool, "boolean"), (int, "integer"), (str, "text"), (bytes, "bytes"),
)  # fmt: skip


def plan_of(fields: Mapping[str, Any]) -> Plan:
    """The columns and indexes for a template's fields (name -> type, in declared order)."""
    taken = {name.casefold() for name in OWN_COLUMNS}
    planned: dict[str, Field] = {}
    for name, kind in fields.items():
        inner, nullable = inner_of(kind)
        shape = _kind_of(inner)
        columns = tuple(Column(_free(name + suffix, taken), of, nullable) for suffix, of in SHAPES[shape].columns)
        planned[name] = Field(name, shape, inner, columns, nullable)
    return Plan(fields=planned, indexes=_indexes(planned), keys=_keys(planned))


def row_of(plan: Plan, payload: Plain, transaction: bytes) -> list[Any]:
    """The values of a payload's columns in order; refs to (self, i) become (transaction, i)."""
    row: list[Any] = []
    for field, plain in zip(plan.fields.values(), payload, strict=True):
        row.extend(values_of(field, plain, transaction))
    return row


def values_of(field: Field, plain: Plain, transaction: bytes = b"") -> tuple[Any, ...]:
    """The values of one field's columns; all None where the field is empty."""
    return (None,) * len(field.columns) if plain is None else SHAPES[field.kind].split(plain, transaction)


def inner_of(kind: Any) -> tuple[Any, bool]:
    """A field's type without None, and whether None is allowed."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        inner = [arg for arg in typing.get_args(kind) if arg is not type(None)]
        if len(inner) < len(typing.get_args(kind)):
            return (inner[0] if len(inner) == 1 else kind), True
    return kind, False


def template_of_ref(kind: Any) -> str | None:
    """The template, its package's name before its own, whose contracts fields of a type Ref name; None for others."""
    inner, _ = inner_of(kind)
    targets = typing.get_args(inner)
    if typing.get_origin(inner) is not Ref or not isinstance(targets[0], type):
        return None
    return f"{targets[0].__module__.partition('@')[0].rpartition('.')[0]}.{targets[0].__name__}"


def _kind_of(kind: Any) -> str:
    base = typing.get_origin(kind) or kind
    if isinstance(base, type):
        for known, name in _KINDS:
            if issubclass(base, known):
                return name
    return "json"


def _free(wanted: str, taken: set[str]) -> str:
    """A column name as wanted, or near it where it is too long or differs from another by case alone."""
    name = wanted
    if len(name) > NAME_CHARS_MAX:
        name = f"{name[: NAME_CHARS_MAX - 9]}_{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"
    while name.casefold() in taken:
        name += "_"
    taken.add(name.casefold())
    return name


def _keys(fields: Mapping[str, Field]) -> frozenset[str]:
    return frozenset(f.columns[0].name for f in fields.values() if _is_number(f) or f.kind == "ref")


def _is_number(field: Field) -> bool:
    return field.name == "number" and field.kind == "text"


def _indexes(fields: Mapping[str, Field]) -> tuple[tuple[str, ...], ...]:
    """The automatic rule: by time, by each party and time, the same by `due`, by `number`, by each contract named.

    Every index ends in `_number`, so that a page can be continued among ties.
    """
    due = [f.columns[0].name for f in fields.values() if f.name == "due" and SHAPES[f.kind].order == (0,)]
    parties = [f.columns[0].name for f in fields.values() if f.type is Party][:PARTY_INDEXES_MAX]
    keys = [f.columns[0].name for f in fields.values() if _is_number(f)]
    refs = [tuple(c.name for c in f.columns) for f in fields.values() if f.kind == "ref"]
    found: list[tuple[str, ...]] = []
    for by in ("_time_ms", *due):
        found.append(("_status", by, "_number"))
        found += [("_status", party, by, "_number") for party in parties]
    found += [("_status", key, "_number") for key in keys]
    found += [("_status", *ref, "_number") for ref in refs]
    return tuple(found)
