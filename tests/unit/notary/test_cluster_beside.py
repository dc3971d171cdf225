"""What a validator keeps beside the state: sealed views and tells, for a set time, each for whom it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.contracts.types import ContractRef
from interfirm.ledger.types import Component
from interfirm.notary.cometbft.query import answer_query
from interfirm.notary.cometbft.sqlite import Database
from interfirm.notary.machine import SEALS
from interfirm.notary.types import Ask, Done, Notarise, Subscribe, ref_key
from interfirm.notary.uniqueness.machine import consumer_hash, transaction_of
from interfirm.notary.wire import Heard, Listen

from .clusters import NOTARY, Cluster, envelope
from .notaries import NOW, A, B, C, Ledger, create, exercise


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    store = Database(tmp_path / "state.db")
    yield Cluster(store=store).with_orgs()
    store.close()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(NOTARY)


def sealed(ledger: Ledger, seals: bytes) -> Notarise:
    """A transaction with a block of sealed views."""
    request = ledger.request(create(0, A))
    request = request.replace(components=(Component(name=SEALS, hash=digest("seals", seals)),), seals=seals)
    return request.replace(signatures=(A.sign(transaction_of(request)),))


def consumed_before(cluster: Cluster, ledger: Ledger) -> bytes:
    """The key of a ref to which C subscribed before it was consumed."""
    made = cluster.answers(ledger.request(create(0, A)))[0]
    assert isinstance(made, Done)
    ref = ContractRef(made.id, 0)
    cluster.answers(Subscribe(kind="ref", subject=ref_key(ref)), by=C)
    cluster.answers(ledger.request(exercise(0, ref, A)))
    return ref_key(ref)


def heard(cluster: Cluster, data: bytes) -> Heard:
    value = answer_query(cluster.application, "/tells", data, 0).value
    assert value is not None
    return codec.decode(value, Heard)


def test_sealed_views_are_kept_for_a_set_time(cluster: Cluster, ledger: Ledger) -> None:
    done = cluster.answers(sealed(ledger, b"sealed"))[0]
    assert isinstance(done, Done)
    consumer = consumer_hash(done.id)
    assert answer_query(cluster.application, "/seals", consumer, 0).value == b"sealed"
    assert answer_query(cluster.application, "/seals", done.id, 0).value is None
    cluster.now = NOW.plus_ms(LIMITS.sealed_keep_ms)
    cluster.block()
    assert answer_query(cluster.application, "/seals", consumer, 0).value is None


def test_a_subscriber_is_told_once_and_under_the_number_that_every_validator_gives(
    cluster: Cluster, ledger: Ledger
) -> None:
    subject = consumed_before(cluster, ledger)
    (told,) = heard(cluster, envelope(Listen(after=0), by=C)).tells
    assert (told.kind, told.subject, told.number >> 24) == ("consumed", subject, cluster.store.height)
    assert heard(cluster, envelope(Listen(after=told.number), by=C)).tells == ()
    assert heard(cluster, envelope(Listen(after=0), by=B)).tells == ()


def test_tells_wait_for_a_set_time(cluster: Cluster, ledger: Ledger) -> None:
    consumed_before(cluster, ledger)
    cluster.now = NOW.plus_ms(LIMITS.sealed_keep_ms)
    cluster.block()
    assert heard(cluster, envelope(Listen(after=0), by=C, now=cluster.now)).tells == ()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (envelope(Listen(after=0), by=C, signer=B.signer), "envelope.key"),
        (envelope(Listen(after=0), by=C, notary=digest("other")), "envelope.notary"),
        (envelope(Listen(after=0), by=C, expires=NOW), "envelope.expired"),
        (envelope(Ask(kind="key", subject=C.id), by=C), "envelope.kind"),
        (envelope(Listen(after=0), Listen(after=0), by=C), "envelope.kind"),
        (envelope(by=C), "envelope.kind"),
    ],
)
def test_nobody_hears_what_another_is_told(cluster: Cluster, data: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        answer_query(cluster.application, "/tells", data, 0)
    assert refusal.value.code == code


def test_a_forged_envelope_hears_nothing(cluster: Cluster) -> None:
    good = envelope(Listen(after=0), by=C)
    with pytest.raises(Refusal) as refusal:
        answer_query(cluster.application, "/tells", good[:-1] + bytes([good[-1] ^ 1]), 0)
    assert refusal.value.code == "signature.invalid"
