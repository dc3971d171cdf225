"""The JSON Schema of an operation's arguments, from their type: what is documented, and judged requests by. Pure."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from interfirm.api.rest.contracts import WHEN
from interfirm.api.rest.schemas import Schema
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value

_NAMED = "#/$defs/{name}"
_INTEGER = 2**53
ANYTHING: Schema = {"type": "object", "additionalProperties": True}
"""Of an operation that does not say what it takes."""


@cache
def schema_of(kind: type[Value] | None) -> Schema:
    """The schema of arguments of this type; everything is taken where there is none."""
    if kind is None:
        return ANYTHING
    (found,), named = msgspec.json.schema_components([kind], ref_template=_NAMED)
    whole: Schema = _inlined(found, {_NAMED.format(name=name): each for name, each in named.items()})
    properties = {name: WHEN.get(name, each) for name, each in whole.get("properties", {}).items()}
    whole = {**whole, "properties": properties, "additionalProperties": False}
    del whole["title"]
    if not whole.get("required"):
        whole.pop("required", None)
    return whole


def _inlined(schema: Any, named: dict[str, Any]) -> Any:
    """A schema with those it names in their place, and with the bounds that everything has here."""
    if isinstance(schema, list):
        return [_inlined(each, named) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(named[schema["$ref"]], named)
    found = {name: _inlined(each, named) for name, each in schema.items() if name != "default"}
    match found.get("type"):
        case "string" if "enum" not in found:
            found.setdefault("maxLength", LIMITS.text_chars_max)
        case "integer":
            found.setdefault("minimum", -_INTEGER)
            found.setdefault("maximum", _INTEGER)
        case "array":
            found.setdefault("maxItems", LIMITS.items_count_max)
    return found
