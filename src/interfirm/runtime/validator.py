"""The application's process of one validator: `python -m interfirm.runtime.validator CLUSTER-FOLDER NAME`."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.notary.cometbft.abci import Engine, serve
from interfirm.notary.cometbft.application import Application
from interfirm.notary.cometbft.snapshots import SNAPSHOT_EVERY as DEFAULT_EVERY
from interfirm.notary.cometbft.snapshots import Snapshots
from interfirm.notary.cometbft.sqlite import Database, last_root
from interfirm.notary.governance.epochs import SOFTWARE, Software
from interfirm.runtime.clock import SystemClock
from interfirm.runtime.cluster import SOCKET, ClusterLayout
from interfirm.runtime.logs import log
from interfirm.runtime.notary_metrics import NotaryMetrics

KILL_AT = "INTERFIRM_TEST_KILL_AT"
"""For tests: `point:count` kills this process when it comes to a point of its blocks for the count-th time."""
RULES = "INTERFIRM_TEST_RULES"
"""For tests: `1,2` lets this process judge by these versions of the rules, which differ in nothing but their number."""
GARBAGE_COUNT = 50_000
"""After how many new objects cycles are looked for: blocks make many, and hardly any in a cycle."""
SWITCH_S = 0.0002
"""After so long, the thread that answers lets the one read that wants to, while the engine waits to send."""
SNAPSHOT_EVERY = "INTERFIRM_SNAPSHOT_EVERY"
"""After how many heights a validator makes a snapshot of its state, where not as usual."""


def open_application(layout: ClusterLayout, name: str, *, at: Callable[[str], None] = lambda _: None) -> Application:
    """The application of a validator over its own state; `at` is told the points of its blocks."""
    home = layout.home(layout.named(name))
    path = home / "state.db"
    every = int(os.environ.get(SNAPSHOT_EVERY, DEFAULT_EVERY))
    store = Database(path, snapshots=Snapshots(path, home / "snapshots", every=every))
    points = _points()

    def told(point: str) -> None:
        at(point)
        points(point)

    return Application(layout.genesis, store, at=told, software=_software())


def snapshot_now(layout: ClusterLayout, name: str) -> tuple[int, bytes]:
    """Take a snapshot of a validator's last height, whether it runs or not; its height and root."""
    home = layout.home(layout.named(name))
    path = home / "state.db"
    height, root = last_root(path)
    Snapshots(path, home / "snapshots").take(height, root)
    return height, root


def _software() -> Software:
    rules = os.environ.get(RULES)
    return SOFTWARE if rules is None else Software(versions=tuple(map(int, rules.split(","))))


def _points() -> Callable[[str], None]:
    where = os.environ.get(KILL_AT)
    if where is None:
        return lambda _: None
    from interfirm.runtime.bootstrap import killed_at  # all of a node, which a validator does without

    return killed_at(where)


async def run(folder: Path, name: str) -> None:
    """Serve the engine until SIGTERM or SIGINT; Refusal `governance.version` for rules it lacks."""
    layout = ClusterLayout.open(folder)
    clock = SystemClock()
    home = layout.home(layout.named(name))
    metrics = NotaryMetrics(home)
    application = open_application(layout, name, at=metrics.at)
    metrics.watch({"interfirm_notary_height": lambda: application.store.height})
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stopped.set)
    os.chdir(home)  # a socket's whole path may be too long for the system
    lacking: list[Refusal] = []

    def halt(refusal: Refusal) -> None:
        lacking.append(refusal)
        loop.call_soon_threadsafe(stopped.set)

    worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="application")
    engine = Engine(application, lambda: Instant(clock.now_ms()), halt=halt)
    server = await serve(engine, Path(SOCKET), worker)
    log.info("validator.started", name=name, height=application.store.height, root=application.store.app_hash.hex())
    gc.freeze()
    gc.set_threshold(GARBAGE_COUNT)
    sys.setswitchinterval(SWITCH_S)
    async with metrics.served():
        await stopped.wait()
    server.close()
    await loop.run_in_executor(worker, lambda: None)  # the engine has the answer that was begun
    worker.shutdown()
    log.info("validator.stopped", name=name, height=application.store.height)
    if lacking:
        raise lacking[0]


def main() -> int:
    """Run the process; 0 when it was stopped, 3 when it refused to start."""
    try:
        import uvloop

        uvloop.run(run(Path(sys.argv[1]).resolve(), sys.argv[2]))
    except Refusal as refusal:
        log.error("validator.refused", **refusal.as_plain())
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
