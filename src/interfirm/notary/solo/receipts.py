"""One batch of acceptances in the log: leaves, tree nodes, one signed head, and a receipt for each leaf.

A receipt is always made at the head of its own batch, so asking again gives the same bytes, however large the tree is
by then. Nodes are kept in the order of their completion, which numbers them without gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interfirm.base import codec
from interfirm.base.logtree import Frontier, NodeLookup, inclusion_proof
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
    ids = tuple(done.id for done in accepted)
    joined = b"".join(node for _, _, node in nodes)
    batch = Batch(
        first=frontier.size, height=accepted[0].height, ids=ids, leaves=leaves, nodes=joined, head=head
    )  # fmt: skip
    return after, batch


def receipts_of(batch: Batch, before: Frontier, accepted: Sequence[Done]) -> dict[bytes, bytes]:
    """The receipt of each acceptance of a batch that was just made; older nodes are needed only as peaks."""
    node = _within(batch, before)
    return {done.id: receipt_of(batch, done, batch.first + i, node) for i, done in enumerate(accepted)}


def receipt_of(batch: Batch, done: Done, index: int, node: NodeLookup) -> bytes:
    """The receipt of the acceptance at leaf `index` of a batch."""
    path = inclusion_proof(node, index=index, size=batch.size)
    return cose.receipt(batch.head, leaf_of(done), index=index, path=path)


def _within(batch: Batch, before: Frontier) -> NodeLookup:
    peaks = peak_places(before.size)
    old = dict(zip(peaks, before.peaks, strict=True))
    start = nodes_before(batch.first)

    def node(level: int, index: int) -> bytes:
        place = completion(level, index) - start
        return old[level, index] if place < 0 else batch.nodes[place * HASH_BYTES : (place + 1) * HASH_BYTES]

    return node


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
