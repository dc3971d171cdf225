"""Requests and answers as blocks, and signatures verified in another process."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.notary.notaries import NOW, A, Ledger, Notary, claim, create

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.signatures import Ed25519Signer
from interfirm.notary.solo.verifier import verdicts
from interfirm.notary.types import Ask, Done
from interfirm.notary.wire import (
    Answered,
    Collected,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
    expect,
    refused,
)

DONE = Done(id=digest("t"), height=1, time=NOW, registry_height=0)


def test_requests_and_answers_survive_the_wire() -> None:
    notary = Notary().with_orgs()
    request = Ledger(notary.id).request(create(0, A, claims=[claim(A, "1")]))
    assert decode_request(encode_request(request)) == request
    for answered in (
        Answered(answer=DONE, receipt=b"receipt"),
        Answered(answer=notary.says("key", A.id), statement=b"statement"),
        refused(Refusal("notary.busy", "too many requests wait", count_max=3)),
    ):
        assert decode_answer(encode_answer(answered)) == answered


def test_an_answer_is_what_was_expected_or_raises() -> None:
    assert expect(Answered(answer=DONE), Done) == DONE
    with pytest.raises(Refusal) as refusal:
        expect(refused(Refusal("notary.busy", "too many requests wait", count_max=3)), Done)
    assert (refusal.value.code, refusal.value.values) == ("notary.busy", {"count_max": 3})
    with pytest.raises(Refusal) as refusal:
        expect(Answered(answer=Collected(seals=b"")), Done)
    assert refusal.value.code == "notary.answer"


def test_a_request_with_more_than_its_type_has_is_refused() -> None:
    block = encode_request(Ask(kind="key", subject=A.id))
    longer = b"\x84" + block[1:] + b"\xf6"
    with pytest.raises(Refusal) as refusal:
        decode_request(longer)
    assert refusal.value.code == "codec.shape"


def test_verdicts_come_in_order() -> None:
    signer = Ed25519Signer(digest("signer"))
    good, key = signer.sign(b"message"), signer.public
    job = [(key.scheme, key.key, b"message", good), (key.scheme, key.key, b"other", good), (key.scheme, b"", b"", b"")]
    assert verdicts(msgspec.msgpack.encode(job)) == b"\x01\x00\x00"
