"""A vault's tables copied into another database, whole or not at all, and compared afterwards.

Tables of templates are not copied: the next start makes them from the contracts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.node.vault.database import VaultDatabase, told
from interfirm.node.vault.migrations import HEAD, migrate
from interfirm.node.vault.statements import Database, Driver, Row, Work
from interfirm.node.vault.tables import metadata, templates

BATCH_ROWS = 500
Told = Callable[[str, int], None]
"""Hears of a table and how many of its rows were copied so far."""
_pack = msgspec.msgpack.encode
_NO_NUL = "\u2400"
"""What PostgreSQL keeps for U+0000."""


class Readable(Database, Protocol):
    """A database that can be read; also one that another process writes."""

    def reading(self) -> AbstractContextManager[Driver]:
        """One committed state."""


class TableSum(Value, frozen=True):
    """What a table holds: how many rows, and the sum of the hashes of all of them."""

    table: str
    rows_count: int
    sum: bytes


def copy_vault(source: Readable, target: VaultDatabase, *, told_of: Told = lambda *_: None) -> list[TableSum]:
    """Copy all that a vault keeps into an empty database, read it back, and say what was copied.

    Raises Refusal `vault.not-empty`, `vault.version` where the source's schema is not today's, `vault.copy` where the
    copy differs, and `vault.storage`. The target stays empty unless everything was written.
    """
    with told(source), source.reading() as driver:
        reads = Work(driver, source, writable=False)
        _check_version(reads)
        with told(target), target.migrating() as (connection, into):
            empty = not sa.inspect(connection).get_table_names()
            check(empty, "vault.not-empty", "a vault is copied into an empty database")
            writes = Work(into, target, writable=True)
            migrate(connection, writes)
            made = [_copied(reads, writes, table, told_of) for table in metadata.sorted_tables]
    _compare(made, sums(target))
    return made


def sums(database: Readable) -> list[TableSum]:
    """What each table holds, in one state."""
    with told(database), database.reading() as driver:
        reads = Work(driver, database, writable=False)
        return [_summed(reads, table, _batches(reads, table)) for table in metadata.sorted_tables]


def _check_version(reads: Work) -> None:
    row = reads.row(reads.prepare(sa.text("SELECT version_num FROM alembic_version")))
    found = row and row[0]
    check(found == HEAD, "vault.version", "the vault is of another version; start its node once", found=found,
          known=HEAD)  # fmt: skip


def _copied(reads: Work, writes: Work, table: sa.Table, told_of: Told) -> TableSum:
    insert = sa.insert(table)

    def written() -> Iterator[list[dict[str, Any]]]:
        count = 0
        for batch in _batches(reads, table):
            writes.write_many(insert, batch)
            count += len(batch)
            told_of(table.name, count)
            yield batch

    return _summed(reads, table, written())


def _summed(reads: Work, table: sa.Table, batches: Iterator[list[dict[str, Any]]]) -> TableSum:
    """The sum of the hashes of all rows: databases may differ in the order of texts with characters replaced."""
    total, count = 0, 0
    for batch in batches:
        count += len(batch)
        total += sum(int.from_bytes(hashlib.sha256(_pack(list(row.values()))).digest(), "big") for row in batch)
    row = reads.row(reads.prepare(sa.select(sa.func.count()).select_from(table)))
    if row is None or row[0] != count:
        raise Refusal("vault.copy", "not all rows were read", table=table.name, rows_read=count, rows=row and row[0])
    return TableSum(table=table.name, rows_count=count, sum=(total % 2**256).to_bytes(32, "big"))


def _batches(reads: Work, table: sa.Table) -> Iterator[list[dict[str, Any]]]:
    """All rows in the order of their keys, as they are on every database."""
    key = list(table.primary_key.columns)
    at_key = [list(table.columns).index(column) for column in key]
    all_rows = sa.select(table).order_by(*key).limit(BATCH_ROWS)
    place = [sa.bindparam(f"at{n}", type_=column.type) for n, column in enumerate(key)]
    after = reads.prepare(all_rows.where(sa.tuple_(*key) > sa.tuple_(*place)))
    rows = reads.rows(reads.prepare(all_rows))
    while rows:
        yield [_plain(table, row) for row in rows]
        last = {f"at{n}": rows[-1][index] for n, index in enumerate(at_key)}
        rows = reads.rows(after, **last) if len(rows) == BATCH_ROWS else []


def _plain(table: sa.Table, row: Row) -> dict[str, Any]:
    found = {column.name: _value(column, value) for column, value in zip(table.columns, row, strict=True)}
    if table is templates:
        found["layout"] = 0  # older than any, so that the templates' tables are made again
    return found


def _value(column: sa.Column[Any], value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", _NO_NUL)
    return bool(value) if isinstance(column.type, sa.Boolean) and value is not None else value


def _compare(made: list[TableSum], found: list[TableSum]) -> None:
    for one, other in zip(made, found, strict=True):
        if one != other:
            raise Refusal("vault.copy", "the copy differs from what was copied", table=one.table,
                          rows_copied=one.rows_count, rows_found=other.rows_count)  # fmt: skip
