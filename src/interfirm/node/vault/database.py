"""What a vault asks of a database (its port), and where a vault lies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.node.vault.statements import Database, Driver

SCHEMES = ("postgresql://", "postgres://")


class DatabaseUrl:
    """The address of a PostgreSQL database, which may hold a password; shown without it."""

    __slots__ = ("_shown", "text")

    def __init__(self, text: str) -> None:
        """`postgresql://user@host:port/database`, as libpq reads it; Refusal `vault.url`."""
        self.text = text.strip()
        check(self.text.startswith(SCHEMES), "vault.url", "a database's address begins with postgresql://")
        try:
            self._shown = sa.make_url(self.text).render_as_string(hide_password=True)
        except (sa.exc.ArgumentError, ValueError) as error:
            raise Refusal("vault.url", "this is no address of a database") from error
        check("password=" not in self.text.lower(), "vault.url", "a password stands before the host, not behind")

    @property
    def named(self) -> str:
        """The database's name; empty where the address names a server alone."""
        return sa.make_url(self.text).database or ""

    def with_name(self, name: str) -> DatabaseUrl:
        """The address of another database of the same server."""
        return DatabaseUrl(sa.make_url(self.text).set(database=name).render_as_string(hide_password=False))

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"DatabaseUrl({self._shown!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatabaseUrl) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


class VaultPlace(Value, frozen=True):
    """Where a vault lies: its database (a SQLite file, or an address), and the folder of the files attached."""

    database: Path | DatabaseUrl
    attachments: Path


def beside(path: Path) -> VaultPlace:
    """The place of a vault in a SQLite file: attached files lie beside it."""
    return VaultPlace(database=path, attachments=path.with_name(path.name + ".attachments"))


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
