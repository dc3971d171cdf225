"""What a vault in an SQLite file does when the world fails it: damage, kills, a full disk, a second node."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.node.vault.samples import (
    Invoice,
    SampleEngine,
    bytes32,
    contract,
    flow,
    invoice,
    move,
    refused,
    transaction,
)

from interfirm.base.errors import Refusal
from interfirm.node.vault import statements
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import InboxItem, NotaryRequest, Timer
from interfirm.node.vault.vault import Vault

ENGINE = SampleEngine()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node" / "vault.sqlite"


def opened(path: Path) -> Vault:
    return Vault.open(path, contracts_engine=ENGINE)


def write_all(turn: Turn, n: int) -> None:
    """A turn that writes every table, as an exercise does."""
    flow_id, made = f"flow-{n}", contract(ENGINE.id_of(Invoice), invoice(n), by=bytes32("transaction", n))
    turn.put_flow(flow(flow_id))
    turn.soft_lock([made.ref], flow_id, 1000, 0)
    turn.journal_append([(flow_id, 0, b"entry")])
    turn.set_timer(Timer(flow=flow_id, at_ms=1, key="k"))
    turn.put_notary_request(NotaryRequest(id=bytes32(n), flow=flow_id, notary=b"", request=b"", attempts=0, next_ms=1))
    turn.put_inbox(InboxItem(id=flow_id, flow=flow_id, kind="k", summary={}, created_ms=1, state="open", reason=""))
    turn.blob_put("space", bytes32(n), b"value")
    turn.put_private(bytes32(n), "person", b"value", b"salt")
    turn.add_transaction(transaction(n))
    turn.add_contract(made)
    turn.set_contract_status(made.ref, "locked")
    turn.put_move(move(made.ref, n))


def counts(path: Path) -> set[int]:
    """How many rows each table has, `template_tables`, empty tables of other templates and indexes of words aside."""
    aside = {"template_tables", "alembic_version"}
    with sqlite3.connect(path) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        written = [n for n in names if n not in aside and "everything" not in n and "_words" not in n]
        assert len(written) == 12
        return {connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in written}


def in_child(work: Callable[[], None]) -> int:
    """Run `work` in a process of its own; how it ended (as `Process.exitcode`)."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    assert child.exitcode is not None
    return child.exitcode


def kill_at(count: int) -> None:
    """Make the process die, as by kill -9, before its `count`-th statement from now."""
    left = [count]
    run = statements.Work._run

    def run_or_die(self: statements.Work, *arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return run(self, *arguments, **options)

    statements.Work._run = run_or_die  # type: ignore[method-assign]  # in a child that dies with it


STATEMENTS = 20
"""What `write_all` runs; one point more kills before the commit."""


@pytest.mark.parametrize("point", range(STATEMENTS + 1))
def test_a_kill_between_statements_leaves_nothing_of_the_turn(path: Path, point: int) -> None:
    vault = opened(path)
    with vault.turn() as turn:
        write_all(turn, 1)
    vault.close()

    def work() -> None:
        child = opened(path)
        with child.turn() as turn:
            kill_at(point)
            write_all(turn, 2)
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(work) == -signal.SIGKILL
    opened(path).close()
    assert counts(path) == {1}


def test_the_points_of_the_kills_are_all_statements_of_the_turn(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    run = statements.Work._run

    def counted(self: statements.Work, text: str, arguments: Any, *, many: bool = False) -> Any:
        seen.append(text)
        return run(self, text, arguments, many=many)

    vault = opened(path)
    monkeypatch.setattr(statements.Work, "_run", counted)
    with vault.turn() as turn:
        write_all(turn, 1)
    vault.close()
    assert len(seen) == STATEMENTS


def test_a_kill_after_the_commit_leaves_all_of_the_turn(path: Path) -> None:
    def work() -> None:
        child = opened(path)
        with child.turn() as turn:
            write_all(turn, 1)
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(work) == -signal.SIGKILL
    vault = opened(path)
    vault.check()
    with vault.turn() as turn:
        write_all(turn, 2)
    vault.close()
    assert counts(path) == {2}


@pytest.mark.parametrize("point", [0, 5, 12, 19, 20, 25, 35])
def test_a_kill_while_the_first_tables_are_made_leaves_a_vault_that_opens(path: Path, point: int) -> None:
    def work() -> None:
        kill_at(point)
        opened(path)

    assert in_child(work) == -signal.SIGKILL
    vault = opened(path)
    with vault.turn() as turn:
        write_all(turn, 1)
    vault.close()
    assert counts(path) == {1}


def test_a_second_process_is_refused_and_told_who_runs(path: Path) -> None:
    vault = opened(path)

    def work() -> None:
        with pytest.raises(Refusal) as caught:
            opened(path)
        right = (caught.value.code, caught.value.values["process"]) == ("vault.in-use", str(os.getppid()))
        os._exit(0 if right else 1)

    assert in_child(work) == 0
    vault.close()


def test_a_killed_node_leaves_no_lock_behind(path: Path) -> None:
    def work() -> None:
        opened(path)
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(work) == -signal.SIGKILL
    opened(path).close()


# storage --------------------------------------------------------------------------------------------------------------


def limit_file_size(bytes_max: int) -> None:
    """What a full disk does to a process: writing beyond a size fails."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, bytes_max))


def test_a_full_disk_is_refused_and_nothing_of_the_turn_is_kept(path: Path) -> None:
    vault = opened(path)
    with vault.turn() as turn:
        write_all(turn, 1)
    vault.close()

    def work() -> None:
        child = opened(path)
        limit_file_size(300_000)

        def turn_on_a_full_disk() -> None:
            with child.turn() as turn:
                write_all(turn, 2)
                for n in range(1000):
                    turn.blob_put("large", bytes32(n), bytes(4000))

        with refused("vault.storage"):
            turn_on_a_full_disk()
        with child.read() as turn:
            kept = turn.flow("flow-1") is not None and turn.flow("flow-2") is None
        os._exit(0 if kept else 1)

    assert in_child(work) == 0
    opened(path).close()
    assert counts(path) == {1}


def test_a_refusal_of_storage_that_is_caught_ends_the_turn_all_the_same(path: Path) -> None:
    vault = opened(path)
    vault._database._driver.execute("PRAGMA max_page_count = 1")
    caught_inside: list[str] = []

    def turn_on_a_full_disk() -> None:
        with vault.turn() as turn:
            write_all(turn, 1)
            for n in range(10_000):
                try:
                    turn.blob_put("space", bytes32(n), bytes(3000))
                except Refusal as refusal:
                    caught_inside.append(refusal.code)
                    break
            with refused("vault.storage"):
                turn.flows()

    with refused("vault.storage"):
        turn_on_a_full_disk()
    assert caught_inside == ["vault.storage"]
    vault.close()
    assert counts(path) == {0}


def test_after_a_full_disk_was_cleared_the_vault_goes_on(path: Path) -> None:
    vault = opened(path)
    driver = vault._database._driver
    pages = driver.execute("PRAGMA page_count").fetchone()[0]
    driver.execute(f"PRAGMA max_page_count = {pages}")
    with refused("vault.storage"), vault.turn() as turn:
        turn.blob_put("space", b"key", bytes(100_000))
    driver.execute("PRAGMA max_page_count = 1000000")
    with vault.turn() as turn:
        write_all(turn, 1)
    vault.close()
    assert counts(path) == {1}


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with refused("vault.storage"):
        opened(tmp_path / "file" / "vault.sqlite")


def test_a_file_that_another_program_holds_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = opened(path)
    vault._database._driver.execute("PRAGMA busy_timeout = 1")
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with refused("vault.busy"), vault.turn():
            pass
    vault.close()


# damage ---------------------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database at all, but somebody's notes" * 100)
    with refused("vault.damaged"):
        opened(path)
    assert path.read_bytes() == b"not a database at all, but somebody's notes" * 100


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (x)")
    with refused("vault.version"):
        opened(path)


@pytest.mark.parametrize("missing_bytes", [1, 4096, 50_000])
def test_a_file_that_was_cut_short_is_refused(path: Path, missing_bytes: int) -> None:
    opened(path).close()
    os.truncate(path, path.stat().st_size - missing_bytes)
    with refused("vault.damaged"):
        opened(path)


def test_damage_inside_the_file_is_found_by_the_check(path: Path) -> None:
    vault = opened(path)
    with vault.turn() as turn:
        for n in range(200):
            write_all(turn, n)
    vault.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096 * 8)
    with refused("vault.damaged"):
        vault = opened(path)
        try:
            vault.check()
        finally:
            vault.close()


def test_a_refused_opening_leaves_the_vault_free(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"x" * 100)
    with refused("vault.damaged"):
        opened(path)
    path.unlink()
    opened(path).close()


# keeping to itself ----------------------------------------------------------------------------------------------------


def test_the_files_are_for_their_owner_alone(path: Path) -> None:
    vault = opened(path)
    with vault.turn() as turn:
        write_all(turn, 1)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir() if file.is_file()}
    assert {"vault.sqlite", "vault.sqlite-wal"} <= set(modes)
    assert all(mode & 0o077 == 0 for name, mode in modes.items()), modes
    vault.close()


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_what_is_erased_is_gone_from_the_files(path: Path) -> None:
    vault = opened(path)
    secret = b"the secret of a person 0123456789"
    with vault.turn() as turn:
        for n in range(50):
            turn.put_private(bytes32(n), f"person-{n % 2}", secret + b"%d" % (n % 2), bytes32("salt", n))
    assert secret + b"1" in bytes_of(path.parent)
    with vault.turn() as turn:
        turn.erase_subject("person-1")
    assert secret + b"1" not in bytes_of(path.parent)
    assert secret + b"0" in bytes_of(path.parent)
    vault.close()


def test_what_is_erased_while_somebody_reads_is_gone_with_the_next_turn(path: Path) -> None:
    vault = opened(path)
    vault._database._driver.execute("PRAGMA busy_timeout = 1")
    with vault.turn() as turn:
        turn.put_private(bytes32(1), "person", b"the secret of a person", b"salt")
    with vault.read() as reader:
        assert reader.private(bytes32(1)) is not None
        with vault.turn() as turn:
            turn.erase_subject("person")
        assert reader.private(bytes32(1)) is not None
    with vault.turn() as turn:
        pass
    assert b"the secret of a person" not in bytes_of(path.parent)
    vault.close()


def test_reads_from_other_threads_see_whole_turns(path: Path) -> None:
    vault = opened(path)
    wrong: list[tuple[int, int]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            with vault.read() as turn:
                flows, transactions = len(turn.flows()), len(turn.transactions(limit=1000))
                if flows != transactions:
                    wrong.append((flows, transactions))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for n in range(50):
        with vault.turn() as turn:
            turn.put_flow(flow(f"flow-{n}"))
            turn.add_transaction(transaction(n))
    done.set()
    for reader in readers:
        reader.join()
    vault.close()
    assert wrong == []
