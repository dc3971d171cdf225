"""The store against a dictionary: one root for one content, ways back that are exact, proofs at every height kept."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from hashlib import sha256
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from interfirm.ledger.receipts.ics23 import verify_stored
from interfirm.notary.cometbft.store.keys import ALIKE, bit_at, critical
from interfirm.notary.cometbft.store.layout import Layout
from interfirm.notary.cometbft.store.multistore import MultiStore, earlier
from interfirm.notary.cometbft.store.snapshot import chunks_of, manifest_of
from interfirm.notary.cometbft.store.sqlite import Restoring, StateStore, leaves_at
from interfirm.notary.cometbft.store.trie import Trie, leaf_hash

SHORT = Layout(plain={"free": 0, "two": 2}, hashed=frozenset({"blind"})).checked()
SPACES = st.sampled_from(SHORT.names())
POOL = [bytes(some) for size in (1, 2, 3) for some in product((0, 1, 255), repeat=size)][1:]
"""Keys that begin each other and differ late, met again and again; without the sentinel, the first."""
KEYS = st.one_of(st.sampled_from(POOL), st.binary(min_size=2, max_size=40))
VALUES = st.binary(min_size=1, max_size=3)
CHANGES = st.dictionaries(st.tuples(SPACES, KEYS), st.none() | VALUES, max_size=12)
Content = dict[tuple[str, bytes], bytes]


def built(content: Content, layout: Layout = SHORT) -> bytes:
    """The app hash of a content, built at once from its leaves in order."""
    leaves = sorted((space, layout.stored_key(space, key), value) for (space, key), value in content.items())
    return MultiStore(layout, leaves=leaves).root


def bits(key: bytes) -> str:
    """A key's coded bits, as the definition has them."""
    return "".join(f"1{byte:08b}" for byte in key) + "0"


@given(KEYS, KEYS)
def test_keys_differ_first_where_their_coded_bits_do(one: bytes, other: bytes) -> None:
    position = critical(one, other)
    if one == other:
        assert position == ALIKE
        return
    at = next(i for i, pair in enumerate(zip(bits(one), bits(other), strict=False)) if pair[0] != pair[1])
    assert position == (at // 9) << 4 | at % 9
    assert (bit_at(one, position), bit_at(other, position)) == (int(bits(one)[at]), int(bits(other)[at]))
    assert (bits(one) < bits(other)) == (one < other)


@given(st.lists(st.dictionaries(KEYS, st.none() | VALUES, max_size=20), min_size=1, max_size=5), st.randoms())
def test_one_content_has_one_root_by_whatever_way_it_came(
    heights: list[dict[bytes, bytes | None]], chance: object
) -> None:
    content: dict[bytes, bytes] = {}
    trie = Trie(width=2)
    for height, changes in enumerate(heights, 1):
        trie.apply(height, [(key, None if value is None else leaf_hash(key, value)) for key, value in changes.items()])
        content = {key: value for key, value in (content | changes).items() if value is not None}
    leaves = [(key, leaf_hash(key, value)) for key, value in content.items()]
    shuffled = list(leaves)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis's Random has no type of its own
    one_by_one = Trie(width=0)
    for height, leaf in enumerate(shuffled, 1):
        one_by_one.apply(height, [leaf])
    assert trie.root == Trie(width=2, leaves=sorted(leaves)).root == one_by_one.root


@given(st.dictionaries(st.tuples(SPACES, KEYS), VALUES, max_size=12), CHANGES)
def test_leaves_are_told_as_they_were(now: Content, before: dict[tuple[str, bytes], bytes | None]) -> None:
    then = {name: value for name, value in (now | before).items() if value is not None}
    leaves = ((*name, value) for name, value in sorted(now.items()))
    assert list(earlier(leaves, before)) == sorted((*name, value) for name, value in then.items())


class Store(RuleBasedStateMachine):
    """A store in a file that is opened again, taken back, pruned and restored, beside its contents by height."""

    @initialize()
    def start(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.open()
        self.contents: dict[int, Content] = {0: {}}

    def open(self) -> None:
        self.store = StateStore(self.connection, layout=SHORT, heights_kept=6, heights_proved=3)

    def kept(self, back: int) -> int:
        return max(self.store.height - back, min(self.contents))

    def write(self, changes: dict[tuple[str, bytes], bytes | None]) -> Content:
        height = self.store.height + 1
        content = {k: v for k, v in (self.contents[height - 1] | changes).items() if v is not None}
        assert self.store.apply(height, changes) == self.store.root == built(content)
        return content

    @rule(changes=CHANGES)
    def a_height(self, changes: dict[tuple[str, bytes], bytes | None]) -> None:
        content = self.write(changes)
        last = self.store.height
        self.contents = {at: kept for at, kept in (self.contents | {last: content}).items() if at >= last - 6}

    @precondition(lambda self: self.contents[self.store.height])
    @rule(changes=CHANGES, data=st.data())
    def a_height_with_less(self, changes: dict[tuple[str, bytes], bytes | None], data: st.DataObject) -> None:
        there = sorted(self.contents[self.store.height])
        gone = data.draw(st.sets(st.sampled_from(there), min_size=1))
        self.a_height(changes | dict.fromkeys(gone))

    @rule(changes=CHANGES)
    def a_height_that_is_not_committed(self, changes: dict[tuple[str, bytes], bytes | None]) -> None:
        height, root = self.store.height, self.store.root
        self.connection.execute("BEGIN")
        self.write(changes)
        self.connection.execute("ROLLBACK")
        self.store.resync()
        assert (self.store.height, self.store.root) == (height, root)

    @rule(back=st.integers(1, 6), changes=CHANGES)
    def a_way_back_that_is_not_committed(self, back: int, changes: dict[tuple[str, bytes], bytes | None]) -> None:
        height, root = self.store.height, self.store.root
        self.connection.execute("BEGIN")
        self.store.rewind(self.kept(back))
        self.store.apply(self.store.height + 1, changes)
        self.connection.execute("ROLLBACK")
        self.store.resync()
        assert (self.store.height, self.store.root) == (height, root)

    @rule()
    def a_restart(self) -> None:
        root = self.store.root
        self.open()
        assert self.store.root == root

    @rule(back=st.integers(1, 6))
    def the_way_back(self, back: int) -> None:
        height = self.kept(back)
        assert self.store.rewind(height) == built(self.contents[height])
        self.contents = {at: content for at, content in self.contents.items() if at <= height}

    @rule(back=st.integers(0, 3), space=SPACES, key=KEYS)
    def a_proof(self, back: int, space: str, key: bytes) -> None:
        height = max(self.kept(back), self.store._tree.first_height)
        self.shown(height, space, key)

    @precondition(lambda self: any(self.contents.values()))
    @rule(back=st.integers(0, 3), data=st.data())
    def a_proof_of_what_was_there(self, back: int, data: st.DataObject) -> None:
        height = max(self.kept(back), self.store._tree.first_height)
        names = sorted({name for content in self.contents.values() for name in content})
        self.shown(height, *data.draw(st.sampled_from(names)))

    def shown(self, height: int, space: str, key: bytes) -> None:
        proven = self.store.prove(space, key, height=height)
        assert proven.value == self.contents[height].get((space, key))
        assert proven.root == built(self.contents[height])
        verify_stored(proven.proofs, root=proven.root, space=space, key=proven.key, value=proven.value)

    @rule(back=st.integers(0, 6))
    def a_snapshot(self, back: int) -> None:
        height = self.kept(back)
        chunks = list(chunks_of(leaves_at(self.connection, height)))
        root = built(self.contents[height])
        other = sqlite3.connect(":memory:", isolation_level=None)
        restoring = Restoring(other, manifest_of(height, root, chunks), layout=SHORT)
        for chunk in chunks:
            restoring.add(chunk)
        restored = restoring.finish()
        assert (restored.height, restored.root) == (height, root)
        assert list(chunks_of(leaves_at(other, height))) == chunks
        other.close()

    @invariant()
    def every_key_is_read_as_it_is(self) -> None:
        last = self.contents[self.store.height]
        for space, key in {name for content in self.contents.values() for name in content}:
            assert self.store.get(space, key) == last.get((space, key))

    def teardown(self) -> None:
        if hasattr(self, "connection"):
            self.connection.close()


TestStore = Store.TestCase
TestStore.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

REPLICA = """
import random, sqlite3
from interfirm.notary.cometbft.store.layout import NOTARY
from interfirm.notary.cometbft.store.sqlite import StateStore, leaves_at
from interfirm.notary.cometbft.store.snapshot import chunks_of, manifest_of
connection = sqlite3.connect(":memory:", isolation_level=None)
store, chance = StateStore(connection), random.Random(7)
for height in range(1, 9):
    names = {(space, b"%d" % chance.randrange(60)) for space in NOTARY.names() for _ in range(20)}
    values = {name: chance.randbytes(8) if chance.random() < 0.7 else None for name in sorted(names)}
    print(store.apply(height, {name: values[name] for name in names}).hex())
print(manifest_of(8, store.root, chunks_of(leaves_at(connection, 8))).chunks[0].hex())
"""


def test_replicas_in_unlike_environments_agree_on_every_app_hash_and_snapshot() -> None:
    said = set()
    for seed, zone, language in (("0", "UTC", "C"), ("1", "Asia/Tokyo", "C.UTF-8"), ("4242", "America/Lima", "POSIX")):
        environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": language}
        ran = subprocess.run(
            [sys.executable, "-c", REPLICA], env=environment, capture_output=True, check=True, text=True
        )
        said.add(ran.stdout)
    assert len(said) == 1
    assert len(said.pop().splitlines()) == 9


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_keys_given_back_make_room(count: int) -> None:
    keys = [sha256(b"%d" % n).digest() for n in range(count)]
    trie = Trie(width=32)
    sizes = []
    for turn in range(4):
        trie.apply(2 * turn + 1, [(key, sha256(key).digest()) for key in keys])
        sizes.append(trie.bytes_held)
        assert len(trie) == count
        trie.apply(2 * turn + 2, [(key, None) for key in keys])
        trie.prune(2 * turn + 2)
        assert len(trie) == 0
    assert sizes[0] == sizes[3]
    assert trie.root == Trie(width=32).root


def test_heights_taken_back_make_room() -> None:
    keys = [sha256(b"%d" % n).digest() for n in range(100)]
    trie = Trie(width=32)
    sizes = []
    for _ in range(3):
        trie.apply(1, [(key, sha256(key).digest()) for key in keys])
        trie.rewind(0)
        sizes.append(trie.bytes_held)
    assert sizes[0] == sizes[2]
    assert len(trie) == 0
