"""Proofs of what a trie holds at a height, and of the roots of all tries below one root (ICS-23)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interfirm.base.errors import check
from interfirm.ledger.receipts.ics23 import DEPTH_MAX, OUTER, SUBSTORE, Absence, Existence, Proof, Step
from interfirm.notary.cometbft.store.keys import ALIKE, bit_at, critical
from interfirm.notary.cometbft.store.trie import SENTINEL, View

ValueOf = Callable[[bytes], bytes]
"""The value of a stored key at the height that is proved."""


def prove(view: View, key: bytes, value_of: ValueOf) -> Proof:
    """That a key is there with its value, or that it is not; Refusal `store.depth` where a path is too long."""
    places = view.down(0, None, key)
    bit = critical(key, view.key_at(places[-1]))
    if bit == ALIKE:
        return _existence(view, places, value_of)
    while view.bit(places[-1]) > bit:
        places.pop()
    side = bit_at(key, bit)
    near = places[:-1] + view.down(places[-1], side)
    far = _beyond(view, places, side)
    left, right = (near, far) if side else (far, near)
    return Absence(
        key=key,
        left=None if left is None else _existence(view, left, value_of),
        right=None if right is None else _existence(view, right, value_of),
    )


def _beyond(view: View, places: list[int], side: int) -> list[int] | None:
    """The way to the next leaf on one side of all that is below the last place; None where there is none."""
    for at in reversed(range(1, len(places))):
        if places[at] & 1 != side:
            return places[:at] + view.down(places[at] ^ 1, 1 - side)
    return None


def _existence(view: View, places: list[int], value_of: ValueOf) -> Existence:
    check(len(places) - 1 <= DEPTH_MAX, "store.depth", "the path to this key is too long", steps=len(places) - 1)
    key = view.key_at(places[-1])
    steps = [SUBSTORE.step(place & 1, view.hash_at(place ^ 1)) for place in reversed(places[1:])]
    return Existence(key, SENTINEL if key == SENTINEL else value_of(key), SUBSTORE.leaf, tuple(steps))


def roots_root(roots: Sequence[tuple[str, bytes]]) -> bytes:
    """The root of named roots in the order of their names: Tendermint's simple map."""
    if len(roots) == 1:
        name, root = roots[0]
        return OUTER.leaf_hash(name.encode(), root)
    middle = _split(len(roots))
    return OUTER.node_hash(roots_root(roots[:middle]), roots_root(roots[middle:]))


def prove_root(roots: Sequence[tuple[str, bytes]], space: str) -> Existence:
    """That one of these roots stands under its name below `roots_root`."""
    name, root = next(pair for pair in roots if pair[0] == space)
    return Existence(name.encode(), root, OUTER.leaf, tuple(_steps(roots, space)))


def _steps(roots: Sequence[tuple[str, bytes]], space: str) -> list[Step]:
    if len(roots) == 1:
        return []
    middle = _split(len(roots))
    left, right = roots[:middle], roots[middle:]
    if space < right[0][0]:
        return [*_steps(left, space), OUTER.step(0, roots_root(right))]
    return [*_steps(right, space), OUTER.step(1, roots_root(left))]


def _split(count: int) -> int:
    """The largest power of two below a count (RFC 9162, 2.1.1)."""
    return 1 << (count - 1).bit_length() - 1
