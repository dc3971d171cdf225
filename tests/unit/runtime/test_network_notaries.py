"""Which notaries a network has, and how they are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from interfirm.base.errors import Refusal
from interfirm.base.signatures import verify
from interfirm.notary.registry.machine import revocation_bytes
from interfirm.runtime.layout import NetworkLayout, new_network
from interfirm.runtime.parties import Parties

AT_MS = 1_790_000_000_000


@pytest.fixture
def layout(tmp_path: Path) -> NetworkLayout:
    return new_network(tmp_path / "network", [("Halden Retail BV", "BE0812345603")], name="test", at_ms=AT_MS)


@pytest.mark.parametrize("kind", ["solo", "bank", ""])
def test_a_network_gets_no_notary_that_it_has_or_that_there_is_not(layout: NetworkLayout, kind: str) -> None:
    with pytest.raises(Refusal) as refusal:
        layout.add_notary(kind)
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
