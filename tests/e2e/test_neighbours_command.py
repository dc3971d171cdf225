"""`interfirm notary trust|forget|renew|neighbours`, and a second cluster where others than the registrar vote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.networks import answer, command
from tests.support.cluster import needs_engine

from interfirm.notary.registry.machine import Record
from interfirm.runtime import notaries
from interfirm.runtime.cluster_govern import government
from interfirm.runtime.layout import NetworkLayout

pytestmark = [pytest.mark.slow, *needs_engine]
FIRM = "Halden Retail BV=BE0812345603"


class Operator:
    """Who types the commands of a network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: str) -> Any:
        return answer(command("--network", str(self.folder), "--json", *words))

    def refused(self, *words: str) -> str:
        """The code of the refusal, which is the second word."""
        done = command("--network", str(self.folder), *words)
        assert done.returncode == 3, done.stdout + done.stderr
        return done.stderr.split()[1].rstrip(":")

    def believed(self, cluster: str) -> dict[str, str]:
        return {each["name"]: each["by"] for each in self("notary", "neighbours", "--folder", cluster)}


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """A network whose first cluster has two voters, and gets a second one that the registrar alone governs."""
    folder = tmp_path_factory.mktemp("neighbours") / "network"
    operator = Operator(folder)
    try:
        operator(
            "network", "new", "--firm", "Halden Retail BV=BE0812345603", "--notary", "cluster", "--validators", "1"
        )
        operator("network", "up")
        operator("notary", "propose", "--add-voter", "halden")
        yield operator
    finally:
        notaries.stop_all(NetworkLayout.open(folder))


def test_a_second_cluster_is_trusted_where_the_registrar_decides_and_else_by_votes(operator: Operator) -> None:
    added = operator("network", "add-notary", "cluster", "--name", "second", "--validators", "1")
    assert added["notaries"] == ["cluster", "second"]
    assert added["strangers"] == [{"cluster": "cluster", "notary": "second"}]
    assert operator.believed("second")["cluster"] == "its headers from height 0"
    assert "second" not in operator.believed("cluster")
    proposal = operator("notary", "trust", "second", "--by", "registrar")
    assert proposal["status"] == "open"
    assert operator("notary", "vote", proposal["id"], "--by", "halden")["status"] == "applied"
    assert operator.believed("cluster")["second"] == "its headers from height 0"
    assert operator("network", "up")["strangers"] == []


def test_what_was_forgotten_is_not_trusted_again_by_itself(operator: Operator) -> None:
    assert operator("notary", "forget", "cluster", "--folder", "second")["status"] == "applied"
    assert operator("network", "up")["strangers"] == []
    assert operator.believed("second")["cluster"] == "forgotten"
    assert operator("notary", "trust", "cluster", "--folder", "second")["status"] == "applied"
    assert operator.believed("second")["cluster"] == "its headers from height 0"


def test_trust_is_renewed_when_it_has_become_older(operator: Operator) -> None:
    assert operator.refused("notary", "renew", "second", "--by", "halden") == "neighbour.early"
    assert operator.refused("notary", "renew", "cluster", "--folder", "cluster") == "neighbour.unknown"
    assert operator.refused("notary", "trust", "nobody") == "directory.notary"


def test_a_cluster_that_was_down_when_a_firm_left_hears_it_when_it_starts(operator: Operator) -> None:
    layout = NetworkLayout.open(operator.folder)
    halden = layout.firm("halden").member.identity
    notaries.stop_clusters(layout, "second")
    operator("network", "leave", "halden", "--yes")
    operator("network", "up")
    for cluster in layout.clusters.values():
        with government(cluster) as asked:
            assert asked.asked("key", Record, halden).revoked
