"""A filter over a template's table: what the statement depends on apart from the values, and the values. Pure.

`Binder` turns a `Where` into a `Node`, which names columns, and slots where values go: equal nodes make equal
statements, so statements are kept by them, and no value is ever part of one. `criteria.py` makes SQL of nodes.
"""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.contracts.language import Private, Record
from interfirm.contracts.types import TemplateId
from interfirm.node.vault.columns import (
    ORDERED_CHARS_MAX,
    SHAPES,
    ColumnKind,
    Field,
    Plan,
    inner_of,
    is_cut,
    json_text,
    plan_of_record,
    record_of,
    template_of_ref,
    values_of,
)
from interfirm.node.vault.template_tables import TemplateTable
from interfirm.node.vault.where import AllOf, AnyOf, Compare, Inside, Not, Related, Search, Where, holds, lowered
from interfirm.node.vault.words import query, terms_of

VALUES_COUNT_MAX = 1000
"""Values of one `in`."""
_INNER = ("inner-bytes", "inner-integer", "day")
SINGLE = (*_INNER, "bytes", "integer", "boolean", "text")
"""Kinds of fields that are one column as far as comparisons go."""
_WILD = re.compile("[%_]")
_LAST_BEFORE_SURROGATES = 0xD7FF


class Comparison(Value, frozen=True):
    """One column compared; of the slots, `in` has any number and `is-null` and `not-null` none."""

    column: str
    operator: str
    slots: tuple[str, ...] = ()


class Every(Value, frozen=True):
    """All parts."""

    parts: tuple[Node, ...]


class Some(Value, frozen=True):
    """One part at least."""

    parts: tuple[Node, ...]


class Opposite(Value, frozen=True):
    """The part is false or says nothing."""

    part: Node


class Linked(Value, frozen=True):
    """The contract that the columns (transaction, index) name is of one of the templates, with its part."""

    columns: tuple[str, str]
    targets: tuple[tuple[TemplateId, Node], ...]


class Nested(Value, frozen=True):
    """A column of JSON has a part; whatever has it contains, in whatever order, the JSON in the slot."""

    column: str
    pattern: Pattern
    contained: str


class Found(Value, frozen=True):
    """The words of the contract are those that the query in the slot wants."""

    template: TemplateId
    slot: str


class Leaf(Value, frozen=True):
    """Where in the JSON of a record the value of a column lies, and of which kind it is."""

    path: tuple[int, ...]
    kind: ColumnKind


class Within(Value, frozen=True):
    """The part holds for the record in a column of JSON, or for some record of the list there."""

    column: str
    several: bool
    leaves: tuple[tuple[str, Leaf], ...]
    """Columns of the record, as far as they lie there."""
    part: Node


class Same(Value, frozen=True):
    """The JSON is the text in the slot."""

    slot: str


class Items(Value, frozen=True):
    """The places of a list that a record is, each with its part."""

    parts: tuple[tuple[int, Pattern], ...]


class Holding(Value, frozen=True):
    """For each part there is an item of the list that has it."""

    parts: tuple[Pattern, ...]


class Keys(Value, frozen=True):
    """The map has the key in each slot, and there the part."""

    parts: tuple[tuple[str, Pattern], ...]


Node = Comparison | Every | Some | Opposite | Linked | Nested | Found | Within
Pattern = Same | Items | Holding | Keys
ALWAYS, NEVER = Every(()), Some(())


class Planned(Protocol):
    """What has columns: the table of a template, or a record in JSON."""

    @property
    def plan(self) -> Plan:
        """Its columns."""

    @property
    def template(self) -> TemplateId | None:
        """Whose table it is; None for a record."""


class Tables(Protocol):
    """The tables of templates by name (template_tables.TemplateTables)."""

    def named(self, name: str) -> list[TemplateTable]:
        """All loaded versions, oldest first; Refusal `vault.template`."""


class _Record(Value, frozen=True):
    """A record in JSON."""

    plan: Plan
    template: None = None


class Binder:
    """Makes nodes of filters for a database's dialect; `given` collects the values by slot."""

    def __init__(self, tables: Tables, dialect: str) -> None:
        self._tables, self._dialect = tables, dialect
        self._is_inner = False
        """Whether what lies in JSON is compared, where bytes are hex."""
        self.given: dict[str, Any] = {}

    def bind(self, where: Where, table: Planned, newest: Planned) -> Node:
        """The node of a filter for one version of a template; Refusal `vault.where` for what fits no field.

        A field that only the newest version has is empty in the others.
        """
        match where:
            case AllOf(parts):
                return Every(tuple(self.bind(part, table, newest) for part in parts))
            case AnyOf(parts):
                return Some(tuple(self.bind(part, table, newest) for part in parts))
            case Not(part):
                return Opposite(self.bind(part, table, newest))
            case Search():
                return self._search(where, table, newest)
        field = table.plan.fields.get(where.field)
        if field is None:
            check(where.field in newest.plan.fields, "vault.where", "the template has no such field",
                  field=where.field[:80])  # fmt: skip
            return ALWAYS if holds(where, {where.field: None}, lambda _: None) else NEVER
        # a contract of the same transaction is named in JSON without its id
        plain = not self._is_inner or field.kind != "ref"
        check(plain, "vault.where", "refs within nested values are not compared", field=field.name)
        match where:
            case Related(_, part):
                return self._linked(field, part)
            case Inside(_, part):
                return self._within(field, part)
            case Compare():
                return self._compared(field, where)

    def _linked(self, field: Field, part: Where) -> Node:
        target = template_of_ref(field.type)
        if target is None:
            raise Refusal("vault.where", "the field names no contract of a known template", field=field.name)
        versions = self._tables.named(target)
        transaction, index = (column.name for column in field.columns)
        return Linked(
            (transaction, index), tuple((each.template, self.bind(part, each, versions[-1])) for each in versions)
        )

    def _within(self, field: Field, part: Where) -> Node:
        record, several = record_of(field.type)
        if record is None:
            raise Refusal("vault.where", "the field holds no records", field=field.name)
        inner = _Record(plan_of_record(record))
        outer, self._is_inner = self._is_inner, True
        bound = self.bind(part, inner, inner)
        self._is_inner = outer
        return Within(field.columns[0].name, several, tuple(_leaves(inner.plan)), bound)

    def _search(self, search: Search, table: Planned, newest: Planned) -> Node:
        texts, known = table.plan.texts, newest.plan.texts
        unknown = [name for name in search.fields if name not in texts and name not in known]
        check(table.template is not None and not unknown, "vault.where",
              "words are searched for in texts and nested values of a template", fields=unknown)  # fmt: skip
        terms, codes = terms_of(search.text), [texts[name] for name in search.fields if name in texts]
        if not terms or not codes or table.template is None:
            return NEVER if terms else ALWAYS
        return Found(table.template, self._slot(query(self._dialect, terms, codes)))

    def _compared(self, field: Field, compare: Compare) -> Node:
        operator, value = compare.operator, compare.value
        match operator:
            case "eq":
                return self._equal(field, value)
            case "ne":
                return Opposite(self._equal(field, value))
            case "in":
                return self._one_of(field, value)
            case "not_in":
                return Opposite(self._one_of(field, value))
            case "is_null" if isinstance(value, bool):
                return Comparison(field.columns[0].name, "is-null" if value else "not-null")
            case "lt" | "le" | "gt" | "ge" if value is not None and _has_order(field):
                return self._ordered(field, operator, value)
            case "like" | "ilike" if _is_text(field, value):
                return self._like(field, operator, value)
            case "not_like" | "not_ilike" if _is_text(field, value):
                present = Comparison(field.columns[0].name, "not-null")
                return Every((present, Opposite(self._like(field, operator.removeprefix("not_"), value))))
            case "contains" if field.kind == "json" and value is not None:
                return self._nested(field, self._pattern(field.type, value, field.name))
            case "has_key" if typing.get_origin(field.type) is dict and isinstance(value, str):
                return Comparison(field.columns[0].name, "has-key", (self._slot(value),))
        raise Refusal("vault.where", "the field cannot be compared so", field=field.name, operator=operator[:40])

    def _slot(self, value: Any) -> str:
        name = f"w{len(self.given)}"
        self.given[name] = value.hex() if self._is_inner and isinstance(value, bytes) else value
        return name

    def _equal(self, field: Field, value: Any) -> Node:
        check(field.kind != "json", "vault.where", "the field cannot be compared so", field=field.name, operator="eq")
        columns = [column.name for column in field.columns]
        if value is None:
            return Comparison(columns[0], "is-null")
        values = stored_values(field, value)
        if field.kind in SINGLE:
            return Comparison(columns[0], "eq", (self._slot(values[0]),))
        return Every(tuple(Comparison(c, "eq", (self._slot(v),)) for c, v in zip(columns, values, strict=True)))

    def _one_of(self, field: Field, values: Any) -> Node:
        few = isinstance(values, (list, tuple)) and len(values) <= VALUES_COUNT_MAX
        check(few, "vault.where", "one of a list is wanted, of not too many", field=field.name,
              count_max=VALUES_COUNT_MAX)  # fmt: skip
        if field.kind not in SINGLE or None in values:
            return Some(tuple(self._equal(field, value) for value in values))
        slots = tuple(self._slot(stored_values(field, value)[0]) for value in values)
        return Comparison(field.columns[0].name, "in", slots)

    def _ordered(self, field: Field, operator: str, value: Any) -> Node:
        values = stored_values(field, value)
        compared = Comparison(field.columns[0].name, operator, (self._slot(values[0]),))
        if field.kind != "money":
            return compared
        return Every((Comparison(field.columns[1].name, "eq", (self._slot(values[1]),)), compared))

    def _like(self, field: Field, operator: str, pattern: str) -> Node:
        fits = len(pattern) <= LIMITS.pattern_chars_max and pattern.count("%") <= LIMITS.pattern_wildcards_max
        check(fits, "vault.where", "the pattern is too long", field=field.name, chars_max=LIMITS.pattern_chars_max,
              wildcards_max=LIMITS.pattern_wildcards_max)  # fmt: skip
        column = field.columns[0].name
        if operator == "ilike":
            return Comparison(column, operator, (self._slot(lowered(pattern)),))
        begin = _WILD.split(pattern)[0]
        fitting = Comparison(column, operator, (self._slot(pattern),))
        if not begin or ord(begin[-1]) >= _LAST_BEFORE_SURROGATES:
            return fitting
        # texts that begin alike lie together in an index
        cut = "-of-beginning" if is_cut(field) else ""
        begin = begin[:ORDERED_CHARS_MAX]
        between = (("ge", begin), ("lt", begin[:-1] + chr(ord(begin[-1]) + 1)))
        sides = tuple(Comparison(column, f"{side}{cut}", (self._slot(text),)) for side, text in between)
        return Every((*sides, fitting))

    def _nested(self, field: Field, pattern: Pattern) -> Nested:
        return Nested(field.columns[0].name, pattern, self._slot(json.dumps(self._contained(pattern))))

    def _contained(self, pattern: Pattern) -> Any:
        """JSON that contains no more than what has the part: an index finds it, without regard to places in lists."""
        match pattern:
            case Same(slot):
                return json.loads(self.given[slot])
            case Items(parts):
                return [self._contained(part) for _, part in parts]
            case Holding(parts):
                return [self._contained(part) for part in parts]
            case Keys(parts):
                return {self.given[slot]: self._contained(part) for slot, part in parts}

    def _pattern(self, kind: Any, wanted: Any, at: str) -> Pattern:
        """What is wanted of a nested value of this type."""
        kind, _ = inner_of(kind)
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        several = origin is tuple and len(arguments) == 2 and arguments[1] is ...
        if several and isinstance(wanted, (list, tuple)):
            return Holding(tuple(self._pattern(arguments[0], each, at) for each in _some(wanted, at)))
        if origin is dict and isinstance(wanted, Mapping):
            given = _some(wanted, at)
            return Keys(tuple((self._slot(key), self._pattern(arguments[1], given[key], at)) for key in given))
        if isinstance(kind, type) and issubclass(kind, Record) and isinstance(wanted, Mapping):
            return Items(tuple(self._parts(kind, _some(wanted, at), at)))
        plain = codec.plain(wanted)
        if plain is not None:
            _check_value(kind, plain, at)
        return Same(self._slot(json_text(plain)))

    def _parts(self, kind: type[Record], wanted: Mapping[str, Any], at: str) -> Iterable[tuple[int, Pattern]]:
        names, hints = kind.__struct_fields__, typing.get_type_hints(kind)
        for name, part in wanted.items():
            check(name in names, "vault.where", "the record has no such field", field=f"{at}.{name[:80]}")
            yield names.index(name), self._pattern(hints[name], part, f"{at}.{name}")


def equalities(node: Node) -> frozenset[str]:
    """The columns that have one of some values wherever the node holds."""
    match node:
        case Every(parts):
            return frozenset().union(*(equalities(part) for part in parts))
        case Comparison(column, "eq" | "in", _):
            return frozenset((column,))
    return frozenset()


def stored_values(field: Field, value: Any) -> tuple[Any, ...]:
    """The values of the field's columns for a typed or plain value, or the inner value of a Party, Day or the like.

    Raises Refusal `vault.where` for what is no value of the field.
    """
    plain = codec.plain(value)
    if plain is None:
        return values_of(field, None)
    if field.kind in _INNER and not isinstance(plain, list):
        plain = [plain]
    _check_value(field.type, plain, field.name)
    return values_of(field, plain)


def _check_value(kind: Any, plain: Any, at: str) -> None:
    try:
        codec.from_plain(plain, kind)
    except Refusal as refusal:
        raise Refusal("vault.where", "this is no value of the field", field=at, rule=refusal.code) from refusal


def _leaves(plan: Plan) -> Iterator[tuple[str, Leaf]]:
    for place, field in enumerate(plan.fields.values()):
        for column, path in zip(field.columns, SHAPES[field.kind].paths, strict=True):
            if path is not None:
                yield column.name, Leaf((place, *path), column.kind)


def _has_order(field: Field) -> bool:
    private = field.type is Private or typing.get_origin(field.type) is Private
    return bool(SHAPES[field.kind].order) and not private


def _is_text(field: Field, value: Any) -> bool:
    return field.kind == "text" and isinstance(value, str)


W = typing.TypeVar("W", Sequence[Any], Mapping[str, Any])


def _some(wanted: W, at: str) -> W:
    check(0 < len(wanted) <= VALUES_COUNT_MAX, "vault.where", "a part of a nested value has something in it, but not "
          "too much", field=at, count_max=VALUES_COUNT_MAX)  # fmt: skip
    return wanted
