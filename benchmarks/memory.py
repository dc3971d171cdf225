"""What a node weighs: idle, and while a file of one megabyte is attached."""

from __future__ import annotations

import os
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

from benchmarks.common import result
from interfirm.node.vault.attachments import Attachments
from interfirm.runtime import supervise
from interfirm.runtime.layout import new_network

IDLE_MIB_MAX = 120
FILE_BYTES = 1024 * 1024


def run(*, quick: bool = False) -> dict[str, Any]:
    """The result, JSON-ready."""
    with tempfile.TemporaryDirectory(prefix="interfirm-bench-") as name:
        folder = Path(name)
        layout = new_network(
            folder / "n", [("Alpha NV", "BE0987654394")], name="bench", at_ms=time.time_ns() // 1_000_000
        )
        homes = layout.homes()
        supervise.start(layout, homes)
        time.sleep(0.5 if quick else 3)
        idle = {home.member.slug: _resident_mib(supervise.running(home) or 0) for home in homes}
        supervise.stop(homes)
        peak = _attach(folder)
    return result(
        "memory",
        figures={"node_idle_mib": idle["alpha"], "notary_idle_mib": idle["notary"], "attach_peak_bytes": peak},
        peers={"file_bytes": FILE_BYTES, "idle_mib_max": IDLE_MIB_MAX},
        ratios={"idle_to_limit": idle["alpha"] / IDLE_MIB_MAX, "attach_peak_to_file": peak / FILE_BYTES},
        met=idle["alpha"] < IDLE_MIB_MAX and peak < FILE_BYTES,
        limited_by="imported libraries: lxml, SQLAlchemy and cryptography are most of an idle node",
    )


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _attach(folder: Path) -> int:
    """The peak of Python's memory while a file is kept, piece by piece."""
    source = folder / "file"
    source.write_bytes(os.urandom(FILE_BYTES))
    store = Attachments(folder / "attachments")
    tracemalloc.start()
    with source.open("rb") as file:
        store.put(iter(lambda: file.read(64 * 1024), b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
