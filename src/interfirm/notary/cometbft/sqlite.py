"""A validator's file: the authenticated state, its root and its height, in one SQLite transaction for each block.

One connection holds the file's lock, so that a second process on it is refused. What a block changes is written when it
is staged and becomes durable, all of it, when it is committed; killed in between, the file is at the block before.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import IO

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.notary.cometbft.beside import Beside, Kept
from interfirm.notary.cometbft.snapshots import Snapshots
from interfirm.notary.cometbft.store.snapshot import FORMAT, Manifest
from interfirm.notary.cometbft.store.sqlite import Restoring
from interfirm.notary.cometbft.store.sqlite import StateStore as Leaves
from interfirm.notary.cometbft.types import Operation, Proven, Snapshot
from interfirm.notary.state import GOVERNANCE, META, REGISTRY
from interfirm.notary.wire import Told

APPLICATION_ID = 0x69664332
"""Marks the file as a validator's (SQLite's application_id)."""
WAL_PAGES_MAX = 8_192
_KEPT_SPACES, _KEPT_MAX = frozenset((REGISTRY, META, GOVERNANCE)), 16_384
"""What nearly every request reads is kept in memory."""


class Database:
    """The state of one validator, as `types.StateStore`. Methods raise sqlite3.Error for faults of the world."""

    def __init__(self, path: Path, *, snapshots: Snapshots | None = None) -> None:
        """Open or create; Refusal `store.in-use`, `store.file`, `store.damaged`."""
        self.path = path
        self._snapshots = snapshots
        self._kept: dict[tuple[str, bytes], bytes | None] = {}
        self._restoring: Restoring | None = None
        self._expected = 0
        self._is_reading = False
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        self._run = self._connection.execute
        try:
            self._lock = _lock(path)
            self._leaves = self._open()
        except sqlite3.Error as error:
            self._connection.close()
            raise _unusable(path, error) from error
        except Refusal:
            self._connection.close()
            raise
        self._height, self._root = self._leaves.height, self._leaves.root

    def _open(self) -> Leaves:
        self._run("PRAGMA journal_mode = WAL")
        self._run("PRAGMA synchronous = FULL")
        self._run(f"PRAGMA wal_autocheckpoint = {WAL_PAGES_MAX}")
        self._run("PRAGMA cache_size = -65536")
        known = self._run("PRAGMA application_id").fetchone()[0]
        if known not in (0, APPLICATION_ID):
            raise Refusal("store.file", "this is not a validator's file", file=str(self.path))
        self._run("BEGIN IMMEDIATE")
        leaves = Leaves(self._connection)
        self._kept_beside = Kept(self._connection)
        self._run(f"PRAGMA application_id = {APPLICATION_ID}")
        self._run("COMMIT")
        return leaves

    @property
    def height(self) -> int:
        """The last committed height; 0 before the first."""
        return self._height

    @property
    def app_hash(self) -> bytes:
        """The root of the last committed height; empty before the first."""
        return self._root if self._height else b""

    def get(self, space: str, key: bytes) -> bytes | None:
        """The value at a key, as the staged height has it, or None."""
        if space not in _KEPT_SPACES:
            self._begin_reading()
            return self._leaves.get(space, key)
        name = (space, key)
        if name not in self._kept:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            self._kept[name] = self._leaves.get(space, key)
        return self._kept[name]

    def _begin_reading(self) -> None:
        """All that is read for a block is read in one transaction, which spares every reading its locks."""
        if not self._connection.in_transaction:
            self._run("BEGIN")
            self._is_reading = True

    def _end_reading(self) -> None:
        if self._is_reading:
            self._run("COMMIT")
            self._is_reading = False

    def apply(self, height: int, changes: Mapping[tuple[str, bytes], bytes | None]) -> bytes:
        """Write a height's changes without committing them, in place of what was staged; returns its root."""
        self.discard()
        self._run("BEGIN IMMEDIATE")
        try:
            root = self._leaves.apply(height, changes)
        except BaseException:
            self.discard()
            raise
        for name in changes:
            self._kept.pop(name, None)
        return root

    def keep(self, beside: Beside) -> None:
        """Write what lies beside the state, in the transaction of the staged height."""
        self._kept_beside.add(beside)

    def seals(self, consumer: bytes) -> bytes:
        """The block of sealed views kept for a consumer's hash, or nothing."""
        return self._kept_beside.seals(consumer)

    def tells(self, identity: bytes, after: int, count_max: int) -> tuple[Told, ...]:
        """What an identity is to be told beyond a number, oldest first, not more than so much at once."""
        return self._kept_beside.tells(identity, after, count_max)

    def discard(self) -> None:
        """Forget what was staged."""
        self._end_reading()
        if self._connection.in_transaction:
            self._run("ROLLBACK")
            self._leaves.resync()
            self._kept.clear()

    def commit(self) -> None:
        """Make the staged height durable; from time to time, a snapshot of it is begun."""
        self._run("COMMIT")
        self._height, self._root = self._leaves.height, self._leaves.root
        if self._snapshots is not None:
            self._snapshots.take_if_due(self._height, self._root)

    def prove(self, space: str, key: bytes, height: int) -> Proven:
        """The value at one of the last heights, with ICS-23 proofs up to its app hash; Refusal `store.height`."""
        if height > self._height:
            raise Refusal("store.height", "this height is not committed here", height=height, last=self._height)
        found = self._leaves.prove(space, key, height=height)
        inner, outer = found.proofs
        return Proven(
            value=found.value, height=found.height,
            operations=(
                Operation(type="ics23:iavl", key=found.key, data=inner),
                Operation(type="ics23:simple", key=space.encode(), data=outer),
            ),
        )  # fmt: skip

    # states that travel ---------------------------------------------------------------------------------------------

    def snapshots(self) -> tuple[Snapshot, ...]:
        """What can be taken over from here."""
        return () if self._snapshots is None else self._snapshots.all()

    def chunk(self, height: int, format_: int, index: int) -> bytes:
        """A piece of a snapshot; Refusal `store.snapshot` where there is none."""
        if self._snapshots is None or format_ != FORMAT:
            raise Refusal("store.snapshot", "there is no such snapshot", height=height, format=format_)
        return self._snapshots.chunk(height, index)

    def offer(self, snapshot: Snapshot, app_hash: bytes) -> None:
        """Begin to take over a state whose root is trusted; Refusal `store.snapshot`, and `codec.*` for a bad list."""
        if self._height:
            raise Refusal("store.snapshot", "this validator has a state already", height=self._height)
        if snapshot.format != FORMAT or snapshot.hash != sha256(snapshot.metadata).digest():
            raise Refusal("store.snapshot", "a snapshot of another form", format=snapshot.format)
        manifest = codec.decode(snapshot.metadata, Manifest)
        if (manifest.root, manifest.height, len(manifest.chunks)) != (app_hash, snapshot.height, snapshot.chunks):
            raise Refusal("store.snapshot", "a snapshot of another state", height=manifest.height)
        self.discard()
        self._run("BEGIN IMMEDIATE")
        self._restoring, self._expected = Restoring(self._connection, manifest), len(manifest.chunks)

    def restore(self, index: int, chunk: bytes) -> None:
        """Take the next chunk; after the last one the state is durable. Refusal `store.chunk`, `store.damaged`."""
        restoring = self._restoring
        if restoring is None or index != restoring.count:
            raise Refusal("store.chunk", "not the chunk that is wanted", index=index)
        restoring.add(chunk)
        if restoring.count < self._expected:
            return
        try:
            leaves = restoring.finish()
        except Refusal:
            self._restoring = None
            self.discard()
            raise
        self._run("COMMIT")
        self._restoring, self._leaves = None, leaves
        self._kept.clear()
        self._height, self._root = leaves.height, leaves.root

    def close(self) -> None:
        """Close the file; what was only staged is forgotten."""
        with suppress(sqlite3.Error):
            self.discard()
        if self._snapshots is not None:
            self._snapshots.wait()
        self._connection.close()
        self._lock.close()


def last_root(path: Path) -> tuple[int, bytes]:
    """The last committed height of a validator's file and its root, read beside its owner; Refusal `store.file`."""
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            row = connection.execute("SELECT height, root FROM store_heights ORDER BY height DESC LIMIT 1").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    if row is None or not row[0]:
        raise Refusal("store.file", "this validator has no state yet", file=str(path))
    return int(row[0]), bytes(row[1])


def _lock(path: Path) -> IO[bytes]:
    """Hold a lock beside the file for as long as the process lives: readers of snapshots must be able to open it."""
    held = path.with_suffix(".lock").open("wb")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise Refusal("store.in-use", "another process has opened this state", file=str(path)) from error
    return held


def _unusable(path: Path, error: Exception) -> Refusal:
    return Refusal("store.file", "the validator's file cannot be used", file=str(path), reason=str(error)[:200])
