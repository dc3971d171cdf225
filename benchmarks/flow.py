"""Choices between two nodes, through the notary, into both vaults: real processes, mutual TLS, durable commits.

Each exercise has two signers. Quoted for comparison and not run: Corda's published 170 a second for one node.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import result
from interfirm.node.control.client import ControlClient
from interfirm.runtime import supervise
from interfirm.runtime.layout import NetworkLayout, new_network

FIRMS = (("Alpha NV", "BE0987654394"), ("Beta BV", "BE0812345603"))
AIM_PER_S, AIM_P50_MS, CORDA_PER_S = 300, 50, 170
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def run(*, quick: bool = False) -> dict[str, Any]:
    """The result, JSON-ready."""
    with tempfile.TemporaryDirectory(prefix="interfirm-bench-") as name:
        layout = new_network(Path(name) / "n", FIRMS, name="bench", at_ms=time.time_ns() // 1_000_000)
        homes = layout.homes()
        supervise.start(layout, homes)
        try:
            found = asyncio.run(_measure(layout, lanes=8 if quick else 64, rounds=2 if quick else 10))
        finally:
            supervise.stop(homes)
    rate, p50 = found["per_s_at_64"], found["p50_ms_at_1"]
    return result(
        "flow",
        figures=found,
        peers={"aim_per_s": AIM_PER_S, "aim_p50_ms": AIM_P50_MS, "corda_published_per_s": CORDA_PER_S},
        ratios={"rate_to_aim": rate / AIM_PER_S, "rate_to_corda": rate / CORDA_PER_S, "p50_to_aim": p50 / AIM_P50_MS},
        met=rate >= AIM_PER_S and p50 < AIM_P50_MS,
        limited_by="CPU of the two nodes (see cpu_ms_per_exercise): re-execution, hashing, two signatures, SQLite rows",
    )


async def _measure(layout: NetworkLayout, *, lanes: int, rounds: int) -> dict[str, Any]:
    client = ControlClient(layout.firm("alpha").control_path)
    refs = await asyncio.gather(*[_agreement(client, i) for i in range(lanes)])
    before = _cpu(layout)
    single = [await _turn(client, refs, 0) for _ in range(rounds * 4)]
    middle, started = _cpu(layout), time.perf_counter()
    many = await asyncio.gather(*[_lane(client, refs, lane, rounds) for lane in range(lanes)])
    elapsed = time.perf_counter() - started
    after = _cpu(layout)
    latencies = sorted(ms for lane in many for ms in lane)
    count = len(latencies)
    split = {f"{n}_cpu_ms_per_exercise": (after[n] - middle[n]) * 1000 / count for n in after}
    one = sorted(single)
    return {
        "per_s_at_64": count / elapsed,
        "p50_ms_at_1": one[len(one) // 2],
        "p95_ms_at_1": one[int(len(one) * 0.95)],
        "p50_ms_at_64": latencies[count // 2],
        "p95_ms_at_64": latencies[int(count * 0.95)],
        "in_flight": lanes,
        "exercises": count + len(single),
        **split,
        "cpu_s_at_1": sum(middle.values()) - sum(before.values()),
    }


async def _agreement(client: ControlClient, number: int) -> str:
    """An agreement in effect between the two."""
    fields = {
        "number": f"A-{number}", "kind": "msa", "parties": ["Alpha NV", "Beta BV"], "signed": ["Alpha NV"],
        "document": "11" * 32, "terms": {"prices": [], "payment_days": 30, "tolerance": "0 %", "governing_law": "BE"},
        "start": "2020-01-01", "end": "2090-01-01",
    }  # fmt: skip
    ref = _ref(await client.call("create", {"template": "agreements.Agreement", "fields": fields}))
    beta = ControlClient(client._path.parents[1] / "beta" / "control.sock")
    while True:
        found = await beta.call("contracts.list", {"template": "agreements.Agreement", "limit": 1000})
        if any(c["ref"] == ref for c in found["contracts"]):
            break
        await asyncio.sleep(0.02)
    ref = _ref(await beta.call("exercise", {"ref": ref, "choice": "sign", "arguments": {"party": "Beta BV"}}))
    while True:
        found = await client.call("contracts.list", {"template": "agreements.Agreement", "limit": 1000})
        if any(c["ref"] == ref for c in found["contracts"]):
            return _ref(await _exercise(client, ref, "activate", {"party": "Alpha NV"}))
        await asyncio.sleep(0.02)


async def _exercise(client: ControlClient, ref: str, choice: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return await client.call("exercise", {"ref": ref, "choice": choice, "arguments": arguments})


def _ref(answer: dict[str, Any]) -> str:
    flow = answer["flow"]
    if flow["state"] != "done":
        raise SystemExit(f"the benchmark's own transaction failed: {flow['result']}")
    made = next(index for name, index in flow["result"]["created"] if name == "Agreement")
    return f"{flow['result']['transaction']}:{made}"


async def _lane(client: ControlClient, refs: list[str], lane: int, rounds: int) -> list[float]:
    return [await _turn(client, refs, lane) for _ in range(rounds)]


async def _turn(client: ControlClient, refs: list[str], lane: int) -> float:
    """Suspend an agreement, or resume it; both firms sign. Milliseconds from the request to its end in our vault."""
    started = time.perf_counter()
    state, ref = refs[lane][:1] == "!", refs[lane].lstrip("!")
    choice, arguments = ("resume", {}) if state else ("suspend", {"party": "Alpha NV"})
    made = _ref(await _exercise(client, ref, choice, arguments))
    refs[lane] = made if state else f"!{made}"
    return (time.perf_counter() - started) * 1000


def _cpu(layout: NetworkLayout) -> dict[str, float]:
    """Seconds of CPU of each process so far."""
    found = {}
    for home in layout.homes():
        parts = Path(f"/proc/{supervise.running(home)}/stat").read_text().rpartition(")")[2].split()
        found[home.member.slug] = (int(parts[11]) + int(parts[12])) / TICKS_PER_S
    return {**found, "client": time.process_time()}
