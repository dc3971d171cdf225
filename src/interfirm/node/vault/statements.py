"""Statements written once in SQLAlchemy Core, compiled once per dialect, and run on the driver's own cursor.

Running a Core statement the ordinary way costs about 40 us, of which SQLite's part is 3; a turn runs hundreds. So the
text and the order of its parameters are kept here, and types that need conversion (none of the vault's own do) are
converted by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement, DropTable
from sqlalchemy.sql import ClauseElement

from interfirm.base.errors import Refusal

Row = tuple[Any, ...]
Statement = ClauseElement | Callable[[Any], ClauseElement]
"""A Core statement, or what makes one for a dialect's `insert` (see `put`)."""
Known = dict[Statement, "Prepared"]
"""Statements that live as long as the program, prepared for one dialect."""
_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def put(table: sa.Table) -> Callable[[Any], ClauseElement]:
    """Insert a row, or replace all of it where its key is there already."""
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if column.name not in keys]

    def make(insert: Any) -> ClauseElement:
        statement = insert(table)
        changed: ClauseElement = statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in others}
        )
        return changed

    return make


def add(table: sa.Table, *, unique: Sequence[str]) -> Callable[[Any], ClauseElement]:
    """Insert a row unless one with the same `unique` columns is there."""

    def make(insert: Any) -> ClauseElement:
        statement: ClauseElement = insert(table).on_conflict_do_nothing(index_elements=list(unique))
        return statement

    return make


class Prepared:
    """A statement as its driver takes it."""

    __slots__ = ("_defaults", "_names", "_pick", "text")

    def __init__(self, statement: Statement, dialect: sa.Dialect) -> None:
        element = statement if isinstance(statement, ClauseElement) else statement(_INSERTS[dialect.name])
        compiled: Any = element.compile(dialect=dialect)
        self.text = str(compiled)
        self._defaults = {name: value for name, value in compiled.params.items() if value is not None}
        self._names: Sequence[str] | None = compiled.positiontup
        self._pick = itemgetter(*self._names) if self._names and len(self._names) > 1 else None

    def arguments(self, given: Mapping[str, Any]) -> Any:
        """The parameters in the form that the driver's cursor takes."""
        values = {**self._defaults, **given} if self._defaults else given
        if self._pick is not None:
            return self._pick(values)
        return values if self._names is None else tuple(values[name] for name in self._names)


_CREATIONS: dict[tuple[str, sa.Table], list[str]] = {}


def creation(table: sa.Table, dialect: sa.Dialect) -> list[str]:
    """What makes a table and its indexes, as text; kept, as processes that simulate open thousands of vaults."""
    found = _CREATIONS.get((dialect.name, table))
    if found is None:
        own = [index for index in table.indexes if index.info.get("dialect", dialect.name) == dialect.name]
        indexes = sorted(own, key=lambda index: str(index.name))
        elements: list[DDLElement] = [CreateTable(table), *(CreateIndex(index) for index in indexes)]
        found = _CREATIONS[dialect.name, table] = [str(each.compile(dialect=dialect)) for each in elements]
    return found


class Database(Protocol):
    """What a back end gives: a dialect, and the Refusal that a driver's error stands for."""

    @property
    def dialect(self) -> sa.Dialect:
        """What statements are compiled for."""

    @property
    def prepared(self) -> Known:
        """Statements prepared for the dialect, shared by all databases of the process that speak it."""

    @property
    def errors(self) -> type[Exception]:
        """The base class of the driver's errors."""

    def refusal(self, error: Exception) -> Refusal | None:
        """`vault.storage`, `vault.damaged` or `vault.busy`; None for what is a bug."""


class Numbers:
    """The last numbers given to rows of each kind; kept in memory, as there is one writer."""

    __slots__ = ("contract", "transaction")

    def __init__(self) -> None:
        self.transaction = 0
        self.contract = 0


class Driver(Protocol):
    """A driver's connection (PEP 249)."""

    def cursor(self) -> Any:
        """A cursor of it."""


class Work:
    """One database transaction on one connection. Once the database failed, everything in it fails."""

    def __init__(self, driver: Driver, database: Database, *, writable: bool) -> None:
        self.writable = writable
        self.failure: Exception | None = None
        self._cursor = driver.cursor
        self._database = database
        self._errors = database.errors
        self._prepared = database.prepared
        self._parts: list[bool] = []
        """For each block of `all_or_nothing` that is open, whether something was written in it."""

    def prepare(self, statement: Statement) -> Prepared:
        """A statement that the caller keeps, prepared."""
        return Prepared(statement, self._database.dialect)

    def create(self, table: sa.Table) -> None:
        """Make a table and its indexes."""
        self._begin_parts()
        for text in creation(table, self._database.dialect):
            self._run(text, ())

    def drop(self, table: sa.Table) -> None:
        """Remove a table with its indexes, if it is there."""
        self._begin_parts()
        self._run(str(DropTable(table, if_exists=True).compile(dialect=self._database.dialect)), ())

    def rows(self, statement: Statement | Prepared, /, **given: Any) -> list[Row]:
        """All rows that a statement returns."""
        found: list[Row] = self._execute(statement, given).fetchall()
        return found

    def row(self, statement: Statement | Prepared, /, **given: Any) -> Row | None:
        """The only row that a statement returns, or None."""
        found: Row | None = self._execute(statement, given).fetchone()
        return found

    def write(self, statement: Statement, given: Mapping[str, Any]) -> int:
        """Run a statement that changes rows; returns how many."""
        assert self.writable, "a read does not write"
        self._begin_parts()
        count: int = self._execute(statement, given).rowcount
        return count

    def write_many(self, statement: Statement, given: Iterable[Mapping[str, Any]]) -> int:
        """Run one statement for many rows; returns how many it changed."""
        assert self.writable, "a read does not write"
        self._begin_parts()
        prepared = self._of(statement)
        rows = [prepared.arguments(each) for each in given]
        if not rows:
            return 0
        many = len(rows) > 1
        count: int = self._run(prepared.text, rows if many else rows[0], many=many).rowcount
        return count

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is written inside is taken back when an exception leaves the block; the transaction goes on."""
        self._parts.append(False)
        depth = len(self._parts)
        try:
            yield
        except BaseException:
            if self._parts[-1] and self.failure is None:
                self._run(f"ROLLBACK TO SAVEPOINT part{depth}", ())
            raise
        finally:
            if self._parts.pop() and self.failure is None:
                self._run(f"RELEASE SAVEPOINT part{depth}", ())

    def _begin_parts(self) -> None:
        """Something is about to be written: what is open begins here. Most blocks write nothing, and cost nothing."""
        for place, begun in enumerate(self._parts):
            if not begun:
                self._run(f"SAVEPOINT part{place + 1}", ())
                self._parts[place] = True

    def _execute(self, statement: Statement | Prepared, given: Mapping[str, Any]) -> Any:
        prepared = statement if isinstance(statement, Prepared) else self._of(statement)
        return self._run(prepared.text, prepared.arguments(given))

    def _of(self, statement: Statement) -> Prepared:
        found = self._prepared.get(statement)
        if found is None:
            found = self._prepared[statement] = self.prepare(statement)
        return found

    def _run(self, text: str, arguments: Any, *, many: bool = False) -> Any:
        if self.failure is not None:
            raise self.failure
        cursor = self._cursor()
        try:
            (cursor.executemany if many else cursor.execute)(text, arguments)
            return cursor
        except self._errors as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> Exception:
        """The refusal that an error stands for (a bug stays as it is), remembered: this turn must not be committed."""
        self.failure = self._database.refusal(error) or error
        return self.failure
