"""What the rows of a table claim, and what contracts of the vault have claimed before, in a file of the job.

Such a table may have a million rows: what they claim is kept on disk and not in memory. A row that is looked at again
after a restart is the row that claimed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.contracts.types import ClaimKey
from interfirm.node.vault.sqlite import told

_VAULT = 0
"""In the place of a row's number: a contract of the vault."""
_ALL_KNOWN = b"all known"


class Claims:
    """Claims by who made them first. Every method raises Refusal `vault.storage` where the disk fails."""

    def __init__(self, path: Path) -> None:
        with told():
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS claims (claim BLOB PRIMARY KEY, row INTEGER NOT NULL) WITHOUT ROWID"
            )

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @property
    def knows_vault(self) -> bool:
        """Whether all claims of the vault are here."""
        with told():
            return self._connection.execute(_WHO, (_ALL_KNOWN,)).fetchone() is not None

    def vault_is_known(self) -> None:
        """All claims of the vault are here now."""
        self._put([_ALL_KNOWN], _VAULT)

    def of_vault(self, keys: Iterable[ClaimKey]) -> None:
        """Contracts of the vault have claimed these."""
        self._put([_name(key) for key in keys], _VAULT)

    def check_free(self, keys: Iterable[ClaimKey], row: int) -> None:
        """Claim these for a row; Refusal `bulk.claim-taken`, or `bulk.claim-repeated` with the earlier `row`."""
        for key in keys:
            self._put([_name(key)], row)
            with told():
                (first,) = self._connection.execute(_WHO, (_name(key),)).fetchone()
            if first == _VAULT:
                raise Refusal("bulk.claim-taken", "what this row claims was claimed by a contract before",
                              family=key.family)  # fmt: skip
            if first != row:
                raise Refusal("bulk.claim-repeated", "what this row claims is claimed by an earlier row",
                              family=key.family, row=first)  # fmt: skip

    def _put(self, names: Iterable[bytes], row: int) -> None:
        with told():
            self._connection.execute("BEGIN")
            self._connection.executemany(_ADD, ((name, row) for name in names))
            self._connection.execute("COMMIT")


_WHO = "SELECT row FROM claims WHERE claim = ?"
_ADD = "INSERT OR IGNORE INTO claims VALUES (?, ?)"


def _name(key: ClaimKey) -> bytes:
    return digest("claim of a row", key.owner, key.alpha)
