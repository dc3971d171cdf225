"""Entries of the directory and the machine's state, events and effects."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from interfirm.base import codec
from interfirm.base.hashing import digest
from interfirm.base.signatures import PublicKey
from interfirm.base.values import Value, Wire
from interfirm.node.identity.types import Rotation


class Role(StrEnum):
    """What an organisation does in the network."""

    ORGANISATION = "organisation"
    NOTARY = "notary"


class Endpoint(Wire):
    """Where a node listens."""

    host: str
    """Name or address."""
    port: int
    """1 to 65,535."""


class Entry(Wire):
    """What an organisation says of itself."""

    network: str
    identity: bytes
    """32-byte identity id, the hash of its first key."""
    public: PublicKey
    """The ledger signing key in force."""
    rotations: tuple[Rotation, ...]
    """From its first key to `public`; empty while the first is in force."""
    vrf_public: bytes
    """32-byte key for claims."""
    legal_name: str
    registration_id: str
    roles: tuple[Role, ...]
    endpoints: tuple[Endpoint, ...]
    """Best first."""
    certificates: tuple[bytes, ...]
    """X.509 DER, the node's own first, without the root."""
    serial: int
    """From 1; every change of the entry has a higher one."""


class SignedEntry(Wire):
    """An entry with the signatures that make it one."""

    entry: Entry
    signature: bytes
    """By `entry.public` over `entry_digest`."""
    registrar_signature: bytes
    """By the network's registrar over `registration_digest`."""


class Directory(Value):
    """The replica of one node: the newest entry of each organisation, by identity."""

    network: str
    registrar: PublicKey
    entries: dict[bytes, SignedEntry] = {}


class HeardEntry(Value):
    """Somebody says this is an entry; it does not matter who."""

    signed: SignedEntry


class StoreEntry(Value):
    """Keep this entry in place of the organisation's older one."""

    signed: SignedEntry


Event: TypeAlias = HeardEntry
Effect: TypeAlias = StoreEntry


def entry_digest(entry: Entry) -> bytes:
    """What the organisation signs."""
    return digest("directory entry", codec.plain(entry))


def registration_digest(entry: Entry) -> bytes:
    """What the registrar signs: that it has verified the organisation behind this entry."""
    return digest("directory registration", entry_digest(entry))
