"""What a vault asks of a database: its port."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import sqlalchemy as sa

from interfirm.node.vault.statements import Database, Driver


class VaultDatabase(Database, Protocol):
    """An open database that one node alone writes."""

    def migrating(self) -> AbstractContextManager[tuple[sa.Connection, Driver]]:
        """`writing`, as SQLAlchemy's connection and as the driver's."""

    def writing(self) -> AbstractContextManager[Driver]:
        """One transaction: committed at the end, rolled back when an exception leaves it."""

    def reading(self) -> AbstractContextManager[Driver]:
        """A connection that sees one committed state, that of its first read."""

    def clear_log(self) -> bool:
        """Let nothing that was erased be found in the database's files; False where it has to be tried again."""

    def check(self) -> None:
        """Read the whole database; Refusal `vault.damaged` for what does not fit together."""

    def close(self) -> None:
        """Let go of it; what was not committed is gone."""


@contextlib.contextmanager
def told(database: Database) -> Iterator[None]:
    """Errors of the database and the operating system leave this block as refusals."""
    try:
        yield
    except (sa.exc.DBAPIError, database.errors, OSError) as error:
        refusal = database.refusal(error)
        if refusal is None:
            raise
        raise refusal from error
