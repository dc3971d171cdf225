"""One contract of any template, made from its declared types: not one that anybody would sign, but one to be kept."""

from __future__ import annotations

import types
import typing
from enum import Enum
from typing import Any

from interfirm.base import codec
from interfirm.base.money import Money, Quantity, Rate, UnitPrice
from interfirm.base.time import Day, Instant
from interfirm.contracts import language
from interfirm.contracts.packages import TemplateCode
from interfirm.contracts.types import ContractRef
from interfirm.node.vault.types import StoredContract


def value_of(kind: Any, party: bytes) -> Any:
    """A value of a type; every party in it is this one."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return None if type(None) in inner else value_of(inner[0], party)
    if origin is tuple:
        return (value_of(inner[0], party),)
    if origin is dict:
        return {"name": value_of(inner[1], party)}
    for known, made in _SIMPLE.items():
        if origin is known or kind is known:
            return made
    if kind is language.Party:
        return language.Party(party)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    assert isinstance(kind, type), kind
    return kind(**{name: value_of(each, party) for name, each in typing.get_type_hints(kind).items()})


_SIMPLE: dict[Any, Any] = {
    Money: Money(100, "EUR"), UnitPrice: UnitPrice(100, 2, "EUR"), Quantity: Quantity(1, 0, "C62"),
    Rate: Rate(10_000), Day: Day(20_000), Instant: Instant(1_000), language.Hash: language.Hash(bytes(32)),
    language.Ref: language.Ref(bytes(32), 0), language.Private: language.Private(bytes(32)), bool: True, int: 1,
    str: "text", bytes: b"bytes",
}  # fmt: skip


def specimen(code: TemplateCode, party: bytes, number: int) -> StoredContract:
    """A contract of a template in which every party is this one, under a ref that the number makes."""
    typed = code.cls(**{name: value_of(kind, party) for name, kind in code.fields.items()})
    return StoredContract(
        ref=ContractRef(number.to_bytes(32, "big"), 0), template=code.id, payload=codec.plain(typed),
        payload_seed=bytes(32), confirmers_salt=bytes(32), entry=b"", notary=bytes(32), status="active", consumer=None,
        signatories=(party,), observers=(), known_valid=True, time_ms=1_000,
    )  # fmt: skip
