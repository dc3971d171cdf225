"""What the vault costs in PostgreSQL, by the clock, as the server works in processes of its own.

The peer is psycopg alone, given the same tables, the same rows and the texts of the same statements.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.vault import BATCH, PAGES, Engine, Statement, pages, stored, traced, write_exercises
from interfirm.base.errors import Refusal
from interfirm.node.vault.places import DatabaseUrl, VaultPlace
from interfirm.node.vault.postgres import PostgresDatabase, PostgresReads, connect
from interfirm.node.vault.statements import Driver
from interfirm.node.vault.vault import Vault
from interfirm.runtime import postgresql

TRIES = 3


def measured(exercises: int, contracts: int) -> dict[str, float]:
    """Microseconds for an exercise and for a page of 50, of the vault and of psycopg; empty without a server."""
    try:
        server = postgresql.start()
    except Refusal as refusal:
        if refusal.code != "postgresql.missing":
            raise
        return {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _measured(server, Path(folder), exercises, contracts)
    finally:
        postgresql.stop(server)


def _measured(server: postgresql.Server, folder: Path, exercises: int, contracts: int) -> dict[str, float]:
    engine = Engine()
    vault, _ = _made(server, folder, "ours", engine)
    found = {"exercise": _microseconds(lambda: write_exercises(vault, engine.template, exercises), exercises)}
    vault.close()
    listened, _ = _made(server, folder, "listened", engine)
    trace = traced(lambda: write_exercises(listened, engine.template, BATCH))
    listened.close()
    peers, peer = _made(server, folder, "peer", engine)
    peers.close()
    database = PostgresDatabase(peer)
    found["raw_exercise"] = _microseconds(lambda: _replayed(database.writing(), trace), BATCH)
    database.close()

    lists, url = _made(server, folder, "lists", engine)
    for start in range(0, contracts, 1000):
        with lists.turn() as turn:
            for n in range(start, min(start + 1000, contracts)):
                turn.add_contract(stored(engine.template, n))
    with connect(url) as connection:
        connection.execute("ANALYZE")

    def list_pages() -> None:
        assert sum(pages(lists, PAGES))

    read = traced(list_pages)
    found["page"] = min(_microseconds(list_pages, PAGES) for _ in range(TRIES))
    reads = PostgresReads(url)
    found["raw_page"] = min(_microseconds(lambda: _replayed(reads.reading(), read), PAGES) for _ in range(TRIES))
    reads.close()
    lists.close()
    return found


def _made(server: postgresql.Server, folder: Path, name: str, engine: Any) -> tuple[Vault, DatabaseUrl]:
    with connect(server.socket_url) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = server.url.with_name(name)
    return Vault.open(VaultPlace(database=url, attachments=folder / name), contracts_engine=engine), url


def _replayed(transaction: AbstractContextManager[Driver], trace: list[Statement]) -> None:
    """The same statements in one transaction, by the driver alone."""
    with transaction as driver:
        cursor = driver.cursor()
        for text, arguments, many in trace:
            if many:
                cursor.executemany(text, arguments)
            elif cursor.execute(text, arguments).description:
                cursor.fetchall()


def _microseconds(work: Callable[[], object], count: int) -> float:
    before = time.perf_counter()
    work()
    return (time.perf_counter() - before) / count * 1e6
