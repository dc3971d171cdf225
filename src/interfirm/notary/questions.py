"""What a notary answers with a dated statement: the state of a ref, a claim, an import, an id, a key."""

from __future__ import annotations

from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.signatures import PublicKey, Signer, verify
from interfirm.base.time import Instant
from interfirm.base.values import Hash32, Wire
from interfirm.notary.claims import machine as claims
from interfirm.notary.governance import metadata
from interfirm.notary.moves.machine import lock_of
from interfirm.notary.state import ACCEPTED, IMPORTS, REFS, REGISTRY, VALIDATED, Overlay
from interfirm.notary.types import Ask, Done, Said
from interfirm.notary.uniqueness.machine import ACTIVE, CONSUMED

KINDS = ("unspent", "consumer", "lock", "claim", "imported", "accepted", "key", "validated", *metadata.KINDS)


def answer(question: Ask, state: Overlay, height: int, now: Instant) -> Said:
    """The state of a subject at a height and time; answer None says there is nothing (free, unknown, not imported).

    - `unspent` of a ref key: True when active here, False when consumed or locked, None when unknown
    - `consumer` of a ref key: the hash of the consumer's id
    - `lock` of a ref key: [lock id, notary that may import it, until ms by its time] where it is locked
    - `claim` of a claim key: None when free, else ["taken", transaction] or ["reservation", notary, transaction, ms]
    - `imported` of a lock id: the origin notary
    - `accepted` of a transaction id: [height, time ms]
    - `key` of an identity: its registry record
    - `validated` of a transaction id: True where the notary re-executed it before it accepted it
    - about the notary itself, the kinds of `governance.metadata`
    """
    found = _find(question, state, height)
    return Said(kind=question.kind, subject=question.subject, answer=found, height=height, time=now)


def _find(question: Ask, state: Overlay, height: int) -> Any:
    subject = question.subject
    if question.kind in ("unspent", "consumer"):
        value = state.get(REFS, subject)
        if question.kind == "unspent":
            return None if value is None else value[:1] == ACTIVE
        return value[1:] if value is not None and value[:1] == CONSUMED else None
    if question.kind == "lock":
        return lock_of(subject, state)
    if question.kind == "claim":
        return claims.state_of(subject, state)
    if question.kind == "imported":
        return state.get(IMPORTS, subject)
    if question.kind == "accepted":
        value = state.get(ACCEPTED, subject)
        return None if value is None else _place(codec.decode(value, Done))
    if question.kind == "key":
        value = state.get(REGISTRY, subject)
        return None if value is None else codec.decode_plain(value)
    if question.kind == "validated":
        return state.get(VALIDATED, subject) is not None
    if question.kind in metadata.KINDS:
        return metadata.answer(question.kind, subject, state, height)
    raise Refusal("notary.question", "no such question", kind=question.kind[:20], kinds=KINDS)


def _place(done: Done) -> list[int]:
    return [done.height, done.time.ms]


class Statement(Wire, frozen=True):
    """What a notary said, signed by its key; evidence offline."""

    notary: Hash32
    said: Said
    signature: bytes


def statement_bytes(notary: bytes, said: Said) -> bytes:
    """What a notary signs to vouch for an answer."""
    return codec.encode_plain(["statement", notary, codec.plain(said)])


def state_it(signer: Signer, notary: bytes, said: Said) -> bytes:
    """The signed statement, encoded."""
    return codec.encode(Statement(notary=notary, said=said, signature=signer.sign(statement_bytes(notary, said))))


def check_statement(data: bytes, notary: bytes, key: PublicKey) -> Said:
    """What `notary` said in a statement; Refusal `signature.invalid` or `notary.other-notary`."""
    statement = codec.decode(data, Statement)
    if statement.notary != notary:
        raise Refusal("notary.other-notary", "a statement of another notary", notary=statement.notary)
    verify(key, statement_bytes(notary, statement.said), statement.signature)
    return statement.said
