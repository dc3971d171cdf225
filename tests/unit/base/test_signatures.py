"""Signatures: the RFCs' examples, and one answer for every odd signature."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import bindings as sodium

from interfirm.base.codec import decode, encode
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.signatures import Ed25519Signer, PublicKey, Scheme, low_s, verify

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
SIGNER = Ed25519Signer(bytes(range(32)))
MESSAGE = b"five tonnes of nails"
IDENTITY_POINT = (1).to_bytes(32, "little")
ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")

ED25519_RFC8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
# RFC 6979, A.2.5: P-256 with SHA-256 over "sample"; its s is high
P256_RFC6979 = {
    "secret": 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721,
    "r": 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
    "s": 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
}
CURVES: dict[Scheme, tuple[ec.EllipticCurve, int]] = {
    Scheme.P256: (ec.SECP256R1(), 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
    Scheme.SECP256K1: (ec.SECP256K1(), 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141),
}


def ed25519_key(key: bytes) -> PublicKey:
    return PublicKey(scheme=Scheme.ED25519, key=key)


def accepted(public: PublicKey, message: bytes, signature: bytes) -> bool:
    try:
        verify(public, message, signature)
    except Refusal as refusal:
        if refusal.code != "signature.invalid":
            raise
        return False
    return True


def openssl_accepts(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def scalar(value: int) -> bytes:
    return (value % Q).to_bytes(32, "little")


def small_order_points() -> Iterator[bytes]:
    """All eight, the neutral one first."""
    point = IDENTITY_POINT
    for _ in range(8):
        yield point
        point = sodium.crypto_core_ed25519_add(point, ORDER_8)


SMALL = list(small_order_points())
X, K = 0x1234567, 0x7654321
A, R = (sodium.crypto_scalarmult_ed25519_base_noclamp(scalar(secret)) for secret in (X, K))


def odd_signature(key: bytes, r: bytes, message: bytes) -> bytes:
    """What the holder of X signs with nonce K while naming any key and any R."""
    challenge = number(hashlib.sha512(r + key + message).digest())
    return r + scalar(K + challenge * X)


@pytest.mark.parametrize(("seed", "key", "message", "signature"), ED25519_RFC8032)
def test_the_examples_of_rfc_8032_hold(seed: str, key: str, message: str, signature: str) -> None:
    signer = Ed25519Signer(bytes.fromhex(seed))
    assert signer.public == ed25519_key(bytes.fromhex(key))
    assert signer.sign(bytes.fromhex(message)).hex() == signature
    verify(signer.public, bytes.fromhex(message), bytes.fromhex(signature))


def test_a_signature_over_another_message_is_refused() -> None:
    with pytest.raises(Refusal, match=r"signature\.invalid") as refusal:
        verify(SIGNER.public, MESSAGE + b".", SIGNER.sign(MESSAGE))
    assert refusal.value.values == {"scheme": "ed25519", "key": SIGNER.public.key}


def test_a_signature_under_another_key_is_refused() -> None:
    assert not accepted(Ed25519Signer(bytes(32)).public, MESSAGE, SIGNER.sign(MESSAGE))


@settings(max_examples=150, deadline=None)
@given(bit=st.integers(0, 511))
def test_an_ed25519_signature_with_one_bit_changed_is_refused(bit: int) -> None:
    signature = bytearray(SIGNER.sign(MESSAGE))
    signature[bit // 8] ^= 1 << bit % 8
    assert not accepted(SIGNER.public, MESSAGE, bytes(signature))


@pytest.mark.parametrize("length", [0, 1, 32, 63, 65, 128])
def test_an_ed25519_signature_of_another_length_is_refused(length: int) -> None:
    assert not accepted(SIGNER.public, MESSAGE, (SIGNER.sign(MESSAGE) * 2)[:length])


def test_a_signature_cannot_give_its_end_to_the_message() -> None:
    signature = SIGNER.sign(MESSAGE)
    assert not accepted(SIGNER.public, MESSAGE[1:], signature + MESSAGE[:1])
    assert not accepted(SIGNER.public, signature[-1:] + MESSAGE, signature[:-1])


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_an_ed25519_key_of_another_length_is_refused(length: int) -> None:
    assert not accepted(ed25519_key((SIGNER.public.key * 2)[:length]), MESSAGE, SIGNER.sign(MESSAGE))


def test_the_judge_signs_as_it_should() -> None:
    assert accepted(ed25519_key(A), MESSAGE, odd_signature(A, R, MESSAGE))


@pytest.mark.parametrize("times", range(1, 15))
def test_s_at_or_above_the_group_order_is_refused(times: int) -> None:
    signature = odd_signature(A, R, MESSAGE)
    s = number(signature[32:]) + times * Q
    assert not accepted(ed25519_key(A), MESSAGE, signature[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize("key", SMALL, ids=lambda key: key.hex()[:8])
def test_a_key_of_small_order_signs_nothing(key: bytes) -> None:
    """With such a key, R = s * B verifies for about every eighth message, or for all."""
    signature = R + scalar(K)
    messages = [bytes([n]) for n in range(64)]
    assert any(openssl_accepts(key, message, signature) for message in messages)
    assert not any(accepted(ed25519_key(key), message, signature) for message in messages)


@pytest.mark.parametrize("small", SMALL, ids=lambda key: key.hex()[:8])
def test_r_of_small_order_is_refused(small: bytes) -> None:
    challenge = number(hashlib.sha512(small + A + MESSAGE).digest())
    signature = small + scalar(challenge * X)
    assert openssl_accepts(A, MESSAGE, signature) == (small == IDENTITY_POINT)
    assert not accepted(ed25519_key(A), MESSAGE, signature)


@pytest.mark.parametrize("small", SMALL[1:], ids=lambda key: key.hex()[:8])
def test_the_equation_is_judged_without_the_cofactor(small: bytes) -> None:
    """R with a part of small order passes only the equation times eight."""
    r = sodium.crypto_core_ed25519_add(R, small)
    signature = odd_signature(A, r, MESSAGE)
    left = sodium.crypto_scalarmult_ed25519_base_noclamp(signature[32:])
    challenge = scalar(number(hashlib.sha512(r + A + MESSAGE).digest()))
    right = sodium.crypto_core_ed25519_add(r, sodium.crypto_scalarmult_ed25519_noclamp(challenge, A))
    assert left != right
    assert times_eight(left) == times_eight(right)
    assert not accepted(ed25519_key(A), MESSAGE, signature)


def times_eight(point: bytes) -> bytes:
    for _ in range(3):
        point = sodium.crypto_core_ed25519_add(point, point)
    return point


@pytest.mark.parametrize("small", SMALL[1:], ids=lambda key: key.hex()[:8])
def test_a_key_with_a_part_of_small_order_is_judged_as_by_openssl(small: bytes) -> None:
    key = sodium.crypto_core_ed25519_add(A, small)
    answers = set()
    for n in range(64):
        message = bytes([n])
        signature = odd_signature(key, R, message)
        answer = accepted(ed25519_key(key), message, signature)
        assert answer == openssl_accepts(key, message, signature)
        answers.add(answer)
    assert answers == {True, False}


@pytest.mark.parametrize("y", [P, P + 1, P - 1 + 2**255, 1 + 2**255, P + 2**255, 2**255 - 1])
def test_keys_that_are_not_canonical_are_refused(y: int) -> None:
    key = y.to_bytes(32, "little")
    assert not any(accepted(ed25519_key(key), bytes([n]), R + scalar(K)) for n in range(32))


@pytest.mark.parametrize("y", [P, P + 1, 1 + 2**255, P + 2**255])
def test_r_that_is_not_canonical_is_refused(y: int) -> None:
    r = y.to_bytes(32, "little")
    challenge = number(hashlib.sha512(r + A + MESSAGE).digest())
    assert not accepted(ed25519_key(A), MESSAGE, r + scalar(challenge * X))


def test_a_key_off_the_curve_is_refused() -> None:
    assert not accepted(ed25519_key((2).to_bytes(32, "little")), MESSAGE, SIGNER.sign(MESSAGE))


def ecdsa_key(secret: int, scheme: Scheme) -> tuple[ec.EllipticCurvePrivateKey, PublicKey]:
    private = ec.derive_private_key(secret, CURVES[scheme][0])
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return private, PublicKey(scheme=scheme, key=point)


def ecdsa_signature(private: ec.EllipticCurvePrivateKey, scheme: Scheme, message: bytes) -> bytes:
    return low_s(scheme, private.sign(message, ec.ECDSA(hashes.SHA256())))


def pair(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_the_example_of_rfc_6979_holds_with_its_s_made_low() -> None:
    _, public = ecdsa_key(P256_RFC6979["secret"], Scheme.P256)
    r, s, order = P256_RFC6979["r"], P256_RFC6979["s"], CURVES[Scheme.P256][1]
    signature = low_s(Scheme.P256, utils.encode_dss_signature(r, s))
    assert signature == pair(r, order - s)
    assert public.key.hex() == "0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    verify(public, b"sample", signature)
    assert not accepted(public, b"sample", pair(r, s))


@pytest.mark.parametrize("scheme", CURVES)
def test_an_ecdsa_signature_verifies_in_its_low_form_alone(scheme: Scheme) -> None:
    private, public = ecdsa_key(4711, scheme)
    order = CURVES[scheme][1]
    for n in range(8):
        signature = ecdsa_signature(private, scheme, bytes([n]))
        verify(public, bytes([n]), signature)
        high = signature[:32] + (order - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
        assert not accepted(public, bytes([n]), high)
        assert low_s(scheme, utils.encode_dss_signature(*halves(high))) == signature


def halves(signature: bytes) -> tuple[int, int]:
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")


@pytest.mark.parametrize("scheme", CURVES)
def test_ecdsa_numbers_out_of_range_are_refused(scheme: Scheme) -> None:
    private, public = ecdsa_key(4711, scheme)
    order = CURVES[scheme][1]
    r, s = halves(ecdsa_signature(private, scheme, MESSAGE))
    for odd in (pair(0, s), pair(r, 0), pair(0, 0), pair(order, s), pair(2**256 - 1, s), pair(r, order), pair(s, r)):
        assert not accepted(public, MESSAGE, odd)
    if r + order < 2**256:
        assert not accepted(public, MESSAGE, pair(r + order, s))


@pytest.mark.parametrize("scheme", CURVES)
def test_an_ecdsa_signature_of_another_form_is_refused(scheme: Scheme) -> None:
    private, public = ecdsa_key(4711, scheme)
    signature = ecdsa_signature(private, scheme, MESSAGE)
    der = utils.encode_dss_signature(*halves(signature))
    for odd in (b"", signature[:-1], signature + b"\x00", der, der.ljust(64, b"\x00")[:64]):
        assert not accepted(public, MESSAGE, odd)


@pytest.mark.parametrize("scheme", CURVES)
def test_an_ecdsa_key_of_another_form_is_refused(scheme: Scheme) -> None:
    private, public = ecdsa_key(4711, scheme)
    signature = ecdsa_signature(private, scheme, MESSAGE)
    uncompressed = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    hybrid = bytes([6 + (uncompressed[-1] & 1)]) + uncompressed[1:]
    other_sign = bytes([public.key[0] ^ 1]) + public.key[1:]
    too_large = public.key[:1] + b"\xff" * 32
    for odd in (b"", b"\x00", uncompressed, hybrid, other_sign, too_large, b"\x04" + public.key[1:], public.key[1:]):
        assert not accepted(public.replace(key=odd), MESSAGE, signature)


def test_an_ecdsa_key_off_the_curve_is_refused() -> None:
    private, public = ecdsa_key(4711, Scheme.P256)
    signature = ecdsa_signature(private, Scheme.P256, MESSAGE)
    off = [bytes([2]) + x.to_bytes(32, "big") for x in range(1, 20)]
    refused = 0
    for key in off:
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
        except ValueError:
            refused += 1
        assert not accepted(public.replace(key=key), MESSAGE, signature)
    assert refused


def test_a_key_of_one_scheme_does_not_verify_under_another() -> None:
    private, public = ecdsa_key(4711, Scheme.P256)
    signature = ecdsa_signature(private, Scheme.P256, MESSAGE)
    assert not accepted(public.replace(scheme=Scheme.SECP256K1), MESSAGE, signature)
    assert not accepted(public.replace(scheme=Scheme.ED25519), MESSAGE, signature)
    assert not accepted(SIGNER.public.replace(scheme=Scheme.P256), MESSAGE, SIGNER.sign(MESSAGE))


@settings(max_examples=100, deadline=None)
@given(scheme=st.sampled_from(Scheme), key=st.binary(max_size=70), signature=st.binary(max_size=70))
def test_random_bytes_are_refused_and_break_nothing(scheme: Scheme, key: bytes, signature: bytes) -> None:
    assert not accepted(PublicKey(scheme=scheme, key=key), MESSAGE, signature)


@settings(max_examples=60, deadline=None)
@given(
    scheme=st.sampled_from(Scheme),
    key=st.binary(min_size=32, max_size=33),
    signature=st.binary(min_size=64, max_size=64),
)
def test_random_bytes_of_the_right_lengths_are_refused(scheme: Scheme, key: bytes, signature: bytes) -> None:
    assert not accepted(PublicKey(scheme=scheme, key=key), MESSAGE, signature)


def test_an_identity_is_the_hash_of_scheme_and_key() -> None:
    assert SIGNER.public.identity == digest("identity", "ed25519", SIGNER.public.key)
    assert SIGNER.public.identity != SIGNER.public.replace(scheme=Scheme.P256).identity


def test_a_key_travels_as_scheme_and_bytes() -> None:
    assert decode(encode(SIGNER.public), PublicKey) == SIGNER.public
    with pytest.raises(Refusal, match=r"codec\.shape"):
        decode(encode(["rsa", SIGNER.public.key]), PublicKey)


def test_a_signer_does_not_print_its_secret() -> None:
    assert bytes(range(32)).hex()[:16] not in repr(SIGNER)
