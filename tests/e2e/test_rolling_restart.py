"""A node is started again with newer software while another firm goes on asking: nothing is lost or done twice."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.networks import FIRMS, answer, asker, command, done, eventually, network

from interfirm.node.vault import migrations
from interfirm.runtime import supervise
from interfirm.runtime.configuration import read_configuration, url_of
from interfirm.runtime.layout import Home, NetworkLayout

NEWER = "9999"
SCRIPT = f'''
import sqlalchemy as sa
from alembic import op

revision, down_revision = "{NEWER}", "{migrations.HEAD}"


def upgrade():
    op.add_column("transactions", sa.Column("remark", sa.Text, nullable=True))
    op.create_index("ix_transactions_remark", "transactions", ["remark"])
'''
SITE = """
from interfirm.node.vault import migrations
migrations.__file__, migrations.HEAD = "{place}/__init__.py", "{head}"
"""
PARTS = 300
"""How many exercises there can be at most; the load is steady."""


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    with network(tmp_path_factory.mktemp("restart") / "network", FIRMS[:2]) as made:
        yield made


def restart(layout: NetworkLayout, home: Home, *words: str) -> Any:
    return command("--network", str(layout.folder), "--as", home.member.slug, "--json", *words)


def install_newer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started from now on have a newer version of the schema."""
    place = Path(shutil.copytree(Path(migrations.__file__).parent, folder / "migrations"))
    (place / "versions" / f"v{NEWER}_remarks.py").write_text(SCRIPT)
    (folder / "sitecustomize.py").write_text(SITE.format(place=place, head=NEWER))
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")


def pieces(issuer: Home, owner: Home) -> list[str]:
    """Cash of one euro each, which the issuer hears of whenever it is moved."""
    fields = {"issuer": issuer.member.name, "owner": owner.member.name, "amount": f"{PARTS}.00 EUR"}
    whole = done(issuer, "create", template="cash.Cash", fields=fields)["transaction"]
    known = [f"{whole}:0"]
    eventually(lambda: known == [c["ref"] for c in cash(owner, owner)] or None, "the cash")
    done(owner, "exercise", ref=known[0], choice="divide", arguments={"amounts": ["1.00 EUR"] * PARTS})
    return [each["ref"] for each in cash(owner, owner)]


def cash(at: Home, owner: Home) -> list[dict[str, Any]]:
    found = asker(at).call("contracts.list", {"template": "cash.Cash", "limit": 1000})["contracts"]
    return [each for each in found if each["fields"]["owner"] == owner.member.name]


def ended(home: Home, flow: str) -> dict[str, Any] | None:
    shown = asker(home).call("flows.show", {"id": flow})
    return None if shown["state"] in ("running", "waiting") else shown


class Load:
    """One firm moves its cash to the other, piece by piece, until the restart and a few more are over."""

    def __init__(self, issuer: Home, owner: Home) -> None:
        self.issuer, self.owner = issuer, owner
        self.refs = iter(pieces(issuer, owner))
        self.going, self.over, self.moved = threading.Event(), threading.Event(), list[str]()

    def run(self) -> None:
        """Move a few pieces before, and then until the restart is over and a few after it."""
        for _ in range(5):
            self.move(next(self.refs))
        self.going.wait()
        while not self.over.wait(0.3):
            self.move(next(self.refs))
        for _ in range(5):
            self.move(next(self.refs))

    def move(self, ref: str) -> None:
        """Ask until it has ended well, as a program does that may be interrupted: with the same request id."""
        asked = {"ref": ref, "choice": "move", "request": f"move-{ref}", "wait_ms": 20_000,
                 "arguments": {"to": self.issuer.member.name, "amount": "1.00 EUR"}}  # fmt: skip
        flow = asker(self.owner).call("exercise", asked)["flow"]
        while flow["state"] in ("running", "waiting"):
            flow = asker(self.owner).call("exercise", asked)["flow"]
        assert flow["state"] == "done", flow
        self.moved.append(ref)


class Follower:
    """A program that follows the restarted node's stream of events, and goes on after the last one it has seen."""

    def __init__(self, home: Home) -> None:
        asker(home).call("access.person-put", {"name": "follower", "roles": ["viewer"]})
        self._token = asker(home).call("access.token-new", {"person": "follower"})["token"]
        self._url = url_of(read_configuration(home.configuration_path).api) + "/v1/events"
        self._last, self.made, self.interrupted = "0", list[str](), 0
        self.over = threading.Event()

    def run(self) -> None:
        """Follow, also across interruptions."""
        while not self.over.is_set():
            try:
                self._follow()
            except httpx.TransportError:
                self.interrupted += 1

    def _follow(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Last-Event-ID": self._last}
        with httpx.stream("GET", self._url, headers=headers, timeout=5) as answered:
            for line in answered.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    self._last = value
                elif name == "data":
                    self.made += [made["ref"] for made in json.loads(value).get("made", ())]
                if self.over.is_set():
                    return


def test_a_node_is_brought_up_to_date_under_load_and_nothing_is_lost_or_done_twice(
    layout: NetworkLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer, owner = (layout.firm(name) for name, _ in FIRMS[:2])
    load, follower = Load(issuer, owner), Follower(issuer)
    before = supervise.running(issuer)
    install_newer(tmp_path, monkeypatch)
    with ThreadPoolExecutor(4) as pool, ExitStack() as ending:
        ending.callback(follower.over.set)
        ending.callback(load.over.set)
        ending.callback(load.going.set)
        pool.submit(follower.run)
        loads = [pool.submit(load.run) for _ in range(2)]
        eventually(lambda: len(load.moved) == 10 or None, "the first exercises")
        restarting = pool.submit(restart, layout, issuer, "node", "restart")
        eventually(lambda: asker(issuer).call("status")["paused"], "the pause")
        load.going.set()
        found = answer(restarting.result(240))
        load.over.set()
        for each in loads:
            each.result(120)
        eventually(lambda: len(cash(issuer, issuer)) == len(load.moved) or None, "the cash")
        arrived = {each["ref"] for each in cash(issuer, issuer)}
        eventually(lambda: arrived <= set(follower.made) or None, "the events")
    assert found["restarted"]
    assert supervise.running(issuer) not in (None, before)
    assert asker(issuer).call("status")["paused"] is None
    assert len(cash(owner, owner)) == PARTS - len(load.moved)
    assert follower.interrupted >= 1
    assert len(follower.made) == len(set(follower.made)), "no event came twice"
    with sqlite3.connect(issuer.folder / "vault.db") as vault:
        assert vault.execute("SELECT version_num FROM alembic_version").fetchone() == (NEWER,)
        assert vault.execute("SELECT count(*) FROM transactions WHERE remark IS NULL").fetchone() > (len(load.moved),)


def test_a_node_with_flows_that_hang_is_left_as_it_is_unless_it_must_be(layout: NetworkLayout) -> None:
    home, other = (layout.firm(name) for name, _ in reversed(FIRMS[:2]))
    before = supervise.running(home)
    supervise.stop([layout.notary])
    try:
        fields = {"issuer": home.member.name, "owner": other.member.name, "amount": "7.00 EUR"}
        flow = asker(home).call("create", {"template": "cash.Cash", "fields": fields, "wait_ms": 300})["flow"]
        left = restart(layout, home, "--wait", "1", "node", "restart")
        assert left.returncode == 4, left.stdout + left.stderr
        found = json.loads(left.stdout)
        assert not found["restarted"]
        assert (flow["id"], "notary") in [(each["id"], each["on"]) for each in found["busy"]]
        assert (supervise.running(home), asker(home).call("status")["paused"]) == (before, None)
        answer(restart(layout, home, "node", "pause", "--reason", "a new disk"))
        assert answer(restart(layout, home, "node", "restart", "--now"))["restarted"]
        assert supervise.running(home) not in (None, before)
        assert asker(home).call("status")["paused"]["reason"] == "a new disk", "it was paused before"
    finally:
        supervise.start(layout, [layout.notary])
    asker(home).call("node.resume", {})
    shown = eventually(lambda: ended(home, flow["id"]), "the end of the flow")
    assert shown["state"] == "done", shown
