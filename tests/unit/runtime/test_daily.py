"""A node compares its books once a day."""

from __future__ import annotations

import msgspec
import pytest

from interfirm.base.time import DAY_MS
from interfirm.node.flows.comparing import SLACK_MS, CompareArguments
from interfirm.node.flows.types import AskedFlow
from interfirm.runtime.daily import Daily

PEERS = (bytes(32), bytes([1]) * 32)


def test_every_day_once_and_with_everybody_at_the_days_beginning() -> None:
    asked: list[AskedFlow] = []
    daily = Daily(asked.append, lambda: PEERS)
    noon = 20_000 * DAY_MS + DAY_MS // 2
    for at_ms in (noon, noon + 1, 20_001 * DAY_MS, 20_001 * DAY_MS + SLACK_MS - 1):
        daily.look(at_ms)
    assert asked == []
    for at_ms in (20_001 * DAY_MS + SLACK_MS, 20_001 * DAY_MS + DAY_MS // 2):
        daily.look(at_ms)
    wanted = [CompareArguments(peer=peer, until_ms=20_001 * DAY_MS) for peer in PEERS]
    assert [msgspec.msgpack.decode(each.arguments, type=CompareArguments) for each in asked] == wanted
    daily.look(20_003 * DAY_MS)
    assert len({each.id for each in asked}) == 4


def test_a_day_that_failed_halfway_is_asked_for_again() -> None:
    asked: list[AskedFlow] = []

    def half(flow: AskedFlow) -> None:
        asked.append(flow)
        if len(asked) == 1:
            raise OSError("no space")

    daily = Daily(half, lambda: PEERS)
    daily.look(20_000 * DAY_MS)
    with pytest.raises(OSError, match="no space"):
        daily.look(20_001 * DAY_MS)
    daily.look(20_001 * DAY_MS)
    assert len({each.id for each in asked}) == 2


def test_the_same_day_after_a_restart_asks_for_the_same_flows() -> None:
    names = []
    for _ in range(2):
        asked: list[AskedFlow] = []
        daily = Daily(asked.append, lambda: PEERS)
        daily.look(20_000 * DAY_MS)
        daily.look(20_001 * DAY_MS)
        names.append([each.id for each in asked])
    assert names[0] == names[1]
    assert len(names[0]) == 2
