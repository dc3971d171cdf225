"""Every host accepts and refuses the same: the pure machine, the solo host on a disk, a validator behind its engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from tests.support.cluster import RunningCluster, needs_engine, now, running_cluster
from tests.support.matrix import NAMES, SUBSETS, Host, carry_out
from tests.unit.notary.notaries import NOW, ORGS, A, Ledger, Notary

from interfirm.base.time import Instant
from interfirm.notary.abroad import Anchors, anchor_of
from interfirm.notary.solo.notary import SoloNotary
from interfirm.notary.types import Answer, Asked, Notarise


class Pure:
    """The machine over a dictionary."""

    def __init__(self) -> None:
        self.notary = Notary("matrix").with_orgs()
        self.ledger = Ledger(self.notary.id)

    def now(self) -> Instant:
        return NOW

    def put(self, *requests: Notarise) -> Sequence[Answer]:
        return self.notary.block(*requests)


class Solo:
    """The host of one machine."""

    def __init__(self, notary: SoloNotary, ledger: Ledger) -> None:
        self.notary, self.ledger = notary, ledger

    def now(self) -> Instant:
        return NOW

    def put(self, *requests: Notarise) -> Sequence[Answer]:
        asked = [Asked(requester=A.id, request=request) for request in requests]
        return [each.answer for each in self.notary.submit_batch(asked, NOW).answers]


class Cluster:
    """Validators behind a real engine."""

    def __init__(self, cluster: RunningCluster) -> None:
        self.cluster, self.ledger = cluster, cluster.ledger

    def now(self) -> Instant:
        return now()

    def put(self, *requests: Notarise) -> Sequence[Answer]:
        return self.cluster.settled(*requests).answers


@pytest.fixture(scope="module", params=["pure", "solo", pytest.param("cometbft", marks=needs_engine)])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("matrix")
    if request.param == "pure":
        yield Pure()
    elif request.param == "solo":
        pure = Notary("matrix")
        anchors = Anchors([anchor_of(pure.genesis)])
        notary = SoloNotary(folder / "notary.db", pure.signer, pure.genesis, anchors)
        asked = [Asked(requester=org.id, request=org.registration(pure.id)) for org in ORGS]
        notary.submit_batch(asked, NOW)
        yield Solo(notary, Ledger(pure.id))
        notary.close()
    else:
        with running_cluster(folder, 1) as cluster:
            yield Cluster(cluster)


@pytest.mark.parametrize("subset", SUBSETS, ids=NAMES)
def test_each_subset_of_input_reference_and_window_is_accepted_whole_and_refused_spoilt(
    host: Host, subset: frozenset[str]
) -> None:
    carry_out(host, subset)
