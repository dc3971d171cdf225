"""Every benchmark runs, prints JSON alone, and says whether its target is met and what limits it."""

from __future__ import annotations

import pytest
from tests.e2e.networks import answer, command

from interfirm.cli.bench import NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_prints_figures_beside_a_peer_or_a_limit(name: str) -> None:
    found = answer(command("bench", name, "--quick", "--json"))
    assert found["name"] == name
    assert found["figures"]
    assert found["peers"]
    assert found["ratios"]
    assert isinstance(found["target_met"], bool)
    assert found["limited_by"]
