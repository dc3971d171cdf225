"""Requests to a notary, its answers, and its state as named maps of bytes (spec clause 8).

State is `space -> key -> value`, all bytes, so that a host can keep it in a database, a replicated store or a test's
dictionary, and so that a later host can prove any part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS, AgreedLimits
from interfirm.base.signatures import PublicKey
from interfirm.base.time import Instant
from interfirm.base.values import Hash32, Value, Wire
from interfirm.contracts.packages import Package
from interfirm.contracts.types import ContractRef
from interfirm.ledger.types import (
    ClaimOpening,
    Component,
    ConfirmersOpening,
    Entry,
    Header,
    LineOpening,
    Notarised,
    TransactionSignature,
    View,
)
from interfirm.notary.evidence.types import Accuse, Misconduct
from interfirm.notary.governance.types import Founding, Propose, Retract, Vote
from interfirm.notary.governance.types import Powers as Powers  # noqa: PLC0414 - part of a block's outcome
from interfirm.notary.neighbours.types import Renew


class Store(Protocol):
    """Read access to the notary's state."""

    def get(self, space: str, key: bytes) -> bytes | None:
        """The value at a key, or None."""


class Origin(Protocol):
    """What every notary starts from, whatever host it runs on; its canonical block makes the notary's id."""

    @property
    def network(self) -> bytes:
        """The network it belongs to."""

    @property
    def registrar(self) -> PublicKey:
        """Who may register organisations."""

    @property
    def registry(self) -> bytes | None:
        """The notary whose registry this one follows; None keeps one of its own."""

    @property
    def founding(self) -> Founding:
        """How it is governed at first."""


def notary_id(genesis: Origin) -> bytes:
    """The id of a notary: the hash of what it starts from."""
    return digest("notary", codec.plain(genesis))


class Genesis(Wire, frozen=True):
    """What a solo notary starts from: its network, who may register organisations, its own key, and its label.

    `registry` is the notary whose registry this one follows; None keeps one of its own.
    """

    network: Hash32
    registrar: PublicKey
    key: PublicKey
    label: str
    registry: Hash32 | None = None

    @property
    def founding(self) -> Founding:
        """The registrar decides alone, and what is paid goes to the notary itself."""
        return Founding(voters=(self.registrar,), keeper=self.key.identity)


class Notarise(Wire, frozen=True, tag="notarise"):
    """Accept a transaction: its effects in clear, every line opened, and what opens confirmers and claims.

    `reservations` are home notaries' statements, one for each claim whose owner's home is elsewhere, in the order of
    the claims. `seals` is the block of sealed views whose hash is the component `seals`, or empty.
    """

    header: Header
    entries: tuple[Entry, ...]
    lines: tuple[LineOpening, ...]
    roots: tuple[Hash32, ...]
    components: tuple[Component, ...]
    confirmers: tuple[ConfirmersOpening, ...]
    claims: tuple[ClaimOpening, ...]
    signatures: tuple[TransactionSignature, ...]
    reservations: tuple[bytes, ...] = ()
    seals: bytes = b""


class NotariseWhole(Wire, frozen=True, tag="notarise-whole"):
    """Accept a transaction that the notary re-executes: the same request, and the view that shows everything.

    `history` is how inputs were made that the notary has not re-executed itself and whose signatories do not sign.
    """

    notarise: Notarise
    view: View
    history: tuple[Notarised, ...] = ()


class Publish(Wire, frozen=True, tag="publish"):
    """Bring the source of an approved package, whose dependencies were published before."""

    package: Package


class Withdraw(Wire, frozen=True, tag="withdraw"):
    """Take back one's own signature from a transaction id that is not yet accepted."""

    transaction: Hash32
    signature: TransactionSignature


class Lock(Wire, frozen=True, tag="lock"):
    """Lock a contract here so that notary `to`, and only it, may import it before `until` by its own time."""

    ref: ContractRef
    to: Hash32
    until: Instant
    nonce: Hash32
    opening: ConfirmersOpening
    signatures: tuple[TransactionSignature, ...]


class Import(Wire, frozen=True, tag="import"):
    """Make a contract that `origin` locked for this notary consumable here, under the ref (lock id, 0)."""

    origin: Hash32
    ref: ContractRef
    until: Instant
    nonce: Hash32
    commitment: Hash32
    receipt: bytes


class Finish(Wire, frozen=True, tag="finish"):
    """End a locked contract here for good, by the other notary's receipt of the import."""

    lock: Hash32
    receipt: bytes


class Unlock(Wire, frozen=True, tag="unlock"):
    """Make a locked contract usable here again, by the other notary's statement that nothing was imported."""

    lock: Hash32
    statement: bytes


class Register(Wire, frozen=True, tag="register"):
    """Enter an organisation: first key, VRF key for life, home notary; signed by the registrar and itself."""

    key: PublicKey
    vrf: Hash32
    home: Hash32
    registrar: bytes
    own: bytes


class Rotate(Wire, frozen=True, tag="rotate"):
    """Replace an identity's key; signed by the old key and by the new one."""

    identity: Hash32
    key: PublicKey
    number: int
    old: bytes
    new: bytes


class Revoke(Wire, frozen=True, tag="revoke"):
    """End an identity's power to sign; signed by the registrar."""

    identity: Hash32
    registrar: bytes


class Follow(Wire, frozen=True, tag="follow"):
    """Take over an identity's record from the registry that this notary follows: its statement, kind `key`."""

    identity: Hash32
    statement: bytes


class Reserve(Wire, frozen=True, tag="reserve"):
    """Hold a claim for one transaction at another notary, whose window ends by `until`; signed by the claim's owner."""

    claim: Hash32
    notary: Hash32
    transaction: Hash32
    until: Instant
    signature: TransactionSignature


class Settle(Wire, frozen=True, tag="settle"):
    """Turn a reservation into a taken claim, by the other notary's receipt."""

    owner: Hash32
    claim: Hash32
    receipt: bytes


class Free(Wire, frozen=True, tag="free"):
    """Free a reservation, by the other notary's statement that the transaction was not accepted in time."""

    owner: Hash32
    claim: Hash32
    statement: bytes


class Subscribe(Wire, frozen=True, tag="subscribe"):
    """Be told when a `ref` is consumed or a `claim`'s proof is asked for; `subject` is a `ref_key` or `claim_key`."""

    kind: str
    subject: bytes


class Unsubscribe(Wire, frozen=True, tag="unsubscribe"):
    """Be told no more of a subject; a ref's subscription ends by itself when the ref is consumed."""

    kind: str
    subject: bytes


class SetTime(Wire, frozen=True, tag="set-time"):
    """Move a scenario's time forward; the registrar's request, taken only by a cluster that began with a scenario."""

    time: Instant


class Ask(Wire, frozen=True, tag="ask"):
    """Ask for a dated statement about a subject; the kinds are those of `questions`."""

    kind: str
    subject: bytes


Request = (
    Notarise
    | NotariseWhole
    | Publish
    | Withdraw
    | Lock
    | Import
    | Finish
    | Unlock
    | Register
    | Rotate
    | Revoke
    | Follow
    | Reserve
    | Settle
    | Free
    | Subscribe
    | Unsubscribe
    | SetTime
    | Ask
    | Propose
    | Vote
    | Retract
    | Accuse
    | Renew
)
GOVERNING = (Propose, Vote, Retract, Accuse)
"""What decides about the notary itself; it goes on while all else is stopped."""


def transaction_in(request: object) -> Notarise | None:
    """The transaction that a request brings, whether or not it is to be re-executed."""
    if isinstance(request, Notarise):
        return request
    return request.notarise if isinstance(request, NotariseWhole) else None


class Asked(Value, frozen=True):
    """A request with who asked; the host vouches for the identity `requester` (mutual TLS, or a signed envelope)."""

    requester: bytes
    request: Request


class Block(Value, frozen=True):
    """Requests to be judged in order, at one height and time, after what the engine has proved of validators."""

    height: int
    time: Instant
    requests: tuple[Asked, ...]
    misconduct: tuple[Misconduct, ...] = ()


class Done(Wire, frozen=True, tag="done"):
    """The request took effect: the id it is known by, and where (height, time, registry height)."""

    id: Hash32
    height: int
    time: Instant
    registry_height: int


class Said(Wire, frozen=True, tag="said"):
    """The answer to a question, true at a height and time; the host signs it."""

    kind: str
    subject: bytes
    answer: Any
    height: int
    time: Instant


class Refused(Wire, frozen=True, tag="refused"):
    """A no: stable code, sentence, and values as JSON-ready plain form."""

    code: str
    message: str
    values: dict[str, Any]


Answer = Done | Said | Refused


class Tell(Value, frozen=True):
    """Something a subscriber is told: `consumed` (consumer's id hash) or `claim-asked`."""

    identity: Hash32
    kind: str
    subject: bytes
    detail: bytes


class Judged(Value, frozen=True):
    """What a block leads to: an answer to each request, changes of state (None deletes), and what subscribers hear."""

    answers: tuple[Answer, ...]
    changes: dict[tuple[str, bytes], bytes | None]
    tells: tuple[Tell, ...]
    accepted: tuple[Done, ...]
    """New acceptances in order: each becomes one leaf of the receipt log."""
    time: Instant
    """The block's time, not before the last block's."""
    limits: AgreedLimits = LIMITS
    """The limits in force, which governance may have changed."""
    validators: Powers = ()
    """Validators' keys with their new power, 0 to remove, for an engine that knows the set before this block."""
    version: int = 0
    """The version of the rules that this block brought into force; 0 where it brought none."""


class Abroad(Protocol):
    """What a notary can check of other notaries' words: their receipts and statements."""

    def check_known(self, notary: bytes) -> None:
        """Refuse (`notary.stranger`) a notary of which nothing could be checked."""

    def receipt(self, notary: bytes, receipt: bytes) -> bytes:
        """The id that a receipt of `notary` proves accepted; Refusal where it proves nothing."""

    def statement(self, notary: bytes, statement: bytes) -> Said:
        """A statement of `notary`; Refusal where it is not its word."""


Identify = Callable[[Notarise], bytes]
"""The transaction id that a request's parts make; hosts may answer from a cache."""

SignatureCheck = Callable[[TransactionSignature, bytes, str], None]
"""(signature, id, purpose): returns if valid, raises Refusal otherwise; hosts may answer from a cache."""


def ref_key(ref: ContractRef) -> bytes:
    """The key of a ref in the state: transaction id, then index in four bytes."""
    if ref.transaction is None:
        raise Refusal("notary.local-ref", "a local ref names nothing outside its transaction", index=ref.index)
    return ref.transaction + ref.index.to_bytes(4, "big")


def claim_key(owner: bytes, claim: bytes) -> bytes:
    """The key of a claim in the state; bound to its owner, so that nobody else can take it by knowing its hash."""
    return digest("claim of", owner, claim)
