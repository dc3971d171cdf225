"""VRF of RFC 9381, judged by the RFC's examples and by a second implementation in plain integers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interfirm.base.errors import Refusal
from interfirm.base.vrf import OUTPUT_BYTES, PROOF_BYTES, VrfKey, vrf_output, vrf_verify

VECTORS = Path(__file__).parents[2] / "vectors" / "vrf_rfc9381_b3.json"
EXAMPLES = json.loads(VECTORS.read_text())["examples"]

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


class Point(NamedTuple):
    """The judge's point in affine coordinates: slow, plain, its own arithmetic."""

    x: int
    y: int

    def add(self, other: Point) -> Point:
        product = D * self.x * other.x * self.y * other.y % P
        x = (self.x * other.y + other.x * self.y) * pow(1 + product, -1, P) % P
        y = (self.y * other.y + self.x * other.x) * pow(1 - product, -1, P) % P
        return Point(x, y)

    def times(self, scalar: int) -> Point:
        total, power = IDENTITY, self
        while scalar:
            if scalar & 1:
                total = total.add(power)
            power, scalar = power.add(power), scalar >> 1
        return total

    def minus(self, other: Point) -> Point:
        return self.add(Point(-other.x % P, other.y))

    def encoded(self) -> bytes:
        return (self.y | (self.x & 1) << 255).to_bytes(32, "little")


IDENTITY = Point(0, 1)


def decoded(data: bytes) -> Point | None:
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_ONE % P
    if y >= P or x * x % P != square or (not x and sign):
        return None
    return Point(x if x & 1 == sign else P - x, y)


def must_decode(data: bytes) -> Point:
    point = decoded(data)
    assert point is not None
    return point


BASE = must_decode(bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666"))
ORDER_2 = Point(0, P - 1)
ORDER_4 = Point(ROOT_OF_MINUS_ONE, 0)
ORDER_8 = must_decode(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))
TORSION = [ORDER_8.times(n) for n in range(8)]


def judge_point(public: bytes, alpha: bytes) -> Point:
    for counter in range(256):
        text = b"\x03\x01" + public + alpha + bytes([counter, 0])
        point = decoded(hashlib.sha512(text).digest()[:32])
        if point is not None and point.times(8) != IDENTITY:
            return point.times(8)
    raise AssertionError("no point")


def judge_challenge(*points: Point) -> int:
    text = b"\x03\x02" + b"".join(point.encoded() for point in points) + b"\x00"
    return int.from_bytes(hashlib.sha512(text).digest()[:16], "little")


def judge_scalar(seed: bytes) -> int:
    return int.from_bytes(hashlib.sha512(seed).digest()[:32], "little") & (2**254 - 8) | 2**254


def packed(gamma: Point | bytes, c: int, s: int) -> bytes:
    start = gamma if isinstance(gamma, bytes) else gamma.encoded()
    return start + c.to_bytes(16, "little") + s.to_bytes(32, "little")


def judge_prove(seed: bytes, alpha: bytes) -> bytes:
    x = judge_scalar(seed)
    public = BASE.times(x)
    point = judge_point(public.encoded(), alpha)
    nonce_text = hashlib.sha512(seed).digest()[32:] + point.encoded()
    k = int.from_bytes(hashlib.sha512(nonce_text).digest(), "little") % Q
    gamma = point.times(x)
    c = judge_challenge(public, point, gamma, BASE.times(k), point.times(k))
    return packed(gamma, c, (k + c * x) % Q)


def judge_equation_holds(public: bytes, alpha: bytes, proof: bytes) -> bool:
    """The RFC's equation alone, without a word on which group the points are in."""
    key, gamma, point = must_decode(public), must_decode(proof[:32]), judge_point(public, alpha)
    c, s = int.from_bytes(proof[32:48], "little"), int.from_bytes(proof[48:], "little")
    u = BASE.times(s).minus(key.times(c))
    v = point.times(s).minus(gamma.times(c))
    return judge_challenge(key, point, gamma, u, v) == c


SEED = bytes(range(32))
ALPHA = b"serial number 4711"


def why(public: bytes, alpha: bytes, proof: bytes) -> str:
    with pytest.raises(Refusal) as refused:
        vrf_verify(public, alpha, proof)
    assert refused.value.code == "vrf.invalid"
    return str(refused.value.values["why"])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"example {example['number']}")
def test_the_rfc_examples_hold(example: dict[str, str]) -> None:
    secret, public, alpha, proof, beta = (
        bytes.fromhex(example[name]) for name in ("secret", "public", "alpha", "proof", "beta")
    )
    key = VrfKey(secret)
    assert key.public == public
    assert key.prove(alpha) == proof
    assert vrf_verify(public, alpha, proof) == beta


@settings(max_examples=20, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), alpha=st.binary(max_size=80))
def test_two_implementations_make_the_same_proof(seed: bytes, alpha: bytes) -> None:
    proof = VrfKey(seed).prove(alpha)
    assert proof == judge_prove(seed, alpha)
    assert vrf_verify(VrfKey(seed).public, alpha, proof) == vrf_output(proof)


def test_proof_and_output_have_their_sizes() -> None:
    proof = VrfKey(SEED).prove(ALPHA)
    assert (len(proof), len(vrf_output(proof))) == (PROOF_BYTES, OUTPUT_BYTES)


def test_another_input_has_another_output() -> None:
    key = VrfKey(SEED)
    assert vrf_output(key.prove(ALPHA)) != vrf_output(key.prove(ALPHA + b"."))


def test_two_valid_proofs_of_one_input_have_one_output() -> None:
    key, x = VrfKey(SEED), judge_scalar(SEED)
    public, point = must_decode(key.public), judge_point(key.public, ALPHA)
    gamma, k = point.times(x), 12345
    c = judge_challenge(public, point, gamma, BASE.times(k), point.times(k))
    second = packed(gamma, c, (k + c * x) % Q)
    assert second != key.prove(ALPHA)
    assert vrf_verify(key.public, ALPHA, second) == vrf_verify(key.public, ALPHA, key.prove(ALPHA))


def test_a_proof_for_another_input_is_refused() -> None:
    key = VrfKey(SEED)
    assert why(key.public, ALPHA + b".", key.prove(ALPHA)) == "the challenge is another one"


def test_a_proof_under_another_key_is_refused() -> None:
    other = VrfKey(bytes(32))
    assert why(other.public, ALPHA, VrfKey(SEED).prove(ALPHA)) == "the challenge is another one"


@settings(max_examples=60, deadline=None)
@given(bit=st.integers(0, PROOF_BYTES * 8 - 1))
def test_a_proof_with_one_bit_changed_is_refused(bit: int) -> None:
    key = VrfKey(SEED)
    proof = bytearray(key.prove(ALPHA))
    proof[bit // 8] ^= 1 << bit % 8
    assert why(key.public, ALPHA, bytes(proof))


def test_s_at_or_above_the_order_is_refused_though_the_equation_holds() -> None:
    key = VrfKey(SEED)
    proof = key.prove(ALPHA)
    s = int.from_bytes(proof[48:], "little")
    same = proof[:48] + (s + Q).to_bytes(32, "little")
    assert judge_equation_holds(key.public, ALPHA, same)
    assert why(key.public, ALPHA, same) == "s is not in 1 .. q - 1"


def test_zero_scalars_are_refused() -> None:
    key = VrfKey(SEED)
    proof = key.prove(ALPHA)
    assert why(key.public, ALPHA, proof[:48] + bytes(32)) == "s is not in 1 .. q - 1"
    assert why(key.public, ALPHA, proof[:32] + bytes(16) + proof[48:]) == "c is zero"


@pytest.mark.parametrize("point", TORSION, ids=lambda point: point.encoded().hex()[:8])
def test_a_key_of_small_order_is_refused(point: Point) -> None:
    assert why(point.encoded(), ALPHA, VrfKey(SEED).prove(ALPHA)).startswith("the key is not")


@pytest.mark.parametrize("point", TORSION, ids=lambda point: point.encoded().hex()[:8])
def test_gamma_of_small_order_is_refused(point: Point) -> None:
    key = VrfKey(SEED)
    proof = point.encoded() + key.prove(ALPHA)[32:]
    assert why(key.public, ALPHA, proof).startswith("Gamma is not")


@pytest.mark.parametrize("torsion", TORSION[1:], ids=lambda point: point.encoded().hex()[:8])
def test_a_key_outside_the_prime_order_subgroup_is_refused_though_the_equation_holds(torsion: Point) -> None:
    x = judge_scalar(SEED)
    public = BASE.times(x).add(torsion)
    point = judge_point(public.encoded(), ALPHA)
    gamma = point.times(x)
    for k in range(1, 200):
        c = judge_challenge(public, point, gamma, BASE.times(k), point.times(k))
        if c % 8 == 0:
            break
    proof = packed(gamma, c, (k + c * x) % Q)
    assert judge_equation_holds(public.encoded(), ALPHA, proof)
    assert why(public.encoded(), ALPHA, proof) == "the key is not in the prime-order subgroup"


@pytest.mark.parametrize("torsion", TORSION[1:], ids=lambda point: point.encoded().hex()[:8])
def test_gamma_outside_the_prime_order_subgroup_is_refused_though_the_equation_holds(torsion: Point) -> None:
    key, x = VrfKey(SEED), judge_scalar(SEED)
    public, point = must_decode(key.public), judge_point(key.public, ALPHA)
    gamma = point.times(x).add(torsion)
    for k in range(1, 200):
        c = judge_challenge(public, point, gamma, BASE.times(k), point.times(k))
        if c % 8 == 0:
            break
    proof = packed(gamma, c, (k + c * x) % Q)
    assert judge_equation_holds(key.public, ALPHA, proof)
    assert why(key.public, ALPHA, proof) == "Gamma is not in the prime-order subgroup"


NON_CANONICAL = {
    "y = p": P,
    "y = p + 1": P + 1,
    "y = 2**255 - 1": 2**255 - 1,
    "y = p with sign": P | 1 << 255,
    "x = 0, y = 1 with sign": 1 | 1 << 255,
    "x = 0, y = -1 with sign": P - 1 | 1 << 255,
}


@pytest.mark.parametrize("number", NON_CANONICAL.values(), ids=NON_CANONICAL.keys())
def test_points_that_are_not_canonical_are_refused(number: int) -> None:
    key, odd = VrfKey(SEED), number.to_bytes(32, "little")
    proof = key.prove(ALPHA)
    assert why(odd, ALPHA, proof) == "the key is not a canonical point"
    assert why(key.public, ALPHA, odd + proof[32:]) == "Gamma is not a canonical point"


def test_bytes_that_are_no_point_are_refused() -> None:
    key = VrfKey(SEED)
    off = next(n.to_bytes(32, "little") for n in range(2, 99) if decoded(n.to_bytes(32, "little")) is None)
    assert why(off, ALPHA, key.prove(ALPHA)).startswith("the key is not")
    assert why(key.public, ALPHA, off + key.prove(ALPHA)[32:]).startswith("Gamma is not")


@pytest.mark.parametrize("change", [lambda proof: proof[:-1], lambda proof: proof + b"\x00", lambda proof: b""])
def test_a_proof_of_another_length_is_refused(change: object) -> None:
    key = VrfKey(SEED)
    assert callable(change)
    assert why(key.public, ALPHA, change(key.prove(ALPHA))) == "a proof has 80 bytes"


def test_a_key_of_another_length_is_refused() -> None:
    key = VrfKey(SEED)
    assert why(key.public + b"\x00", ALPHA, key.prove(ALPHA)) == "a key has 32 bytes"


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(Refusal, match=r"vrf\.seed"):
        VrfKey(bytes(31))


def test_a_key_does_not_print_its_secret() -> None:
    key = VrfKey(SEED)
    assert SEED.hex()[:16] not in repr(key)
    assert key.public.hex()[:16] in repr(key)
