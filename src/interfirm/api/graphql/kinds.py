"""GraphQL types of the types that contract fields and arguments have, beside what `node.forms` reads and writes.

Whole numbers have 64 bits and are JSON numbers; money is `{amount, currency}` with the amount as a decimal text; days,
instants, rates, hashes and codes are texts. Source: GraphQL specification, October 2021, section 3.
"""

from __future__ import annotations

import typing
from enum import Enum
from operator import itemgetter
from typing import Any

import msgspec
from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLString,
)

from interfirm.api.graphql.leaves import shown_field
from interfirm.base.money import Money, Quantity, Rate, UnitPrice
from interfirm.base.time import Day, Instant
from interfirm.contracts import language
from interfirm.node.vault.columns import SHAPES, Field, inner_of, plan_of_record, record_of
from interfirm.node.vault.conditions import SINGLE

INTEGER = GraphQLScalarType("Integer", description="A whole number of 64 bits.")
DAY = GraphQLScalarType("Day", description="A calendar day, `2026-10-05`.")
INSTANT = GraphQLScalarType("Instant", description="A point in time, `2026-10-05T12:00:00.000Z`.")
RATE = GraphQLScalarType("Rate", description='A ratio, `"0.85"` or `"85 %"`.')
HEX = GraphQLScalarType("Hex", description="Bytes in hex; of a private value its commitment.")
REF = GraphQLScalarType("Ref", description="A contract: `transaction id in hex:index`.")
JSON = GraphQLScalarType("Json", description="A nested value.")
DIRECTION = GraphQLEnumType("Direction", {"asc": "", "desc": "-"})
STATUS = GraphQLEnumType("Status", {name: name for name in ("active", "consumed", "locked", "all")})
_SCALARS: dict[Any, GraphQLScalarType] = {
    language.Party: GraphQLString, Rate: RATE, Day: DAY, Instant: INSTANT, bytes: HEX, language.Hash: HEX,
    bool: GraphQLBoolean, int: INTEGER, str: GraphQLString,
}  # fmt: skip
_AMOUNT = {"amount": GraphQLString, "currency": GraphQLString}
_OBJECTS: dict[Any, tuple[str, dict[str, GraphQLScalarType]]] = {
    Money: ("Money", _AMOUNT),
    UnitPrice: ("UnitPrice", _AMOUNT),
    Quantity: ("Quantity", {"value": GraphQLString, "unit": GraphQLString}),
    language.Attachment: (
        "Attachment",
        {"content": HEX, "media_type": GraphQLString, "size_bytes": INTEGER, "name": GraphQLString},
    ),
}
_TEXT_OPERATORS = ("_like", "_nlike", "_ilike", "_nilike")
SEARCH_ABOUT = "Each word stands in some text of the contract; `bolt*` is any word that begins so."
_ORDER_OPERATORS = ("_lt", "_lte", "_gt", "_gte")


class Kinds:
    """The types of one schema, each made once."""

    def __init__(self) -> None:
        self._made: dict[Any, Any] = {}
        self._names: set[str] = set()
        self.private = _input("PrivateValue", {"value": GraphQLNonNull(JSON), "subject": GraphQLNonNull(GraphQLString)},
                              "A private value, and whom it is about, for whose sake it can be erased.")  # fmt: skip

    def output(self, kind: Any) -> Any:
        """The type in which values are shown; all may be empty."""
        kind, _ = inner_of(kind)
        inner, arguments = typing.get_origin(kind), typing.get_args(kind)
        if inner is tuple and len(arguments) == 2 and arguments[1] is ...:
            return GraphQLList(self.output(arguments[0]))
        if kind in _OBJECTS:
            return self._once(("out", kind), lambda: _object(*_OBJECTS[kind]))
        if _is_record(kind):
            return self._once(("out", kind), lambda: self._record(kind))
        return _leaf(kind)

    def input(self, kind: Any) -> Any:
        """The type in which values are given."""
        kind, _ = inner_of(kind)
        inner, arguments = typing.get_origin(kind), typing.get_args(kind)
        if inner is tuple and len(arguments) == 2 and arguments[1] is ...:
            return GraphQLList(GraphQLNonNull(self.input(arguments[0])))
        if kind is language.Private or inner is language.Private:
            return self.private
        if kind in _OBJECTS:
            name, parts = _OBJECTS[kind]
            required = {part: GraphQLNonNull(scalar) for part, scalar in parts.items()}
            return self._once(("in", kind), lambda: _input(f"{name}_input", required))
        if _is_record(kind):
            return self._once(("in", kind), lambda: self._record_input(kind))
        return _leaf(kind)

    def given(self, hints: dict[str, Any], required: typing.Container[str]) -> dict[str, GraphQLInputField]:
        """The fields of an input that has these names and types; what may be empty may be left out."""
        return {name: self._given(kind, required=name in required) for name, kind in hints.items()}

    def _given(self, kind: Any, *, required: bool) -> GraphQLInputField:
        made, empty = self.input(kind), inner_of(kind)[1]
        if not required:
            return GraphQLInputField(made)
        return GraphQLInputField(made, None) if empty else GraphQLInputField(GraphQLNonNull(made))

    def comparison(self, field: Field, *, searched: bool = True) -> Any:
        """How a field can be compared (see node/vault/filters.py)."""
        if field.kind == "json":
            return self._nested(field)
        if field.type is language.Private or typing.get_origin(field.type) is language.Private:
            return self._comparison("Private", {})
        given: Any = REF if field.kind == "ref" else self.input(field.type)
        name = str(getattr(given, "name", given)).removesuffix("_input")
        operators = dict.fromkeys(("_eq", "_neq"), given)
        operators |= dict.fromkeys(("_in", "_nin"), GraphQLList(GraphQLNonNull(given)))
        operators |= dict.fromkeys(_ORDER_OPERATORS, given) if SHAPES[field.kind].order else {}
        if field.kind != "text":
            return self._comparison("Party" if name == "String" else name, operators)
        operators |= dict.fromkeys((*_TEXT_OPERATORS, *(("_matches",) if searched else ())), GraphQLString)
        return self._comparison("Text" if searched else "Text_part", operators)

    def _nested(self, field: Field, *, searched: bool = True) -> Any:
        """Comparisons of a nested value, and where it holds records the fields of these."""
        operators: dict[str, Any] = {"_contains": JSON}
        operators |= {"_matches": GraphQLString} if searched else {}
        if typing.get_origin(field.type) is dict:
            operators["_has_key"] = GraphQLString
            operators |= dict.fromkeys(("_has_keys_any", "_has_keys_all"), GraphQLList(GraphQLNonNull(GraphQLString)))
        record, _ = record_of(field.type)
        if record is None:
            return self._comparison(f"{'Map' if '_has_key' in operators else 'Nested'}{'' if searched else '_part'}",
                                    operators)  # fmt: skip
        return self._once(("nested", record, searched), lambda: self._record_where(record, operators))

    def _record_where(self, record: Any, operators: dict[str, Any]) -> GraphQLInputObjectType:
        name = self._name(record, "_where" if "_matches" in operators else "_part_where")

        def fields() -> dict[str, GraphQLInputField]:
            itself = GraphQLInputField(GraphQLList(GraphQLNonNull(made)))
            found = {each: GraphQLInputField(kind) for each, kind in {**operators, "_is_null": GraphQLBoolean}.items()}
            found |= {"_and": itself, "_or": itself, "_not": GraphQLInputField(made)}
            for each, part in plan_of_record(record).fields.items():
                if part.kind == "json":
                    found[each] = GraphQLInputField(self._nested(part, searched=False))
                elif part.kind != "ref":
                    found[each] = GraphQLInputField(self.comparison(part, searched=False))
            return found

        made = GraphQLInputObjectType(name, fields)
        return made

    def _comparison(self, name: str, operators: dict[str, Any]) -> Any:
        every = {**operators, "_is_null": GraphQLBoolean}
        return self._once(("comparison", name), lambda: _input(f"{name}_comparison", every))

    def figures(self, field: Field) -> Any:
        """What the values of a field come to, of money by currency; None where there are no figures."""
        if field.kind not in (*SINGLE, "money"):
            return None
        shown = self.output(field.type)
        ordered = field.kind not in ("boolean", "bytes", "inner-bytes")
        adds = field.type in (int, Rate, Money)
        name = f"{getattr(shown, 'name', 'Value')}_{'figures' if ordered else 'counts'}"
        parts: dict[str, Any] = {"count": INTEGER, "distinct": INTEGER}
        parts |= {"min": shown, "max": shown} if ordered else {}
        parts |= {"sum": shown, "average": GraphQLString if field.type is int else shown} if adds else {}
        made = self._once(("figures", name), lambda: _object(name, parts))
        return GraphQLList(GraphQLNonNull(made)) if field.kind == "money" else made

    def _once(self, key: Any, make: typing.Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _record(self, cls: Any) -> GraphQLObjectType:
        hints = typing.get_type_hints(cls)
        return GraphQLObjectType(
            self._name(cls, ""),
            lambda: {name: GraphQLField(self.output(hints[name])) for name in cls.__struct_fields__},
            description=_about(cls),
        )

    def _record_input(self, cls: Any) -> GraphQLInputObjectType:
        hints = {name: typing.get_type_hints(cls)[name] for name in cls.__struct_fields__}
        required = [field.name for field in msgspec.structs.fields(cls) if field.required]
        return GraphQLInputObjectType(self._name(cls, "_input"), lambda: self.given(hints, required))

    def _name(self, cls: Any, suffix: str) -> str:
        """`folder_Name`; packages of two versions may each have a record of one name."""
        wanted = f"{cls.__module__.partition('@')[0].split('.')[-2]}_{cls.__name__}_record"
        name = wanted + suffix
        while name in self._names:
            wanted += "_"
            name = wanted + suffix
        self._names.add(name)
        return name


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, language.Record)


def _leaf(kind: Any) -> GraphQLScalarType:
    if kind in _SCALARS:
        return _SCALARS[kind]
    base = typing.get_origin(kind) or kind
    if base is language.Ref:
        return REF
    if base is language.Private:
        return HEX
    return GraphQLString if isinstance(base, type) and issubclass(base, Enum) else JSON


def _object(name: str, parts: dict[str, Any]) -> GraphQLObjectType:
    return GraphQLObjectType(name, {part: shown_field(kind, itemgetter(part)) for part, kind in parts.items()})


def _input(name: str, parts: dict[str, Any], about: str | None = None) -> GraphQLInputObjectType:
    return GraphQLInputObjectType(
        name, {part: GraphQLInputField(kind) for part, kind in parts.items()}, description=about
    )


def _about(cls: Any) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0]


ID = GraphQLNonNull(GraphQLID)
