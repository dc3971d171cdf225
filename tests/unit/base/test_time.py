"""Days, instants, windows."""

from __future__ import annotations

import pytest

from interfirm.base.errors import Refusal
from interfirm.base.time import Day, Instant, Window


def test_a_day_is_written_and_read_as_iso_8601() -> None:
    assert str(Day.parse("2026-10-08")) == "2026-10-08"
    assert Day.of(1970, 1, 1).number == 0
    assert Day.of(2026, 10, 8).year == 2026


@pytest.mark.parametrize("text", ["2026-02-30", "2026-1-1", "today", "2026-10-08T00:00"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match=r"day\.invalid"):
        Day.parse(text)


def test_days_are_counted_between_dates() -> None:
    assert Day.of(2026, 10, 8).days_until(Day.of(2026, 11, 24)) == 47
    assert Day.of(2026, 10, 8).plus(-8) == Day.of(2026, 9, 30)


def test_days_outside_the_calendar_are_refused() -> None:
    with pytest.raises(Refusal, match=r"day\.range"):
        Day.of(9999, 12, 31).plus(1)
    with pytest.raises(Refusal, match=r"day\.invalid"):
        Day.of(2026, 13, 1)


def test_an_instant_lies_in_its_utc_day() -> None:
    noon = Day.of(2026, 10, 8).start().plus_ms(12 * 3_600_000)
    assert noon.day() == Day.of(2026, 10, 8)
    assert str(noon) == "2026-10-08T12:00:00.000Z"
    with pytest.raises(Refusal, match=r"instant\.range"):
        Instant(2**60)


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(Refusal, match=r"window\.empty"):
        Window(lower=Instant(5), upper=Instant(5))
    assert Window(lower=None, upper=Instant(5)).upper == Instant(5)
