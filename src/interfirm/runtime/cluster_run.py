"""Running validators of this machine: engine and application of each, started again when they end, logs kept short.

    python -m interfirm.runtime.cluster_run CLUSTER-FOLDER [NAME ...]

Only one supervisor runs a machine; what a killed one left running is ended first, so that no validator runs twice.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from interfirm.base.errors import Refusal
from interfirm.node.identity.sealed import write_atomically
from interfirm.runtime import engine, signing
from interfirm.runtime.cluster import SOCKET, ClusterLayout, Place
from interfirm.runtime.cluster_parts import (
    APPLICATION,
    ENGINE,
    PARTS,
    Fault,
    fault_of,
    fault_path,
    last_lines,
    log_path,
    pid_path,
    running,
)
from interfirm.runtime.logs import log

RESTART_S_MIN, RESTART_S_MAX = 0.5, 30.0
STEADY_S = 30.0
"""A process that ran so long is started again at once; one that did not waits twice as long each time."""
STOP_TIMEOUT_S = 15.0
LOG_BYTES_MAX, LOGS_KEPT = 16 * 1024 * 1024, 3
LOGS_LOOKED_AT_S = 5.0


class Process:
    """One process of a validator, kept running until it is told to stop."""

    def __init__(self, layout: ClusterLayout, place: Place, part: str) -> None:
        self.home = layout.home(place)
        self.place, self.part = place, part
        self._layout = layout
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._fault = fault_of(self.home, part)

    @property
    def log_path(self) -> Path:
        """Where the process writes."""
        return log_path(self.home, self.part)

    async def keep(self) -> None:
        """Start, wait, and start again."""
        wait_s = RESTART_S_MIN
        while not self._stopping.is_set():
            began = time.monotonic()
            await self._once()
            if self._stopping.is_set():
                return
            wait_s = RESTART_S_MIN if time.monotonic() - began > STEADY_S else min(wait_s * 2, RESTART_S_MAX)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_s)

    async def _once(self) -> None:
        if self.part == ENGINE:
            await self._until_listening()
            if not self._stopping.is_set() and not self._may_sign():
                await self._stopping.wait()
        if self._stopping.is_set():
            return
        with self.log_path.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(), cwd=self.home, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,  # what interrupts the supervisor must not end them in any order
            )  # fmt: skip
        pid_path(self.home, self.part).write_text(str(self._process.pid))
        code = await self._process.wait()
        pid_path(self.home, self.part).unlink(missing_ok=True)
        self.take_down()
        if not self._stopping.is_set():
            self._note(code, last_lines(self.log_path))

    def take_down(self) -> None:
        """Note how far the machine's key has signed."""
        if self.part == ENGINE:
            try:
                signing.note(self._layout.folder, self.place.name)
            except Refusal as refusal:  # the engine is asked the same when it starts
                log.error("process.signing", validator=self.place.name, **refusal.as_plain())

    def _may_sign(self) -> bool:
        """Whether the engine cannot sign twice; where it could, it stays down and says why."""
        try:
            signing.check(self._layout.folder, self.place.name)
        except Refusal as refusal:
            self._note(0, (str(refusal),))
            return False
        return True

    def _command(self) -> list[str]:
        if self.part == APPLICATION:
            return [sys.executable, "-m", "interfirm.runtime.validator", str(self._layout.folder), self.place.name]
        return [str(engine.installed(self._layout.file.engine)), "start", "--home", str(self.home)]

    async def _until_listening(self) -> None:
        """An engine that finds no application gives up, so it is not started before there is one."""
        while not self._stopping.is_set():
            with suppress(OSError):
                _, writer = await asyncio.open_unix_connection(os.path.relpath(self.home / SOCKET))
                writer.close()
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 0.05)

    def _note(self, code: int, last: tuple[str, ...]) -> None:
        self._fault = Fault(
            restarts=self._fault.restarts + 1, code=code, at_ms=time.time_ns() // 1_000_000, last=last
        )  # fmt: skip
        write_atomically(fault_path(self.home, self.part), msgspec.json.encode(self._fault), replace=True)
        log.error("process.ended", validator=self.place.name, part=self.part, code=code, restarts=self._fault.restarts)

    async def stop(self) -> None:
        """Ask the process to end, then insist."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def rotate(path: Path, bytes_max: int = LOG_BYTES_MAX) -> bool:
    """Put a long log aside; it is copied and emptied, because its writer keeps it open."""
    try:
        if path.stat().st_size <= bytes_max:
            return False
    except OSError:
        return False
    for number in range(LOGS_KEPT - 1, 0, -1):
        older = path.with_suffix(f".log.{number}")
        if older.exists():
            older.replace(path.with_suffix(f".log.{number + 1}"))
    shutil.copyfile(path, path.with_suffix(".log.1"))
    os.truncate(path, 0)
    return True


def end_left_over(home: Path) -> None:
    """End what an earlier supervisor, which was killed, left running."""
    for part in reversed(PARTS):
        pid = running(home, part)
        if pid is not None:
            log.warning("process.left-over", home=home.name, part=part, pid=pid)
            os.kill(pid, signal.SIGTERM)
            _wait_ended(home, part, pid)
        pid_path(home, part).unlink(missing_ok=True)


def _wait_ended(home: Path, part: str, pid: int) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while running(home, part) == pid:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


async def supervise(layout: ClusterLayout, places: Sequence[Place], stopped: asyncio.Event) -> None:
    """Run these validators until `stopped` is set; Refusal `cluster.running`, `signing.same-key`, `engine.*`."""
    engine.installed(layout.file.engine)
    signing.check_apart(layout.folder, [place.name for place in layout.places])
    with ExitStack() as locks:
        for place in places:
            _lock(layout.home(place), locks)
        for place in places:
            end_left_over(layout.home(place))
        engines = [Process(layout, place, ENGINE) for place in places]
        applications = [Process(layout, place, APPLICATION) for place in places]
        tasks = [asyncio.ensure_future(each.keep()) for each in applications + engines]
        tasks.append(asyncio.ensure_future(_look_after(applications + engines)))
        log.info("cluster.started", folder=str(layout.folder), validators=[place.name for place in places])
        try:
            waiting = asyncio.ensure_future(stopped.wait())
            await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await asyncio.gather(*(each.stop() for each in engines))
            await asyncio.gather(*(each.stop() for each in applications))
            tasks[-1].cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            log.info("cluster.stopped", folder=str(layout.folder))
        for each in ended:
            if isinstance(each, Exception):
                raise each


def _lock(home: Path, locks: ExitStack) -> None:
    """Hold a machine for as long as its supervisor lives."""
    lock = locks.enter_context((home / "run.lock").open("w"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Refusal("cluster.running", "this cluster runs already", folder=str(home)) from error


async def _look_after(processes: Sequence[Process]) -> None:
    while True:
        for each in processes:
            rotate(each.log_path)
            each.take_down()
        await asyncio.sleep(LOGS_LOOKED_AT_S)


async def run(folder: Path, names: Sequence[str] = ()) -> None:
    """Run the named validators of a cluster, or all, until SIGTERM or SIGINT."""
    layout = ClusterLayout.open(folder)
    places = [layout.named(name) for name in names] or list(layout.places)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stopped.set)
    await supervise(layout, places, stopped)


def main() -> int:
    """Run the process; 0 when it was stopped, 3 when it refused to start."""
    try:
        asyncio.run(run(Path(sys.argv[1]).resolve(), sys.argv[2:]))
    except Refusal as refusal:
        log.error("cluster.refused", **refusal.as_plain())
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
