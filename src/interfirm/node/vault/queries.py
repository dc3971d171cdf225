"""The part of a turn that counts and adds up: totals of lists, and figures of fields over all that a filter wants.

A total is exact up to `TOTAL_EXACT_MAX`; beyond it is estimated from samples of the table that are the same size
however large it grows, so that the answer takes no longer. Sums are exact: databases add the upper and the lower half
of each number, so that nothing overflows and nothing becomes a float. Averages are rounded half away from zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from interfirm.base.errors import Refusal, check
from interfirm.base.money import Money, Rate, decimal_text, round_half_away
from interfirm.base.time import Day, Instant
from interfirm.base.values import Value
from interfirm.contracts.language import Code
from interfirm.contracts.types import TemplateId
from interfirm.node.vault.columns import Field
from interfirm.node.vault.conditions import SINGLE, Node
from interfirm.node.vault.listing import Listing, statuses_of
from interfirm.node.vault.statements import Row
from interfirm.node.vault.template_tables import TemplateTable
from interfirm.node.vault.where import EVERYTHING, Where

TOTAL_EXACT_MAX = 10_000
SAMPLES_COUNT, SAMPLE_ROWS = 20, 250
FIELDS_MAX = 32
"""Fields of one aggregate."""
AVERAGE_DIGITS = 6
"""Digits after the point of the average of whole numbers."""
_HALF: sa.ColumnElement[int] = sa.literal_column("4294967296")
_ONE: sa.ColumnElement[int] = sa.literal_column("1")
_ZERO: sa.ColumnElement[int] = sa.literal_column("0")


class Total(Value, frozen=True):
    """How many rows a list has; an estimate where it is not `exact`."""

    count: int
    exact: bool


class Figures(Value, frozen=True):
    """What the values of a field come to, empty ones left out; of money, those of one currency.

    `sum` and `average` are there for numbers, rates and money, the least and the greatest value for all that has an
    order. The average of whole numbers is a decimal text.
    """

    count: int
    distinct: int
    least: Any
    greatest: Any
    sum: Any
    average: Any


class Aggregate(Value, frozen=True):
    """What all rows of a list come to: how many they are, and the figures of fields, of money one per currency."""

    count: int
    fields: Mapping[str, tuple[Figures, ...]]


class Queries(Listing):
    """Totals and aggregates over the contracts of one template."""

    def total(self, template: TemplateId | str, *, where: Where = EVERYTHING, status: str | None = "active") -> Total:
        """How many rows a list has; Refusal as `select`."""
        tables = self.versions(template)
        found: list[tuple[TemplateTable, Node, dict[str, Any], str]] = []
        for table in tables:
            binder = self.binder()
            node = binder.bind(where, table, tables[-1])
            found += [(table, node, {**binder.given, "status": each}, each) for each in statuses_of(status)]
        count = 0
        for table, node, given, _ in found:
            statement = self.kept(("total", table.template, node), partial(self._some, table, node))
            count += self._number(statement, limit=TOTAL_EXACT_MAX + 1, **given)
        if count <= TOTAL_EXACT_MAX:
            return Total(count, exact=True)
        estimated = sum(self._estimated(table, node, given) for table, node, given, _ in found)
        return Total(max(estimated, TOTAL_EXACT_MAX + 1), exact=False)

    def aggregate(
        self,
        template: TemplateId | str,
        *,
        fields: Sequence[str] = (),
        where: Where = EVERYTHING,
        status: str | None = "active",
    ) -> Aggregate:
        """How many rows a list has, exactly, and what the values of some fields come to.

        Raises Refusal as `select`, and `vault.aggregate` for fields that hold nested values, or for too many.
        """
        check(len(fields) <= FIELDS_MAX, "vault.aggregate", "too many fields at once", fields_max=FIELDS_MAX)
        tables, binder = self.versions(template), self.binder()
        nodes = [binder.bind(where, table, tables[-1]) for table in tables]
        given = {f"status{n}": each for n, each in enumerate(statuses_of(status))} | binder.given
        shape = (tuple(table.template for table in tables), tuple(nodes), len(statuses_of(status)))
        rows = partial(self._rows, tables, nodes, len(statuses_of(status)))
        count = self._number(self.kept(("count of", *shape), partial(_count, rows)), **given)
        found = {}
        for name in dict.fromkeys(fields):
            field = _counted(tables, name)
            statement = self.kept(("figures", name, *shape), partial(_figures, rows, field))
            found[name] = tuple(_read(field, row) for row in self.rows(statement, **given))
        return Aggregate(count, found)

    def _number(self, statement: Any, **given: Any) -> int:
        row = self.row(statement, **given)
        assert row is not None
        return int(row[0])

    def _some(self, table: TemplateTable, node: Node) -> sa.Select[Any]:
        rows = self.filtered(sa.select(_ONE), table, node).limit(sa.bindparam("limit"))
        return sa.select(sa.func.count()).select_from(rows.subquery("found"))

    def _estimated(self, table: TemplateTable, node: Node, given: dict[str, Any]) -> int:
        """From samples that begin at equal distances in the order in which rows came."""
        ends = self.row(self.kept(("ends", table.template), partial(_ends, table)))
        if ends is None or ends[0] is None:
            return 0
        first, width = ends[0], (ends[1] + 1 - ends[0]) // SAMPLES_COUNT + 1
        statement = self.kept(("sample", table.template, node), partial(self._sample, table, node))
        estimated = 0
        for start in range(first, ends[1] + 1, width):
            row = self.row(statement, start=start, end=start + width, limit=SAMPLE_ROWS, **given)
            count, wanted, last = row or (0, 0, None)
            span = last - start + 1 if count == SAMPLE_ROWS else width
            estimated += round_half_away((wanted or 0) * width, span)
        return estimated

    def _sample(self, table: TemplateTable, node: Node) -> Any:
        own = table.table.c["_number"]
        rows = sa.select(table.table).where(own >= sa.bindparam("start"), own < sa.bindparam("end"))
        sampled = rows.order_by(own).limit(sa.bindparam("limit")).subquery("sampled").c
        wanted = sa.and_(sampled["_status"] == sa.bindparam("status"), self.criteria().of(node, sampled))
        counted = sa.func.sum(sa.case((wanted, _ONE), else_=_ZERO))
        return sa.select(sa.func.count(), counted, sa.func.max(sampled["_number"]))

    def _rows(
        self, tables: Sequence[TemplateTable], nodes: Sequence[Node], statuses: int, names: Sequence[str]
    ) -> sa.FromClause:
        """All rows of a list with the columns of a field; a version without the field gives empty ones."""
        criteria, parts = self.criteria(), []
        for table, node in zip(tables, nodes, strict=True):
            own = table.table.c
            columns: list[Any] = [own[name] if name in own else sa.null() for name in names] or [_ONE]
            among = own["_status"].in_([sa.bindparam(f"status{n}") for n in range(statuses)])
            labelled = [column.label(f"c{n}") for n, column in enumerate(columns)]
            parts.append(sa.select(*labelled).where(among, criteria.of(node, own)))
        return (parts[0] if len(parts) == 1 else sa.union_all(*parts)).subquery("found")


Rows = Callable[[Sequence[str]], sa.FromClause]


def _ends(table: TemplateTable) -> Any:
    """Two questions in one, as SQLite finds the least or the greatest at once, but looks at all rows for both."""
    own = table.table.c["_number"]
    return sa.select(sa.select(sa.func.min(own)).scalar_subquery(), sa.select(sa.func.max(own)).scalar_subquery())


def _count(rows: Rows) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(rows(()))


def _counted(tables: Sequence[TemplateTable], name: str) -> Field:
    field = tables[-1].plan.fields.get(name)
    if field is None or field.kind not in (*SINGLE, "money"):
        raise Refusal("vault.aggregate", "the field has no figures", field=name[:80])
    return field


def _figures(rows: Rows, field: Field) -> sa.Select[Any]:
    """Count, distinct, least, greatest, the sums of the upper and lower halves; of money by currency."""
    money = field.kind == "money"
    found = rows([column.name for column in field.columns[: 1 + money]])
    value = found.c.c0
    columns: list[Any] = [sa.func.count(value), sa.func.count(sa.distinct(value))]
    # not every database has a least truth, and some have no least bytes
    ends = field.kind not in ("boolean", "bytes", "inner-bytes")
    columns += [sa.func.min(value), sa.func.max(value)] if ends else [sa.null(), sa.null()]
    columns += [_whole(value // _HALF), _whole(value % _HALF)] if _adds(field) else [sa.null(), sa.null()]
    if not money:
        return sa.select(*columns)
    return sa.select(*columns, found.c.c1).where(value.is_not(None)).group_by(found.c.c1).order_by(found.c.c1)


def _whole(halves: Any) -> Any:
    return sa.cast(sa.func.sum(halves), sa.BigInteger)


def _adds(field: Field) -> bool:
    return field.type in (int, Rate, Money)


def _read(field: Field, row: Row) -> Figures:
    count, distinct, least, greatest, upper, lower = row[:6]
    typed = _typed(field, row)
    total = None if upper is None else int(upper) * 2**32 + int(lower)
    average = None
    if total is not None and count:
        average = (
            decimal_text(round_half_away(total * 10**AVERAGE_DIGITS, count), AVERAGE_DIGITS)
            if field.type is int
            else typed(round_half_away(total, count))
        )
    return Figures(
        count, distinct, None if least is None else typed(least), None if greatest is None else typed(greatest),
        None if total is None else typed(total), average,
    )  # fmt: skip


def _typed(field: Field, row: Row) -> Callable[[Any], Any]:
    if field.kind == "money":
        return lambda minor: Money(int(minor), row[6])
    if field.type in (Rate, Day, Instant) or (isinstance(field.type, type) and issubclass(field.type, Code)):
        kind: Callable[[Any], Any] = field.type
        return kind
    return lambda value: value
