"""Networks whose firms keep their vaults in PostgreSQL: the demo, and a network made on a server that is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.networks import FIRMS, NOW_MS, asker, command, done, eventually
from tests.support.postgresql import server

from interfirm.base.errors import Refusal
from interfirm.node.vault.places import DatabaseUrl
from interfirm.node.vault.postgres import connect
from interfirm.runtime import databases, notaries, postgresql, supervise
from interfirm.runtime.layout import NetworkLayout, new_network


def test_the_demo_plays_on_a_server_of_its_own_and_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    played = command("demo", "--database", "postgresql", "--json", str(out), "--folder", str(tmp_path / "network"))
    assert played.returncode == 0, played.stdout + played.stderr
    found = json.loads(out.read_text())
    assert found["vaults_agree"]
    assert all(step["receipt_verified"] for step in found["steps"])
    assert [refusal["code"] for refusal in found["refusals"]] == ["notary.consumed", "factoring.near-hit"]
    assert postgresql.noted(tmp_path / "network") is None


def test_a_network_is_made_on_a_server_with_a_database_for_each_firm(tmp_path: Path) -> None:
    words = [word for name, number in FIRMS[:2] for word in ("--firm", f"{name}={number}")]
    url = server().url.with_name("made")
    made = command("--network", str(tmp_path / "n"), "--json", "network", "new", "--database", url.text, *words)
    assert made.returncode == 0, made.stdout + made.stderr
    layout = NetworkLayout.open(tmp_path / "n")
    places = [databases.vault_place(home).database for home in map(layout.home, layout.members)]
    assert places == [url.with_name("made_nordmark"), url.with_name("made_halden")]
    modes = {(layout.home(member).folder / databases.FILE).stat().st_mode & 0o777 for member in layout.members}
    assert modes == {0o600}

    again = command("--network", str(tmp_path / "m"), "--json", "network", "new", "--database", url.text, *words)
    assert (again.returncode, answer_code(again.stdout)) == (3, "database.exists")
    assert not (tmp_path / "m").exists()


def test_a_server_that_is_not_there_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    url = "postgresql://somebody:se-cret@127.0.0.1:9"
    found = command("--network", str(tmp_path / "n"), "--json", "network", "new", "--database", url)
    assert (found.returncode, answer_code(found.stdout)) == (3, "vault.storage")
    assert "se-cret" not in found.stdout + found.stderr
    assert not (tmp_path / "n").exists()


def answer_code(text: str) -> str:
    code: str = json.loads(text)["refused"]["code"]
    return code


@contextmanager
def running_on(folder: Path, name: str) -> Iterator[NetworkLayout]:
    """Two firms whose vaults lie in databases that begin with this name, and which run."""
    layout = new_network(folder, FIRMS[:2], name="test", at_ms=NOW_MS)
    databases.give_databases(layout, server().url.with_name(name))
    try:
        notaries.start_all(layout)
        yield layout
    finally:
        notaries.stop_all(layout)


def test_a_node_goes_on_after_its_server_ended_all_its_connections(tmp_path: Path) -> None:
    with running_on(tmp_path / "n", "ended") as layout:
        owner = layout.firm("nordmark")
        fields = {"issuer": "nordmark", "owner": "halden", "amount": "10.00 EUR"}
        assert done(owner, "create", template="cash.Cash", fields=fields)
        with connect(server().socket_url) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname LIKE 'ended_%'"
            ).fetchall()
        assert ended
        assert done(owner, "create", template="cash.Cash", fields=fields)
        assert len(asker(owner).call("contracts.list", {"template": "cash.Cash"})["contracts"]) == 2


def test_a_node_whose_database_another_one_had_meanwhile_ends_and_says_why(tmp_path: Path) -> None:
    with running_on(tmp_path / "n", "taken") as layout:
        owner = layout.firm("nordmark")
        database = databases.vault_place(owner).database
        assert isinstance(database, DatabaseUrl)
        with connect(database) as connection:
            connection.execute("SELECT nextval('vault_opened')")  # as the other one's opening does
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        fields = {"issuer": "nordmark", "owner": "halden", "amount": "10.00 EUR"}
        with suppress(Refusal):  # it may have noticed, and ended, before
            asker(owner).call("create", {"template": "cash.Cash", "fields": fields})
        eventually(lambda: supervise.running(owner) is None or None, "the end of the process")
        assert "vault.in-use" in owner.log_path.read_text()
