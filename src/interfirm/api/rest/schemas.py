"""JSON Schema of contracts' fields and choices' arguments, beside what `node.forms` reads and writes. Pure.

Going in and coming out differ in two places: a private value goes in with its data subject and comes out as its
commitment, and what has a default may be left out going in. A record that differs so has two schemas (`In` for the one
going in). Source: OpenAPI 3.1, whose schemas are JSON Schema 2020-12.
"""

from __future__ import annotations

import types as python_types
import typing
from collections.abc import Iterable
from enum import Enum
from typing import Any, Literal

import msgspec

from interfirm.base.limits import LIMITS
from interfirm.base.money import CURRENCY_DIGITS, Money, Quantity, Rate, UnitPrice
from interfirm.base.time import Day, Instant
from interfirm.contracts import language
from interfirm.contracts.packages import ChoiceCode, TemplateCode

Schema = dict[str, Any]
Way = Literal["in", "out"]
_INTEGER = 2**63
_HEX = "^[0-9a-f]{64}$"
REF = "^[0-9a-f]{64}:(0|[1-9][0-9]{0,8})$"
"""How a ref is written."""
_DECIMAL = r"^-?[0-9]{1,15}(\.[0-9]{1,12})?$"


def closed(properties: dict[str, Schema], required: Iterable[str] | None = None, about: str = "") -> Schema:
    """An object with these properties and no others; all of them required unless said."""
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    needed = list(properties) if required is None else list(required)
    return made | ({"required": needed} if needed else {}) | ({"description": about} if about else {})


def text(pattern: str = "", *, chars_max: int = LIMITS.text_chars_max, about: str = "", **more: Any) -> Schema:
    """A string."""
    made: Schema = {"type": "string", "maxLength": chars_max}
    return made | ({"pattern": pattern} if pattern else {}) | ({"description": about} if about else {}) | more


def reference(name: str) -> Schema:
    """A named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(schema: Schema) -> Schema:
    """The same, or nothing."""
    return {"anyOf": [schema, {"type": "null"}]}


_NAMED: dict[Any, tuple[str, Schema]] = {
    language.Party: ("Party", text(chars_max=256, minLength=1, about="An organisation's name, or its identity id.")),
    Money: ("Money", closed({"amount": text(r"^-?[0-9]{1,15}(\.[0-9]{1,3})?$", chars_max=20, examples=["136125.00"]),
                             "currency": reference("Currency")}, about="An amount in a currency's own digits.")),
    UnitPrice: ("UnitPrice", closed({"amount": text(_DECIMAL, chars_max=30), "currency": reference("Currency")})),
    Quantity: ("Quantity", closed({"value": text(_DECIMAL, chars_max=30),
                                   "unit": text(chars_max=16, minLength=1, about="UN/ECE recommendation 20.")})),
    Rate: ("Rate", text(r"^-?[0-9]{1,9}(\.[0-9]{1,6})?$", chars_max=20, examples=["0.85"])),
    Day: ("Day", {"type": "string", "format": "date", "examples": ["2026-10-05"]}),
    Instant: ("Instant", {"type": "string", "format": "date-time", "examples": ["2026-10-05T12:00:00.000Z"]}),
    language.Hash: ("Hash", text(_HEX, chars_max=64, about="A SHA-256 in hex.")),
    language.Ref: ("Ref", text(REF, chars_max=74, about="A contract: its transaction's id and its index in it.")),
    language.Attachment: ("Attachment", closed({
        "content": reference("Hash"), "media_type": text(chars_max=200),
        "size_bytes": {"type": "integer", "minimum": 0, "maximum": LIMITS.attachment_bytes_max},
        "name": text(chars_max=LIMITS.name_chars_max),
    }, about="A file that was uploaded before, named by its SHA-256.")),
}  # fmt: skip
_PLAIN: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": -_INTEGER, "maximum": _INTEGER - 1},
    str: text(),
    bytes: text("^([0-9a-f]{2})*$", chars_max=2 * LIMITS.text_chars_max),
}
CURRENCY: Schema = {"type": "string", "enum": sorted(CURRENCY_DIGITS), "description": "ISO 4217."}


class Schemas:
    """Schemas of all types that were asked for, the larger ones by name in `components`."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {"Currency": CURRENCY}
        self._names: dict[tuple[type, Way], str] = {}
        for name, schema in _NAMED.values():
            self.components[name] = schema

    def of(self, kind: Any, way: Way) -> Schema:
        """The schema of a field's declared type."""
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if origin in (typing.Union, python_types.UnionType):
            kinds = [self.of(each, way) for each in inner if each is not type(None)]
            nothing: list[Schema] = [{"type": "null"}] if type(None) in inner else []
            return {"anyOf": kinds + nothing} if len(kinds) == 1 else {}  # several kinds are taken as they are
        if origin is tuple:
            return {"type": "array", "items": self.of(inner[0], way), "maxItems": LIMITS.items_count_max}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(inner[1], way)}
        base = origin or kind
        if base is language.Private:
            return self._private(inner[0] if inner else str, way)
        if base in _NAMED:
            return reference(_NAMED[base][0])
        if isinstance(base, type) and issubclass(base, language.Record):
            return reference(self._record(base, way))
        if isinstance(base, type) and issubclass(base, Enum):
            return {"enum": [member.value for member in base], "title": base.__name__}
        return _PLAIN.get(base, {})

    def fields(self, code: TemplateCode, way: Way, hidden: frozenset[str] = frozenset()) -> Schema:
        """The fields of a template's contracts; coming out, without those that are hidden."""
        kinds = {name: kind for name, kind in code.fields.items() if way == "in" or name not in hidden}
        required = code.required if way == "in" else None
        return closed({name: self.of(kind, way) for name, kind in kinds.items()}, required)

    def arguments(self, choice: ChoiceCode) -> Schema:
        """The arguments of a choice; a day `on` which it is made may be left out, for today."""
        kinds = {name: self.of(kind, "in") for name, kind in choice.parameters.items()}
        fields = msgspec.structs.fields(choice.arguments_type)
        required = [field.name for field in fields if field.required]
        if choice.parameters.get("on") is Day and "on" in required:
            required.remove("on")
        return closed(kinds, required)

    def _private(self, kind: Any, way: Way) -> Schema:
        if way == "out":
            return text(_HEX, chars_max=64, about="The commitment to a private value.")
        subject = text(chars_max=LIMITS.name_chars_max, about="Whom it is about: it can be erased for them.")
        return closed({"value": self.of(kind, "in"), "subject": subject})

    def _record(self, record: type, way: Way) -> str:
        """The name of a record's schema, which is made where it is not yet there."""
        known = self._names.get((record, way))
        if known is not None:
            return known
        name = self._free(record, way)
        self._names[record, way] = name
        self.components[name] = {}
        fields = msgspec.structs.fields(record)
        hints = typing.get_type_hints(record)
        required = [field.name for field in fields if field.required or way == "out"]
        about = (record.__doc__ or "").strip().partition("\n")[0]
        properties = {field.name: self.of(hints[field.name], way) for field in fields}
        self.components[name] = closed(properties, required, about)
        return name

    def _free(self, record: type, way: Way) -> str:
        """`folder.Record`, and a number where several versions of a package are loaded."""
        folder = record.__module__.partition("@")[0].split(".")[-2]
        wanted = name = f"{folder}.{record.__name__}{'In' if way == 'in' else ''}"
        number = 1
        while name in self.components:
            number += 1
            name = f"{wanted}{number}"
        return name
