"""Certificates that stop being good while processes run: open connections end, and there are no new ones."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.networks import FIRMS, answer, asker, command, eventually, network

from interfirm.base.errors import Refusal
from interfirm.node.identity.authority import Authority
from interfirm.node.identity.sealed import read_passphrase
from interfirm.runtime import supervise
from interfirm.runtime.layout import Home, NetworkLayout

NOW_MS = time.time_ns() // 1_000_000
YEAR_MS = 365 * 24 * 3_600_000


@pytest.fixture
def running(tmp_path: Path) -> Iterator[NetworkLayout]:
    with network(tmp_path / "network", FIRMS[:2]) as layout:
        yield layout


def firms(layout: NetworkLayout) -> tuple[Home, Home]:
    return layout.firm(FIRMS[0][0]), layout.firm(FIRMS[1][0])


def connected(home: Home) -> list[str]:
    found: list[str] = asker(home).call("status")["connected"]
    return found


def troubles(home: Home) -> list[tuple[str, str]]:
    """(code, reason) of everything that a process logged of its network."""
    entries = [json.loads(line) for line in home.log_path.read_text().splitlines() if line.startswith("{")]
    return [(e.get("code", ""), e.get("reason", "")) for e in entries if e["event"] == "network.trouble"]


def codes(home: Home) -> set[str]:
    return {code for code, _ in troubles(home)}


def pay(issuer: Home, owner: Home, *, wait_ms: int = 30_000) -> dict[str, object]:
    fields = {"issuer": issuer.member.name, "owner": owner.member.name, "amount": "10.00 EUR"}
    arguments = {"template": "cash.Cash", "fields": fields, "wait_ms": wait_ms}
    flow: dict[str, object] = asker(issuer).call("create", arguments)["flow"]
    return flow


def meet(layout: NetworkLayout) -> None:
    """Both firms talk to each other and to the notary."""
    supplier, buyer = firms(layout)
    assert pay(supplier, buyer)["state"] == "done"
    names = {layout.notary.member.name, buyer.member.name}
    eventually(lambda: names <= set(connected(supplier)) or None, "the sessions")


def test_a_revoked_firm_loses_its_open_sessions_and_gets_no_new_ones(running: NetworkLayout) -> None:
    supplier, buyer = firms(running)
    meet(running)
    told = answer(command("--network", str(running.folder), "--json", "network", "revoke", buyer.member.slug, "--yes"))
    assert told["firm"] == buyer.member.slug
    eventually(lambda: None if connected(buyer) else True, "the end of all sessions of the revoked firm")
    assert connected(supplier) == [running.notary.member.name]
    assert "certificate.revoked" in codes(supplier)

    before = len(troubles(running.notary))
    assert pay(buyer, supplier, wait_ms=3_000)["state"] == "waiting"
    eventually(
        lambda: "certificate.revoked" in [code for code, _ in troubles(running.notary)[before:]] or None,
        "the notary's refusal of a new session",
    )
    refused = [reason for code, reason in troubles(buyer) if code in ("network.refused", "network.farewell")]
    assert any("revoked" in reason for reason in refused)
    assert connected(buyer) == []
    assert pay(supplier, supplier)["state"] == "done", "the others go on"


def test_a_revocation_is_seen_by_a_process_that_nobody_told(running: NetworkLayout) -> None:
    supplier, buyer = firms(running)
    meet(running)
    running.revoke(buyer, at_ms=NOW_MS)
    eventually(lambda: buyer.member.name not in connected(supplier) or None, "the end of the session", within_s=30)
    assert "certificate.revoked" in codes(supplier)


def test_a_revoked_firm_does_not_start_again_and_the_doctor_says_why(running: NetworkLayout) -> None:
    _, buyer = firms(running)
    supervise.stop([buyer])
    running.revoke(buyer, at_ms=NOW_MS)
    with pytest.raises(Refusal, match=r"process\.ended") as ended:
        supervise.start(running, [buyer])
    assert "certificate.revoked" in str(ended.value.values["log"])
    done = command("--network", str(running.folder), "--json", "doctor")
    assert done.returncode == 1
    (finding,) = [f for f in json.loads(done.stdout)["findings"] if not f["ok"]]
    assert finding["what"] == f"keys of {buyer.member.slug}"
    assert finding["refused"]["code"] == "certificate.revoked"


def test_a_revocation_list_that_is_not_the_authoritys_is_believed_by_nobody(running: NetworkLayout) -> None:
    supplier, buyer = firms(running)
    meet(running)
    forged = Authority.generate(running.file.name, at_ms=NOW_MS).revocations(at_ms=NOW_MS)
    path = running.authority_folder / "revocations.crl"
    honest = path.read_bytes()
    path.write_bytes(forged)
    eventually(lambda: None if connected(supplier) else True, "nobody is trusted", within_s=30)
    assert "revocations.untrusted" in codes(supplier)
    path.write_bytes(honest)
    assert pay(supplier, buyer)["state"] == "done", "and all goes on with the true list"


def test_a_certificate_that_expires_while_its_firm_is_connected_ends_its_sessions(tmp_path: Path) -> None:
    with network(tmp_path / "network", FIRMS[:2], scenario_ms=NOW_MS) as layout:
        supplier, buyer = firms(layout)
        meet(layout)
        asker(supplier).call("clock.set", {"ms": NOW_MS + 3 * YEAR_MS})
        eventually(lambda: None if connected(supplier) else True, "the end of all sessions", within_s=30)
        assert "certificate.expired" in codes(supplier)
        assert pay(buyer, buyer)["state"] == "done", "those whose clock stands there go on"


def test_a_node_that_answers_with_another_firms_certificate_is_not_talked_to(running: NetworkLayout) -> None:
    supplier, buyer = firms(running)
    supervise.stop([buyer])
    _take_over(running, buyer)
    supervise.start(running, [buyer])
    assert pay(supplier, buyer)["state"] == "done", "the notary still judges; the buyer is only told"
    eventually(lambda: "network.wrong-peer" in codes(supplier) or None, "the wrong peer is noticed")
    assert buyer.member.name not in connected(supplier)


def _take_over(layout: NetworkLayout, victim: Home) -> None:
    """Another firm, with keys and certificate of its own from the same authority, sits at the victim's address."""
    other = layout.join("Impostor NV", "BE0765432146", at_ms=NOW_MS)
    for name in ("keys", "passphrase", "certificate.pem"):
        os.replace(other.folder / name, victim.folder / name)
    assert read_passphrase(victim.passphrase_path)
