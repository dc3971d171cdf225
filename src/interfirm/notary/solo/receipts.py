"""One batch of acceptances in the log: leaves, tree nodes, one signed head, and a receipt for each leaf.

A receipt is always made at the head of its own batch, so asking again gives the same bytes, however large the tree is
by then. Nodes are kept in the order of their completion, which numbers them without gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interfirm.base import codec
from interfirm.base.logtree import Frontier, NodeLookup, inclusion_proof, leaf_hash, node_hash
from interfirm.base.signatures import Signer
from interfirm.base.values import Hash32, Value
from interfirm.ledger.receipts import cose
from interfirm.ledger.receipts.types import Accepted, NotaryAnchor
from interfirm.notary.types import Done

HASH_BYTES = 32


class Batch(Value, frozen=True):
    """What the log keeps of a batch: number of its first leaf, height, leaves, new nodes joined, signed head."""

    first: int
    height: int
    ids: tuple[Hash32, ...]
    leaves: tuple[bytes, ...]
    nodes: bytes
    head: bytes

    @property
    def size(self) -> int:
        """The tree's size after this batch."""
        return self.first + len(self.leaves)


def leaf_of(done: Done) -> Accepted:
    """What the log's leaf of an acceptance says."""
    return Accepted(transaction=done.id, height=done.height, time_ms=done.time.ms, registry_height=done.registry_height)


def extend(
    frontier: Frontier, accepted: Sequence[Done], signer: Signer, anchor: NotaryAnchor
) -> tuple[Frontier, Batch]:
    """The log after a batch of acceptances, all of one height: the frontier, and what to keep."""
    leaves = tuple(codec.encode(leaf_of(done)) for done in accepted)
    after, nodes = frontier.extend(leaves)
    head = cose.sign_tree_head(
        signer, after.root, tree_size=after.size, network=anchor.network, notary=anchor.notary
    )  # fmt: skip
    batch = Batch(
        first=frontier.size, height=accepted[0].height, ids=tuple(done.id for done in accepted), leaves=leaves,
        nodes=b"".join(node for _, _, node in nodes), head=head,
    )  # fmt: skip
    return after, batch


def receipts_of(batch: Batch, before: Frontier, accepted: Sequence[Done]) -> dict[bytes, bytes]:
    """The receipt of each acceptance of a batch that was just made; of older nodes only the peaks are needed."""
    rows = _rows(batch, before)
    found = {}
    for index, done in enumerate(accepted, start=batch.first):
        found[done.id] = cose.receipt(batch.head, leaf_of(done), index=index, path=_path(rows, index))
    return found


def receipt_of(batch: Batch, done: Done, node: NodeLookup) -> bytes:
    """The receipt of an acceptance of an older batch, in the bytes it had at first."""
    index = batch.first + batch.ids.index(done.id)
    path = inclusion_proof(node, index=index, size=batch.size)
    return cose.receipt(batch.head, leaf_of(done), index=index, path=path)


def _rows(batch: Batch, before: Frontier) -> list[tuple[int, list[bytes]]]:
    """The tree's nodes at and right of the batch, level by level: the first one's index, and hashes.

    Proofs of a whole batch share nearly all of their nodes, so they are worked out once. An odd last node rises as it
    is, which gives the tree of RFC 9162 (2.1.1).
    """
    peaks = {level: peak for (level, _), peak in zip(peak_places(before.size), before.peaks, strict=True)}
    rows: list[tuple[int, list[bytes]]] = []
    start, row = batch.first, [leaf_hash(leaf) for leaf in batch.leaves]
    while start or len(row) > 1:
        level = len(rows)
        if start & 1:  # the left neighbour was complete before this batch, and its parent was not
            start, row = start - 1, [peaks[level], *row]
        rows.append((start, row))
        start, row = start >> 1, [*map(node_hash, row[::2], row[1::2]), *row[len(row) & ~1 :]]
    return rows


def _path(rows: Sequence[tuple[int, list[bytes]]], index: int) -> list[bytes]:
    path = []
    for start, row in rows:
        sibling = (index ^ 1) - start
        if sibling < len(row):
            path.append(row[sibling])
        index >>= 1
    return path


def peak_places(size: int) -> list[tuple[int, int]]:
    """Level and index of the roots of the complete subtrees of a tree, from left to right."""
    places, start = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            places.append((level, start >> level))
            start += 1 << level
    return places


def nodes_before(leaf: int) -> int:
    """How many nodes are complete in a tree of `leaf` leaves, which is the number of the next one to be."""
    return 2 * leaf - leaf.bit_count()


def last_leaf(level: int, index: int) -> int:
    """The leaf that completes a node."""
    return (index + 1 << level) - 1


def completion(level: int, index: int) -> int:
    """A node's number in the order of completion."""
    return nodes_before(last_leaf(level, index)) + level


def frontier_of(size: int, node: Callable[[int, int], bytes]) -> Frontier:
    """The frontier of a stored tree."""
    return Frontier(size=size, peaks=tuple(node(level, index) for level, index in peak_places(size)))
