"""A world is its seed: the same report, byte for byte, in every process."""

from __future__ import annotations

import os
import subprocess
import sys

from interfirm.sim.run import run_world

SCRIPT = """
import json
from interfirm.sim.run import run_world
print(json.dumps(run_world(11, firms=4, notaries=2, faults="storm", transactions=20).as_plain()))
"""


def report_of_process(hash_seed: str) -> bytes:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, check=True)
    return done.stdout


def test_one_seed_gives_one_report_whatever_the_order_of_hashes() -> None:
    one, other = report_of_process("1"), report_of_process("2")
    assert one == other
    assert b'"passed": true' in one


def test_another_world_in_the_same_process_changes_nothing() -> None:
    first = run_world(12, firms=3, faults="storm", transactions=6)
    run_world(13, firms=4, faults="calm", transactions=6)
    assert run_world(12, firms=3, faults="storm", transactions=6) == first


def test_another_seed_gives_another_world() -> None:
    assert run_world(14, firms=3, transactions=3).trace != run_world(15, firms=3, transactions=3).trace


def test_a_storm_injects_every_kind_of_trouble() -> None:
    injected: set[str] = set()
    for seed in range(20, 28):
        injected.update(run_world(seed, faults="storm", transactions=40).injected)
    wanted = {
        "loss", "delay", "duplication", "disconnect", "partition", "killed before commit", "killed after commit",
        "killed while releasing effects", "notary killed when judged", "notary killed when written",
        "notary killed when committed", "lie: double spend", "lie: withheld message", "lie: altered view",
        "lie: altered request", "lie: replayed message", "lie: misdirected message", "lie: garbage",
        "lie: wrong history", "lie: false signature",
    }  # fmt: skip
    assert wanted <= injected, wanted - injected
