"""Firms with a history that may be archived."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import Keeper, keepers


@pytest.fixture
def firms(tmp_path: Path) -> Iterator[list[Keeper]]:
    with keepers(tmp_path) as made:
        yield made


@pytest.fixture
def one(firms: list[Keeper]) -> Keeper:
    """A firm with two drafts that ended, then one that did not, and a rule."""
    one, other = firms
    for number in (1, 2):
        other.chooses(one.draft(number), "reject")
    one.draft(3)
    one.lets_go()
    return one
