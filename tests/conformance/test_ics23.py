"""Proofs of the store before cosmos/ics23's own verifier: it takes ours and refuses forged ones, as ours does."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from hashlib import sha256

import pytest
from tests.support.judges import Ics23Judge, Question

from interfirm.base.errors import Refusal
from interfirm.ledger.receipts.ics23 import (
    OUTER,
    SUBSTORE,
    Absence,
    Existence,
    Form,
    Proof,
    Step,
    decode,
    encode,
    varint,
    verify_absence,
    verify_existence,
)
from interfirm.notary.cometbft.store.layout import IBC, NOTARY
from interfirm.notary.cometbft.store.multistore import MultiStore, Proven
from interfirm.notary.cometbft.store.proofs import prove_root, roots_root
from interfirm.notary.state import ACCEPTED, META, REFS, SUBSCRIPTIONS

FORMS = {"iavl": SUBSTORE, "tendermint": OUTER}
SPACES = (REFS, ACCEPTED, META, SUBSCRIPTIONS, IBC)
Values = dict[tuple[str, bytes], bytes]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Ics23Judge:
    return Ics23Judge(tmp_path_factory.mktemp("judge"))


def key_of(space: str, n: int) -> bytes:
    """The n-th key of a space: a ref, a hash, a name of any length, a path of an IBC channel."""
    digest = sha256(b"%s %d" % (space.encode(), n)).digest()
    if space == REFS:
        return sha256(b"%d" % (n // 3)).digest() + (n % 3).to_bytes(4, "big")
    if space == META:
        return digest[: 1 + n % 5] + b"\x00" * (n % 3)
    if space == IBC:
        return b"commitments/ports/transfer/channels/channel-%d/sequences/%d" % (n % 7, n)
    return digest


class Kept:
    """A store of some heights with the values of each."""

    def __init__(self, count: int, heights: int = 1) -> None:
        self.store = MultiStore(NOTARY)
        self.values: dict[int, Values] = {0: {}}
        chance = random.Random(count)
        for height in range(1, heights + 1):
            wanted = {
                (space, key_of(space, chance.randrange(count))): b"v%d" % height
                for space in SPACES
                for _ in range(count)
            }
            gone = {name: None for name in self.values[height - 1] if chance.random() < 0.3}
            changes = NOTARY.stored(wanted) | gone
            self.store.apply(height, changes)
            self.values[height] = {k: v for k, v in (self.values[height - 1] | changes).items() if v is not None}

    def prove(self, space: str, key: bytes, height: int | None = None) -> Proven:
        at = self.store.height if height is None else height
        return self.store.prove(space, key, lambda *name: self.values[at][name], height=at)


def asked(proven: Proven) -> list[Question]:
    """A proven value is two questions: of the key in its space, and of the space's root."""
    outer = decode(proven.proofs[1])
    assert isinstance(outer, Existence)
    return [
        Question("iavl", outer.value, proven.proofs[0], proven.key, proven.value),
        Question("tendermint", proven.root, proven.proofs[1], outer.key, outer.value),
    ]


def we_accept(question: Question) -> bool:
    """Our own verdict."""
    form = FORMS[question.spec]
    try:
        if question.value is None:
            verify_absence(question.proof, form=form, root=question.root, key=question.key)
        else:
            verify_existence(question.proof, form=form, root=question.root, key=question.key, value=question.value)
    except Refusal:
        return False
    return True


def agreed(judge: Ics23Judge, questions: Sequence[Question]) -> set[bool]:
    """The verdicts, on which the judge and our verifier agree."""
    verdicts = judge.accepts(questions)
    assert verdicts == [we_accept(question) for question in questions]
    return set(verdicts)


def near(key: bytes) -> list[bytes]:
    """Keys next to a key: longer, shorter, with one bit changed."""
    flipped = [key[:at] + bytes((key[at] ^ 1 << at % 8,)) + key[at + 1 :] for at in (0, len(key) // 2, len(key) - 1)]
    return [key + b"\x00", key + b"\xff", key[:-1], *flipped]


def test_a_thousand_proofs_of_existence_are_accepted(judge: Ics23Judge) -> None:
    kept = Kept(400)
    names = random.Random(1).sample(sorted(kept.values[1]), 1000)
    assert agreed(judge, [question for name in names for question in asked(kept.prove(*name))]) == {True}


def test_thousands_of_proofs_of_absence_are_accepted(judge: Ics23Judge) -> None:
    kept = Kept(300)
    values = kept.values[1]
    names = {(space, other) for space, key in values for other in near(key)}
    names |= {(space, end) for space in NOTARY.names() for end in (b"\x00\x00", b"\x01", b"\xff" * 40)}
    absent = sorted(name for name in names if name not in values and name[1] not in (b"", b"\x00"))
    chosen = random.Random(2).sample(absent, 4000)
    proven = [kept.prove(*name) for name in chosen]
    assert all(each.value is None for each in proven)
    assert agreed(judge, [asked(each)[0] for each in proven]) == {True}
    assert agreed(judge, [asked(each)[1] for each in proven[:100]]) == {True}


def test_proofs_of_earlier_heights_are_accepted(judge: Ics23Judge) -> None:
    kept = Kept(60, heights=6)
    kept.store.prune(2)
    questions = []
    for height in range(2, 7):
        for name in random.Random(height).sample(sorted(kept.values[3] | kept.values[6]), 80):
            proven = kept.prove(*name, height)
            assert proven.value == kept.values[height].get(name)
            questions += asked(proven)
    assert agreed(judge, questions) == {True}


def test_an_empty_store_proves_absence(judge: Ics23Judge) -> None:
    kept = Kept(1, heights=0)
    assert agreed(judge, [q for space in NOTARY.names() for q in asked(kept.prove(space, b"key", 0))]) == {True}


def test_forged_proofs_are_refused(judge: Ics23Judge) -> None:
    kept = Kept(100)
    present = random.Random(3).sample(sorted(kept.values[1]), 60)
    forged = []
    for space, key in present:
        here = asked(kept.prove(space, key))[0]
        gone = asked(kept.prove(space, key + b"\x01"))[0]
        forged += [change(question) for question in (here, gone) for change in FORGERIES]
        forged.append(around(kept, space, key))
    questions = [question for question in forged if question is not None]
    assert len(questions) > 1000
    assert agreed(judge, questions) == {False}


def around(kept: Kept, space: str, key: bytes) -> Question:
    """The absence of a key that is there, between the keys before and after it."""
    keys = sorted(other for name, other in kept.values[kept.store.height] if name == space)
    at = keys.index(key)
    sides = [kept.prove(space, other) for other in keys[max(at - 1, 0) : at] + keys[at + 1 : at + 2]]
    shown = [proof for proof in (decode(side.proofs[0]) for side in sides) if isinstance(proof, Existence)]
    left = next((proof for proof in shown if proof.key < key), None)
    right = next((proof for proof in shown if proof.key > key), None)
    return asked(kept.prove(space, key))[0]._replace(proof=encode(Absence(key, left, right)), value=None)


def changed(change: Callable[[Proof], Proof | None]) -> Callable[[Question], Question | None]:
    """A forgery that changes the proof."""

    def forge(question: Question) -> Question | None:
        proof = change(decode(question.proof))
        return None if proof is None else question._replace(proof=encode(proof))

    return forge


def each_path(change: Callable[[tuple[Step, ...]], tuple[Step, ...]]) -> Callable[[Question], Question | None]:
    """A forgery that changes the path of an existence, or of one neighbour."""

    def forge(proof: Proof) -> Proof | None:
        shown = proof if isinstance(proof, Existence) else proof.left
        if shown is None or not shown.path:
            return None
        shown = shown.replace(path=change(shown.path))
        return shown if isinstance(proof, Existence) else proof.replace(left=shown)

    return changed(forge)


def turned(step: Step) -> Step:
    """A step that comes from the other side."""
    if step.suffix:
        return SUBSTORE.step(1, step.suffix[1:])
    return SUBSTORE.step(0, step.prefix[len(SUBSTORE.inner) + 1 : -1])


FORGERIES: list[Callable[[Question], Question | None]] = [
    lambda q: q._replace(root=sha256(q.root).digest()),
    lambda q: None if q.value is None else q._replace(key=q.key + b"\x02"),
    lambda q: q._replace(value=b"other" if q.value is None else None),
    lambda q: None if q.value is None else q._replace(value=q.value + b"\x00"),
    lambda q: q._replace(proof=q.proof[:-1]),
    each_path(lambda path: path[1:]),
    each_path(lambda path: path[:-1]),
    each_path(lambda path: (*path, path[-1])),
    each_path(lambda path: (turned(path[0]), *path[1:])),
    each_path(lambda path: path * 129),
    each_path(lambda path: (Step(SUBSTORE.leaf + path[0].prefix, path[0].suffix), *path[1:])),
    each_path(lambda path: (Step(path[0].prefix, path[0].suffix + SUBSTORE.step(0, bytes(32)).suffix), *path[1:])),
    changed(lambda proof: proof.replace(right=None) if isinstance(proof, Absence) and proof.right else None),
    changed(lambda proof: proof.replace(left=None) if isinstance(proof, Absence) and proof.left else None),
    changed(lambda proof: proof.replace(left=proof.right, right=proof.left) if isinstance(proof, Absence) else None),
    changed(lambda proof: proof.replace(leaf=b"\x00\x02") if isinstance(proof, Existence) else None),
    changed(lambda proof: proof.replace(value=proof.value + b"\x00") if isinstance(proof, Existence) else None),
]


# why the form is as it is ---------------------------------------------------------------------------------------------

TARGET, PLANTED, LAST = b"receipts/order-7", b"receipts/order-8\x01a", b"receipts/order-9"
"""What a forger wants gone; the key that it stores; the next one. One byte of `PLANTED` says how many follow it."""
STORED = {TARGET: b"received", PLANTED: b"harmless", LAST: b"received"}


def re_read(true: Existence, form: Form) -> list[Existence]:
    """Every way in which a leaf's bytes make a leaf of another key: its first bytes taken for a longer prefix."""
    head = form.leaf + varint(len(true.key)) + true.key
    found = []
    for at in range(len(form.leaf) + 1, len(head)):
        if head[at] == len(head) - at - 1 > 0:
            found.append(true.replace(leaf=head[:at], key=head[at + 1 :]))
    return found


def test_a_plain_simple_map_under_free_keys_lets_a_stored_key_be_shown_absent(judge: Ics23Judge) -> None:
    rows = sorted((key.decode(), value) for key, value in STORED.items())
    root = roots_root(rows)
    shown = {key: prove_root(rows, key.decode()) for key in STORED}
    (forged,) = re_read(shown[PLANTED], OUTER)
    assert forged.key == b"a" < TARGET
    absent = Question("tendermint", root, encode(Absence(TARGET, forged, shown[LAST])), TARGET, None)
    there = Question("tendermint", root, encode(shown[TARGET]), TARGET, STORED[TARGET])
    assert judge.accepts([there, absent]) == [True, True], "the same root both holds the key and does not"
    assert we_accept(there)
    with pytest.raises(Refusal) as refused:
        verify_absence(absent.proof, form=OUTER, root=root, key=TARGET)
    assert refused.value.code == "proof.form"


def test_the_same_keys_in_our_store_have_one_reading(judge: Ics23Judge) -> None:
    store = MultiStore(NOTARY)
    store.apply(1, {(IBC, key): value for key, value in STORED.items()})
    outer, shown = b"", {}
    for key in STORED:
        proven = store.prove(IBC, key, lambda _, other: STORED[other], height=1)
        proof, over = (decode(part) for part in proven.proofs)
        assert isinstance(proof, Existence)
        assert isinstance(over, Existence)
        shown[key], outer = proof, over.value
    forgeries = [forged for proof in shown.values() for forged in re_read(proof, SUBSTORE)]
    assert [forged.key for forged in forgeries] == [b"a"]
    questions = [Question("iavl", outer, encode(forged), forged.key, forged.value) for forged in forgeries]
    questions += [
        Question("iavl", outer, encode(Absence(TARGET, forged, shown[LAST])), TARGET, None) for forged in forgeries
    ]
    assert agreed(judge, questions) == {False}
    assert agreed(judge, [Question("iavl", outer, encode(shown[k]), k, v) for k, v in STORED.items()]) == {True}


def test_no_name_of_a_space_can_be_re_read() -> None:
    roots = [(name, sha256(name.encode()).digest()) for name in NOTARY.names()]
    assert not [forged for name, _ in roots for forged in re_read(prove_root(roots, name), OUTER)]


def test_our_verifier_takes_no_other_leaf_than_ours() -> None:
    kept = Kept(5)
    space, key = sorted(kept.values[1])[0]
    question = asked(kept.prove(space, key))[0]
    proof = decode(question.proof)
    assert isinstance(proof, Existence)
    other = proof.replace(leaf=b"\x00\x02\x04")  # IAVL's, at another version
    with pytest.raises(Refusal) as refused:
        verify_existence(encode(other), form=SUBSTORE, root=question.root, key=key, value=proof.value)
    assert refused.value.code == "proof.form"
