"""Ageing: what is outstanding by how long it is overdue, as a function of receivables and a day alone."""

from __future__ import annotations

from collections.abc import Iterable

from interfirm.base.values import Value
from interfirm.business.receivables.contract import Receivable
from interfirm.contracts.language import Day, Money, Party

BUCKETS = ("not_due", "days_1_30", "days_31_60", "days_61_90", "days_over_90", "disputed")
"""The columns, in order; a disputed part is not due and has a column of its own."""


class AgeingRow(Value, frozen=True):
    """What one obligor owes one holder in one currency; the columns add up to `outstanding`."""

    holder: Party
    obligor: Party
    not_due: Money
    days_1_30: Money
    days_31_60: Money
    days_61_90: Money
    days_over_90: Money
    disputed: Money
    outstanding: Money


def bucket(due: Day, on: Day) -> str:
    """The column of what is due on one day, looked at on another."""
    late_days = due.days_until(on)
    for name, days_max in (("not_due", 0), ("days_1_30", 30), ("days_31_60", 60), ("days_61_90", 90)):
        if late_days <= days_max:
            return name
    return "days_over_90"


def ageing(receivables: Iterable[Receivable], on: Day) -> tuple[AgeingRow, ...]:
    """One row for each holder, obligor and currency that has something outstanding, in the order of their ids."""
    sums: dict[tuple[Party, Party, str], dict[str, int]] = {}
    for one in receivables:
        row = sums.setdefault((one.holder, one.obligor, one.face.currency), dict.fromkeys(BUCKETS, 0))
        row["disputed"] += one.disputed.minor
        row[bucket(one.due, on)] += one.outstanding.minor - one.disputed.minor
    return tuple(
        AgeingRow(
            holder=holder,
            obligor=obligor,
            outstanding=Money(sum(row.values()), currency),
            **{name: Money(minor, currency) for name, minor in row.items()},
        )
        for (holder, obligor, currency), row in sorted(sums.items())
        if any(row.values())
    )
