"""A cluster of real engines on loopback addresses of its own, run by its supervisor as an operator runs it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.links import Links
from tests.unit.notary.notaries import NETWORK, ORGS, REGISTRAR, A, Ledger, Org

from interfirm.base.time import Instant, Window
from interfirm.notary.cometbft.client import ClusterClient, Settled
from interfirm.notary.cometbft.envelope import seal_envelope
from interfirm.notary.types import Notarise
from interfirm.notary.wire import Wanted
from interfirm.runtime import engine
from interfirm.runtime.cluster import SOCKET, ClusterLayout, new_cluster
from interfirm.runtime.cluster_parts import APPLICATION, ENGINE, last_lines, log_path, pid_path
from interfirm.runtime.cluster_status import ClusterStatus, ValidatorStatus, status_of

needs_engine = [
    pytest.mark.skipif(
        shutil.which("go") is None and not engine.engine_path().exists(), reason="needs the engine, or Go to build it"
    ),
    pytest.mark.engine,
]
"""Of a file whose tests run real engines: skipped where none can be had; run one after the other (tools/test)."""
ROOT = Path(__file__).resolve().parents[2]
HOUR_MS = 3_600_000
PATIENCE_S = 60.0


def now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)


def free_address() -> str:
    """An address of the loopback network that hardly anybody else uses now."""
    pick = random.SystemRandom()
    return f"127.{pick.randrange(1, 255)}.{pick.randrange(1, 255)}.10"


class RunningCluster:
    """A cluster whose organisations are registered."""

    def __init__(self, layout: ClusterLayout) -> None:
        self.layout = layout
        self.ledger = Ledger(layout.notary_id)
        self.client = ClusterClient([place.rpc for place in layout.places])
        self._supervisor: subprocess.Popen[bytes] | None = None

    # processes

    def start(self, **environment: str) -> None:
        with (self.layout.folder / "run.log").open("ab") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "interfirm.runtime.cluster_run", str(self.layout.folder)],
                stdout=log, stderr=log, env={**os.environ, **environment},
            )  # fmt: skip

    def stop(self, how: int = signal.SIGTERM) -> None:
        assert self._supervisor is not None
        self._supervisor.send_signal(how)
        self._supervisor.wait()
        self._supervisor = None

    def close(self) -> None:
        self.client.close()
        if self._supervisor is not None:
            self.stop()

    def kill(self, name: str, part: str) -> None:
        found = getattr(self.validator(name), part)
        assert found is not None
        os.kill(found, signal.SIGKILL)

    # what it does

    @property
    def status(self) -> ClusterStatus:
        return status_of(self.layout)

    def validator(self, name: str) -> ValidatorStatus:
        return next(each for each in self.status.validators if each.name == name)

    def until(self, holds: Callable[[ClusterStatus], Any], *, patience_s: float = PATIENCE_S) -> ClusterStatus:
        """The first status for which this holds."""
        deadline = time.monotonic() + patience_s
        while not holds(found := self.status):
            assert time.monotonic() < deadline, f"still {found}\n{self.log()}"
            time.sleep(0.05)
        return found

    def until_height(self, height: int, *names: str) -> ClusterStatus:
        """All validators (or these) have come to a height."""
        return self.until(lambda s: all(v.height >= height for v in s.validators if not names or v.name in names))

    def roots(self) -> set[str]:
        """The app hashes that the validators have at the lowest height all of them know; they must be one."""
        from interfirm.notary.cometbft.rpc import Rpc

        height = min(each.height for each in self.status.validators)
        found = set()
        for place in self.layout.places:
            rpc = Rpc(place.rpc)
            found.add(rpc.call("commit", height=height)["signed_header"]["header"]["app_hash"])
            rpc.close()
        return found

    def log(self) -> str:
        return (self.layout.folder / "run.log").read_text()[-2_000:]

    # requests

    def envelope(self, *requests: Wanted, by: Org = A, **changes: Any) -> bytes:
        options: dict[str, Any] = {
            "notary": self.layout.notary_id, "signer": by.signer, "identity": by.id,
            "expires": now().plus_ms(60_000), "nonce": os.urandom(32),
        }  # fmt: skip
        return seal_envelope(requests, **(options | changes))

    def settled(self, *requests: Wanted, by: Org = A) -> Settled:
        return self.client.wait(self.client.submit(self.envelope(*requests, by=by)), timeout_s=PATIENCE_S)

    def request(self, *actions: Any) -> Notarise:
        """A transaction that may be accepted within the hour."""
        return self.ledger.request(*actions, at=Window(lower=None, upper=now().plus_ms(HOUR_MS)))

    def register(self) -> None:
        registrations = [org.registration(self.layout.notary_id) for org in ORGS]
        self.client.ask(
            self.envelope(*registrations, signer=REGISTRAR, identity=REGISTRAR.public.identity), timeout_s=PATIENCE_S
        )


class HandledCluster(RunningCluster):
    """A cluster whose validators are started and stopped one by one, with no supervisor to start them again."""

    def __init__(self, layout: ClusterLayout) -> None:
        super().__init__(layout)
        self._processes: dict[tuple[str, str], subprocess.Popen[bytes]] = {}

    def start(  # type: ignore[override]
        self, *names: str, application: Sequence[str] = ("interfirm.runtime.validator",), program: Path | None = None,
        **environment: str,
    ) -> None:  # fmt: skip
        """Start these validators, or all; `application` is its module and what comes before its arguments.

        `program` is the engine where it is not the pinned one.
        """
        for name in names or [place.name for place in self.layout.places]:
            home = self.layout.home(self.layout.named(name))
            command = [sys.executable, "-m", *application, str(self.layout.folder), name]
            self._begin(name, APPLICATION, command, cwd=ROOT, **environment)
            self._until_listening(home)
            started = [str(program or engine.engine_path()), "start", "--home", str(home)]
            self._begin(name, ENGINE, started, cwd=home, **environment)

    def _begin(self, name: str, part: str, program: list[str], *, cwd: Path, **environment: str) -> None:
        home = self.layout.home(self.layout.named(name))
        with log_path(home, part).open("ab") as output:
            process = subprocess.Popen(
                program, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, **environment},
            )  # fmt: skip
        pid_path(home, part).write_text(str(process.pid))
        self._processes[name, part] = process

    def log(self) -> str:
        homes = {place.name: self.layout.home(place) for place in self.layout.places}
        return "\n".join(
            f"{name} {part}: {last_lines(log_path(home, part))}" for name, home in homes.items()
            for part in (APPLICATION, ENGINE)
        )  # fmt: skip

    def _until_listening(self, home: Path) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
                probe.connect(os.path.relpath(home / SOCKET))
                return
            assert time.monotonic() < deadline, last_lines(log_path(home, APPLICATION))
            time.sleep(0.02)

    def send(self, how: int, *names: str) -> None:
        """Send a signal to both processes of these validators."""
        for name in names:
            for part in (ENGINE, APPLICATION):
                self._processes[name, part].send_signal(how)

    def end(self, *names: str, how: int = signal.SIGKILL) -> None:
        """End these validators; those that are ended already stay so."""
        self.send(how, *names)
        for name in names:
            for part in (ENGINE, APPLICATION):
                self._processes[name, part].wait()

    def process(self, name: str, part: str) -> int:
        """The number of a process."""
        return self._processes[name, part].pid

    def close(self) -> None:
        self.client.close()
        self.end(*{name for name, _ in self._processes})


@contextmanager
def handled_cluster(folder: Path, validators: int) -> Iterator[tuple[HandledCluster, Links]]:
    """A cluster whose links and processes are in the test's hands."""
    layout = new_cluster(
        folder / "c", network=NETWORK, registrar=REGISTRAR.public, label="tested", validators=validators,
        first_address=free_address(),
    )  # fmt: skip
    found, links = HandledCluster(layout), Links(layout)
    try:
        found.start()
        found.until_height(1)
        found.register()
        yield found, links
    finally:
        found.close()
        links.close()


@contextmanager
def running_cluster(folder: Path, validators: int, *, version: str = engine.PINNED) -> Iterator[RunningCluster]:
    """A cluster that makes blocks and knows the organisations."""
    layout = new_cluster(
        folder / "c", network=NETWORK, registrar=REGISTRAR.public, label="tested", validators=validators,
        first_address=free_address(), version=version,
    )  # fmt: skip
    found = RunningCluster(layout)
    try:
        found.start()
        found.until_height(1)
        found.register()
        yield found
    finally:
        found.close()
