"""The leaves of the store and what undoes its last heights, in SQLite tables beside those of the host.

The host owns the connection and its transactions: what this writes reaches the disk with the host's own rows, in one
commit or not at all. A row is written for each change, and one for each height with what was there before. Memory has
the hashes, the tables have the values.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.notary.cometbft.store.layout import NOTARY, Changes, Layout, storable
from interfirm.notary.cometbft.store.multistore import Leaf, Lookup, MultiStore, Proven, earlier
from interfirm.notary.cometbft.store.snapshot import Manifest, leaves_of
from interfirm.notary.state import REFS

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS store_leaves (
      space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, key)
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS store_before (height INTEGER PRIMARY KEY, leaves BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS store_heights (height INTEGER PRIMARY KEY, root BLOB NOT NULL)",
)
Name = tuple[str, bytes]
"""A space and a stored key."""
Changed = dict[Name, bytes | None]
HEIGHTS_KEPT = 300
"""How many heights back the store can go."""
HEIGHTS_PROVED = 16
"""How many heights before the last can be proved; each takes memory for every hash that it wrote."""
_GET = "SELECT value FROM store_leaves WHERE space = ? AND key = ?"
_PUT = "REPLACE INTO store_leaves VALUES (?, ?, ?)"
_DELETE = "DELETE FROM store_leaves WHERE space = ? AND key = ?"
_LATER = "SELECT height, leaves FROM store_before WHERE height > ? ORDER BY height DESC"
_LEAVES = "SELECT space, key, value FROM store_leaves ORDER BY space, key"
READ_COUNT_MAX = 65_536
"""Values that were asked for at one height and are kept at hand: the block that is judged changes many of them."""
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[str, bytes, bytes | None]]).decode


class StateStore:
    """A notary's state on a cluster: reads, a height's changes, proofs, ways back. Raises sqlite3.Error."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        layout: Layout = NOTARY,
        heights_kept: int = HEIGHTS_KEPT,
        heights_proved: int = HEIGHTS_PROVED,
    ) -> None:
        """Load the store, or make an empty one at height 0, within the owner's transaction.

        Raises Refusal `store.damaged` where the leaves do not make the root that was kept with them.
        """
        assert 1 <= heights_proved <= heights_kept, "the height before the last is always there to go back to"
        self._execute, self._many = connection.execute, connection.executemany
        self.layout, self._kept, self._proved = layout, heights_kept, heights_proved
        self._read: Changed = {}
        self._was: tuple[int, Changed] = (-1, {})
        for statement in SCHEMA:
            self._execute(statement)
        self._tree = self._load()

    def _load(self) -> MultiStore:
        """Build the tries at the first height to be proved, then make the heights after it again."""
        last = self._execute("SELECT max(height) FROM store_heights").fetchone()[0]
        if last is None:
            tree = MultiStore(self.layout)
            self._write_height(tree.height, tree.root)
            return tree
        first = "SELECT min(height) FROM store_heights WHERE height >= ?"
        base = self._execute(first, (last - self._proved,)).fetchone()[0]
        before, after = self._undone(base)
        tree = MultiStore(self.layout, height=base, leaves=earlier(self._execute(_LEAVES), before))
        self._check_root(tree)
        for (height,) in self._execute("SELECT height FROM store_heights WHERE height > ? ORDER BY 1", (base,)):
            tree.apply(height, after.get(height, {}))
            self._check_root(tree)
        return tree

    def _undone(self, base: int) -> tuple[Changed, dict[int, Changed]]:
        """What keys changed since a height held at it, and what each height since then wrote."""
        held: Changed = {}
        after: dict[int, Changed] = {}
        for height, leaves in self._execute(_LATER, (base,)).fetchall():
            before: Changed = {(space, key): value for space, key, value in _unpack(leaves)}
            after[height] = {name: held[name] if name in held else self._value(*name) for name in before}
            held |= before
        return held, after

    def _check_root(self, tree: MultiStore) -> None:
        kept = self.root_at(tree.height)
        check(
            kept == tree.root, "store.damaged", "the leaves do not make the root kept with them",
            height=tree.height, kept=kept, found=tree.root,
        )  # fmt: skip

    @property
    def height(self) -> int:
        """The last height."""
        return self._tree.height

    @property
    def root(self) -> bytes:
        """The app hash of the last height."""
        return self._tree.root

    def get(self, space: str, key: bytes) -> bytes | None:
        """The value at a key, or None, as also for a key that no space can hold; Refusal `store.space`."""
        if space in self.layout.plain and not storable(key):
            return None
        name = (space, self.layout.stored_key(space, key))
        if name not in self._read:
            if len(self._read) >= READ_COUNT_MAX:
                self._read.clear()
            # what a judge asks for is not there as a rule, and needs no row; only refs are
            self._read[name] = self._value(*name) if space == REFS or self._tree.holds(*name) else None
        return self._read[name]

    def _forget(self) -> None:
        """What was read is not the last height's any more."""
        self._read.clear()
        self._was = (-1, {})

    def _value(self, space: str, key: bytes) -> bytes | None:
        row = self._execute(_GET, (space, key)).fetchone()
        return None if row is None else row[0]

    def root_at(self, height: int) -> bytes:
        """The app hash of a height; Refusal `store.height` where it is not kept."""
        row = self._execute("SELECT root FROM store_heights WHERE height = ?", (height,)).fetchone()
        if row is None:
            raise Refusal("store.height", "the store does not keep this height", height=height, last=self.height)
        found: bytes = row[0]
        return found

    def apply(self, height: int, changes: Changes) -> bytes:
        """Write a height's changes within the owner's transaction; returns the app hash.

        Raises Refusal `store.space`, `store.key` and `store.value` before anything is written. When the owner takes
        the transaction back, `resync` follows.
        """
        stored = self.layout.stored(changes)
        root = self._tree.apply(height, stored)
        before = [(*name, self._read[name] if name in self._read else self._value(*name)) for name in stored]
        self._execute("INSERT INTO store_before VALUES (?, ?)", (height, _pack(before)))
        self._forget()
        self._write(stored)
        self._write_height(height, root)
        self._prune(height)
        return root

    def _write(self, changes: Changes) -> None:
        gone = [name for name, value in changes.items() if value is None]
        self._many(_PUT, [(space, key, value) for (space, key), value in changes.items() if value is not None])
        if gone:
            self._many(_DELETE, gone)

    def _write_height(self, height: int, root: bytes) -> None:
        self._execute("INSERT INTO store_heights VALUES (?, ?)", (height, root))

    def _prune(self, height: int) -> None:
        self._execute("DELETE FROM store_before WHERE height <= ?", (height - self._kept,))
        self._execute("DELETE FROM store_heights WHERE height < ?", (height - self._kept,))
        self._tree.prune(height - self._proved)

    def rewind(self, height: int) -> bytes:
        """Go back to a height within the owner's transaction; returns its app hash. Refusal `store.height`."""
        root = self.root_at(height)
        held, _ = self._undone(height)
        self._forget()
        if height >= self._tree.first_height:
            self._tree.rewind(height)
        else:
            self._tree = MultiStore(self.layout, height=height, leaves=earlier(self._execute(_LEAVES), held))
        self._write(held)
        self._execute("DELETE FROM store_before WHERE height > ?", (height,))
        self._execute("DELETE FROM store_heights WHERE height > ?", (height,))
        self._check_root(self._tree)
        return root

    def resync(self) -> None:
        """Bring memory back to what the file holds, after the owner took its transaction back."""
        self._forget()
        last = self._execute("SELECT max(height) FROM store_heights").fetchone()[0]
        tree = self._tree
        if tree.first_height <= last <= tree.height and tree.root_at(last) == self.root_at(last):
            tree.rewind(last)
        else:  # what was taken back was a way back
            self._tree = self._load()

    def prove(self, space: str, key: bytes, *, height: int | None = None) -> Proven:
        """What is at a key at a height (the last, if None), with proofs.

        Raises Refusal `store.height` where the height is not among those that can be proved, `store.space`,
        `store.key`, `store.depth`.
        """
        at = self.height if height is None else height
        return self._tree.prove(space, self.layout.stored_key(space, key), self._value_at(at), height=at)

    def _value_at(self, height: int) -> Lookup:
        if self._was[0] != height:
            self._was = (height, self._undone(height)[0])
        was = self._was[1]

        def look(space: str, key: bytes) -> bytes:
            name = (space, key)
            found = was[name] if name in was else self._value(space, key)
            assert found is not None, "a leaf of the trie is a row"
            return found

        return look


def leaves_at(connection: sqlite3.Connection, height: int) -> Iterator[Leaf]:
    """All leaves of a kept height in order: what a snapshot is made of.

    To be read in one transaction, on a connection other than the one that goes on writing. Refusal `store.height`.
    """
    if connection.execute("SELECT 1 FROM store_heights WHERE height = ?", (height,)).fetchone() is None:
        raise Refusal("store.height", "the store does not keep this height", height=height)
    held: Changed = {}
    for _, leaves in connection.execute(_LATER, (height,)):
        held |= {(space, key): value for space, key, value in _unpack(leaves)}
    return earlier(connection.execute(_LEAVES), held)


class Restoring:
    """A store that is taken over from a snapshot, chunk by chunk, within the owner's transaction."""

    def __init__(self, connection: sqlite3.Connection, manifest: Manifest, *, layout: Layout = NOTARY) -> None:
        """Forget what the tables hold; `manifest` is of a height whose app hash is trusted."""
        self._connection, self._manifest, self._layout = connection, manifest, layout
        self.count = 0
        for statement in SCHEMA:
            connection.execute(statement)
        for table in ("leaves", "before", "heights"):
            connection.execute(f"DELETE FROM store_{table}")  # noqa: S608 - names of our own

    def add(self, chunk: bytes) -> None:
        """Write the next chunk; Refusal `store.chunk` where it is not the one that the manifest names, nothing done."""
        leaves = leaves_of(self._manifest, self.count, chunk)
        self._connection.executemany(_PUT, leaves)
        self.count += 1

    def finish(self) -> StateStore:
        """The store; Refusal `store.chunk` where chunks are missing, `store.damaged` where they make another root."""
        missing = len(self._manifest.chunks) - self.count
        check(missing == 0, "store.chunk", "chunks are missing", missing=missing)
        row = (self._manifest.height, self._manifest.root)
        self._connection.execute("INSERT INTO store_heights VALUES (?, ?)", row)
        return StateStore(self._connection, layout=self._layout)
