"""The append-only Merkle tree of RFC 9162 over SHA-256: roots, inclusion and consistency, without storage.

The tree keeps a `Frontier`, one hash for each bit of its size. Appending gives the nodes that became complete; whoever
stores them offers them back as `node(level, index)`, the hash over 2**level leaves from leaf index * 2**level on.
Such a node never changes, so the store is append-only as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Wire

Node = tuple[int, int, bytes]
"""Level, index and hash of a complete node."""
NodeLookup = Callable[[int, int], bytes]
"""The hash of the complete node at (level, index)."""

EMPTY_ROOT = sha256(b"").digest()
SIZE_MAX = 2**63 - 1


def leaf_hash(leaf: bytes) -> bytes:
    """The 32-byte hash of an entry (RFC 9162, 2.1.1)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32-byte hash of a node over its two children (RFC 9162, 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier(Wire, frozen=True):
    """All that is needed to append: the size, and the roots of the complete subtrees from left to right."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """The 32-byte root of the tree at this size."""
        return _fold(self.peaks) if self.peaks else EMPTY_ROOT

    def append(self, leaf: bytes) -> tuple[Frontier, list[Node]]:
        """The frontier after one more leaf, and the nodes that it completed, the leaf's own first."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> tuple[Frontier, list[Node]]:
        """The frontier after more leaves, and the nodes that they completed in the order of completion."""
        size, peaks, nodes = self.size, list(self.peaks), list[Node]()
        for leaf in leaves:
            level, index, found = 0, size, leaf_hash(leaf)
            nodes.append((level, index, found))
            while index & 1:
                level, index, found = level + 1, index >> 1, node_hash(peaks.pop(), found)
                nodes.append((level, index, found))
            peaks.append(found)
            size += 1
        return Frontier(size=size, peaks=tuple(peaks)), nodes


def inclusion_proof(node: NodeLookup, *, index: int, size: int) -> tuple[bytes, ...]:
    """The path from leaf `index` to the root of the tree of `size` (RFC 9162, 2.1.3.1), the leaf's sibling first.

    Raises Refusal `log.index` where the tree has no such leaf.
    """
    _check_index(index, size)
    start, end, above = 0, size, list[bytes]()
    while (end - start).bit_count() > 1:
        middle = start + _left_size(end - start)
        if index < middle:
            above.append(_range_root(node, middle, end))
            end = middle
        else:
            above.append(_range_root(node, start, middle))
            start = middle
    levels = (end - start).bit_length() - 1  # of the complete subtree that the leaf is in
    return *(node(level, index >> level ^ 1) for level in range(levels)), *reversed(above)


def consistency_proof(node: NodeLookup, *, old_size: int, new_size: int) -> tuple[bytes, ...]:
    """The proof that the tree of `new_size` begins with the tree of `old_size` (RFC 9162, 2.1.4.1).

    Raises Refusal `log.size` unless 0 < old_size <= new_size.
    """
    _check_sizes(old_size, new_size)
    start, end, path = 0, new_size, list[bytes]()
    while end != old_size:
        middle = start + _left_size(end - start)
        if old_size <= middle:
            path.append(_range_root(node, middle, end))
            end = middle
        else:
            path.append(_range_root(node, start, middle))
            start = middle
    if start:  # otherwise the old tree is itself a node here, and its root is known to whoever checks
        path.append(_range_root(node, start, end))
    return tuple(reversed(path))


def inclusion_root(leaf: bytes, *, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The 32-byte root that a path leads to from the leaf with hash `leaf` (RFC 9162, 2.1.3.2).

    Raises Refusal `log.index` where a tree of `size` has no such leaf, `log.path` for a path of another shape.
    """
    _check_index(index, size)
    _check_hashes((leaf, *path))
    found, last, steps = leaf, size - 1, iter(path)
    while last:
        if index & 1:
            found = sha256(b"\x01" + _next(steps) + found).digest()
        elif index < last:
            found = sha256(b"\x01" + found + _next(steps)).digest()
        index, last = index >> 1, last >> 1
    _check_used_up(steps)
    return found


def verify_inclusion(root: bytes, leaf: bytes, *, index: int, size: int, path: Sequence[bytes]) -> None:
    """Return if the tree of `size` with `root` holds the leaf hash `leaf` at `index`.

    Raises Refusal `log.inclusion` for another root, and as `inclusion_root`.
    """
    found = inclusion_root(leaf, index=index, size=size, path=path)
    check(found == root, "log.inclusion", "the path leads to another root", index=index, size=size, root=root)


def verify_consistency(
    old_root: bytes, new_root: bytes, *, old_size: int, new_size: int, path: Sequence[bytes]
) -> None:
    """Return if the tree of `new_size` with `new_root` begins with the one of `old_size` with `old_root`.

    Source: RFC 9162, 2.1.4.2. Raises Refusal `log.size` unless 0 < old_size <= new_size, `log.path` for a path of
    another shape, `log.consistency` where the roots do not agree.
    """
    _check_sizes(old_size, new_size)
    _check_hashes((old_root, new_root, *path))
    # the old tree, or its last complete part, is a node of the new tree at this level
    level = 63 if old_size == new_size else (old_size & -old_size).bit_length() - 1
    index, last, steps = (old_size - 1) >> level, (new_size - 1) >> level, iter(path)
    old = new = _next(steps) if index else old_root  # a path leaves out what its reader has
    while last:
        if index & 1:
            step = _next(steps)
            old, new = node_hash(step, old), node_hash(step, new)
        elif index < last:
            new = node_hash(new, _next(steps))
        index, last = index >> 1, last >> 1
    _check_used_up(steps)
    agree = (old, new) == (old_root, new_root)
    check(
        agree, "log.consistency", "the later tree does not begin with the earlier", old_size=old_size, new_size=new_size
    )


def _left_size(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << (size - 1).bit_length() - 1


def _range_root(node: NodeLookup, start: int, end: int) -> bytes:
    """The root over the leaves start .. end - 1 of a subtree that begins at `start`, from its complete nodes."""
    peaks = list[bytes]()
    while start < end:
        level = (end - start).bit_length() - 1
        peaks.append(node(level, start >> level))
        start += 1 << level
    return _fold(peaks)


def _fold(peaks: Sequence[bytes]) -> bytes:
    found = peaks[-1]
    for peak in reversed(peaks[:-1]):
        found = node_hash(peak, found)
    return found


def _check_index(index: int, size: int) -> None:
    check(0 <= index < size <= SIZE_MAX, "log.index", "the tree has no leaf of this index", index=index, size=size)


def _check_sizes(old_size: int, new_size: int) -> None:
    holds = 0 < old_size <= new_size <= SIZE_MAX
    check(holds, "log.size", "the earlier tree is empty or larger", old_size=old_size, new_size=new_size)


def _check_hashes(hashes: Sequence[bytes]) -> None:
    check(set(map(len, hashes)) == {32}, "log.path", "a hash has 32 bytes")


def _next(steps: Iterator[bytes]) -> bytes:
    step = next(steps, None)
    if step is None:
        raise Refusal("log.path", "the path is too short")
    return step


def _check_used_up(steps: Iterator[bytes]) -> None:
    for _ in steps:
        raise Refusal("log.path", "the path is too long")
