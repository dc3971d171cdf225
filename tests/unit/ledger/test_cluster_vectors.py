"""The vectors of clause 10 of docs/spec/ledger.md, judged by a verifier that shares nothing with the library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from typing import Any

import dag_cbor
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.support.chains import members
from tools.make_vectors import FOLDER

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.ledger.receipts.cometbft import verify_cluster_receipt, verify_state
from interfirm.ledger.receipts.types import ClusterAnchor, Trusted, Validator

MADE: Any = json.loads((FOLDER / "cluster.json").read_text())
MS_NS = 1_000_000


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def block(text: str) -> Any:
    return dag_cbor.decode(raw(text))


# clause by clause -----------------------------------------------------------------------------------------------------


def varint(n: int) -> bytes:
    return bytes((n,)) if n < 128 else bytes((n % 128 + 128,)) + varint(n // 128)


def u(n: int, x: int) -> bytes:
    return varint(n << 3) + varint(x) if x else b""


def f(n: int, x: int) -> bytes:
    return varint(n << 3 | 1) + x.to_bytes(8, "little") if x else b""


def m(n: int, x: bytes) -> bytes:
    return varint(n << 3 | 2) + varint(len(x)) + x


def b(n: int, x: bytes) -> bytes:
    return m(n, x) if x else b""


def time(t: int) -> bytes:
    return u(1, t // 10**9) + u(2, t % 10**9)


def h(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


def tree(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return h(b"\x00", leaves[0]) if leaves else h()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return h(b"\x01", tree(leaves[:half]), tree(leaves[half:]))


def header_hash(header: list[Any]) -> bytes:
    versions, chain, height, at, last, *hashes = header[:2], *header[2:]
    previous = b(1, last[0]) + m(2, u(1, last[1]) + b(2, last[2]))
    start = [u(1, versions[0]) + u(2, versions[1]), b(1, chain.encode()), u(1, height), time(at), previous]
    return tree([*start, *(b(1, each) for each in hashes)])


def set_hash(validators: list[Any]) -> bytes:
    return tree([m(1, b(1, key)) + u(2, power) for key, power in validators])


def vote_bytes(header: list[Any], commit: list[Any], at: int) -> bytes:
    named = b(1, header_hash(header)) + m(2, u(1, commit[1]) + b(2, commit[2]))
    plain = u(1, 2) + f(2, header[3]) + f(3, commit[0]) + m(4, named) + m(5, time(at)) + b(6, header[2].encode())
    return varint(len(plain)) + plain


def power(validators: list[Any], keys: set[bytes]) -> int:
    return sum(weight for key, weight in validators if key in keys)


def walked(walk: list[Any], anchor: dict[str, Any]) -> list[Any]:
    """The last header of a walk, by 10.5 to 10.7; AssertionError where it cannot be trusted."""
    trusted, following = block(anchor["validators_cbor"]), raw(anchor["next_validators"])
    height, at, sets = anchor["height"], anchor["time_ns"], {set_hash(trusted): trusted}
    assert walk
    assert all(one[0][3] < other[0][3] for one, other in pairwise(walk))
    for header, commit, shown in walk:
        validators = shown or sets[header[8]]
        sets[set_hash(validators)] = validators
        assert (header[2], set_hash(validators)) == (anchor["chain_id"], header[8])
        assert height < header[3]
        assert at < header[4] < at + anchor["trusting_period_ms"] * MS_NS
        signers = set()
        for (key, _), vote in zip(validators, commit[3], strict=True):
            if vote is not None:
                Ed25519PublicKey.from_public_bytes(key).verify(vote[1], vote_bytes(header, commit, vote[0]))
                signers.add(key)
        assert 3 * power(validators, signers) > 2 * sum(weight for _, weight in validators)
        if header[3] == height + 1:
            assert header[8] == following
        else:
            assert 3 * power(trusted, signers) > sum(weight for _, weight in trusted)
        trusted, following, height, at = validators, header[9], header[3], header[4]
    last: list[Any] = walk[-1][0]
    return last


def up(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """RFC 9162, 2.1.3.2, from the top."""
    if size == 1:
        assert not path
        return leaf
    half = 1 << (size - 1).bit_length() - 1
    *below, top = path
    if index < half:
        return h(b"\x01", up(index, half, leaf, below), top)
    return h(b"\x01", top, up(index - half, size - half, leaf, below))


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message."""
    while data:
        key, data = data[0], data[1:]
        size, shift = 0, 0
        while True:
            one, data = data[0], data[1:]
            size, shift = size | (one & 127) << shift, shift + 7
            if one < 128:
                break
        if key & 7:
            yield key >> 3, data[:size]
            data = data[size:]
        else:
            yield key >> 3, size


def root_of(existence: bytes, leaf: bytes, inner: bytes, child: bytes) -> tuple[bytes, bytes, bytes]:
    """Key, value and root of an ExistenceProof whose nodes have these bytes and no other."""
    parts = list(fields(existence))
    key, value, op = (next(x for n, x in parts if n == wanted) for wanted in (1, 2, 3))
    assert list(fields(op)) == [(1, 1), (3, 1), (4, 1), (5, leaf)]
    found = h(leaf, varint(len(key)), key, varint(32), h(value))
    for step in (x for n, x in parts if n == 4):
        about = dict(fields(step))
        before, after = about[2], about.get(3, b"")
        sides = len(inner + child), len(inner + child * 2) + 32
        assert before.startswith(inner + child)
        assert (len(before), len(after)) in ((sides[0], len(child) + 32), (sides[1], 0))
        found = h(before, found, after)
    return key, value, found


def stored(shown: list[Any], root: bytes, space: str, key: bytes) -> bytes | None:
    """What is stored at a key, by 10.10 (that neighbours are adjacent is left to the library here)."""
    _, value, (first, second) = shown
    name, substore, top = root_of(dict(fields(second))[1], b"\x00", b"\x01", b"")
    assert (name, top) == (space.encode(), root)
    node = (b"\x00\x02\x02", b"\x80\x02\x02\x02", b"\x20")
    ((kind, body),) = fields(first)
    if kind == 1:
        assert root_of(body, *node) == (key, value, substore)
    else:
        about = dict(fields(body))
        assert (about.pop(1), value) == (key, None)
        assert about
        for side, neighbour in about.items():
            near, _, under = root_of(neighbour, *node)
            assert under == substore
            assert (near < key) == (side == 2)
    found: bytes | None = value
    return found


# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(MADE["blocks"])))
def test_hashes_and_signatures_follow_the_clauses(number: int) -> None:
    made = MADE["blocks"][number]
    header, commit, validators = (block(made[name]) for name in ("header_cbor", "commit_cbor", "validators_cbor"))
    assert header_hash(header).hex() == made["header_hash"]
    assert set_hash(validators).hex() == made["validators_hash"] == header[8].hex()
    assert [sha256(key).digest()[:20].hex() for key, _ in validators] == made["addresses"] == sorted(made["addresses"])
    at, signature = commit[3][0]
    assert signature.hex() == made["first_vote_signature"]
    assert vote_bytes(header, commit, at).hex() == made["first_vote_signs"]


@pytest.mark.parametrize("number", range(len(MADE["receipts"])))
def test_receipts_follow_the_clauses(number: int) -> None:
    made = MADE["receipts"][number]
    kind, name, shown, walk = block(made["receipt_cbor"])
    header = walked(walk, MADE["anchors"][made["anchor"]])
    if shown[0] == "result":
        _, index, count, path, code, wanted, used, data = shown
        leaf = h(b"\x00", u(1, code), b(2, data), u(5, wanted), u(6, used))
        assert (up(index, count, leaf, path), code) == (header[12], 0)
        (done,) = (each for each in dag_cbor.decode(data)[0] if each[1] == name)
    else:
        done = dag_cbor.decode(stored(shown, header[11], "accepted", name) or b"")
    assert (kind, name.hex()) == ("cluster-receipt", made["id"])
    assert done == ["done", name, made["height"], [made["time_ms"]], made["registry_height"]]


@pytest.mark.parametrize("number", range(len(MADE["states"])))
def test_state_proofs_follow_the_clauses(number: int) -> None:
    made = MADE["states"][number]
    tag, kind, subject, shown, at, walk = block(made["proof_cbor"])
    header = walked(walk, MADE["anchors"][made["anchor"]])
    assert (tag, kind, subject.hex()) == ("cluster-state", made["kind"], made["subject"])
    value = stored(shown, header[11], "claims", subject)
    assert (None if value is None else value.hex()) == made["value"]
    assert dag_cbor.decode(stored(at, header[11], "meta", b"time") or b"") == made["time_ms"]
    assert header[3] - 1 == made["height"]


def anchor_of(made: dict[str, Any]) -> ClusterAnchor:
    trusted = Trusted(
        height=made["height"], hash=raw(made["hash"]), time_ns=made["time_ns"],
        validators=codec.decode(raw(made["validators_cbor"]), tuple[Validator, ...]),
        next_validators=raw(made["next_validators"]),
    )  # fmt: skip
    return ClusterAnchor(
        network=raw(made["network"]), notary=raw(made["notary"]), chain_id=made["chain_id"], trusted=trusted,
        trusting_period_ms=made["trusting_period_ms"],
    )  # fmt: skip


@pytest.mark.parametrize("made", MADE["refused"], ids=lambda made: made["what"])
def test_a_lie_is_refused_by_the_rule_that_it_breaks(made: dict[str, Any]) -> None:
    verify = verify_state if block(made["bytes_cbor"])[0] == "cluster-state" else verify_cluster_receipt
    with pytest.raises(Refusal) as caught:
        verify(raw(made["bytes_cbor"]), anchor=anchor_of(MADE["anchors"][made["anchor"]]))
    assert caught.value.code == made["code"]


def test_every_refusal_of_a_receipt_that_the_clauses_name_for_its_content_has_a_vector() -> None:
    wanted = {"results", "outcome", "power", "chain", "walk", "validators", "trust", "question"}
    assert {f"receipt.{each}" for each in wanted} <= {made["code"] for made in MADE["refused"]}


def test_validators_of_the_vectors_are_in_order() -> None:
    for made in MADE["anchors"].values():
        keys = [key for key, _ in block(made["validators_cbor"])]
        assert keys == sorted(keys, key=lambda key: sha256(key).digest())
    assert members(range(7))[0].key == block(MADE["anchors"]["plain"]["validators_cbor"])[0][0]
