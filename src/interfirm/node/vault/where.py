"""Which contracts of a template are wanted: comparisons of fields, joined by all, any and not. Pure.

One tree serves every door: lists and aggregates turn it into SQL (`queries.py`), rules about rows ask `holds` of one
contract. Values are those of the contract language (Party, Money, Day...), `None` for an empty field.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.money import Money
from interfirm.base.values import Value
from interfirm.node.vault.words import occur, terms_of

COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "is_null", "like", "ilike", "not_like", "not_ilike",
               "contains", "has_key")  # fmt: skip
"""`like` is SQL's, with % and _; `ilike` takes A to Z for a to z. `contains` asks for a part of a nested value: a map
from some fields of a record to theirs, a list of what some items of a list are, a map of some keys. `has_key` is about
a map.
"""


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


class Inside(Value, frozen=True):
    """The part holds for the record that a field is, or for some record of the list that it is."""

    field: str
    part: Where


class Search(Value, frozen=True):
    """Each word of a text is found in one of these fields, however deep in it; `bolt*` is any word that begins so.

    What a word is says `words.py`. Without words, everything is wanted.
    """

    fields: tuple[str, ...]
    text: str


Where = Compare | AllOf | AnyOf | Not | Related | Inside | Search
EVERYTHING = AllOf(())
Fields = Callable[[Any], Mapping[str, Any] | None]
"""Ref -> the fields of the contract there, or None where it is not known."""
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


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
        case Inside(field, part):
            found = _of(fields, field)
            records = found if isinstance(found, tuple) else (found,)
            return any(holds(part, _fields_of(record), related) for record in records if record is not None)
        case Search(names, text):
            return occur(terms_of(text), (codec.plain(fields[name]) for name in names if name in fields))
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
        case "like" | "ilike" if isinstance(found, str):
            return _like(found, wanted, ignore_case=operator == "ilike")
        case "not_like" | "not_ilike" if isinstance(found, str):
            return not _like(found, wanted, ignore_case=operator == "not_ilike")
        case "contains":
            return _within(found, wanted)
        case "has_key":
            return isinstance(found, dict) and wanted in found
    raise Refusal("vault.where", "one contract cannot be compared so", field=field, operator=operator[:40])


def _within(found: Any, wanted: Any) -> bool:
    """Whether a nested value has the part that is wanted."""
    if isinstance(wanted, Mapping):
        held = found if isinstance(found, dict) else _fields_of(found)
        return all(name in held and _within(held[name], part) for name, part in wanted.items())
    if isinstance(found, tuple) and isinstance(wanted, (list, tuple)):
        return all(any(_within(item, part) for item in found) for part in wanted)
    return bool(found == wanted)


def _fields_of(found: Any) -> dict[str, Any]:
    return {name: getattr(found, name) for name in getattr(found, "__struct_fields__", ())}


def lowered(text: str) -> str:
    """The text with a to z for A to Z and all else as it is, which every database does alike."""
    return text.translate(_LOWER)


def _ordered(operator: str, found: Any, wanted: Any) -> bool:
    if isinstance(found, Money):
        if found.currency != wanted.currency:
            return False
        found, wanted = found.minor, wanted.minor
    try:
        return bool(getattr(found, f"__{operator}__")(wanted) is True)
    except AttributeError as error:
        raise Refusal("vault.where", "values of this kind have no order", operator=operator) from error


def _like(text: str, pattern: str, *, ignore_case: bool) -> bool:
    wild = {"%": ".*", "_": "."}
    made = "".join(wild.get(character) or re.escape(character) for character in pattern)
    text, made = (lowered(text), lowered(made)) if ignore_case else (text, made)
    return re.fullmatch(made, text, re.DOTALL) is not None
