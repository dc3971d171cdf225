"""Clusters of real engines: they notarise, agree on every root, and lose nothing when killed."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from tests.support.cluster import RunningCluster, needs_engine, running_cluster
from tests.unit.notary.notaries import A, B, Org, create, exercise

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.contracts.types import ContractRef
from interfirm.notary.cometbft.application import POINTS
from interfirm.notary.cometbft.client import ClusterClient
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.types import Ask, Done, Refused, Said
from interfirm.notary.uniqueness.machine import transaction_of
from interfirm.runtime import engine
from interfirm.runtime.cluster_join import add_node, header_of

pytestmark = needs_engine


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running_cluster(tmp_path_factory.mktemp("one"), 1) as found:
        yield found


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running_cluster(tmp_path_factory.mktemp("four"), 4) as found:
        yield found


def made(cluster: RunningCluster, *orgs: Org) -> Done:
    answer = cluster.settled(cluster.request(create(0, *(orgs or (A,))))).answers[0]
    assert isinstance(answer, Done), answer
    return answer


def test_a_contract_is_made_and_consumed_once(single: RunningCluster) -> None:
    ref = ContractRef(made(single).id, 0)
    first, second = single.settled(single.request(exercise(0, ref, A)), single.request(exercise(0, ref, A))).answers
    assert isinstance(first, Done)
    assert isinstance(second, Refused)
    assert second.code == "notary.consumed"
    assert second.message


def test_the_same_transaction_again_gets_the_same_answer(single: RunningCluster) -> None:
    request = single.request(create(0, A, B))
    first = single.settled(request).answers
    assert single.settled(request, by=B).answers == first


def test_an_envelope_that_nobody_could_judge_is_refused_at_the_door(single: RunningCluster) -> None:
    ask = Ask(kind="unspent", subject=bytes(36))
    for envelope, code in (
        (single.envelope(ask, by=Org("stranger")), "envelope.stranger"),
        (single.envelope(ask, notary=bytes(32)), "envelope.notary"),
        (b"garbage", "codec.malformed"),
    ):
        with pytest.raises(Refusal) as refusal:
            single.client.submit(envelope)
        assert refusal.value.code == code


def test_the_committed_state_can_be_asked_without_a_block(single: RunningCluster) -> None:
    done = made(single)
    response = single.client.query("/ask", codec.encode(Ask(kind="accepted", subject=done.id)))
    said = codec.decode(base64.b64decode(response["value"]), Said)
    assert said.answer == [done.height, done.time.ms]


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_of_a_block_a_validator_goes_on_from_the_same_root(
    single: RunningCluster, point: str
) -> None:
    ref = ContractRef(made(single).id, 0)
    before = single.validator("node0").restarts
    single.stop()
    single.start(INTERFIRM_TEST_KILL_AT=f"{point}:7")
    height = single.until(lambda s: s.validators[0].restarts >= before + 4).height
    single.stop()
    single.start()
    single.until_height(height + 3)
    answer = single.settled(single.request(exercise(0, ref, A))).answers[0]
    assert isinstance(answer, Done), answer


def test_four_validators_agree_on_every_root(four: RunningCluster) -> None:
    for _ in range(3):
        made(four, A, B)
    four.until_height(four.status.height + 1)
    assert len(four.roots()) == 1


def test_with_a_validators_application_killed_the_others_go_on_and_it_catches_up(four: RunningCluster) -> None:
    ref = ContractRef(made(four).id, 0)
    for part in ("application", "engine"):
        four.kill("node2", part)
        done = four.settled(four.request(create(0, B)), by=B).answers[0]
        assert isinstance(done, Done)
        four.until_height(done.height)
        assert len(four.roots()) == 1
    assert four.validator("node2").restarts >= 2
    consumed = four.settled(four.request(exercise(0, ref, A))).answers[0]
    assert isinstance(consumed, Done), consumed


def test_with_everything_killed_at_once_nothing_accepted_is_lost(four: RunningCluster) -> None:
    done = made(four)
    for place in four.layout.places:
        four.kill(place.name, "engine")
        four.kill(place.name, "application")
    four.until(lambda s: s.power_up == 4 and s.height > done.height + 2)
    again = four.settled(Ask(kind="accepted", subject=done.id)).answers[0]
    assert isinstance(again, Said)
    assert again.answer == [done.height, done.time.ms]
    assert len(four.roots()) == 1


@pytest.mark.slow
def test_the_unchanged_application_runs_on_the_later_engine(tmp_path_factory: pytest.TempPathFactory) -> None:
    if shutil.which("go") is None and not engine.engine_path(engine.ALSO_TESTED).exists():
        pytest.skip("needs the later engine, or Go to build it")
    with running_cluster(tmp_path_factory.mktemp("later"), 1, version=engine.ALSO_TESTED) as cluster:
        ref = ContractRef(made(cluster).id, 0)
        assert isinstance(cluster.settled(cluster.request(exercise(0, ref, A))).answers[0], Done)


def test_many_envelopes_are_under_way_at_once_and_each_has_its_outcome(four: RunningCluster) -> None:
    requests = [four.request(create(0, A)) for _ in range(40)]
    envelopes = [four.envelope(request) for request in requests] + [four.envelope(requests[0], notary=bytes(32))]
    *names, refused = four.client.submit_many(envelopes)
    assert isinstance(refused, Refusal)
    assert refused.code == "envelope.notary"
    ids = set()
    for name in names:
        assert isinstance(name, bytes), name
        done = four.client.wait(name).answers[0]
        assert isinstance(done, Done), done
        ids.add(done.id)
    assert ids == {transaction_of(request) for request in requests}


@pytest.mark.slow
def test_a_machine_joins_by_taking_over_a_snapshot_and_follows(four: RunningCluster) -> None:
    four.stop()
    four.start(INTERFIRM_SNAPSHOT_EVERY="20")
    four.until(lambda s: s.power_up == 4)
    done = made(four)
    trusted = header_of(four.layout.places[1])
    four.until_height(trusted.height + 21)
    four.stop()
    place = add_node(four.layout, str(IPv4Address(four.layout.places[-1].host) + 1), trusted)
    four.start(INTERFIRM_SNAPSHOT_EVERY="20")
    four.until_height(trusted.height + 45)
    assert four.status.power == 4
    assert len(four.roots()) == 1
    first = Rpc(place.rpc).call("status")["sync_info"]["earliest_block_height"]
    assert int(first) > done.height, "it replayed the whole chain"
    alone = ClusterClient([place.rpc])
    said = codec.decode(
        base64.b64decode(alone.query("/ask", codec.encode(Ask(kind="accepted", subject=done.id)))["value"]), Said
    )
    assert said.answer == [done.height, done.time.ms]
    alone.close()
