"""The part of a turn that lists contracts of a template: filters, order, and pages that go on where the last ended.

A page is read from the place of the last row and never counted from the start, so its cost does not grow with what is
stored, and rows that come or go meanwhile neither repeat nor hide others. The order is total: ties are told apart by
the row's number. `a, b, number` after (a1, b1, n1) is read as up to three ranges, each of which an index answers:
a = a1, b = b1, number > n1; then a = a1, b > b1; then a > a1.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.contracts.types import TemplateId
from interfirm.node.vault.columns import NUMBER_COLUMN, TIME_COLUMN, Sorted
from interfirm.node.vault.conditions import Binder, Node, equalities
from interfirm.node.vault.contracts import FIELDS, Contracts
from interfirm.node.vault.criteria import Criteria
from interfirm.node.vault.statements import Row
from interfirm.node.vault.tables import contracts
from interfirm.node.vault.template_tables import TemplateTable, key_of
from interfirm.node.vault.types import Page, StoredContract
from interfirm.node.vault.where import EVERYTHING, Where

LIMIT_MAX = 1000
ORDER_FIELDS_MAX = 4
TIME = "time"
"""Orders a list by acceptance, also where no order is given; a field of this name goes first."""
_STATUSES = ("active", "consumed", "locked")
_pack = msgspec.msgpack.encode


class Order(Value, frozen=True):
    """One column of the order."""

    column: Sorted
    descending: bool
    leads: bool = False
    """Whether it belongs to the first field of the order, which an index answers."""


class Range(Value, frozen=True):
    """A part of the order: the first `same` columns as at the cursor, the next one beyond it, or empty.

    `beyond` is None for all rows.
    """

    same: int
    beyond: Literal["more", "empty", "not-empty"] | None


_EVERYTHING = Range(same=0, beyond=None)


class List(Value, frozen=True):
    """What is listed of one table: the filter and its values, the order, and by how many columns of it rows differ."""

    table: TemplateTable
    node: Node
    given: dict[str, Any]
    order: tuple[Order, ...]
    distinct: int


class Listing(Contracts):
    """Lists of the contracts of one template."""

    def select(
        self,
        template: TemplateId | str,
        *,
        where: Where = EVERYTHING,
        status: str | None = "active",
        order_by: str | Sequence[str] | None = None,
        distinct_on: str | Sequence[str] | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[StoredContract]:
        """A page of contracts of a template, or by name of all its loaded versions, in one status or all.

        `order_by` names fields, each with `-` before it for descending; money is ordered by currency and amount, texts
        by their beginning, empty fields come first (last when descending). The first field is found in an index, and
        what is alike in it is sorted. `distinct_on` names fields that the order begins with: of rows
        with the same values there only the first is listed. `after` is the `next_cursor` of the page before, for the
        same list. Raises Refusal `vault.template`, `vault.where`, `vault.order`, `vault.status`, `vault.cursor`,
        `vault.limit`.
        """
        check(1 <= limit <= LIMIT_MAX, "vault.limit", "a page has rows, and not too many", limit_max=LIMIT_MAX)
        tables = self.versions(template)
        order, distinct = order_of(tables[0], order_by), _distinct(tables[0], order_by, distinct_on)
        statuses = statuses_of(status)
        lists: list[List] = []
        for table in tables:
            check(
                order_of(table, order_by) == order, "vault.order", "the versions of the template differ in this field"
            )
            binder = self.binder()
            lists.append(List(table, binder.bind(where, table, tables[-1]), binder.given, order, distinct))
        name = _name(template, status, lists[0])
        place = None if after is None else _place(after, name, len(order))
        found = [row for each in lists for one in statuses for row in self._part(each, one, place, limit + 1)]
        sort(found, order, start=len(FIELDS))
        found = _differing(found, distinct)
        page = tuple(self._stored(row[: len(FIELDS)]) for row in found[:limit])
        more = len(found) > limit
        return Page(rows=page, next_cursor=_cursor(name, found[limit - 1][len(FIELDS) :]) if more else None)

    def versions(self, template: TemplateId | str) -> list[TemplateTable]:
        """The tables of a template, or by name of all its loaded versions, the newest last."""
        return [self.tables.of(template)] if isinstance(template, TemplateId) else self.tables.named(template)

    def filtered(self, statement: sa.Select[Any], table: TemplateTable, node: Node) -> sa.Select[Any]:
        """A statement about a template's table for rows in the `status` given that the filter wants."""
        own = table.table.c
        return statement.where(own["_status"] == sa.bindparam("status"), self.criteria().of(node, own))

    def binder(self) -> Binder:
        """What makes the nodes of one statement's filter."""
        return Binder(self.tables, self._database.dialect.name)

    def criteria(self) -> Criteria:
        """What makes the conditions of one statement in the words of this database."""
        return Criteria(self._database.dialect.name, self.tables.of)

    def _part(self, listed: List, status: str, place: Row | None, limit: int) -> list[Row]:
        """The next rows of one table and status: `FIELDS`, then the columns of the order, then the number."""
        found: list[Row] = []
        for part in _ranges(listed, place) if place else (_EVERYTHING,):
            nulls = () if place is None else tuple(value is None for value in place[: part.same])
            shape = ("list", listed.table.template, listed.node, listed.order, listed.distinct, part, nulls)
            statement = self.kept(shape, partial(self._statement, listed, part, nulls))
            at = {f"at{n}": value for n, value in enumerate(place or ()) if value is not None}
            found += self.rows(statement, limit=limit - len(found), status=status, **listed.given, **at)
            if len(found) == limit:
                break
        return found

    def _statement(self, listed: List, part: Range, nulls: Sequence[bool]) -> sa.Select[Any]:
        """The rows of a range: first which, by the template's table alone, so that only those are sorted and read."""
        order, own = listed.order, listed.table.table.c
        keyed = not equalities(listed.node).isdisjoint(listed.table.plan.keys)
        columns = [_sorted_by(key_of(own, each.column), each, keyed) for each in order]
        by = [ordered(column, each) for column, each in zip(columns, order, strict=True)]
        statement = self.filtered(sa.select(*_labelled(columns)), listed.table, listed.node)
        if listed.distinct:
            rank = sa.func.row_number().over(partition_by=columns[: listed.distinct], order_by=by).label("rank")
            ranked = statement.add_columns(rank).subquery("ranked")
            columns = [ranked.c[f"o{n}"] for n in range(len(order))]
            by = [ordered(column, each) for column, each in zip(columns, order, strict=True)]
            statement = sa.select(*_labelled(columns)).where(ranked.c.rank == sa.literal_column("1"))
        for n, column in enumerate(columns[: part.same]):
            statement = statement.where(column.is_(None) if nulls[n] else column == sa.bindparam(f"at{n}"))
        if part.beyond is not None:
            statement = statement.where(_beyond(columns[part.same], order[part.same], part))
        place = statement.order_by(*by[part.same :]).limit(sa.bindparam("limit")).subquery("place")
        number = place.c[f"o{len(columns) - 1}"]
        return sa.select(*FIELDS, *place.c).select_from(place).join(contracts, contracts.c.number == number)


def statuses_of(status: str | None) -> tuple[str, ...]:
    """One status, or all; Refusal `vault.status`."""
    check(status is None or status in _STATUSES, "vault.status", "a contract is in one of these", statuses=_STATUSES)
    return _STATUSES if status is None else (status,)


def order_of(table: TemplateTable, order_by: str | Sequence[str] | None) -> tuple[Order, ...]:
    """The columns of an order, the row's number last; Refusal `vault.order`."""
    names = [order_by] if isinstance(order_by, str) else list(order_by or [])
    few = len(names) <= ORDER_FIELDS_MAX and all(isinstance(name, str) for name in names)
    check(few, "vault.order", "a list is ordered by names of fields, few", fields_max=ORDER_FIELDS_MAX)
    names = names or [TIME]
    found: list[Order] = []
    for n, name in enumerate(names):
        columns = _columns_of(table, name)
        if n < len(names) - 1:  # what is alike is told apart by the fields that follow
            columns = tuple(column for column in columns if column != TIME_COLUMN) or columns
        found += [Order(column, name.startswith("-"), leads=not n) for column in columns]
    return (*found, Order(NUMBER_COLUMN, names[-1].startswith("-"), leads=True))


def _columns_of(table: TemplateTable, name: str) -> tuple[Sorted, ...]:
    plain = name.removeprefix("-")
    if plain == TIME and TIME not in table.plan.fields:
        return (TIME_COLUMN,)
    found = table.plan.orders.get(plain)
    if found is None:
        raise Refusal("vault.order", "a list cannot be ordered by this", field=plain[:80])
    return found


def _distinct(
    table: TemplateTable, order_by: str | Sequence[str] | None, distinct_on: str | Sequence[str] | None
) -> int:
    """How many columns of the order tell rows apart; 0 for all."""
    names = [distinct_on] if isinstance(distinct_on, str) else list(distinct_on or [])
    if not names:
        return 0
    ordered = [order_by] if isinstance(order_by, str) else list(order_by or [])
    leading = [name.removeprefix("-") for name in ordered[: len(names)]]
    check(sorted(leading) == sorted(names), "vault.order", "the order begins with the fields that rows differ in",
          distinct_on=names)  # fmt: skip
    return sum(len([each for each in _columns_of(table, name) if each != TIME_COLUMN]) or 1 for name in leading)


def _differing(rows: list[Row], distinct: int) -> list[Row]:
    """The first of the rows that are alike in the columns that tell rows apart."""
    if not distinct:
        return rows
    start = len(FIELDS)
    return [next(group) for _, group in itertools.groupby(rows, key=lambda row: row[start : start + distinct])]


def _labelled(columns: Sequence[sa.ColumnElement[Any]]) -> list[sa.Label[Any]]:
    return [column.label(f"o{n}") for n, column in enumerate(columns)]


def _sorted_by(column: sa.ColumnElement[Any], order: Order, keyed: bool) -> sa.ColumnElement[Any]:
    """A column of the order; those that only tell ties of the first field apart are hidden from indexes.

    A database without good statistics walks all of a second column's index to save sorting a few ties, and all of the
    first one's to save sorting the few rows that a key finds.
    """
    hidden = order.column != NUMBER_COLUMN and (keyed or not order.leads)
    return sa.func.coalesce(column, column) if hidden else column


def _beyond(column: sa.ColumnElement[Any], order: Order, part: Range) -> sa.ColumnElement[bool]:
    if part.beyond != "more":
        return column.is_(None) if part.beyond == "empty" else column.is_not(None)
    at: sa.BindParameter[Any] = sa.bindparam(f"at{part.same}")
    return column < at if order.descending else column > at


def ordered(column: sa.ColumnElement[Any], order: Order) -> sa.ColumnElement[Any]:
    """The column as the order has it: empty first, or last when descending."""
    direction = column.desc() if order.descending else column.asc()
    if not order.column.nullable:
        return direction
    return direction.nulls_last() if order.descending else direction.nulls_first()


def _ranges(listed: List, place: Row) -> Iterator[Range]:
    """What lies after a place, nearest first; rows that must differ in the first columns are not the same there."""
    order = listed.order
    for same in reversed(range(listed.distinct or len(order))):
        each, value = order[same], place[same]
        if value is not None:
            yield Range(same, "more")
            if each.descending and each.column.nullable:
                yield Range(same, "empty")
        elif not each.descending:
            yield Range(same, "not-empty")


def sort(rows: list[Row], order: Sequence[Order], *, start: int) -> None:
    """Bring rows of several ranges, statuses and tables into one order, whose columns begin at `start`."""
    for n, each in reversed(list(enumerate(order, start=start))):
        rows.sort(key=_place_in(n), reverse=each.descending)


def _place_in(column: int) -> Callable[[Row], tuple[bool, Any]]:
    return lambda row: (row[column] is not None, row[column])


def _name(template: TemplateId | str, status: str | None, listed: List) -> bytes:
    """What ties a cursor to its list."""
    named = repr((template, status, listed.node, listed.order, listed.distinct)).encode()
    return hashlib.sha256(named + _pack(listed.given)).digest()[:8]


def _cursor(name: bytes, place: Row) -> str:
    return base64.urlsafe_b64encode(_pack([name, list(place)])).decode().rstrip("=")


def _place(cursor: str, name: bytes, count: int) -> Row:
    try:
        data = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        found, place = msgspec.msgpack.decode(data, type=tuple[bytes, list[Any]])
    except (ValueError, msgspec.DecodeError) as error:
        raise Refusal("vault.cursor", "this is not the cursor of a page", cursor=cursor[:80]) from error
    fits = len(place) == count and all(value is None or isinstance(value, (int, str, bytes)) for value in place)
    if found != name or not fits:
        raise Refusal("vault.cursor", "this is the cursor of another list", cursor=cursor[:80])
    return tuple(place)
