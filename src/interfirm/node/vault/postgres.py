"""The vault's database in PostgreSQL: one connection that writes, others that read what was committed.

A session's advisory lock keeps a second node away, and ends with the connection. The turn in which a connection is
lost is refused; the next one makes it again, unless another node had the vault in between. Text is ordered by its bytes
(`COLLATE "C"`), as in SQLite, whatever the database's own order. PostgreSQL keeps no U+0000 in a text: U+2400 stands
for it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.pq import Format
from psycopg.types.numeric import Int8BinaryDumper
from psycopg.types.string import StrBinaryDumper
from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.dialects.postgresql.psycopg import PGCompiler_psycopg, PGDialect_psycopg
from sqlalchemy.pool import StaticPool

from interfirm.base.errors import Refusal
from interfirm.node.vault.places import DatabaseUrl
from interfirm.node.vault.statements import Known

LOCK = 0x696E_7465_7266_6972
"""The advisory lock of the node that writes; a lock belongs to one database."""
LOCK_WAIT_MS = 2_000
"""A node that was killed holds its lock until the server noticed."""
CONNECT_S = 10
STATEMENTS_COUNT = 512
READERS_COUNT = 4
_OPTIONS: dict[str, Any] = {
    "autocommit": True, "connect_timeout": CONNECT_S, "keepalives_idle": 30, "keepalives_interval": 10,
    "keepalives_count": 3, "client_encoding": "UTF8",
    "options": "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
}  # fmt: skip
_ERASABLE = ("privates", "flows", "journal", "blobs")
"""The tables from which values are erased."""
_STORAGE = ("08", "28", "3D", "53", "57P", "58", "25006", "42501")
"""SQLSTATE: connection, authorisation, no such database, resources, shut down, system, read only, no privilege."""
_DAMAGED = ("XX001", "XX002")
_BUSY = ("55P03", "40001", "40P01", "57014")


def refusal_of(error: BaseException) -> Refusal | None:
    """The refusal that an error of PostgreSQL or the operating system stands for; None where it is a bug."""
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        return refusal_of(error.orig)
    if isinstance(error, OSError):
        return Refusal("vault.storage", "the vault's storage failed", reason=str(error))
    state = getattr(error, "sqlstate", None) or ""
    reason = next(iter(str(error).splitlines()), "")[:300]
    if state.startswith(_DAMAGED):
        return Refusal("vault.damaged", "the vault's database is damaged", reason=reason)
    if state.startswith(_BUSY):
        return Refusal("vault.busy", "another program holds the vault's database", reason=reason)
    lost = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)) and not state
    if lost or state.startswith(_STORAGE):
        return Refusal("vault.storage", "the vault's storage failed", reason=reason)
    return None


class _Types(PGTypeCompiler):
    def visit_TEXT(self, type_: Any, **kw: Any) -> str:
        return 'TEXT COLLATE "C"'


class _Compiler(PGCompiler_psycopg):
    def visit_instr_func(self, function: Any, **kw: Any) -> str:
        """SQLite's name for the place of some bytes in others."""
        whole, part = (self.process(each, **kw) for each in function.clauses)
        return f"position({part} IN {whole})"


class VaultDialect(PGDialect_psycopg):
    """PostgreSQL through psycopg, with texts ordered by their bytes."""

    supports_statement_cache = True
    type_compiler_cls = _Types
    statement_compiler = _Compiler


sa.dialects.registry.register("postgresql.interfirm", __name__, "VaultDialect")


class _Text(StrBinaryDumper):
    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\x00", "\u2400"))


class _Driver:
    """A connection whose cursor takes `$1` and answers in binary form.

    It is one for the whole transaction, as what it learnt of types is kept: an answer is read before the next question.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._cursor = psycopg.RawCursor(connection)
        self._cursor.format = Format.BINARY

    def cursor(self) -> psycopg.RawCursor[Any]:
        return self._cursor


def connect(url: DatabaseUrl, *, name: str = "interfirm") -> psycopg.Connection[Any]:
    """A connection in which each statement is a transaction until BEGIN says otherwise.

    Raises Refusal `vault.storage` with the server's words, `vault.url` for an address that libpq cannot read.
    """
    try:
        made = psycopg.connect(url.text, application_name=name, **_OPTIONS)
    except psycopg.ProgrammingError:  # its words hold the address, with a password
        raise Refusal("vault.url", "this is no address of a database", url=str(url)) from None
    except psycopg.Error as error:
        raise refusal_of(error) or error from error
    made.prepared_max = STATEMENTS_COUNT
    made.adapters.register_dumper(int, Int8BinaryDumper)
    made.adapters.register_dumper(str, _Text)
    return made


class PostgresReads:
    """A database that is only read, beside the node that writes it."""

    errors: type[Exception] = psycopg.Error
    prepared: Known = {}
    dialect: sa.Dialect = VaultDialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # SQLAlchemy's

    def __init__(self, url: DatabaseUrl) -> None:
        self.url = url
        self._readers: list[psycopg.Connection[Any]] = []
        """Connections that read, while nobody uses them."""
        self._reading = 0

    def refusal(self, error: Exception) -> Refusal | None:
        """See `refusal_of`."""
        return refusal_of(error)

    @contextlib.contextmanager
    def reading(self) -> Iterator[_Driver]:
        """A connection that sees what was committed when it first reads."""
        idle = self._readers.pop() if self._readers else self._new_reader()
        reader = _begun(idle, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", self._new_reader)
        self._reading += 1
        try:
            with _ended(reader):
                yield _Driver(reader)
                reader.execute("COMMIT")
        finally:
            self._reading -= 1
            if reader.closed or len(self._readers) >= READERS_COUNT:
                reader.close()
            else:
                self._readers.append(reader)

    def check(self) -> None:
        """Read every row of every table; what the server finds damaged is refused (`vault.damaged`)."""
        with self.reading() as driver:
            names = driver.cursor().execute("SELECT relname FROM pg_stat_user_tables").fetchall()
            for (name,) in names:
                quoted = self.dialect.identifier_preparer.quote(name)
                try:
                    driver.cursor().execute(f"SELECT sum(length({quoted}::text)) FROM {quoted}")  # noqa: S608 - quoted
                except psycopg.Error as error:
                    raise refusal_of(error) or error from error

    def close(self) -> None:
        """Give up the connections."""
        while self._readers:
            self._readers.pop().close()

    def _new_reader(self) -> psycopg.Connection[Any]:
        return connect(self.url, name=_name("reads"))


class PostgresDatabase(PostgresReads):
    """An open database: `writing` and `reading` give transactions, `close` gives it free."""

    def __init__(self, url: DatabaseUrl, *, durable: bool = True) -> None:
        super().__init__(url)
        self._durable = durable
        self._opened = 0
        self._writer = self._new_writer()

    @contextlib.contextmanager
    def migrating(self) -> Iterator[tuple[sa.Connection, _Driver]]:
        """`writing` for what goes through SQLAlchemy, too."""
        engine = sa.create_engine("postgresql+interfirm://", creator=lambda: self._writer, poolclass=StaticPool)
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        with engine.connect() as connection, connection.begin():
            yield connection, _Driver(self._writer)

    @contextlib.contextmanager
    def writing(self) -> Iterator[_Driver]:
        """One transaction of the writing connection: committed at the end, rolled back when an exception leaves it.

        Where the connection is lost in the commit itself nobody knows which of the two happened: Refusal
        `vault.storage`, after which a node begins anew from what is there.
        """
        self._writer = writer = _begun(self._writer, "BEGIN", self._new_writer)
        with _ended(writer):
            yield _Driver(writer)
            writer.execute("COMMIT")

    def clear_log(self) -> bool:
        """Write the tables anew from which values were erased, so that their files do not hold them any more.

        False while somebody still reads an older state. The server's log, its archive and its replicas hold what they
        held, for as long as the server's own settings say.
        """
        if self._reading:
            return False
        try:
            others = self._writer.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL"
            ).fetchone()
            if others is None or others[0]:
                return False
            self._writer.execute(f"SET lock_timeout = {LOCK_WAIT_MS}")
            for table in _ERASABLE:
                self._writer.execute(f"VACUUM FULL {table}")
        except psycopg.Error:
            return False
        return True

    def close(self) -> None:
        """Give up connections and lock; what was not committed is gone."""
        super().close()
        self._writer.close()

    def _new_writer(self) -> psycopg.Connection[Any]:
        """A connection that holds the lock; Refusal `vault.in-use` where another node holds it or held it since."""
        made = connect(self.url, name=_name("writes"))
        try:
            self._take(made)
            _set_durable(made, durable=self._durable)
        except psycopg.Error as error:
            made.close()
            raise refusal_of(error) or error from error
        except BaseException:
            made.close()
            raise
        return made

    def _take(self, made: psycopg.Connection[Any]) -> None:
        made.execute(f"SET lock_timeout = {LOCK_WAIT_MS}")
        try:
            made.execute(f"SELECT pg_advisory_lock({LOCK})")
        except psycopg.errors.LockNotAvailable as error:
            raise Refusal("vault.in-use", "another node runs on this vault", url=str(self.url)) from error
        made.execute("CREATE SEQUENCE IF NOT EXISTS vault_opened")
        if not self._opened:
            self._opened = _number(made, "SELECT nextval('vault_opened')")
        elif _number(made, "SELECT last_value FROM vault_opened") != self._opened:
            raise Refusal("vault.in-use", "another node had this vault since", url=str(self.url))


def _begun(
    connection: psycopg.Connection[Any], text: str, again: Callable[[], psycopg.Connection[Any]]
) -> psycopg.Connection[Any]:  # fmt: skip
    """A transaction on this connection or, where it was lost since it was last used, on a new one."""
    try:
        connection.execute(text)
    except (psycopg.OperationalError, psycopg.InterfaceError):
        if not connection.closed:
            raise
        connection = again()
        connection.execute(text)
    return connection


@contextlib.contextmanager
def _ended(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A transaction that an exception leaves is rolled back, or its connection closed."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(psycopg.Error):
            connection.rollback()
        if connection.broken:
            connection.close()
        raise


def _set_durable(made: psycopg.Connection[Any], *, durable: bool) -> None:
    """A commit is on disk when it is answered, whatever the server's default; a stronger one stays as it is."""
    row = made.execute("SHOW synchronous_commit").fetchone()
    if not durable:
        made.execute("SET synchronous_commit = off")
    elif row is not None and row[0] == "off":
        made.execute("SET synchronous_commit = on")


def _number(made: psycopg.Connection[Any], text: str) -> int:
    row = made.execute(text).fetchone()
    assert row is not None
    return int(row[0])


def _name(does: str) -> str:
    return f"interfirm {does} {os.getpid()}"
