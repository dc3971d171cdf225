"""Which contracts of a template are wanted: comparisons of fields, joined by all, any and not. Pure.

One tree serves every door: lists and aggregates turn it into SQL (`queries.py`), rules about rows ask `holds` of one
contract. Values are those of the contract language (Party, Money, Day...), `None` for an empty field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.money import Money
from interfirm.base.values import Value

COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "is_null", "like", "ilike", "not_like", "not_ilike",
               "contains", "has_key", "matches")  # fmt: skip
"""`like` is SQL's, with % and _; `contains` and `has_key` look into nested values; `matches` is a search for words."""


class Compare(Value, frozen=True):
    """One field compared with a value; `value` is a tuple for `in` and `not_in`, a bool for `is_null`."""

    field: str
    operator: str
    value: Any


class AllOf(Value, frozen=True):
    """Every part holds; without parts, everything is wanted."""

    parts: tuple[Where, ...]


class AnyOf(Value, frozen=True):
    """One part holds at least; without parts, nothing is wanted."""

    parts: tuple[Where, ...]


class Not(Value, frozen=True):
    """The part does not hold."""

    part: Where


class Related(Value, frozen=True):
    """The contract that a field of type Ref names is known here, and the part holds for it."""

    field: str
    part: Where


Where = Compare | AllOf | AnyOf | Not | Related
EVERYTHING = AllOf(())
Fields = Callable[[Any], Mapping[str, Any] | None]
"""Ref -> the fields of the contract there, or None where it is not known."""


def holds(where: Where, fields: Mapping[str, Any], related: Fields) -> bool:
    """Whether the contract with these typed fields is wanted.

    As in SQL a comparison with an empty field does not hold, nor does its opposite; here `ne`, `not_in` and `is_null`
    say what they say of empty fields, and `Not` turns round what is left. Raises Refusal `vault.where`.
    """
    match where:
        case AllOf(parts):
            return all(holds(part, fields, related) for part in parts)
        case AnyOf(parts):
            return any(holds(part, fields, related) for part in parts)
        case Not(part):
            return not holds(part, fields, related)
        case Related(field, part):
            there = related(_of(fields, field)) if _of(fields, field) is not None else None
            return there is not None and holds(part, there, related)
        case Compare(field, operator, value):
            return _compared(field, operator, _of(fields, field), value)


def _of(fields: Mapping[str, Any], field: str) -> Any:
    if field not in fields:
        raise Refusal("vault.where", "the template has no such field", field=field[:80])
    return fields[field]


def _compared(field: str, operator: str, found: Any, wanted: Any) -> bool:
    match operator:
        case "eq":
            return bool(found == wanted)
        case "ne":
            return bool(found != wanted)
        case "in":
            return bool(found in wanted)
        case "not_in":
            return bool(found not in wanted)
        case "is_null":
            return bool((found is None) == wanted)
    if found is None:
        return False
    match operator:
        case "lt" | "le" | "gt" | "ge":
            return _ordered(operator, found, wanted)
        case "like" | "ilike":
            return _like(str(found), wanted, ignore_case=operator == "ilike")
        case "not_like" | "not_ilike":
            return not _like(str(found), wanted, ignore_case=operator == "not_ilike")
    raise Refusal("vault.where", "one contract cannot be compared so", field=field, operator=operator[:40])


def _ordered(operator: str, found: Any, wanted: Any) -> bool:
    if isinstance(found, Money):
        if found.currency != wanted.currency:
            return False
        found, wanted = found.minor, wanted.minor
    return bool({"lt": found < wanted, "le": found <= wanted, "gt": found > wanted, "ge": found >= wanted}[operator])


def _like(text: str, pattern: str, *, ignore_case: bool) -> bool:
    wild = {"%": ".*", "_": "."}
    made = "".join(wild.get(character) or re.escape(character) for character in pattern)
    return re.fullmatch(made, text, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None
