"""Receipts of solo notaries: COSE receipts of inclusion over an RFC 9162 tree (RFC 9942, RFC 9052).

A receipt is a COSE_Sign1 whose detached payload is the root of the notary's tree of accepted transactions. Its
protected header names algorithm, key, notary, network and tree size, so that one signature serves a whole batch; its
unprotected header holds the path, and the leaf that the path starts from. A receipt has one spelling only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NoReturn

from interfirm.base.codec import decode, encode
from interfirm.base.errors import Refusal, check
from interfirm.base.logtree import inclusion_root, leaf_hash
from interfirm.base.signatures import PublicKey, Scheme, Signer, verify
from interfirm.ledger.receipts.cbor import (
    BYTES,
    LIST,
    NEGATIVE,
    TEXT,
    UNSIGNED,
    Reader,
    byte_string,
    head,
    integer,
    text,
)
from interfirm.ledger.receipts.types import Accepted, NotaryAnchor, SoloReceipt, TreeHead

MEDIA_TYPE = "application/vnd.interfirm.receipt+cose"
"""The `typ` header parameter (RFC 9596): keeps receipts apart from whatever else a notary signs as COSE."""

_ALGORITHM = {Scheme.ED25519: -8, Scheme.P256: -7, Scheme.SECP256K1: -47}  # EdDSA, ES256 (RFC 9053), ES256K (RFC 8812)
_ALG, _KEY_ID, _CLAIMS, _TYPE, _VDS, _VDP = 1, 4, 15, 16, 395, 396  # RFC 9052, 9597, 9596, 9942
_TREE_SIZE, _LEAF = -65537, -65538  # private use (RFC 9052, 11.2)
_ISSUER, _SUBJECT = 1, 2  # claims of RFC 8392: the notary; the network whose transactions the tree holds
_INCLUSION, _RFC9162_SHA256 = -1, 1

_SIGN1 = b"\xd2" + head(LIST, 4)  # tag 18
_HEADER_START = b"\xa6" + integer(_ALG)
_NOTARY_START = integer(_CLAIMS) + b"\xa2" + integer(_ISSUER)
_SIZE_START = integer(_TYPE) + text(MEDIA_TYPE) + integer(_VDS) + integer(_RFC9162_SHA256) + integer(_TREE_SIZE)
_PATH_START = b"\xa2" + integer(_VDP) + b"\xa1" + integer(_INCLUSION) + head(LIST, 1)
_LEAF_START = integer(_LEAF)
_HASH_START = head(BYTES, 32)
_NO_HEADER, _DETACHED = b"\xa0", b"\xf6"
_SIGNATURE_START = head(LIST, 4) + text("Signature1")  # RFC 9052, 4.4


def sign_tree_head(signer: Signer, root: bytes, *, tree_size: int, network: bytes, notary: bytes) -> bytes:
    """The notary's signature over the root of its tree, as a COSE_Sign1 with the root attached: one for each batch."""
    protected = _protected(signer.public, network, notary, tree_size)
    signature = signer.sign(_to_be_signed(protected, root))
    return _tree_head(protected, root, signature)


def receipt(tree_head: bytes, accepted: Accepted, *, index: int, path: Sequence[bytes]) -> bytes:
    """The receipt for one transaction of a batch; the path is the leaf's `inclusion_proof` at the head's tree size.

    Nothing is signed here, and the path is not judged: `verify_receipt` does.
    """
    protected, size, signature = _batch(tree_head)
    return _receipt(protected, _proof(size, index, path), encode(accepted), signature)


def issue_receipt(
    signer: Signer,
    accepted: Accepted,
    *,
    index: int,
    tree_size: int,
    path: Sequence[bytes],
    root: bytes,
    network: bytes,
    notary: bytes,
) -> bytes:
    """The receipt for a transaction that is a batch of its own: `sign_tree_head`, then `receipt`."""
    signed = sign_tree_head(signer, root, tree_size=tree_size, network=network, notary=notary)
    return receipt(signed, accepted, index=index, path=path)


def verify_receipt(receipt: bytes, *, anchor: NotaryAnchor) -> Accepted:
    """What the notary of `anchor` accepted, if this is a receipt of it.

    Raises Refusal `receipt.malformed` for bytes of another shape, `receipt.notary`, `receipt.network` or `receipt.key`
    for another one's receipt, `receipt.size` for a path of another tree, `receipt.not-canonical` for a second
    spelling, `codec.*` for a leaf that says something else, `log.*` for a path that cannot be, and `signature.invalid`
    where leaf, index or path are not those of the tree that was signed.
    """
    reader = Reader(receipt)
    reader.exactly(_SIGN1)
    size = _checked_size(reader.string(BYTES), anchor)
    reader.exactly(_PATH_START)
    proof_size, index, path = _read_proof(reader.string(BYTES))
    reader.exactly(_LEAF_START)
    leaf = reader.string(BYTES)
    reader.exactly(_DETACHED)
    signature = reader.string(BYTES)
    check(proof_size == size, "receipt.size", "the path is one of another tree", signed=size, found=proof_size)
    protected = _protected(anchor.key, anchor.network, anchor.notary, size)
    _check_spelling(receipt, _receipt(protected, _proof(size, index, path), leaf, signature))
    accepted = decode(leaf, Accepted)
    root = inclusion_root(leaf_hash(leaf), index=index, size=size, path=path)
    _verify_root(anchor.key, protected, root, signature)
    return accepted


def verify_receipt_of(transaction: bytes, receipt: bytes, *, anchor: NotaryAnchor) -> SoloReceipt:
    """The receipt to keep beside a transaction; raises as `verify_receipt`, and `receipt.transaction` for another's."""
    accepted = verify_receipt(receipt, anchor=anchor)
    check(
        accepted.transaction == transaction,
        "receipt.transaction",
        "the receipt is for another transaction",
        expected=transaction,
        found=accepted.transaction,
    )
    return SoloReceipt(accepted=accepted, cose=receipt)


def verify_tree_head(tree_head: bytes, *, anchor: NotaryAnchor) -> TreeHead:
    """The size and root that the notary of `anchor` signed; two roots at one size are evidence against it.

    Raises Refusal as `verify_receipt`.
    """
    found, root, signature = _split(tree_head)
    size = _checked_size(found, anchor)
    protected = _protected(anchor.key, anchor.network, anchor.notary, size)
    _check_spelling(tree_head, _tree_head(protected, root, signature))
    _verify_root(anchor.key, protected, root, signature)
    return TreeHead(size=size, root=root)


def _protected(key: PublicKey, network: bytes, notary: bytes, size: int) -> bytes:
    return _protected_start(key, network, notary) + integer(size)


@lru_cache(maxsize=256)
def _protected_start(key: PublicKey, network: bytes, notary: bytes) -> bytes:
    named = _HEADER_START + integer(_ALGORITHM[key.scheme]) + integer(_KEY_ID) + byte_string(key.key)
    return named + _NOTARY_START + text(notary.hex()) + integer(_SUBJECT) + text(network.hex()) + _SIZE_START


def _checked_size(protected: bytes, anchor: NotaryAnchor) -> int:
    """The tree size in a protected header that names the anchor's notary, network and key."""
    start = _protected_start(anchor.key, anchor.network, anchor.notary)
    if not protected.startswith(start):
        _refuse_header(protected, anchor)
    return Reader(protected[len(start) :]).head(UNSIGNED)


def _refuse_header(protected: bytes, anchor: NotaryAnchor) -> NoReturn:
    """Say by name in what a protected header differs from the anchor's."""
    algorithm, key, notary, network, _ = _read_header(protected)
    own_notary, own_network = notary == _hex(anchor.notary), network == _hex(anchor.network)
    check(own_notary, "receipt.notary", "another notary's receipt", expected=anchor.notary, found=_shown(notary))
    check(
        own_network, "receipt.network", "a receipt of another network", expected=anchor.network, found=_shown(network)
    )
    own_key = (algorithm, key) == (_ALGORITHM[anchor.key.scheme], anchor.key.key)
    check(own_key, "receipt.key", "a receipt under another key", expected=anchor.key.key, found=key)
    raise _other_spelling(protected)


def _read_header(protected: bytes) -> tuple[int, bytes, bytes, bytes, int]:
    """Algorithm, key, notary, network and tree size of a protected header."""
    reader = Reader(protected)
    reader.exactly(_HEADER_START)
    algorithm = -1 - reader.head(NEGATIVE)
    reader.exactly(integer(_KEY_ID))
    key = reader.string(BYTES)
    reader.exactly(_NOTARY_START)
    notary = reader.string(TEXT)
    reader.exactly(integer(_SUBJECT))
    network = reader.string(TEXT)
    reader.exactly(_SIZE_START)
    return algorithm, key, notary, network, reader.head(UNSIGNED)


def _hex(identity: bytes) -> bytes:
    return identity.hex().encode()


def _shown(name: bytes) -> str:
    return name[:64].decode(errors="replace")


def _proof(size: int, index: int, path: Sequence[bytes]) -> bytes:
    steps = b"".join([_HASH_START + step for step in path])
    return head(LIST, 3) + integer(size) + integer(index) + head(LIST, len(path)) + steps


def _read_proof(proof: bytes) -> tuple[int, int, list[bytes]]:
    reader = Reader(proof)
    reader.exactly(head(LIST, 3))
    size, index, _ = reader.head(UNSIGNED), reader.head(UNSIGNED), reader.head(LIST)
    steps, width = reader.rest(), len(_HASH_START) + 32  # writing them again settles their heads and number
    return size, index, [steps[at + 2 : at + width] for at in range(0, len(steps), width)]


def _receipt(protected: bytes, proof: bytes, leaf: bytes, signature: bytes) -> bytes:
    unprotected = _PATH_START + byte_string(proof) + _LEAF_START + byte_string(leaf)
    return _SIGN1 + byte_string(protected) + unprotected + _DETACHED + byte_string(signature)


def _tree_head(protected: bytes, root: bytes, signature: bytes) -> bytes:
    return _SIGN1 + byte_string(protected) + _NO_HEADER + byte_string(root) + byte_string(signature)


@lru_cache(maxsize=16)  # the receipts of a batch share one
def _batch(tree_head: bytes) -> tuple[bytes, int, bytes]:
    """Protected header, tree size and signature of a tree head of one's own."""
    protected, _, signature = _split(tree_head)
    return protected, _read_header(protected)[-1], signature


def _split(tree_head: bytes) -> tuple[bytes, bytes, bytes]:
    """Protected header, root and signature of a tree head."""
    reader = Reader(tree_head)
    reader.exactly(_SIGN1)
    protected = reader.string(BYTES)
    reader.exactly(_NO_HEADER)
    return protected, reader.string(BYTES), reader.string(BYTES)


def _check_spelling(found: bytes, canonical: bytes) -> None:
    if found != canonical:
        raise _other_spelling(found)


def _other_spelling(found: bytes) -> Refusal:
    return Refusal("receipt.not-canonical", "the receipt is not in its canonical spelling", bytes=len(found))


def _to_be_signed(protected: bytes, root: bytes) -> bytes:
    """The Sig_structure of a COSE_Sign1 without external data (RFC 9052, 4.4)."""
    return _SIGNATURE_START + byte_string(protected) + byte_string(b"") + byte_string(root)


@lru_cache(maxsize=1024)  # so that a batch of receipts, or a history from one notary, costs one check for each head
def _verify_root(key: PublicKey, protected: bytes, root: bytes, signature: bytes) -> None:
    verify(key, _to_be_signed(protected, root), signature)
