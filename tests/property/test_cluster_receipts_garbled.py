"""Whatever is handed over as a cluster's receipt or proof is believed as it was made, or refused; nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.chains import RULES, Kept, Notarised, done_at, hashed, members

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.ledger.receipts.chain import LightBlock
from interfirm.ledger.receipts.cometbft import ClusterReceipt, StateProof, verify_cluster_receipt, verify_state
from interfirm.ledger.receipts.ics23 import decode, encode, verify_stored
from interfirm.ledger.receipts.light import trusted_genesis, verify_next
from interfirm.ledger.receipts.types import ClusterAnchor

Verify = Callable[..., object]
_TRIES = settings(max_examples=150, deadline=None)
_CLAIM = hashed("claim")
_NUMBERS = st.integers(-(2**63), 2**64 - 1)
_LEAVES = st.one_of(st.none(), st.booleans(), _NUMBERS, st.binary(max_size=70), st.text(max_size=12))
_ANYTHING = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=4), max_leaves=6)


@cache
def _made() -> dict[str, tuple[ClusterReceipt | StateProof, ClusterAnchor, Verify]]:
    """Valid ones of each kind, over a change of validators."""
    by_result = Notarised(members(range(4)), then=[members(range(1, 6))])
    kept = Kept({
        ("claims", _CLAIM): codec.encode(["taken", hashed("t")]), ("claims", hashed("another")): b"\x01",
        ("accepted", hashed("a")): codec.encode(done_at(hashed("a"), 2)),
    })  # fmt: skip
    return {
        "result": (by_result.receipt(2), by_result.anchor, verify_cluster_receipt),
        "state": (kept.receipt(hashed("a")), kept.anchor, verify_cluster_receipt),
        "there": (kept.proof("claim", "claims", _CLAIM), kept.anchor, verify_state),
        "gone": (kept.proof("claim", "claims", hashed("free")), kept.anchor, verify_state),
    }


def _places(plain: Any, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    found = [path] if path else []
    if isinstance(plain, list):
        for at, each in enumerate(plain):
            found += _places(each, (*path, at))
    return found


def _changed(plain: Any, path: tuple[int, ...], value: Any) -> Any:
    if not path:
        return value
    return [_changed(each, path[1:], value) if at == path[0] else each for at, each in enumerate(plain)]


def _believed(kind: str, data: bytes) -> object | None:
    """What is believed of these bytes, None where they are refused; anything else that is raised fails the test."""
    _, anchor, verify = _made()[kind]
    try:
        return verify(data, anchor=anchor)
    except Refusal:
        return None


KINDS = pytest.mark.parametrize("kind", ["result", "state", "there", "gone"])


@KINDS
def test_the_valid_one_is_believed(kind: str) -> None:
    assert _believed(kind, codec.encode(_made()[kind][0])) is not None


@KINDS
@given(data=st.data())
@_TRIES
def test_a_changed_bit_changes_nothing_that_is_believed(kind: str, data: st.DataObject) -> None:
    whole = codec.encode(_made()[kind][0])
    at = data.draw(st.integers(0, len(whole) * 8 - 1))
    bent = bytearray(whole)
    bent[at // 8] ^= 1 << at % 8
    assert _believed(kind, bytes(bent)) in (None, _believed(kind, whole))


@KINDS
@given(data=st.data())
@_TRIES
def test_a_changed_part_changes_nothing_that_is_believed(kind: str, data: st.DataObject) -> None:
    plain = codec.plain(_made()[kind][0])
    path = data.draw(st.sampled_from(_places(plain)))
    changed = _changed(plain, path, data.draw(_ANYTHING))
    assert _believed(kind, codec.encode_plain(changed)) in (None, _believed(kind, codec.encode_plain(plain)))


@KINDS
@given(st.data())
@_TRIES
def test_a_part_of_another_one_changes_nothing_that_is_believed(kind: str, data: st.DataObject) -> None:
    plain = codec.plain(_made()[kind][0])
    other = codec.plain(_made()[data.draw(st.sampled_from(sorted(_made())))][0])
    part = other
    for step in data.draw(st.sampled_from(_places(other))):
        part = part[step]
    changed = _changed(plain, data.draw(st.sampled_from(_places(plain))), part)
    found = _believed(kind, codec.encode_plain(changed))
    if changed[:3] == plain[:3]:  # the same question, or the same transaction
        assert found in (None, _believed(kind, codec.encode_plain(plain)))


@given(data=st.binary(max_size=400))
@_TRIES
def test_bytes_of_any_kind_are_refused(data: bytes) -> None:
    for kind in _made():
        assert _believed(kind, data) is None


@given(data=st.binary(max_size=300))
@_TRIES
def test_any_bytes_are_one_proof_in_its_one_spelling_or_refused(data: bytes) -> None:
    try:
        proof = decode(data)
    except Refusal:
        return
    assert encode(proof) == data


@given(data=st.data())
@_TRIES
def test_a_bent_proof_shows_nothing(data: st.DataObject) -> None:
    proof = _made()[data.draw(st.sampled_from(["there", "gone"]))][0]
    assert isinstance(proof, StateProof)
    which, root = data.draw(st.integers(0, 1)), proof.walk[-1].header.application
    whole = proof.shown.proofs[which]
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start, min(len(whole), start + 40)))
    bent = whole[:start] + data.draw(st.binary(max_size=40)) + whole[end:]
    proofs = (bent, proof.shown.proofs[1]) if which == 0 else (proof.shown.proofs[0], bent)
    try:
        verify_stored(proofs, root=root, space="claims", key=proof.subject, value=proof.shown.value)
    except Refusal:
        return
    assert bent == whole


@given(st.lists(st.tuples(st.integers(1, 100), st.booleans(), st.booleans()), min_size=1, max_size=7))
@_TRIES
def test_trust_follows_the_power_that_signed(drawn: list[tuple[int, bool, bool]]) -> None:
    """Each validator has a power, was trusted or not, and signed or not."""
    made = Notarised(members(range(len(drawn)), [power for power, _, _ in drawn]))
    block = made.chain.at(made.header_height)
    signed = {_key(n) for n, (_, _, signs) in enumerate(drawn) if signs}
    known = [each for each in block.validators if each.key in {_key(n) for n, (_, old, _) in enumerate(drawn) if old}]
    if not known:
        return
    votes = tuple(
        vote if each.key in signed else None
        for each, vote in zip(block.validators, block.commit.votes, strict=True)
    )  # fmt: skip
    shown: LightBlock = block.replace(commit=block.commit.replace(votes=votes))
    power = sum(each.power for each in block.validators if each.key in signed)
    own = sum(each.power for each in known if each.key in signed)
    enough = 3 * power > 2 * sum(p for p, _, _ in drawn) and 3 * own > sum(each.power for each in known)
    trusted = trusted_genesis(known)
    if enough:
        assert verify_next(trusted, shown, rules=RULES).hash == block.header.hash
    else:
        with pytest.raises(Refusal, match=r"receipt\.(power|trust)"):
            verify_next(trusted, shown, rules=RULES)


def _key(number: int) -> bytes:
    return members([number])[0].key
