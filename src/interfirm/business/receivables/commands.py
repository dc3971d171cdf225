"""What receivables add to a node: the ageing report."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from interfirm.business.receivables.ageing import BUCKETS, ageing
from interfirm.business.receivables.contract import Receivable
from interfirm.contracts.language import Day
from interfirm.node.arguments import Nothing, takes
from interfirm.node.desk import Answer, Desk


class OnDay(Nothing, frozen=True, kw_only=True):
    """The day that it is about."""

    on: Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] | None = None


@takes(OnDay)
def report_ageing(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """What is outstanding by how long it is overdue on a day (today unless given), by holder and debtor."""
    on = Day.parse(str(arguments["on"])) if arguments.get("on") else desk.today()
    with desk.vault.read() as turn:
        rows = ageing((right for _, right in desk.every_as(turn, Receivable)), on)
    return {
        "on": str(on),
        "rows": [
            {
                "holder": desk.names.name_of(row.holder.id),
                "debtor": desk.names.name_of(row.obligor.id),
                "currency": row.outstanding.currency,
                **{name: str(getattr(row, name)) for name in (*BUCKETS, "outstanding")},
            }
            for row in rows
        ],
    }


OPERATIONS: dict[str, Any] = {"report.ageing": report_ageing}
