"""The store of all spaces: changes in, app hash out; at the last heights, proofs. Pure: values are kept by the shell.

What it holds in memory is tries of hashes; the value that a proof shows is asked from whoever keeps the leaves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby

from interfirm.base.errors import check
from interfirm.base.values import Value
from interfirm.ledger.receipts.ics23 import Existence, encode
from interfirm.notary.cometbft.store.layout import Changes, Layout
from interfirm.notary.cometbft.store.proofs import prove, prove_root, roots_root
from interfirm.notary.cometbft.store.trie import Trie, leaf_hash

Leaf = tuple[str, bytes, bytes]
"""Space, key as stored, value."""
Lookup = Callable[[str, bytes], bytes]
"""The value at a space and stored key, at the height that is proved."""


class Proven(Value, frozen=True):
    """What a store holds at a key (None for nothing) under its root at a height, and the two proofs of it.

    `key` is as stored; `proofs` are CommitmentProofs: of the key in its space, then of the space's root.
    """

    height: int
    root: bytes
    space: str
    key: bytes
    value: bytes | None
    proofs: tuple[bytes, bytes]


class MultiStore:
    """A trie for each space of a layout, and the root over their roots, at the last height and those kept before."""

    def __init__(self, layout: Layout, *, height: int = 0, leaves: Iterable[Leaf] = ()) -> None:
        """A store at a height of leaves in the order of spaces and stored keys."""
        self.layout = layout
        self._tries: dict[str, Trie] = {}
        for space, some in groupby(leaves, key=lambda leaf: leaf[0]):
            hashes = ((key, leaf_hash(key, value)) for _, key, value in some)
            self._tries[space] = Trie(width=layout.width(space), height=height, leaves=hashes)
        check(self._tries.keys() <= set(layout.names()), "store.space", "the leaves are of other spaces")
        for space in layout.names():
            if space not in self._tries:
                self._tries[space] = Trie(width=layout.width(space), height=height)
        self._names = layout.names()
        self._heights = deque([(height, self._root())])

    @property
    def height(self) -> int:
        """The last height."""
        return self._heights[-1][0]

    @property
    def root(self) -> bytes:
        """The app hash of the last height."""
        return self._heights[-1][1]

    @property
    def first_height(self) -> int:
        """The first height that can be proved and gone back to."""
        return self._heights[0][0]

    @property
    def bytes_held(self) -> int:
        """What nodes and keys take in memory, in bytes."""
        return sum(trie.bytes_held for trie in self._tries.values())

    @property
    def hashes_written(self) -> int:
        """How many hashes of nodes and leaves the last height wrote."""
        last = (trie.versions[-1] for trie in self._tries.values())
        return sum(len(version.places) for version in last if version.height == self.height)

    def count(self, space: str) -> int:
        """How many keys a space holds at the last height and those kept before."""
        return len(self._tries[space])

    def holds(self, space: str, key: bytes) -> bool:
        """Whether a stored key is there at the last height."""
        return key in self._tries[space]

    def apply(self, height: int, changes: Changes) -> bytes:
        """Make a height's changes, by keys as stored (`Layout.stored`); returns its app hash."""
        assert height > self.height, "heights ascend"
        by_space: dict[str, list[tuple[bytes, bytes | None]]] = {}
        for (space, key), value in changes.items():
            leaf = None if value is None else leaf_hash(key, value)
            by_space.setdefault(space, []).append((key, leaf))
        for space, some in by_space.items():
            self._tries[space].apply(height, some)
        self._heights.append((height, self._root()))
        return self.root

    def rewind(self, height: int) -> bytes:
        """Go back to a height; returns its app hash. Refusal `store.height` where it is not kept."""
        self._check_kept(height)
        while self.height > height:
            self._heights.pop()
        for trie in self._tries.values():
            trie.rewind(height)
        return self.root

    def prune(self, height: int) -> None:
        """Forget what was before a height, which is not beyond the last."""
        while self.first_height < height and len(self._heights) > 1:
            self._heights.popleft()
        for trie in self._tries.values():
            trie.prune(self.first_height)

    def root_at(self, height: int) -> bytes:
        """The app hash of a height; Refusal `store.height` where it is not kept."""
        self._check_kept(height)
        return next(root for at, root in reversed(self._heights) if at <= height)

    def prove(self, space: str, key: bytes, value_of: Lookup, *, height: int) -> Proven:
        """What is at a stored key at a height, with proofs; Refusal `store.depth`, `store.height`."""
        self._check_kept(height)
        proof = prove(self._tries[space].view(height), key, lambda near: value_of(space, near))
        outer = prove_root([(name, self._tries[name].view(height).root) for name in self._names], space)
        value = proof.value if isinstance(proof, Existence) else None
        return Proven(height, self.root_at(height), space, key, value, (encode(proof), encode(outer)))

    def _check_kept(self, height: int) -> None:
        kept = self.first_height <= height <= self.height
        check(
            kept, "store.height", "the store does not keep this height",
            height=height, first=self.first_height, last=self.height,
        )  # fmt: skip

    def _root(self) -> bytes:
        return roots_root([(name, self._tries[name].root) for name in self._names])


def earlier(leaves: Iterator[Leaf], before: Mapping[tuple[str, bytes], bytes | None]) -> Iterator[Leaf]:
    """Leaves in order as they were when the keys of `before` had these values, None for none."""
    older = iter(sorted((space, key, value) for (space, key), value in before.items() if value is not None))
    waiting = next(older, None)
    for leaf in leaves:
        while waiting is not None and waiting[:2] < leaf[:2]:
            yield waiting
            waiting = next(older, None)
        if leaf[:2] not in before:
            yield leaf
            continue
        if waiting is not None and waiting[:2] == leaf[:2]:
            yield waiting
            waiting = next(older, None)
    if waiting is not None:
        yield waiting
        yield from older
