"""Whether a JSON value is what a schema says, with all that is wrong and where. Pure.

It knows the part of JSON Schema 2020-12 that `schemas.py` writes, and nothing else: so what is documented is what is
enforced.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from interfirm.base.limits import LIMITS

FAULTS_MAX = LIMITS.findings_count_max
Fault = dict[str, str]
Components = Mapping[str, Mapping[str, Any]]
_NAMED = "#/components/schemas/"
_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def faults(schema: Mapping[str, Any], value: Any, components: Components, at: str = "") -> list[Fault]:
    """What is wrong with a value, each with its place as a JSON Pointer (RFC 6901) and a reason; few, if not all."""
    found = []
    for fault in _faults(schema, value, components, at):
        found.append(fault)
        if len(found) == FAULTS_MAX:
            break
    return found


def _faults(schema: Mapping[str, Any], value: Any, components: Components, at: str) -> Iterator[Fault]:
    if "$ref" in schema:
        yield from _faults(components[schema["$ref"].removeprefix(_NAMED)], value, components, at)
        return
    if "anyOf" in schema:
        yield from _of_any(schema["anyOf"], value, components, at)
        return
    if "enum" in schema and not any(value == one and type(value) is type(one) for one in schema["enum"]):
        yield _fault(at, "is none of the values that are allowed")
        return
    if "type" in schema and not _TYPES[schema["type"]](value):
        yield _fault(at, f"is no {schema['type']}")
        return
    match value:
        case str():
            yield from _text(schema, value, at)
        case bool():
            return
        case int():
            if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
                yield _fault(at, "is too small or too large")
        case list():
            yield from _list(schema, value, components, at)
        case dict():
            yield from _object(schema, value, components, at)


def _of_any(kinds: list[Mapping[str, Any]], value: Any, components: Components, at: str) -> Iterator[Fault]:
    wrong = [list(_faults(kind, value, components, at)) for kind in kinds if kind.get("type") != "null"]
    if (value is None and any(kind.get("type") == "null" for kind in kinds)) or not all(wrong):
        return
    yield from wrong[0]


def _text(schema: Mapping[str, Any], value: str, at: str) -> Iterator[Fault]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield _fault(at, "is too short or too long")
    elif "pattern" in schema and re.fullmatch(schema["pattern"], value) is None:
        yield _fault(at, f"is not written as {schema['pattern']}")
    elif "format" in schema and not _FORMATS[schema["format"]](value):
        yield _fault(at, f"is no {schema['format']}")


def _list(schema: Mapping[str, Any], value: list[Any], components: Components, at: str) -> Iterator[Fault]:
    if len(value) > schema.get("maxItems", len(value)):
        yield _fault(at, "has too many items")
        return
    for number, item in enumerate(value):
        yield from _faults(schema.get("items", {}), item, components, f"{at}/{number}")


def _object(schema: Mapping[str, Any], value: dict[str, Any], components: Components, at: str) -> Iterator[Fault]:
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            yield _fault(f"{at}/{name}", "is missing")
    for name, item in value.items():
        place = f"{at}/{_escaped(name)}"
        if name in properties:
            yield from _faults(properties[name], item, components, place)
        elif more is False:
            yield _fault(place, "is not known here")
        elif isinstance(more, dict):
            yield from _faults(more, item, components, place)


def _escaped(name: str) -> str:
    return name[:80].replace("~", "~0").replace("/", "~1")


def _fault(at: str, reason: str) -> Fault:
    return {"at": at, "reason": reason}


def _is_day(value: str) -> bool:
    try:
        return len(value) == 10 and bool(datetime.date.fromisoformat(value))
    except ValueError:
        return False


def _is_instant(value: str) -> bool:
    """RFC 3339, with a zone."""
    try:
        return len(value) > 10 and datetime.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


_FORMATS: dict[str, Callable[[str], bool]] = {"date": _is_day, "date-time": _is_instant}
