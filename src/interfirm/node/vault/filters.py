"""Filters as people and programs write them, in JSON, and as trees over a template's fields. Pure.

| JSON | holds where |
|---|---|
| `{"number": {"_eq": "A-1"}, "due": {"_lt": "2026-11-01"}}` | every field is as said |
| `{"_and": [...]}`, `{"_or": [...]}`, `{"_not": {...}}` | all, one at least, not |
| `{"invoice": {"number": {"_eq": "A-1"}}}` | the contract that the field of type Ref names is known here and is so |
| `{"lines": {"_contains": [{"item": "Bolt"}]}}` | a nested value has the part |

Operators: `_eq _neq _lt _lte _gt _gte _in _nin _is_null _like _nlike _ilike _nilike _contains _has_key _matches`; what
they mean is in `where.py`. Values are written as everywhere (see `forms.py`). In rules, `$caller` and `$name` stand for
the caller's name and variables, and `$$` for a `$`.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, Protocol

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.contracts.language import Private, Record
from interfirm.contracts.packages import Engine, TemplateCode
from interfirm.node.forms import Forms
from interfirm.node.vault.columns import inner_of, template_of_ref
from interfirm.node.vault.where import AllOf, AnyOf, Compare, Not, Related, Where

OPERATORS = {
    "_eq": "eq", "_neq": "ne", "_lt": "lt", "_lte": "le", "_gt": "gt", "_gte": "ge", "_in": "in", "_nin": "not_in",
    "_is_null": "is_null", "_like": "like", "_nlike": "not_like", "_ilike": "ilike", "_nilike": "not_ilike",
    "_contains": "contains", "_has_key": "has_key", "_matches": "matches",
}  # fmt: skip
"""As written -> as in `where.COMPARISONS`."""
_WRITTEN = {operator: name for name, operator in OPERATORS.items()}
_TEXTS = ("like", "not_like", "ilike", "not_ilike", "has_key", "matches")


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
    return _Reader(forms, engine, variables, seen).where(code, given, "where", 0)


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
            return {field: {_WRITTEN[operator]: forms.write(value)}}


class _Reader:
    """Reads one filter."""

    def __init__(self, forms: Forms, engine: Engine, variables: Mapping[str, str] | None, seen: Seen | None) -> None:
        self._forms, self._engine, self._variables, self._seen = forms, engine, variables, seen
        self._parts = 0

    def where(self, code: TemplateCode, given: Any, at: str, depth: int) -> Where:
        """The tree of an object."""
        check(depth <= LIMITS.filter_depth_max, "filter.limit", "the filter is nested too deeply", place=at[:200],
              depth_max=LIMITS.filter_depth_max)  # fmt: skip
        check(isinstance(given, dict), "filter.shape", "a filter is an object", place=at)
        parts = [self._part(code, name, value, f"{at}.{name[:80]}", depth) for name, value in given.items()]
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _part(self, code: TemplateCode, name: str, given: Any, at: str, depth: int) -> Where:
        self._parts += 1
        check(self._parts <= LIMITS.filter_parts_count_max, "filter.limit", "the filter has too many parts", place=at,
              count_max=LIMITS.filter_parts_count_max)  # fmt: skip
        match name:
            case "_and":
                return AllOf(self._several(code, given, at, depth))
            case "_or":
                return AnyOf(self._several(code, given, at, depth))
            case "_not":
                return Not(self.where(code, given, at, depth + 1))
        return self._field(code, name, given, at, depth)

    def _several(self, code: TemplateCode, given: Any, at: str, depth: int) -> tuple[Where, ...]:
        check(isinstance(given, list), "filter.shape", "these are the filters of a list", place=at)
        return tuple(self.where(code, each, f"{at}[{n}]", depth + 1) for n, each in enumerate(given))

    def _field(self, code: TemplateCode, name: str, given: Any, at: str, depth: int) -> Where:
        path = self._engine.path_of(code.id)
        check(name in code.fields, "filter.field", "the template has no such field", place=at, template=path)
        shown = self._seen is None or name not in self._seen.hidden(path)
        check(shown, "access.field", "your roles do not show you this field", template=path, field=name)
        check(isinstance(given, dict), "filter.shape", "a field is compared by operators", place=at,
              operators=list(OPERATORS))  # fmt: skip
        target = template_of_ref(code.fields[name])
        if target is not None and not any(each in OPERATORS for each in given):
            return Related(name, self._related(target, given, at, depth))
        parts = [self._compared(name, code.fields[name], each, value, at) for each, value in given.items()]
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _related(self, target: str, given: Any, at: str, depth: int) -> Where:
        code = self._engine.named(target)
        part = self.where(code, given, at, depth + 1)
        if self._seen is None:
            return part
        path = self._engine.path_of(code.id)
        rule = self._seen.readable(path)
        if rule is None:
            raise Refusal("access.template", "your roles do not let you read these contracts", template=path)
        return AllOf((rule, part))

    def _compared(self, name: str, kind: Any, written: str, given: Any, at: str) -> Where:
        self._parts += 1
        operator = OPERATORS.get(written)
        if operator is None:
            raise Refusal("filter.operator", "there is no such operator", place=f"{at}.{written[:80]}",
                          operators=list(OPERATORS))  # fmt: skip
        at = f"{at}.{written}"
        check(given is not None, "filter.shape", "empty fields are asked for by _is_null", place=at)
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


def _is_private(kind: Any) -> bool:
    inner, _ = inner_of(kind)
    return inner is Private or typing.get_origin(inner) is Private
