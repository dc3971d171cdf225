"""The log tree, judged by Certificate Transparency's vectors and by the RFC's recursive definitions."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interfirm.base.codec import decode, encode
from interfirm.base.errors import Refusal
from interfirm.base.logtree import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    inclusion_root,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

# The reference tree of the Certificate Transparency project: its entries, and the root at each size from 1 to 8.
CT_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    bytes.fromhex(root)
    for root in (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
# index, size and path of inclusion; old size, new size and path of consistency, from the same project
CT_INCLUSION = [
    (
        0,
        8,
        (
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ),
    ),
    (
        5,
        8,
        (
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ),
    ),
    (2, 3, ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",)),
]
CT_CONSISTENCY = [
    (1, 1, ()),
    (1, 8, CT_INCLUSION[0][2]),
    (
        6,
        8,
        (
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ),
    ),
    (
        2,
        5,
        (
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ),
    ),
]
MANY = [number.to_bytes(2, "big") for number in range(70)]


class Log:
    """A tree with its nodes in memory, as a store would hold them."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.frontier, nodes = Frontier().extend(leaves)
        self.nodes = {(level, index): found for level, index, found in nodes}

    def node(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]


def split(size: int) -> int:
    """The RFC's k: the largest power of two smaller than the size."""
    k = 1
    while 2 * k < size:
        k *= 2
    return k


def rfc_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\x01" + rfc_root(leaves[:k]) + rfc_root(leaves[k:])).digest()


def rfc_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*rfc_path(m, leaves[:k]), rfc_root(leaves[k:])]
    return [*rfc_path(m - k, leaves[k:]), rfc_root(leaves[:k])]


def rfc_subproof(m: int, leaves: list[bytes], known: bool) -> list[bytes]:
    """SUBPROOF of RFC 9162, 2.1.4.1."""
    if m == len(leaves):
        return [] if known else [rfc_root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*rfc_subproof(m, leaves[:k], known), rfc_root(leaves[k:])]
    return [*rfc_subproof(m - k, leaves[k:], False), rfc_root(leaves[:k])]


def hashes(path: tuple[str, ...]) -> list[bytes]:
    return [bytes.fromhex(step) for step in path]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert Log(CT_LEAVES[:size]).frontier.root == CT_ROOTS[size - 1]


def test_hashes_are_those_of_certificate_transparency() -> None:
    assert leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert node_hash(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(("index", "size", "path"), CT_INCLUSION)
def test_inclusion_is_that_of_certificate_transparency(index: int, size: int, path: tuple[str, ...]) -> None:
    assert list(inclusion_proof(Log(CT_LEAVES).node, index=index, size=size)) == hashes(path)
    verify_inclusion(CT_ROOTS[size - 1], leaf_hash(CT_LEAVES[index]), index=index, size=size, path=hashes(path))


@pytest.mark.parametrize(("old_size", "new_size", "path"), CT_CONSISTENCY)
def test_consistency_is_that_of_certificate_transparency(old_size: int, new_size: int, path: tuple[str, ...]) -> None:
    assert list(consistency_proof(Log(CT_LEAVES).node, old_size=old_size, new_size=new_size)) == hashes(path)
    old_root, new_root = CT_ROOTS[old_size - 1], CT_ROOTS[new_size - 1]
    verify_consistency(old_root, new_root, old_size=old_size, new_size=new_size, path=hashes(path))


def test_the_empty_tree_has_the_hash_of_nothing_as_root() -> None:
    assert Frontier().root == EMPTY_ROOT


def test_every_root_and_path_is_the_one_the_rfc_defines() -> None:
    log = Log(MANY)
    for size in range(1, len(MANY) + 1):
        leaves = MANY[:size]
        assert Log(leaves).frontier.root == rfc_root(leaves)
        for index in {0, size // 2, size - 1}:
            assert list(inclusion_proof(log.node, index=index, size=size)) == rfc_path(index, leaves)


def test_every_consistency_proof_is_the_one_the_rfc_defines() -> None:
    log = Log(MANY[:24])
    for new_size in range(1, 25):
        for old_size in range(1, new_size + 1):
            path = consistency_proof(log.node, old_size=old_size, new_size=new_size)
            assert list(path) == rfc_subproof(old_size, MANY[:new_size], True)
            roots = rfc_root(MANY[:old_size]), rfc_root(MANY[:new_size])
            verify_consistency(*roots, old_size=old_size, new_size=new_size, path=path)


def test_appending_one_by_one_is_appending_at_once() -> None:
    frontier, nodes = Frontier(), []
    for leaf in MANY:
        frontier, completed = frontier.append(leaf)
        nodes += completed
    assert (frontier, nodes) == Frontier().extend(MANY)


def test_a_frontier_keeps_one_hash_for_each_bit_of_its_size() -> None:
    for size in range(len(MANY)):
        assert len(Frontier().extend(MANY[:size])[0].peaks) == size.bit_count()


def test_a_node_completes_once_and_only_when_its_leaves_are_there() -> None:
    nodes = Frontier().extend(MANY)[1]
    places = [(level, index) for level, index, _ in nodes]
    assert len(places) == len(set(places))
    expected = {(level, index) for level in range(7) for index in range(len(MANY) >> level)}
    assert set(places) == expected
    for level, index, found in nodes:
        assert found == rfc_root(MANY[index << level : (index + 1) << level])


def test_a_stored_frontier_goes_on_where_it_was() -> None:
    half = Frontier().extend(MANY[:37])[0]
    assert decode(encode(half), Frontier).extend(MANY[37:])[0].root == rfc_root(MANY)


@settings(deadline=None)
@given(size=st.integers(1, 70), data=st.data())
def test_a_leaf_is_included_only_at_its_own_index_and_with_its_own_content(size: int, data: st.DataObject) -> None:
    log, root = Log(MANY), rfc_root(MANY[:size])
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    path = inclusion_proof(log.node, index=index, size=size)
    verify_inclusion(root, leaf_hash(MANY[index]), index=index, size=size, path=path)
    if other != index:
        with pytest.raises(Refusal, match=r"log\."):
            verify_inclusion(root, leaf_hash(MANY[index]), index=other, size=size, path=path)
        with pytest.raises(Refusal, match=r"log\.inclusion"):
            verify_inclusion(root, leaf_hash(MANY[other]), index=index, size=size, path=path)


@settings(deadline=None)
@given(sizes=st.tuples(st.integers(1, 70), st.integers(1, 70)).map(sorted), data=st.data())
def test_a_tree_with_a_changed_past_is_not_consistent(sizes: list[int], data: st.DataObject) -> None:
    old_size, new_size = sizes
    changed = list(MANY)
    changed[data.draw(st.integers(0, old_size - 1))] = b"another entry"
    path = consistency_proof(Log(changed).node, old_size=old_size, new_size=new_size)
    with pytest.raises(Refusal, match=r"log\.consistency"):
        verify_consistency(
            rfc_root(MANY[:old_size]), rfc_root(changed[:new_size]), old_size=old_size, new_size=new_size, path=path
        )


@settings(deadline=None)
@given(data=st.data())
def test_a_proof_with_one_change_is_refused(data: st.DataObject) -> None:
    old_size, new_size = data.draw(st.sampled_from([(1, 2), (3, 7), (6, 8), (21, 70), (32, 64), (64, 70)]))
    old_root, new_root = rfc_root(MANY[:old_size]), rfc_root(MANY[:new_size])
    path = list(consistency_proof(Log(MANY).node, old_size=old_size, new_size=new_size))
    step = data.draw(st.integers(0, len(path) - 1))
    worse = data.draw(
        st.sampled_from(
            [
                [*path[:step], sha256(path[step]).digest(), *path[step + 1 :]],
                path[:step] + path[step + 1 :],
                [*path[:step], path[step], *path[step:]],
                [*path, old_root],
                [*path, new_root],
                [old_root, *path],
                [*path[:step], path[step][:31], *path[step + 1 :]],
            ]
        )
    )
    with pytest.raises(Refusal, match=r"log\."):
        verify_consistency(old_root, new_root, old_size=old_size, new_size=new_size, path=worse)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 5), (5, 5), (6, 5), (0, 2**63)])
def test_a_leaf_that_the_tree_has_not_is_refused(index: int, size: int) -> None:
    with pytest.raises(Refusal, match=r"log\.index"):
        inclusion_root(bytes(32), index=index, size=size, path=[])
    with pytest.raises(Refusal, match=r"log\.index"):
        inclusion_proof(Log(MANY).node, index=index, size=size)


@pytest.mark.parametrize(("old_size", "new_size"), [(0, 0), (0, 5), (6, 5), (-1, 5), (1, 2**63)])
def test_an_earlier_tree_that_is_empty_or_larger_is_refused(old_size: int, new_size: int) -> None:
    with pytest.raises(Refusal, match=r"log\.size"):
        verify_consistency(bytes(32), bytes(32), old_size=old_size, new_size=new_size, path=[])
    with pytest.raises(Refusal, match=r"log\.size"):
        consistency_proof(Log(MANY).node, old_size=old_size, new_size=new_size)


@pytest.mark.parametrize("change", [-1, 1])
def test_an_inclusion_path_of_another_length_is_refused(change: int) -> None:
    path = list(inclusion_proof(Log(MANY).node, index=9, size=21))
    worse = path[:-1] if change < 0 else [*path, bytes(32)]
    with pytest.raises(Refusal, match=r"log\.path"):
        inclusion_root(leaf_hash(MANY[9]), index=9, size=21, path=worse)


def test_two_roots_at_one_size_are_not_consistent() -> None:
    with pytest.raises(Refusal, match=r"log\.consistency"):
        verify_consistency(rfc_root(MANY[:6]), rfc_root(MANY[1:7]), old_size=6, new_size=6, path=[])
    with pytest.raises(Refusal, match=r"log\.path"):
        verify_consistency(rfc_root(MANY[:6]), rfc_root(MANY[:6]), old_size=6, new_size=6, path=[bytes(32)])


def test_hashes_of_another_length_are_refused() -> None:
    root, leaf = rfc_root(MANY[:2]), leaf_hash(MANY[0])
    with pytest.raises(Refusal, match=r"log\.path"):
        verify_inclusion(root, leaf[:31], index=0, size=2, path=[leaf_hash(MANY[1])])
    with pytest.raises(Refusal, match=r"log\.path"):
        verify_inclusion(root, leaf, index=0, size=2, path=[leaf_hash(MANY[1]) + b"\x00"])
    with pytest.raises(Refusal, match=r"log\.path"):
        verify_consistency(b"", root, old_size=1, new_size=2, path=[leaf])
