"""The vault of an organisation's node: what it knows of contracts, transactions and flows, kept on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Self

import sqlalchemy as sa

from interfirm.base.limits import LIMITS
from interfirm.node.vault.attachments import Attachments
from interfirm.node.vault.blobs import Key
from interfirm.node.vault.database import VaultDatabase, told
from interfirm.node.vault.migrations import migrate
from interfirm.node.vault.places import DatabaseUrl, VaultPlace, beside, check_driver
from interfirm.node.vault.sqlite import SqliteDatabase
from interfirm.node.vault.statements import Numbers
from interfirm.node.vault.tables import contracts, transactions
from interfirm.node.vault.template_tables import Engine, TemplateTables
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.work import Shared

Touched = Callable[[frozenset[Key]], object]
_LAST_TRANSACTION = sa.select(sa.func.coalesce(sa.func.max(transactions.c.number), 0))
_LAST_CONTRACT = sa.select(sa.func.coalesce(sa.func.max(contracts.c.number), 0))


class Vault:
    """One database of one node. One turn at a time writes; any number of reads see what was committed."""

    def __init__(self, database: VaultDatabase, attachments: Attachments, engine: Engine) -> None:
        """Use `open`."""
        self._database = database
        self._attachments = attachments
        self._engine = engine
        self._turning = False
        self._erased = False
        self._watchers: list[tuple[frozenset[str], Touched]] = []
        self._shared = Shared(
            database=database, tables=TemplateTables(), lists={}, numbers=Numbers(), watched=set()
        )  # fmt: skip

    @classmethod
    def open(cls, place: Path | VaultPlace, *, contracts_engine: Engine, durable: bool = True) -> Self:
        """Open the vault that lies there, which is made where there is none, and bring it up to date.

        A path is a SQLite file with the attached files beside it. `durable=False` gives up safety against a loss of
        power (not against a kill), for simulated nodes. Raises Refusal `vault.in-use`, `vault.version`,
        `vault.damaged`, `vault.storage`, `vault.url`, `vault.driver`.
        """
        where = place if isinstance(place, VaultPlace) else beside(place)
        database = open_database(where.database, durable=durable)
        try:
            vault = cls(database, Attachments(where.attachments), contracts_engine)
            with told(database), database.migrating() as (connection, driver):
                migrate(connection, Turn(driver, vault._shared, writable=True))
            vault.load_template_tables()
            with vault.read() as turn:
                numbers = vault._shared.numbers
                numbers.transaction, numbers.contract = _first(turn, _LAST_TRANSACTION), _first(turn, _LAST_CONTRACT)
        except BaseException:
            database.close()
            raise
        return vault

    def close(self) -> None:
        """Give the database free; call it between turns."""
        assert not self._turning, "closed within a turn"
        self._database.close()

    def load_template_tables(self) -> None:
        """Make the tables of templates whose packages were loaded since; call it between turns.

        Tables of an older layout are made again, part by part: whenever the process ends, the next one goes on.
        """
        with self.turn() as turn, told(self._database):
            lacking = self._shared.tables.load(turn, self._engine)
        while lacking:
            with self.turn() as turn, told(self._database):
                lacking = self._shared.tables.fill(turn)

    @contextlib.contextmanager
    def turn(self) -> Iterator[Turn]:
        """One transaction: committed when the block ends, rolled back when an exception leaves it.

        Raises Refusal `vault.storage`, `vault.damaged` or `vault.busy` when the database failed in it, also where the
        block itself caught that.
        """
        assert not self._turning, "one turn at a time"
        self._turning = True
        try:
            with told(self._database), self._database.writing() as driver:
                turn = Turn(driver, self._shared, writable=True)
                yield turn
                if turn.failure is not None:
                    raise turn.failure
            self._tell(turn.touched)
            self._erased |= turn.erased
            if self._erased:
                self._erased = not self._database.clear_log()
        finally:
            self._turning = False

    def watch(self, spaces: Collection[str], touched: Touched) -> Callable[[], None]:
        """Tell after each commit under which keys of these spaces it put or deleted single values.

        Until what is given back is called. It is told in the thread of the turn, before that ends: look at the vault
        later.
        """
        watcher = frozenset(spaces), touched
        self._watchers.append(watcher)
        self._shared.watched.update(spaces)

        def end() -> None:
            self._watchers.remove(watcher)
            self._shared.watched.clear()
            self._shared.watched.update(*(each for each, _ in self._watchers))

        return end

    def _tell(self, keys: Collection[Key]) -> None:
        for spaces, touched in list(self._watchers) if keys else ():
            wanted = frozenset(key for key in keys if key[0] in spaces)
            if wanted:
                touched(wanted)

    @contextlib.contextmanager
    def read(self) -> Iterator[Turn]:
        """A turn that only reads, on a connection of its own: it sees one committed state and holds up no writer."""
        with told(self._database), self._database.reading() as driver:
            yield Turn(driver, self._shared, writable=False)

    def check(self) -> None:
        """Read the whole database and refuse (`vault.damaged`) what does not fit together."""
        self._database.check()

    def attachment_put_stream(
        self, chunks: Iterable[bytes], *, content: bytes | None = None, bytes_max: int = LIMITS.attachment_bytes_max
    ) -> bytes:
        """Keep a file; see `Attachments.put`."""
        return self._attachments.put(chunks, content=content, bytes_max=bytes_max)

    def attachment_open(self, content: bytes, *, checked: bool = True) -> BinaryIO:
        """The attached file with this SHA-256; see `Attachments.open`."""
        return self._attachments.open(content, checked=checked)

    def attachment_here(self, content: bytes) -> bool:
        """Whether an attached file with this SHA-256 is kept here."""
        return self._attachments.has(content)

    def attachments(self) -> list[bytes]:
        """The hashes of all attached files, in order."""
        return self._attachments.every()

    def attachments_holding(self, texts: Sequence[bytes]) -> list[bytes]:
        """The attached files in which one of these texts stands; all of them are read."""
        return self._attachments.holding(texts)


def open_database(where: Path | DatabaseUrl, *, durable: bool = True) -> VaultDatabase:
    """A database for one node alone; Refusal `vault.driver` where the one for PostgreSQL is not installed."""
    if isinstance(where, Path):
        return SqliteDatabase(where, durable=durable)
    check_driver()
    from interfirm.node.vault.postgres import PostgresDatabase  # nodes on SQLite do without

    return PostgresDatabase(where, durable=durable)


def _first(turn: Turn, statement: sa.Select[tuple[int]]) -> int:
    row = turn.row(statement)
    assert row is not None
    return int(row[0])
