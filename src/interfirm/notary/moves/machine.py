"""The four requests of a move (02-ledger, Moving between notaries).

Lock at A; import only at B, while B's time is before T, once per lock id; B's receipt finishes at A at any time; only
B's word that nothing was imported, given at B-time T or later, unlocks. Time is judged by B's clock alone. Each is
remembered by its id, so that sending one again, early, late or for ever after, changes nothing.
"""

from __future__ import annotations

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.time import Instant
from interfirm.contracts.types import ContractRef
from interfirm.ledger import tree
from interfirm.ledger.moves import import_id, lock_id
from interfirm.notary.state import ACCEPTED, IMPORTS, LOCKS, REFS, Overlay
from interfirm.notary.types import Abroad, Finish, Import, Lock, Unlock, ref_key
from interfirm.notary.uniqueness.machine import ACTIVE, CONSUMED, LOCKED, active, consumer_hash

LOCK = "lock"
"""The purpose of a confirmer's signature over a lock id."""


def finish_id(lock: bytes) -> bytes:
    """The id by which a lock ends for good."""
    return digest("finish", lock)


def unlock_id(lock: bytes) -> bytes:
    """The id by which a lock is undone."""
    return digest("unlock", lock)


def id_of(request: Lock, notary: bytes) -> bytes:
    """The lock id that a request asks for at `notary`, whether or not the contract is there."""
    commitment = tree.confirmers_commitment(request.opening.salt, request.opening.confirmers)
    return lock_id(notary, request.ref, request.to, request.until, request.nonce, commitment)


def lock(request: Lock, name: bytes, state: Overlay, notary: bytes, abroad: Abroad) -> tuple[bytes, ...]:
    """Lock an active contract under its lock id; returns who must have signed it: all confirmers, never a fallback.

    It is locked for a notary only whose word is taken here, which alone can end the lock.
    """
    confirmers = request.opening.confirmers
    if request.to == notary:
        raise Refusal("move.same", "a contract moves to another notary")
    abroad.check_known(request.to)
    if len(confirmers.parties) > state.limits.parties_count_max:
        raise Refusal("notary.limit", "over a limit", part="confirmers", count_max=state.limits.parties_count_max)
    commitment = active(request.ref, state)
    if tree.confirmers_commitment(request.opening.salt, confirmers) != commitment:
        raise Refusal("move.opening", "the opening is not what the output committed to")
    key = ref_key(request.ref)
    state.put(REFS, key, LOCKED + name)
    state.put(LOCKS, name, codec.encode_plain([key, request.to, request.until.ms, commitment]))
    return confirmers.parties


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


def finish(request: Finish, state: Overlay, abroad: Abroad) -> tuple[bytes, bytes]:
    """End a locked contract here, because the other notary imported it; returns the ref's key and its consumer."""
    key, to, _, _ = _locked(request.lock, state)
    if abroad.receipt(to, request.receipt) != import_id(request.lock):
        raise Refusal("move.receipt", "the receipt is not for this import", lock=request.lock)
    consumer = consumer_hash(request.lock)
    state.put(REFS, key, CONSUMED + consumer)
    state.put(LOCKS, request.lock, None)
    return key, consumer


def unlock(request: Unlock, state: Overlay, abroad: Abroad) -> bytes:
    """Make a contract usable here again, because the other notary imported nothing and never will."""
    if state.get(ACCEPTED, unlock_id(request.lock)) is not None:
        return unlock_id(request.lock)
    key, to, until_ms, commitment = _locked(request.lock, state)
    said = abroad.statement(to, request.statement)
    if said.kind != "imported" or said.subject != request.lock or said.answer is not None or said.time.ms < until_ms:
        raise Refusal("move.statement", "the other notary does not say that nothing was imported in time")
    state.put(REFS, key, ACTIVE + commitment)
    state.put(LOCKS, request.lock, None)
    return unlock_id(request.lock)


def lock_of(key: bytes, state: Overlay) -> list[bytes | int] | None:
    """What locks the contract under a ref's key: lock id, the notary that may import it, until when; None: nothing."""
    value = state.get(REFS, key)
    if value is None or value[:1] != LOCKED:
        return None
    name = value[1:]
    _, to, until_ms, _ = _locked(name, state)
    return [name, to, until_ms]


def _locked(name: bytes, state: Overlay) -> tuple[bytes, bytes, int, bytes]:
    record = codec.decode_plain(state.need(LOCKS, name, "move.unknown", "no such lock here"))
    return record[0], record[1], record[2], record[3]
