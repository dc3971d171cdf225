"""The verifier of ICS-23 proofs: what it takes, and the rule by which it refuses each lie. cosmos/ics23 judges both."""

from __future__ import annotations

from hashlib import sha256

import pytest
from tests.support.refusals import refused

from interfirm.base.errors import Refusal
from interfirm.ledger.receipts.ics23 import (
    DEPTH_MAX,
    OUTER,
    SUBSTORE,
    Absence,
    Existence,
    Step,
    decode,
    encode,
    root_of,
    varint,
    verify_absence,
    verify_existence,
    verify_stored,
)

KEYS = [b"a", b"b", b"c", b"d"]
LEAVES = [SUBSTORE.leaf_hash(key, b"value") for key in KEYS]
SIDES = [SUBSTORE.node_hash(*LEAVES[:2]), SUBSTORE.node_hash(*LEAVES[2:])]
ROOT = SUBSTORE.node_hash(*SIDES)


def shown(n: int) -> Existence:
    """The n-th of four keys."""
    steps = (SUBSTORE.step(n & 1, LEAVES[n ^ 1]), SUBSTORE.step(n >> 1, SIDES[(n >> 1) ^ 1]))
    return Existence(KEYS[n], b"value", SUBSTORE.leaf, steps)


def existence(proof: Existence, key: bytes = b"b", value: bytes = b"value", root: bytes = ROOT) -> Existence:
    return verify_existence(encode(proof), form=SUBSTORE, root=root, key=key, value=value)


def absence(key: bytes, left: Existence | None, right: Existence | None) -> Absence:
    return verify_absence(encode(Absence(key, left, right)), form=SUBSTORE, root=ROOT, key=key)


@pytest.mark.parametrize("n", range(4))
def test_a_key_with_its_value_is_shown(n: int) -> None:
    assert existence(shown(n), KEYS[n]) == shown(n)


@pytest.mark.parametrize(("key", "at"), [(b"A", 0), (b"aa", 1), (b"bb", 2), (b"cc", 3), (b"e", 4)])
def test_a_gap_between_neighbours_or_beyond_an_end_is_shown(key: bytes, at: int) -> None:
    left, right = shown(at - 1) if at else None, shown(at) if at < 4 else None
    assert absence(key, left, right) == Absence(key, left, right)


@pytest.mark.parametrize(("left", "right"), [(0, 2), (1, 3), (0, 3), (None, 1), (2, None)])
def test_neighbours_with_a_key_between_them_are_refused(left: int | None, right: int | None) -> None:
    key = b"a" if left is None else KEYS[left] + b"a"
    key = b"A" if left is None else key
    sides = (None if left is None else shown(left), None if right is None else shown(right))
    with pytest.raises(Refusal) as caught:
        absence(key, *sides)
    assert caught.value.code == "proof.neighbours"


@refused("proof.neighbours")
def test_an_absence_without_neighbours_is_refused() -> None:
    absence(b"bb", None, None)


@refused("proof.neighbours")
def test_neighbours_in_the_wrong_order_are_refused() -> None:
    absence(b"bb", shown(2), shown(1))


@refused("proof.neighbours")
def test_one_leaf_twice_is_no_gap() -> None:
    absence(b"bb", shown(1), shown(1))


@refused("proof.key")
def test_the_absence_of_another_key_is_refused() -> None:
    verify_absence(encode(Absence(b"bb", shown(1), shown(2))), form=SUBSTORE, root=ROOT, key=b"bc")


@refused("proof.kind")
def test_existence_does_not_show_absence() -> None:
    verify_absence(encode(shown(1)), form=SUBSTORE, root=ROOT, key=b"b")


@refused("proof.kind")
def test_absence_does_not_show_existence() -> None:
    verify_existence(encode(Absence(b"bb", shown(1), shown(2))), form=SUBSTORE, root=ROOT, key=b"bb", value=b"value")


@refused("proof.key")
def test_another_key_is_refused() -> None:
    existence(shown(1), key=b"c")


@refused("proof.value")
def test_another_value_is_refused() -> None:
    existence(shown(1), value=b"other")


@refused("proof.root")
def test_another_root_is_refused() -> None:
    existence(shown(1), root=bytes(32))


@refused("proof.root")
def test_a_shorter_path_leads_elsewhere() -> None:
    existence(shown(1).replace(path=shown(1).path[:1]))


@refused("proof.form")
def test_an_empty_value_is_refused() -> None:
    existence(shown(1).replace(value=b""), value=b"")


@pytest.mark.parametrize("prefix", [b"", b"\x00", b"\x00\x02\x04", b"\x00\x02\x02\x01", b"\x01\x02\x02"])
def test_a_leaf_with_any_other_byte_before_its_key_is_refused(prefix: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        existence(shown(1).replace(leaf=prefix))
    assert caught.value.code == "proof.form"


STEP = shown(1).path[0]
BENT = [
    Step(b"\x00" + STEP.prefix[1:], STEP.suffix),
    Step(STEP.prefix + b"\x20", STEP.suffix),
    Step(STEP.prefix[:-1], STEP.suffix),
    Step(STEP.prefix, b"\x20" + bytes(32)),
    Step(STEP.prefix[:5], b"\x21" + bytes(32)),
    Step(STEP.prefix[:5], b"\x20" + bytes(31)),
    Step(STEP.prefix[:5], b""),
    Step(b"\x80\x02\x02\x04" + STEP.prefix[4:], b""),
]


@pytest.mark.parametrize("step", BENT)
def test_an_inner_node_with_any_other_byte_around_its_children_is_refused(step: Step) -> None:
    with pytest.raises(Refusal) as caught:
        existence(shown(1).replace(path=(step, *shown(1).path[1:])))
    assert caught.value.code == "proof.form"


@pytest.mark.parametrize("steps", [DEPTH_MAX, DEPTH_MAX + 1])
def test_a_path_of_128_steps_is_taken_and_a_longer_one_is_not(steps: int) -> None:
    proof = shown(1).replace(path=(STEP,) * steps)
    root = LEAVES[1]
    for _ in range(steps):
        root = sha256(STEP.prefix + root + STEP.suffix).digest()
    if steps <= DEPTH_MAX:
        assert existence(proof, root=root) == proof
        return
    for verify in (lambda: existence(proof, root=root), lambda: root_of(proof, SUBSTORE)):
        with pytest.raises(Refusal) as caught:
            verify()
        assert caught.value.code == "proof.depth"


@pytest.mark.parametrize("proof", [shown(2), Absence(b"bb", shown(1), shown(2)), Absence(b"A", None, shown(0))])
def test_a_proof_has_one_spelling(proof: Existence | Absence) -> None:
    data = encode(proof)
    assert decode(data) == proof
    assert encode(decode(data)) == data
    for other in (
        b"",
        data[:-1],
        data + b"\x00",
        data + data,
        b"\x1a" + data[1:],
        b"\x08\x01",
        b"\x0a\xff\xff\xff\xff\xff\x7f",
    ):
        with pytest.raises(Refusal) as caught:
            decode(other)
        assert caught.value.code == "proof.malformed"


def test_every_byte_of_a_proof_counts() -> None:
    data = encode(shown(1))
    for at in range(len(data)):
        for bit in (1, 0x80):
            bent = data[:at] + bytes((data[at] ^ bit,)) + data[at + 1 :]
            with pytest.raises(Refusal):
                verify_existence(bent, form=SUBSTORE, root=ROOT, key=b"b", value=b"value")


@pytest.mark.parametrize(
    ("number", "data"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**32, "8080808010")]
)
def test_numbers_are_written_as_protobuf_does(number: int, data: str) -> None:
    assert varint(number).hex() == data


# a key in a space -----------------------------------------------------------------------------------------------------

OTHER = OUTER.leaf_hash(b"claims", bytes(32))
OVER = Existence(b"refs", ROOT, OUTER.leaf, (OUTER.step(1, OTHER),))
APP = OUTER.node_hash(OTHER, OUTER.leaf_hash(b"refs", ROOT))


def test_a_key_in_a_space_is_shown_and_so_is_its_absence() -> None:
    proofs = (encode(shown(1)), encode(OVER))
    assert verify_stored(proofs, root=APP, space="refs", key=b"b", value=b"value") == ROOT
    gap = (encode(Absence(b"bb", shown(1), shown(2))), encode(OVER))
    assert verify_stored(gap, root=APP, space="refs", key=b"bb", value=None) == ROOT


@refused("proof.key")
def test_another_space_is_refused() -> None:
    verify_stored((encode(shown(1)), encode(OVER)), root=APP, space="claims", key=b"b", value=b"value")


@refused("proof.root")
def test_a_substore_of_another_root_is_refused() -> None:
    over = encode(OVER.replace(value=bytes(32)))
    verify_stored((encode(shown(1)), over), root=APP, space="refs", key=b"b", value=b"value")


@refused("proof.kind")
def test_the_absence_of_a_space_shows_nothing() -> None:
    over = encode(Absence(b"refs", OVER, None))
    verify_stored((encode(shown(1)), over), root=APP, space="refs", key=b"b", value=b"value")


@refused("proof.malformed")
def test_one_proof_is_not_enough() -> None:
    verify_stored((encode(shown(1)),), root=APP, space="refs", key=b"b", value=b"value")


@pytest.mark.parametrize("name", ["", "Refs", "refs/1", "r\x02ab", "é", "a" * 97])
def test_a_space_whose_name_could_be_re_read_is_refused(name: str) -> None:
    with pytest.raises(Refusal) as caught:
        verify_stored((encode(shown(1)), encode(OVER)), root=APP, space=name, key=b"b", value=b"value")
    assert caught.value.code == "proof.space"
