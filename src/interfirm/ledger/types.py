"""The parts of a transaction (spec: docs/spec/ledger.md, clauses 4 to 9).

A transaction is a forest of actions beside the *effects*: one ordered list of entries and the lines of listed
signatures. A notary judges the effects; a party re-executes the sub-trees it is an informee of. All are wire values.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from interfirm.base import codec
from interfirm.base.hashing import cid, digest
from interfirm.base.signatures import PublicKey
from interfirm.base.time import Instant, Window
from interfirm.base.values import Hash32, Index, Value, Wire
from interfirm.contracts.types import (
    Action,
    Confirmers,
    ContractRef,
    CreateCommand,
    ExerciseCommand,
    Plain,
    TemplateId,
)

FORMAT_VERSION = 1
PLATFORM_VERSION = 1
"""The format generation a signer speaks; covered by its signature."""


class CreateEntry(Wire, frozen=True, tag="create"):
    """A contract made: hash of its action, root of its payload, commitments to confirmers and claims."""

    action: Hash32
    payload: Hash32
    confirmers: Hash32
    claims: tuple[Hash32, ...]


class ConsumeEntry(Wire, frozen=True, tag="consume"):
    """A contract ended by a consuming choice."""

    action: Hash32
    ref: ContractRef


class UseEntry(Wire, frozen=True, tag="use"):
    """A contract on which a non-consuming choice was made."""

    action: Hash32
    ref: ContractRef


class FetchEntry(Wire, frozen=True, tag="fetch"):
    """A contract that was read and must be active."""

    action: Hash32
    ref: ContractRef


Entry = CreateEntry | ConsumeEntry | UseEntry | FetchEntry


class Line(Wire, frozen=True):
    """A listed signature: an identity (32 bytes) and the sorted entries it has itself re-executed."""

    identity: Hash32
    scope: tuple[Index, ...]


class LineOpening(Wire, frozen=True):
    """A line with the salt that hides it from who is not shown it."""

    salt: Hash32
    line: Line

    @property
    def hash(self) -> bytes:
        """What the effects hold in the line's place."""
        return digest("line", self.salt, self.line.identity, list(self.line.scope))


class Header(Wire, frozen=True):
    """Format version, network id, notary id, time window, and a salted commitment to the packages used."""

    version: int
    network: Hash32
    notary: Hash32
    window: Window
    packages: Hash32

    @property
    def hash(self) -> bytes:
        """The header's part of the transaction id."""
        return digest("header", codec.plain(self))


class Component(Wire, frozen=True):
    """A later part of a transaction that this version may not know: hashed and relayed, never dropped."""

    name: str
    hash: Hash32


class Skeleton(Wire, frozen=True):
    """All that a transaction id is made of, with every part as a hash."""

    header: Header
    entries: tuple[Hash32, ...]
    lines: tuple[Hash32, ...]
    roots: tuple[Hash32, ...]
    components: tuple[Component, ...] = ()

    @property
    def id(self) -> bytes:
        """The transaction id, 32 bytes."""
        return _id_of(self)

    @property
    def cid(self) -> str:
        """The transaction id as CIDv1."""
        return cid(self.id)


@lru_cache(maxsize=512)
def _id_of(skeleton: Skeleton) -> bytes:
    """Kept, because the id of one transaction is asked for at every step of its life."""
    parts = (skeleton.entries, skeleton.lines, skeleton.roots, skeleton.components)
    return transaction_id(skeleton.header.hash, *parts)


def entry_hash(entry: Entry) -> bytes:
    """The hash of an entry; needs no salt, because every entry holds the salted hash of its action."""
    return digest("entry", codec.plain(entry))


def entry_hashes(entries: Sequence[Entry]) -> list[bytes]:
    """`entry_hash` of each."""
    return [digest("entry", each) for each in codec.plain(entries)]


def transaction_id(
    header: bytes,
    entries: tuple[Hash32, ...] | list[bytes],
    lines: tuple[Hash32, ...] | list[bytes],
    roots: tuple[Hash32, ...] | list[bytes],
    components: tuple[Component, ...] = (),
) -> bytes:
    """The id over header hash, effects (entry and line hashes), action roots and later components."""
    effects = digest("effects", list(entries), list(lines))
    return digest("transaction", header, effects, list(roots), codec.plain(components))


class FetchCommand(Wire, frozen=True, tag="fetch"):
    """A read at the top of a view: it has no code to run; its controllers answer for it."""

    ref: ContractRef
    template: TemplateId
    controllers: tuple[Hash32, ...]


class Shown(Wire, frozen=True, tag="shown"):
    """A sub-tree that the viewer re-executes: the seed of its top, the top's entry index, and what to run.

    `proofs` are the VRF proofs of the claims made in the sub-tree, in the order of entries and claims. Everything
    else (children, results, entries, hashes) follows from running it, so there is nothing else to lie about.
    """

    seed: Hash32
    index: Index
    command: CreateCommand | ExerciseCommand | FetchCommand
    proofs: tuple[bytes, ...] = ()


class Passed(Wire, frozen=True, tag="passed"):
    """A hidden action with shown ones below it: the hash of its body, and its children."""

    body: Hash32
    children: tuple[Branch, ...]


Branch = Shown | Passed | Hash32
"""A part of the forest in a view: shown, passed through, or a node hash."""


class Move(Wire, frozen=True):
    """One step of a contract from a notary to the next: the lock of `ref` there and the import here, both received.

    The other parts are those of the lock (spec clause 8.5); its id names the contract at `to` as (lock id, 0).
    """

    ref: ContractRef
    to: Hash32
    until: Instant
    nonce: Hash32
    lock_receipt: bytes
    import_receipt: bytes


class Disclosure(Wire, frozen=True):
    """An input contract shown: its payload with what proves that a transaction created it.

    `skeleton` is that of the creating transaction, None for the transaction that the view itself is of. `receipt` is
    empty in that case. `payload_seed` opens the payload and the body of the action that made it; `confirmers_salt`
    opens the commitment to its confirmers. `moves` lead from the notary of its creation to the one where it lives.
    """

    ref: ContractRef
    template: TemplateId
    payload: Plain
    payload_seed: Hash32
    confirmers_salt: Hash32
    entry: CreateEntry
    skeleton: Skeleton | None
    receipt: bytes
    moves: tuple[Move, ...] = ()

    @property
    def origin(self) -> ContractRef:
        """The ref under which the contract was created; another than `ref` once it moved."""
        return self.moves[0].ref if self.moves else self.ref


class View(Wire, frozen=True):
    """What one party gets of a transaction. Entries it derives itself are None; lines it needs are opened."""

    header: Header
    entries: tuple[Hash32 | None, ...]
    lines: tuple[LineOpening | Hash32, ...]
    roots: tuple[Branch, ...]
    inputs: tuple[Disclosure, ...]
    components: tuple[Component, ...] = ()


class TransactionSignature(Wire, frozen=True):
    """A party's signature over a transaction id, with the metadata it covers."""

    identity: Hash32
    key: PublicKey
    platform_version: int
    purpose: str
    signature: bytes


class Notarised(Wire, frozen=True):
    """One step of a history: a view, and the notary's receipt of its transaction."""

    view: View
    receipt: bytes


class ConfirmersOpening(Wire, frozen=True):
    """Who confirms the contract that entry `entry` consumes or uses."""

    entry: Index
    salt: Hash32
    confirmers: Confirmers


class ClaimOpening(Wire, frozen=True):
    """The claim at `position` of the create entry `entry`: its owner and the hash that the notary keeps."""

    entry: Index
    position: Index
    salt: Hash32
    owner: Hash32
    claim: Hash32


class Contract(Value, frozen=True):
    """A contract as a verified view knows it, with all that a later disclosure needs."""

    ref: ContractRef
    action: Action
    payload_seed: Hash32
    confirmers_salt: Hash32
    entry: CreateEntry
