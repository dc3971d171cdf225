"""The notary's database: state, log, sealed views and what is to be told, in one SQLite file (WAL, FULL).

One connection holds the file's lock for as long as it is open, so a second host is refused and a killed one leaves
nothing locked. All of a batch is written in one transaction; what `commit` returned from has reached the disk.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.notary.solo.receipts import HASH_BYTES, Batch, completion, last_leaf, nodes_before
from interfirm.notary.state import GOVERNANCE, META, REGISTRY, SPACES
from interfirm.notary.types import Genesis, Tell
from interfirm.notary.wire import Told

FORMAT = 1
APPLICATION = 0x69664E31
"""Marks the file as a notary's (SQLite's application_id)."""

_SCHEMA = """
CREATE TABLE genesis (block BLOB NOT NULL);
CREATE TABLE state (
  key BLOB NOT NULL, space INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (key, space)
) WITHOUT ROWID;
CREATE TABLE log (
  first INTEGER PRIMARY KEY, height INTEGER NOT NULL UNIQUE, ids BLOB NOT NULL, leaves BLOB NOT NULL,
  nodes BLOB NOT NULL, head BLOB NOT NULL
);
CREATE TABLE seals (consumer BLOB PRIMARY KEY, until_ms INTEGER NOT NULL, block BLOB NOT NULL);
CREATE INDEX seals_until ON seals (until_ms);
CREATE TABLE tells (
  number INTEGER PRIMARY KEY AUTOINCREMENT, identity BLOB NOT NULL, kind TEXT NOT NULL, subject BLOB NOT NULL,
  detail BLOB NOT NULL, until_ms INTEGER NOT NULL, UNIQUE (identity, kind, subject, detail)
);
CREATE INDEX tells_until ON tells (until_ms);
"""
_SPACE = {name: number for number, name in enumerate(SPACES)}
_GET = "SELECT value FROM state WHERE key = ? AND space = ?"
_AHEAD_COUNT = 128
_GET_MANY = f"SELECT key, space, value FROM state WHERE key IN ({', '.join('?' * _AHEAD_COUNT)})"  # noqa: S608 - marks
_PUT = "INSERT INTO state VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
_DELETE = "DELETE FROM state WHERE key = ? AND space = ?"
_BATCH = "SELECT first, height, ids, leaves, nodes, head FROM log WHERE "
_KEPT_SPACES, _KEPT_MAX = frozenset((REGISTRY, META, GOVERNANCE)), 16_384
"""What is read for nearly every request is kept in memory."""
WAL_PAGES_MAX = 8_192
"""After how many pages the write-ahead log is written back; many changes of one page are then written once."""


class Database:
    """A notary's file, opened by one host at a time. Methods raise sqlite3.Error for faults of the world."""

    def __init__(self, path: Path, genesis: Genesis) -> None:
        """Open or create; Refusal `notary.in-use`, `notary.storage`, `notary.format`, `notary.network`, `.genesis`."""
        self.path = path
        self._kept: dict[tuple[str, bytes], bytes | None] = {}
        self._ahead: dict[bytes, dict[str, bytes]] = {}
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        try:
            self._open(genesis)
        except sqlite3.Error as error:
            self._connection.close()
            raise _unusable(path, error) from error
        except Refusal:
            self._connection.close()
            raise
        self._execute = self._connection.execute

    def _open(self, genesis: Genesis) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run(f"PRAGMA wal_autocheckpoint = {WAL_PAGES_MAX}")
        run("PRAGMA cache_size = -65536")
        run("BEGIN IMMEDIATE")
        if run("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
            for statement in _SCHEMA.split(";"):
                run(statement)
            run(f"PRAGMA application_id = {APPLICATION}")
            run(f"PRAGMA user_version = {FORMAT}")
            run("INSERT INTO genesis VALUES (?)", (codec.encode(genesis),))
        self._check(genesis)
        run("COMMIT")

    def _check(self, genesis: Genesis) -> None:
        run = self._connection.execute
        found = run("PRAGMA application_id").fetchone() + run("PRAGMA user_version").fetchone()
        if found != (APPLICATION, FORMAT):
            raise Refusal("notary.format", "not a notary's file of this format", file=str(self.path), version=found[1])
        known = codec.decode(run("SELECT block FROM genesis").fetchone()[0], Genesis)
        if known.network != genesis.network:
            raise Refusal("notary.network", "the file belongs to another network", network=known.network)
        if known != genesis:
            raise Refusal("notary.genesis", "the file belongs to another notary", label=known.label)

    def get(self, space: str, key: bytes) -> bytes | None:
        """The value at a key of the state, or None."""
        ahead = self._ahead.get(key)
        if ahead is not None:
            return ahead.get(space)
        if space not in _KEPT_SPACES:
            return self._find(space, key)
        name = (space, key)
        if name not in self._kept:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            self._kept[name] = self._find(space, key)
        return self._kept[name]

    def _find(self, space: str, key: bytes) -> bytes | None:
        row = self._execute(_GET, (key, _SPACE[space])).fetchone()
        return None if row is None else row[0]

    def begin(self, keys: Sequence[bytes]) -> None:
        """Begin the transaction of a batch; what is kept under these keys, which it will ask for, is read at once."""
        self._execute("BEGIN IMMEDIATE")
        self._ahead = {key: {} for key in keys}
        wanted = sorted(self._ahead)
        for start in range(0, len(wanted), _AHEAD_COUNT):
            some = wanted[start : start + _AHEAD_COUNT]
            some += some[-1:] * (_AHEAD_COUNT - len(some))  # one statement, prepared once
            for key, space, value in self._execute(_GET_MANY, some):
                self._ahead[key][SPACES[space]] = value

    def write_state(self, changes: dict[tuple[str, bytes], bytes | None]) -> None:
        """Write changes of the state, None deleting, in the order of keys: neighbours share a page."""
        puts, gone = [], []
        for name, value in changes.items():
            space, key = name
            if space in _KEPT_SPACES:
                self._kept.pop(name, None)
            if value is None:
                gone.append((key, _SPACE[space]))
            else:
                puts.append((key, _SPACE[space], value))
        puts.sort()
        self._connection.executemany(_PUT, puts)
        if gone:
            self._connection.executemany(_DELETE, gone)

    def write_batch(self, batch: Batch) -> None:
        """Append a batch to the log."""
        leaves = codec.encode_plain(list(batch.leaves))
        row = (batch.first, batch.height, b"".join(batch.ids), leaves, batch.nodes, batch.head)
        self._execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", row)

    def write_seals(self, seals: Iterable[tuple[bytes, bytes]], until: Instant) -> None:
        """Keep blocks of sealed views under their consumers' hashes until then."""
        rows = [(consumer, until.ms, block) for consumer, block in seals]
        self._connection.executemany("INSERT OR IGNORE INTO seals VALUES (?, ?, ?)", rows)

    def write_tells(self, tells: Iterable[Tell], until: Instant) -> list[tuple[Tell, Told]]:
        """Keep what subscribers are to be told until then; returns, numbered, what does not wait there already."""
        kept = []
        for tell in tells:
            row = (tell.identity, tell.kind, tell.subject, tell.detail, until.ms)
            cursor = self._execute(
                "INSERT OR IGNORE INTO tells (identity, kind, subject, detail, until_ms) VALUES (?, ?, ?, ?, ?)", row
            )
            if cursor.rowcount and cursor.lastrowid:
                told = Told(number=cursor.lastrowid, kind=tell.kind, subject=tell.subject, detail=tell.detail)
                kept.append((tell, told))
        return kept

    def prune(self, now: Instant) -> None:
        """Forget sealed views and tells whose time is over."""
        self._execute("DELETE FROM seals WHERE until_ms <= ?", (now.ms,))
        self._execute("DELETE FROM tells WHERE until_ms <= ?", (now.ms,))

    def commit(self) -> None:
        """Make the batch durable."""
        self._ahead = {}
        self._execute("COMMIT")

    def rollback(self) -> None:
        """Leave everything as it was before `begin`."""
        self._kept.clear()
        self._ahead = {}
        if self._connection.in_transaction:
            self._execute("ROLLBACK")

    def seals(self, consumer: bytes) -> bytes:
        """The block of sealed views kept for a consumer's hash, or nothing."""
        row = self._execute("SELECT block FROM seals WHERE consumer = ?", (consumer,)).fetchone()
        return b"" if row is None else row[0]

    def tells(self, identity: bytes, after: int, count_max: int) -> list[Told]:
        """What the identity is to be told beyond a number, oldest first."""
        rows = self._execute(
            "SELECT number, kind, subject, detail FROM tells WHERE identity = ? AND number > ? ORDER BY number LIMIT ?",
            (identity, after, count_max),
        )
        return [Told(number=n, kind=kind, subject=subject, detail=detail) for n, kind, subject, detail in rows]

    def forget_tells(self, identity: bytes, up_to: int) -> None:
        """Forget what the identity has heard, up to a number."""
        self._execute("DELETE FROM tells WHERE identity = ? AND number <= ?", (identity, up_to))

    def batch_at(self, height: int) -> Batch | None:
        """The batch of acceptances of a height."""
        return _batch(self._execute(_BATCH + "height = ?", (height,)).fetchone())

    def batch_of(self, leaf: int) -> Batch | None:
        """The batch that holds a leaf, or the last one before it."""
        return _batch(self._execute(_BATCH + "first <= ? ORDER BY first DESC LIMIT 1", (leaf,)).fetchone())

    def batches(self) -> Iterator[Batch]:
        """All batches in order."""
        for row in self._execute(_BATCH + "1 ORDER BY first"):
            batch = _batch(row)
            assert batch is not None
            yield batch

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete node of the log's tree."""
        leaf = last_leaf(level, index)
        start = "SELECT first, nodes FROM log WHERE first <= ? ORDER BY first DESC LIMIT 1"
        first, nodes = self._execute(start, (leaf,)).fetchone()
        place = completion(level, index) - nodes_before(first)
        found: bytes = nodes[place * HASH_BYTES : (place + 1) * HASH_BYTES]
        return found

    def count(self, space: str) -> int:
        """How many keys a space of the state has; walks through all of it."""
        found: int = self._execute("SELECT count(*) FROM state WHERE space = ?", (_SPACE[space],)).fetchone()[0]
        return found

    def check_pages(self) -> None:
        """Refuse (`notary.integrity`) a file whose pages do not fit together; walks through all of it."""
        found = [row[0] for row in self._execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            raise Refusal("notary.integrity", "the file is damaged", file=str(self.path), found=found[:10])

    def close(self) -> None:
        """Close, and write back the write-ahead log."""
        self._connection.close()


def _batch(row: tuple[int, int, bytes, bytes, bytes, bytes] | None) -> Batch | None:
    if row is None:
        return None
    first, height, ids, leaves, nodes, head = row
    split = tuple(ids[i : i + HASH_BYTES] for i in range(0, len(ids), HASH_BYTES))
    return Batch(
        first=first, height=height, ids=split, leaves=tuple(codec.decode_plain(leaves)), nodes=nodes, head=head
    )


def _unusable(path: Path, error: Exception) -> Refusal:
    if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Refusal("notary.in-use", "another host has opened this notary", file=str(path))
    return Refusal("notary.storage", "the notary's file cannot be used", file=str(path), reason=str(error)[:200])
