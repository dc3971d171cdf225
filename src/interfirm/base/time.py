"""Days, instants and windows. Nothing here reads a clock; time arrives in windows and events."""

from __future__ import annotations

import datetime
from typing import Self

from interfirm.base.errors import Refusal
from interfirm.base.values import Wire

DAY_MS = 86_400_000
_EPOCH = datetime.date(1970, 1, 1).toordinal()


class Day(Wire, frozen=True, order=True):
    """A calendar day (ISO 8601, proleptic Gregorian), as days since 1970-01-01."""

    number: int

    def __post_init__(self) -> None:
        if not -719_162 <= self.number <= 2_932_896:
            raise Refusal("day.range", "days lie between 0001-01-01 and 9999-12-31", number=self.number)

    @classmethod
    def of(cls, year: int, month: int, day: int) -> Self:
        """The day of a calendar date; Refusal `day.invalid` where there is none."""
        try:
            return cls(datetime.date(year, month, day).toordinal() - _EPOCH)
        except (ValueError, OverflowError) as error:
            raise Refusal("day.invalid", "there is no such day", year=year, month=month, day=day) from error

    @classmethod
    def parse(cls, text: str) -> Self:
        """The day written as YYYY-MM-DD."""
        try:
            if len(text) != 10:
                raise ValueError(text)
            return cls(datetime.date.fromisoformat(text).toordinal() - _EPOCH)
        except ValueError as error:
            raise Refusal("day.invalid", "a day is written YYYY-MM-DD", text=text[:20]) from error

    def plus(self, days: int) -> Day:
        """The day `days` later (earlier when negative)."""
        return Day(self.number + days)

    def days_until(self, later: Day) -> int:
        """How many days from this day to `later`."""
        return later.number - self.number

    @property
    def year(self) -> int:
        """The calendar year."""
        return datetime.date.fromordinal(self.number + _EPOCH).year

    def start(self) -> Instant:
        """The instant the day begins, in UTC."""
        return Instant(self.number * DAY_MS)

    def __str__(self) -> str:
        return datetime.date.fromordinal(self.number + _EPOCH).isoformat()


class Instant(Wire, frozen=True, order=True):
    """A point in time: milliseconds since 1970-01-01T00:00Z, leap seconds not counted."""

    ms: int

    def __post_init__(self) -> None:
        if not -(2**53) <= self.ms <= 2**53:
            raise Refusal("instant.range", "an instant has 53 bits of milliseconds", bits=self.ms.bit_length())

    def plus_ms(self, ms: int) -> Instant:
        """The instant `ms` later."""
        return Instant(self.ms + ms)

    def day(self) -> Day:
        """The UTC day this instant lies in."""
        return Day(self.ms // DAY_MS)

    def __str__(self) -> str:
        moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(milliseconds=self.ms)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Window(Wire, frozen=True):
    """When a transaction may be accepted: lower <= notary's time < upper; the upper bound is mandatory."""

    lower: Instant | None
    upper: Instant

    def __post_init__(self) -> None:
        if self.lower is not None and self.lower >= self.upper:
            raise Refusal("window.empty", "the window is empty", lower=self.lower, upper=self.upper)
