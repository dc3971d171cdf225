"""One validator on a real engine with few and with very many unspent outputs: its memory, and a notarisation's cost.

The peer is the same validator in the same run, before the outputs were there.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cluster import (
    MANY,
    OFFERED_PER_S,
    Figures,
    Machines,
    Notarisations,
    done_in,
    measured,
    notaries,
)
from benchmarks.common import result
from interfirm.notary.cometbft.client import ClusterClient

FEW, MEMORY_MB_MAX, GROWTH_MAX = 10_000, 400, 1.3
AT_ONCE = 8_192
"""Outputs under way while the state is filled."""


def run(*, outputs: int, quick: bool = False, seconds: float = 10.0) -> dict[str, Any]:
    """The result, JSON-ready; `outputs` is how many there are at last."""
    seconds, few = (0.0, 512) if quick else (seconds, FEW)
    with (
        tempfile.TemporaryDirectory(prefix="interfirm-bench-") as temporary,
        notaries(Path(temporary) / "notary", 1) as (layout, machines),
    ):
        client = ClusterClient(machines.addresses)
        ready = Notarisations(layout, client)
        at: dict[int, Figures] = {}
        there = 0
        for count in (few, outputs):
            while there < count:
                ready.fill(min(AT_ONCE, count - there))
                there += min(AT_ONCE, count - there)
            at[count] = _measured(machines, ready, seconds)
        client.close()
    first, last = at[few], at[outputs]
    memory_mb = last["application_mb"] + last["engine_mb"]
    growth = last["application_cpu_us"] / first["application_cpu_us"]
    return result(
        "notary",
        figures={f"{name}_{count}": value for count, found in at.items() for name, value in found.items()},
        peers={"memory_mb_max": MEMORY_MB_MAX},
        ratios={"cpu_growth": growth, "memory_to_limit": memory_mb / MEMORY_MB_MAX},
        met=memory_mb < MEMORY_MB_MAX and growth < GROWTH_MAX,
        limited_by="memory: two hashes and a key of each output; cost: a hash more for each doubling of outputs",
    ) | {"host": "cometbft"}


def _measured(machines: Machines, ready: Notarisations, seconds: float) -> Figures:
    found = measured(machines, partial(ready.offers, each=MANY), done_in, seconds=seconds, per_s=OFFERED_PER_S)
    wanted = ("per_s", "block_ms", "application_cpu_us", "engine_cpu_us", "application_mb", "engine_mb", "p95_ms")
    return {name: found[name] for name in wanted}
