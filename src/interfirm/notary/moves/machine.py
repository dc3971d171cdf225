"""The four requests of a move (02-ledger, Moving between notaries).

Lock at A; import only at B, while B's time is before T, once per lock id; B's receipt finishes at A at any time; only
B's word that nothing was imported, given at B-time T or later, unlocks. Time is judged by B's clock alone.
"""

from __future__ import annotations

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.time import Instant
from interfirm.contracts.types import ContractRef
from interfirm.ledger import tree
from interfirm.notary.state import IMPORTS, LOCKS, REFS, Overlay
from interfirm.notary.types import Abroad, Finish, Import, Lock, Said, Unlock, ref_key
from interfirm.notary.uniqueness.machine import ACTIVE, CONSUMED, LOCKED, active, consumer_hash

LOCK = "lock"
"""The purpose of a confirmer's signature over a lock id."""


def lock_id(origin: bytes, ref: ContractRef, to: bytes, until: Instant, nonce: bytes, commitment: bytes) -> bytes:
    """The id of a lock: it fixes from where, what, whereto, until when, and who confirms the contract."""
    return digest("lock", origin, ref_key(ref), to, until.ms, nonce, commitment)


def import_id(lock: bytes) -> bytes:
    """The id by which the other notary accepts an import."""
    return digest("import", lock)


def lock(request: Lock, state: Overlay, notary: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Lock an active contract; returns the lock id and who must have signed it."""
    commitment = _lockable(request, state, notary)
    if tree.confirmers_commitment(request.opening.salt, request.opening.confirmers) != commitment:
        raise Refusal("move.opening", "the opening is not what the output committed to")
    name = lock_id(notary, request.ref, request.to, request.until, request.nonce, commitment)
    state.put(REFS, ref_key(request.ref), LOCKED + name)
    record = [ref_key(request.ref), request.to, request.until.ms, commitment]
    state.put(LOCKS, name, codec.encode_plain(record))
    return name, request.opening.confirmers.parties


def _lockable(request: Lock, state: Overlay, notary: bytes) -> bytes:
    """The commitment of the contract: active, or already locked by this very request."""
    if request.to == notary:
        raise Refusal("move.same", "a contract moves to another notary")
    value = state.get(REFS, ref_key(request.ref))
    if value is not None and value[:1] == LOCKED:
        _, _, _, commitment = codec.decode_plain(state.need(LOCKS, value[1:], "move.unknown", "no such lock"))
        if lock_id(notary, request.ref, request.to, request.until, request.nonce, commitment) == value[1:]:
            return bytes(commitment)
    return active(request.ref, state)


def bring_in(request: Import, state: Overlay, notary: bytes, now: Instant, abroad: Abroad) -> bytes:
    """Make a locked contract active here under (lock id, 0); once per lock id, again is harmless."""
    name = lock_id(request.origin, request.ref, notary, request.until, request.nonce, request.commitment)
    if state.get(IMPORTS, name) is not None:
        return import_id(name)
    if now >= request.until:
        raise Refusal("move.too-late", "the lock's time has passed here", until=request.until, now=now)
    if abroad.receipt(request.origin, request.receipt) != name:
        raise Refusal("move.receipt", "the receipt is not for this lock", lock=name)
    state.put(IMPORTS, name, request.origin)
    state.put(REFS, ref_key(ContractRef(name, 0)), ACTIVE + request.commitment)
    return import_id(name)


def finish(request: Finish, state: Overlay, abroad: Abroad) -> bytes:
    """End a locked contract here, because the other notary imported it."""
    key, to, _, _ = _locked(request.lock, state)
    if abroad.receipt(to, request.receipt) != import_id(request.lock):
        raise Refusal("move.receipt", "the receipt is not for this import", lock=request.lock)
    state.put(REFS, key, CONSUMED + consumer_hash(request.lock))
    state.put(LOCKS, request.lock, None)
    return digest("finish", request.lock)


def unlock(request: Unlock, state: Overlay, abroad: Abroad) -> bytes:
    """Make a contract usable here again, because the other notary imported nothing and never will."""
    key, to, until_ms, commitment = _locked(request.lock, state)
    said: Said = abroad.statement(to, request.statement)
    if said.kind != "imported" or said.subject != request.lock or said.answer is not None or said.time.ms < until_ms:
        raise Refusal("move.statement", "the other notary does not say that nothing was imported in time")
    state.put(REFS, key, ACTIVE + commitment)
    state.put(LOCKS, request.lock, None)
    return digest("unlock", request.lock)


def _locked(name: bytes, state: Overlay) -> tuple[bytes, bytes, int, bytes]:
    record = codec.decode_plain(state.need(LOCKS, name, "move.unknown", "no such lock here"))
    return record[0], record[1], record[2], record[3]
