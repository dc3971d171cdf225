"""Trust in the clusters of an anchor's file is carried on by the validators of each."""

from __future__ import annotations

import pytest
from tests.support.chains import START_NS, MadeChain, hashed, members
from tests.unit.notary.test_cluster_shown import Shower

from interfirm.base.errors import Refusal
from interfirm.base.signatures import Ed25519Signer
from interfirm.ledger.receipts.types import ClusterAnchor, NotaryAnchor
from interfirm.runtime import proofs
from interfirm.runtime.proofs import AnchorFile, renewed_anchor

SOLO = NotaryAnchor(notary=hashed("solo"), network=hashed("network"), key=Ed25519Signer(hashed("key")).public)


class Closing(Shower):
    """A validator that shows a chain until its connection is closed."""

    def close(self) -> None:
        """See `Rpc`."""


class Two:
    """Two clusters, and a file with the anchors of both and of a solo notary."""

    def __init__(self) -> None:
        self.first, self.second = MadeChain(members(range(7))).grown(3), MadeChain(members(range(7, 14))).grown(4)
        self.anchors = (SOLO, self.first.anchor, self.second.anchor.replace(notary=hashed("second")))
        self.file = AnchorFile(anchors=self.anchors, names={})

    def renewed(self, monkeypatch: pytest.MonkeyPatch, *chains: MadeChain) -> AnchorFile:
        showers = {f"http://{n}": Closing(chain) for n, chain in enumerate(chains)}
        monkeypatch.setattr(proofs, "Rpc", showers.__getitem__)
        return renewed_anchor(self.file, list(showers), now_ms=lambda: START_NS // 1_000_000 + 60_000)


@pytest.fixture
def two() -> Two:
    return Two()


def heights(file: AnchorFile) -> list[int]:
    return [each.trusted.height for each in file.anchors if isinstance(each, ClusterAnchor)]


def test_validators_renew_trust_in_their_own_cluster_alone(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    found = two.renewed(monkeypatch, two.second)
    assert heights(found) == [0, 3]
    assert found.anchors[:2] == two.anchors[:2]


def test_trust_in_both_is_renewed_by_validators_of_both(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    assert heights(two.renewed(monkeypatch, two.first, two.second)) == [2, 3]


def test_validators_of_neither_renew_nothing(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refusal) as refusal:
        two.renewed(monkeypatch, MadeChain(members(range(14, 20))).grown(3))
    assert refusal.value.code == "cluster.no-proof"
