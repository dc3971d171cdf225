"""Which notaries a network has, and how they are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.signatures import PublicKey, verify
from interfirm.notary.cometbft.types import ClusterGenesis, Validator
from interfirm.notary.registry.machine import revocation_bytes
from interfirm.runtime import cluster, engine
from interfirm.runtime.cluster import FIRST_ADDRESS, ClusterFile, ClusterLayout, Place
from interfirm.runtime.layout import NetworkLayout, new_network
from interfirm.runtime.notaries import anchors_of
from interfirm.runtime.parties import Parties

AT_MS = 1_790_000_000_000


@pytest.fixture
def layout(tmp_path: Path) -> NetworkLayout:
    return new_network(tmp_path / "network", [("Halden Retail BV", "BE0812345603")], name="test", at_ms=AT_MS)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("solo", ""), ("bank", ""), ("", ""), ("solo", "second"), ("cluster", "solo"), ("cluster", "firms"),
        ("cluster", "notary"), ("cluster", "../up"), ("cluster", "Two"), ("cluster", "2"),
    ],
)  # fmt: skip
def test_a_network_gets_no_notary_that_it_has_or_that_there_is_not(
    layout: NetworkLayout, kind: str, name: str
) -> None:  # fmt: skip
    with pytest.raises(Refusal) as refusal:
        layout.add_notary(kind, name=name)
    assert refusal.value.code == "network.notary"
    assert NetworkLayout.open(layout.folder).file.notaries == ("solo",)


def test_a_notary_is_named_by_its_kind_its_name_or_its_id(layout: NetworkLayout) -> None:
    parties = Parties(layout)
    for name in ("solo", "test notary", layout.notary_id.hex()):
        assert parties.notary_of(name) == layout.notary_id
    with pytest.raises(Refusal) as refusal:
        parties.notary_of("cluster")
    assert refusal.value.code == "directory.notary"
    assert parties.operator(layout.notary_id) is None


def write_cluster(folder: Path, *, network: bytes, registrar: PublicKey, label: str, **_: Any) -> None:
    """A cluster's file without its validators."""
    validators = (Validator(key=digest(label), power=1),)
    genesis = ClusterGenesis(network=network, registrar=registrar, label=label, validators=validators)
    place = Place(name="node0", node="id0", host=FIRST_ADDRESS)
    file = ClusterFile(format=1, engine=engine.PINNED, genesis=codec.encode(genesis).hex(), places=(place,))
    folder.mkdir()
    ClusterLayout(folder, file).save(file)


@pytest.fixture
def three(layout: NetworkLayout, monkeypatch: pytest.MonkeyPatch) -> NetworkLayout:
    """A network with a solo notary and two clusters."""
    monkeypatch.setattr(cluster, "new_cluster", write_cluster)
    layout.add_notary("cluster", validators=1)
    layout.add_notary("cluster", name="second", validators=1)
    return NetworkLayout.open(layout.folder)


def test_each_cluster_has_a_name_and_a_folder(three: NetworkLayout) -> None:
    assert list(three.clusters) == ["cluster", "second"]
    assert [each.folder.name for each in three.clusters.values()] == ["cluster", "second"]
    second = three.cluster("second")
    assert three.notaries == {
        three.solo_id: "solo", three.cluster("cluster").notary_id: "cluster", second.notary_id: "second",
    }  # fmt: skip
    parties = Parties(three)
    for name in ("second", "Test Second", second.notary_id.hex()):
        assert parties.notary_of(name) == second.notary_id
    assert parties.name_of(second.notary_id) == "test second"
    assert [anchor.notary for anchor in anchors_of(three)] == list(three.notaries)


def test_a_cluster_that_the_network_does_not_have_is_not_opened(three: NetworkLayout) -> None:
    for name in ("third", "solo"):
        with pytest.raises(Refusal) as refusal:
            three.cluster(name)
        assert refusal.value.code == "network.notary"


def test_a_cluster_gets_addresses_that_no_other_one_of_its_network_has(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter((1, 1, 2, 2))
    monkeypatch.setattr(cluster.secrets, "randbelow", lambda _: next(drawn))
    assert cluster.free_first_address(2, taken={"127.2.2.11"}) == "127.3.3.10"


def test_one_that_leaves_is_no_member_any_more_and_its_revocation_is_signed(layout: NetworkLayout) -> None:
    home = layout.firm("halden")
    gone = layout.leave(home, at_ms=AT_MS + 1)
    message = revocation_bytes(layout.network_id, home.member.identity)
    verify(layout.file.genesis.registrar, message, gone.revocation_request().registrar)
    again = NetworkLayout.open(layout.folder)
    assert again.members == []
    assert [home.member.slug for home in again.homes()] == ["notary"]
    assert Parties(again).name_of(gone.identity) == "Halden Retail BV", "what it signed keeps its name"
    with pytest.raises(Refusal) as refusal:
        again.firm("halden")
    assert refusal.value.code == "firm.unknown"
