"""Thousands of short worlds, none of which may break a promise.

`INTERFIRM_SIM_WORLDS` runs more or fewer of them. A world that fails is run again by its line in the message, and its
seed is kept in test_kept_worlds.py for ever.
"""

from __future__ import annotations

import os

import pytest

from interfirm.sim.run import Report, run_world

WORLDS = int(os.environ.get("INTERFIRM_SIM_WORLDS", "2000"))
CHUNK = 50
CLIMATES = ("none", "calm", "calm", "storm", "storm", "storm", "storm", "storm", "storm", "storm")


def world_of(seed: int) -> Report:
    faults = CLIMATES[seed % len(CLIMATES)]
    return run_world(seed, firms=3 + seed % 3, notaries=1 + (seed % 7 == 0), faults=faults, transactions=10)


def shown(report: Report) -> str:
    command = (
        f"interfirm sim --seed {report.seed} --firms {report.firms} --notaries {report.notaries} "
        f"--faults {report.faults} --transactions 10 --json"
    )
    found = {name: findings[:3] for name, findings in report.checkers.items() if findings}
    return f"{command}\n  committed {report.committed} of {report.tried}, refused {report.refused}, found {found}"


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, WORLDS, CHUNK))
def test_short_worlds_keep_every_promise(first: int) -> None:
    failed = []
    for seed in range(first, min(first + CHUNK, WORLDS)):
        report = world_of(seed)
        if not report.passed:
            failed.append(shown(report))
    assert not failed, "\n".join(failed)
