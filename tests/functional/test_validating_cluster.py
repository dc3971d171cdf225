"""A cluster of real engines that re-executes: what firms bring it whole, and what it refuses however many signed it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.networks import asker, done, ended, eventually
from tests.support import ledger as sample
from tests.support.cluster import PATIENCE_S, RunningCluster, free_address, needs_engine, now
from tests.support.parties import Party
from tests.unit.notary.test_validating import (
    ALICE,
    BANK,
    BOB,
    PACKAGES,
    approval,
    cash,
    multiplied,
    plain,
    split,
    whole,
)

from interfirm.base.signatures import PublicKey, Signer
from interfirm.base.time import Window
from interfirm.contracts.packages import Package
from interfirm.contracts.types import ContractRef
from interfirm.notary.governance.types import Constitution, Setting
from interfirm.notary.types import Answer, Done, Publish, Refused, Request
from interfirm.runtime import notaries
from interfirm.runtime.bootstrap import load_engine
from interfirm.runtime.cluster import ClusterLayout, new_cluster
from interfirm.runtime.cluster_govern import government
from interfirm.runtime.governing import Voice
from interfirm.runtime.layout import Home, NetworkLayout, new_network
from interfirm.runtime.modules import find_modules

pytestmark = [pytest.mark.slow, *needs_engine]
FIRMS = (("Halden Retail BV", "BE0812345603"), ("Kern Logistics NV", "BE0543210955"))
HOUR_MS = 3_600_000
ALL = 2


def new_validating(folder: Path, *, registrar: PublicKey, **more: Any) -> ClusterLayout:
    """A cluster that takes from its first block on only what is brought whole."""
    constitution = Constitution(voters=(registrar,), operators=(), settings=(Setting(name="validating", value=ALL),))
    return new_cluster(folder, registrar=registrar, constitution=constitution, **more)


def publish(layout: ClusterLayout, registrar: Signer, packages: Iterable[Package]) -> None:
    """The registrar, who governs alone, approves packages and brings their source."""
    voice = Voice(signer=registrar, identity=registrar.public.identity)
    with government(layout) as governing:
        for package in packages:
            decided = governing.propose((approval(package),), voice, life_ms=HOUR_MS)
            assert decided.status == "applied", decided
            governing.send(Publish(package=package), voice)


# what is refused ------------------------------------------------------------------------------------------------------


class ByEngines(sample.Notary):
    """The notary of a network in memory whose requests go to a cluster of real engines."""

    def __init__(self, network: sample.Network, cluster: RunningCluster) -> None:
        super().__init__(network, "cluster")
        self.id = cluster.layout.notary_id
        self._cluster = cluster

    def ask(self, request: Request, requester: Party | None = None) -> Answer:
        """Judge one request in an envelope of its own."""
        registrar = sample.REGISTRAR
        data = self._cluster.envelope(request, signer=registrar, identity=registrar.public.identity)
        (answer,) = self._cluster.client.ask(data, timeout_s=PATIENCE_S)
        if isinstance(answer, Done):
            self.state["accepted", answer.id] = b""
        return answer


@pytest.fixture
def net(tmp_path: Path) -> Iterator[sample.Network]:
    """Three parties at a cluster of four validators."""
    layout = new_validating(
        tmp_path / "c", registrar=sample.REGISTRAR.public, network=sample.NETWORK, label="validating", validators=4,
        first_address=free_address(),
    )  # fmt: skip
    cluster = RunningCluster(layout)
    try:
        cluster.start()
        cluster.until_height(1)
        found = sample.Network()
        notary = ByEngines(found, cluster)
        found.notaries = {notary.id: notary}
        found.window = Window(lower=None, upper=now().plus_ms(HOUR_MS))
        for someone in (BANK, ALICE, BOB):
            found.join(someone)
        publish(layout, sample.REGISTRAR, PACKAGES)
        yield found
        assert len(cluster.roots()) == 1, "all validators came to one state"
    finally:
        cluster.close()


def test_valid_effects_with_a_wrong_re_execution_are_refused_by_engines(net: sample.Network) -> None:
    made = cash(net)
    done = net.notary.done(whole(net, made))
    net.remember(made)
    honest = split(net, ContractRef(done.id, 0))
    forged = net.notary.ask(whole(net, multiplied(net, honest)))
    assert isinstance(forged, Refused)
    assert forged.code == "ledger.id"
    hidden = net.notary.ask(plain(net, honest))
    assert isinstance(hidden, Refused)
    assert hidden.code == "notary.validating"
    assert isinstance(net.notary.ask(whole(net, honest)), Done)


# what firms bring -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    """Two firms, a cluster of one validator that re-executes everything, and a solo notary that does not."""
    folder: Path = tmp_path_factory.mktemp("validating") / "network"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("interfirm.runtime.cluster.new_cluster", new_validating)
        at_ms = time.time_ns() // 1_000_000
        layout = new_network(folder, FIRMS, name="test", at_ms=at_ms, notaries=("cluster", "solo"), validators=1)
    try:
        notaries.start_all(layout)
        publish(layout.cluster("cluster"), layout.registrar(), load_engine(find_modules(())).packages.values())
        yield layout
    finally:
        notaries.stop_all(layout)


def cash_of(issuer: Home, owner: Home, notary: str) -> dict[str, Any]:
    """The arguments that create cash at a notary."""
    fields = {"issuer": issuer.member.name, "owner": owner.member.name, "amount": "10.00 EUR"}
    return {"template": "cash.Cash", "fields": fields, "notary": notary}


def held(home: Home, ref: str) -> dict[str, Any] | None:
    listed = asker(home).call("contracts.list", {"template": "Cash", "limit": 1000})["contracts"]
    return next((each for each in listed if each["ref"] == ref), None)


def divided(owner: Home, ref: str) -> Any:
    """The owner alone divides what the issuer signed for."""
    return ended(owner, "exercise", ref=ref, choice="divide", arguments={"amounts": ["4.00 EUR", "6.00 EUR"]})


def test_firms_bring_whole_what_they_choose_to_show_and_nothing_else(network: NetworkLayout) -> None:
    owner, issuer = (network.firm(name) for name, _ in FIRMS)
    refused = ended(issuer, "create", **cash_of(issuer, owner, "cluster"))
    assert (refused["state"], refused["result"]["code"]) == ("refused", "notary.validating")
    shown = asker(issuer).call("privacy.shown", {"notary": "cluster", "templates": ["cash.Cash"]})
    assert shown["templates"] == ["cash.Cash"]
    made = done(issuer, "create", **cash_of(issuer, owner, "cluster"))["transaction"]
    ref = f"{made}:0"
    eventually(lambda: held(owner, ref), "the cash")
    assert divided(owner, ref)["result"]["code"] == "notary.validating", "each firm decides for itself"
    asker(owner).call("privacy.shown", {"notary": "cluster", "templates": ["*"]})
    assert divided(owner, ref)["state"] == "done", "the issuer need not sign: the cluster saw the cash being made"


def test_what_comes_from_a_notary_that_does_not_re_execute_brings_its_history(network: NetworkLayout) -> None:
    owner, issuer = (network.firm(name) for name, _ in FIRMS)
    for home in (owner, issuer):
        asker(home).call("privacy.shown", {"notary": "cluster", "templates": ["*"]})
    made = done(issuer, "create", **cash_of(issuer, owner, "solo"))["transaction"]
    ref = f"{made}:0"
    eventually(lambda: held(owner, ref), "the cash")
    there = "{}:{}".format(*done(owner, "contracts.move", ref=ref, to="cluster")["ref"])
    assert divided(owner, there)["state"] == "done"
    asker(owner).call("privacy.shown", {"notary": "cluster", "templates": []})
    assert asker(owner).call("privacy.shown", {"notary": "cluster"})["templates"] == []
