"""The store of a cluster's state: what it refuses, what it keeps, and that a damaged file is found out."""

from __future__ import annotations

import sqlite3
from hashlib import sha256

import pytest
from tests.support.refusals import refused

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.ledger.receipts.ics23 import DEPTH_MAX, verify_stored
from interfirm.notary.cometbft.store.keys import KEY_BYTES_MAX
from interfirm.notary.cometbft.store.layout import IBC, NOTARY, Layout
from interfirm.notary.cometbft.store.multistore import MultiStore
from interfirm.notary.cometbft.store.snapshot import CHUNK_BYTES, Manifest, chunks_of, manifest_of
from interfirm.notary.cometbft.store.sqlite import Restoring, StateStore, leaves_at
from interfirm.notary.state import META, REFS, SPACES, SUBSCRIPTIONS, WITHDRAWN

NAME = (META, b"height")


def connected() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def written(heights: int = 3) -> tuple[sqlite3.Connection, StateStore]:
    """A store whose value at NAME is its height."""
    connection = connected()
    store = StateStore(connection, heights_kept=5, heights_proved=2)
    for height in range(1, heights + 1):
        store.apply(height, {NAME: b"%d" % height, (REFS, sha256(b"%d" % height).digest() + bytes(4)): b"active"})
    return connection, store


def test_every_space_of_the_notary_has_its_place_and_one_is_reserved_for_packets() -> None:
    assert set(NOTARY.names()) == {*SPACES, IBC}


def test_an_empty_store_has_a_root_that_it_proves() -> None:
    store = StateStore(connected())
    proven = store.prove(*NAME)
    assert (store.height, proven.root, proven.value) == (0, store.root, None)
    verify_stored(proven.proofs, root=store.root, space=META, key=b"height", value=None)


def test_a_height_without_changes_keeps_the_root() -> None:
    _, store = written()
    before = store.root
    assert store.apply(4, {}) == before == store.root_at(4)


def test_deleting_what_is_not_there_changes_nothing() -> None:
    _, store = written()
    assert store.apply(4, {(META, b"nothing"): None}) == store.root_at(3)


@pytest.mark.parametrize("key", [b"", b"\x00", bytes(KEY_BYTES_MAX + 1)])
def test_a_key_that_no_space_can_hold_is_not_there(key: bytes) -> None:
    _, store = written()
    assert store.get(META, key) is None
    with pytest.raises(Refusal) as caught:
        store.apply(4, {(META, key): b"value"})
    assert caught.value.code == "store.key"
    assert store.height == 3


@refused("store.space")
def test_another_space_is_refused() -> None:
    written()[1].apply(4, {("other", b"key"): b"value"})


@refused("store.space")
def test_another_space_cannot_be_read() -> None:
    written()[1].get("other", b"key")


@refused("store.value")
def test_an_empty_value_is_refused() -> None:
    written()[1].apply(4, {NAME: b""})


@refused("store.space")
def test_leaves_of_another_space_are_refused() -> None:
    MultiStore(NOTARY, leaves=[("other", b"key", b"value")])


@refused("store.space")
def test_a_space_keeps_its_keys_in_one_way() -> None:
    Layout(plain={"a": 0}, hashed=frozenset({"a"})).checked()


@refused("proof.space")
def test_a_space_that_could_be_re_read_is_refused() -> None:
    Layout(plain={"a\x02bc": 0}, hashed=frozenset()).checked()


@pytest.mark.parametrize("space", [WITHDRAWN, SUBSCRIPTIONS])
def test_keys_that_a_submitter_chooses_make_no_long_path(space: str) -> None:
    store = StateStore(connected())
    chosen = [bytes(32 - n) + b"\x01" * n for n in range(33)]
    chosen += [(1 << n).to_bytes(32, "big") for n in range(256)]
    store.apply(1, {(space, key): b"value" for key in chosen})
    assert max(len(store.prove(space, key).proofs[0]) for key in chosen) < 30 * 90


@refused("store.depth")
def test_a_path_that_verifiers_would_not_take_is_not_proved() -> None:
    store = StateStore(connected())
    chosen = [bytes([255]) + (1 << n).to_bytes(32, "big") for n in range(DEPTH_MAX + 2)]
    store.apply(1, {(IBC, key): b"value" for key in chosen})
    store.prove(IBC, chosen[0])


def test_the_last_heights_are_proved_with_the_values_they_had() -> None:
    _, store = written(6)
    for height in (4, 5, 6):
        proven = store.prove(*NAME, height=height)
        assert (proven.value, proven.root) == (b"%d" % height, store.root_at(height))
        verify_stored(proven.proofs, root=proven.root, space=META, key=b"height", value=proven.value)


@pytest.mark.parametrize("height", [3, 7])
def test_a_height_that_cannot_be_proved_is_refused(height: int) -> None:
    with pytest.raises(Refusal) as caught:
        written(6)[1].prove(*NAME, height=height)
    assert caught.value.code == "store.height"


def test_the_way_back_leads_beyond_the_heights_that_can_be_proved() -> None:
    connection, store = written(9)
    roots = {height: store.root_at(height) for height in range(4, 10)}
    assert store.rewind(5) == roots[5] == store.root
    assert store.get(*NAME) == b"5"
    assert StateStore(connection).root == roots[5]
    assert store.apply(6, {NAME: b"6", (REFS, sha256(b"6").digest() + bytes(4)): b"active"}) == roots[6]


def test_what_was_read_at_a_height_is_not_taken_for_a_later_ones() -> None:
    _, store = written()
    assert store.get(*NAME) == b"3"
    store.apply(4, {NAME: b"4"})
    assert store.get(*NAME) == b"4"
    assert store.prove(*NAME, height=3).value == b"3"
    store.apply(5, {NAME: None})
    assert store.get(*NAME) is None
    assert [store.prove(*NAME, height=height).value for height in (5, 4, 3)] == [None, b"4", b"3"]
    store.rewind(3)
    assert store.get(*NAME) == b"3"


@refused("store.height")
def test_the_way_back_ends_where_history_was_pruned() -> None:
    written(9)[1].rewind(3)


def test_what_was_pruned_takes_no_rows() -> None:
    connection, _ = written(40)
    assert connection.execute("SELECT count(*) FROM store_before").fetchone() == (5,)
    assert connection.execute("SELECT count(*) FROM store_heights").fetchone() == (6,)


def test_a_changed_leaf_in_the_file_is_found_at_the_start() -> None:
    connection, _ = written()
    connection.execute("UPDATE store_leaves SET value = x'00' WHERE space = 'refs'")
    with pytest.raises(Refusal) as caught:
        StateStore(connection)
    assert caught.value.code == "store.damaged"


# snapshots ------------------------------------------------------------------------------------------------------------


def snapshot(height: int = 3) -> tuple[Manifest, list[bytes]]:
    connection, store = written(4)
    chunks = list(chunks_of(leaves_at(connection, height)))
    return manifest_of(height, store.root_at(height), chunks), chunks


def restored(manifest: Manifest, chunks: list[bytes]) -> StateStore:
    restoring = Restoring(connected(), manifest)
    for chunk in chunks:
        restoring.add(chunk)
    return restoring.finish()


def test_a_restored_store_goes_on_as_the_other_did() -> None:
    manifest, chunks = snapshot()
    store, (_, other) = restored(manifest, chunks), written(4)
    assert store.apply(4, {NAME: b"4", (REFS, sha256(b"4").digest() + bytes(4)): b"active"}) == other.root
    assert store.get(*NAME) == b"4"


def test_a_restored_store_forgets_what_was_there_before() -> None:
    connection, _ = written(9)
    manifest, chunks = snapshot()
    restoring = Restoring(connection, manifest)
    for chunk in chunks:
        restoring.add(chunk)
    assert restoring.finish().root == manifest.root
    assert connection.execute("SELECT count(*) FROM store_before").fetchone() == (0,)


def test_chunks_are_cut_where_they_are_full() -> None:
    leaves = [("refs", b"%08d" % n, bytes([1]) * (CHUNK_BYTES // 4)) for n in range(9)]
    chunks = list(chunks_of(leaves))
    assert [len(chunk) < 1.1 * CHUNK_BYTES for chunk in chunks] == [True] * 3
    assert list(chunks_of(iter(leaves))) == chunks


@refused("store.chunk")
def test_a_wrong_chunk_is_refused_when_it_arrives() -> None:
    manifest, chunks = snapshot()
    restored(manifest, [chunks[0] + b"\x00"])


@refused("store.chunk")
def test_a_chunk_too_many_is_refused() -> None:
    manifest, chunks = snapshot()
    restored(manifest, chunks * 2)


@refused("store.chunk")
def test_a_missing_chunk_is_refused() -> None:
    restored(snapshot()[0], [])


@refused("codec.shape")
def test_a_chunk_of_something_else_is_refused() -> None:
    manifest, _ = snapshot()
    chunk = b"\x81\x01"
    restored(manifest.replace(chunks=(sha256(chunk).digest(),)), [chunk])


@pytest.mark.parametrize("leaf", [["refs", b"", b"v"], ["refs", b"\x00", b"v"], ["refs", b"key", b""]])
def test_a_chunk_with_a_leaf_that_no_store_holds_is_refused(leaf: list[str | bytes]) -> None:
    manifest, _ = snapshot()
    chunk = codec.encode_plain([leaf])
    with pytest.raises(Refusal) as caught:
        restored(manifest.replace(chunks=(sha256(chunk).digest(),)), [chunk])
    assert caught.value.code == "store.chunk"


@refused("store.damaged")
def test_leaves_that_make_another_root_are_refused() -> None:
    manifest, chunks = snapshot()
    restored(manifest.replace(root=bytes(32)), chunks)


@refused("store.height")
def test_a_snapshot_of_a_height_that_is_not_kept_is_refused() -> None:
    connection, _ = written(9)
    list(leaves_at(connection, 2))
