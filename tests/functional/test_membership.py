"""Members of a network of real processes: one loses its database and recovers, one leaves and what it was bound by."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.networks import FIRMS, asker, command, eventually

from interfirm.runtime import notaries, supervise
from interfirm.runtime.databases import vault_path
from interfirm.runtime.layout import Home, NetworkLayout, new_network


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    folder: Path = tmp_path_factory.mktemp("members") / "network"
    layout = new_network(folder, FIRMS, name="test", at_ms=time.time_ns() // 1_000_000)
    try:
        notaries.start_all(layout)
        yield layout
    finally:
        notaries.stop_all(layout)


def told(network: NetworkLayout, *words: str, code: int = 0) -> Any:
    """What a command answers programs."""
    done = command("--network", str(network.folder), "--json", *words)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def issue(network: NetworkLayout, owner: str) -> str:
    fields = {"issuer": "kern", "owner": owner, "amount": "10.00 EUR"}
    made = asker(network.firm("kern")).call("create", {"template": "cash.Cash", "fields": fields})["flow"]
    assert made["state"] == "done", made
    return f"{made['result']['transaction']}:0"


def cash_of(home: Home) -> list[str]:
    listed = asker(home).call("contracts.list", {"template": "cash.Cash", "limit": 1000})["contracts"]
    return sorted(each["ref"] for each in listed)


def test_a_node_that_lost_its_database_recovers_by_command_while_one_member_is_down(network: NetworkLayout) -> None:
    owner, other = network.firm("nordmark"), network.firm("halden")
    refs = sorted(issue(network, "nordmark") for _ in range(2))
    eventually(lambda: refs if cash_of(owner) == refs else None, "the cash")
    supervise.stop([owner, other])
    for left in owner.folder.glob(f"{vault_path(owner).name}*"):
        if left.is_file():
            left.unlink()
    supervise.start(network, [owner])
    assert cash_of(owner) == []
    found = told(network, "--as", "nordmark", "recover", "--silent", "5")
    assert {each["peer"]: each["answer"] for each in found["told"]} == {
        other.member.name: "silent", network.firm("kern").member.name: "answered",
    }  # fmt: skip
    assert (found["unspent"], found["lacking"], found["uncovered"]) == (2, [], [other.member.name])
    assert cash_of(owner) == refs
    supervise.start(network, [other])
    assert told(network, "--as", "nordmark", "recover")["complete"]
    paid = asker(owner).call(
        "exercise", {"ref": refs[0], "choice": "move", "arguments": {"to": "halden", "amount": "10.00 EUR"}}
    )["flow"]
    assert paid["state"] == "done", paid


def test_a_member_leaves_when_nothing_binds_it_and_signs_nothing_any_more(network: NetworkLayout) -> None:
    issue(network, "halden")
    leaver = network.firm("halden")
    eventually(lambda: cash_of(leaver) or None, "the cash")
    refusal = told(network, "network", "leave", "halden", "--yes", code=3)["refused"]
    assert refusal["code"] == "network.bound"
    assert refusal["values"]["contracts"][0].startswith("cash.Cash ")
    for ref in cash_of(leaver):
        spent = {"ref": ref, "choice": "move", "arguments": {"to": "nordmark", "amount": "10.00 EUR"}}
        assert asker(leaver).call("exercise", spent)["flow"]["state"] == "done"
    gone = told(network, "network", "leave", "halden", "--yes")
    assert gone["stays"] == []
    assert supervise.running(leaver) is None
    network.reload()
    assert [home.member.slug for home in network.homes()] == ["notary", "nordmark", "kern"]
    assert issue(network, "nordmark"), "the others go on"
    assert told(network, "--as", "halden", "contracts", "list", code=3)["refused"]["code"] == "firm.unknown"


def test_who_is_bound_leaves_by_force_and_is_told_what_stays(network: NetworkLayout) -> None:
    ref = issue(network, "nordmark")
    gone = told(network, "network", "leave", "kern", "--force", "--yes")
    staying = {each["ref"]: each["as"] for each in gone["stays"]}
    assert staying[ref] == ["signatory", "controller"]
