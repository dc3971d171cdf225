"""Receipts of solo notaries; `cbor2` and `cryptography` are the judges of what they are as COSE."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from interfirm.base.errors import Refusal
from interfirm.base.logtree import Frontier, consistency_proof, inclusion_proof, verify_consistency
from interfirm.base.signatures import Ed25519Signer, PublicKey, Scheme, Signer, low_s
from interfirm.ledger.receipts.cose import (
    issue_receipt,
    receipt,
    sign_tree_head,
    verify_receipt,
    verify_receipt_of,
    verify_tree_head,
)
from interfirm.ledger.receipts.types import Accepted, NotaryAnchor, SoloReceipt, TreeHead

NOTARY, NETWORK = sha256(b"notary").digest(), sha256(b"network").digest()
SIGNER = Ed25519Signer(sha256(b"notary key").digest())
ANCHOR = NotaryAnchor(notary=NOTARY, network=NETWORK, key=SIGNER.public)


class EcdsaSigner:
    """A signing key on an ECDSA curve."""

    def __init__(self, scheme: Scheme, curve: ec.EllipticCurve) -> None:
        self.secret = ec.derive_private_key(4711, curve)
        point = self.secret.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        self.public = PublicKey(scheme=scheme, key=point)

    def sign(self, message: bytes) -> bytes:
        return low_s(self.public.scheme, self.secret.sign(message, ec.ECDSA(hashes.SHA256())))


SIGNERS: dict[str, Signer] = {
    "ed25519": SIGNER,
    "p256": EcdsaSigner(Scheme.P256, ec.SECP256R1()),
    "secp256k1": EcdsaSigner(Scheme.SECP256K1, ec.SECP256K1()),
}


def acceptance(number: int) -> Accepted:
    return Accepted(
        transaction=sha256(bytes([number])).digest(), height=100 + number, time_ms=1_700_000_000_000, registry_height=7
    )


ACCEPTED = [acceptance(number) for number in range(13)]


def leaf_of(accepted: Accepted) -> bytes:
    said = ["accepted", accepted.transaction, accepted.height, accepted.time_ms, accepted.registry_height]
    return cbor2.dumps(said, canonical=True)


@dataclass
class Batch:
    """Thirteen accepted transactions in one tree, and its signed head."""

    signer: Signer
    head: bytes
    root: bytes
    nodes: dict[tuple[int, int], bytes]

    def path(self, index: int, size: int = len(ACCEPTED)) -> tuple[bytes, ...]:
        return inclusion_proof(lambda level, at: self.nodes[level, at], index=index, size=size)

    def receipt(self, index: int) -> bytes:
        return receipt(self.head, ACCEPTED[index], index=index, path=self.path(index))


def batch_of(signer: Signer) -> Batch:
    frontier, nodes = Frontier().extend(map(leaf_of, ACCEPTED))
    head = sign_tree_head(signer, frontier.root, tree_size=frontier.size, network=NETWORK, notary=NOTARY)
    return Batch(signer, head, frontier.root, {(level, index): found for level, index, found in nodes})


BATCH = batch_of(SIGNER)
RECEIPT = BATCH.receipt(5)


def refused(cose: bytes, anchor: NotaryAnchor = ANCHOR) -> str:
    with pytest.raises(Refusal) as refusal:
        verify_receipt(cose, anchor=anchor)
    return refusal.value.code


def judge_root(leaf: bytes, size: int, index: int, path: list[bytes]) -> bytes:
    """The root from a leaf and its path by the RFC's recursion from the top; uses up `path`."""
    if size == 1:
        return sha256(b"\x00" + leaf).digest()
    k = 1 << (size - 1).bit_length() - 1
    sibling = path.pop()
    if index < k:
        return sha256(b"\x01" + judge_root(leaf, k, index, path) + sibling).digest()
    return sha256(b"\x01" + sibling + judge_root(leaf, size - k, index - k, path)).digest()


def judge_signature(public: PublicKey, message: bytes, signature: bytes) -> None:
    if public.scheme is Scheme.ED25519:
        ed25519.Ed25519PublicKey.from_public_bytes(public.key).verify(signature, message)
        return
    curve = ec.SECP256R1() if public.scheme is Scheme.P256 else ec.SECP256K1()
    key = ec.EllipticCurvePublicKey.from_encoded_point(curve, public.key)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


def judged(cose: bytes, public: PublicKey) -> tuple[dict[int, Any], list[Any]]:
    """Protected header and leaf of a receipt, verified without a line of ours."""
    tag = cbor2.loads(cose)
    assert tag.tag == 18
    protected_bytes, unprotected, payload, signature = tag.value
    assert payload is None
    protected = cbor2.loads(protected_bytes)
    assert protected[395] == 1
    (proof,) = unprotected[396][-1]
    size, index, path = cbor2.loads(proof)
    path, leaf = list(path), unprotected[-65538]
    root = judge_root(leaf, size, index, path)
    assert path == []
    judge_signature(public, cbor2.dumps(["Signature1", protected_bytes, b"", root]), signature)
    return protected, cbor2.loads(leaf)


@pytest.mark.parametrize(("name", "algorithm"), [("ed25519", -8), ("p256", -7), ("secp256k1", -47)])
def test_another_implementation_verifies_every_receipt_of_a_batch(name: str, algorithm: int) -> None:
    signer = SIGNERS[name]
    batch = batch_of(signer)
    for index, accepted in enumerate(ACCEPTED):
        protected, leaf = judged(batch.receipt(index), signer.public)
        assert protected[1] == algorithm
        assert protected[4] == signer.public.key
        assert protected[15] == {1: NOTARY.hex(), 2: NETWORK.hex()}
        assert protected[16] == "application/vnd.interfirm.receipt+cose"
        assert protected[-65537] == len(ACCEPTED)
        assert leaf == list(cbor2.loads(leaf_of(accepted)))


def test_a_receipt_is_deterministic_cbor() -> None:
    tag = cbor2.loads(RECEIPT)
    assert cbor2.dumps(tag, canonical=True) == RECEIPT
    assert cbor2.dumps(cbor2.loads(tag.value[0]), canonical=True) == tag.value[0]
    (proof,) = tag.value[1][396][-1]
    assert cbor2.dumps(cbor2.loads(proof), canonical=True) == proof


@pytest.mark.parametrize("name", SIGNERS)
def test_every_receipt_of_a_batch_says_what_was_accepted(name: str) -> None:
    batch = batch_of(SIGNERS[name])
    anchor = ANCHOR.replace(key=SIGNERS[name].public)
    assert [verify_receipt(batch.receipt(index), anchor=anchor) for index in range(13)] == ACCEPTED


def test_a_batch_needs_one_signature() -> None:
    signatures = {cbor2.loads(BATCH.receipt(index)).value[3] for index in range(13)}
    assert len(signatures) == 1


def test_a_single_transaction_gets_its_receipt_at_once() -> None:
    frontier, _ = Frontier().append(leaf_of(ACCEPTED[0]))
    cose = issue_receipt(
        SIGNER, ACCEPTED[0], index=0, tree_size=1, path=(), root=frontier.root, network=NETWORK, notary=NOTARY
    )
    assert verify_receipt(cose, anchor=ANCHOR) == ACCEPTED[0]
    judged(cose, SIGNER.public)


def test_a_receipt_stays_valid_when_the_tree_grows() -> None:
    frontier, nodes = Frontier().extend(map(leaf_of, ACCEPTED[:6]))
    store = {(level, index): found for level, index, found in nodes}
    path = inclusion_proof(lambda level, at: store[level, at], index=5, size=6)
    early = issue_receipt(
        SIGNER, ACCEPTED[5], index=5, tree_size=6, path=path, root=frontier.root, network=NETWORK, notary=NOTARY
    )
    assert verify_receipt(early, anchor=ANCHOR) == verify_receipt(RECEIPT, anchor=ANCHOR)


def test_a_receipt_is_kept_beside_its_transaction() -> None:
    kept = verify_receipt_of(ACCEPTED[5].transaction, RECEIPT, anchor=ANCHOR)
    assert kept == SoloReceipt(accepted=ACCEPTED[5], cose=RECEIPT)


def test_a_receipt_of_another_transaction_is_refused() -> None:
    with pytest.raises(Refusal, match=r"receipt\.transaction"):
        verify_receipt_of(ACCEPTED[6].transaction, RECEIPT, anchor=ANCHOR)


def test_a_receipt_of_another_notary_is_refused() -> None:
    assert refused(RECEIPT, ANCHOR.replace(notary=NETWORK)) == "receipt.notary"


def test_a_receipt_of_another_network_is_refused() -> None:
    assert refused(RECEIPT, ANCHOR.replace(network=NOTARY)) == "receipt.network"


def test_a_receipt_under_another_key_is_refused() -> None:
    other = Ed25519Signer(bytes(32))
    assert refused(RECEIPT, ANCHOR.replace(key=other.public)) == "receipt.key"


def test_a_receipt_under_another_scheme_with_the_same_key_bytes_is_refused() -> None:
    key = SIGNERS["p256"].public
    cose = batch_of(SIGNERS["p256"]).receipt(5)
    assert refused(cose, ANCHOR.replace(key=key.replace(scheme=Scheme.SECP256K1))) == "receipt.key"


def test_a_receipt_signed_by_another_key_in_the_notarys_name_is_refused() -> None:
    forger = Ed25519Signer(bytes(32))

    class Pretender:
        public = SIGNER.public
        sign = forger.sign

    assert refused(batch_of(Pretender()).receipt(5)) == "signature.invalid"


def rebuilt(
    *, proof: list[Any] | None = None, leaf: bytes | None = None, protected: bytes | None = None, **parts: Any
) -> bytes:
    """The valid receipt with parts replaced, spelled canonically."""
    value = list(cbor2.loads(RECEIPT).value)
    (old_proof,) = value[1][396][-1]
    value[0] = value[0] if protected is None else protected
    value[1] = {
        396: {-1: [old_proof if proof is None else cbor2.dumps(proof)]},
        -65538: value[1][-65538] if leaf is None else leaf,
    }
    value[2] = parts.get("payload", value[2])
    value[3] = parts.get("signature", value[3])
    return cbor2.dumps(cbor2.CBORTag(parts.get("tag", 18), value))


def proof_of(index: int = 5, size: int = 13, path: list[bytes] | None = None) -> list[Any]:
    return [size, index, list(BATCH.path(5)) if path is None else path]


def test_the_rebuilt_receipt_is_the_receipt() -> None:
    assert rebuilt() == rebuilt(proof=proof_of()) == RECEIPT


@pytest.mark.parametrize(
    "change",
    [
        {"transaction": bytes(32)},
        {"height": 1},
        {"time_ms": ACCEPTED[5].time_ms + 1},
        {"registry_height": 8},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_receipt_that_says_something_else_is_refused(change: dict[str, Any]) -> None:
    leaf = leaf_of(ACCEPTED[5].replace(**change))
    assert refused(rebuilt(leaf=leaf)) == "signature.invalid"


def test_another_index_is_refused() -> None:
    for index in set(range(13)) - {5}:
        assert refused(rebuilt(proof=proof_of(index=index))) in {"signature.invalid", "log.path"}
    assert refused(rebuilt(proof=proof_of(index=13))) == "log.index"


def test_another_size_is_refused_though_the_path_would_lead_to_the_root() -> None:
    assert judge_root(leaf_of(ACCEPTED[5]), 14, 5, list(BATCH.path(5))) == BATCH.root
    assert refused(rebuilt(proof=proof_of(size=14))) == "receipt.size"


def test_another_signed_size_is_refused() -> None:
    header = cbor2.loads(RECEIPT).value[0]
    assert header[-1] == 13
    assert refused(rebuilt(protected=header[:-1] + b"\x0e", proof=proof_of(size=14))) == "signature.invalid"


def test_another_path_is_refused() -> None:
    path = list(BATCH.path(5))
    assert refused(rebuilt(proof=proof_of(path=path[::-1]))) == "signature.invalid"
    assert refused(rebuilt(proof=proof_of(path=path[:-1]))) == "log.path"
    assert refused(rebuilt(proof=proof_of(path=[*path, path[0]]))) == "log.path"
    assert refused(rebuilt(proof=proof_of(path=[path[0][:31], *path[1:]]))) == "receipt.not-canonical"
    assert refused(rebuilt(proof=proof_of(path=[]))) == "log.path"


@pytest.mark.parametrize(
    ("leaf", "code"),
    [
        (["admitted", bytes(32), 1, 1, 1], "codec.shape"),
        (["accepted", bytes(31), 1, 1, 1], "codec.shape"),
        (["accepted", bytes(32), -1, 1, 1], "codec.shape"),
        (["accepted", bytes(32), 1, 1], "codec.shape"),
        (["accepted", bytes(32), 1, 1, 1, 1], "codec.shape"),
        ({"accepted": 1}, "codec.shape"),
    ],
)
def test_a_leaf_that_the_notary_signed_but_is_no_acceptance_is_refused(leaf: Any, code: str) -> None:
    data = cbor2.dumps(leaf)
    frontier, _ = Frontier().append(data)
    head = sign_tree_head(SIGNER, frontier.root, tree_size=1, network=NETWORK, notary=NOTARY)
    header, _, _, signature = cbor2.loads(head).value
    assert refused(rebuilt(protected=header, proof=[1, 0, []], leaf=data, signature=signature)) == code


def swapped(cose: bytes) -> bytes:
    value = list(cbor2.loads(cose).value)
    value[1] = dict(reversed(list(value[1].items())))
    return cbor2.dumps(cbor2.CBORTag(18, value))


SIGNATURE = cbor2.loads(RECEIPT).value[3]
HEADER = cbor2.loads(RECEIPT).value[0]
OTHER_SPELLINGS = {
    "trailing byte": (RECEIPT + b"\x00", "receipt.not-canonical"),
    "no bytes": (b"", "receipt.malformed"),
    "truncated": (RECEIPT[:-1], "receipt.malformed"),
    "no tag": (RECEIPT[1:], "receipt.malformed"),
    "another tag": (rebuilt(tag=98), "receipt.malformed"),
    "long tag": (b"\xd8\x12" + RECEIPT[1:], "receipt.malformed"),
    "attached payload": (rebuilt(payload=BATCH.root), "receipt.malformed"),
    "long length": (RECEIPT.replace(b"\x58\x40" + SIGNATURE, b"\x59\x00\x40" + SIGNATURE), "receipt.not-canonical"),
    "reserved length": (RECEIPT.replace(b"\x58\x40" + SIGNATURE, b"\x5c\x40" + SIGNATURE), "receipt.malformed"),
    "open list": (b"\xd2\x9f" + RECEIPT[2:] + b"\xff", "receipt.malformed"),
    "other map order": (swapped(RECEIPT), "receipt.malformed"),
    "long size in the proof": (RECEIPT.replace(b"\x83\x0d\x05", b"\x83\x18\x0d\x05"), "receipt.malformed"),
    "a second proof": (RECEIPT.replace(b"\x20\x81", b"\x20\x82"), "receipt.malformed"),
    "empty protected header": (rebuilt(protected=b""), "receipt.malformed"),
    "header with one field less": (rebuilt(protected=b"\xa5" + HEADER[1:]), "receipt.malformed"),
    "header with trailing byte": (rebuilt(protected=HEADER + b"\x00"), "receipt.not-canonical"),
    "header with long size": (rebuilt(protected=HEADER[:-1] + b"\x18\x0d"), "receipt.not-canonical"),
    "header with long algorithm": (rebuilt(protected=HEADER.replace(b"\x27", b"\x38\x07", 1)), "receipt.not-canonical"),
    "proof with trailing byte": (
        rebuilt().replace(cbor2.dumps(cbor2.dumps(proof_of())), cbor2.dumps(cbor2.dumps(proof_of()) + b"\x00")),
        "receipt.not-canonical",
    ),
    "another kind of tree": (
        rebuilt(protected=HEADER.replace(b"\x19\x01\x8b\x01", b"\x19\x01\x8b\x02")),
        "receipt.malformed",
    ),
    "another media type": (rebuilt(protected=HEADER.replace(b"receipt+cose", b"receipt-cose")), "receipt.malformed"),
    "short signature": (rebuilt(signature=SIGNATURE[:-1]), "signature.invalid"),
}


@pytest.mark.parametrize(("cose", "code"), OTHER_SPELLINGS.values(), ids=OTHER_SPELLINGS)
def test_another_spelling_is_refused(cose: bytes, code: str) -> None:
    assert cose != RECEIPT
    assert refused(cose) == code


@settings(max_examples=400, deadline=None)
@given(at=st.integers(0, len(RECEIPT) - 1), value=st.integers(0, 255))
def test_a_receipt_with_one_byte_changed_is_refused(at: int, value: int) -> None:
    if RECEIPT[at] != value:
        assert refused(RECEIPT[:at] + bytes([value]) + RECEIPT[at + 1 :])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.booleans())
def test_random_bytes_are_refused(data: bytes, tagged: bool) -> None:
    assert refused(b"\xd2\x84" + data if tagged else data)


def test_an_ecdsa_receipt_with_high_s_is_refused() -> None:
    signer = SIGNERS["p256"]
    cose = batch_of(signer).receipt(5)
    signature = cbor2.loads(cose).value[3]
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    high = signature[:32] + (order - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    judged(cose.replace(signature, high), signer.public)
    assert refused(cose.replace(signature, high), ANCHOR.replace(key=signer.public)) == "signature.invalid"


def test_a_tree_head_is_a_signed_message_with_the_root_attached() -> None:
    header, unprotected, payload, signature = cbor2.loads(BATCH.head).value
    assert (unprotected, payload) == ({}, BATCH.root)
    judge_signature(SIGNER.public, cbor2.dumps(["Signature1", header, b"", payload]), signature)
    assert verify_tree_head(BATCH.head, anchor=ANCHOR) == TreeHead(size=13, root=BATCH.root)


def test_heads_of_one_notary_are_consistent() -> None:
    later, nodes = Frontier().extend([*map(leaf_of, ACCEPTED), b"more", b"and more"])
    signed = sign_tree_head(SIGNER, later.root, tree_size=15, network=NETWORK, notary=NOTARY)
    old, new = (verify_tree_head(head, anchor=ANCHOR) for head in (BATCH.head, signed))
    store = {(level, at): found for level, at, found in nodes}
    path = consistency_proof(lambda level, at: store[level, at], old_size=old.size, new_size=new.size)
    verify_consistency(old.root, new.root, old_size=old.size, new_size=new.size, path=path)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda head: head[:-1] + bytes([head[-1] ^ 1]), "signature.invalid"),
        (lambda head: head.replace(BATCH.root, bytes(32)), "signature.invalid"),
        (lambda head: head + b"\x00", "receipt.not-canonical"),
        (lambda head: head[:-1], "receipt.malformed"),
        (lambda head: head[1:], "receipt.malformed"),
        (lambda head: head.replace(NOTARY.hex().encode(), NETWORK.hex().encode()), "receipt.notary"),
    ],
)
def test_another_tree_head_is_refused(change: Any, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        verify_tree_head(change(BATCH.head), anchor=ANCHOR)
    assert refusal.value.code == code


def test_a_tree_head_is_no_receipt_and_a_receipt_no_tree_head() -> None:
    assert refused(BATCH.head) == "receipt.malformed"
    with pytest.raises(Refusal, match=r"receipt\.malformed"):
        verify_tree_head(RECEIPT, anchor=ANCHOR)
