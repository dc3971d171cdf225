"""Nodes killed between any two steps of a turn find again what a cluster of validators decided meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e.networks import network
from tests.e2e.test_kills import KILLS, TURNS, pays_though_killed
from tests.support.cluster import needs_engine

from interfirm.runtime.layout import NetworkLayout

pytestmark = needs_engine


@pytest.fixture(scope="module")
def agreed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    folder = tmp_path_factory.mktemp("kills") / "network"
    with network(folder, notaries=("cluster",), validators=4) as layout:
        yield layout


@pytest.mark.parametrize(("who", "point", "turn"), [kill for kill in KILLS if kill[2] == TURNS[1]], ids=str)
def test_a_killed_node_finds_again_what_a_cluster_decided(
    agreed: NetworkLayout, who: str, point: str, turn: int
) -> None:
    pays_though_killed(agreed, who, point, turn)
