"""Snapshots: all leaves of a height in chunks, the same bytes from every replica.

A chunk is one dag-cbor block, a list of `[space, key, value]` in the order of spaces and stored keys. A manifest names
the height, its app hash and the hash of each chunk, so that a wrong chunk is known, and its sender, when it arrives;
that all leaves together make the app hash is checked at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256

from interfirm.base import codec
from interfirm.base.errors import check
from interfirm.base.values import Hash32, Wire
from interfirm.notary.cometbft.store.layout import storable
from interfirm.notary.cometbft.store.multistore import Leaf

CHUNK_BYTES = 1024 * 1024
"""A chunk ends with the leaf that reaches this many bytes of keys and values."""
FORMAT = 1
_LEAF_BYTES = 24
"""What a leaf takes beside key and value, about."""


class Manifest(Wire, frozen=True):
    """What a snapshot is of, and the SHA-256 of each of its chunks in order."""

    height: int
    root: Hash32
    chunks: tuple[Hash32, ...]


def chunks_of(leaves: Iterable[Leaf]) -> Iterator[bytes]:
    """The chunks of leaves in order; at least one."""
    rows: list[list[str | bytes]] = []
    size = 0
    for space, key, value in leaves:
        rows.append([space, key, value])
        size += len(key) + len(value) + _LEAF_BYTES
        if size >= CHUNK_BYTES:
            yield codec.encode_plain(rows)
            rows, size = [], 0
    yield codec.encode_plain(rows)


def manifest_of(height: int, root: bytes, chunks: Iterable[bytes]) -> Manifest:
    """The manifest of a snapshot's chunks."""
    return Manifest(height, root, tuple(sha256(chunk).digest() for chunk in chunks))


def leaves_of(manifest: Manifest, number: int, chunk: bytes) -> list[Leaf]:
    """The leaves of a chunk; Refusal `store.chunk` where it is not the one that the manifest names, `codec`'s."""
    named = 0 <= number < len(manifest.chunks) and sha256(chunk).digest() == manifest.chunks[number]
    check(named, "store.chunk", "not a chunk of this snapshot", height=manifest.height, chunk=number)
    leaves = codec.decode(chunk, list[Leaf])
    fit = all(storable(key) and value for _, key, value in leaves)
    check(fit, "store.chunk", "a leaf that no store holds", height=manifest.height, chunk=number)
    return leaves
