"""Filters as people and programs write them, in JSON, and as trees over a template's fields. Pure.

| JSON | holds where |
|---|---|
| `{"number": {"_eq": "A-1"}, "due": {"_lt": "2026-11-01"}}` | every field is as said |
| `{"number": "A-1", "due": ["lt", "2026-11-01"]}` | the same, for short |
| `{"_and": [...]}`, `{"_or": [...]}`, `{"_not": {...}}` | all, one at least, not |
| `{"_search": "bolt hal*"}` | each word is found in one of the texts that the caller sees |
| `{"invoice": {"number": {"_eq": "A-1"}}}` | the contract that the field of type Ref names is known here and is so |
| `{"lines": {"item": {"_ilike": "bolt%"}}}` | the record is so, or some record of the list |
| `{"lines": {"_contains": [{"item": "Bolt"}]}}` | a nested value has the part |

Operators: `_eq _neq _lt _lte _gt _gte _in _nin _is_null _like _nlike _ilike _nilike _matches`, and of nested values
`_contains _has_key _has_keys_any _has_keys_all _matches`; what they mean is in `where.py`, and `_matches` is `_search`
in one field. Values are written as everywhere (see `forms.py`). In rules, `$caller` and `$name` stand for the caller's
name and variables, and `$$` for a `$`.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.contracts.language import Private, Record
from interfirm.contracts.packages import Engine, TemplateCode
from interfirm.node.forms import Forms
from interfirm.node.vault.columns import inner_of, plan_of, record_of, template_of_ref
from interfirm.node.vault.where import AllOf, AnyOf, Compare, Inside, Not, Related, Search, Where

OPERATORS = {
    "_eq": "eq", "_neq": "ne", "_lt": "lt", "_lte": "le", "_gt": "gt", "_gte": "ge", "_in": "in", "_nin": "not_in",
    "_is_null": "is_null", "_like": "like", "_nlike": "not_like", "_ilike": "ilike", "_nilike": "not_ilike",
    "_contains": "contains", "_has_key": "has_key",
}  # fmt: skip
"""As written -> as in `where.COMPARISONS`."""
MATCHES, SEARCH = "_matches", "_search"
KEYS: dict[str, type[AllOf] | type[AnyOf]] = {"_has_keys_any": AnyOf, "_has_keys_all": AllOf}
WRITTEN = (*OPERATORS, MATCHES, *KEYS)
"""Every operator of a field."""
_SHORT = {name: f"_{name}" for name in ("eq", "in", "lt", "gt")} | {"ne": "_neq", "le": "_lte", "ge": "_gte"}
"""Operators as they are written for short."""
_NAMES = {operator: name for name, operator in OPERATORS.items()}
_TEXTS = ("like", "not_like", "ilike", "not_ilike", "has_key")


class _Of(Value, frozen=True):
    """What a filter is about: a template, or a record within one."""

    fields: Mapping[str, Any]
    path: str
    """`folder.Name` of a template; empty for a record."""
    hidden: frozenset[str] = frozenset()


class Seen(Protocol):
    """What a caller may read (node.access.machine.Permission)."""

    def readable(self, template: str) -> Where | None:
        """Which contracts of a template; None for none."""

    def hidden(self, template: str) -> frozenset[str]:
        """The fields of a template that are not shown."""


def read_where(
    code: TemplateCode,
    given: Any,
    forms: Forms,
    engine: Engine,
    variables: Mapping[str, str] | None = None,
    *,
    seen: Seen | None = None,
) -> Where:
    """The tree of a JSON filter over a template's fields.

    Without `variables` a `$` is a `$`. With `seen`, hidden fields are refused, and of contracts that fields name only
    those count that the caller may read. Raises Refusal `filter.shape`, `filter.field`, `filter.operator`,
    `filter.variable`, `filter.limit` naming the place, `form.value` for a value of another type, `access.field`,
    `access.template`.
    """
    reader = _Reader(forms, engine, variables, seen)
    return reader.where(reader.of(code), given, "where", 0)


def write_where(where: Where, forms: Forms) -> dict[str, Any]:
    """The JSON filter of a tree."""
    match where:
        case AllOf(parts):
            return {"_and": [write_where(part, forms) for part in parts]}
        case AnyOf(parts):
            return {"_or": [write_where(part, forms) for part in parts]}
        case Not(part):
            return {"_not": write_where(part, forms)}
        case Related(field, part):
            return {field: write_where(part, forms)}
        case Compare(field, operator, value):
            return {field: {_NAMES[operator]: forms.write(value)}}
        case Inside(field, part):
            return {field: write_where(part, forms)}
        case Search(fields, text):
            return {fields[0]: {MATCHES: text}} if len(fields) == 1 else {SEARCH: text}


class _Reader:
    """Reads one filter."""

    def __init__(self, forms: Forms, engine: Engine, variables: Mapping[str, str] | None, seen: Seen | None) -> None:
        self._forms, self._engine, self._variables, self._seen = forms, engine, variables, seen
        self._parts = 0

    def of(self, code: TemplateCode) -> _Of:
        """A template as the caller sees it."""
        path = self._engine.path_of(code.id)
        return _Of(code.fields, path, frozenset() if self._seen is None else self._seen.hidden(path))

    def where(self, of: _Of, given: Any, at: str, depth: int) -> Where:
        """The tree of an object."""
        check(depth <= LIMITS.filter_depth_max, "filter.limit", "the filter is nested too deeply", place=at[:200],
              depth_max=LIMITS.filter_depth_max)  # fmt: skip
        check(isinstance(given, dict), "filter.shape", "a filter is an object", place=at)
        parts = [self._part(of, name, value, f"{at}.{name[:80]}", depth) for name, value in given.items()]
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _part(self, of: _Of, name: str, given: Any, at: str, depth: int) -> Where:
        self._count(at)
        match name:
            case "_and":
                return AllOf(self._several(of, given, at, depth))
            case "_or":
                return AnyOf(self._several(of, given, at, depth))
            case "_not":
                return Not(self.where(of, given, at, depth + 1))
            case "_search":
                shown = [each for each in plan_of(of.fields).texts if each not in of.hidden]
                return self._search(of, shown, given, at)
        return self._field(of, name, given, at, depth)

    def _count(self, at: str) -> None:
        self._parts += 1
        check(self._parts <= LIMITS.filter_parts_count_max, "filter.limit", "the filter has too many parts", place=at,
              count_max=LIMITS.filter_parts_count_max)  # fmt: skip

    def _several(self, of: _Of, given: Any, at: str, depth: int) -> tuple[Where, ...]:
        check(isinstance(given, list), "filter.shape", "these are the filters of a list", place=at)
        return tuple(self.where(of, each, f"{at}[{n}]", depth + 1) for n, each in enumerate(given))

    def _search(self, of: _Of, names: Iterable[str], given: Any, at: str) -> Where:
        check(bool(of.path), "filter.operator", "a record within a field is not searched by itself", place=at)
        text = self._replaced(given, at)
        check(isinstance(text, str), "filter.shape", "this is a text", place=at)
        return Search(tuple(names), text)

    def _field(self, of: _Of, name: str, given: Any, at: str, depth: int) -> Where:
        check(name in of.fields, "filter.field", "there is no such field", place=at, template=of.path)
        check(name not in of.hidden, "access.field", "your roles do not show you this field", template=of.path,
              field=name)  # fmt: skip
        kind = of.fields[name]
        target, (record, _) = template_of_ref(kind), record_of(kind)
        if isinstance(given, dict) and not any(each in WRITTEN for each in given):
            if target is not None:
                return Related(name, self._related(target, given, at, depth))
            if record is not None:
                inner = _Of(typing.get_type_hints(record), "")
                return Inside(name, self.where(inner, given, at, depth + 1))
        parts = [self._compared(of, name, each, value, at) for each, value in _whole(given).items()]
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _related(self, target: str, given: Any, at: str, depth: int) -> Where:
        code = self._engine.named(target)
        of = self.of(code)
        part = self.where(of, given, at, depth + 1)
        if self._seen is None:
            return part
        rule = self._seen.readable(of.path)
        if rule is None:
            raise Refusal("access.template", "your roles do not let you read these contracts", template=of.path)
        return AllOf((rule, part))

    def _compared(self, of: _Of, name: str, written: str, given: Any, at: str) -> Where:
        self._count(at)
        check(written in WRITTEN, "filter.operator", "there is no such operator", place=f"{at}.{written[:80]}",
              operators=list(WRITTEN))  # fmt: skip
        at, kind = f"{at}.{written}", of.fields[name]
        check(given is not None, "filter.shape", "empty fields are asked for by _is_null", place=at)
        if written == MATCHES:
            check(name in plan_of(of.fields).texts, "filter.operator", "this field has no words", place=at)
            return self._search(of, (name,), given, at)
        if written in KEYS:
            check(isinstance(given, list), "filter.shape", "these are the keys of a list", place=at)
            return KEYS[written](tuple(self._compared(of, name, "_has_key", each, at) for each in given))
        operator = OPERATORS[written]
        return Compare(name, operator, self._value(kind, operator, self._replaced(given, at), at))

    def _value(self, kind: Any, operator: str, given: Any, at: str) -> Any:
        if operator == "is_null":
            check(isinstance(given, bool), "filter.shape", "this is true or false", place=at)
            return given
        check(not _is_private(kind), "filter.operator", "a private field is empty or not, and no more is known",
              place=at)  # fmt: skip
        if operator in _TEXTS:
            check(isinstance(given, str), "filter.shape", "this is a text", place=at)
            return given
        if operator in ("in", "not_in"):
            check(isinstance(given, list), "filter.shape", "these are the values of a list", place=at)
            return tuple(self._typed(kind, each, f"{at}[{n}]") for n, each in enumerate(given))
        return self._pattern(kind, given, at) if operator == "contains" else self._typed(kind, given, at)

    def _typed(self, kind: Any, given: Any, at: str) -> Any:
        return self._forms.read(inner_of(kind)[0], given, at=at, privates=[])

    def _pattern(self, kind: Any, given: Any, at: str) -> Any:
        """A part of a nested value: of records some fields, of lists what some items are, of maps some keys."""
        kind, _ = inner_of(kind)
        check(not _is_private(kind), "filter.operator", "a private field cannot be searched", place=at)
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if given is None:
            return None
        if origin is tuple and isinstance(given, list):
            return tuple(self._pattern(arguments[0], each, f"{at}[{n}]") for n, each in enumerate(given))
        if origin is dict and isinstance(given, dict):
            return {key: self._pattern(arguments[1], each, f"{at}.{key[:80]}") for key, each in given.items()}
        if isinstance(kind, type) and issubclass(kind, Record) and isinstance(given, dict):
            hints = typing.get_type_hints(kind)
            for name in given:
                check(name in hints, "filter.field", "the record has no such field", place=f"{at}.{name[:80]}")
            return {name: self._pattern(hints[name], each, f"{at}.{name}") for name, each in given.items()}
        return self._typed(kind, given, at)

    def _replaced(self, given: Any, at: str) -> Any:
        """The value with the caller's variables in it."""
        if self._variables is None:
            return given
        if isinstance(given, str) and given.startswith("$"):
            if given.startswith("$$"):
                return given[1:]
            check(given[1:] in self._variables, "filter.variable", "nothing is known by this name", place=at,
                  variable=given[:80])  # fmt: skip
            return self._variables[given[1:]]
        if isinstance(given, list):
            return [self._replaced(each, at) for each in given]
        if isinstance(given, dict):
            return {name: self._replaced(each, at) for name, each in given.items()}
        return given


def _whole(given: Any) -> dict[str, Any]:
    """Operators and values of a field that is perhaps compared for short."""
    if isinstance(given, dict) and any(name.startswith("_") or name in _SHORT for name in given):
        return given
    if given is None:
        return {"_is_null": True}
    if isinstance(given, list) and len(given) == 2 and isinstance(given[0], str) and given[0] in _SHORT:
        return {_SHORT[given[0]]: given[1]}
    return {"_eq": given}


def _is_private(kind: Any) -> bool:
    inner, _ = inner_of(kind)
    return inner is Private or typing.get_origin(inner) is Private
