"""Which envelopes were judged and could come again (pure).

The state keeps one entry a block that had envelopes: time, and their ids. Entries leave once every envelope they name
has expired, so they cost two writes a block however many envelopes there are. A copy in memory answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.time import Instant
from interfirm.base.values import Hash32, Wire
from interfirm.notary.machine import last_height
from interfirm.notary.state import ENVELOPES, META, Overlay
from interfirm.notary.types import Store

OLDEST = b"envelopes from"
"""The height of the first entry that is kept."""


class Entry(Wire, frozen=True):
    """The envelopes of one block: its time, and their ids."""

    time_ms: int
    ids: tuple[Hash32, ...]


Changes = dict[tuple[str, bytes], bytes | None]


class Seen:
    """What the state remembers; `changes` says how a block alters it, `advance` follows once that is durable."""

    def __init__(self, store: Store) -> None:
        """Read what is kept: a few hundred entries."""
        self._entries: deque[tuple[int, Entry]] = deque()
        self._ids: set[bytes] = set()
        oldest = store.get(META, OLDEST)
        first = 1 if oldest is None else int(codec.decode_plain(oldest))
        for height in range(first, last_height(Overlay(store)) + 1):
            value = store.get(ENVELOPES, _key(height))
            if value is not None:
                self._add(height, codec.decode(value, Entry))

    def check(self, name: bytes) -> None:
        """Refuse an envelope that was judged before (`envelope.again`)."""
        if name in self._ids:
            raise Refusal("envelope.again", "the envelope was judged before", envelope=name)

    def changes(self, height: int, now: Instant, names: Sequence[bytes]) -> Changes:
        """What a block with these envelopes writes; nothing is kept in memory yet."""
        found: Changes = {}
        old = [kept for kept, entry in self._entries if _is_over(entry, now)]
        for kept in old:
            found[ENVELOPES, _key(kept)] = None
        if names:
            found[ENVELOPES, _key(height)] = codec.encode(Entry(time_ms=now.ms, ids=tuple(names)))
        if old or (names and not self._entries):
            left = [kept for kept, _ in self._entries][len(old) :]
            found[META, OLDEST] = codec.encode_plain(left[0] if left else height)
        return found

    def advance(self, height: int, now: Instant, names: Sequence[bytes]) -> None:
        """The block is durable."""
        while self._entries and _is_over(self._entries[0][1], now):
            self._ids.difference_update(self._entries.popleft()[1].ids)
        if names:
            self._add(height, Entry(time_ms=now.ms, ids=tuple(names)))

    def _add(self, height: int, entry: Entry) -> None:
        self._entries.append((height, entry))
        self._ids.update(entry.ids)


def _is_over(entry: Entry, now: Instant) -> bool:
    return entry.time_ms + LIMITS.envelope_life_ms_max < now.ms


def _key(height: int) -> bytes:
    return height.to_bytes(8, "big")
