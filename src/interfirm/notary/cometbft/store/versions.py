"""What a trie keeps of each of its last heights: how to read the one before, and how to go back to it."""

from __future__ import annotations

from array import array

from interfirm.ledger.receipts.ics23 import HASH_BYTES


class Version:
    """A trie at a height, and what this height wrote over.

    `node` and `root` are the topmost node and the root hash. `made` nodes are new; `gone` ones are no longer in it, and
    keep what they hold until the height is pruned. `links` has the children before, by place; `places` and `hashes`
    what was written over, in this order, so that of one place the first is what was there before.
    """

    __slots__ = ("_index", "gone", "hashes", "height", "links", "made", "node", "places", "root")

    def __init__(self, height: int, node: int, root: bytes) -> None:
        self.height, self.node, self.root = height, node, root
        self.made, self.gone, self.places = array("i"), array("i"), array("i")
        self.links: dict[int, int] = {}
        self.hashes = b""
        self._index: dict[int, int] = {}

    def written(self) -> list[tuple[int, bytes]]:
        """The places written over with the hashes they had, last first."""
        starts = reversed(range(0, len(self.hashes), HASH_BYTES))
        return list(zip(reversed(self.places), (self.hashes[at : at + HASH_BYTES] for at in starts), strict=True))

    def hash_before(self, place: int) -> bytes | None:
        """The hash that a place held before this height, or None where it holds the same."""
        if len(self._index) == 0:  # asked for seldom, and never while the height is written
            self._index = {place: at for at, place in reversed(list(enumerate(self.places)))}
        at = self._index.get(place)
        return None if at is None else self.hashes[HASH_BYTES * at : HASH_BYTES * at + HASH_BYTES]
