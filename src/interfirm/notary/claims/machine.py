"""Claims: free, reserved for a transaction elsewhere, taken for ever (02-ledger, Claims).

A claim's value in the state is a block: ["taken", transaction] or ["reservation", notary, transaction, until ms]. Its
key is bound to its owner: who learns another's claim hash can do nothing with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.ledger import tree
from interfirm.ledger.types import ClaimOpening, CreateEntry
from interfirm.notary.registry.machine import record_of
from interfirm.notary.state import ACCEPTED, CLAIMS, Overlay
from interfirm.notary.types import Abroad, Free, Notarise, Reserve, Said, Settle, claim_key

RESERVATION, TAKEN = "reservation", "taken"


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
    reservations = iter(request.reservations)
    making = [(index, entry) for index, entry in enumerate(request.entries) if isinstance(entry, CreateEntry)]
    for index, entry in making:
        for position, commitment in enumerate(entry.claims):
            opening = opened.pop((index, position), None)
            if opening is None:
                raise Refusal("claim.opening", "a claim is not opened", entry=index, position=position)
            _check_opening(opening, commitment, scopes)
            home = record_of(opening.owner, state).home
            if home == notary:
                _check_free(opening, state)
            else:
                said = _next_reservation(reservations, home, abroad)
                _check_reserved(said, opening, request, transaction, home, notary)
    if opened:
        raise Refusal("claim.opening", "a claim is opened that no entry makes")
    if next(reservations, None) is not None:
        raise Refusal("claim.reservation", "a reservation is shown that no claim needs")


def _openings(request: Notarise) -> dict[tuple[int, int], ClaimOpening]:
    if not request.claims:
        return {}
    opened = {(opening.entry, opening.position): opening for opening in request.claims}
    claims = {(opening.owner, opening.claim) for opening in request.claims}
    if len(opened) != len(request.claims) or len(claims) != len(request.claims):
        raise Refusal("claim.twice", "one transaction makes one claim once")
    return opened


def _check_opening(opening: ClaimOpening, commitment: bytes, scopes: dict[bytes, frozenset[int]]) -> None:
    if tree.claim_commitment(opening.salt, opening.owner, opening.claim) != commitment:
        raise Refusal("claim.opening", "the opening is not what the entry committed to", entry=opening.entry)
    if opening.entry not in scopes.get(opening.owner, ()):
        raise Refusal("claim.owner", "the claim's owner does not sign its entry", owner=opening.owner)


def _check_free(opening: ClaimOpening, state: Overlay) -> None:
    known = state_of(claim_key(opening.owner, opening.claim), state)
    if known is not None:
        raise Refusal("claim.taken", "the claim exists already", claim=opening.claim, state=known[0])


def _next_reservation(reservations: Iterator[bytes], home: bytes, abroad: Abroad) -> Said:
    statement = next(reservations, None)
    if statement is None:
        raise Refusal("claim.home", "the owner's home notary has not reserved this claim here", home=home)
    return abroad.statement(home, statement)


def _check_reserved(
    said: Said, opening: ClaimOpening, request: Notarise, transaction: bytes, home: bytes, notary: bytes
) -> None:
    """The home notary must hold the claim for this transaction here, and for as long as it can still be accepted.

    A shorter reservation could be freed by this notary's honest word and the claim taken again, before the transaction
    is accepted after all.
    """
    upper_ms = request.header.window.upper.ms
    match said:
        case Said(kind="claim", subject=subject, answer=[kind, there, held, int() as until_ms]):
            wanted = (claim_key(opening.owner, opening.claim), RESERVATION, notary, transaction)
            if (subject, kind, there, held) == wanted and until_ms >= upper_ms:
                return
    raise Refusal("claim.home", "the owner's home notary has not reserved this claim here", home=home, until=upper_ms)


def apply(request: Notarise, transaction: bytes, state: Overlay, notary: bytes) -> None:
    """Take the claims of an accepted transaction whose home is here."""
    for opening in request.claims:
        if record_of(opening.owner, state).home == notary:
            _put(claim_key(opening.owner, opening.claim), [TAKEN, transaction], state)


def state_of(key: bytes, state: Overlay) -> Any:
    """The plain state of the claim at a `claim_key`: None when free."""
    value = state.get(CLAIMS, key)
    return None if value is None else codec.decode_plain(value)


def reservation_id(request: Reserve) -> bytes:
    """The id that a claim's owner signs to reserve it (purpose `reservation`)."""
    return held_id(
        claim_key(request.signature.identity, request.claim), request.notary, request.transaction, request.until.ms
    )


def held_id(key: bytes, notary: bytes, transaction: bytes, until_ms: int) -> bytes:
    """The same, from what is held: the claim's `claim_key`, and for what."""
    return digest(RESERVATION, key, notary, transaction, until_ms)


def freed_id(reservation: bytes) -> bytes:
    """The id by which a reservation was freed."""
    return digest("freed", reservation)


def settled_id(key: bytes, transaction: bytes) -> bytes:
    """The id by which a reserved claim became taken."""
    return digest("settled", key, transaction)


def reserve(request: Reserve, state: Overlay, notary: bytes) -> bytes:
    """Hold a claim for one transaction at another notary; the owner's signature was checked. Again is harmless."""
    name = reservation_id(request)
    if request.notary == notary:
        raise Refusal("claim.same", "a claim is reserved for another notary")
    if state.get(ACCEPTED, freed_id(name)) is not None:
        raise Refusal("claim.freed", "this reservation was freed, its transaction can no longer be accepted")
    key = claim_key(request.signature.identity, request.claim)
    held = [RESERVATION, request.notary, request.transaction, request.until.ms]
    known = state_of(key, state)
    if known is not None and known != held:
        raise Refusal("claim.taken", "the claim exists already", claim=request.claim, state=known[0])
    _put(key, held, state)
    return name


def settle(request: Settle, state: Overlay, abroad: Abroad) -> bytes:
    """A reserved claim is taken when the other notary accepted the transaction it was held for. Again is harmless."""
    key = claim_key(request.owner, request.claim)
    known = state_of(key, state)
    if known is not None and known[0] == TAKEN and state.get(ACCEPTED, settled_id(key, known[1])) is not None:
        return settled_id(key, known[1])
    notary, transaction, _ = _held(known, request.claim)
    if abroad.receipt(notary, request.receipt) != transaction:
        raise Refusal("claim.receipt", "a receipt of another transaction", transaction=transaction)
    _put(key, [TAKEN, transaction], state)
    return settled_id(key, transaction)


def free(request: Free, state: Overlay, abroad: Abroad) -> bytes:
    """A reserved claim is free again when the other notary says, past the window, that it accepted nothing."""
    key = claim_key(request.owner, request.claim)
    notary, transaction, until_ms = _held(state_of(key, state), request.claim)
    said = abroad.statement(notary, request.statement)
    if said.kind != "accepted" or said.subject != transaction or said.answer is not None or said.time.ms < until_ms:
        raise Refusal("claim.statement", "the other notary does not say that it accepted nothing in time")
    state.put(CLAIMS, key, None)
    return freed_id(held_id(key, notary, transaction, until_ms))


def _held(known: Any, claim: bytes) -> tuple[bytes, bytes, int]:
    if known is None or known[0] != RESERVATION:
        raise Refusal("claim.not-reserved", "the claim is not reserved", claim=claim)
    _, notary, transaction, until_ms = known
    return notary, transaction, until_ms


def _put(key: bytes, value: list[Any], state: Overlay) -> None:
    state.put(CLAIMS, key, codec.encode_plain(value))
