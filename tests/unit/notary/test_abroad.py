"""Another notary's word counts by its anchor alone."""

from __future__ import annotations

import pytest
from tests.unit.notary.notaries import NOW, A, Notary

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.logtree import Frontier
from interfirm.notary.abroad import Anchors, anchor_of
from interfirm.notary.solo import receipts
from interfirm.notary.types import Done


@pytest.fixture
def other() -> Notary:
    return Notary("other").with_orgs()


def receipt(notary: Notary, name: bytes) -> bytes:
    """A real receipt of this notary's for an id."""
    done = Done(id=name, height=1, time=NOW, registry_height=0)
    _, batch = receipts.extend(Frontier(), [done], notary.signer, notary.anchor)
    return receipts.receipts_of(batch, Frontier(), [done])[name]


def code(call: object, *arguments: object) -> str:
    with pytest.raises(Refusal) as refusal:
        call(*arguments)  # type: ignore[operator] # a method
    return refusal.value.code


def test_an_anchor_follows_from_a_genesis(other: Notary) -> None:
    assert anchor_of(other.genesis) == other.anchor


def test_a_receipt_proves_the_id_it_names(other: Notary) -> None:
    assert Anchors([other.anchor]).receipt(other.id, receipt(other, digest("t"))) == digest("t")


def test_a_statement_is_believed_by_the_notarys_key(other: Notary) -> None:
    said = Anchors([other.anchor]).statement(other.id, other.statement("key", A.id))
    assert (said.kind, said.subject) == ("key", A.id)


def test_a_notary_without_an_anchor_is_a_stranger(other: Notary) -> None:
    assert code(Anchors().receipt, other.id, receipt(other, digest("t"))) == "notary.stranger"
    assert code(Anchors().statement, other.id, other.statement("key", A.id)) == "notary.stranger"


def test_one_notarys_word_is_not_anothers(other: Notary) -> None:
    third = Notary("third")
    known = Anchors([other.anchor, third.anchor])
    assert code(known.receipt, third.id, receipt(other, digest("t"))) == "receipt.notary"
    assert code(known.statement, third.id, other.statement("key", A.id)) == "notary.other-notary"
    assert code(known.receipt, other.id, b"junk") == "receipt.malformed"
