"""The part of a turn that keeps small rows of others (sessions, mail), and private values in one erasable place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import sqlalchemy as sa

from interfirm.node.vault.statements import put
from interfirm.node.vault.tables import blobs, privates
from interfirm.node.vault.types import PrivateValue
from interfirm.node.vault.work import VaultWork

Key: TypeAlias = tuple[str, bytes]
"""A space and a key in it."""
_b = blobs.c
_PUT = put(blobs)
_THIS = (_b.space == sa.bindparam("of"), _b.key == sa.bindparam("at"))
_ONE = sa.select(_b.value).where(*_THIS)
_DELETE = sa.delete(blobs).where(*_THIS)
_DELETE_THROUGH = sa.delete(blobs).where(_b.space == sa.bindparam("of"), _b.key <= sa.bindparam("at"))
_PAGE = (
    sa.select(_b.key, _b.value)
    .where(_b.space == sa.bindparam("of"), _b.key > sa.bindparam("after"))
    .order_by(_b.key)
    .limit(sa.bindparam("limit"))
)
_FIRST = sa.select(_b.key, _b.value).where(_b.space == sa.bindparam("of")).order_by(_b.key).limit(sa.bindparam("limit"))
_PUT_PRIVATE = put(privates)
_PRIVATE = sa.select(privates).where(privates.c.commitment == sa.bindparam("of"))
_PRIVATES = (
    sa.select(privates)
    .where(privates.c.commitment > sa.bindparam("after"))
    .order_by(privates.c.commitment)
    .limit(sa.bindparam("limit"))
)
_OF_SUBJECT = sa.select(privates.c.commitment).where(privates.c.subject == sa.bindparam("of"))
_ERASE = sa.delete(privates).where(privates.c.subject == sa.bindparam("of"))


class Blobs(VaultWork):
    """Values by (space, key) that the vault does not read."""

    def blob_put(self, space: str, key: bytes, value: bytes) -> None:
        """Keep a value, in place of an earlier one."""
        self.touch(space, key)
        self.write(_PUT, {"space": space, "key": key, "value": value})

    def blobs_put(self, space: str, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep (key, value) pairs, in place of earlier ones."""
        self.write_many(_PUT, ({"space": space, "key": key, "value": value} for key, value in items))

    def blob_get(self, space: str, key: bytes) -> bytes | None:
        """The value under a key."""
        row = self.row(_ONE, of=space, at=key)
        return None if row is None else row[0]

    def blob_delete(self, space: str, key: bytes) -> None:
        """Forget a value; one that is not there is no trouble."""
        self.touch(space, key)
        self.write(_DELETE, {"of": space, "at": key})

    def blobs_delete_through(self, space: str, key: bytes) -> None:
        """Forget all values of a space up to a key."""
        self.write(_DELETE_THROUGH, {"of": space, "at": key})

    def blobs(self, space: str, *, after: bytes | None = None, limit: int = 50) -> list[tuple[bytes, bytes]]:
        """(key, value) of a space in the order of keys, after the key `after`."""
        if after is None:
            return [(row[0], row[1]) for row in self.rows(_FIRST, of=space, limit=limit)]
        return [(row[0], row[1]) for row in self.rows(_PAGE, of=space, after=after, limit=limit)]


_ERASED = "erased-privates"


class Privates(Blobs):
    """What commitments hide. Nothing else in the vault holds these values; the ledger holds the commitments alone."""

    def put_private(self, commitment: bytes, subject: str, value: bytes, salt: bytes) -> None:
        """Keep a private value and its salt for a data subject; one that was erased does not come back."""
        if self.blob_get(_ERASED, commitment) is not None:
            return
        self.write(_PUT_PRIVATE, {"commitment": commitment, "subject": subject, "value": value, "salt": salt})

    def private(self, commitment: bytes) -> PrivateValue | None:
        """What a commitment hides, unless it is unknown here or erased."""
        row = self.row(_PRIVATE, of=commitment)
        return None if row is None else PrivateValue(*row)

    def every_private(self, *, after: bytes = b"", limit: int = 50) -> list[PrivateValue]:
        """Private values in the order of their commitments, after the commitment `after`."""
        return [PrivateValue(*row) for row in self.rows(_PRIVATES, after=after, limit=limit)]

    def erase_subject(self, subject: str) -> int:
        """Erase all private values of a data subject from the files of the database, too; returns how many."""
        self.erased = True
        commitments = [row[0] for row in self.rows(_OF_SUBJECT, of=subject)]
        self.blobs_put(_ERASED, ((commitment, b"") for commitment in commitments))
        return self.write(_ERASE, {"of": subject})
