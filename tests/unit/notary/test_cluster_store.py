"""A validator's file: a block whole or not at all, and states that travel to validators without one."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from interfirm.base.errors import Refusal
from interfirm.notary.cometbft.application import POINTS
from interfirm.notary.cometbft.snapshots import Snapshots
from interfirm.notary.cometbft.sqlite import Database

from .clusters import NOTARY, Cluster, envelope
from .notaries import A as ORG
from .notaries import Ledger, create


class Opened:
    """Files that are closed when the test is over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[Database] = []

    def __call__(self, name: str = "state", *, every: int = 1_000_000) -> Database:
        path = self.folder / f"{name}.db"
        found = Database(path, snapshots=Snapshots(path, self.folder / name, every=every))
        self.all.append(found)
        return found


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Opened]:
    found = Opened(tmp_path)
    yield found
    for each in found.all:
        each.close()


def blocks(cluster: Cluster, count: int) -> None:
    ledger = Ledger(NOTARY)
    for _ in range(count):
        cluster.block(envelope(ledger.request(create(0, ORG))))


def test_a_file_has_after_a_restart_what_was_committed_and_nothing_more(database: Opened) -> None:
    cluster = Cluster(store=database()).with_orgs()
    blocks(cluster, 3)
    height, root = cluster.store.height, cluster.store.app_hash
    cluster.application.finalize(height + 1, cluster.now, [])
    database.all[0].close()
    again = database()
    assert (again.height, again.app_hash) == (height, root)
    blocks(Cluster(store=again), 1)


@pytest.mark.parametrize("point", POINTS)
def test_a_block_stopped_at_any_point_ends_in_the_same_root(database: Opened, point: str) -> None:
    class Stopped(Exception):
        pass

    def stop(name: str) -> None:
        if name == point:
            raise Stopped

    data = envelope(Ledger(NOTARY).request(create(0, ORG)))
    expected = Cluster().with_orgs()
    expected_root = Cluster(store=database("expected")).with_orgs().block(data).app_hash
    Cluster(store=database()).with_orgs()
    database.all[-1].close()
    stopping = Cluster(store=database(), at=stop)
    with pytest.raises(Stopped):
        stopping.block(data)
    database.all[-1].close()
    again = Cluster(store=database())
    if again.store.height == 1:
        again.block(data)
    assert (again.store.height, again.store.app_hash) == (expected.store.height + 1, expected_root)


def test_a_second_process_on_the_file_is_refused(database: Opened) -> None:
    database()
    with pytest.raises(Refusal) as refusal:
        database()
    assert refusal.value.code == "store.in-use"


def test_what_is_not_a_validators_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"something else, and longer than a header of a database would be" * 9)
    with pytest.raises(Refusal) as refusal:
        Database(tmp_path / "state.db")
    assert refusal.value.code == "store.file"


def test_a_proof_is_of_a_committed_height(database: Opened) -> None:
    cluster = Cluster(store=database()).with_orgs()
    proven = cluster.store.prove("registry", ORG.id, 1)
    assert [operation.type for operation in proven.operations] == ["ics23:iavl", "ics23:simple"]
    assert proven.value == cluster.store.get("registry", ORG.id)
    cluster.application.finalize(2, cluster.now, [])
    with pytest.raises(Refusal) as refusal:
        cluster.store.prove("registry", ORG.id, 2)
    assert refusal.value.code == "store.height"


def with_snapshot(database: Opened) -> Cluster:
    cluster = Cluster(store=database("giver", every=4)).with_orgs()
    blocks(cluster, 3)
    database.all[0]._snapshots.wait()  # type: ignore[union-attr] # it has them
    return cluster


def test_a_state_is_taken_over_from_a_snapshot_and_goes_on(database: Opened) -> None:
    giver = with_snapshot(database)
    offered = giver.store.snapshots()[0]
    assert offered.height == giver.store.height == 4
    taker = Cluster(store=database("taker"))
    taker.store.offer(offered, giver.store.app_hash)
    for index in range(offered.chunks):
        taker.store.restore(index, giver.store.chunk(offered.height, offered.format, index))
    taker.application.restored()
    assert (taker.store.height, taker.store.app_hash) == (4, giver.store.app_hash)
    data = envelope(Ledger(NOTARY).request(create(0, ORG)))
    assert taker.block(data) == giver.block(data)


def test_only_the_last_snapshots_are_kept(database: Opened) -> None:
    cluster = Cluster(store=database(every=2)).with_orgs()
    for _ in range(4):
        blocks(cluster, 2)
        database.all[0]._snapshots.wait()  # type: ignore[union-attr] # it has them
    assert [each.height for each in cluster.store.snapshots()] == [6, 8]


def test_a_snapshot_of_another_root_and_a_wrong_chunk_are_refused(database: Opened) -> None:
    giver = with_snapshot(database)
    offered, root = giver.store.snapshots()[0], giver.store.app_hash
    taker = database("taker")
    for snapshot, app_hash in (
        (offered, bytes(32)),
        (offered.replace(metadata=b""), root),
        (offered.replace(format=99), root),
        (offered.replace(metadata=b"x", hash=sha256(b"x").digest()), root),
    ):
        with pytest.raises(Refusal):
            taker.offer(snapshot, app_hash)
    taker.offer(offered, root)
    for index, chunk in ((0, b"other"), (1, giver.store.chunk(4, 1, 0))):
        with pytest.raises(Refusal) as refusal:
            taker.restore(index, chunk)
        assert refusal.value.code == "store.chunk"
    with pytest.raises(Refusal) as refusal:
        giver.store.offer(offered, root)
    assert refusal.value.code == "store.snapshot"
    with pytest.raises(Refusal) as refusal:
        giver.store.chunk(3, 1, 0)
    assert refusal.value.code == "store.snapshot"
