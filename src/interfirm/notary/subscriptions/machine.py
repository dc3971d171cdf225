"""Subscriptions to a ref or a claim (02-ledger, Notary application: subscribe to a ref or a claim).

The state of a subject is a numbered list of identities and each one's number in it, so that subscribing, leaving and
telling cost one step for each identity concerned. An identity's open subscriptions are counted. A subject's own key
holds how many there are, so that a store can read it with the ref; no two kinds of key have one length and ending.
"""

from __future__ import annotations

from collections.abc import Iterator

from interfirm.base.errors import Refusal
from interfirm.notary.state import REFS, REGISTRY, SUBSCRIPTIONS, Overlay
from interfirm.notary.types import Tell
from interfirm.notary.uniqueness.machine import CONSUMED

REF, CLAIM = "ref", "claim"
_AT, _NUMBER, _OPEN = b"a", b"n", b"o"


def subscribe(kind: str, subject: bytes, identity: bytes, state: Overlay) -> Iterator[Tell]:
    """Tell `identity` of the subject from now on; a ref that is consumed already is told at once, and yields a tell.

    Raises Refusal `notary.subject` for another kind or shape, `registry.unknown` for a stranger, `notary.limit`.
    """
    _check(kind, subject, state)
    state.need(REGISTRY, identity, "registry.unknown", "only a registered identity subscribes")
    if kind == REF and (gone := state.get(REFS, subject)) is not None and gone[:1] == CONSUMED:
        yield Tell(identity=identity, kind="consumed", subject=subject, detail=gone[1:])
        return
    if state.get(SUBSCRIPTIONS, subject + _NUMBER + identity) is not None:
        return
    opened = _number(state, identity + _OPEN)
    count_max = state.limits.subscriptions_count_max
    if opened >= count_max:
        raise Refusal("notary.limit", "too many open subscriptions", count_max=count_max)
    place = _number(state, subject)
    _set(state, identity + _OPEN, opened + 1)
    _set(state, subject, place + 1)
    _put_at(state, subject, place, identity)


def unsubscribe(kind: str, subject: bytes, identity: bytes, state: Overlay) -> None:
    """Tell `identity` no more; harmless where it was not told."""
    _check(kind, subject, state)
    found = state.get(SUBSCRIPTIONS, subject + _NUMBER + identity)
    if found is None:
        return
    place, last = int.from_bytes(found, "big"), _number(state, subject) - 1
    if place != last:
        _put_at(state, subject, place, _at(state, subject, last))
    _forget(state, subject, last, identity)
    _set(state, subject, last)


def consumed(subject: bytes, consumer: bytes, state: Overlay) -> Iterator[Tell]:
    """What the subscribers of a ref hear of its consumption, which ends their subscriptions."""
    count = _number(state, subject)
    for place in range(count):
        identity = _at(state, subject, place)
        _forget(state, subject, place, identity)
        yield Tell(identity=identity, kind="consumed", subject=subject, detail=consumer)
    if count:
        _set(state, subject, 0)


def claim_asked(subject: bytes, asker: bytes, state: Overlay) -> Iterator[Tell]:
    """What the subscribers of a claim, but not the asker itself, hear when somebody asked for its proof."""
    for place in range(_number(state, subject)):
        identity = _at(state, subject, place)
        if identity != asker:
            yield Tell(identity=identity, kind="claim-asked", subject=subject, detail=b"")


def _check(kind: str, subject: bytes, state: Overlay) -> None:
    """Refuse what one cannot subscribe to; an index over the limit would also read as another kind of key."""
    known = (kind, len(subject)) in ((REF, 36), (CLAIM, 32))
    if not known or int.from_bytes(subject[32:], "big") >= state.limits.entries_count_max:
        raise Refusal("notary.subject", "one subscribes to a ref or a claim", kind=kind[:20], bytes=len(subject))


def _at(state: Overlay, subject: bytes, place: int) -> bytes:
    return state.need(SUBSCRIPTIONS, subject + _AT + place.to_bytes(4, "big"), "notary.subject", "no such subscription")


def _put_at(state: Overlay, subject: bytes, place: int, identity: bytes) -> None:
    number = place.to_bytes(4, "big")
    state.put(SUBSCRIPTIONS, subject + _AT + number, identity)
    state.put(SUBSCRIPTIONS, subject + _NUMBER + identity, number)


def _forget(state: Overlay, subject: bytes, place: int, identity: bytes) -> None:
    state.put(SUBSCRIPTIONS, subject + _AT + place.to_bytes(4, "big"), None)
    state.put(SUBSCRIPTIONS, subject + _NUMBER + identity, None)
    _set(state, identity + _OPEN, _number(state, identity + _OPEN) - 1)


def _number(state: Overlay, key: bytes) -> int:
    return int.from_bytes(state.get(SUBSCRIPTIONS, key) or b"", "big")


def _set(state: Overlay, key: bytes, number: int) -> None:
    state.put(SUBSCRIPTIONS, key, number.to_bytes(4, "big") if number else None)
