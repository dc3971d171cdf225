"""A node's operator at work: pause, drain, and the doctor's findings with what to do, by command on real processes."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.networks import FIRMS, answer, asker, command, done, eventually, network

from interfirm.base.errors import Refusal
from interfirm.cli.findings import remedy
from interfirm.runtime import supervise
from interfirm.runtime.layout import Home, NetworkLayout


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    with network(tmp_path_factory.mktemp("operations") / "network", FIRMS[:2]) as made:
        yield made


@pytest.fixture
def home(layout: NetworkLayout) -> Home:
    return layout.firm(FIRMS[0][0])


@contextmanager
def stopped(layout: NetworkLayout, home: Home) -> Iterator[None]:
    supervise.stop([home])
    try:
        yield
    finally:
        supervise.start(layout, [home])


def at(home: Home, *words: str) -> Any:
    return command("--network", str(home.folder.parents[1]), "--as", home.member.slug, "--json", *words)


def fields(layout: NetworkLayout) -> dict[str, str]:
    issuer, owner = (layout.firm(name) for name, _ in FIRMS[:2])
    return {"issuer": issuer.member.name, "owner": owner.member.name, "amount": "7.00 EUR"}


def findings(layout: NetworkLayout, *, wrong: bool) -> dict[str, dict[str, Any]]:
    """The doctor's findings by what was looked at: all, or those that are wrong."""
    ended = command("--network", str(layout.folder), "--json", "doctor")
    assert ended.returncode == (1 if wrong else 0), ended.stdout + ended.stderr
    found = json.loads(ended.stdout)["findings"]
    return {f["what"]: f for f in found if not (wrong and f["ok"])}


def test_the_doctor_looks_at_everything_of_a_firm(layout: NetworkLayout, home: Home) -> None:
    found = findings(layout, wrong=False)
    slug = home.member.slug
    looked = {what.removesuffix(f" of {slug}") for what in found if what.endswith(f" of {slug}")}
    assert looked == {
        "audit log", "certificate", "clock", "configuration", "disk", "keys", "node", "peers", "ports", "vault",
    }  # fmt: skip
    assert all(not finding["do"] for finding in found.values())
    assert found[f"vault of {slug}"]["found"] == "nothing damaged"
    assert "days left" in found[f"certificate of {slug}"]["found"]


def test_a_paused_node_begins_nothing_until_it_goes_on_also_after_a_restart(layout: NetworkLayout, home: Home) -> None:
    assert answer(at(home, "node", "pause", "--reason", "a new disk")) == {"done": True}
    refused = at(home, "create", "cash.Cash", json.dumps(fields(layout)))
    assert refused.returncode == 3
    assert json.loads(refused.stdout)["refused"]["code"] == "node.paused"
    with stopped(layout, home):
        pass
    with pytest.raises(Refusal, match=r"node\.paused"):
        asker(home).call("create", {"template": "cash.Cash", "fields": fields(layout)})
    assert asker(home).call("status")["paused"]["reason"] == "a new disk"
    assert asker(home).call("access.audit", {"limit": 1000})["entries"][-1]["operation"] == "node.pause"
    answer(at(home, "node", "resume"))
    assert asker(home).call("status")["paused"] is None
    done(home, "create", template="cash.Cash", fields=fields(layout))


def test_a_drain_waits_until_nobody_is_at_work(layout: NetworkLayout, home: Home) -> None:
    with stopped(layout, layout.notary):
        flow = asker(home).call("create", {"template": "cash.Cash", "fields": fields(layout), "wait_ms": 300})["flow"]
        assert flow["state"] == "waiting"
        waiting = at(home, "--wait", "1", "node", "drain", "--reason", "new software")
        assert waiting.returncode == 4, waiting.stdout + waiting.stderr
        found = json.loads(waiting.stdout)
        assert not found["drained"]
        assert (flow["id"], "notary") in [(each["id"], each["on"]) for each in found["busy"]]
        listed = at(home, "flows", "list", "--waiting-on", "notary", "--kind", "exercise", "--older-than", "0s")
        (hung,) = answer(listed)["flows"]
        assert (hung["id"], hung["waits"]["who"]) == (flow["id"], "test notary")
    found = answer(at(home, "node", "drain", "--reason", "new software"))
    assert found["drained"]
    assert asker(home).call("flows.show", {"id": flow["id"]})["state"] == "done"
    answer(at(home, "node", "resume"))


def test_the_doctor_says_what_is_wrong_with_a_setting(layout: NetworkLayout, home: Home) -> None:
    before = home.configuration_path.read_text()
    home.configuration_path.write_text(before + '\n[notify]\nwebhook_url = "http://elsewhere.example"\n')
    try:
        found = findings(layout, wrong=True)[f"configuration of {home.member.slug}"]
    finally:
        home.configuration_path.write_text(before)
    assert found["refused"]["code"] == "configuration.url"
    assert found["do"] == remedy("configuration.url")


def test_the_doctor_says_that_an_address_is_taken(layout: NetworkLayout, home: Home) -> None:
    with stopped(layout, home), socket.create_server((home.member.host, home.member.port)):
        found = findings(layout, wrong=True)
    assert found[f"ports of {home.member.slug}"]["refused"]["values"]["port"] == home.member.port
    assert "node of " + home.member.slug not in found, "that it is down is not wrong in itself"


def test_the_doctor_says_that_a_vault_is_damaged(layout: NetworkLayout, home: Home) -> None:
    vault = home.folder / "vault.db"
    with stopped(layout, home):
        copy = Path(shutil.copy(vault, home.folder / "copy"))
        try:
            with vault.open("r+b") as file:
                file.seek(8192)
                file.write(b"\xff" * 4096)
            found = findings(layout, wrong=True)[f"vault of {home.member.slug}"]
        finally:
            copy.replace(vault)
    assert found["refused"]["code"] == "vault.damaged"
    assert "restore" in found["do"]


def test_the_doctor_says_that_the_audit_log_was_tampered_with(layout: NetworkLayout, home: Home) -> None:
    vault = home.folder / "vault.db"
    asker(home).call("access.person-put", {"name": "eve", "roles": []})
    with stopped(layout, home):
        shutil.copy(vault, home.folder / "copy")
        with closing(sqlite3.connect(vault)) as database, database:
            (last,) = database.execute("SELECT max(key) FROM blobs WHERE space = 'audit'").fetchone()
            database.execute("DELETE FROM blobs WHERE space = 'audit' AND key = ?", (last,))
    try:
        found = findings(layout, wrong=True)[f"audit log of {home.member.slug}"]
    finally:
        with stopped(layout, home):
            (home.folder / "copy").replace(vault)
    assert found["refused"]["code"] == "access.audit"


def test_the_doctor_says_for_whom_messages_wait_in_vain(layout: NetworkLayout, home: Home) -> None:
    other = layout.firm(FIRMS[1][0])
    with stopped(layout, other):
        done(home, "create", template="cash.Cash", fields=fields(layout))
        eventually(lambda: asker(home).call("status")["outbox"].get(other.member.name), "a message that waits")
        found = findings(layout, wrong=True)[f"peers of {home.member.slug}"]
    assert found["refused"]["values"]["members"] == [other.member.name]


def test_every_finding_that_is_wrong_says_what_to_do() -> None:
    for code in ("vault.damaged", "vault.url", "configuration.port", "node.gone", "certificate.revoked", "made.up"):
        assert len(remedy(code)) > 20
