"""Where a vault lies: in a SQLite file or in a PostgreSQL database. Loads nothing of either."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value

SCHEMES = ("postgresql", "postgres")


class DatabaseUrl:
    """The address of a PostgreSQL database, which may hold a password; shown without it."""

    __slots__ = ("_parts", "text")

    def __init__(self, text: str) -> None:
        """`postgresql://user@host:port/database`, as libpq reads it; Refusal `vault.url`."""
        self.text = text.strip()
        try:
            self._parts = urlsplit(self.text)
            _ = self._parts.port  # read only here, where it may be no number
        except ValueError:
            raise Refusal("vault.url", "this is no address of a database") from None
        begins = self._parts.scheme in SCHEMES and self.text.startswith(f"{self._parts.scheme}://")
        check(begins, "vault.url", "a database's address begins with postgresql://")
        hidden = "password=" in self._parts.query.lower()
        check(not hidden, "vault.url", "a password stands before the host, not behind")

    @property
    def named(self) -> str:
        """The database's name; empty where the address names a server alone."""
        return unquote(self._parts.path.removeprefix("/"))

    def with_name(self, name: str) -> DatabaseUrl:
        """The address of another database of the same server."""
        return DatabaseUrl(urlunsplit(self._parts._replace(path=f"/{name}")))

    def __str__(self) -> str:
        user, at, host = self._parts.netloc.rpartition("@")
        return urlunsplit(self._parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}"))

    def __repr__(self) -> str:
        return f"DatabaseUrl({str(self)!r})"

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


def check_driver() -> None:
    """Refusal `vault.driver` where that of PostgreSQL is not installed."""
    try:
        import psycopg  # noqa: F401 - asked for, not used
    except ImportError as error:
        raise Refusal(
            "vault.driver", "PostgreSQL needs its driver: pip install 'interfirm[postgres]'", reason=str(error)
        ) from error
