"""How a template's fields become columns of its own table, and a payload one row of it. Pure: knows no database.

Party, Hash, Private, bytes -> one column of bytes. Money -> `<f>_minor`, `<f>_currency`. Quantity -> `<f>_value`,
`<f>_scale`, `<f>_unit`; UnitPrice alike with `_currency`. Rate -> parts per million, Instant -> ms, Day -> the day's
number and `<f>_date` as YYYY-MM-DD. Ref -> `<f>_transaction`, `<f>_index`. int, bool, str and codes as they are;
everything nested as JSON text with bytes in hex. Optional fields may be null.

Each field that has an order gets an index, so that no list is sorted as a whole; texts are ordered by their beginning.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal

from interfirm.base.money import Money, Quantity, Rate, UnitPrice
from interfirm.base.time import Day, Instant
from interfirm.base.values import Value
from interfirm.contracts.language import Code, Hash, Party, Private, Record, Ref
from interfirm.contracts.types import Plain

ColumnKind = Literal["bytes", "integer", "text", "boolean", "json"]
NAME_CHARS_MAX = 60
"""Some databases cut longer identifiers."""
PARTY_INDEXES_MAX = 4
"""Parties that are indexed together with `due`."""
ORDERS_MAX = 24
"""Fields of a template that lists can be ordered by: each costs an index."""
ORDERED_CHARS_MAX = 200
"""Texts are ordered by so much of them: databases limit what an index holds."""
OWN_COLUMNS = ("_number", "_transaction", "_index", "_status", "_time_ms")
"""Contract fields cannot begin with an underscore, so these never collide with one."""
_json = json.JSONEncoder(default=bytes.hex, ensure_ascii=False, separators=(",", ":")).encode
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


class Sorted(Value, frozen=True):
    """A column as an index has it; of one that is `cut`, the beginning."""

    column: str
    nullable: bool = False
    cut: bool = False


class Plan(Value, frozen=True):
    """The columns of a template's table, and of each of its indexes."""

    fields: dict[str, Field]
    indexes: tuple[tuple[Sorted, ...], ...]
    keys: frozenset[str]
    """Columns whose values find few rows by an index of their own."""
    orders: dict[str, tuple[Sorted, ...]]
    """By which columns a list is ordered by a field; what is alike for a party comes by time."""
    texts: dict[str, str]
    """The fields in which words are searched for, with the codes that `words.py` knows them by."""
    documents: tuple[str, ...]
    """Columns of JSON."""


TIME_COLUMN, NUMBER_COLUMN, STATUS_COLUMN = Sorted("_time_ms"), Sorted("_number"), Sorted("_status")


class Shape(Value, frozen=True):
    """How one kind of field is spread: (suffix, kind) of its columns, and plain value -> their values."""

    columns: tuple[tuple[str, ColumnKind], ...]
    split: Callable[[Plain, bytes], tuple[Any, ...]]
    order: tuple[int, ...] = (0,)
    """Which columns, in which order, sort it; empty where it has no order."""
    paths: tuple[tuple[int, ...] | None, ...] = ((),)
    """Where the columns' values lie in the JSON of the field; None for what is not there."""


def _date_text(number: int) -> str:
    return datetime.date.fromordinal(number + _EPOCH).isoformat()


def _one(plain: Plain, transaction: bytes) -> tuple[Any, ...]:
    return (plain,)


def _inner(plain: Plain, transaction: bytes) -> tuple[Any, ...]:
    return (plain[0],)


def _all(plain: Plain, transaction: bytes) -> tuple[Any, ...]:
    return tuple(plain)


def json_text(plain: Plain) -> str:
    """Compact JSON of builtins, bytes as hex text; U+2400 stands for U+0000, which PostgreSQL has in no text."""
    text = _json(plain)
    return _NUL.sub(lambda found: found[0] if found[1] is None else "\u2400", text) if "\\u0000" in text else text


_NUL = re.compile(r"\\(?:(u0000)|.)")


_EACH = ((0,), (1,), (2,))
SHAPES: dict[str, Shape] = {
    "bytes": Shape((("", "bytes"),), _one),
    "inner-bytes": Shape((("", "bytes"),), _inner, paths=((0,),)),
    "integer": Shape((("", "integer"),), _one),
    "inner-integer": Shape((("", "integer"),), _inner, paths=((0,),)),
    "boolean": Shape((("", "boolean"),), _one),
    "text": Shape((("", "text"),), _one),
    "money": Shape((("_minor", "integer"), ("_currency", "text")), _all, (1, 0), _EACH[:2]),
    "day": Shape(
        (("", "integer"), ("_date", "text")), lambda plain, _: (plain[0], _date_text(plain[0])), paths=((0,), None)
    ),
    "quantity": Shape((("_value", "integer"), ("_scale", "integer"), ("_unit", "text")), _all, (), _EACH),
    "price": Shape((("_value", "integer"), ("_scale", "integer"), ("_currency", "text")), _all, (), _EACH),
    "ref": Shape(
        (("_transaction", "bytes"), ("_index", "integer")),
        lambda plain, transaction: (plain[0] or transaction, plain[1]),
        (),
        _EACH[:2],
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
    orders = _orders(planned)
    searched = [field.name for field in planned.values() if field.kind in ("text", "json")]
    return Plan(
        fields=planned, indexes=_indexes(planned, orders), keys=_keys(planned), orders=orders,
        texts={name: f"{n:02x}" for n, name in enumerate(searched)},
        documents=tuple(field.columns[0].name for field in planned.values() if field.kind == "json"),
    )  # fmt: skip


@functools.cache
def plan_of_record(record: type[Record]) -> Plan:
    """The columns that a record would have, in the order of its fields."""
    hints = typing.get_type_hints(record)
    return plan_of({name: hints[name] for name in record.__struct_fields__})


def record_of(kind: Any) -> tuple[type[Record] | None, bool]:
    """The record that a field's type is, or that its items are, and whether they are several; None for other types."""
    inner, _ = inner_of(kind)
    items = typing.get_args(inner)
    several = typing.get_origin(inner) is tuple and len(items) == 2 and items[1] is ...
    inner = items[0] if several else inner
    return (inner if isinstance(inner, type) and issubclass(inner, Record) else None), several


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


def _orders(fields: Mapping[str, Field]) -> dict[str, tuple[Sorted, ...]]:
    ordered = [field for field in fields.values() if SHAPES[field.kind].order and not _is_opaque(field)]
    return {field.name: _order(field) for field in ordered[:ORDERS_MAX]}


def _is_opaque(field: Field) -> bool:
    """Whether nobody knows an order of its values: hashes, commitments and other bytes."""
    return field.kind in ("bytes", "inner-bytes") and field.type is not Party


def is_cut(field: Field) -> bool:
    """Whether only the beginning of a text is in an index; of a number the table holds no more."""
    return field.type is str and not _is_number(field)


def _order(field: Field) -> tuple[Sorted, ...]:
    columns = [field.columns[n] for n in SHAPES[field.kind].order]
    found = tuple(Sorted(column.name, column.nullable, is_cut(field)) for column in columns)
    return (*found, TIME_COLUMN) if field.type is Party else found


def _indexes(fields: Mapping[str, Field], orders: Mapping[str, tuple[Sorted, ...]]) -> tuple[tuple[Sorted, ...], ...]:
    """The automatic rule: by time, by each party and `due`, by each contract named, by each order (see `_order`).

    Every index ends in `_number`, so that a page can be continued among ties.
    """
    due = [orders[f.name][0] for f in fields.values() if f.name == "due" and len(orders.get(f.name, ())) == 1]
    parties = [Sorted(f.columns[0].name, f.nullable) for f in fields.values() if f.type is Party][:PARTY_INDEXES_MAX]
    refs = [tuple(Sorted(c.name, c.nullable) for c in f.columns) for f in fields.values() if f.kind == "ref"]
    found = dict.fromkeys([(TIME_COLUMN,), *((p, by) for by in due for p in parties), *refs, *orders.values()])
    return tuple((STATUS_COLUMN, *columns, NUMBER_COLUMN) for columns in found)
