"""A real node in this process on SQLite or PostgreSQL, with as many contracts as are wanted, and its notary."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import os
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.bills.contract import Bill
from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.money import Money
from interfirm.base.time import Day
from interfirm.contracts.language import Party
from interfirm.contracts.types import ContractRef, TemplateId
from interfirm.node.access import people
from interfirm.node.access.people import Person
from interfirm.node.vault.places import DatabaseUrl
from interfirm.node.vault.postgres import connect
from interfirm.node.vault.tables import contracts
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import StoredContract
from interfirm.node.vault.vault import Vault
from interfirm.runtime import postgresql, supervise
from interfirm.runtime.bootstrap import Assembly, load_engine
from interfirm.runtime.clock import SystemClock
from interfirm.runtime.databases import give_databases, vault_place
from interfirm.runtime.layout import Home, NetworkLayout, free_port, new_network
from interfirm.runtime.logs import name_process
from interfirm.runtime.modules import find_modules
from interfirm.runtime.node_process import NodeProcess

FIRMS = (
    ("Alpha NV", "BE0987654394"), ("Beta BV", "BE0812345603"), ("Gamma BV", "BE0543210955"),
    ("Delta BV", "BE0123456749"), ("Epsilon BV", "BE0765432193"),
)  # fmt: skip
"""The node's firm, and its buyers."""
MODULE = "benchmarks.bills"
TEMPLATE = "bills.Bill"
DAYS = 365
YEAR_MS = 365 * 24 * 3600 * 1000
BATCH = 1000


@contextlib.contextmanager
def server() -> Iterator[postgresql.Server | None]:
    """A PostgreSQL server as an operator sets it up; None where none is installed."""
    try:
        started = postgresql.start(settings="shared_buffers=256MB\nmax_wal_size=4GB\n")
    except Refusal as refusal:
        if refusal.code != "postgresql.missing":
            raise
        yield None
        return
    try:
        yield started
    finally:
        postgresql.stop(started)


@contextlib.contextmanager
def network(database: postgresql.Server | None) -> Iterator[Firm]:
    """A network whose notary runs and whose firms do not; the firms' databases lie there, or are files."""
    with tempfile.TemporaryDirectory(prefix="interfirm-bench-") as folder:
        layout = new_network(
            Path(folder) / "n", FIRMS, name="bench", at_ms=time.time_ns() // 1_000_000, modules=(MODULE,)
        )
        if database is not None:
            give_databases(layout, database.url)
        supervise.start(layout, [layout.notary])
        try:
            yield Firm(layout)
        finally:
            supervise.stop([layout.notary])
            if database is not None:
                _drop(layout, database)


def _drop(layout: NetworkLayout, database: postgresql.Server) -> None:
    with connect(database.socket_url) as connection:
        for member in layout.members:
            place = vault_place(layout.home(member)).database
            assert isinstance(place, DatabaseUrl)
            connection.execute(f"DROP DATABASE IF EXISTS {place.named} WITH (FORCE)")


class Firm:
    """The first firm of a network, whose node does not run yet."""

    def __init__(self, layout: NetworkLayout) -> None:
        self.layout = layout
        self.home: Home = layout.firm("alpha")
        self.engine = load_engine(find_modules(layout.file.modules))
        self.template: TemplateId = self.engine.named(TEMPLATE).id
        members = [member for member in layout.members if member.name in dict(FIRMS)]
        self.parties = [Party(member.identity) for member in members]
        self.names = [member.name for member in members]
        self.port = free_port()
        self.home.configuration_path.write_text(f"[api]\nport = {self.port}\n")

    def vault(self) -> Vault:
        """Its vault, opened."""
        return Vault.open(vault_place(self.home), contracts_engine=self.engine)

    def stored(self, n: int) -> StoredContract:
        """The n-th bill."""
        supplier, buyer = self.parties[0], self.parties[1 + n % (len(self.parties) - 1)]
        bill = Bill(
            supplier=supplier, buyer=buyer, number=f"INV-{n:08}", payable=Money(100 * (n * 7919 % 100_003) + 1, "EUR"),
            due=Day(20_000 + n // 4 % DAYS),
        )  # fmt: skip
        return StoredContract(
            ref=ContractRef(hashlib.sha256(b"bill %d" % n).digest(), 0), template=self.template,
            payload=codec.plain(bill), payload_seed=bytes(32), confirmers_salt=bytes(32), entry=bytes(200),
            notary=self.layout.notary_id, status="active", consumer=None, signatories=(supplier.id,),
            observers=(buyer.id,), known_valid=True, time_ms=1_700_000_000_000 + n,
        )  # fmt: skip

    def fill(self, count: int) -> float:
        """Keep so many bills in the vault; CPU seconds that it took here."""
        vault, began = self.vault(), time.process_time()
        for start in range(0, count, BATCH):
            with vault.turn() as turn:
                turn.add_contracts([self.stored(n) for n in range(start, min(start + BATCH, count))])
        took = time.process_time() - began
        vault.close()
        self._analyse()
        return took

    def grow(self, times: int) -> None:
        """As many times the bills, as copies that the database makes itself under other refs."""
        vault = self.vault()
        with vault.read() as turn:
            table, count = turn.versions(self.template)[0].table, turn.numbers.contract
        vault.close()
        others = ", ".join(each.name for each in contracts.columns if each.name not in ("number", "transaction_id"))
        fields = ", ".join(f"t.{each}" for each in table.columns.keys()[2:])
        with self._driver() as run:
            for shift in range(count, times * count, count):
                # the copies of the round before are copied on, so that every ref is another hash
                among = f"WHERE number > {shift - count} AND number <= {shift}"
                run(f"INSERT INTO contracts (number, transaction_id, {others}) SELECT number + {count},"
                    f" sha256(transaction_id), {others} FROM contracts {among}")  # fmt: skip
                run(f"INSERT INTO {table.name} SELECT c.number, c.transaction_id, {fields} FROM {table.name} AS t JOIN"
                    f" contracts AS c ON c.number = t._number + {count} WHERE t._number > {shift - count} AND"
                    f" t._number <= {shift}")  # fmt: skip
        self._analyse()

    @contextlib.contextmanager
    def _driver(self) -> Iterator[Callable[[str], object]]:
        """What runs statements on the database alone."""
        place = vault_place(self.home).database
        if isinstance(place, DatabaseUrl):
            with connect(place) as served:
                yield served.execute
            return
        with contextlib.closing(sqlite3.connect(place)) as opened:
            opened.execute("PRAGMA cache_size=-600000")
            opened.execute("PRAGMA synchronous=OFF")
            opened.create_function("sha256", 1, lambda each: hashlib.sha256(each).digest(), deterministic=True)
            yield opened.execute
            opened.commit()

    def _analyse(self) -> None:
        """What a server does by itself after a while."""
        if isinstance(vault_place(self.home).database, DatabaseUrl):
            with self._driver() as run:
                run("ANALYZE")

    def token(self, turn: Turn, name: str, *roles: str, **more: Any) -> str:
        """A person with these roles, and a token of that person."""
        now_ms = time.time_ns() // 1_000_000
        people.put_person(turn, Person(name=name, roles=roles, created_ms=now_ms, **more))
        _, token = people.new_token(
            turn, name, note="", scopes=None, expires_ms=now_ms + YEAR_MS, now_ms=now_ms, random=os.urandom
        )
        return token

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[NodeProcess]:
        """Its node, running on this event loop as in its own process."""
        name_process("alpha", level="error")
        clock = SystemClock()
        process, ready = NodeProcess(Assembly(self.layout, self.home, clock.now_ms), clock), asyncio.Event()
        gc.freeze()
        serving = asyncio.ensure_future(process.serve(ready.set))
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        try:
            yield process
        finally:
            gc.unfreeze()
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
