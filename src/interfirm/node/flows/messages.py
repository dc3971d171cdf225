"""What flows of two organisations say to each other."""

from __future__ import annotations

from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.time import Window
from interfirm.base.values import Hash32, Wire
from interfirm.contracts.types import ContractRef, CreateCommand, ExerciseCommand
from interfirm.ledger.moves import Terms
from interfirm.ledger.types import Disclosure, Notarised, TransactionSignature, View
from interfirm.node.flows.types import Outcome
from interfirm.node.moves import Way


class PrivateValue(Wire, frozen=True):
    """A private field's value beside the ledger: its commitment, data subject, plain value and salt."""

    commitment: Hash32
    subject: str
    value: Any
    salt: Hash32


class Proposal(Wire, frozen=True, tag="proposal"):
    """Sign this transaction, or say why not: your view, the history you may lack, private values you may see.

    `seals` are the sealed views it commits to. Where `signatures` are all the others, you are the last signer: bring it
    to the notary.
    """

    transaction: Hash32
    view: View
    history: tuple[Notarised, ...]
    privates: tuple[PrivateValue, ...] = ()
    note: str = ""
    seals: bytes = b""
    signatures: tuple[TransactionSignature, ...] = ()


class SignedReply(Wire, frozen=True, tag="signed"):
    """The signature that was asked for."""

    signature: TransactionSignature


class Declined(Wire, frozen=True, tag="declined"):
    """No, with the code of a rule or policy, and a reason for people."""

    code: str
    reason: str
    values: dict[str, Any]


class Wanted(Wire, frozen=True, tag="wanted"):
    """The receiver lacks the history of these contracts."""

    refs: tuple[ContractRef, ...]


class Given(Wire, frozen=True, tag="given"):
    """All the history of what was wanted."""

    history: tuple[Notarised, ...]


class HistoryWanted(Wire, frozen=True, tag="history-wanted"):
    """The receiver of a delivery lacks history of its inputs: all of it is wanted."""

    transaction: Hash32


class Dropped(Wire, frozen=True, tag="dropped"):
    """The transaction will not be: the code of the rule, a reason for people, and the values."""

    transaction: Hash32
    code: str
    reason: str
    values: dict[str, Any]


class Delivery(Wire, frozen=True, tag="delivery"):
    """A notarised transaction for somebody who did not have to sign it."""

    transaction: Hash32
    view: View
    history: tuple[Notarised, ...]
    receipt: bytes
    privates: tuple[PrivateValue, ...] = ()
    seals: bytes = b""


class Shared(Wire, frozen=True, tag="shared"):
    """Contracts disclosed to somebody who is no stakeholder of them, for use as inputs."""

    disclosures: tuple[Disclosure, ...]
    history: tuple[Notarised, ...]


class ClaimsAsked(Wire, frozen=True, tag="claims-asked"):
    """Prove the claims of yours that these commands would make; the owner runs them itself first."""

    commands: tuple[CreateCommand | ExerciseCommand, ...]
    window: Window
    inputs: tuple[Disclosure, ...]


class ClaimsProved(Wire, frozen=True, tag="claims-proved"):
    """VRF proofs in the order of the owner's claims."""

    proofs: tuple[bytes, ...]


class ReservationsAsked(Wire, frozen=True, tag="reservations-asked"):
    """All have signed: reserve your claims, whose home is another notary, for what you signed in this talk."""


class Reserved(Wire, frozen=True, tag="reserved"):
    """The home notary's statements that it holds the owner's claims, in the order of entries."""

    statements: tuple[bytes, ...]


class Taken(Wire, frozen=True, tag="taken"):
    """What was delivered or shared has been recorded."""


class TransactionWanted(Wire, frozen=True, tag="transaction-wanted"):
    """Deliver again what I am entitled to, from this place in your list of transactions on."""

    after: bytes


class TransactionsGiven(Wire, frozen=True, tag="transactions-given"):
    """A page of deliveries; `after` continues, empty at the end."""

    deliveries: tuple[Delivery, ...]
    after: bytes


class LockAsked(Wire, frozen=True, tag="lock-asked"):
    """Sign that this contract of yours may move: the terms, and how it came to where it lives, which you may lack."""

    terms: Terms
    way: Way
    note: str = ""


class LockSigned(Wire, frozen=True, tag="lock-signed"):
    """The signature over a lock that was asked for."""

    signature: TransactionSignature


class Moved(Wire, frozen=True, tag="moved"):
    """A contract of yours lives at another notary: here is all of its way, with the receipts."""

    way: Way


class MoveWanted(Wire, frozen=True, tag="move-wanted"):
    """Tell again where my contracts went, from this place in your list of moves on."""

    after: bytes


class MovesGiven(Wire, frozen=True, tag="moves-given"):
    """A page of ways that contracts went; `after` continues, empty at the end."""

    ways: tuple[Way, ...]
    after: bytes


Reply = SignedReply | Declined | Wanted
Word = SignedReply | Declined | Wanted | Outcome | Dropped
"""What a last signer may say to the proposer."""
GivenOrDropped = Outcome | Dropped | Given
OutcomeOrDropped = Outcome | Dropped | Given | ReservationsAsked
"""What a signer may hear once it has signed."""


def declined(refusal: Refusal) -> Declined:
    """A refusal as it is told to a peer."""
    return Declined(code=refusal.code, reason=refusal.message, values=refusal.as_plain()["values"])


def dropped(transaction: bytes, refusal: Refusal) -> Dropped:
    """The end of a transaction as it is told to a peer."""
    values = refusal.as_plain()["values"]
    return Dropped(transaction=transaction, code=refusal.code, reason=refusal.message, values=values)
