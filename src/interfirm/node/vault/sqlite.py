"""The vault's database in one SQLite file: one connection that writes, others that read what was committed.

WAL, so that reads never wait; `synchronous=FULL`, so that what was committed survives a loss of power; deleted bytes
are overwritten (`secure_delete`). A lock file keeps a second node away for as long as the first one runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from interfirm.base.errors import Refusal, check
from interfirm.node.vault.statements import Known

BUSY_MS = 5_000
WAL_BYTES = 64 * 1024 * 1024
"""The log is cut to this size after a checkpoint."""
STATEMENTS_COUNT = 512
CACHE_KIBIBYTES = 8 * 1024
"""Pages that each connection keeps in memory."""
READERS_COUNT = 4
_OPTIONS: dict[str, Any] = {"check_same_thread": False, "cached_statements": STATEMENTS_COUNT}
_MAGIC = b"SQLite format 3\x00"
_STORAGE = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
}  # fmt: skip
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def refusal_of(error: BaseException) -> Refusal | None:
    """The refusal that an error of SQLite or the operating system stands for; None where it is a bug."""
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        return refusal_of(error.orig)
    if isinstance(error, OSError):
        return Refusal("vault.storage", "the vault's storage failed", reason=str(error))
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _STORAGE:
        return Refusal("vault.storage", "the vault's storage failed", reason=str(error))
    if code in _DAMAGED:
        return Refusal("vault.damaged", "the vault's file is damaged", reason=str(error))
    if code in _BUSY:
        return Refusal("vault.busy", "another program holds the vault's file", reason=str(error))
    return None


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Errors of the database and the operating system leave this block as refusals."""
    try:
        yield
    except (sa.exc.DBAPIError, sqlite3.Error, OSError) as error:
        refusal = refusal_of(error)
        if refusal is None:
            raise
        raise refusal from error


class SqliteDatabase:
    """An open vault file: `writing` and `reading` give transactions, `close` gives the file free."""

    errors: type[Exception] = sqlite3.Error
    prepared: Known = {}

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        self._lock = _locked(path)
        self._durable = durable
        self._readers: list[sqlite3.Connection] = []
        """Connections that read, while nobody uses them."""
        self._connections = contextlib.ExitStack()
        try:
            with told():
                self._open(path)
        except BaseException:
            self.close()
            raise

    def _open(self, path: Path) -> None:
        _check_file(path)
        url = sa.URL.create("sqlite", database=str(path))
        self._writers = sa.create_engine(url, poolclass=StaticPool, connect_args=_OPTIONS)
        sa.event.listen(self._writers, "connect", self._prepare_writer)
        sa.event.listen(self._writers, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        self._connections.callback(self._writers.dispose)
        self._connections.callback(self._close_readers)
        self._writer = self._connections.enter_context(self._writers.connect())
        driver: Any = self._writer.connection.dbapi_connection
        self._driver = cast(sqlite3.Connection, driver)
        self.dialect: sa.Dialect = self._writers.dialect
        self.clear_log()
        self._check_size()

    def refusal(self, error: Exception) -> Refusal | None:
        """See `refusal_of`."""
        return refusal_of(error)

    @contextlib.contextmanager
    def migrating(self) -> Iterator[tuple[sa.Connection, sqlite3.Connection]]:
        """`writing` for what goes through SQLAlchemy, too."""
        with self._writer.begin():
            yield self._writer, self._driver

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction of the writing connection: committed at the end, rolled back when an exception leaves it."""
        driver = self._driver
        driver.execute("BEGIN IMMEDIATE")
        try:
            yield driver
            driver.execute("COMMIT")
        except BaseException:
            if driver.in_transaction:
                driver.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees what was committed when it first reads."""
        driver = self._readers.pop() if self._readers else self._new_reader()
        try:
            driver.execute("BEGIN")
            yield driver
            driver.execute("COMMIT")
        except BaseException:
            driver.close()
            raise
        if len(self._readers) < READERS_COUNT:
            self._readers.append(driver)
        else:
            driver.close()

    def _new_reader(self) -> sqlite3.Connection:
        driver: sqlite3.Connection = sqlite3.connect(self.path, **_OPTIONS)
        self._prepare_reader(driver)
        return driver

    def _close_readers(self) -> None:
        while self._readers:
            self._readers.pop().close()

    def clear_log(self) -> bool:
        """Move everything from the write-ahead log into the file and cut the log.

        False where a reader still needs the log or the storage fails: nothing is lost, and it can be tried again.
        """
        try:
            busy = self._driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError:
            return False
        return not busy

    def check(self) -> None:
        """Read the whole file and refuse (`vault.damaged`) what does not fit together; takes long on a large one."""
        with told():
            found = [row[0] for row in self._driver.execute("PRAGMA quick_check(5)")]
        check(found == ["ok"], "vault.damaged", "the vault's file is damaged", reason="; ".join(found)[:500])

    def close(self) -> None:
        """Give up connections and lock; what was not committed is gone."""
        self._connections.close()
        os.close(self._lock)

    def _prepare_writer(self, driver: sqlite3.Connection, _: object) -> None:
        driver.isolation_level = None
        for pragma in (
            f"busy_timeout={BUSY_MS}", "journal_mode=WAL", f"synchronous={'FULL' if self._durable else 'OFF'}",
            "foreign_keys=ON", "secure_delete=ON", f"journal_size_limit={WAL_BYTES}", f"cache_size=-{CACHE_KIBIBYTES}",
        ):  # fmt: skip
            driver.execute(f"PRAGMA {pragma}")

    def _prepare_reader(self, driver: sqlite3.Connection) -> None:
        driver.isolation_level = None
        for pragma in (f"busy_timeout={BUSY_MS}", "query_only=ON", f"cache_size=-{CACHE_KIBIBYTES}"):
            driver.execute(f"PRAGMA {pragma}")

    def _check_size(self) -> None:
        """A file that was cut short is noticed now and not when the missing part is read."""
        driver = self._driver
        pages = driver.execute("PRAGMA page_count").fetchone()[0] * driver.execute("PRAGMA page_size").fetchone()[0]
        size = self.path.stat().st_size
        check(size >= pages, "vault.damaged", "the vault's file is shorter than it says", bytes=size, expected=pages)


def _check_file(path: Path) -> None:
    """Make the file readable by its owner alone, and refuse one that is something else."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "rb") as file:
        head = file.read(len(_MAGIC))
    check(head in {b"", _MAGIC}, "vault.damaged", "this is not a vault's file", path=str(path))


def _locked(path: Path) -> int:
    """A descriptor that holds the lock file; Refusal `vault.in-use` where another node holds it."""
    with told():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 20).decode(errors="replace").strip()
        os.close(descriptor)
        raise Refusal("vault.in-use", "another node runs on this vault", path=str(path), process=holder) from error
    with contextlib.suppress(OSError):  # only a help for whoever is refused
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor
