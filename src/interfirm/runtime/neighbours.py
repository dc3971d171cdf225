"""How the clusters of a network come to take each other's word: what to trust of each, and the votes for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from interfirm.base.signatures import PublicKey
from interfirm.base.values import Value
from interfirm.ledger.receipts.chain import LightBlock
from interfirm.ledger.receipts.types import ClusterAnchor
from interfirm.notary.abroad import anchor_of
from interfirm.notary.cometbft.anchors import DAY_MS, cluster_anchor
from interfirm.notary.cometbft.receipts import Chain
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.governance.metadata import Franchise
from interfirm.notary.governance.types import TrustNotary
from interfirm.notary.neighbours.machine import neighbour_of
from interfirm.notary.neighbours.types import Kept, Neighbour
from interfirm.runtime.cluster import ClusterLayout
from interfirm.runtime.cluster_govern import government
from interfirm.runtime.governing import Government, Voice
from interfirm.runtime.layout import SOLO, NetworkLayout

PROPOSAL_LIFE_MS = DAY_MS


class Stranger(Value, frozen=True):
    """A notary of the network of which nobody has told a cluster yet, each by its name."""

    cluster: str
    notary: str


def neighbour_in(layout: NetworkLayout, name: str) -> Neighbour:
    """What a notary of the network is believed by, from its name; Refusal `network.notary`, and as `anchor_now`."""
    anchor = anchor_of(layout.file.genesis) if name == SOLO else anchor_now(layout.cluster(name))
    return neighbour_of(anchor)


def anchor_now(cluster: ClusterLayout) -> ClusterAnchor:
    """What a cluster is believed by now: its first validators, or where they are long ago, its last header but one.

    Raises Refusal `cluster.no-proof` where that is needed and no validator answers.
    """
    first = cluster_anchor(cluster.genesis, time_ns=cluster.began_ns)
    if _now_ms() < cluster.began_ns // 1_000_000 + first.trusting_period_ms // 2:
        return first
    with _chain(cluster, cluster_anchor(cluster.genesis)) as chain:
        return chain.renewed()


def walk_from(cluster: ClusterLayout, anchor: ClusterAnchor) -> tuple[LightBlock, ...]:
    """The headers that carry trust from an anchor to a cluster's last one; raises as `Chain.walk`."""
    with _chain(cluster, anchor) as chain:
        return chain.walk()


def strangers(layout: NetworkLayout) -> list[Stranger]:
    """Which clusters of the network have decided nothing about which of its other notaries; all of them must run."""
    found = []
    for name, cluster in layout.clusters.items():
        with government(cluster) as asked:
            decided = {each.notary for each in asked.pages("notaries", Kept)}
        found += [
            Stranger(cluster=name, notary=other) for notary, other in layout.notaries.items()
            if other != name and notary not in decided
        ]  # fmt: skip
    return found


def acquaint(layout: NetworkLayout) -> None:
    """Have the network's clusters trust its other notaries, each where the registrar alone decides about it.

    What voters have decided stays: one that was forgotten is not trusted again.
    """
    if len(layout.clusters) < 2:
        return
    registrar = layout.registrar()
    voice = Voice(signer=registrar, identity=registrar.public.identity)
    for each in strangers(layout):
        with government(layout.cluster(each.cluster)) as governing:
            if decides_alone(governing, registrar.public):
                action = TrustNotary(neighbour=neighbour_in(layout, each.notary))
                governing.propose((action,), voice, life_ms=PROPOSAL_LIFE_MS)


def decides_alone(governing: Government, key: PublicKey) -> bool:
    """Whether there is no other voter."""
    return [each.id for each in governing.asked("voters", Franchise).voters] == [key.identity]


@contextmanager
def _chain(cluster: ClusterLayout, anchor: ClusterAnchor) -> Iterator[Chain]:
    validators = [Rpc(place.rpc) for place in cluster.places]
    try:
        yield Chain(anchor, validators, now_ms=_now_ms)
    finally:
        for validator in validators:
            validator.close()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
