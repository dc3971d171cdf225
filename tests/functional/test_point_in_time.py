"""A vault in PostgreSQL as it stood at a chosen moment, by the server's own means, as the operator's guide says."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.networks import eventually
from tests.unit.node.vault.samples import SampleEngine, flow

from interfirm.node.vault.places import VaultPlace
from interfirm.node.vault.postgres import connect
from interfirm.node.vault.vault import Vault
from interfirm.runtime import postgresql
from interfirm.runtime.postgresql import Server

ARCHIVING = "archive_mode=on\nwal_level=replica\narchive_command='cp %p ../archive/%f'\n"
RECOVERING = (
    "restore_command='cp ../../archive/%f %p'\nrecovery_target_name='before the mistake'\n"
    "recovery_target_action=promote\narchive_mode=off\n"
)


def owned(path: Path) -> Path:
    """A new folder that belongs to whom the server runs as."""
    path.mkdir(mode=0o700)
    owner = postgresql._owner()
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)
    return path


@pytest.fixture
def server() -> Iterator[Server]:
    started = postgresql.start(settings=ARCHIVING)
    owned(started.folder / "archive")
    yield started
    postgresql.stop(started)


def put(server: Server, place: VaultPlace, name: str) -> None:
    vault = Vault.open(place, contracts_engine=SampleEngine())
    with vault.turn() as turn:
        turn.put_flow(flow(name))
    vault.close()


def recovered(server: Server, base: Path) -> Server:
    """Another server, from the base copy and the archive, at the restore point."""
    owner = postgresql._owner()
    folder = owned(server.folder / "recovered")
    shutil.move(base, folder / "data")
    with (folder / "data" / "postgresql.conf").open("a") as file:
        file.write(f"unix_socket_directories='{folder}'\n{RECOVERING}")
    (folder / "data" / "recovery.signal").touch()
    if owner is not None:
        os.chown(folder / "data" / "recovery.signal", owner.pw_uid, owner.pw_gid)
    started = postgresql._started(postgresql.binaries(), folder, owner)
    eventually(lambda: promoted(started) or None, "the end of the recovery")
    return started


def promoted(server: Server) -> bool:
    with connect(server.socket_url) as connection:
        return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)


def test_a_vault_comes_back_as_it_stood_at_a_chosen_moment(server: Server, tmp_path: Path) -> None:
    with connect(server.socket_url) as connection:
        connection.execute("CREATE DATABASE vault")
    place = VaultPlace(database=server.url.with_name("vault"), attachments=tmp_path / "attachments")
    put(server, place, "before the copy")
    base = server.folder / "base"
    copy = [postgresql.binaries() / "pg_basebackup", "-D", base, "-d", server.socket_url.text, "-U", postgresql.USER,
            "-X", "none", "-c", "fast", "--no-sync"]  # fmt: skip
    postgresql._run(copy, postgresql._owner(), server.folder)
    put(server, place, "after the copy")
    with connect(server.socket_url) as connection:
        connection.execute("SELECT pg_create_restore_point('before the mistake')")
    put(server, place, "the mistake")
    with connect(server.socket_url) as connection:
        connection.execute("SELECT pg_switch_wal()")
    postgresql._run([postgresql.binaries() / "pg_ctl", "stop", "-w", "-s", "-m", "fast", "-D", server.folder / "data"],
                    postgresql._owner(), server.folder)  # fmt: skip

    again = recovered(server, base)
    try:
        there = place.replace(database=again.url.with_name("vault"))
        vault = Vault.open(there, contracts_engine=SampleEngine())
        with vault.read() as turn:
            assert sorted(each.id for each in turn.flows()) == ["after the copy", "before the copy"]
        vault.close()
    finally:
        postgresql.stop(again)
