"""Whose word is taken: decided by votes, and for a cluster carried on by its own headers (pure).

A header vouches for later ones within its trusting period, judged by the time of the block: all validators agree on it.
Anybody may show a later header that follows from the last one trusted, as with ICS-02's `MsgUpdateClient`. The earlier
ones are kept while they count, because a receipt stands on whatever header was the last one when it was made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.hashing import digest
from interfirm.ledger.receipts.chain import validators_hash
from interfirm.ledger.receipts.cometbft import carry
from interfirm.ledger.receipts.light import MS_NS
from interfirm.ledger.receipts.types import Anchor, ClusterAnchor, NotaryAnchor, Trusted
from interfirm.notary.neighbours.types import ClusterNeighbour, Kept, Neighbour, Renew, SoloNeighbour, TrustedHeader
from interfirm.notary.state import GOVERNANCE, Overlay
from interfirm.notary.types import Store

_NEIGHBOUR, _PLACE = b"neighbour", b"neighbours"
RENEWALS = 4
"""A later header is kept when it is this part of the trusting period later than the last one."""
_ELSEWHERE = frozenset(("receipt.behind", "receipt.validators"))
"""Refusals of what stands on headers before, or of sets known to, another trusted header."""
T = TypeVar("T")


def neighbour_of(anchor: Anchor) -> Neighbour:
    """What voters decide about, from what a member trusts; Refusal `neighbour.anchor` where its time is not known."""
    if isinstance(anchor, NotaryAnchor):
        return SoloNeighbour(notary=anchor.notary, network=anchor.network, key=anchor.key)
    check(anchor.trusted.time_ns > 0, "neighbour.anchor", "the time of the trusted header is not known",
          notary=anchor.notary)  # fmt: skip
    return ClusterNeighbour(
        notary=anchor.notary, network=anchor.network, chain_id=anchor.chain_id,
        trusted=_header(anchor.trusted), trusting_period_ms=anchor.trusting_period_ms,
    )  # fmt: skip


def trust(neighbour: Neighbour, proposal: bytes, state: Overlay, *, notary: bytes, height: int) -> None:
    """Take a notary's word from now on, by this alone; `notary` is who does.

    Refusal `neighbour.known` for what is trusted already, `neighbour.self`, `neighbour.anchor` for a header that
    contradicts itself, `neighbour.count` beyond the limit.
    """
    check(neighbour.notary != notary, "neighbour.self", "a notary is not its own neighbour", notary=notary)
    if isinstance(neighbour, ClusterNeighbour):
        _check_header(neighbour.trusted)
    known = kept_of(neighbour.notary, state)
    if known is None:
        _enter(neighbour.notary, state)
    elif known.neighbour == neighbour:
        raise Refusal("neighbour.known", "this notary is trusted so already", notary=neighbour.notary)
    _put(Kept(notary=neighbour.notary, neighbour=neighbour, proposal=proposal, height=height), state)


def forget(notary: bytes, proposal: bytes, state: Overlay, *, height: int) -> None:
    """Take a notary's word no longer; Refusal `neighbour.unknown` where it is not taken."""
    _believed(notary, state)
    _put(Kept(notary=notary, neighbour=None, proposal=proposal, height=height), state)


def renew(request: Renew, state: Overlay, *, now_ms: int | None) -> bytes:
    """Keep a later header of a cluster; returns the renewal's id.

    Refusals: `neighbour.unknown`, `neighbour.key` for a solo notary, `neighbour.early` where the last one is not old
    enough yet, and as `ledger.receipts.cometbft.carry` for a walk that does not lead from the last header.
    """
    kept = _believed(request.notary, state)
    if not isinstance(kept.neighbour, ClusterNeighbour):
        raise Refusal("neighbour.key", "a solo notary is believed by its key, which is not renewed")
    period_ns = kept.neighbour.trusting_period_ms * MS_NS
    last = _headers(kept)[-1]
    found = _header(carry(request.walk, anchor=_anchor(kept.neighbour, last), now_ms=now_ms))
    check(RENEWALS * (found.time_ns - last.time_ns) >= period_ns, "neighbour.early",
          "the last header was not long ago, and counts", height=found.height, last=last.height)  # fmt: skip
    counting = tuple(each for each in kept.renewed if now_ms is None or now_ms * MS_NS < each.time_ns + period_ns)
    _put(kept.replace(renewed=(*counting[-RENEWALS:], found)), state)
    return digest("renewed", request.notary, found.hash)


def believing(kept: Kept, verify: Callable[[Anchor], T]) -> T:
    """What `verify` finds by one of the anchors of a notary, the latest first.

    Refusal `notary.stranger` for one that was forgotten, else that of the last anchor.
    """
    if kept.neighbour is None:
        raise Refusal("notary.stranger", "this notary's word is not taken any more", notary=kept.notary)
    if isinstance(kept.neighbour, SoloNeighbour):
        solo = kept.neighbour
        return verify(NotaryAnchor(notary=solo.notary, network=solo.network, key=solo.key))
    earliest, *later = _headers(kept)
    for header in reversed(later):
        try:
            return verify(_anchor(kept.neighbour, header))
        except Refusal as refusal:
            if refusal.code not in _ELSEWHERE:
                raise
    return verify(_anchor(kept.neighbour, earliest))


def last_anchor(kept: Kept) -> ClusterAnchor:
    """What a cluster is believed by that is the latest, from which trust is renewed."""
    assert isinstance(kept.neighbour, ClusterNeighbour), "who asks has seen that it is a cluster"
    return _anchor(kept.neighbour, _headers(kept)[-1])


def kept_of(notary: bytes, state: Store) -> Kept | None:
    """What was decided about a notary."""
    value = state.get(GOVERNANCE, _NEIGHBOUR + notary)
    return None if value is None else codec.decode(value, Kept)


def page_of(first: int, count_max: int, state: Store) -> tuple[Kept, ...]:
    """What was decided about notaries, in the order in which they were first trusted, from a number on."""
    found = []
    for number in range(first, min(_count(state), first + count_max)):
        kept = kept_of(state.get(GOVERNANCE, _place(number)) or b"", state)
        assert kept is not None, "a place names a neighbour"
        found.append(kept)
    return tuple(found)


def _believed(notary: bytes, state: Store) -> Kept:
    kept = kept_of(notary, state)
    if kept is None or kept.neighbour is None:
        raise Refusal("neighbour.unknown", "no vote has said that this notary is to be believed", notary=notary)
    return kept


def _check_header(header: TrustedHeader) -> None:
    """The validators are a set, and at the beginning the next ones are the same."""
    first = validators_hash(header.validators)
    fits = first == header.next_validators and not header.hash if header.height == 0 else len(header.hash) == 32
    check(fits, "neighbour.anchor", "the trusted header contradicts itself", height=header.height)


def _headers(kept: Kept) -> tuple[TrustedHeader, ...]:
    assert isinstance(kept.neighbour, ClusterNeighbour), "solo notaries have no headers"
    return (kept.neighbour.trusted, *kept.renewed)


def _anchor(neighbour: ClusterNeighbour, header: TrustedHeader) -> ClusterAnchor:
    trusted = Trusted(
        height=header.height, hash=header.hash, time_ns=header.time_ns, validators=header.validators,
        next_validators=header.next_validators,
    )  # fmt: skip
    return ClusterAnchor(
        notary=neighbour.notary, network=neighbour.network, chain_id=neighbour.chain_id, trusted=trusted,
        trusting_period_ms=neighbour.trusting_period_ms,
    )  # fmt: skip


def _header(trusted: Trusted) -> TrustedHeader:
    return TrustedHeader(
        height=trusted.height, hash=trusted.hash, time_ns=trusted.time_ns, validators=trusted.validators,
        next_validators=trusted.next_validators,
    )  # fmt: skip


def _enter(notary: bytes, state: Overlay) -> None:
    count = _count(state)
    if count >= state.limits.notaries_count_max:
        raise Refusal("neighbour.count", "too many notaries were trusted", count_max=state.limits.notaries_count_max)
    state.put(GOVERNANCE, _place(count), notary)
    state.put(GOVERNANCE, _PLACE, codec.encode_plain(count + 1))


def _count(state: Store) -> int:
    value = state.get(GOVERNANCE, _PLACE)
    return 0 if value is None else int(codec.decode_plain(value))


def _place(number: int) -> bytes:
    return _PLACE + number.to_bytes(8, "big")


def _put(kept: Kept, state: Overlay) -> None:
    state.put(GOVERNANCE, _NEIGHBOUR + kept.notary, codec.encode(kept))
