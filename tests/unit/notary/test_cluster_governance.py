"""Governance on a validator: limits of the next block, votes of strangers, news for the engine, rules it lacks."""

from __future__ import annotations

from typing import Any

import pytest

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.signatures import Signer
from interfirm.ledger.signing import sign
from interfirm.notary.cometbft.abci import Engine, Request
from interfirm.notary.cometbft.query import answer_query
from interfirm.notary.cometbft.types import ClusterGenesis, Validator
from interfirm.notary.governance.epochs import Software
from interfirm.notary.governance.machine import PROPOSAL, proposal_id
from interfirm.notary.governance.metadata import Governed
from interfirm.notary.governance.types import (
    Action,
    Constitution,
    Propose,
    RemoveValidator,
    SetParameter,
    Setting,
    SetValidator,
    Upgrade,
)
from interfirm.notary.machine import notary_id
from interfirm.notary.types import Ask, Done, Refused, Said
from interfirm.notary.validators.machine import address_of

from .clusters import GENESIS, MINUTE_MS, NOTARY, Cluster, envelope, registrar_envelope
from .councils import KEYS
from .notaries import HOUR_MS, NOW, REGISTRAR, A, B, Ledger, create

ASK = Ask(kind="unspent", subject=bytes(36))


def proposal(*actions: Action, notary: bytes = NOTARY, signer: Signer = REGISTRAR) -> Propose:
    """A proposal that its proposer decides alone."""
    identity, expires, nonce = signer.public.identity, NOW.plus_ms(HOUR_MS), bytes(32)
    name = proposal_id(notary, actions, expires, nonce, identity)
    signature = sign(signer, identity, name, purpose=PROPOSAL)
    return Propose(actions=actions, expires=expires, nonce=nonce, signature=signature)


def applied(cluster: Cluster, *actions: Action) -> None:
    answer = cluster.block(registrar_envelope(proposal(*actions))).results[0].answers[0]
    assert isinstance(answer, Done), answer


def governed(cluster: Cluster) -> Governed:
    found = answer_query(cluster.application, "/ask", codec.encode(Ask(kind="governance", subject=b"")), 0)
    assert found.value is not None
    return codec.from_plain(codec.decode(found.value, Said).answer, Governed)


def with_settings(**values: int) -> ClusterGenesis:
    said = Constitution(
        voters=(A.signer.public,), operators=(A.id, B.id),
        settings=tuple(Setting(name=name, value=value) for name, value in values.items()),
    )  # fmt: skip
    validators = tuple(Validator(key=key, power=10) for key in KEYS[:2])
    return GENESIS.replace(constitution=said, validators=validators)


def test_the_limits_of_the_next_block_are_asked_of_every_envelope() -> None:
    cluster = Cluster().with_orgs()
    applied(
        cluster,
        *(SetParameter(name=name, value=value) for name, value in (
            ("epoch_heights", 1), ("envelope_requests_count_max", 8), ("block_requests_count_max", 64),
            ("envelope_life_ms_max", MINUTE_MS), ("envelope_bytes_max", 128 * 1024),
            ("transaction_bytes_max", 64 * 1024), ("sealed_bytes_max", 32 * 1024),
        )),
    )  # fmt: skip
    nine = envelope(*[ASK] * 9)
    cluster.application.check(nine, cluster.now)
    while governed(cluster).epoch == 0 or cluster.store.height < governed(cluster).next_epoch - 1:
        cluster.block()
    assert cluster.refusal(nine) == "envelope.limit"
    assert cluster.refusal(envelope(ASK, expires=NOW.plus_ms(MINUTE_MS + 1))) == "envelope.life"
    assert cluster.refusal(envelope(Ask(kind="key", subject=bytes(129 * 1024)))) == "envelope.limit"
    assert cluster.refusal(envelope(Ask(kind="key", subject=bytes(97 * 1024)))) == "envelope.limit"
    full = [envelope(*[ASK] * 8) for _ in range(9)]
    assert cluster.application.propose(full, 10**7, cluster.now) == full[:8]
    assert [each.outcome.refused for each in cluster.block(*full).results] == [""] * 8 + ["envelope.full"]


def test_a_lower_rate_counts_anew() -> None:
    cluster = Cluster().with_orgs()
    applied(cluster, SetParameter(name="requests_per_minute_max", value=60))
    for _ in range(61):
        cluster.application.check(envelope(ASK), cluster.now)
    while cluster.store.height < governed(cluster).next_epoch:
        if cluster.application.limits.requests_per_minute_max == 60:
            break
        cluster.block()
    for _ in range(60):
        cluster.application.check(envelope(ASK), cluster.now)
    with pytest.raises(Refusal) as refusal:
        cluster.application.check(envelope(ASK), cluster.now)
    assert refusal.value.code == "notary.rate"


def test_the_founding_settings_hold_from_the_first_block_on() -> None:
    genesis = with_settings(envelope_requests_count_max=8)
    cluster = Cluster(genesis=genesis)
    assert cluster.application.limits.envelope_requests_count_max == 8
    too_many = [A.registration(NOTARY)] * 9
    with pytest.raises(Refusal) as refusal:
        cluster.application.check(envelope(*too_many, notary=notary_id(genesis)), cluster.now)
    assert refusal.value.code == "envelope.limit"


def test_a_voter_that_is_not_registered_governs_and_does_nothing_else() -> None:
    genesis = with_settings()
    notary = notary_id(genesis)
    cluster = Cluster(genesis=genesis)
    cluster.block()
    request = proposal(SetParameter(name="epoch_heights", value=7), notary=notary, signer=A.signer)
    cluster.application.check(envelope(request, notary=notary), cluster.now)
    for refused in (envelope(ASK, notary=notary), envelope(request, by=B, notary=notary)):
        with pytest.raises(Refusal) as refusal:
            cluster.application.check(refused, cluster.now)
        assert refusal.value.code == "envelope.stranger"
    answer = cluster.block(envelope(request, notary=notary)).results[0].answers[0]
    assert isinstance(answer, Done)


def test_what_the_cluster_says_of_itself_is_not_asked_in_blocks() -> None:
    cluster = Cluster().with_orgs()
    assert cluster.refusal(envelope(Ask(kind="parameters", subject=b""))) == "envelope.kind"
    assert governed(cluster).version == 1


def answered(cluster: Cluster, **finalize: Any) -> Any:
    request = Request()
    block = request.finalize_block
    block.height, block.time.seconds = cluster.store.height + 1, NOW.ms // 1000
    block.txs.extend(finalize.get("txs", ()))
    for key in finalize.get("guilty", ()):
        found = block.misbehavior.add(type=1, height=1)
        found.validator.address = address_of(key)
    return Engine(cluster.application, lambda: NOW).answer(request.SerializeToString())


def test_the_engine_is_told_of_new_validators() -> None:
    genesis = with_settings()
    cluster, notary = Cluster(genesis=genesis), notary_id(genesis)
    cluster.block()
    change = (SetValidator(key=KEYS[2], power=5, operator=B.id), RemoveValidator(key=KEYS[0]))
    data = envelope(proposal(*change, notary=notary, signer=A.signer), notary=notary)
    found = answered(cluster, txs=[data])
    updates = {each.pub_key.ed25519: each.power for each in found.finalize_block.validator_updates}
    assert updates == {KEYS[2]: 5, KEYS[0]: 0}
    cluster.application.commit()
    assert not answered(cluster).finalize_block.validator_updates


def test_what_the_engine_proved_of_a_validator_removes_it() -> None:
    cluster = Cluster(genesis=with_settings())
    cluster.block()
    found = answered(cluster, guilty=[KEYS[1]])
    updates = [(each.pub_key.ed25519, each.power) for each in found.finalize_block.validator_updates]
    assert updates == [(KEYS[1], 0)]


def test_without_the_rules_in_force_a_validator_stops_and_does_not_start_again() -> None:
    cluster = Cluster()
    cluster.block()
    applied(cluster, Upgrade(name="better", version=2, height=4))
    cluster.block()
    found = answered(cluster)
    assert "version 2" in found.exception.error
    assert not found.HasField("finalize_block")
    with pytest.raises(Refusal) as refusal:
        Cluster(store=cluster.store)
    assert refusal.value.code == "governance.version"
    later = Cluster(store=cluster.store, software=Software(versions=(1, 2)))
    found = answered(later)
    assert found.finalize_block.consensus_param_updates.version.app == 2
    later.application.commit()
    assert governed(later).version == 2
    with pytest.raises(Refusal) as refusal:
        Cluster(store=cluster.store)
    assert refusal.value.code == "governance.version"


def test_a_stopped_cluster_goes_on_making_blocks_and_refuses_what_they_hold() -> None:
    from interfirm.notary.governance.types import Stop

    cluster = Cluster().with_orgs()
    applied(cluster, Stop(reason="a test"))
    answer = cluster.answers(Ledger(NOTARY).request(create(0, A)))[0]
    assert isinstance(answer, Refused)
    assert answer.code == "notary.stopped"
    assert isinstance(cluster.answers(ASK)[0], Said)
    assert governed(cluster).stopped is not None


def test_a_validating_cluster_takes_nothing_that_it_cannot_re_execute() -> None:
    cluster = Cluster().with_orgs()
    ledger = Ledger(NOTARY)
    assert isinstance(cluster.answers(ledger.request(create(0, A)))[0], Done)
    applied(cluster, SetParameter(name="validating", value=2))
    while cluster.store.height < 256:
        cluster.block()
    refused = cluster.answers(ledger.request(create(0, A)))[0]
    assert isinstance(refused, Refused)
    assert refused.code == "notary.validating"
