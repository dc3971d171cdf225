"""A group of companies in one real process: started, looked at, trading with each other, and one firm taken out."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from tests.e2e.networks import EXAMPLES, FIRMS, answer, asker, command, done, eventually

from interfirm.runtime import notaries, supervise
from interfirm.runtime.group import url_at
from interfirm.runtime.layout import Home, NetworkLayout, new_network

INVOICES = "/v1/contracts/invoices.Invoice"


def get(url: str, token: str) -> httpx.Response:
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def numbers(answer_: httpx.Response) -> list[str]:
    """The invoices of a list."""
    assert answer_.status_code == 200, answer_.text
    return [each["fields"]["number"] for each in answer_.json()["contracts"]]


def told(home: Home) -> set[tuple[str, str]]:
    """(firm, event) of every line of a process's log."""
    lines = [json.loads(line) for line in home.log_path.read_text().splitlines()]
    return {(each["firm"], each["event"]) for each in lines}


def test_a_group_runs_in_one_process_trades_over_the_ledger_and_lets_a_firm_go(tmp_path: Path) -> None:
    layout = new_network(tmp_path / "network", list(FIRMS[:2]), name="test", at_ms=time.time_ns() // 1_000_000)
    seller, host = (layout.firm(name) for name, _ in FIRMS[:2])
    alone = host.configuration_path.read_text()
    host.configuration_path.write_text(f'{alone}\n[group]\nentities = ["{seller.member.slug}"]\n')
    try:
        notaries.start_all(layout)
        token = in_one_process(layout, host, seller)
        restarted(layout, host, seller)
        assert supervise.stop([host]) == [host.member.name]
        assert supervise.running(seller) is None
        host.configuration_path.write_text(alone)
        notaries.start_all(layout)
        taken_out(layout, host, seller, token)
    finally:
        notaries.stop_all(layout)


def in_one_process(layout: NetworkLayout, host: Home, seller: Home) -> str:
    """What a group does while it runs; a token that is good at both of its firms."""
    assert supervise.running(seller) == supervise.running(host) is not None
    asker(host).call("access.person-put", {"name": "anna", "roles": ["clerk@*"]})
    token: str = asker(host).call("access.token-new", {"person": "anna"})["token"]
    asker(seller).call("invoice.import", {"path": str(EXAMPLES / "invoice-2026-0001.xml")})
    for home in (seller, host):
        eventually(lambda home=home: numbers(get(url_at(layout, home) + INVOICES, token)) or None, "the invoice")
    done(host, "create", template="cash.Cash", fields={
        "issuer": host.member.name, "owner": host.member.name, "amount": "5.00 EUR",
    })  # fmt: skip
    cash = [get(f"{url_at(layout, home)}/v1/contracts/cash.Cash", token).json()["contracts"] for home in (seller, host)]
    assert [len(each) for each in cash] == [0, 1]
    pages = [httpx.get(f"{url_at(layout, home)}/metrics").text for home in (seller, host)]
    assert all("interfirm_turn_seconds_count" in page for page in pages)
    assert pages[0] != pages[1]
    assert {(each.member.slug, "node.started") for each in (host, seller)} <= told(host)
    found: list[dict[str, Any]] = answer(command("--network", str(layout.folder), "--json", "doctor"))["findings"]
    assert f"answers, in the process of {host.member.slug}" in {each["found"] for each in found}
    again = subprocess.run(
        [sys.executable, "-m", "interfirm.runtime.main", str(layout.folder), seller.member.slug],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert again.returncode == 3
    assert '"group.hosted"' in again.stderr
    return token


def restarted(layout: NetworkLayout, host: Home, seller: Home) -> None:
    """All of a group come to rest, start again together, and go on."""
    before = supervise.running(host)
    named = ("--network", str(layout.folder), "--as", host.member.slug, "--json")
    found = answer(command(*named, "node", "restart"))
    assert (found["restarted"], found["drained"]) == (True, True)
    assert supervise.running(seller) == supervise.running(host) != before
    assert [asker(each).call("status")["paused"] for each in (host, seller)] == [None, None]


def taken_out(layout: NetworkLayout, host: Home, seller: Home, token: str) -> None:
    """The firm runs by itself, with all that it had, and without the group's people."""
    assert supervise.running(seller) != supervise.running(host)
    assert "/entities/" not in url_at(layout, seller)
    assert get(url_at(layout, seller) + "/v1/me", token).status_code == 401
    assert get(url_at(layout, host) + f"/entities/{seller.member.slug}/v1/me", token).json()["code"] == "http.path"
    assert numbers(get(url_at(layout, host) + INVOICES, token)) == ["INV-2026-0001"]
    asker(seller).call("access.audit-check", {})
    assert len(asker(seller).call("invoice.list", {})["invoices"]) == 1
