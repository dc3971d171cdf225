"""Templates, contracts and engines that vault tests start from."""

from __future__ import annotations

import contextlib
import hashlib
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.contracts.language import (
    Code,
    Day,
    Hash,
    Instant,
    Money,
    Party,
    Private,
    Quantity,
    Rate,
    Record,
    Ref,
    Template,
    UnitPrice,
)
from interfirm.contracts.packages import Package
from interfirm.contracts.types import ContractRef, TemplateId
from interfirm.node.vault.types import FlowRecord, StoredContract, StoredMove, StoredTransaction
from interfirm.node.vault.where import AllOf, Compare, Where


class Colour(Code):
    RED = "red"
    GREEN = "green"


class Line(Record):
    name: str
    amount: Money
    mark: bytes


class Invoice(Template):
    supplier: Party
    buyer: Party
    number: str
    payable: Money
    due: Day
    note: str | None = None


class Everything(Template):
    """Every kind of field, each also as an optional."""

    party: Party
    flag: bool
    count: int
    text: str
    data: bytes
    money: Money
    price: UnitPrice
    quantity: Quantity
    rate: Rate
    due: Day
    moment: Instant
    colour: Colour
    ref: Ref[Invoice]
    hash: Hash
    secret: Private[str]
    lines: tuple[Line, ...]
    table: dict[str, int]
    maybe_party: Party | None = None
    maybe_money: Money | None = None
    maybe_due: Day | None = None
    maybe_ref: Ref[Invoice] | None = None
    maybe_count: int | None = None


class Loaded(msgspec.Struct):
    id: TemplateId
    fields: dict[str, Any]


class SampleEngine:
    """What the vault asks of an engine, without any contract code."""

    def __init__(self, *classes: type[Template], version: str = "1", folder: str = "tests.samples") -> None:
        self.packages: dict[bytes, Package] = {}
        self._templates: list[Loaded] = []
        for cls in classes or (Invoice, Everything):
            self.add(cls, version=version, folder=folder)

    def add(self, cls: type[Template], *, version: str = "1", folder: str = "tests.samples") -> TemplateId:
        package = Package(name=folder, language=1, modules={f"{folder}.contract": version}, dependencies={})
        self.packages[package.id] = package
        hints = typing.get_type_hints(cls)
        loaded = Loaded(TemplateId(package.id, cls.__name__), {n: hints[n] for n in cls.__struct_fields__})
        self._templates.append(loaded)
        return loaded.id

    def templates(self) -> list[Loaded]:
        return self._templates

    def id_of(self, cls: type[Template]) -> TemplateId:
        return next(loaded.id for loaded in reversed(self._templates) if loaded.id.name == cls.__name__)


@contextlib.contextmanager
def refused(code: str) -> Iterator[pytest.ExceptionInfo[Refusal]]:
    """The block is refused with this code."""
    with pytest.raises(Refusal) as caught:
        yield caught
    assert caught.value.code == code


def fitting(where: Mapping[str, Any]) -> Where:
    """Field -> value, or (operator, value), as a tree."""
    parts = ((name, each if isinstance(each, tuple) else ("eq", each)) for name, each in where.items())
    return AllOf(tuple(Compare(name, operator, value) for name, (operator, value) in parts))


def bytes32(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()


def party(name: str) -> Party:
    return Party(bytes32("party", name))


ALICE, BOB, CAROL = party("alice"), party("bob"), party("carol")


def invoice(number: int = 1, **changes: Any) -> Invoice:
    first = Invoice(
        supplier=ALICE, buyer=BOB, number=f"INV-{number:06}", payable=Money(100 * number, "EUR"),
        due=Day.of(2026, 10, 5),
    )  # fmt: skip
    return first.replace(**changes)


def everything(**changes: Any) -> Everything:
    first = Everything(
        party=ALICE, flag=True, count=-7, text="naïve ✓", data=b"\x00\x01", money=Money(13612500, "EUR"),
        price=UnitPrice(880, 5, "EUR"), quantity=Quantity(1000, 0, "C62"), rate=Rate(850_000), due=Day.of(2026, 10, 5),
        moment=Instant(1_790_000_000_000), colour=Colour.GREEN, ref=Ref(bytes32("t"), 3), hash=Hash(bytes32("h")),
        secret=Private(bytes32("s")), lines=(Line("one", Money(1, "EUR"), b"\xff"),), table={"a": 1},
    )  # fmt: skip
    return first.replace(**changes)


def transaction(n: int = 1, **changes: Any) -> StoredTransaction:
    first = StoredTransaction(
        id=bytes32("transaction", n), view=b"view", skeleton=b"skeleton", receipt=b"", status="proposed",
        notary=bytes32("notary"), flow="flow", height=0, time_ms=1000,
    )  # fmt: skip
    return first.replace(**changes)


def contract(template: TemplateId, value: Template, *, by: bytes, index: int = 0, **changes: Any) -> StoredContract:
    first = StoredContract(
        ref=ContractRef(by, index), template=template, payload=codec.plain(value),
        payload_seed=bytes32("seed", by, index), confirmers_salt=bytes32("salt", by, index),
        entry=b"entry", notary=bytes32("notary"), status="active",
        consumer=None, signatories=(ALICE.id,), observers=(BOB.id,), known_valid=True, time_ms=1000,
    )  # fmt: skip
    return first.replace(**changes)


def move(ref: ContractRef, n: int = 1, **changes: Any) -> StoredMove:
    """A contract is locked for another notary."""
    first = StoredMove(
        lock=bytes32("lock", n), ref=ref, origin=bytes32("notary"), target=bytes32("other notary"), until_ms=2000,
        nonce=bytes32("nonce", n), lock_receipt=b"locked", import_receipt=b"", status="locked", time_ms=1000,
    )  # fmt: skip
    return first.replace(**changes)


def flow(id: str = "flow-1", **changes: Any) -> FlowRecord:
    first = FlowRecord(
        id=id, kind="exercise", arguments=b"arguments", state="running", progress=b"", result=b"", started_ms=1000,
        changed_ms=1000, parent="",
    )  # fmt: skip
    return first.replace(**changes)
