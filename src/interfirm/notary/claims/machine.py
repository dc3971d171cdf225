"""Claims: free, reserved for a transaction elsewhere, taken (02-ledger, Claims).

A claim's value in the state is a block: ["taken", transaction] or ["reserved", notary, transaction, until ms].
"""

from __future__ import annotations

from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.ledger import tree
from interfirm.ledger.types import ClaimOpening, CreateEntry
from interfirm.notary.registry.machine import record_of
from interfirm.notary.state import CLAIMS, Overlay
from interfirm.notary.types import Abroad, Free, Notarise, Reserve, Said, Settle

RESERVATION = "reservation"


def judge(
    request: Notarise,
    transaction: bytes,
    state: Overlay,
    scopes: dict[bytes, frozenset[int]],
    notary: bytes,
    abroad: Abroad,
) -> None:
    """Refuse claims that are not opened, not signed by their owner, taken, or another notary's to give (`claim.*`)."""
    opened = _openings(request)
    for index, entry in enumerate(request.entries):
        if not isinstance(entry, CreateEntry):
            continue
        for position, commitment in enumerate(entry.claims):
            opening = opened.pop((index, position), None)
            if opening is None:
                raise Refusal("claim.opening", "a claim is not opened", entry=index, position=position)
            _check(opening, commitment, request, transaction, state, scopes, notary, abroad)
    if opened:
        raise Refusal("claim.opening", "a claim is opened that no entry makes")


def _openings(request: Notarise) -> dict[tuple[int, int], ClaimOpening]:
    opened = {(opening.entry, opening.position): opening for opening in request.claims}
    hashes = {opening.claim for opening in request.claims}
    if len(opened) != len(request.claims) or len(hashes) != len(request.claims):
        raise Refusal("claim.twice", "one transaction makes one claim once")
    return opened


def _check(
    opening: ClaimOpening,
    commitment: bytes,
    request: Notarise,
    transaction: bytes,
    state: Overlay,
    scopes: dict[bytes, frozenset[int]],
    notary: bytes,
    abroad: Abroad,
) -> None:
    if tree.claim_commitment(opening.salt, opening.owner, opening.claim) != commitment:
        raise Refusal("claim.opening", "the opening is not what the entry committed to", entry=opening.entry)
    if opening.entry not in scopes.get(opening.owner, ()):
        raise Refusal("claim.owner", "the claim's owner does not sign its entry", owner=opening.owner)
    home = record_of(opening.owner, state).home
    if home != notary:
        _check_reserved(opening, transaction, request, home, notary, abroad)
        return
    value = state.get(CLAIMS, opening.claim)
    if value is not None:
        kind = codec.decode_plain(value)[0]
        raise Refusal("claim.taken", "the claim exists already", claim=opening.claim, state=kind)


def _check_reserved(
    opening: ClaimOpening, transaction: bytes, request: Notarise, home: bytes, notary: bytes, abroad: Abroad
) -> None:
    """The owner's home notary must say that it holds the claim for this transaction here."""
    for statement in request.reservations:
        said = abroad.statement(home, statement)
        wanted = [RESERVATION, notary, transaction]
        if said.kind == "claim" and said.subject == opening.claim and list(said.answer or ())[:3] == wanted:
            return
    raise Refusal("claim.home", "the owner's home notary has not reserved this claim here", home=home)


def apply(request: Notarise, transaction: bytes, state: Overlay, notary: bytes) -> None:
    """Take the claims of an accepted transaction whose home is here."""
    for opening in request.claims:
        if record_of(opening.owner, state).home == notary:
            state.put(CLAIMS, opening.claim, codec.encode_plain(["taken", transaction]))


def state_of(claim: bytes, state: Overlay) -> Any:
    """The plain state of a claim: None when free."""
    value = state.get(CLAIMS, claim)
    return None if value is None else codec.decode_plain(value)


def reservation_bytes(request: Reserve) -> bytes:
    """The id that a claim's owner signs to reserve it (purpose `reservation`)."""
    return digest(RESERVATION, request.claim, request.notary, request.transaction, request.until.ms)


def reserve(request: Reserve, state: Overlay) -> bytes:
    """Hold a claim for one transaction at another notary; the owner's signature was checked."""
    held = [RESERVATION, request.notary, request.transaction, request.until.ms]
    known = state_of(request.claim, state)
    if known is not None and known != held:
        raise Refusal("claim.taken", "the claim exists already", claim=request.claim, state=known[0])
    state.put(CLAIMS, request.claim, codec.encode_plain(held))
    return reservation_bytes(request)


def settle(request: Settle, state: Overlay, abroad: Abroad) -> bytes:
    """A reserved claim is taken when the other notary accepted the transaction it was held for."""
    _, notary, transaction, _ = _held(request.claim, state)
    if abroad.receipt(notary, request.receipt) != transaction:
        raise Refusal("claim.receipt", "a receipt of another transaction", transaction=transaction)
    state.put(CLAIMS, request.claim, codec.encode_plain(["taken", transaction]))
    return digest("settled", request.claim, transaction)


def free(request: Free, state: Overlay, abroad: Abroad) -> bytes:
    """A reserved claim is free again when the other notary says, past the window, that it accepted nothing."""
    _, notary, transaction, until_ms = _held(request.claim, state)
    said: Said = abroad.statement(notary, request.statement)
    if said.kind != "accepted" or said.subject != transaction or said.answer is not None or said.time.ms < until_ms:
        raise Refusal("claim.statement", "the other notary does not say that it accepted nothing in time")
    state.put(CLAIMS, request.claim, None)
    return digest("freed", request.claim, transaction)


def _held(claim: bytes, state: Overlay) -> Any:
    known = state_of(claim, state)
    if known is None or known[0] != RESERVATION:
        raise Refusal("claim.not-reserved", "the claim is not reserved", claim=claim)
    return known
