"""Worlds that once failed, or that were hard: kept for ever."""

from __future__ import annotations

import pytest

from interfirm.sim.run import run_world

KEPT = [
    (7, 4, 1, "storm", 10),  # a liar's misdirected proposals were taken for leaks of honest firms
    (19, 4, 1, "storm", 10),  # a liar's own vault lost cash that existed
    (1325, 5, 1, "storm", 10),  # what a notary had to tell an issuer was lost with a connection
    (100, 4, 1, "storm", 50),
    (203, 4, 2, "storm", 30),
]


@pytest.mark.parametrize(("seed", "firms", "notaries", "faults", "transactions"), KEPT)
def test_a_world_that_once_failed_holds(seed: int, firms: int, notaries: int, faults: str, transactions: int) -> None:
    report = run_world(seed, firms=firms, notaries=notaries, faults=faults, transactions=transactions)
    assert report.passed, report.as_plain()
