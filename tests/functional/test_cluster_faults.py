"""Seven validators of which some are gone, slow, cut off, full or dishonest: the others go on, or stop and say why."""

from __future__ import annotations

import base64
import resource
import shutil
import signal
import time
from collections.abc import Iterator

import pytest
from tests.support.byzantine import GARBAGE
from tests.support.cluster import HandledCluster, handled_cluster, needs_engine
from tests.support.links import Links
from tests.unit.notary.notaries import A, B, Org, create, exercise

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.contracts.types import ContractRef
from interfirm.notary.cometbft.client import ClusterClient
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.governance import constitution
from interfirm.notary.governance.metadata import Franchise
from interfirm.notary.types import Done, Refused
from interfirm.runtime.cluster import ClusterLayout
from interfirm.runtime.cluster_govern import government
from interfirm.runtime.cluster_parts import APPLICATION, ENGINE
from interfirm.runtime.cluster_status import STANDS_AFTER_MS

pytestmark = needs_engine
NAMES = [f"node{n}" for n in range(7)]


@pytest.fixture(scope="module")
def handled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HandledCluster, Links]]:
    with handled_cluster(tmp_path_factory.mktemp("seven"), 7) as found:
        yield found


@pytest.fixture
def seven(handled: tuple[HandledCluster, Links]) -> Iterator[HandledCluster]:
    """Seven validators that agree before and after."""
    cluster, _ = handled
    together(cluster)
    yield cluster
    together(cluster)
    made(cluster)
    assert len(cluster.roots()) == 1


def together(cluster: HandledCluster) -> None:
    """All seven answer, and have come to where the first of them is now."""
    cluster.until(lambda s: s.power_up == 7)
    cluster.until_height(cluster.status.height + 1)


def made(cluster: HandledCluster, *orgs: Org) -> Done:
    (answer,) = cluster.settled(cluster.request(create(0, *(orgs or (A,)))), by=(orgs or (A,))[0]).answers
    assert isinstance(answer, Done), answer
    return answer


def consumed(cluster: HandledCluster, done: Done) -> None:
    """What was accepted before can be consumed now, once."""
    ref = ContractRef(done.id, 0)
    requests = [cluster.request(exercise(0, ref, A)) for _ in range(2)]
    first, second = cluster.settled(*requests).answers
    assert isinstance(first, Done), first
    assert isinstance(second, Refused), second
    assert second.code == "notary.consumed"


def lose_disk(cluster: HandledCluster, name: str) -> None:
    """All that a validator stored is gone, but for its keys and what it signed last: no height is signed twice."""
    home = cluster.layout.home(cluster.layout.named(name))
    signed = (home / "data" / "priv_validator_state.json").read_bytes()
    for path in (*home.glob("state.db*"), *home.glob("data/*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    (home / "data" / "priv_validator_state.json").write_bytes(signed)


def test_it_goes_on_with_five_and_stands_with_four_and_says_why(seven: HandledCluster) -> None:
    before = made(seven)
    seven.end("node0", "node1")
    consumed(seven, before)
    seven.end("node2")
    waiting = seven.client.submit(seven.envelope(seven.request(create(0, A))))
    status = seven.until(lambda s: s.stands, patience_s=3 * STANDS_AFTER_MS / 1000)
    assert "4 votes answer and 5 are needed" in status.why
    assert all(name in status.why for name in ("node0", "node1", "node2"))
    height = status.height
    seven.start("node2")
    settled = seven.client.wait(waiting, timeout_s=60)
    assert isinstance(settled.answers[0], Done), "what waited was lost"
    assert settled.height > height
    seven.start("node0", "node1")


def test_nobody_waits_for_two_that_hang(seven: HandledCluster) -> None:
    before = made(seven)
    seven.send(signal.SIGSTOP, "node3", "node4")
    try:
        consumed(seven, before)
    finally:
        seven.send(signal.SIGCONT, "node3", "node4")


def test_two_that_are_cut_off_take_no_part_and_decide_nothing(
    seven: HandledCluster, handled: tuple[HandledCluster, Links]
) -> None:
    _, links = handled
    before = made(seven)
    links.cut(NAMES[:5], NAMES[5:])
    try:
        consumed(seven, before)
        seven.until_height(seven.validator("node0").height + 3, *NAMES[:5])
        status = seven.status
        assert max(v.height for v in status.validators[5:]) < min(v.height for v in status.validators[:5])
    finally:
        links.heal()


def test_where_no_side_has_enough_votes_nothing_is_accepted_until_they_meet_again(
    seven: HandledCluster, handled: tuple[HandledCluster, Links]
) -> None:
    _, links = handled
    before = made(seven)
    links.cut(NAMES[:4], NAMES[4:])
    try:
        sides = [ClusterClient([p.rpc for p in seven.layout.places[part]]) for part in (slice(4), slice(4, 7))]
        ref = ContractRef(before.id, 0)
        names = [side.submit(seven.envelope(seven.request(exercise(0, ref, A)))) for side in sides]
        status = seven.until(lambda s: s.stands, patience_s=3 * STANDS_AFTER_MS / 1000)
        assert status.power_up == 7
        assert "messages between them are lost" in status.why
    finally:
        links.heal()
    answers = [side.wait(name, timeout_s=60).answers[0] for side, name in zip(sides, names, strict=True)]
    assert sorted(type(answer).__name__ for answer in answers) == ["Done", "Refused"], "one ref was consumed twice"
    for side in sides:
        side.close()


def test_a_validator_whose_disk_was_lost_has_the_same_root_again(seven: HandledCluster) -> None:
    before = made(seven)
    seven.end("node5")
    lose_disk(seven, "node5")
    consumed(seven, before)
    seven.start("node5")


def test_a_validator_whose_disk_is_full_stops_and_goes_on_when_there_is_space(seven: HandledCluster) -> None:
    before = made(seven)
    for part in (APPLICATION, ENGINE):
        resource.prlimit(seven.process("node4", part), resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    consumed(seven, before)
    seven.until(lambda s: s.height > s.validators[4].height + 5)
    seven.end("node4")
    seven.start("node4")


def test_a_flood_of_garbage_and_of_copies_holds_nobody_up(seven: HandledCluster) -> None:
    envelope = seven.envelope(seven.request(create(0, B)), by=B)
    flood = [bytes([n]) * 1000 for n in range(200)] + [envelope] * 100
    done = made(seven)
    names = seven.client.submit_many(flood)
    assert all(isinstance(each, Refusal) for each in names[:200])
    assert set(names[200:]) == {names[-1]}
    name = names[-1]
    assert isinstance(name, bytes)
    assert isinstance(seven.client.wait(name).answers[0], Done)
    consumed(seven, done)


@pytest.fixture
def dishonest(seven: HandledCluster) -> Iterator[HandledCluster]:
    """The last validator may be replaced by another; afterwards it is itself again."""
    seven.end("node6")
    yield seven
    seven.end("node6")
    lose_disk(seven, "node6")  # what it wrote is as little to be trusted
    seven.start("node6")


def test_a_validator_that_says_another_root_is_left_behind(dishonest: HandledCluster) -> None:
    dishonest.start("node6", application=("tests.support.byzantine", "wrong-root"))
    consumed(dishonest, made(dishonest))
    dishonest.until_height(dishonest.validator("node0").height + 5, *NAMES[:6])
    rpc = Rpc(dishonest.layout.places[0].rpc)
    height = dishonest.validator("node0").height
    signed = rpc.call("commit", height=height)["signed_header"]["commit"]["signatures"]
    rpc.close()
    assert sum(1 for each in signed if each["block_id_flag"] == 2) >= 5
    assert dishonest.validator("node6").height < height


def test_what_a_dishonest_validator_stuffs_into_its_proposals_is_in_no_block(dishonest: HandledCluster) -> None:
    dishonest.start("node6", application=("tests.support.byzantine", "stuffing"))
    dishonest.until(lambda s: s.power_up == 7)
    first = dishonest.validator("node0").height
    until_proposer(dishonest, "node6")
    consumed(dishonest, made(dishonest))
    rpc = Rpc(dishonest.layout.places[0].rpc)
    last = dishonest.validator("node0").height
    blocks = [rpc.call("block", height=height)["block"] for height in range(first, last + 1)]
    rpc.close()
    own = address(dishonest, "node6")
    assert own not in {block["header"]["proposer_address"] for block in blocks}, "its proposal was accepted"
    assert any(block["last_commit"]["round"] > 0 for block in blocks), "it never was its turn"
    garbage = base64.b64encode(GARBAGE).decode()
    assert not any(garbage in (block["data"]["txs"] or ()) for block in blocks)


def test_a_validator_that_censors_only_delays(dishonest: HandledCluster) -> None:
    dishonest.start("node6", application=("tests.support.byzantine", "censoring"))
    dishonest.until(lambda s: s.power_up == 7)
    client = ClusterClient([dishonest.layout.named(name).rpc for name in ("node6", "node0")])
    with pytest.raises(Refusal) as refusal:
        client.submit(dishonest.envelope(dishonest.request(create(0, A))))
    assert refusal.value.code == "envelope.censored"
    client.close()
    for _ in range(3):
        consumed(dishonest, made(dishonest))


def test_one_validator_that_lies_about_who_votes_is_not_believed_and_named(dishonest: HandledCluster) -> None:
    dishonest.start("node6", application=("tests.support.byzantine", "lying"))
    dishonest.until(lambda s: s.power_up == 7)
    layout = dishonest.layout
    asked_first = ClusterLayout(
        layout.folder, layout.file.replace(places=(layout.named("node6"), layout.named("node0")))
    )  # fmt: skip
    liar = Rpc(layout.named("node6").rpc)
    said = liar.call("abci_query", path="/store/governance/key", data=constitution.VOTERS.hex(), prove=True)
    liar.close()
    assert codec.decode(base64.b64decode(said["response"]["value"]), constitution.Voters).voters == ()
    with government(asked_first) as governing:
        assert [each.key for each in governing.asked("voters", Franchise).voters] == [layout.genesis.registrar]
        assert list(governing.doubted) == [liar.address]


def address(cluster: HandledCluster, name: str) -> str:
    """The engine's name for a validator."""
    rpc = Rpc(cluster.layout.named(name).rpc)
    found: str = rpc.call("status")["validator_info"]["address"]
    rpc.close()
    return found


def until_proposer(cluster: HandledCluster, name: str) -> None:
    """A validator's turn to propose has come: each has it once in as many rounds as there are validators."""
    start = cluster.validator("node0").height
    deadline = time.monotonic() + 60
    while cluster.validator("node0").height < start + len(NAMES) + 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
