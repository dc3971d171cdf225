"""Values as MessagePack in a space of the vault, by keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from interfirm.base.values import Value
from interfirm.node.vault.turn import Turn

PAGE = 500
V = TypeVar("V", bound=Value)


def put(turn: Turn, space: str, key: bytes, value: Value) -> None:
    """Keep a value, in place of an earlier one."""
    turn.blob_put(space, key, msgspec.msgpack.encode(value))


def get(turn: Turn, space: str, key: bytes, kind: type[V]) -> V | None:
    """The value under a key."""
    found = turn.blob_get(space, key)
    return None if found is None else msgspec.msgpack.decode(found, type=kind)


def every(turn: Turn, space: str, kind: type[V], *, after: bytes | None = None) -> Iterator[tuple[bytes, V]]:
    """(key, value) of a space in the order of keys, those after the key `after`; values may be deleted meanwhile."""
    while page := turn.blobs(space, after=after, limit=PAGE):
        for key, value in page:
            yield key, msgspec.msgpack.decode(value, type=kind)
        after = page[-1][0]
