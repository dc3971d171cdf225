"""A verifiable random function: one input has one output under a key, and a proof shows it (RFC 9381).

The suite is ECVRF-EDWARDS25519-SHA512-TAI (section 5.5, suite byte 3), composed from libsodium's group functions.
Claims are keyed on the *output*, never on the proof: a key's owner can make many valid proofs of its one output.
"""

from __future__ import annotations

from hashlib import sha512

from nacl import bindings as sodium

from interfirm.base.errors import Refusal, check

SEED_BYTES = 32
KEY_BYTES = 32
PROOF_BYTES = 80
OUTPUT_BYTES = 64

_FIELD = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_IDENTITY = (1).to_bytes(32, "little")
_ENCODE_TO_CURVE, _CHALLENGE, _OUTPUT, _BACK = b"\x03\x01", b"\x03\x02", b"\x03\x03", b"\x00"


class VrfKey:
    """A VRF key held in memory, from its 32-byte secret seed.

    The seed must never be the seed of a signing key: both would share one secret scalar, and one signature with one
    proof would give it away. Raises Refusal `vrf.seed` for a seed of another length.
    """

    __slots__ = ("_nonce_key", "_secret", "public")

    def __init__(self, seed: bytes) -> None:
        check(len(seed) == SEED_BYTES, "vrf.seed", "a VRF seed has 32 bytes", bytes=len(seed))
        expanded = sha512(seed).digest()
        clamped = bytes([expanded[0] & 0xF8]) + expanded[1:31] + bytes([expanded[31] & 0x7F | 0x40])
        self._secret = sodium.crypto_core_ed25519_scalar_reduce(clamped + bytes(32))
        self._nonce_key = expanded[32:]
        self.public: bytes = sodium.crypto_scalarmult_ed25519_base_noclamp(self._secret)

    def prove(self, alpha: bytes) -> bytes:
        """The 80-byte proof for input `alpha`, the same one each time (RFC 9381, 5.1)."""
        point = _encode_to_curve(self.public, alpha)
        gamma = sodium.crypto_scalarmult_ed25519_noclamp(self._secret, point)
        nonce = sodium.crypto_core_ed25519_scalar_reduce(sha512(self._nonce_key + point).digest())
        u = sodium.crypto_scalarmult_ed25519_base_noclamp(nonce)
        v = sodium.crypto_scalarmult_ed25519_noclamp(nonce, point)
        c = _challenge(self.public, point, gamma, u, v)
        c_secret = sodium.crypto_core_ed25519_scalar_mul(c + bytes(16), self._secret)
        return gamma + c + sodium.crypto_core_ed25519_scalar_add(nonce, c_secret)

    def __repr__(self) -> str:
        return f"VrfKey({self.public.hex()[:16]})"


def vrf_verify(public: bytes, alpha: bytes, proof: bytes) -> bytes:
    """The 64-byte output of `alpha` under the key `public`, shown by an 80-byte proof (RFC 9381, 5.3).

    Stricter than the RFC: key and Gamma must be canonical points of the prime-order subgroup. Raises Refusal
    `vrf.invalid`, whose `why` says what is wrong.
    """
    _must(len(public) == KEY_BYTES, "a key has 32 bytes")
    _must(len(proof) == PROOF_BYTES, "a proof has 80 bytes")
    gamma, c, s = proof[:32], proof[32:48] + bytes(16), proof[48:]
    _must(any(c), "c is zero")
    _must(0 < int.from_bytes(s, "little") < _ORDER, "s is not in 1 .. q - 1")
    point = _encode_to_curve(public, alpha)
    base_s = sodium.crypto_scalarmult_ed25519_base_noclamp(s)
    point_s = sodium.crypto_scalarmult_ed25519_noclamp(s, point)
    u = sodium.crypto_core_ed25519_sub(base_s, _checked_multiply(c, public, "the key"))
    v = sodium.crypto_core_ed25519_sub(point_s, _checked_multiply(c, gamma, "Gamma"))
    _must(_challenge(public, point, gamma, u, v) == proof[32:48], "the challenge is another one")
    return vrf_output(proof)


def vrf_output(proof: bytes) -> bytes:
    """The 64-byte output that a proof stands for (RFC 9381, 5.2); only for a proof of one's own or a verified one."""
    return sha512(_OUTPUT + _times_cofactor(proof[:32]) + _BACK).digest()


def _invalid(why: str) -> Refusal:
    return Refusal("vrf.invalid", "the proof does not show an output of this key and input", why=why)


def _must(holds: bool, why: str) -> None:
    if not holds:
        raise _invalid(why)


def _encode_to_curve(salt: bytes, alpha: bytes) -> bytes:
    """Try and increment (RFC 9381, 5.4.1.1): the first hash that is a point, times the cofactor."""
    for counter in range(256):
        found = sha512(_ENCODE_TO_CURVE + salt + alpha + bytes([counter]) + _BACK).digest()[:32]
        if not _is_canonical(found):
            continue
        try:
            point = _times_cofactor(found)
        except RuntimeError:  # how the binding says that no point has this encoding
            continue
        if point != _IDENTITY:
            return point
    raise _invalid("256 hashes of the input in a row are no points")


def _is_canonical(point: bytes) -> bool:
    """RFC 8032, 5.1.3: y below the field prime, and no sign where x is 0, which is so for y = 1 and y = -1 alone."""
    number = int.from_bytes(point, "little")
    y = number & (2**255 - 1)
    return y < _FIELD and (y == number or y not in (1, _FIELD - 1))


def _checked_multiply(scalar: bytes, point: bytes, name: str) -> bytes:
    _must(_is_canonical(point), f"{name} is not a canonical point")
    try:
        # refuses what is off the curve and out of the prime-order subgroup (since libsodium's fix of CVE-2025-69277)
        return sodium.crypto_scalarmult_ed25519_noclamp(scalar, point)
    except RuntimeError as error:
        raise _invalid(f"{name} is not in the prime-order subgroup") from error


def _times_cofactor(point: bytes) -> bytes:
    for _ in range(3):
        point = sodium.crypto_core_ed25519_add(point, point)
    return point


def _challenge(public: bytes, point: bytes, gamma: bytes, u: bytes, v: bytes) -> bytes:
    return sha512(_CHALLENGE + public + point + gamma + u + v + _BACK).digest()[:16]
