"""Field values as people and programs write them (JSON) and as the ledger stores them; derived from declared types.

| type | JSON |
|---|---|
| Party | the organisation's name, or its identity id in hex |
| Money | {"amount": "136125.00", "currency": "EUR"} or "136125.00 EUR" |
| UnitPrice, Quantity | {"amount": "62.50", "currency": "EUR"}, {"value": "1000", "unit": "C62"} |
| Rate | "85 %" or "0.85" |
| Day, Instant | "2026-10-05", "2026-10-05T12:00:00.000Z" |
| Ref | "transaction id in hex:index" |
| Hash, bytes | hex |
| Private | {"value": ..., "subject": "..."} going in; the commitment in hex coming out |
| Record | an object with the record's fields |
"""

from __future__ import annotations

import datetime
import types as python_types
import typing
from collections.abc import Callable
from enum import Enum
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.money import CURRENCY_DIGITS, Money, Quantity, Rate, UnitPrice, decimal_text
from interfirm.base.time import Day, Instant
from interfirm.contracts import language
from interfirm.contracts.types import ContractRef
from interfirm.node.flows.messages import PrivateValue


class Names(typing.Protocol):
    """Organisations by name."""

    def identity_of(self, name: str) -> bytes:
        """The identity id of a name, registration number or hex id; Refusal `directory.unknown`."""

    def name_of(self, identity: bytes) -> str:
        """The name of an identity, or its id in hex."""

    def registration_of(self, identity: bytes) -> str:
        """The registration number of an identity; Refusal `directory.unknown`."""

    def organisations(self) -> list[bytes]:
        """The identity ids of all members, notaries aside."""

    def notary_of(self, name: str) -> bytes:
        """The id of a notary by its name, kind or id; Refusal `directory.notary`."""


Commit = Callable[[Any, str], PrivateValue]
"""(plain value, data subject) -> a fresh commitment with its salt."""


class Forms:
    """Conversion both ways; `privates` collects what was committed to while reading."""

    def __init__(self, names: Names, commit: Commit) -> None:
        self._names = names
        self._commit = commit

    def read(self, kind: Any, value: Any, *, at: str, privates: list[PrivateValue]) -> Any:
        """The typed value of JSON; Refusal `form.value` naming the field and what was expected."""
        try:
            return self._read(kind, value, at, privates)
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
            expected = getattr(kind, "__name__", str(kind))
            raise Refusal(
                "form.value", "this is not a value of the field's type", field=at, expected=expected
            ) from error

    def _read(self, kind: Any, value: Any, at: str, privates: list[PrivateValue]) -> Any:
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if origin in (typing.Union, python_types.UnionType):
            if value is None:
                return None
            kinds = [k for k in inner if k is not type(None)]
            return self._read(kinds[0], value, at, privates) if len(kinds) == 1 else value
        if origin is tuple:
            return tuple(self._read(inner[0], v, f"{at}[{i}]", privates) for i, v in enumerate(_list(value)))
        if origin is dict:
            return {str(k): self._read(inner[1], v, f"{at}.{k}", privates) for k, v in value.items()}
        if origin is language.Ref or kind is language.Ref:
            ref = ref_of(value)
            return language.Ref(ref.transaction, ref.index)
        if origin is language.Private or kind is language.Private:
            private = self._commit(value["value"], str(value["subject"]))
            privates.append(private)
            return language.Private(private.commitment)
        if isinstance(kind, type) and issubclass(kind, language.Record):
            return self._record(kind, value, at, privates)
        return self._scalar(kind, value)

    def _record(self, kind: Any, value: Any, at: str, privates: list[PrivateValue]) -> Any:
        hints = typing.get_type_hints(kind)
        unknown = [name for name in value if name not in hints]
        if unknown:
            raise Refusal("form.field", "there is no such field", field=f"{at}.{unknown[0]}", fields=list(hints))
        return kind(**{n: self._read(hints[n], v, f"{at}.{n}", privates) for n, v in value.items()})

    def _scalar(self, kind: Any, value: Any) -> Any:
        if kind is language.Party:
            return language.Party(self._names.identity_of(value))
        if kind in _READERS:
            return _READERS[kind](value)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return kind(value) if value in [m.value for m in kind] else kind[value]
        if kind is bool or kind is int or kind is str:
            if type(value) is not kind:
                raise TypeError(value)
            return value
        raise TypeError(kind)

    def write(self, value: Any) -> Any:
        """JSON of a typed value."""
        kind = type(value)
        if kind in _AS_THEY_ARE:
            return value
        if kind is language.Party:
            return self._names.name_of(value.id)
        writer = _WRITERS.get(kind)
        if writer is not None:
            return writer(value)
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, (language.Template, language.Record, language.Attachment)):
            return {name: self.write(getattr(value, name)) for name in value.__struct_fields__}
        if isinstance(value, (tuple, list)):
            return [self.write(item) for item in value]
        if isinstance(value, dict):
            return {key: self.write(item) for key, item in value.items()}
        return value.hex() if isinstance(value, bytes) else value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(value)
    return value


def jsonable(value: Any) -> Any:
    """Plain data with bytes as hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    return value


def ref_of(text: str) -> ContractRef:
    """The ref written as `transaction id in hex:index`; Refusal `form.ref`."""
    transaction, _, index = str(text).partition(":")
    try:
        ref = ContractRef(bytes.fromhex(transaction), int(index))
    except ValueError as error:
        raise Refusal("form.ref", "a ref is written as id:index", text=str(text)[:100]) from error
    if len(ref.transaction or b"") != 32 or ref.index < 0:
        raise Refusal("form.ref", "a ref is written as id:index", text=str(text)[:100])
    return ref


def ref_text(ref: ContractRef | language.Ref[Any]) -> str:
    """The text of a ref."""
    return f"{ref.transaction.hex() if ref.transaction else 'self'}:{ref.index}"


def decimal_integer(text: str, scale: int) -> int:
    """The integer of a decimal string at a scale ("62.5", 2 -> 6250); ValueError where it has more digits."""
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.lstrip("+-").partition(".")
    if not (whole + part).isascii() or not (whole + part).isdigit() or len(part.rstrip("0")) > scale:
        raise ValueError(text)
    return sign * int((whole or "0") + part.rstrip("0").ljust(scale, "0"))


def read_money(value: Any) -> Money:
    """Money of {"amount", "currency"} or "amount currency"."""
    amount, currency = (value["amount"], value["currency"]) if isinstance(value, dict) else str(value).split()
    return Money(decimal_integer(str(amount), CURRENCY_DIGITS[currency]), currency)


def _read_price(value: Any) -> UnitPrice:
    amount, currency = (value["amount"], value["currency"]) if isinstance(value, dict) else str(value).split()
    scale = max(len(str(amount).partition(".")[2]), CURRENCY_DIGITS[currency])
    return UnitPrice(decimal_integer(str(amount), scale), scale, currency)


def _read_quantity(value: Any) -> Quantity:
    number, unit = (value["value"], value["unit"]) if isinstance(value, dict) else str(value).split()
    scale = len(str(number).partition(".")[2])
    return Quantity(decimal_integer(str(number), scale), scale, unit)


def read_rate(value: Any) -> Rate:
    """Rate of "85 %" or "0.85"."""
    text = str(value).strip()
    if text.endswith("%"):
        return Rate(decimal_integer(text[:-1].strip(), 4))
    return Rate(decimal_integer(text, 6))


def read_instant(value: Any) -> Instant:
    """Instant of ISO 8601 with a zone, or of whole milliseconds since 1970."""
    if isinstance(value, int):
        return Instant(value)
    moment = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(value)
    return Instant((moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(milliseconds=1))


_READERS: dict[Any, Callable[[Any], Any]] = {
    Money: read_money,
    UnitPrice: _read_price,
    Quantity: _read_quantity,
    Rate: read_rate,
    Day: Day.parse,
    Instant: read_instant,
    bytes: bytes.fromhex,
    language.Hash: lambda value: language.Hash(bytes.fromhex(value)),
    language.Attachment: lambda value: language.Attachment(
        content=language.Hash(bytes.fromhex(value["content"])), media_type=value["media_type"],
        size_bytes=value["size_bytes"], name=value["name"],
    ),
}  # fmt: skip
_AS_THEY_ARE = frozenset((str, int, bool, type(None)))
"""The types that JSON has itself."""
_WRITERS: dict[Any, Callable[[Any], Any]] = {
    Money: lambda value: {"amount": str(value), "currency": value.currency},
    UnitPrice: lambda value: {"amount": decimal_text(value.value, value.scale), "currency": value.currency},
    Quantity: lambda value: {"value": decimal_text(value.value, value.scale), "unit": value.unit},
    Rate: lambda value: decimal_text(value.parts_per_million, 6),
    Day: str,
    Instant: str,
    language.Hash: lambda value: value.value.hex(),
    language.Ref: ref_text,
    language.Private: lambda value: value.commitment.hex(),
}
