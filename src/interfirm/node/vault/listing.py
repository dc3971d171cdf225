"""The part of a turn that lists contracts of a template: filters, order, and pages that go on where the last ended.

A page is read from the place of the last row and never counted from the start, so its cost does not grow with what is
stored, and rows that come or go meanwhile neither repeat nor hide others. The order is total: ties are told apart by
the row's number. `a, b, number` after (a1, b1, n1) is read as up to three ranges, each of which an index answers:
a = a1, b = b1, number > n1; then a = a1, b > b1; then a > a1.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.contracts.types import TemplateId
from interfirm.node.vault.columns import SHAPES, Field, values_of
from interfirm.node.vault.contracts import FIELDS, Contracts
from interfirm.node.vault.statements import Row
from interfirm.node.vault.tables import contracts
from interfirm.node.vault.template_tables import TemplateTable
from interfirm.node.vault.types import Page, StoredContract

LIMIT_MAX = 1000
ORDER_FIELDS_MAX = 4
TIME = "time"
"""Orders a list by acceptance, also where no order is given; a field of this name goes first."""
_STATUSES = ("active", "consumed", "locked")
_COMPARISONS = ("lt", "le", "gt", "ge")
OPERATORS = ("eq", "ne", "in", *_COMPARISONS)
_INNER = ("inner-bytes", "inner-integer", "day")
_SINGLE = (*_INNER, "bytes", "integer", "boolean", "text")
_pack = msgspec.msgpack.encode

Where = Mapping[str, Any]
"""Field -> value, or (operator, value); operators are those of `OPERATORS`, values typed or plain."""


class Condition(Value, frozen=True):
    """One comparison of one column; `value` is a list for `in`, and None means empty."""

    column: str
    operator: str
    value: Any

    @property
    def shape(self) -> tuple[str, str, int]:
        """What the statement depends on: column, operator, and how many values or none."""
        count = len(self.value) if self.operator == "in" else int(self.value is not None)
        return (self.column, self.operator, count)


class Order(Value, frozen=True):
    """One column of the order."""

    column: str
    descending: bool
    nullable: bool


class Range(Value, frozen=True):
    """A part of the order: the first `same` columns as at the cursor, the next one beyond it, or empty.

    `beyond` is None for all rows.
    """

    same: int
    beyond: Literal["more", "empty", "not-empty"] | None


_EVERYTHING = Range(same=0, beyond=None)


class Listing(Contracts):
    """Lists of the contracts of one template."""

    def contracts_of(
        self,
        template: TemplateId | str,
        *,
        status: str | None = "active",
        where: Where | None = None,
        order_by: str | Sequence[str] | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[StoredContract]:
        """A page of contracts of a template, or by name of all its loaded versions, in one status or all.

        `order_by` names fields, each with `-` before it for descending; money is ordered by currency and amount,
        empty fields come first (last when descending). `after` is the `next_cursor` of the page before, for the same
        list. Raises Refusal `vault.template`, `vault.where`, `vault.order`, `vault.status`,
        `vault.cursor`, `vault.limit`.
        """
        check(1 <= limit <= LIMIT_MAX, "vault.limit", "a page has rows, and not too many", limit_max=LIMIT_MAX)
        tables = self._tables(template)
        order = _order(tables[0], order_by)
        statuses = _statuses(status)
        name = _name(template, status, where, order)
        place = None if after is None else _place(after, name, len(order))
        found: list[Row] = []
        for table in tables:
            check(_order(table, order_by) == order, "vault.order", "the versions of the template differ in this field")
            conditions = _conditions(table, where or {})
            for each in statuses:
                found += self._part(table, each, conditions, order, place, limit + 1)
        _sort(found, order)
        page = tuple(self._stored(row[: len(FIELDS)]) for row in found[:limit])
        more = len(found) > limit
        return Page(rows=page, next_cursor=_cursor(name, found[limit - 1][len(FIELDS) :]) if more else None)

    def count(self, template: TemplateId | str, *, status: str | None = "active", where: Where | None = None) -> int:
        """How many contracts such a list has in all."""
        total = 0
        for table in self._tables(template):
            conditions = _conditions(table, where or {})
            for each in _statuses(status):
                shape = ("count", table.template, tuple(c.shape for c in conditions))
                statement = self.kept(shape, partial(_counted, table.table, conditions))
                row = self.row(statement, status=each, **_given(conditions))
                total += row[0] if row else 0
        return total

    def _tables(self, template: TemplateId | str) -> list[TemplateTable]:
        return [self.tables.of(template)] if isinstance(template, TemplateId) else self.tables.named(template)

    def _part(
        self,
        table: TemplateTable,
        status: str,
        conditions: Sequence[Condition],
        order: Sequence[Order],
        place: Row | None,
        limit: int,
    ) -> list[Row]:
        """The next rows of one table and status: `FIELDS`, then the columns of the order, then the number."""
        found: list[Row] = []
        filters = {"status": status, **_given(conditions)}
        for part in _ranges(order, place) if place else (_EVERYTHING,):
            shape = (table.template, tuple(c.shape for c in conditions), tuple(order), part)
            nulls = () if place is None else tuple(value is None for value in place[: part.same])
            statement = self.kept((shape, nulls), partial(_statement, table.table, conditions, order, part, nulls))
            at = {f"at{n}": value for n, value in enumerate(place or ()) if value is not None}
            found += self.rows(statement, limit=limit - len(found), **filters, **at)
            if len(found) == limit:
                break
        return found


def _statuses(status: str | None) -> tuple[str, ...]:
    check(status is None or status in _STATUSES, "vault.status", "a contract is in one of these", statuses=_STATUSES)
    return _STATUSES if status is None else (status,)


def _order(table: TemplateTable, order_by: str | Sequence[str] | None) -> tuple[Order, ...]:
    """The columns of an order, the row's number last."""
    names = [order_by] if isinstance(order_by, str) else list(order_by or [])
    few = len(names) <= ORDER_FIELDS_MAX and all(isinstance(name, str) for name in names)
    check(few, "vault.order", "a list is ordered by names of fields, few", fields_max=ORDER_FIELDS_MAX)
    found: list[Order] = []
    descending = False
    for name in names or [TIME]:
        descending, plain = name.startswith("-"), name.removeprefix("-")
        field = table.plan.fields.get(plain)
        if field is None and plain == TIME:
            found.append(Order("_time_ms", descending, False))
            continue
        places = SHAPES[field.kind].order if field else ()
        if field is None or not places:
            raise Refusal("vault.order", "a list cannot be ordered by this", field=plain[:80])
        found += [Order(field.columns[n].name, descending, field.nullable) for n in places]
    return (*found, Order("_number", descending, False))


def _conditions(table: TemplateTable, where: Where) -> list[Condition]:
    found: list[Condition] = []
    for name, wanted in where.items():
        field = table.plan.fields.get(name)
        if field is None:
            raise Refusal("vault.where", "the template has no such field", field=name[:80])
        operator, value = wanted if _is_comparison(wanted) else ("eq", wanted)
        found += _compared(field, operator, value)
    return found


def _is_comparison(wanted: Any) -> bool:
    return isinstance(wanted, (tuple, list)) and len(wanted) == 2 and wanted[0] in OPERATORS


def _compared(field: Field, operator: str, value: Any) -> list[Condition]:
    columns = [column.name for column in field.columns]
    single, known = field.kind in _SINGLE, {"eq", *(_COMPARISONS if field.kind == "money" else ())}
    if field.kind == "json" or not (single or operator in known) or (operator in _COMPARISONS and value is None):
        raise Refusal("vault.where", "the field cannot be compared so", field=field.name, operator=operator)
    if operator == "in":
        few = isinstance(value, (list, tuple)) and len(value) <= LIMIT_MAX
        check(few, "vault.where", "one of a list is wanted, of not too many", field=field.name, count_max=LIMIT_MAX)
        return [Condition(columns[0], "in", [_values(field, each)[0] for each in value])]
    values = _values(field, value)
    if single:
        return [Condition(columns[0], operator, values[0])]
    if operator in _COMPARISONS:  # an amount of money, with others of its currency
        return [Condition(columns[1], "eq", values[1]), Condition(columns[0], operator, values[0])]
    return [Condition(column, "eq", each) for column, each in zip(columns, values, strict=True)]


def _values(field: Field, value: Any) -> Row:
    """The values of the field's columns for a typed or plain value, or the inner value of a Party, Day or the like."""
    plain = codec.plain(value)
    if plain is None:
        return values_of(field, None)
    if field.kind in _INNER and not isinstance(plain, list):
        plain = [plain]
    try:
        codec.from_plain(plain, field.type)
    except Refusal as refusal:
        raise Refusal("vault.where", "this is no value of the field", field=field.name, rule=refusal.code) from refusal
    return values_of(field, plain)


def _given(conditions: Sequence[Condition]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for n, condition in enumerate(conditions):
        if condition.operator == "in":
            given |= {f"where{n}_{m}": value for m, value in enumerate(condition.value)}
        elif condition.value is not None:
            given[f"where{n}"] = condition.value
    return given


def _counted(table: sa.Table, conditions: Sequence[Condition]) -> sa.Select[Any]:
    return _filtered(sa.select(sa.func.count()).select_from(table), table, conditions)


def _filtered(statement: sa.Select[Any], table: sa.Table, conditions: Sequence[Condition]) -> sa.Select[Any]:
    own = table.c
    statement = statement.where(own["_status"] == sa.bindparam("status"))
    for n, condition in enumerate(conditions):
        statement = statement.where(_comparison(own[condition.column], condition, n))
    return statement


def _comparison(column: sa.ColumnElement[Any], condition: Condition, n: int) -> sa.ColumnElement[bool]:
    if condition.operator == "in":
        wanted_of: list[sa.BindParameter[Any]] = [sa.bindparam(f"where{n}_{m}") for m in range(len(condition.value))]
        return column.in_(wanted_of) if wanted_of else sa.false()
    if condition.value is None:
        return column.is_(None) if condition.operator == "eq" else column.is_not(None)
    wanted: sa.BindParameter[Any] = sa.bindparam(f"where{n}")
    if condition.operator == "ne":
        return sa.or_(column != wanted, column.is_(None))
    comparisons: dict[str, sa.ColumnElement[bool]] = {
        "eq": column == wanted, "lt": column < wanted, "le": column <= wanted, "gt": column > wanted,
        "ge": column >= wanted,
    }  # fmt: skip
    return comparisons[condition.operator]


def _statement(
    table: sa.Table, conditions: Sequence[Condition], order: Sequence[Order], part: Range, nulls: Sequence[bool]
) -> sa.Select[Any]:
    """The rows of a range: first which, by the template's table alone, so that only those are sorted and then read."""
    own = table.c
    columns = [_sorted_by(own[each.column], n, len(order) - 1) for n, each in enumerate(order)]
    statement = _filtered(sa.select(*[c.label(f"o{n}") for n, c in enumerate(columns)]), table, conditions)
    for n, column in enumerate(columns[: part.same]):
        statement = statement.where(column.is_(None) if nulls[n] else column == sa.bindparam(f"at{n}"))
    if part.beyond is not None:
        statement = statement.where(_beyond(columns[part.same], order[part.same], part))
    by = [_ordered(column, each) for column, each in zip(columns, order, strict=True)]
    place = statement.order_by(*by[part.same :]).limit(sa.bindparam("limit")).subquery("place")
    number = place.c[f"o{len(columns) - 1}"]
    return sa.select(*FIELDS, *place.c).select_from(place).join(contracts, contracts.c.number == number)


def _sorted_by(column: sa.ColumnElement[Any], n: int, last: int) -> sa.ColumnElement[Any]:
    """A column of the order; those that only tell ties of the first one apart are hidden from indexes.

    A database without good statistics walks all of a second column's index to save sorting a few ties.
    """
    return sa.func.coalesce(column, column) if 0 < n < last else column


def _beyond(column: sa.ColumnElement[Any], order: Order, part: Range) -> sa.ColumnElement[bool]:
    if part.beyond != "more":
        return column.is_(None) if part.beyond == "empty" else column.is_not(None)
    at: sa.BindParameter[Any] = sa.bindparam(f"at{part.same}")
    return column < at if order.descending else column > at


def _ordered(column: sa.ColumnElement[Any], order: Order) -> sa.ColumnElement[Any]:
    direction = column.desc() if order.descending else column.asc()
    if not order.nullable:
        return direction
    return direction.nulls_last() if order.descending else direction.nulls_first()


def _ranges(order: Sequence[Order], place: Row) -> Iterator[Range]:
    """What lies after a place, nearest first."""
    for same in reversed(range(len(order))):
        each, value = order[same], place[same]
        if value is not None:
            yield Range(same, "more")
            if each.descending and each.nullable:
                yield Range(same, "empty")
        elif not each.descending:
            yield Range(same, "not-empty")


def _sort(rows: list[Row], order: Sequence[Order]) -> None:
    """Bring rows of several ranges, statuses and tables into one order."""
    for n, each in reversed(list(enumerate(order, start=len(FIELDS)))):
        rows.sort(key=_place_in(n), reverse=each.descending)


def _place_in(column: int) -> Callable[[Row], tuple[bool, Any]]:
    return lambda row: (row[column] is not None, row[column])


def _name(template: TemplateId | str, status: str | None, where: Where | None, order: Sequence[Order]) -> bytes:
    """What ties a cursor to its list."""
    named = codec.plain([template, status, sorted((where or {}).items()), order])
    return hashlib.sha256(_pack(named)).digest()[:8]


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
