"""Whatever is sent, the notary answers; however requests are gathered, the verdicts are the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.notary.notaries import (
    HOUR_MS,
    NOW,
    A,
    B,
    C,
    Ledger,
    Notary,
    Org,
    Words,
    claim,
    claim_hash,
    create,
    exercise,
    fetch,
    lock_request,
    made,
    reserve_request,
)

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.time import Instant
from interfirm.ledger import tree
from interfirm.ledger.signing import WITHDRAWAL
from interfirm.notary.admission import admit
from interfirm.notary.types import (
    Ask,
    Done,
    Finish,
    Follow,
    Free,
    Import,
    Refused,
    Request,
    Settle,
    Subscribe,
    Unlock,
    Unsubscribe,
    Withdraw,
    ref_key,
)
from interfirm.notary.wire import decode_request, encode_request


class Setting:
    """A notary in the middle of its life, and one valid request of each kind."""

    def __init__(self) -> None:
        words = Words()
        self.other = Notary("other", words=words).with_orgs()
        self.notary = Notary("n", words=words).with_orgs()
        self.ledger = Ledger(self.notary.id)
        refs = [made(self.notary, self.ledger, A, B) for _ in range(4)]
        until = NOW.plus_ms(HOUR_MS)
        locks = [lock_request(self.notary, self.ledger, ref, A, B, to=self.other.id, until=until) for ref in refs[:2]]
        self.notary.done(locks[0])
        lock = self.notary.done(locks[0])
        reserve = reserve_request(A, "9", notary=self.other.id, transaction=digest("t"), until=until)
        draft = self.ledger.draft(
            create(0, A, claims=[claim(A, "1")]), exercise(1, refs[2], A, B), fetch(2, refs[3], A)
        )
        self.requests: list[Request] = [
            self.ledger.signed(draft),
            Withdraw(transaction=draft.id, signature=A.sign(draft.id, WITHDRAWAL)),
            locks[1],
            Import(
                origin=self.notary.id, ref=refs[0], until=until, nonce=locks[0].nonce,
                commitment=tree.confirmers_commitment(locks[0].opening.salt, locks[0].opening.confirmers),
                receipt=self.notary.receipt(lock),
            ),
            Finish(lock=lock.id, receipt=self.other.id + b":" + digest("import", lock.id)),
            Unlock(lock=lock.id, statement=self.other.statement("imported", lock.id)),
            Org("new").registration(self.notary.id),
            A.rotation()[0],
            C.revocation(),
            Follow(identity=A.id, statement=self.other.statement("key", A.id)),
            reserve,
            Settle(owner=A.id, claim=claim_hash(A, "9"), receipt=self.other.id + b":" + digest("t")),
            Free(owner=A.id, claim=claim_hash(A, "9"), statement=self.other.statement("accepted", digest("t"))),
            Subscribe(kind="ref", subject=ref_key(refs[3])),
            Unsubscribe(kind="ref", subject=ref_key(refs[3])),
            Ask(kind="unspent", subject=ref_key(refs[2])),
        ]  # fmt: skip


SETTING = Setting()
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.binary(max_size=40), st.text(max_size=10),
    st.just(bytes(32)), st.sampled_from(["ask", "notarise", "create", "consume", "ed25519", "p256", "party"]),
    st.lists(st.integers(0, 9), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(0, 3), max_size=1),
)  # fmt: skip


def places(value: Any, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Paths to every part of nested lists."""
    found = [path] if path else []
    if isinstance(value, list):
        for i, item in enumerate(value):
            found += places(item, (*path, i))
    return found


def changed(value: Any, path: tuple[int, ...], change: Any) -> Any:
    """Nested lists with the part at a path replaced, dropped (`DROP`) or doubled (`DOUBLE`)."""
    head, *rest = path
    part = list(value)
    if rest:
        part[head] = changed(part[head], tuple(rest), change)
    elif change is DROP:
        del part[head]
    elif change is DOUBLE:
        part.insert(head, part[head])
    else:
        part[head] = change
    return part


DROP, DOUBLE = object(), object()


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_a_request_changed_anywhere_is_answered(data: st.DataObject) -> None:
    plain = codec.plain(data.draw(st.sampled_from(SETTING.requests)))
    for _ in range(data.draw(st.integers(1, 3))):
        found = places(plain)
        if found:
            change = data.draw(st.one_of(LEAVES, st.just(DROP), st.just(DOUBLE)))
            plain = changed(plain, data.draw(st.sampled_from(found)), change)
    request = decoded(codec.encode_plain(plain))
    if not isinstance(request, str):
        (answer,) = SETTING.notary.judge(request).answers
        codec.encode(answer)
    else:
        assert request.startswith(("codec.", "instant.", "window."))


def decoded(data: bytes) -> Any:
    """The request in a block, or the code of its refusal; nothing else may be raised."""
    try:
        return decode_request(data)
    except Refusal as refusal:
        return refusal.code


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_random_bytes_are_refused_as_such(data: bytes) -> None:
    request = decoded(data)
    assert request.startswith("codec.") if isinstance(request, str) else encode_request(request) == data


@settings(max_examples=100)
@given(st.sampled_from(SETTING.requests), st.data())
def test_cut_or_lengthened_blocks_are_refused(request: Request, data: st.DataObject) -> None:
    block = encode_request(request)
    cut = data.draw(st.integers(0, len(block) - 1))
    for wrong in (block[:cut], block + data.draw(st.binary(min_size=1, max_size=4))):
        assert decoded(wrong) in ("codec.malformed", "codec.not-canonical", "codec.shape")


def test_the_requests_are_valid_each_in_its_place() -> None:
    """The seeds of the mutations above reach deep: nearly all are accepted as they are."""
    codes = [
        answer.code
        for request in SETTING.requests
        for answer in SETTING.notary.judge(request).answers
        if isinstance(answer, Refused)
    ]
    assert sorted(codes) == [
        "claim.not-reserved", "claim.not-reserved", "move.receipt", "move.statement", "receipt.notary",
        "registry.follows",
    ]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, len(SETTING.requests) - 1), max_size=8), st.data())
def test_verdicts_do_not_depend_on_how_requests_are_gathered(order: list[int], data: st.DataObject) -> None:
    requests = [SETTING.requests[number] for number in order]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(requests)))))
    whole, parts = Copy(SETTING.notary), Copy(SETTING.notary)
    together = whole.block(*requests)
    apart = [
        answer
        for start, end in zip([0, *cuts], [*cuts, len(requests)], strict=True)
        for answer in parts.block(*requests[start:end])
    ]
    assert [_verdict(answer) for answer in together] == [_verdict(answer) for answer in apart]
    assert {k for k in whole.state if k[0] != "meta"} == {k for k in parts.state if k[0] != "meta"}


class Copy(Notary):
    """A notary of its own with another's state."""

    def __init__(self, other: Notary) -> None:
        super().__init__(other.genesis.label, words=Words())
        self.words, self.state = other.words, dict(other.state)
        self.height, self.now = other.height, other.now


def _verdict(answer: Any) -> object:
    return answer.id if isinstance(answer, Done) else getattr(answer, "code", answer.__class__)


@settings(max_examples=200)
@given(st.lists(st.integers(0, 40_000), max_size=60), st.integers(1, 9))
def test_no_stretch_of_time_sees_more_requests_than_a_share_and_what_grew_back(steps: list[int], share: int) -> None:
    now, used, admitted = NOW.ms, 0, list[int]()
    for step in steps:
        now += step
        try:
            used = admit(used, Instant(now), per_minute=share)
        except Refusal:
            continue
        admitted.append(now)
    for i, start in enumerate(admitted):
        for j in range(i, len(admitted)):
            assert j - i + 1 <= share + (admitted[j] - start) * share / 60_000
