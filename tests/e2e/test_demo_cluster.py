"""The demo on seven validators: the same figures, receipts that a stranger checks, and validators that may die."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.networks import answer, command, eventually
from tests.support.cluster import needs_engine

from interfirm.runtime import notaries
from interfirm.runtime.cluster_status import status_of
from interfirm.runtime.layout import NetworkLayout

pytestmark = needs_engine


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the result of the scenario on a cluster, and its network, which goes on running."""
    folder = tmp_path_factory.mktemp("cluster")
    words = ("--folder", str(folder / "network"), "--json", str(folder / "out.json"), "--notary", "cluster", "--keep")
    done = command("demo", *words, timeout_s=600)
    assert done.returncode == 0, done.stdout + done.stderr
    yield folder
    notaries.stop_all(NetworkLayout.open(folder / "network"))


@pytest.fixture
def result(kept: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((kept / "out.json").read_text())
    return found


@pytest.fixture
def layout(kept: Path) -> NetworkLayout:
    return NetworkLayout.open(kept / "network")


def as_firm(layout: NetworkLayout, firm: str, *words: str) -> Any:
    return answer(command("--network", str(layout.folder), "--as", firm, "--wait", "200", "--json", *words))


def test_seven_validators_agree_on_every_amount_of_the_scenario(result: dict[str, Any], layout: NetworkLayout) -> None:
    assert len(layout.clusters["cluster"].places) == 7
    supplier = result["vaults"]["supplier"]
    assert (supplier["payable"], supplier["rebate"], supplier["cost"]) == ("136125.00", "17164.37", "3106.91")
    assert result["vaults_agree"] is True


def test_a_cluster_refuses_what_a_notary_of_one_machine_refuses(result: dict[str, Any]) -> None:
    assert [(each["step"], each["code"]) for each in result["refusals"]] == [
        (11, "notary.consumed"),
        (11, "factoring.near-hit"),
    ]


def test_every_transaction_has_a_receipt_of_the_chain(result: dict[str, Any]) -> None:
    assert {step["step"] for step in result["steps"]} >= {8, 9, 10, 11, 12, 13}
    assert all(step["receipt_verified"] for step in result["steps"])


def test_a_stranger_checks_a_proof_from_the_first_validators_alone(layout: NetworkLayout, tmp_path: Path) -> None:
    proof, anchor = tmp_path / "invoice.proof", tmp_path / "anchor.json"
    (invoice, *_) = as_firm(layout, "halden", "contracts", "list", "Invoice")["contracts"]
    as_firm(layout, "halden", "proof", "export", invoice["ref"], "--to", str(proof), "--anchor", str(anchor))
    found = answer(command("--json", "proof", "verify", str(proof), "--anchor", str(anchor)))
    assert found["notary"] == layout.clusters["cluster"].notary_id.hex()
    assert found["receipt_verified"] is True
    changed = bytearray(proof.read_bytes())
    changed[len(changed) // 2] ^= 1
    proof.write_bytes(changed)
    assert command("proof", "verify", str(proof), "--anchor", str(anchor)).returncode == 3


def test_two_dead_validators_do_not_hold_up_a_firm(layout: NetworkLayout) -> None:
    cluster = layout.clusters["cluster"]
    before = {each.name: each for each in status_of(cluster).validators}
    for name in ("node0", "node1"):
        for pid in (before[name].engine, before[name].application):
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
    (cash, *_) = as_firm(layout, "nordmark", "contracts", "list", "Cash")["contracts"]
    parts = ["1.00 EUR", f"{Decimal(cash['fields']['amount']['amount']) - 1} EUR"]
    done = as_firm(layout, "nordmark", "exercise", cash["ref"], "divide", json.dumps({"amounts": parts}))
    assert done["result"]["transaction"]
    eventually(
        lambda: len({each.height for each in status_of(cluster).validators}) <= 2 or None, "all validators together"
    )
