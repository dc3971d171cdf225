"""`interfirm notary` as voters and operators type it: look, propose, vote, stop, snapshot, explore."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest
from rich.console import Console
from tests.e2e.networks import FIRMS, answer, command, eventually
from tests.support.cluster import free_address, needs_engine

from interfirm.cli import session
from interfirm.cli.main import run
from interfirm.runtime.layout import NetworkLayout, new_network

pytestmark = needs_engine


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    """A network of two firms whose cluster of one validator runs; the firms and the registrar vote."""
    folder = tmp_path_factory.mktemp("governed") / "n"
    found = new_network(folder, FIRMS[:2], name="test", at_ms=1_700_000_000_000)
    voters = [word for member in found.file.members for word in ("--voter", member.slug)]
    answer(command(
        "--json", "--network", str(folder), "notary", "init", "--validators", "1", "--first-address", free_address(),
        *voters, "--voter", "registrar",
    ))  # fmt: skip
    program = [sys.executable, "-c", "from interfirm.cli.main import main; main()", "-n", str(folder), "notary", "run"]
    running = subprocess.Popen(program, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: said(found, "status")["height"] >= 2 or None, "blocks are made")
        yield found
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(timeout=60)


def typed(network: NetworkLayout, *words: str) -> tuple[int, str, str]:
    """A command in this process, which does not import all anew: its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    before = session.console, session.errors
    session.console, session.errors = Console(file=out, width=200), Console(file=err, width=200)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = run(["--network", str(network.folder), *words])
    finally:
        session.console, session.errors = before
        session.options.json = False
    return code, out.getvalue(), err.getvalue()


def said(network: NetworkLayout, *words: str) -> Any:
    code, out, err = typed(network, "--json", "notary", *words)
    assert code == 0, out + err
    return json.loads(out)


def refused(network: NetworkLayout, *words: str) -> str:
    code, out, err = typed(network, "--json", "notary", *words)
    assert code in (session.USAGE, session.REFUSED), out + err
    return out + err


def firms(network: NetworkLayout) -> list[str]:
    return [member.slug for member in network.file.members]


def test_a_parameter_is_proposed_voted_on_and_has_a_history(network: NetworkLayout) -> None:
    first, second = firms(network)
    found = said(network, "propose", "--set", "window_ms_max=3_600_000", "--by", first)
    assert found["status"] == "open"
    assert [each["id"] for each in said(network, "proposals")] == [found["id"]]
    assert said(network, "vote", found["id"][:10], "--by", second)["status"] == "applied"
    (parameter,) = said(network, "parameters", "window_ms_max")
    assert (parameter["coming"], parameter["low"]) == (3_600_000, 60_000)
    (change,) = said(network, "parameters", "--history")
    assert (change["proposer"], set(change["accepted"])) == (first, {first, second})
    assert "governance.closed" in refused(network, "vote", found["id"], "--by", second, "--no")


def test_what_can_be_listed_is_listed(network: NetworkLayout) -> None:
    voters = said(network, "voters")
    assert {each["name"] for each in voters["voters"]} == {*firms(network), "registrar"}
    (validator,) = said(network, "validators")
    assert (validator["machine"], validator["power"]) == ("node0", 1)
    assert said(network, "fees")["payer"] == "nobody"
    for words in (("parameters",), ("parameters", "window"), ("voters",), ("validators",), ("fees",), ("packages",),
                  ("proposals",), ("status",)):  # fmt: skip
        code, out, err = typed(network, "notary", *words)
        assert code == 0, err
        assert out


def test_packages_are_approved_and_published(network: NetworkLayout) -> None:
    first, _ = firms(network)
    module = "tests.support.contracts.iou.contract"
    assert "package.unknown" in refused(network, "publish", module)
    found = said(network, "publish", module, "--approve", "--validated", "Cash", "--by", first)
    assert said(network, "vote", found["id"])["status"] == "applied"
    published = said(network, "publish", module)
    listed = said(network, "packages")
    assert [each["package"] for each in published] == [each["package"] for each in listed]
    assert listed[-1]["validated"] == ["Cash"]
    assert "package.missing" in refused(network, "publish", "no.such.module")


def test_the_cluster_is_stopped_and_resumed(network: NetworkLayout) -> None:
    first, second = firms(network)
    stop = said(network, "stop", "an exercise", "--by", first)
    assert said(network, "vote", stop["id"], "--by", second)["status"] == "applied"
    assert said(network, "status")["stopped"] == stop["id"]
    resume = said(network, "resume")
    assert said(network, "vote", resume["id"], "--by", first)["status"] == "applied"
    assert said(network, "status")["stopped"] == ""


def test_a_proposal_is_taken_back_by_who_made_it(network: NetworkLayout) -> None:
    first, second = firms(network)
    found = said(network, "upgrade", "next", "--version", "2", "--height", "100000", "--by", first)
    assert "governance.proposer" in refused(network, "retract", found["id"], "--by", second)
    assert said(network, "retract", found["id"], "--by", first)["status"] == "retracted"


def test_the_explorer_shows_heights_ids_and_organisations(network: NetworkLayout) -> None:
    first, _ = firms(network)
    proposal = said(network, "propose", "--set", "epoch_heights=100", "--by", first)
    block = said(network, "show", str(proposal["height"]))
    (envelope,) = block["envelopes"]
    assert (envelope["by"], envelope["requests"][0]["kind"]) == (first, "propose")
    assert said(network, "show", proposal["id"])["kind"] == "proposal"
    shown = said(network, "show", first)
    assert (shown["votes"], shown["registered"]) == (True, False)
    eventually(
        lambda: proposal["height"] in said(network, "show", first)["last_heights"] or None, "the engine has indexed it"
    )
    assert "notary.nothing" in refused(network, "show", "00" * 32)
    assert typed(network, "notary", "show", str(proposal["height"]))[0] == 0


def test_a_snapshot_is_taken_of_a_running_validator(network: NetworkLayout) -> None:
    found = said(network, "snapshot")
    cluster = network.folder / "cluster"
    assert (cluster / "node0" / "snapshots" / str(found["height"]) / "manifest").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("propose",), "say what is to change"),
        (("propose", "--set", "window_ms_max"), "NAME=VALUE"),
        (("propose", "--set", "window_ms_max=much"), "not a whole number"),
        (("propose", "--set", "nothing=1"), "governance.parameter"),
        (("propose", "--set", "window_ms_max=1"), "governance.bounds"),
        (("propose", "--approve", "abc:trade:1"), "64 hexadecimal"),
        (("propose", "--approve", "abc"), "ID:NAME:VERSION"),
        (("propose", "--remove-voter", "nobody"), "firm.unknown"),
        (("vote", "ff" * 32), "governance.unknown"),
        (("upgrade", "x"), "--version and a --height"),
        (("remove-validator", "node9"), "cluster.validator"),
        (("remove-validator", "node0"), "validator.last"),
        (("guard", "node0"), "cluster.running"),
        (("rotate-key", "node0", "--finish"), "cluster.running"),
    ],
)
def test_a_mistake_is_told(network: NetworkLayout, words: tuple[str, ...], code: str) -> None:
    assert code in " ".join(refused(network, *words).split()).replace("│ ", "").replace(" │", "")
