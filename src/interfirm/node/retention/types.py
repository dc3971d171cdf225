"""How long what has ended is kept, what must be kept whatever a rule says, and what archives hold: plain values."""

from __future__ import annotations

from typing import Literal

from interfirm.base import codec
from interfirm.base.hashing import digest
from interfirm.base.values import Hash32, Index, Value, Wire
from interfirm.contracts.types import ContractRef, Plain, TemplateId
from interfirm.node.vault.types import StoredContract, StoredTransaction

EVERY = "*"
"""The rule for templates that have none of their own."""
PAPERS = ("flows", "inbox", "approvals", "jobs")
"""What a node keeps of its own work: rules about these let it be forgotten, nothing of it is archived."""
YEAR_DAYS = 366
"""A year of a rule: never less than a year of the calendar."""


class Rule(Value, frozen=True):
    """How long something stays in the vault after it has ended."""

    about: str
    """A template as `folder.Name`, `*` for those without a rule of their own, or one of `PAPERS`."""
    days: int | None
    """None: for ever."""
    ground: str
    """The law or reason, for people."""
    by: str
    set_ms: int


class Hold(Value, frozen=True):
    """What must not leave the vault while it is in force: contracts that all its parts fit; all without any part."""

    name: str
    reason: str
    by: str
    placed_ms: int
    template: str = ""
    """`folder.Name`."""
    where: str = "{}"
    """A filter of that template as JSON (see vault/filters.py)."""
    party: bytes = b""
    """A signatory or observer."""
    refs: tuple[ContractRef, ...] = ()
    released_by: str = ""
    released_ms: int | None = None

    @property
    def is_over_everything(self) -> bool:
        """Whether it names nothing, and so means all."""
        return not (self.template or self.party or self.refs)


class ArchivedContract(Wire, frozen=True):
    """An ended contract as the vault held it, with its number there."""

    number: int
    index: Index
    template: TemplateId
    payload: Plain
    payload_seed: bytes
    confirmers_salt: bytes
    entry: bytes
    notary: bytes
    consumer: bytes
    signatories: tuple[bytes, ...]
    observers: tuple[bytes, ...]
    known_valid: bool
    time_ms: int


class ArchivedTransaction(Wire, frozen=True):
    """A transaction as the vault held it, with its number there and the contracts that it made."""

    number: int
    id: Hash32
    view: bytes
    skeleton: bytes
    receipt: bytes
    notary: bytes
    flow: str
    height: int
    time_ms: int
    contracts: tuple[ArchivedContract, ...]


class ArchiveHead(Wire, frozen=True):
    """How an archive begins: its number, whose it is, and the hash of the archive before (zeros for the first)."""

    number: int
    network: Hash32
    identity: Hash32
    made_ms: int
    before: Hash32


class ArchiveEnd(Wire, frozen=True):
    """How an archive ends: counts, the times of its first and last transaction, and the root over all (RFC 9162)."""

    transactions: int
    contracts: int
    from_ms: int
    until_ms: int
    root: Hash32


class Manifest(Value, frozen=True):
    """What an archive is, without anything of what is in it; the vault keeps it, and it lies beside the file."""

    head: ArchiveHead
    end: ArchiveEnd
    file: str
    """The file's name."""
    restored_ms: int | None = None
    """When all of it was put back into the vault."""

    @property
    def hash(self) -> bytes:
        """What the next archive names."""
        return digest("archive", codec.plain(self.head), codec.plain(self.end))


Why = Literal["rule", "hold", "active", "moved", "pending", "newest", "package", "needed"]
"""Why a transaction stays: no rule lets it go yet; a hold; it made what is in use; what it made moved to another
notary; no receipt; nothing came after it; the template's package is not loaded; what stays was made from it, or names
what it made."""


def packed(number: int, stored: StoredTransaction, made: list[tuple[int, StoredContract]]) -> ArchivedTransaction:
    """A transaction with what it made, as an archive holds it."""
    return ArchivedTransaction(
        number=number, id=stored.id, view=stored.view, skeleton=stored.skeleton, receipt=stored.receipt,
        notary=stored.notary, flow=stored.flow, height=stored.height, time_ms=stored.time_ms,
        contracts=tuple(_packed(place, each) for place, each in made),
    )  # fmt: skip


def _packed(number: int, stored: StoredContract) -> ArchivedContract:
    assert stored.consumer is not None, "what is archived has ended"
    return ArchivedContract(
        number=number, index=stored.ref.index, template=stored.template, payload=stored.payload,
        payload_seed=stored.payload_seed, confirmers_salt=stored.confirmers_salt, entry=stored.entry,
        notary=stored.notary, consumer=stored.consumer, signatories=stored.signatories, observers=stored.observers,
        known_valid=stored.known_valid, time_ms=stored.time_ms,
    )  # fmt: skip


def unpacked(held: ArchivedTransaction) -> tuple[StoredTransaction, list[tuple[int, StoredContract]]]:
    """What `packed` was given, save the number."""
    stored = StoredTransaction(
        id=held.id, view=held.view, skeleton=held.skeleton, receipt=held.receipt, status="notarised",
        notary=held.notary, flow=held.flow, height=held.height, time_ms=held.time_ms,
    )  # fmt: skip
    return stored, [(each.number, _unpacked(held.id, each)) for each in held.contracts]


def _unpacked(transaction: bytes, held: ArchivedContract) -> StoredContract:
    return StoredContract(
        ref=ContractRef(transaction, held.index), template=held.template, payload=held.payload,
        payload_seed=held.payload_seed, confirmers_salt=held.confirmers_salt, entry=held.entry, notary=held.notary,
        status="consumed", consumer=held.consumer, signatories=held.signatories, observers=held.observers,
        known_valid=held.known_valid, time_ms=held.time_ms,
    )  # fmt: skip
