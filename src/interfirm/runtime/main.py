"""The process of one home: `python -m interfirm.runtime.main NETWORK-FOLDER FIRM` (or `notary`)."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from pathlib import Path

from interfirm.base.errors import Refusal
from interfirm.runtime import supervise
from interfirm.runtime.clock import Clock, ScenarioClock, SystemClock
from interfirm.runtime.group_process import GroupProcess
from interfirm.runtime.layout import NetworkLayout
from interfirm.runtime.logs import log, name_process
from interfirm.runtime.notary_process import NotaryProcess


def clock_of(layout: NetworkLayout) -> Clock:
    """The network's clock: a scenario's only where the network was made for one."""
    start = layout.file.scenario_ms
    return SystemClock() if start is None else ScenarioClock(start)


async def serve(folder: Path, name: str) -> None:
    """Run until SIGTERM or SIGINT."""
    layout = NetworkLayout.open(folder)
    home = layout.notary if name == "notary" else layout.firm(name)
    name_process(home.member.slug)
    if name == "notary":
        process: NotaryProcess | GroupProcess = NotaryProcess(layout, clock_of(layout))
    else:
        supervise.check_alone(layout, home)
        process = GroupProcess(layout, home, lambda: clock_of(layout))
        name_process(home.member.slug, level=process.host.assembly.configuration.log.level)

    def ready() -> None:
        home.pid_path.write_text(str(os.getpid()))

    main = asyncio.ensure_future(process.serve(ready))
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, main.cancel)
    gc.freeze()
    try:
        await main
    except asyncio.CancelledError:
        return


def main() -> int:
    """Run the process; 0 when it was stopped, 3 when it refused to start."""
    try:
        import uvloop

        uvloop.run(serve(Path(sys.argv[1]), sys.argv[2]))
    except Refusal as refusal:
        log.error("process.refused", **refusal.as_plain())
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
