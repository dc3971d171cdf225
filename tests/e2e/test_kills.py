"""Nodes killed (SIGKILL) between any two steps of a turn lose nothing, double nothing, and finish what they began.

The points are those the node itself names; the list is generated from them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.networks import FIRMS, asker, eventually, network

from interfirm.node.node import POINTS
from interfirm.runtime import supervise
from interfirm.runtime.bootstrap import KILL_AT
from interfirm.runtime.layout import Home, NetworkLayout

TURNS = (2, 5)
"""At which of its turns a process dies: while it connects, and in the middle of a transaction."""
KILLS = [(who, point, turn) for who in ("nordmark", "halden") for point in POINTS for turn in TURNS]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    with network(tmp_path_factory.mktemp("kills") / "network") as layout:
        yield layout


def restart(layout: NetworkLayout, home: Home, kill_at: str = "") -> None:
    """Stop a process and start it again, perhaps with a death in store."""
    supervise.stop([home])
    if kill_at:
        os.environ[KILL_AT] = kill_at
    try:
        supervise.start(layout, [home])
    finally:
        os.environ.pop(KILL_AT, None)


def cash_of(home: Home) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = asker(home).call("contracts.list", {"template": "cash.Cash", "limit": 1000})[
        "contracts"
    ]
    return found


def total(home: Home, owner: str) -> int:
    own = [c["fields"]["amount"]["amount"] for c in cash_of(home) if c["fields"]["owner"] == owner]
    return sum(int(amount.replace(".", "")) for amount in own)


def pays_though_killed(running: NetworkLayout, who: str, point: str, turn: int) -> None:
    """Cash is issued and moved once, though one of the two firms dies at a point of a turn."""
    supplier, buyer, bank = (running.firm(name) for name, _ in FIRMS)
    victim = running.firm(who)
    request = f"{who}-{point}-{turn}"
    before = total(supplier, supplier.member.name), total(buyer, buyer.member.name)
    fields = {"issuer": bank.member.name, "owner": supplier.member.name, "amount": "10.00 EUR"}
    issued = asker(bank).call("create", {"template": "cash.Cash", "fields": fields})["flow"]["result"]["transaction"]
    ref = f"{issued}:0"
    eventually(lambda: ref in [c["ref"] for c in cash_of(supplier)] or None, "the cash")
    restart(running, victim, f"{point}:{turn}")
    move = {
        "ref": ref,
        "choice": "move",
        "request": request,
        "arguments": {"to": buyer.member.name, "amount": "4.00 EUR"},
    }

    def revive() -> None:
        if supervise.running(victim) is None:
            restart(running, victim)

    def moved() -> dict[str, Any] | None:
        """Ask (with the same request id), bring the dead back to life, until the flow has ended."""
        revive()
        flow: dict[str, Any] = asker(supplier).call("exercise", {**move, "wait_ms": 500})["flow"]
        return flow if flow["state"] not in ("running", "waiting") else None

    flow = eventually(moved, "the end of the flow")
    assert flow["state"] == "done", flow
    transaction = flow["result"]["transaction"]

    def arrived() -> bool | None:
        revive()
        return any(c["ref"].startswith(transaction) for c in cash_of(buyer)) or None

    eventually(arrived, "the buyer's cash")
    after = total(supplier, supplier.member.name), total(buyer, buyer.member.name)
    assert after == (before[0] + 600, before[1] + 400)
    restart(running, victim)
    assert (total(supplier, supplier.member.name), total(buyer, buyer.member.name)) == after


@pytest.mark.parametrize(("who", "point", "turn"), KILLS, ids=str)
def test_a_killed_node_loses_nothing_and_doubles_nothing(
    running: NetworkLayout, who: str, point: str, turn: int
) -> None:
    pays_though_killed(running, who, point, turn)
