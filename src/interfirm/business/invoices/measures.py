"""What an invoice is measured by: agreed prices and working days."""

from __future__ import annotations

from interfirm.contracts.language import Day, Rate, UnitPrice, require

PARTS_PER_MILLION = 1000000


def no_dearer(price: UnitPrice, agreed: UnitPrice, tolerance: Rate) -> bool:
    """Whether a price is not above the agreed one by more than the tolerance; a lower one is the buyer's gain."""
    require(price.currency == agreed.currency, "another currency was agreed", currency=price.currency)
    stated: int = price.value * 10**agreed.scale * PARTS_PER_MILLION
    most: int = agreed.value * 10**price.scale * (PARTS_PER_MILLION + tolerance.parts_per_million)
    return stated <= most


def working_days_after(day: Day, days: int) -> Day:
    """The day that many working days (Monday to Friday) later."""
    later = day
    for passed in range(days + days // 5 * 2 + 4):
        if working_days_between(day, later) < days:
            later = day.plus(passed + 1)
    return later


def working_days_between(day: Day, later: Day) -> int:
    """How many of the days after `day`, up to and with `later`, are Monday to Friday."""
    # 1970-01-01 was a Thursday
    return len([n for n in range(day.number + 1, later.number + 1) if (n + 3) % 7 < 5])
