"""Contracts move to a cluster of real engines, from a solo notary or another cluster, and stay when it is silent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.networks import asker, done, ended, eventually
from tests.support.cluster import needs_engine

from interfirm.base.time import Instant
from interfirm.notary.governance.types import Action, ForgetNotary, TrustNotary
from interfirm.runtime import notaries, supervise
from interfirm.runtime.cluster_govern import government
from interfirm.runtime.governing import Voice
from interfirm.runtime.layout import Home, NetworkLayout, new_network
from interfirm.runtime.neighbours import neighbour_in

pytestmark = [pytest.mark.slow, *needs_engine]
FIRMS = (("Halden Retail BV", "BE0812345603"), ("Kern Logistics NV", "BE0543210955"))
SOON_MS = 25_000


@pytest.fixture(scope="module", params=[("solo", "cluster"), ("cluster", "second")], ids="-".join)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    """Two firms and a notary, to which a cluster of one validator was added while they ran."""
    here, there = request.param
    folder: Path = tmp_path_factory.mktemp("moves") / "network"
    layout = new_network(
        folder, FIRMS, name="test", at_ms=time.time_ns() // 1_000_000, notaries=(here,), validators=1
    )  # fmt: skip
    try:
        notaries.start_all(layout)
        layout.add_notary("cluster", name=there, validators=1)
        supervise.stop(layout.homes()[::-1])
        notaries.start_all(layout)
        yield layout
    finally:
        notaries.stop_all(layout)


def names(network: NetworkLayout) -> tuple[str, str]:
    """The notary where contracts are made, and the cluster where they move to."""
    here, there = network.file.notaries
    return here, there


def held(home: Home, ref: str) -> dict[str, Any]:
    found: dict[str, Any] = asker(home).call("contracts.show", {"ref": ref})
    return found


def cash(network: NetworkLayout) -> str:
    owner, issuer = (network.firm(name) for name, _ in FIRMS)
    fields = {"issuer": issuer.member.name, "owner": owner.member.name, "amount": "10.00 EUR"}
    made = done(issuer, "create", template="cash.Cash", fields=fields)["transaction"]
    ref = f"{made}:0"
    eventually(lambda: asker(owner).call("contracts.list", {"template": "Cash"})["contracts"] or None, "the cash")
    return ref


def of_both(network: NetworkLayout) -> str:
    """A contract that both must agree to move."""
    owner, issuer = (network.firm(name) for name, _ in FIRMS)
    request = {
        "ref": cash(network), "choice": "redeem", "request": "redeem", "wait_ms": 1_000,
        "arguments": {"account": "00" * 32, "end_to_end_id": "E-1"},
    }  # fmt: skip
    asker(owner).call("exercise", request)
    (item,) = eventually(lambda: asker(issuer).call("inbox.list", {})["inbox"] or None, "the question")
    asker(issuer).call("inbox.decide", {"id": item["id"], "approve": True})
    flow = eventually(
        lambda: found if (found := ended(owner, "exercise", **request))["state"] == "done" else None, "the redemption"
    )
    return f"{flow['result']['transaction']}:1"


def arrived(home: Home, ref: str) -> dict[str, Any] | None:
    listed = asker(home).call("contracts.list", {"template": "Cash", "status": "all", "limit": 1000})["contracts"]
    return next((each for each in listed if each["ref"] == ref), None)


def test_a_contract_moves_to_the_cluster_is_used_there_and_moves_back(network: NetworkLayout) -> None:
    home, away = names(network)
    owner, issuer = (network.firm(name) for name, _ in FIRMS)
    there = "{}:{}".format(*done(owner, "contracts.move", ref=cash(network), to=away)["ref"])
    assert held(owner, there)["notary"] == network.title(away)
    eventually(lambda: arrived(issuer, there), "the issuer's knowledge of the move")
    done(owner, "exercise", ref=there, choice="divide", arguments={"amounts": ["4.00 EUR", "6.00 EUR"]})
    (small,) = [
        each["ref"]
        for each in asker(owner).call("contracts.list", {"template": "Cash", "notary": away})["contracts"]
        if each["fields"]["amount"]["amount"] == "4.00"
    ]
    back = "{}:{}".format(*done(owner, "contracts.move", ref=small, to=home)["ref"])
    shown = held(owner, back)
    assert (shown["notary"], shown["status"], [step["status"] for step in shown["moves"]]) == (
        network.title(home), "active", ["moved"],
    )  # fmt: skip
    spent = done(owner, "exercise", ref=back, choice="divide", arguments={"amounts": ["1.00 EUR", "3.00 EUR"]})
    eventually(lambda: arrived(issuer, f"{spent['transaction']}:1"), "the issuer's knowledge of what was done with it")


def test_what_a_silent_cluster_did_not_take_in_time_is_unlocked_by_a_proof_of_its_state(network: NetworkLayout) -> None:
    owner, issuer = (network.firm(name) for name, _ in FIRMS)
    _, away = names(network)
    ref = of_both(network)
    supervise.stop([issuer])  # the cluster answers the first question, and then there is nobody to sign
    until = time.time_ns() // 1_000_000 + SOON_MS
    request = {"ref": ref, "to": away, "until": str(Instant(until)), "request": "move", "wait_ms": 200}

    def waits_for(step: str) -> bool | None:
        flow = ended(owner, "contracts.move", **request)
        assert flow["state"] in ("waiting", "running"), flow
        return any(each["name"] == step and each["state"] == "running" for each in flow["steps"]) or None

    eventually(lambda: waits_for("Gather signatures"), "the cluster's answer")
    notaries.stop_clusters(network, away)
    supervise.start(network, [issuer])
    eventually(lambda: held(owner, ref)["status"] == "locked" or None, "the lock")
    while time.time_ns() // 1_000_000 < until:
        time.sleep(0.2)
    notaries.start(network)
    flow = eventually(
        lambda: found if (found := ended(owner, "contracts.move", **request))["state"] == "refused" else None,
        "the end of the move", within_s=120,
    )  # fmt: skip
    assert flow["result"]["code"] == "move.undone"
    assert held(owner, ref)["status"] == "active"
    eventually(lambda: held(issuer, ref)["status"] == "active" or None, "the other confirmer's knowledge", within_s=120)


def decided(network: NetworkLayout, cluster: str, action: Action) -> None:
    """What the registrar, who votes alone, has a cluster decide."""
    registrar = network.registrar()
    voice = Voice(signer=registrar, identity=registrar.public.identity)
    with government(network.cluster(cluster)) as governing:
        assert governing.propose((action,), voice, life_ms=60_000).status == "applied"


def test_what_a_cluster_does_not_take_from_a_notary_that_it_forgot_is_unlocked(network: NetworkLayout) -> None:
    owner = network.firm(FIRMS[0][0])
    home, away = names(network)
    ref, known = cash(network), neighbour_in(network, home)
    decided(network, away, ForgetNotary(notary=known.notary))
    try:
        until = Instant(time.time_ns() // 1_000_000 + SOON_MS)
        request = {"ref": ref, "to": away, "until": str(until), "request": "to a stranger", "wait_ms": 200}
        flow = eventually(
            lambda: found if (found := ended(owner, "contracts.move", **request))["state"] == "refused" else None,
            "the end of the move", within_s=120,
        )  # fmt: skip
    finally:
        decided(network, away, TrustNotary(neighbour=known))
    assert flow["result"]["code"] == "move.undone"
    assert held(owner, ref)["status"] == "active"
    done(owner, "contracts.move", ref=ref, to=away)
