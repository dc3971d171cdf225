"""ICS-23 proofs of a notary's store: their bytes, and a verifier that takes one form of them (cosmos.ics23.v1).

A proof shows that a root holds a key with a value, or that it lies between two neighbours and is not there. Two forms
exist here: `SUBSTORE` (IAVL's node bytes) and `OUTER` (Tendermint's simple map of substore roots). Other verifiers of
ICS-23 take these and more; this one demands every byte of a node that is not key, value or hash, because a leaf whose
prefix may be longer can be re-read as a leaf of another key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value

DEPTH_MAX = 128
"""Steps of one path; ICS-23's own bound where a specification names none."""
HASH_BYTES = 32
SPACE_CHARS_MAX = 96
"""A byte of a lower-case name is at least 97: none can equal the number of bytes after it."""


class Step(Value, frozen=True):
    """One inner node of a path: the bytes around the hash of the child that the path comes from (InnerOp)."""

    prefix: bytes
    suffix: bytes


class Existence(Value, frozen=True):
    """A key, its value, the bytes before them in their leaf, and the path from there to the root (ExistenceProof)."""

    key: bytes
    value: bytes
    leaf: bytes
    path: tuple[Step, ...]


class Absence(Value, frozen=True):
    """A key that is not there, and its neighbours; None where the key lies beyond an end (NonExistenceProof)."""

    key: bytes
    left: Existence | None
    right: Existence | None


Proof = Existence | Absence


class Form(Value, frozen=True):
    """The bytes that stand in each leaf before the key, in each inner node before its children, and before each."""

    leaf: bytes
    inner: bytes
    child: bytes

    def step(self, side: int, sibling: bytes) -> Step:
        """The step of a path that comes from the left (0) or the right (1) child."""
        if side:
            return Step(self.inner + self.child + sibling + self.child, b"")
        return Step(self.inner + self.child, self.child + sibling)

    def leaf_hash(self, key: bytes, value: bytes) -> bytes:
        """The hash of the leaf of a key and a value."""
        return sha256(self.leaf + varint(len(key)) + key + b"\x20" + sha256(value).digest()).digest()

    def node_hash(self, left: bytes, right: bytes) -> bytes:
        """The hash of an inner node."""
        return sha256(self.inner + self.child + left + self.child + right).digest()


SUBSTORE = Form(leaf=b"\x00\x02\x02", inner=b"\x80\x02\x02\x02", child=b"\x20")
"""IAVL: height, size, version as signed varints, then length-prefixed bytes. A leaf says 0, 1, 1; an inner node 128
(its verifiers ask that it be no less than the layer), 1, 1: what a node says depends on nothing but the keys."""
OUTER = Form(leaf=b"\x00", inner=b"\x01", child=b"")
"""Tendermint's simple map (RFC 9162 prefixes). Only for fixed lower-case names: see `SPACE_CHARS_MAX`."""


def verify_existence(data: bytes, *, form: Form, root: bytes, key: bytes, value: bytes) -> Existence:
    """The proof that `root` holds `value` at `key`.

    Raises Refusal `proof.malformed`, `.kind`, `.key`, `.value`, `.form`, `.depth`, `.root`.
    """
    proof = decode(data)
    if not isinstance(proof, Existence):
        raise Refusal("proof.kind", "a proof of absence where existence is to be shown")
    check(proof.key == key, "proof.key", "the proof is of another key", expected=key, found=proof.key)
    check(proof.value == value, "proof.value", "the proof is of another value", key=key)
    return _under(root, proof, form)


def verify_absence(data: bytes, *, form: Form, root: bytes, key: bytes) -> Absence:
    """The proof that `root` holds nothing at `key`.

    Raises Refusal as `verify_existence`, and `proof.neighbours` where what is shown leaves room between.
    """
    proof = decode(data)
    if not isinstance(proof, Absence):
        raise Refusal("proof.kind", "a proof of existence where absence is to be shown")
    check(proof.key == key, "proof.key", "the proof is of another key", expected=key, found=proof.key)
    for neighbour in (proof.left, proof.right):
        if neighbour is not None:
            _under(root, neighbour, form)
    apart = (proof.left is None or proof.left.key < key) and (proof.right is None or key < proof.right.key)
    check(
        apart and _adjacent(proof, form), "proof.neighbours", "what is shown does not enclose the key closely", key=key
    )
    return proof


def verify_stored(proofs: Sequence[bytes], *, root: bytes, space: str, key: bytes, value: bytes | None) -> bytes:
    """The root of the substore `space`, below the store's `root`, that holds `value` at `key`, or nothing (None).

    `proofs` are two: of the key in the substore, and of the substore's root under its name. `key` is the key as
    stored. Raises Refusal `proof.space` and those of `verify_existence` and `verify_absence`.
    """
    check(len(proofs) == 2, "proof.malformed", "one proof for the key and one for its space", proofs=len(proofs))
    check_space(space)
    outer = decode(proofs[1])
    substore = outer.value if isinstance(outer, Existence) else b""
    verify_existence(proofs[1], form=OUTER, root=root, key=space.encode(), value=substore)
    if value is None:
        verify_absence(proofs[0], form=SUBSTORE, root=substore, key=key)
    else:
        verify_existence(proofs[0], form=SUBSTORE, root=substore, key=key, value=value)
    return substore


def check_space(name: str) -> str:
    """The name, which is of lower-case ASCII letters and short; Refusal `proof.space` for any other."""
    fits = 0 < len(name) <= SPACE_CHARS_MAX and all("a" <= char <= "z" for char in name)
    check(fits, "proof.space", "a space has a short name of lower-case letters", name=name)
    return name


def _under(root: bytes, proof: Existence, form: Form) -> Existence:
    found = root_of(proof, form)
    check(found == root, "proof.root", "the proof leads to another root", expected=root, found=found)
    return proof


def root_of(proof: Existence, form: Form) -> bytes:
    """The root that a proof leads to; Refusal `proof.form` or `proof.depth` where no node of the form is like that."""
    check(proof.leaf == form.leaf, "proof.form", "not the leaf of this form", prefix=proof.leaf)
    check(bool(proof.key and proof.value), "proof.form", "keys and values are not empty")
    check(len(proof.path) <= DEPTH_MAX, "proof.depth", "the path is too long", steps=len(proof.path))
    found = form.leaf_hash(proof.key, proof.value)
    for step in proof.path:
        _side(step, form)
        found = sha256(step.prefix + found + step.suffix).digest()
    return found


def _side(step: Step, form: Form) -> int:
    """0 where the path comes from the left child, 1 from the right; Refusal `proof.form` for any other node."""
    opening = len(form.inner + form.child)
    for side, sibling in enumerate((step.suffix[-HASH_BYTES:], step.prefix[opening : opening + HASH_BYTES])):
        if len(sibling) == HASH_BYTES and step == form.step(side, sibling):
            return side
    raise Refusal("proof.form", "not an inner node of this form", prefix=step.prefix, suffix=step.suffix)


def _adjacent(proof: Absence, form: Form) -> bool:
    """Whether no leaf lies between the neighbours, whose proofs lead to one root."""
    left = [] if proof.left is None else list(proof.left.path)
    right = [] if proof.right is None else list(proof.right.path)
    if proof.left is not None and proof.right is not None:
        while left and right and left[-1] == right[-1]:
            del left[-1], right[-1]
        if not (left and right) or (_side(left.pop(), form), _side(right.pop(), form)) != (0, 1):
            return False
    present = proof.left is not None or proof.right is not None
    return present and all(_side(step, form) for step in left) and not any(_side(step, form) for step in right)


# bytes ----------------------------------------------------------------------------------------------------------------

_LEAF_START = b"\x08\x01\x18\x01\x20\x01\x2a"  # hash SHA256, key as it is, value by SHA256, lengths as varints; prefix
_INNER_START = b"\x08\x01"  # hash SHA256


_SHORT = tuple(bytes((number,)) for number in range(0x80))


def varint(number: int) -> bytes:
    """An unsigned number as protobuf writes it."""
    if number < 0x80:
        return _SHORT[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode(proof: Proof) -> bytes:
    """A proof as a CommitmentProof of cosmos.ics23.v1: fields in ascending order, nothing that is empty."""
    if isinstance(proof, Existence):
        return _field(1, _existence(proof))
    left = b"" if proof.left is None else _field(2, _existence(proof.left))
    right = b"" if proof.right is None else _field(3, _existence(proof.right))
    return _field(2, _field(1, proof.key) + left + right)


def decode(data: bytes) -> Proof:
    """The proof that `encode` writes as these bytes; Refusal `proof.malformed` for all others, `proof.depth`."""
    parts = list(_fields(data))
    if len(parts) != 1 or parts[0][0] not in (1, 2):
        raise _malformed()
    number, body = parts[0]
    proof = _read_existence(body) if number == 1 else _read_absence(body)
    if encode(proof) != data:
        raise _malformed()
    return proof


def _field(number: int, data: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + varint(len(data)) + data if data else b""


def _existence(proof: Existence) -> bytes:
    leaf = _field(3, _LEAF_START + varint(len(proof.leaf)) + proof.leaf)
    path = [_field(4, _INNER_START + _field(2, step.prefix) + _field(3, step.suffix)) for step in proof.path]
    return _field(1, proof.key) + _field(2, proof.value) + leaf + b"".join(path)


def _read_absence(data: bytes) -> Absence:
    parts = dict(_fields(data))
    left, right = parts.get(2), parts.get(3)
    return Absence(
        key=parts.get(1, b""),
        left=None if left is None else _read_existence(left),
        right=None if right is None else _read_existence(right),
    )


def _read_existence(data: bytes) -> Existence:
    parts = list(_fields(data))
    single = dict(parts)
    steps = [body for number, body in parts if number == 4]
    check(len(steps) <= DEPTH_MAX, "proof.depth", "the path is too long", steps=len(steps))
    path = []
    for body in steps:
        step = dict(_fields(body.removeprefix(_INNER_START)))
        path.append(Step(step.get(2, b""), step.get(3, b"")))
    leaf = dict(_fields(single.get(3, b"").removeprefix(_LEAF_START[:-1]))).get(5, b"")
    return Existence(single.get(1, b""), single.get(2, b""), leaf, tuple(path))


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a message; whoever reads writes the result again and compares."""
    at = 0
    while at < len(data):
        number, kind = data[at] >> 3, data[at] & 7
        size, at = _read_varint(data, at + 1)
        if kind != 2 or at + size > len(data):
            raise _malformed()
        yield number, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            raise _malformed()
        number |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return number, at
    raise _malformed()


def _malformed() -> Refusal:
    return Refusal("proof.malformed", "these bytes are not a proof in its one spelling")
