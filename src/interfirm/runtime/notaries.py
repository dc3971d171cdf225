"""The notaries of a network on this machine: what others trust of them, starting and stopping them, their time."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.ledger.receipts.types import Anchor
from interfirm.notary.abroad import anchor_of
from interfirm.notary.types import Ask, Revoke, Said, SetTime
from interfirm.runtime import supervise
from interfirm.runtime.asking import Asker
from interfirm.runtime.layout import SOLO, Member, NetworkLayout

CLUSTER_START_S = 180.0
LIFE_MS = 60_000


def anchors_of(layout: NetworkLayout) -> list[Anchor]:
    """What members trust of the network's notaries, the one where new facts live first."""
    found: list[Anchor] = []
    cluster = layout.cluster
    if cluster is not None:
        from interfirm.notary.cometbft.anchors import cluster_anchor  # other networks do without

        found.append(cluster_anchor(cluster.genesis))
    if SOLO in layout.file.notaries:
        found.append(anchor_of(layout.file.genesis))
    return sorted(found, key=lambda anchor: anchor.notary != layout.notary_id)


def start(layout: NetworkLayout, *, told: Callable[[str], None] = lambda _: None) -> None:
    """Start the notaries that do not run, and wait until they answer; Refusal `process.*`, `cluster.*`, `engine.*`."""
    if SOLO in layout.file.notaries:
        supervise.start(layout, [layout.notary], told=told)
    if layout.cluster is not None and not cluster_runs(layout):
        _start_cluster(layout)
        told(f"{layout.file.name} cluster of {len(layout.cluster.places)} validators")


def start_all(layout: NetworkLayout, *, told: Callable[[str], None] = lambda _: None) -> None:
    """Start the notaries and every node that do not run."""
    start(layout, told=told)
    supervise.start(layout, [layout.home(member) for member in layout.members], told=told)


def stop_all(layout: NetworkLayout) -> list[str]:
    """Stop every process of the network; the names of those that ran."""
    stopped = supervise.stop(layout.homes()[::-1])
    return [*stopped, f"{layout.file.name} cluster"] if _stop_cluster(layout) else stopped


def running(layout: NetworkLayout) -> bool:
    """Whether the notary where new facts live runs."""
    return cluster_runs(layout) if layout.file.notaries[0] != SOLO else supervise.running(layout.notary) is not None


def cluster_runs(layout: NetworkLayout) -> bool:
    """Whether the cluster's supervisor runs on this machine."""
    return _supervisor(layout) is not None


def time_ms(layout: NetworkLayout) -> int:
    """The network's time: of its solo notary where that runs, else of a node, else where a scenario begins, or now."""
    for home in layout.homes():
        if supervise.running(home) is not None:
            return int(Asker(home.control_path).call("status", {})["now_ms"])
    return layout.file.scenario_ms or time.time_ns() // 1_000_000


def set_clock(layout: NetworkLayout, ms: int) -> None:
    """Set a scenario's clock on every process of the network."""
    if layout.cluster is not None:
        _set_cluster_clock(layout, ms)
    for home in layout.homes():
        Asker(home.control_path).call("clock.set", {"ms": ms})


# the cluster ----------------------------------------------------------------------------------------------------------


def _start_cluster(layout: NetworkLayout) -> None:
    from interfirm.runtime.cluster_status import status_of  # other networks do without

    cluster = layout.cluster
    assert cluster is not None
    with (cluster.folder / "supervisor.log").open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "interfirm.runtime.cluster_run", str(cluster.folder)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    _pid_path(layout).write_text(str(process.pid))
    deadline = time.monotonic() + CLUSTER_START_S
    while status_of(cluster).height < 1:
        if process.poll() is not None:
            raise Refusal(
                "process.ended", "the cluster ended while it started", log=str(cluster.folder / "supervisor.log")
            )
        if time.monotonic() > deadline:
            raise Refusal("process.slow", "the cluster makes no blocks", why=status_of(cluster).why)
        time.sleep(0.1)


def _stop_cluster(layout: NetworkLayout) -> bool:
    pid = _supervisor(layout)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 2 * supervise.STOP_TIMEOUT_S
    while _supervisor(layout) is not None and time.monotonic() < deadline:
        supervise.reap(pid)
        time.sleep(0.05)
    _pid_path(layout).unlink(missing_ok=True)
    return True


def _supervisor(layout: NetworkLayout) -> int | None:
    """The number of the cluster's supervisor, if it runs."""
    if layout.cluster is None:
        return None
    try:
        pid = int(_pid_path(layout).read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"interfirm.runtime.cluster_run" in command else None


def _pid_path(layout: NetworkLayout) -> Path:
    assert layout.cluster is not None
    return layout.cluster.folder / "supervisor.pid"


def revoke(layout: NetworkLayout, member: Member) -> None:
    """Have the network's cluster, where there is one, revoke one that left; a solo notary reads it in the file."""
    if layout.cluster is not None:
        _ask_cluster(layout, member.revocation_request())


def _set_cluster_clock(layout: NetworkLayout, ms: int) -> None:
    _ask_cluster(layout, SetTime(Instant(ms)))


def _ask_cluster(layout: NetworkLayout, request: SetTime | Revoke) -> None:
    """Ask as the registrar, whose keys a development network keeps beside it."""
    from interfirm.notary.cometbft.client import ClusterClient
    from interfirm.notary.cometbft.envelope import seal_envelope

    cluster = layout.cluster
    assert cluster is not None
    registrar = layout.registrar()
    client = ClusterClient([place.rpc for place in cluster.places])
    try:
        question = codec.encode(Ask(kind="accepted", subject=bytes(32)))
        said = codec.decode(base64.b64decode(client.query("/ask", question)["value"]), Said)
        now = max(said.time.ms, layout.file.scenario_ms or 0)
        sealed = seal_envelope(
            [request], notary=cluster.notary_id, signer=registrar, identity=registrar.public.identity,
            expires=Instant(now + LIFE_MS), nonce=secrets.token_bytes(32),
        )  # fmt: skip
        client.ask(sealed)
    finally:
        client.close()
