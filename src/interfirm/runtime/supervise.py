"""Starting, watching and stopping the processes of a network on one machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from interfirm.base.errors import Refusal, check
from interfirm.runtime.asking import Asker
from interfirm.runtime.group import hosts
from interfirm.runtime.layout import Home, NetworkLayout

T = TypeVar("T")
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 15.0


def running(home: Home) -> int | None:
    """The number of the process in which a home runs, its own or its group's host's, if it runs."""
    try:
        pid = int(home.pid_path.read_text().partition(" ")[0])
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid if _is_ours(pid) else None


def _is_ours(pid: int) -> bool:
    """Whether a process number is still a process of this program, not another's that got the number later."""
    try:
        return b"interfirm" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return sys.platform != "linux"


def host_of(home: Home) -> str:
    """The firm in whose process a home runs; empty where that is its own."""
    try:
        return home.pid_path.read_text().partition(" ")[2]
    except OSError:
        return ""


def check_alone(layout: NetworkLayout, home: Home) -> None:
    """Refuse (`group.hosted`) to run a firm by itself while its group's host runs."""
    host = hosts(layout).get(home.member.slug)
    check(host is None or running(layout.firm(host)) is None, "group.hosted",
          "this firm runs with its group's host: start that again", firm=home.member.slug, host=host)  # fmt: skip


def start(layout: NetworkLayout, homes: Sequence[Home], *, told: Callable[[str], None] = lambda _: None) -> None:
    """Start the processes of these homes that do not run, and wait until each answers on its control socket.

    Entities start with their hosts. Refusal `process.ended` or `process.slow`, after which none of them runs, and
    `group.hosted` for an entity alone whose host runs without it.
    """
    group = hosts(layout)
    named = {home.member.slug for home in homes}
    wanted = [home for home in homes if running(home) is None and group.get(home.member.slug) not in named]
    for home in wanted:
        check_alone(layout, home)
    started = [(home, _spawn(layout, home)) for home in wanted]
    deadline = time.monotonic() + START_TIMEOUT_S
    try:
        for home, process in started:
            _wait_ready(home, process, deadline)
            told(home.member.name)
    except BaseException:
        for _, process in started:
            process.terminate()
        raise


def _spawn(layout: NetworkLayout, home: Home) -> subprocess.Popen[bytes]:
    with home.log_path.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "interfirm.runtime.main", str(layout.folder), home.member.slug],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def _wait_ready(home: Home, process: subprocess.Popen[bytes], deadline: float) -> None:
    client = Asker(home.control_path)
    while True:
        try:
            client.call("status", {})
            return
        except Refusal as refusal:
            if refusal.code != "node.not-running":
                raise
        if process.poll() is not None:
            raise Refusal(
                "process.ended", "the process ended while it started", firm=home.member.name, log=last_lines(home)
            )
        if time.monotonic() > deadline:
            raise Refusal("process.slow", "the process does not answer", firm=home.member.name, log=str(home.log_path))
        time.sleep(0.02)


def stop(homes: Sequence[Home]) -> list[str]:
    """Stop the processes of these homes: ask, then insist. Returns the names of those that ran.

    Entities stop with their hosts; Refusal `group.hosted` for one whose host is to go on.
    """
    found = [home for home in homes if running(home) is not None]
    check_stoppable(found)
    end([home for home in found if not host_of(home)], running)
    for home in found:
        home.pid_path.unlink(missing_ok=True)
    return [home.member.name for home in found]


def check_stoppable(homes: Sequence[Home]) -> None:
    """Refuse (`group.hosted`) to stop firms that run in the process of a host which is not among them."""
    named = {home.member.slug for home in homes}
    for home in homes:
        host = host_of(home)
        check(host in named or not host, "group.hosted", "this firm stops with its group's host: stop that, or take it"
              " out of `[group]` and start the host again", firm=home.member.slug, host=host)  # fmt: skip


def within(layout: NetworkLayout, host: Home) -> list[Home]:
    """The entities that run in a host's process now."""
    homes = [layout.home(member) for member in layout.members]
    return [home for home in homes if host_of(home) == host.member.slug and running(home) is not None]


def end(owners: Sequence[T], number: Callable[[T], int | None], *, timeout_s: float = STOP_TIMEOUT_S) -> list[T]:
    """End processes, of which `number` tells the number as long as they run: ask, then insist.

    Returns the owners of those that had to be killed.
    """
    found = [(owner, pid) for owner in owners if (pid := number(owner)) is not None]
    for _, pid in found:
        os.kill(pid, signal.SIGTERM)
    deadline, killed = time.monotonic() + timeout_s, list[T]()
    for owner, pid in found:
        while number(owner) is not None and time.monotonic() < deadline:
            reap(pid)
            time.sleep(0.02)
        if number(owner) is not None:
            os.kill(pid, signal.SIGKILL)
            reap(pid)
            killed.append(owner)
    return killed


def reap(pid: int) -> None:
    """Collect an ended child, if it is ours; otherwise it would look alive."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def last_lines(home: Home, count: int = 5) -> list[str]:
    """The end of a process's log."""
    try:
        return home.log_path.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        return []
