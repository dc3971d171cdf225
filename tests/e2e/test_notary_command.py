"""`interfirm notary` as an operator types it: make a cluster, run it, ask what it does, stop it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.networks import FIRMS, answer, command, eventually
from tests.support.cluster import free_address, needs_engine

from interfirm.runtime.layout import new_network

pytestmark = needs_engine


def status(folder: Path) -> Any:
    return answer(command("--json", "--network", str(folder), "notary", "status"))


def grown(folder: Path) -> Any:
    found = status(folder)
    return found if found["height"] >= 2 else None


def test_a_cluster_is_made_run_watched_and_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "n"
    network = new_network(folder, FIRMS[:1], name="test", at_ms=1_700_000_000_000)
    init = ["--json", "--network", str(folder), "notary", "init", "--validators", "1"]
    made = answer(command(*init, "--first-address", free_address()))
    assert list(made["validators"]) == ["node0"]
    assert status(folder)["why"] == "validators with 0 votes answer and 1 are needed; down: node0 (no application)"

    run = [sys.executable, "-c", "from interfirm.cli.main import main; main()", "-n", str(folder), "notary", "run"]
    running = subprocess.Popen(run, stderr=subprocess.DEVNULL)
    try:
        found = eventually(lambda: grown(folder), "blocks are made")
        assert (found["stands"], found["chain"], found["power_up"]) == (False, made["chain"], 1)
        again = command("--json", "--network", str(folder), "notary", "run")
        assert (again.returncode, "cluster.running" in again.stdout) == (3, True)
    finally:
        running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=60) == 0
    assert status(folder)["validators"][0]["engine"] is None
    assert network.notary_id.hex() != made["notary"]


def test_without_a_cluster_or_a_network_the_operator_is_told(tmp_path: Path) -> None:
    for words, code in (
        (("status",), "cluster.missing"),
        (("run",), "cluster.missing"),
        (("init",), "network.missing"),
    ):
        done = command("--json", "--network", str(tmp_path / "none"), "notary", *words)
        assert (done.returncode, code in done.stdout) == (3, True), done.stdout
