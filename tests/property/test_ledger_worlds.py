"""The property of the shared ledger (02-ledger, "the property to test above all"), over random worlds.

What all honest members together believe is a part of some valid ledger; no honest party is bound by what it neither ran
nor delegated; no honest signer of an accepted transaction is left with a view that fails; nothing is consumed or
claimed twice; an honest builder's transaction is not refused. How worlds are made: tests/support/worlds.py; how they
are judged: tests/support/truth.py; that the judging notices: test_ledger_faults.py.

INTERFIRM_WORLDS sets how many worlds are made, INTERFIRM_WORLDS_FIRST the first seed, for long runs.
"""

from __future__ import annotations

import os

import pytest
from tests.support.worlds import outcome

COUNT = int(os.environ.get("INTERFIRM_WORLDS", "2500"))
FIRST = int(os.environ.get("INTERFIRM_WORLDS_FIRST", "0"))
PORTIONS = 10

KEPT = [1217, 507250, 508060]
"""Seeds that once broke the property."""


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_what_the_honest_believe_is_part_of_a_valid_ledger(portion: int) -> None:
    for seed in range(FIRST + portion, FIRST + COUNT, PORTIONS):
        assert not outcome(seed), f"world {seed}"


@pytest.mark.parametrize("seed", KEPT)
def test_a_world_that_was_broken_once_is_whole(seed: int) -> None:
    assert not outcome(seed)
