"""Snapshots of a validator's state on disk, made beside its work, for validators that join.

    snapshots/<height>/manifest, 0, 1, 2 ...

They are read over a connection of their own, in one transaction, and moved to their place when they are whole.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
from hashlib import sha256
from pathlib import Path

import structlog

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.notary.cometbft.store.snapshot import FORMAT, Manifest, chunks_of, manifest_of
from interfirm.notary.cometbft.store.sqlite import leaves_at
from interfirm.notary.cometbft.types import Snapshot

SNAPSHOT_EVERY, SNAPSHOTS_KEPT = 1_000, 2
_log = structlog.get_logger(__name__)


class Snapshots:
    """Those of one validator; each `every` heights one more, of which the last few are kept."""

    def __init__(
        self, database: Path, folder: Path, *, every: int = SNAPSHOT_EVERY, kept: int = SNAPSHOTS_KEPT
    ) -> None:
        self._database, self._folder = database, folder
        self._every, self._count = every, kept
        self._thread: threading.Thread | None = None

    def take_if_due(self, height: int, root: bytes) -> None:
        """Begin one beside the work, if it is time and none is being made."""
        if height % self._every == 0 and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._take_safely, args=(height, root), daemon=True)
            self._thread.start()

    def _take_safely(self, height: int, root: bytes) -> None:
        try:
            self.take(height, root)
        except (Refusal, OSError, sqlite3.Error) as error:  # the next one is tried in its turn
            _log.error("cluster.snapshot", height=height, reason=str(error))

    def take(self, height: int, root: bytes) -> None:
        """Write the snapshot of a kept height with this root, and forget the oldest; Refusal `store.height`."""
        draft, place = self._folder / f".{height}", self._folder / str(height)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        connection = sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, isolation_level=None)
        try:
            connection.execute("BEGIN")
            count = 0
            for count, chunk in enumerate(chunks_of(leaves_at(connection, height)), start=1):
                (draft / str(count - 1)).write_bytes(chunk)
        finally:
            connection.close()
        manifest = manifest_of(height, root, ((draft / str(n)).read_bytes() for n in range(count)))
        (draft / "manifest").write_bytes(codec.encode(manifest))
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
        for old in self._heights()[: -self._count]:
            shutil.rmtree(self._folder / str(old), ignore_errors=True)

    def _heights(self) -> list[int]:
        if not self._folder.exists():
            return []
        return sorted(int(each.name) for each in self._folder.iterdir() if each.name.isdecimal())

    def all(self) -> tuple[Snapshot, ...]:
        """Those that are whole, as the engine offers them to others."""
        return tuple(self._described(height) for height in self._heights())

    def _described(self, height: int) -> Snapshot:
        data = (self._folder / str(height) / "manifest").read_bytes()
        chunks = len(codec.decode(data, Manifest).chunks)
        return Snapshot(height=height, format=FORMAT, chunks=chunks, hash=sha256(data).digest(), metadata=data)

    def chunk(self, height: int, index: int) -> bytes:
        """A chunk's bytes; Refusal `store.snapshot` where there is none."""
        try:
            return (self._folder / str(height) / str(index)).read_bytes()
        except OSError as error:
            raise Refusal("store.snapshot", "there is no such chunk", height=height, chunk=index) from error

    def wait(self) -> None:
        """Let the one that is being made come to its end."""
        if self._thread is not None:
            self._thread.join()
