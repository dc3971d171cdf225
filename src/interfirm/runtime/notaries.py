"""The notaries of a network on this machine: what others trust of them, starting and stopping them, their time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.ledger.receipts.types import Anchor
from interfirm.notary.abroad import anchor_of
from interfirm.notary.registry.machine import Record
from interfirm.notary.types import Request, SetTime
from interfirm.runtime import supervise
from interfirm.runtime.asking import Asker
from interfirm.runtime.layout import SOLO, Member, NetworkLayout

if TYPE_CHECKING:
    from interfirm.runtime.cluster import ClusterLayout

CLUSTER_START_S = 180.0


def anchors_of(layout: NetworkLayout) -> list[Anchor]:
    """What members trust of the network's notaries, the one where new facts live first."""
    return [_anchor(layout, name) for name in layout.file.notaries]


def _anchor(layout: NetworkLayout, name: str) -> Anchor:
    if name == SOLO:
        return anchor_of(layout.file.genesis)
    from interfirm.notary.cometbft.anchors import cluster_anchor  # other networks do without

    return cluster_anchor(layout.cluster(name).genesis)


def start(layout: NetworkLayout, *, told: Callable[[str], None] = lambda _: None) -> None:
    """Start the notaries that do not run, and wait until they answer; Refusal `process.*`, `cluster.*`, `engine.*`.

    Clusters hear who left while they were down, and get to know each other where the registrar alone decides that.
    """
    if SOLO in layout.file.notaries:
        supervise.start(layout, [layout.notary], told=told)
    down = {name: cluster for name, cluster in layout.clusters.items() if supervisor(cluster) is None}
    if not down:
        return
    _start_clusters(down.values())
    for name, cluster in down.items():
        told(f"{layout.title(name)} of {len(cluster.places)} validators")
    from interfirm.runtime.neighbours import acquaint  # other networks do without

    _tell_who_left(layout)
    acquaint(layout)


def start_all(layout: NetworkLayout, *, told: Callable[[str], None] = lambda _: None) -> None:
    """Start the notaries and every node that do not run."""
    start(layout, told=told)
    supervise.start(layout, [layout.home(member) for member in layout.members], told=told)


def stop_all(layout: NetworkLayout) -> list[str]:
    """Stop every process of the network; the names of those that ran."""
    return [*supervise.stop(layout.homes()[::-1]), *stop_clusters(layout)]


def stop_clusters(layout: NetworkLayout, *names: str) -> list[str]:
    """Stop these clusters of the network, or all; what people call those that ran."""
    found = {
        name: cluster for name, cluster in layout.clusters.items()
        if name in (names or layout.file.notaries) and supervisor(cluster) is not None
    }  # fmt: skip
    _end_clusters(found.values())
    return [layout.title(name) for name in found]


def running(layout: NetworkLayout) -> bool:
    """Whether the notary where new facts live runs."""
    first = layout.file.notaries[0]
    if first == SOLO:
        return supervise.running(layout.notary) is not None
    return supervisor(layout.cluster(first)) is not None


def time_ms(layout: NetworkLayout) -> int:
    """The network's time: of its solo notary where that runs, else of a node, else where a scenario begins, or now."""
    for home in layout.homes():
        if supervise.running(home) is not None:
            return int(Asker(home.control_path).call("status", {})["now_ms"])
    return layout.file.scenario_ms or time.time_ns() // 1_000_000


def set_clock(layout: NetworkLayout, ms: int) -> None:
    """Set a scenario's clock on every process of the network."""
    for cluster in layout.clusters.values():
        _ask(layout, cluster, SetTime(Instant(ms)))
    for home in layout.homes():
        Asker(home.control_path).call("clock.set", {"ms": ms})


def revoke(layout: NetworkLayout, member: Member) -> None:
    """Have the clusters that run revoke one that left; one that is down hears it when it starts.

    A solo notary reads it in the network's file.
    """
    for cluster in layout.clusters.values():
        if supervisor(cluster) is not None:
            _revoke(layout, cluster, member)


# clusters -------------------------------------------------------------------------------------------------------------


def supervisor(cluster: ClusterLayout) -> int | None:
    """The number of a cluster's supervisor, if it runs on this machine."""
    try:
        pid = int(_pid_path(cluster).read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"interfirm.runtime.cluster_run" in command else None


def _start_clusters(clusters: Iterable[ClusterLayout]) -> None:
    """Start supervisors and wait for their first blocks; after a refusal none of them runs."""
    started = [(cluster, _spawn(cluster)) for cluster in clusters]
    deadline = time.monotonic() + CLUSTER_START_S
    try:
        for cluster, process in started:
            _wait_for_blocks(cluster, process, deadline)
    except BaseException:
        _end_clusters(cluster for cluster, _ in started)
        raise


def _spawn(cluster: ClusterLayout) -> subprocess.Popen[bytes]:
    with (cluster.folder / "supervisor.log").open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "interfirm.runtime.cluster_run", str(cluster.folder)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    _pid_path(cluster).write_text(str(process.pid))
    return process


def _wait_for_blocks(cluster: ClusterLayout, process: subprocess.Popen[bytes], deadline: float) -> None:
    from interfirm.runtime.cluster_status import status_of  # other networks do without

    while status_of(cluster).height < 1:
        if process.poll() is not None:
            raise Refusal(
                "process.ended", "the cluster ended while it started", log=str(cluster.folder / "supervisor.log")
            )
        if time.monotonic() > deadline:
            raise Refusal("process.slow", "the cluster makes no blocks", why=status_of(cluster).why)
        time.sleep(0.1)


def _end_clusters(clusters: Iterable[ClusterLayout]) -> None:
    """End supervisors, which end their validators; where one had to be killed, what it left running."""
    found = list(clusters)
    for killed in supervise.end(found, supervisor, timeout_s=2 * supervise.STOP_TIMEOUT_S):
        from interfirm.runtime.cluster_run import end_left_over  # other networks do without

        for place in killed.places:
            end_left_over(killed.home(place))
    for cluster in found:
        _pid_path(cluster).unlink(missing_ok=True)


def _pid_path(cluster: ClusterLayout) -> Path:
    return cluster.folder / "supervisor.pid"


def _tell_who_left(layout: NetworkLayout) -> None:
    for member in layout.file.members:
        if member.left_ms:
            revoke(layout, member)


def _revoke(layout: NetworkLayout, cluster: ClusterLayout, member: Member) -> None:
    """Enter and revoke one that left, so that it can be entered no more; nothing where that was done."""
    from interfirm.runtime.cluster_govern import government  # other networks do without

    with government(cluster) as asked:
        record = asked.said("key", member.identity).answer
    if record is None:
        _ask(layout, cluster, member.registration_request(layout.notary_id))
    if record is None or not codec.from_plain(record, Record).revoked:
        _ask(layout, cluster, member.revocation_request())


def _ask(layout: NetworkLayout, cluster: ClusterLayout, request: Request) -> None:
    """Ask as the registrar, whose keys a development network keeps beside it."""
    from interfirm.runtime.cluster_govern import government  # other networks do without
    from interfirm.runtime.governing import Voice

    registrar = layout.registrar()
    with government(cluster) as asking:
        asking.send(request, Voice(signer=registrar, identity=registrar.public.identity))
