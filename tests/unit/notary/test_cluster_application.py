"""A validator's application: who may ask, once, in time; the same answers and roots whatever was verified ahead."""

from __future__ import annotations

import pytest

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.base.time import Window
from interfirm.contracts.types import ContractRef
from interfirm.notary.cometbft import known
from interfirm.notary.cometbft.application import POINTS, Application, bytes_in_block
from interfirm.notary.cometbft.seen import OLDEST
from interfirm.notary.types import Ask, Done, Refused
from interfirm.notary.wire import Listen

from .clusters import GENESIS, MINUTE_MS, NOTARY, Cluster, MemoryStore, envelope, registrar_envelope
from .notaries import HOUR_MS, NOW, A, B, C, Ledger, Org, create, exercise

ASK = Ask(kind="unspent", subject=bytes(36))


@pytest.fixture
def cluster() -> Cluster:
    return Cluster().with_orgs()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(NOTARY)


def test_requests_in_one_envelope_are_judged_in_order(cluster: Cluster, ledger: Ledger) -> None:
    made = cluster.answers(ledger.request(create(0, A)))[0]
    assert isinstance(made, Done)
    ref = ContractRef(made.id, 0)
    first, second = cluster.answers(ledger.request(exercise(0, ref, A)), ledger.request(exercise(0, ref, A)))
    assert isinstance(first, Done)
    assert isinstance(second, Refused)
    assert (second.code, first.height) == ("notary.consumed", 3)


def test_the_chain_commits_to_a_refusals_code_and_not_to_its_words(cluster: Cluster, ledger: Ledger) -> None:
    found = cluster.block(envelope(ledger.request(create(0, A), notary=digest("other")))).results[0]
    committed, told = found.outcome.answers[0], found.answers[0]
    assert isinstance(committed, Refused)
    assert isinstance(told, Refused)
    assert (committed.code, committed.message, committed.values) == (told.code, "", {})
    assert told.message


@pytest.mark.parametrize(
    ("transaction", "code"),
    [
        (b"", "codec.malformed"),
        (b"garbage", "codec.malformed"),
        (envelope(), "envelope.requests"),
        (envelope(*[ASK] * (LIMITS.envelope_requests_count_max + 1)), "envelope.requests"),
        (envelope(Listen(after=0)), "envelope.kind"),
        (envelope(ASK, notary=digest("other")), "envelope.notary"),
        (envelope(ASK, expires=NOW), "envelope.expired"),
        (envelope(ASK, expires=NOW.plus_ms(LIMITS.envelope_life_ms_max + 1)), "envelope.life"),
        (envelope(ASK, signer=B.signer), "envelope.key"),
        (envelope(ASK, by=Org("stranger")), "envelope.stranger"),
        (envelope(A.registration(NOTARY), by=Org("stranger")), "envelope.stranger"),
    ],
)
def test_what_is_no_good_envelope_is_let_in_by_nobody(cluster: Cluster, transaction: bytes, code: str) -> None:
    assert cluster.refusal(transaction) == code


def test_an_envelope_that_was_changed_is_refused(cluster: Cluster) -> None:
    good = envelope(ASK)
    assert cluster.refusal(good[:-1] + bytes([good[-1] ^ 1])) == "signature.invalid"


def test_a_newcomer_may_introduce_itself_and_then_ask(cluster: Cluster) -> None:
    newcomer = Org("newcomer")
    assert isinstance(cluster.answers(newcomer.registration(NOTARY), by=newcomer)[0], Done)
    assert cluster.answers(ASK, by=newcomer)


def test_the_revoked_may_ask_for_nothing(cluster: Cluster) -> None:
    cluster.block(registrar_envelope(C.revocation()))
    assert cluster.refusal(envelope(ASK, by=C)) == "envelope.revoked"


def test_after_a_rotation_the_old_key_asks_for_nothing(cluster: Cluster) -> None:
    newcomer = Org("rotating")
    cluster.answers(newcomer.registration(NOTARY), by=newcomer)
    rotation, after = newcomer.rotation()
    cluster.answers(rotation, by=newcomer)
    assert cluster.refusal(envelope(ASK, by=newcomer)) == "envelope.key"
    assert cluster.block(envelope(ASK, by=newcomer, signer=after)).results[0].refusal is None


def test_an_envelope_is_judged_once(cluster: Cluster) -> None:
    again = envelope(ASK)
    first, second = cluster.block(again, again).results
    assert (first.outcome.refused, second.outcome.refused) == ("", "envelope.again")
    assert cluster.refusal(again) == "envelope.again"


def test_an_envelope_is_judged_once_after_a_restart_too(cluster: Cluster) -> None:
    again = envelope(ASK)
    cluster.block(again)
    restarted = Cluster(store=cluster.store)
    assert restarted.refusal(again) == "envelope.again"


def test_ids_of_envelopes_are_forgotten_once_they_could_not_come_again(cluster: Cluster) -> None:
    again = envelope(ASK)
    cluster.block(again)
    assert isinstance(cluster.store, MemoryStore)
    assert len({key for space, key in cluster.store.state if space == "envelopes"}) == 2
    cluster.now = NOW.plus_ms(LIMITS.envelope_life_ms_max + 1)
    cluster.block()
    assert not {key for space, key in cluster.store.state if space == "envelopes"}
    assert cluster.refusal(again) == "envelope.expired"
    fresh = envelope(ASK, now=cluster.now)
    cluster.block(fresh)
    assert cluster.store.get("meta", OLDEST) is not None
    assert Cluster(store=cluster.store).application.finalize(5, cluster.now, [fresh]).results[0].outcome.refused == (
        "envelope.again"
    )


def test_a_repeated_check_is_a_look_up_that_notices_what_was_judged(cluster: Cluster) -> None:
    data = envelope(ASK)
    cluster.application.check(data, NOW)
    cluster.application.check_again(data)
    cluster.block(data)
    with pytest.raises(Refusal) as refusal:
        cluster.application.check_again(data)
    assert refusal.value.code == "envelope.again"


def test_a_transaction_with_a_forged_signature_is_not_let_in_but_judged_if_it_comes(
    cluster: Cluster, ledger: Ledger
) -> None:
    good = ledger.request(create(0, A))
    forged = good.replace(signatures=(good.signatures[0].replace(signature=bytes(64)),))
    data = envelope(forged)
    with pytest.raises(Refusal) as refusal:
        cluster.application.check(data, NOW)
    assert refusal.value.code == "signature.invalid"
    answer = cluster.block(data).results[0].answers[0]
    assert isinstance(answer, Refused)
    assert answer.code == "signature.invalid"


def test_what_was_verified_ahead_changes_no_answer_and_is_not_verified_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead, behind = Cluster().with_orgs(), Cluster().with_orgs()
    transactions = [envelope(ledger.request(create(0, A, B)), by=B) for _ in range(4)]
    for each in transactions:
        ahead.application.check(each, NOW)
    expected = behind.block(*transactions)
    monkeypatch.setattr(known, "check_signature", _fail)
    found = ahead.block(*transactions)
    assert (found.results, found.app_hash) == (expected.results, expected.app_hash)


def _fail(*_: object, **__: object) -> None:
    raise AssertionError("a signature was verified again")


def test_more_requests_than_a_requesters_share_are_not_let_in(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(LIMITS.requests_per_minute_max // LIMITS.envelope_requests_count_max):
        requester, share = A.id, (place + 1) * MINUTE_MS * LIMITS.envelope_requests_count_max
        cluster.application._used[requester] = NOW.ms * LIMITS.requests_per_minute_max + share
    with pytest.raises(Refusal) as refusal:
        cluster.application.check(envelope(*[ASK] * 256), NOW)
    assert refusal.value.code == "notary.rate"
    cluster.application.check(envelope(ASK, by=B), NOW)


def test_a_proposal_holds_what_fits_and_all_validators_accept_it(cluster: Cluster) -> None:
    waiting = [envelope(ASK), b"garbage", envelope(ASK), envelope(ASK)]
    room = bytes_in_block(waiting[0]) * 2
    proposed = cluster.application.propose(waiting, room, NOW)
    assert proposed == [waiting[0], waiting[2]]
    Cluster().with_orgs().application.accepts(proposed, NOW)


def test_a_block_holds_no_more_requests_than_its_limit(cluster: Cluster) -> None:
    count = LIMITS.block_requests_count_max // LIMITS.envelope_requests_count_max + 1
    waiting = [envelope(*[ASK] * LIMITS.envelope_requests_count_max) for _ in range(count)]
    assert cluster.application.propose(waiting, 10**8, NOW) == waiting[:-1]
    with pytest.raises(Refusal) as refusal:
        cluster.application.accepts(waiting, NOW)
    assert refusal.value.code == "envelope.full"


def test_the_machines_time_is_the_blocks_and_never_goes_back(cluster: Cluster, ledger: Ledger) -> None:
    cluster.now = NOW.plus_ms(5_000)
    cluster.block()
    cluster.now = NOW
    made = cluster.answers(ledger.request(create(0, A), at=Window(lower=None, upper=NOW.plus_ms(HOUR_MS))))[0]
    assert isinstance(made, Done)
    assert made.time == NOW.plus_ms(5_000)


def test_a_block_judged_again_after_a_crash_has_the_same_root(cluster: Cluster, ledger: Ledger) -> None:
    data = envelope(ledger.request(create(0, A)))
    first = cluster.application.finalize(2, NOW, [data])
    once_more = cluster.application.finalize(2, NOW, [data])
    cluster.store.discard()
    again = Cluster(store=cluster.store).application.finalize(2, NOW, [data])
    assert first == again == once_more


@pytest.mark.parametrize("point", POINTS)
def test_stopped_at_any_point_it_comes_to_the_same_root(ledger: Ledger, point: str) -> None:
    data = envelope(ledger.request(create(0, A)))
    expected = Cluster().with_orgs()
    expected.block(data)
    stopping = Cluster(at=lambda name: _stop(name, point), store=Cluster().with_orgs().store)
    with pytest.raises(_Stopped):
        stopping.block(data)
    stopping.store.discard()
    again = Cluster(store=stopping.store)
    if again.store.height == 1:
        again.block(data)
    assert (again.store.height, again.store.app_hash) == (2, expected.store.app_hash)


class _Stopped(Exception):
    pass


def _stop(name: str, point: str) -> None:
    if name == point:
        raise _Stopped


def test_another_clusters_state_and_another_genesis_are_refused(cluster: Cluster) -> None:
    other = GENESIS.replace(label="other")
    with pytest.raises(Refusal) as refusal:
        Application(other, cluster.store)
    assert refusal.value.code == "cluster.genesis"
    with pytest.raises(Refusal):
        Application(other, MemoryStore()).begin(cluster.application.chain_id, b"", [])
