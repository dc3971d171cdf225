"""The part of a turn that follows fields of type Ref both ways, many contracts at once, and tells what came later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef, TemplateId
from interfirm.node.vault.conditions import Node
from interfirm.node.vault.contracts import FIELDS
from interfirm.node.vault.listing import LIMIT_MAX, Order, order_of, ordered, sort, statuses_of
from interfirm.node.vault.queries import Queries
from interfirm.node.vault.tables import contracts
from interfirm.node.vault.template_tables import TemplateTable, key_of
from interfirm.node.vault.types import StoredContract
from interfirm.node.vault.where import EVERYTHING, Compare, Where

_LAST = sa.select(sa.func.coalesce(sa.func.max(contracts.c.number), sa.literal_column("0")))


class Arrival(Value, frozen=True):
    """A contract with its place in the order in which this vault came to know contracts."""

    number: int
    contract: StoredContract


class Relations(Queries):
    """Contracts by those that they name, or that name them."""

    def contracts_named(self, refs: Iterable[ContractRef]) -> dict[ContractRef, StoredContract]:
        """The contracts that refs name, as far as they are kept here; many are one question."""
        wanted = {ref for ref in refs if ref.transaction is not None}
        named = sorted({ref.transaction or b"" for ref in wanted})
        found: dict[ContractRef, StoredContract] = {}
        for start in range(0, len(named), LIMIT_MAX):
            part = named[start : start + LIMIT_MAX]
            count = 1 << (len(part) - 1).bit_length()  # few shapes of statements for any number of refs
            given = {f"t{n}": part[min(n, len(part) - 1)] for n in range(count)}
            rows = self.rows(self.kept(("at", count), partial(_at, count)), **given)
            found |= {stored.ref: stored for stored in map(self._stored, rows) if stored.ref in wanted}
        return found

    def naming(
        self,
        template: TemplateId | str,
        field: str,
        refs: Sequence[ContractRef],
        *,
        where: Where = EVERYTHING,
        status: str | None = "active",
        order_by: str | Sequence[str] | None = None,
        limit: int = 50,
    ) -> dict[ContractRef, list[StoredContract]]:
        """For each ref the first contracts of a template whose `field` names it; many refs are one question.

        Raises Refusal as `select`.
        """
        check(1 <= limit <= LIMIT_MAX, "vault.limit", "a list has rows, and not too many", limit_max=LIMIT_MAX)
        tables = self.versions(template)
        order = order_of(tables[0], order_by)
        found: dict[ContractRef, list[StoredContract]] = {ref: [] for ref in refs}
        rows: list[Any] = []
        for table in tables:
            check(
                order_of(table, order_by) == order, "vault.order", "the versions of the template differ in this field"
            )
            planned = table.plan.fields.get(field)
            if planned is None or planned.kind != "ref":
                raise Refusal("vault.where", "the field names no contract", field=field[:80])
            binder = self.binder()
            node = binder.bind(where, table, tables[-1])
            among = binder.bind(Compare(field, "in", tuple(refs)), table, tables[-1])
            names = (planned.columns[0].name, planned.columns[1].name)
            make = partial(self._naming, table, node, among, names, order)
            statement = self.kept(("naming", table.template, node, among, order), make)
            for each in statuses_of(status):
                rows += self.rows(statement, status=each, each_limit=limit, **binder.given)
        sort(rows, order, start=len(FIELDS) + 2)
        for row in rows:
            held = found[ContractRef(*row[len(FIELDS) : len(FIELDS) + 2])]
            if len(held) < limit:
                held.append(self._stored(row[: len(FIELDS)]))
        return found

    def _naming(
        self, table: TemplateTable, node: Node, among: Node, names: tuple[str, str], order: Sequence[Order]
    ) -> sa.Select[Any]:
        own = table.table.c
        refs, places = [own[name] for name in names], [key_of(own, each.column) for each in order]
        by = [ordered(column, each) for column, each in zip(places, order, strict=True)]
        rank = sa.func.row_number().over(partition_by=refs, order_by=by).label("rank")
        columns = [column.label(f"c{n}") for n, column in enumerate((*refs, *places))]
        ranked = self.filtered(sa.select(*columns, rank), table, node).where(self.criteria().of(among, own))
        place = ranked.subquery("place")
        number = place.c[f"c{len(columns) - 1}"]
        shown = [place.c[column.name] for column in columns]
        source = place.join(contracts, contracts.c.number == number)
        return sa.select(*FIELDS, *shown).select_from(source).where(place.c.rank <= sa.bindparam("each_limit"))

    def last_arrival(self) -> int:
        """The place of the contract that this vault came to know last."""
        row = self.row(_LAST)
        assert row is not None
        return int(row[0])

    def arrivals(
        self, template: TemplateId | str, *, after: int, where: Where = EVERYTHING, limit: int = 50
    ) -> list[Arrival]:
        """The contracts of a template that came after a place, in the order of coming, whatever their status is now."""
        check(1 <= limit <= LIMIT_MAX, "vault.limit", "a list has rows, and not too many", limit_max=LIMIT_MAX)
        tables, found = self.versions(template), list[Arrival]()
        for table in tables:
            binder = self.binder()
            node = binder.bind(where, table, tables[-1])
            statement = self.kept(("arrivals", table.template, node), partial(self._after, table, node))
            rows = self.rows(statement, after=after, limit=limit, **binder.given)
            found += [Arrival(row[-1], self._stored(row[:-1])) for row in rows]
        return sorted(found, key=lambda each: each.number)[:limit]

    def _after(self, table: TemplateTable, node: Node) -> sa.Select[Any]:
        own = table.table.c
        place = sa.select(own["_number"]).where(own["_number"] > sa.bindparam("after"), self.criteria().of(node, own))
        first = place.order_by(own["_number"]).limit(sa.bindparam("limit")).subquery("place")
        number = first.c["_number"]
        return sa.select(*FIELDS, number).join(first, contracts.c.number == number).order_by(number)


def _at(count: int) -> sa.Select[Any]:
    wanted: list[sa.BindParameter[Any]] = [sa.bindparam(f"t{n}") for n in range(count)]
    return sa.select(*FIELDS).where(contracts.c.transaction_id.in_(wanted))
