"""What is needed by what stays: a graph that may be larger than memory, in a SQLite file of its own.

The file is scratch: it is made anew by each run and holds ids alone.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from interfirm.node.retention.types import Why
from interfirm.node.vault.sqlite import told

_TABLES = """
CREATE TABLE unit (id BLOB PRIMARY KEY, number INTEGER NOT NULL, why TEXT) WITHOUT ROWID;
CREATE TABLE uses (unit BLOB NOT NULL, used BLOB NOT NULL, PRIMARY KEY (unit, used)) WITHOUT ROWID;
"""
_STAYS = """
WITH RECURSIVE staying(id) AS (
  SELECT id FROM unit WHERE why IS NOT NULL UNION SELECT used FROM uses JOIN staying ON unit = staying.id
)
UPDATE unit SET why = 'needed' WHERE why IS NULL AND id IN (SELECT id FROM staying)
"""


class Marks:
    """Transactions, why they stay, and what each uses. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Make the file anew; Refusal `vault.storage`."""
        with told():
            path.unlink(missing_ok=True)
            self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _TABLES)

    def add(self, transaction: bytes, number: int, why: Why | None, uses: Iterable[bytes]) -> None:
        """A transaction, why it stays for its own sake, and whose contracts it uses or names."""
        with told():
            self._database.execute("BEGIN")
            self._database.execute("INSERT OR REPLACE INTO unit VALUES (?, ?, ?)", (transaction, number, why))
            self._database.executemany("INSERT OR IGNORE INTO uses VALUES (?, ?)", [(transaction, u) for u in uses])
            self._database.execute("COMMIT")

    def add_given(self, transaction: bytes, uses: Iterable[bytes], *, stays: bool = False) -> None:
        """What others gave of a transaction: it leads on to what that used, and is itself no matter of this run.

        With `stays`, all that it leads to is needed.
        """
        with told():
            self._database.execute("BEGIN")
            if stays:
                self._database.execute(
                    "INSERT INTO unit VALUES (?, 0, 'needed') ON CONFLICT (id) DO UPDATE SET why = 'needed'",
                    (transaction,),
                )
            self._database.executemany("INSERT OR IGNORE INTO uses VALUES (?, ?)", [(transaction, u) for u in uses])
            self._database.execute("COMMIT")

    def keep(self, transaction: bytes, why: Why) -> None:
        """A transaction that stays after all."""
        with told():
            self._database.execute("UPDATE unit SET why = ? WHERE id = ?", (why, transaction))

    def gone(self, transactions: Iterable[bytes]) -> None:
        """Transactions that are in an archive now."""
        with told():
            self._database.execute("BEGIN")
            self._database.executemany("DELETE FROM unit WHERE id = ?", ((name,) for name in transactions))
            self._database.execute("COMMIT")

    def settle(self) -> None:
        """Mark what is needed by what stays."""
        with told():
            self._database.execute(_STAYS)

    def free(self, *, after: int, limit: int) -> list[tuple[int, bytes]]:
        """(number, id) of transactions that may go, in the order of their numbers, after one."""
        with told():
            return self._database.execute(
                "SELECT number, id FROM unit WHERE why IS NULL AND number > ? ORDER BY number LIMIT ?", (after, limit)
            ).fetchall()

    def counts(self) -> dict[str, int]:
        """How many transactions stay, by why; `` for those that may go."""
        with told():
            rows = self._database.execute("SELECT coalesce(why, ''), count(*) FROM unit WHERE number > 0 GROUP BY why")
            return dict(rows.fetchall())

    def close(self) -> None:
        """Give the file free."""
        with contextlib.suppress(sqlite3.Error):
            self._database.close()
