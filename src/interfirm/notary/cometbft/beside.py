"""What a validator keeps beside the state for a set time: sealed views, and what subscribers are to be told.

None of it is part of the root: the hashes of sealed views are, and tells follow from blocks. It is written in the
transaction of the block that brought it. The number of a tell is made of height and place, the same on every validator.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from interfirm.base.limits import LIMITS
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.notary.types import Asked, Done, Judged, Tell, transaction_in
from interfirm.notary.uniqueness.machine import consumer_hash
from interfirm.notary.wire import Told

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS beside_seals (
      consumer BLOB PRIMARY KEY, until_ms INTEGER NOT NULL, block BLOB NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS beside_seals_until ON beside_seals (until_ms)",
    """CREATE TABLE IF NOT EXISTS beside_tells (
      number INTEGER PRIMARY KEY, identity BLOB NOT NULL, kind TEXT NOT NULL, subject BLOB NOT NULL,
      detail BLOB NOT NULL, until_ms INTEGER NOT NULL, UNIQUE (identity, kind, subject, detail)
    )""",
    "CREATE INDEX IF NOT EXISTS beside_tells_until ON beside_tells (until_ms)",
)
TELLS_PER_HEIGHT = 2**24
"""More than a block can lead to; heights below 2**39 leave numbers in 63 bits."""


class Beside(Value, frozen=True):
    """What one block brings: sealed views by their consumers' hashes, and tells in order; both are kept `keep_ms`."""

    height: int
    time: Instant
    seals: tuple[tuple[bytes, bytes], ...] = ()
    tells: tuple[Tell, ...] = ()
    keep_ms: int = LIMITS.sealed_keep_ms


def beside_of(height: int, asked: Sequence[Asked], judged: Judged) -> Beside:
    """What is to be kept of a judged block: sealed views of new acceptances only."""
    fresh = {done.id for done in judged.accepted}
    brought = [(transaction_in(each.request), done) for each, done in zip(asked, judged.answers, strict=True)]
    seals = tuple(
        (consumer_hash(done.id), request.seals)
        for request, done in brought
        if request is not None and request.seals and isinstance(done, Done) and done.id in fresh
    )
    return Beside(
        height=height, time=judged.time, seals=seals, tells=judged.tells, keep_ms=judged.limits.sealed_keep_ms
    )


class Kept:
    """The tables of what lies beside a validator's state, in the owner's transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._run, self._many = connection.execute, connection.executemany
        for statement in SCHEMA:
            self._run(statement)

    def add(self, beside: Beside) -> None:
        """Keep what a block brings, and forget what was kept long enough."""
        now_ms, until_ms = beside.time.ms, beside.time.plus_ms(beside.keep_ms).ms
        for table in ("seals", "tells"):
            self._run(f"DELETE FROM beside_{table} WHERE until_ms <= ?", (now_ms,))  # noqa: S608 - names of our own
        if beside.seals:
            rows = [(consumer, until_ms, block) for consumer, block in beside.seals]
            self._many("INSERT OR IGNORE INTO beside_seals VALUES (?, ?, ?)", rows)
        if beside.tells:
            first = beside.height * TELLS_PER_HEIGHT
            told = [
                (first + place, tell.identity, tell.kind, tell.subject, tell.detail, until_ms)
                for place, tell in enumerate(beside.tells)
            ]
            self._many("INSERT OR IGNORE INTO beside_tells VALUES (?, ?, ?, ?, ?, ?)", told)

    def seals(self, consumer: bytes) -> bytes:
        """The block of sealed views kept for a consumer's hash, or nothing."""
        row = self._run("SELECT block FROM beside_seals WHERE consumer = ?", (consumer,)).fetchone()
        return b"" if row is None else row[0]

    def tells(self, identity: bytes, after: int, count_max: int) -> tuple[Told, ...]:
        """What an identity is to be told beyond a number, oldest first, not more than so much at once."""
        rows = self._run(
            "SELECT number, kind, subject, detail FROM beside_tells WHERE identity = ? AND number > ? ORDER BY number"
            " LIMIT ?", (identity, after, count_max),
        )  # fmt: skip
        return tuple(Told(number=n, kind=kind, subject=subject, detail=detail) for n, kind, subject, detail in rows)
