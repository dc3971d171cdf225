"""Real engines under votes: parameters, stops, machines that join and leave, new keys, upgrades, double signing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.support.cluster import PATIENCE_S, HandledCluster, RunningCluster, free_address, needs_engine
from tests.unit.notary.notaries import HOUR_MS, NETWORK, REGISTRAR, A, B, C, Org, create

from interfirm.base.errors import Refusal
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.governance.types import (
    Action,
    Constitution,
    Proposal,
    RemoveValidator,
    Resume,
    SetParameter,
    Setting,
    Stop,
    Upgrade,
)
from interfirm.notary.types import Done, Refused
from interfirm.runtime import engine
from interfirm.runtime.cluster import Place, key_of, new_cluster, peers_of, with_settings
from interfirm.runtime.cluster_govern import ClusterGovernment, entering, replacing
from interfirm.runtime.cluster_join import add_node, agreed_header, next_key, use_next_key
from interfirm.runtime.governing import Voice
from interfirm.runtime.validator import RULES, snapshot_now

pytestmark = needs_engine
CONSTITUTION = Constitution(
    voters=tuple(org.signer.public for org in (A, B, C)), operators=(),
    settings=(Setting(name="epoch_heights", value=3),),
)  # fmt: skip


def voice(org: Org) -> Voice:
    return Voice(signer=org.signer, identity=org.id)


@contextmanager
def governed(cluster: type[RunningCluster], folder: Path) -> Iterator[RunningCluster]:
    layout = new_cluster(
        folder / "c", network=NETWORK, registrar=REGISTRAR.public, label="governed", validators=4,
        first_address=free_address(), constitution=CONSTITUTION,
    )  # fmt: skip
    found = cluster(layout)
    try:
        found.start()
        found.until_height(1)
        found.register()
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with governed(RunningCluster, tmp_path_factory.mktemp("governed")) as found:
        yield found


@pytest.fixture(scope="module")
def handled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandledCluster]:
    with governed(HandledCluster, tmp_path_factory.mktemp("handled")) as found:
        assert isinstance(found, HandledCluster)
        yield found


def decided(cluster: RunningCluster, *actions: Action) -> Proposal:
    """What became of a proposal of the first voter that the others accept."""
    governing = ClusterGovernment(cluster.layout, cluster.client)
    found = governing.propose(actions, voice(A), life_ms=HOUR_MS)
    for org in (B, C):
        if found.status == "open":
            found = governing.vote(found, voice(org), accepts=True)
    assert found.status == "applied", found
    return found


def keys(cluster: RunningCluster) -> dict[bytes, int]:
    return {each.key: each.power for each in ClusterGovernment(cluster.layout, cluster.client).members() if each.power}


def engines_say(place: Place) -> int:
    """How many validators an engine counts now."""
    rpc = Rpc(place.rpc)
    try:
        return int(rpc.call("validators")["total"])
    finally:
        rpc.close()


def test_a_parameter_is_changed_by_votes_and_holds_from_the_next_epoch(four: RunningCluster) -> None:
    found = decided(four, SetParameter(name="window_ms_max", value=HOUR_MS // 2))
    four.until_height(found.ended + 4)
    (answer,) = four.settled(four.request(create(0, A))).answers
    assert isinstance(answer, Refused)
    assert answer.code == "notary.window"
    found = decided(four, SetParameter(name="window_ms_max", value=2 * HOUR_MS))
    four.until_height(found.ended + 4)
    assert isinstance(four.settled(four.request(create(0, A))).answers[0], Done)


def test_a_stopped_cluster_takes_nothing_until_it_is_resumed(four: RunningCluster) -> None:
    decided(four, Stop(reason="a test"))
    request = four.request(create(0, A))
    (answer,) = four.settled(request).answers
    assert isinstance(answer, Refused)
    assert answer.code == "notary.stopped"
    assert four.status.stopped
    decided(four, Resume())
    assert isinstance(four.settled(request).answers[0], Done)
    assert not four.status.stopped


def test_a_machine_joins_by_state_sync_is_voted_in_and_out(four: RunningCluster) -> None:
    layout = four.layout
    (done,) = four.settled(four.request(create(0, A))).answers
    assert isinstance(done, Done)
    trusted = agreed_header(layout.places)
    four.until_height(trusted.height + 1)
    height, _ = snapshot_now(layout, "node0")
    place = add_node(layout, str(IPv4Address(layout.places[-1].host) + 1), trusted)
    with (layout.folder / "join.log").open("ab") as log:
        joined = subprocess.Popen(
            [sys.executable, "-m", "interfirm.runtime.cluster_run", str(layout.folder), place.name],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        four.until(lambda s: s.validators[4].height > height and not s.validators[4].catching_up)
        governing = ClusterGovernment(layout, four.client)
        key = key_of(layout.home(place))
        decided(four, entering(governing, key, A.id, None))
        four.until(lambda s: s.power == 5 and s.power_up == 5)
        four.until(lambda _: engines_say(layout.places[0]) == 5)
        at = four.status.height
        four.until_height(at + 2)
        assert len(four.roots()) == 1
        decided(four, RemoveValidator(key=key))
        four.until(lambda _: engines_say(layout.places[0]) == 4)
        assert key not in keys(four)
    finally:
        joined.terminate()
        joined.wait()
        layout.save(layout.file.replace(places=layout.places[:4]))


def test_a_validators_key_is_replaced_while_the_others_go_on(four: RunningCluster) -> None:
    layout = four.layout
    place = layout.named("node1")
    governing = ClusterGovernment(layout, four.client)
    old, new = key_of(layout.home(place)), next_key(layout, place)
    with pytest.raises(Refusal) as refusal:
        use_next_key(layout, place, governing.members(), height=four.status.height)
    assert refusal.value.code == "cluster.running"
    found = decided(four, *replacing(governing, old, new))
    four.until_height(found.ended + 3)
    members = governing.members()
    four.stop()
    assert use_next_key(layout, place, members, height=found.ended + 3) == new
    four.start()
    four.until(lambda s: s.power_up == 4 and min(v.height for v in s.validators) > found.ended + 6)
    assert (old in keys(four), keys(four)[new]) == (False, 1)
    assert len(four.roots()) == 1


# processes in the test's hands ---------------------------------------------------------------------------------------


def test_at_an_upgrade_who_lacks_the_rules_stops_and_comes_after_with_them(
    handled: HandledCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RULES, "1,2")
    for name in ("node0", "node1", "node2"):
        handled.end(name)
        handled.start(name)
        handled.until(lambda s: s.power_up == 4)
    height = handled.status.height + 20  # the votes take some of them
    decided(handled, Upgrade(name="second", version=2, height=height))
    assert handled.status.upgrade == f"second: version 2 from height {height}"
    handled.until_height(height + 2, "node0", "node1", "node2")
    late = handled.until(lambda s: s.power_up == 3).validators[3]
    assert (late.application, late.engine) == (None, None)
    said = (handled.layout.home(handled.layout.named("node3")) / "application.log").read_text()
    assert re.search(rf"from height {height} the rules of version 2 are in force", said)
    handled.end("node3")
    handled.start("node3")
    handled.until_height(height + 4)
    assert len(handled.roots()) == 1
    assert ClusterGovernment(handled.layout, handled.client).said("governance").answer[0] == 2


def twin_of(cluster: HandledCluster, name: str) -> Place:
    """A second machine with the key of another, its state, and another name among the engines."""
    layout = cluster.layout
    place, home = layout.named(name), layout.folder / "twin"
    shutil.copytree(layout.home(place), home, ignore=shutil.ignore_patterns("*.sock", "*.pid", "engine.log", "*.lock"))
    (home / "config" / "node_key.json").unlink()
    program = str(engine.engine_path())
    node = subprocess.run([program, "gen-node-key", "--home", str(home)], capture_output=True, text=True, check=True)
    shown = subprocess.run([program, "show-node-id", "--home", str(home)], capture_output=True, text=True, check=True)
    assert node.returncode == 0
    twin = place.replace(name="twin", node=shown.stdout.strip(), host=str(IPv4Address(place.host) + 40))
    own = {
        "rpc": {"laddr": f"tcp://{twin.host}:{twin.rpc_port}"},
        "p2p": {"laddr": f"tcp://{twin.host}:{twin.p2p_port}", "persistent_peers": peers_of(twin, layout.places[:4])},
    }
    path = home / "config" / "config.toml"
    path.write_text(with_settings(path.read_text(), own))
    layout.save(layout.file.replace(places=(*layout.places, twin)))
    return twin


def test_a_second_signer_with_one_key_removes_the_validator_and_its_operators_vote(
    handled: HandledCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RULES, "1,2")
    home = handled.layout.home(handled.layout.named("node2"))
    handled.end("node2")
    twin_of(handled, "node2")
    key = key_of(home)
    handled.start("node2", "twin")
    try:
        # the two agree as long as they see the same: how soon they sign two things is a matter of chance
        handled.until(lambda _: key not in keys(handled), patience_s=5 * PATIENCE_S)
        handled.until(lambda _: engines_say(handled.layout.places[0]) == 3)
        governing = ClusterGovernment(handled.layout, handled.client)
        with pytest.raises(Refusal) as refusal:
            governing.propose((Stop(reason="revenge"),), voice(C), life_ms=HOUR_MS)
        assert refusal.value.code == "governance.voter"
        at = handled.status.height
        handled.until_height(at + 3, "node0", "node1", "node3")
    finally:
        handled.end("twin")
        handled.layout.save(handled.layout.file.replace(places=handled.layout.places[:4]))
