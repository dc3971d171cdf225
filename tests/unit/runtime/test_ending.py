"""Processes are asked to end and then made to; what does not start in time does not run on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.runtime.test_network_notaries import layout, three  # noqa: F401 - fixtures

from interfirm.base.errors import Refusal
from interfirm.runtime import notaries, supervise
from interfirm.runtime.cluster import ClusterLayout
from interfirm.runtime.layout import NetworkLayout

DEAF = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
IDLE = "import time; 'interfirm.runtime.cluster_run'; time.sleep(600)"


@pytest.fixture
def deaf() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not end when it is asked to."""
    process = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def number(process: subprocess.Popen[bytes]) -> int | None:
    return process.pid if process.poll() is None else None


def test_who_does_not_end_when_asked_is_made_to(deaf: subprocess.Popen[bytes]) -> None:
    assert supervise.end([deaf], number, timeout_s=0.1) == [deaf]
    deaf.wait()  # whoever collected it first
    with pytest.raises(ProcessLookupError):
        os.kill(deaf.pid, 0)


def test_who_ends_when_asked_is_not_killed() -> None:
    process = subprocess.Popen([sys.executable, "-c", IDLE])
    assert supervise.end([process], number) == []
    assert number(process) is None


def test_a_cluster_that_makes_no_blocks_in_time_is_ended(
    three: NetworkLayout, monkeypatch: pytest.MonkeyPatch  # noqa: F811 - the fixture
) -> None:  # fmt: skip
    def idle(cluster: ClusterLayout) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", IDLE])
        _pid(cluster).write_text(str(process.pid))
        spawned.append(process)
        return process

    spawned: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(notaries, "_spawn", idle)
    monkeypatch.setattr(notaries, "CLUSTER_START_S", 0.0)
    with pytest.raises(Refusal) as refusal:
        notaries._start_clusters(three.clusters.values())
    assert refusal.value.code == "process.slow"
    assert [process.wait() is not None for process in spawned] == [True, True]
    assert [notaries.supervisor(cluster) for cluster in three.clusters.values()] == [None, None]
    assert not any(_pid(cluster).exists() for cluster in three.clusters.values())


def _pid(cluster: ClusterLayout) -> Path:
    return cluster.folder / "supervisor.pid"
