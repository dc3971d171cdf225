"""One of four real engines has a wrong clock: blocks keep the others' time, and windows keep their meaning."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.cluster import HOUR_MS, HandledCluster, free_address, needs_engine, now
from tests.support.skewed import SKEW_MS, skewed_engine
from tests.unit.notary.notaries import NETWORK, REGISTRAR, A, create

from interfirm.base.time import Window
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.types import Done, Refused
from interfirm.runtime.cluster import new_cluster

pytestmark = [pytest.mark.slow, *needs_engine]
MINUTE_S, BLOCKS = 60, 8


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandledCluster]:
    """Four validators of a chain that began two hours ago: an engine sleeps until its chain begins."""
    layout = new_cluster(
        tmp_path_factory.mktemp("clocks") / "c", network=NETWORK, registrar=REGISTRAR.public, label="clocks",
        validators=4, first_address=free_address(),
    )  # fmt: skip
    began = datetime.fromtimestamp(time.time() - 2 * HOUR_MS / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for place in layout.places:
        path = layout.home(place) / "config" / "genesis.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"genesis_time": began}))
    cluster = HandledCluster(layout)
    try:
        cluster.start()
        cluster.until_height(2)
        cluster.register()
        yield cluster
    finally:
        cluster.close()


def second_of(time_text: str) -> float:
    return datetime.fromisoformat(time_text[:19] + "+00:00").timestamp()


def commits(cluster: HandledCluster, first: int, last: int) -> list[Any]:
    """Header and commit of each of these heights."""
    rpc = Rpc(cluster.layout.places[0].rpc)
    try:
        return [rpc.call("commit", height=height)["signed_header"] for height in range(first, last)]
    finally:
        rpc.close()


def votes_s(cluster: HandledCluster, name: str, some: list[Any]) -> list[float]:
    """When a validator says that it voted for these heights; those without its vote are left out."""
    rpc = Rpc(cluster.layout.named(name).rpc)
    try:
        address = rpc.call("status")["validator_info"]["address"]
    finally:
        rpc.close()
    votes = [vote for each in some for vote in each["commit"]["signatures"]]
    return [second_of(vote["timestamp"]) for vote in votes if vote["validator_address"] == address]


@pytest.mark.parametrize("ahead_ms", [HOUR_MS, -HOUR_MS], ids=["fast", "slow"])
def test_blocks_keep_the_others_time(four: HandledCluster, ahead_ms: int) -> None:
    four.end("node3")
    four.start(
        "node3", application=("tests.support.skewed", str(ahead_ms)), program=skewed_engine(),
        **{SKEW_MS: str(ahead_ms)},
    )  # fmt: skip
    four.until(lambda s: s.power_up == 4)
    first = four.status.height + 1
    four.until_height(first + BLOCKS)
    some = commits(four, first, first + BLOCKS)
    votes = votes_s(four, "node3", some)
    assert votes, "it takes part"
    if ahead_ms > 0:  # a vote is never dated before the block that it is for
        assert all(each > time.time() + ahead_ms / 2000 for each in votes), "its clock is wrong"
    assert all(abs(second_of(each["header"]["time"]) - time.time()) < MINUTE_S for each in some)
    open_, over = (
        four.ledger.request(create(0, A), at=Window(lower=None, upper=now().plus_ms(ms)))
        for ms in (HOUR_MS // 2, -MINUTE_S * 1000)
    )
    done, late = four.settled(open_, over).answers
    assert isinstance(done, Done), done
    assert isinstance(late, Refused)
    assert late.code == "notary.too-late"
    assert len(four.roots()) == 1
