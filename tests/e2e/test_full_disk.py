"""A node whose disk is full while it runs: it refuses clearly, loses nothing, and goes on when there is space again."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.networks import FIRMS, NOW_MS, asker, command, eventually

from interfirm.base.errors import Refusal
from interfirm.contracts.packages import Engine
from interfirm.node.vault.vault import Vault
from interfirm.runtime import supervise
from interfirm.runtime.databases import vault_path
from interfirm.runtime.layout import Home, NetworkLayout, new_network

DISK_BYTES = 16 * 1024 * 1024


class NoSpace:
    """The kernel lets the process write no byte to any file."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def fill(self) -> None:
        self._limit(0)

    def free(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        pid = supervise.running(self._home)
        assert pid is not None
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


class SmallDisk:
    """The node's folder is a disk of its own, and something else takes all that is left of it."""

    def __init__(self, home: Home) -> None:
        self._ballast = home.folder / "ballast"

    def fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as file:
            for size in (1024 * 1024, 4096, 1):
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def free(self) -> None:
        self._ballast.unlink()


@contextmanager
def mounted(home: Home) -> Iterator[None]:
    """Move a home's files to a small disk at the same place."""
    files = {path.name: (path.read_bytes(), path.stat().st_mode) for path in home.folder.iterdir()}
    options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "interfirm-test", str(home.folder)]
    if os.geteuid() != 0 or subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk")
    try:
        for name, (data, mode) in files.items():
            (home.folder / name).write_bytes(data)
            (home.folder / name).chmod(mode)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(home.folder)], check=True)


@pytest.fixture(params=[NoSpace, SmallDisk])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[NetworkLayout, Home, Any]]:
    """A running network, the firm whose disk it is about, and its disk."""
    layout = new_network(tmp_path / "network", FIRMS[:2], name="test", at_ms=NOW_MS)
    victim = layout.firm(FIRMS[0][0])
    disk = request.param
    with mounted(victim) if disk is SmallDisk else _nothing():
        try:
            supervise.start(layout, layout.homes())
            yield layout, victim, disk(victim)
        finally:
            supervise.stop(layout.homes()[::-1])


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def issue(issuer: Home, owner: Home, amount: str, **more: Any) -> dict[str, Any]:
    fields = {"issuer": issuer.member.name, "owner": owner.member.name, "amount": amount}
    flow: dict[str, Any] = asker(issuer).call("create", {"template": "cash.Cash", "fields": fields, **more})["flow"]
    return flow


def amounts(home: Home) -> list[str]:
    found = asker(home).call("contracts.list", {"template": "cash.Cash", "limit": 1000})["contracts"]
    return sorted(contract["fields"]["amount"]["amount"] for contract in found)


def refusal_of(home: Home) -> dict[str, Any] | None:
    found: dict[str, Any] | None = asker(home).call("status")["refuses"]
    return found


def issue_until_refused(issuer: Home, owner: Home) -> tuple[list[str], str]:
    """Ask until the disk is full: the request ids that were taken, and the one that was refused."""
    taken: list[str] = []
    for number in range(2_000):
        request = f"request-{number}"
        try:
            issue(issuer, owner, "1.00 EUR", request=request, wait_ms=300)
        except Refusal as refusal:
            if refusal.code != "vault.storage":
                raise
            return taken, request
        taken.append(request)
    raise AssertionError("the disk never was full")


def test_a_full_disk_is_refused_clearly_loses_nothing_and_passes(scene: tuple[NetworkLayout, Home, Any]) -> None:
    layout, victim, disk = scene
    other = layout.firm(FIRMS[1][0])
    network = ("--network", str(layout.folder), "--as", victim.member.slug)
    assert issue(victim, other, "7.00 EUR")["state"] == "done"
    pid = supervise.running(victim)

    disk.fill()
    taken, refused = issue_until_refused(victim, other)
    fields = json.dumps({"issuer": victim.member.name, "owner": other.member.name, "amount": "2.00 EUR"})
    done = command(*network, "create", "cash.Cash", fields)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "vault.storage" in done.stderr
    assert "Traceback" not in done.stderr
    assert (refusal_of(victim) or {})["code"] == "vault.storage"
    assert "7.00" in amounts(victim), "what is kept can be read"
    assert issue(other, victim, "4.00 EUR")["state"] == "done", "others do not depend on it"
    findings = json.loads(command(*network, "--json", "doctor").stdout)["findings"]
    assert "vault.storage" in [f["refused"]["code"] for f in findings if f["refused"]]
    assert supervise.running(victim) == pid, "it goes on running"

    disk.free()
    wanted = sorted(["7.00", "4.00", *["1.00"] * len(taken)])
    for home in (victim, other):
        eventually(
            lambda home=home: amounts(home) == wanted or None, "all that was taken, and nothing that was refused"
        )
    assert refusal_of(victim) is None
    assert issue(victim, other, "1.00 EUR", request=refused)["state"] == "done", "what was refused can be asked again"
    assert issue(victim, other, "1.00 EUR", request=refused)["state"] == "done", "and is done once"
    wanted = sorted([*wanted, "1.00"])
    eventually(lambda: amounts(other) == wanted or None, "the delivery of it")
    assert amounts(victim) == wanted
    assert supervise.running(victim) == pid, "it was not started again"

    supervise.stop([victim])
    vault = Vault.open(vault_path(victim), contracts_engine=Engine())
    vault.check()
    vault.close()


def test_a_transaction_under_way_when_the_disk_fills_is_finished_when_there_is_space(
    scene: tuple[NetworkLayout, Home, Any],
) -> None:
    layout, victim, disk = scene
    other = layout.firm(FIRMS[1][0])
    assert issue(victim, other, "7.00 EUR")["state"] == "done"
    supervise.stop([layout.notary])
    flow = issue(victim, other, "5.00 EUR", request="five", wait_ms=500)
    assert flow["state"] == "waiting", "for the notary"

    disk.fill()
    taken, _ = issue_until_refused(victim, other)
    supervise.start(layout, [layout.notary])
    assert asker(victim).call("flows.show", {"id": "five"})["state"] == "waiting"

    disk.free()
    wanted = sorted(["5.00", "7.00", *["1.00"] * len(taken)])
    eventually(lambda: amounts(other) == wanted or None, "the end of the transaction")
    eventually(lambda: amounts(victim) == wanted or None, "the end of the transaction at home")
    assert asker(victim).call("flows.show", {"id": "five"})["state"] == "done"


def test_a_node_does_not_start_on_a_full_disk_and_says_why(scene: tuple[NetworkLayout, Home, Any]) -> None:
    layout, victim, disk = scene
    if isinstance(disk, NoSpace):
        pytest.skip("the limit is set on a running process")
    supervise.stop([victim])
    disk.fill()
    program = [sys.executable, "-m", "interfirm.runtime.main", str(layout.folder), victim.member.slug]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3, done.stderr
    assert '"code": "vault.storage"' in done.stderr
    disk.free()
    supervise.start(layout, [victim])
    assert refusal_of(victim) is None
