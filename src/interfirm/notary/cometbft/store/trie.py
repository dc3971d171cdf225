"""A crit-bit trie over keys, whose shape, and so whose root, follows from the set of keys and values alone.

An inner node tells its two sides apart by the first bit in which their keys differ; nothing else is in it. One leaf is
always there (`SENTINEL`, the least key), so that there is always a root.

Nodes lie in flat arrays, 76 bytes for an inner one. Inner nodes have numbers from 1, leaves are the complement `~n` of
the number of their key. A *place* is `2 * node + side`: there `_child` has the child, and `_pairs` its hash after a
length byte, so that what a node hashes is one slice. Place 0 is the root's. A height is written in one walk in the
order of keys, which comes to each node once and hashes it when it leaves it; a `Version` keeps what it writes over.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable
from hashlib import sha256
from operator import itemgetter
from struct import Struct

from interfirm.ledger.receipts.ics23 import HASH_BYTES, SUBSTORE, varint
from interfirm.notary.cometbft.store.keys import ALIKE, Keys, bit_at, critical
from interfirm.notary.cometbft.store.versions import Version

Change = tuple[bytes, bytes | None]
"""A key with the hash of its new leaf, or None where it goes."""

SENTINEL = b"\x00"
"""Key and value of the leaf that every trie has; no other key may be this one."""
PAIR_BYTES = 66
"""What an inner node hashes after its head: a length byte and 32 bytes of hash, for each of its two children."""
_EMPTY_PAIR = 2 * (SUBSTORE.child + bytes(32))
_HEAD = SUBSTORE.inner
_LEAF, _VALUE = SUBSTORE.leaf, b"\x20"
_KEY = itemgetter(0)
_put = Struct(f"{HASH_BYTES}s").pack_into
"""Writes a hash into bytes at an offset; three times as fast as to assign a slice."""


def leaf_hash(key: bytes, value: bytes) -> bytes:
    """The hash of the leaf of a key and its value, neither empty."""
    size = len(key)
    head = bytes((size,)) if size < 0x80 else varint(size)
    return sha256(_LEAF + head + key + _VALUE + sha256(value).digest()).digest()


class Trie:
    """The sorted map of one space, by the hashes of its leaves, at the last height and some before it."""

    __slots__ = (
        "_bits", "_child", "_dirty", "_free", "_hashes", "_now", "_pairs", "_places", "_stack", "keys", "versions",
    )  # fmt: skip

    def __init__(self, *, width: int, height: int = 0, leaves: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """A trie at a height of leaves (key, hash) that ascend strictly; keys have `width` bytes as a rule, or any."""
        self.keys = Keys(width)
        self._child = array("i", (0, 0))
        self._bits = array("H", (0,))
        self._pairs = bytearray(_EMPTY_PAIR)
        self._free = array("i")
        self._stack, self._dirty = [0], 1
        self._places: list[int] = []
        self._hashes: list[bytearray] = []
        self._build(leaves)
        self._now = Version(height, self._child[0], bytes(self._pairs[1:33]))
        self.versions = deque((self._now,))

    def __len__(self) -> int:
        """How many keys it holds at the heights kept, without the sentinel."""
        return len(self.keys) - 1

    def __contains__(self, key: bytes) -> bool:
        """Whether a key is there at the last height."""
        child, bits, size = self._child, self._bits, len(key)
        node = child[0]
        while node > 0:
            bit = bits[node]
            byte = bit >> 4
            place = node + node
            if byte < size and (256 | key[byte]) >> 8 - (bit & 15) & 1:
                place += 1
            node = child[place]
        return self.keys[~node] == key

    @property
    def bytes_held(self) -> int:
        """What its nodes and keys take in memory, in bytes, without what its versions keep."""
        return len(self._pairs) + self._child.itemsize * len(self._child) + 2 * len(self._bits) + self.keys.bytes_held

    @property
    def root(self) -> bytes:
        """The root hash at the last height."""
        return self.versions[-1].root

    def apply(self, height: int, changes: Iterable[Change]) -> bytes:
        """Make the changes, each key once, in any order; returns the root hash at this height."""
        self._now = now = Version(height, 0, b"")
        self._dirty = 1
        last = None
        for key, leaf in sorted(changes, key=_KEY):
            if last is not None:
                self._leave(critical(last, key))
            last = key
            found = self._descend(key)
            bit = critical(key, self.keys[~found])
            if leaf is None:
                if bit == ALIKE:
                    self._remove(found)
                continue
            if bit != ALIKE:
                self._branch(bit, key)
            self._write(self._stack[-1], leaf)
            self._dirty = len(self._stack)
        self._climb(0)
        if self._places:
            now.places, now.hashes = array("i", self._places), b"".join(self._hashes)
            now.node, now.root = self._child[0], bytes(self._pairs[1:33])
            self.versions.append(now)
            self._places, self._hashes = [], []
        return self.root

    def rewind(self, height: int) -> None:
        """Go back to a height, which must not be before the first one kept."""
        child, pairs = self._child, self._pairs
        while self.versions[-1].height > height:
            version = self.versions.pop()
            for place, node in version.links.items():
                child[place] = node
            for place, before in version.written():
                pairs[33 * place + 1 : 33 * place + 33] = before
            self._release(version.made)
        child[0] = self.versions[-1].node
        pairs[1:33] = self.root

    def prune(self, height: int) -> None:
        """Forget what was before a height."""
        while len(self.versions) > 1 and self.versions[1].height <= height:
            self.versions.popleft()
            first = self.versions[0]
            self._release(first.gone)
            self.versions[0] = Version(first.height, first.node, first.root)

    # the walk of one height -------------------------------------------------------------------------------------------
    # `_stack` has the places from the root's to where the walk is; the first `_dirty` of them are of nodes below which
    # something changed, whose hash is due when the walk leaves them.

    def _leave(self, bit: int) -> None:
        """Go from the last key up to where the next one, which first differs at a position, parts from it."""
        self._climb(bit)
        if self._bits[self._stack[-1] >> 1] == bit:
            self._stack[-1] += 1

    def _climb(self, bit: int) -> None:
        """Go up out of all nodes that are beyond a position."""
        stack, bits, pairs, dirty = self._stack, self._bits, self._pairs, self._dirty
        keep_place, keep_hash = self._places.append, self._hashes.append
        place = stack[-1]
        while bits[node := place >> 1] > bit:
            del stack[-1]
            place = stack[-1]
            if len(stack) < dirty:
                found = sha256(_HEAD + pairs[66 * node : 66 * node + 66]).digest()
                start = 33 * place + 1
                keep_place(place)
                keep_hash(pairs[start : start + 32])
                _put(pairs, start, found)
        if len(stack) < dirty:
            self._dirty = len(stack)

    def _descend(self, key: bytes) -> int:
        """Go down by the bits of a key to the one leaf that may have it."""
        child, bits, push, size = self._child, self._bits, self._stack.append, len(key)
        node = child[self._stack[-1]]
        while node > 0:
            bit = bits[node]
            byte = bit >> 4
            place = node + node
            if byte < size and (256 | key[byte]) >> 8 - (bit & 15) & 1:
                place += 1
            push(place)
            node = child[place]
        return node

    def _write(self, place: int, found: bytes | bytearray) -> None:
        """Put a hash at a place, and keep what was there."""
        start = 33 * place + 1
        self._places.append(place)
        self._hashes.append(self._pairs[start : start + 32])
        _put(self._pairs, start, found)

    def _branch(self, bit: int, key: bytes) -> None:
        """Go up to a position, and put a node there: a leaf of the key on one side, what was there on the other."""
        self._climb(bit)
        now, child, at = self._now, self._child, self._stack[-1]
        node, number = self._free.pop() if self._free else self._grow(), ~self.keys.add(key)
        place = 2 * node + bit_at(key, bit)
        self._bits[node] = bit
        child[place], child[place ^ 1] = number, child[at]
        self._pairs[33 * (place ^ 1) + 1 : 33 * (place ^ 1) + 33] = self._pairs[33 * at + 1 : 33 * at + 33]
        now.links.setdefault(at, child[at])
        child[at] = node
        now.made.append(node)
        now.made.append(number)
        self._stack.append(place)

    def _remove(self, leaf: int) -> None:
        """Take the leaf here away, and with it the node above it: what is on its other side comes in its place."""
        other = self._stack.pop() ^ 1
        now, at = self._now, self._stack[-1]
        now.links.setdefault(at, self._child[at])
        self._child[at] = self._child[other]
        self._write(at, self._pairs[33 * other + 1 : 33 * other + 33])
        now.gone.append(other >> 1)
        now.gone.append(leaf)
        self._dirty = len(self._stack)

    def _grow(self) -> int:
        self._bits.append(0)
        self._child.extend((0, 0))
        self._pairs.extend(_EMPTY_PAIR)
        return len(self._bits) - 1

    def _release(self, nodes: Iterable[int]) -> None:
        for node in nodes:
            if node > 0:
                self._free.append(node)
            else:
                self.keys.drop(~node)

    # building ---------------------------------------------------------------------------------------------------------

    def _build(self, leaves: Iterable[tuple[bytes, bytes]]) -> None:
        """Build from leaves in order; what waits for its right side is a stack, whose positions ascend."""
        waiting: list[tuple[int, int, bytes]] = []
        last, node, found = SENTINEL, ~self.keys.add(SENTINEL), leaf_hash(SENTINEL, SENTINEL)
        for key, leaf in leaves:
            assert key > last, "leaves ascend strictly"
            bit = critical(last, key)
            while waiting and waiting[-1][0] > bit:
                node, found = self._join(*waiting.pop(), node, found)
            waiting.append((bit, node, found))
            last, node, found = key, ~self.keys.add(key), leaf
        while waiting:
            node, found = self._join(*waiting.pop(), node, found)
        self._child[0] = node
        self._pairs[1:33] = found

    def _join(self, bit: int, left: int, left_hash: bytes, right: int, right_hash: bytes) -> tuple[int, bytes]:
        pair = SUBSTORE.child + left_hash + SUBSTORE.child + right_hash
        self._bits.append(bit)
        self._child.extend((left, right))
        self._pairs += pair
        return len(self._bits) - 1, sha256(_HEAD + pair).digest()

    # reading ----------------------------------------------------------------------------------------------------------

    def view(self, height: int) -> View:
        """The trie as it was at a height, which must not be before the first one kept; good until the next change."""
        return View(self, height)

    def child(self, place: int) -> int:
        """What is at a place now: an inner node's number, or a leaf's complement."""
        return self._child[place]

    def hash_at(self, place: int) -> bytes:
        """The hash of what is at a place now."""
        return bytes(self._pairs[33 * place + 1 : 33 * place + 33])

    def bit(self, node: int) -> int:
        """The position by which a node tells its sides apart."""
        return self._bits[node]


class View:
    """A trie at one height: reads what later heights wrote over from what they kept."""

    __slots__ = ("_later", "_trie", "root")

    def __init__(self, trie: Trie, height: int) -> None:
        versions = list(trie.versions)
        first = next(at for at in reversed(range(len(versions))) if versions[at].height <= height)
        self._trie, self._later = trie, versions[first + 1 :]
        self.root = versions[first].root

    def child(self, place: int) -> int:
        """What is at a place: an inner node's number, or a leaf's complement."""
        for version in self._later:
            if place in version.links:
                return version.links[place]
        return self._trie.child(place)

    def hash_at(self, place: int) -> bytes:
        """The hash of what is at a place, other than the root's."""
        for version in self._later:
            found = version.hash_before(place)
            if found is not None:
                return found
        return self._trie.hash_at(place)

    def key_at(self, place: int) -> bytes:
        """The key of the leaf at a place."""
        return self._trie.keys[~self.child(place)]

    def bit(self, place: int) -> int:
        """The position by which the node of a place tells its sides apart."""
        return self._trie.bit(place >> 1)

    def down(self, place: int, side: int | None, key: bytes = b"") -> list[int]:
        """The places from one down to a leaf: always by one side, or (None) by the bits of a key."""
        places = [place]
        while (node := self.child(places[-1])) > 0:
            places.append(2 * node + (bit_at(key, self._trie.bit(node)) if side is None else side))
        return places
