"""`interfirm notary trust|forget|renew|neighbours`, and a second cluster where others than the registrar vote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.networks import answer, command, eventually
from tests.support.cluster import needs_engine

from interfirm.ledger.receipts.types import ClusterAnchor
from interfirm.notary.registry.machine import Record
from interfirm.runtime import notaries
from interfirm.runtime.cluster import ClusterLayout
from interfirm.runtime.cluster_govern import government
from interfirm.runtime.layout import NetworkLayout
from interfirm.runtime.proofs import AnchorFile, read_anchor, save_anchor

pytestmark = [pytest.mark.slow, *needs_engine]
PERIOD_MS = 80_000
"""A header may be kept a quarter of this later than the last one."""
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


def test_what_cannot_be_renewed_or_trusted_is_refused(operator: Operator) -> None:
    assert operator.refused("notary", "renew", "second", "--by", "halden") == "neighbour.early"
    assert operator.refused("notary", "renew", "cluster", "--folder", "cluster") == "neighbour.unknown"
    assert operator.refused("notary", "trust", "nobody") == "directory.notary"


def short_anchor(operator: Operator, cluster: ClusterLayout, folder: Path) -> tuple[Path, int]:
    """A file with a late header of a cluster, which counts for a short time only, and its height."""
    first, late = folder / "first.json", folder / "late.json"
    operator("proof", "anchor", "--to", str(first))
    shown = operator("proof", "renew", str(first), "--from", cluster.places[0].rpc, "--to", str(late))
    file = read_anchor(late)
    anchors = tuple(
        each.replace(trusting_period_ms=PERIOD_MS) if isinstance(each, ClusterAnchor) else each for each in file.anchors
    )
    save_anchor(late, AnchorFile(anchors=anchors, names=file.names))
    return late, shown["heights"][cluster.notary_id.hex()]


def test_trust_by_an_anchors_file_is_renewed_when_it_has_become_older(operator: Operator, tmp_path: Path) -> None:
    cluster = NetworkLayout.open(operator.folder).cluster("cluster")
    anchor, height = short_anchor(operator, cluster, tmp_path)
    operator("notary", "trust", cluster.notary_id.hex(), "--anchor", str(anchor), "--folder", "second")
    assert operator.believed("second")["cluster"] == f"its headers from height {height}"

    def renewed() -> bool | None:
        done = command("--network", str(operator.folder), "notary", "renew", "cluster", "--folder", "second")
        assert done.returncode == 0 or "neighbour.early" in done.stderr, done.stderr
        return done.returncode == 0 or None

    eventually(renewed, "a header that is old enough")
    assert int(operator.believed("second")["cluster"].rpartition(" ")[2]) > height


def test_a_cluster_that_was_down_when_a_firm_left_hears_it_when_it_starts(operator: Operator) -> None:
    layout = NetworkLayout.open(operator.folder)
    halden = layout.firm("halden").member.identity
    notaries.stop_clusters(layout, "second")
    operator("network", "leave", "halden", "--yes")
    operator("network", "up")
    for cluster in layout.clusters.values():
        with government(cluster) as asked:
            eventually(lambda: asked.asked("key", Record, halden).revoked or None, "the proved state")
