"""A minute's share at once, then one request after the other."""

from __future__ import annotations

import pytest

from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.notary.admission import admit, is_idle

NOW = Instant(1_700_000_000_000)


def admitted(used: int, now: Instant, count: int) -> int:
    for _ in range(count):
        used = admit(used, now, per_minute=7)
    return used


def test_a_minutes_share_is_taken_at_once_and_no_more() -> None:
    used = admitted(0, NOW, 7)
    with pytest.raises(Refusal) as refusal:
        admit(used, NOW, per_minute=7)
    assert refusal.value.code == "notary.rate"
    assert refusal.value.values["wait_ms"] == 8572


def test_the_share_grows_back_evenly() -> None:
    used = admitted(0, NOW, 7)
    with pytest.raises(Refusal):
        admit(used, NOW.plus_ms(8571), per_minute=7)
    after = admit(used, NOW.plus_ms(8572), per_minute=7)
    with pytest.raises(Refusal):
        admit(after, NOW.plus_ms(8572), per_minute=7)
    assert admitted(used, NOW.plus_ms(60_000), 7)


def test_a_refused_request_costs_nothing() -> None:
    used = admitted(0, NOW, 7)
    for _ in range(3):
        with pytest.raises(Refusal):
            admit(used, NOW, per_minute=7)
    assert admit(used, NOW.plus_ms(8572), per_minute=7)


def test_silence_saves_up_no_more_than_one_share() -> None:
    used = admitted(0, NOW, 1)
    later = NOW.plus_ms(10 * 60_000)
    with pytest.raises(Refusal):
        admitted(used, later, 8)


def test_a_clock_set_back_gives_nothing_away() -> None:
    used = admitted(0, NOW, 7)
    with pytest.raises(Refusal):
        admit(used, NOW.plus_ms(-1_000_000), per_minute=7)


def test_an_identity_is_forgotten_when_its_share_has_grown_back() -> None:
    used = admitted(0, NOW, 7)
    assert not is_idle(used, NOW.plus_ms(59_999), per_minute=7)
    assert is_idle(used, NOW.plus_ms(60_000), per_minute=7)
