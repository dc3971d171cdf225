"""A table for each template: what its contracts say, in columns that lists, filters and reports can use.

The tables follow from the contracts kept in `contracts` and can be made again from them, with the words beside them;
`layout` says by which rules of `columns.py` and `words.py` a table was made, and is below zero while that goes on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.contracts.packages import Package
from interfirm.contracts.types import Plain, TemplateId
from interfirm.node.vault import words
from interfirm.node.vault.columns import ORDERED_CHARS_MAX, ColumnKind, Plan, Sorted, plan_of, row_of
from interfirm.node.vault.statements import Work
from interfirm.node.vault.tables import BIG, contracts, templates
from interfirm.node.vault.word_tables import add_words, remove_words, word_table

LAYOUT = 2
"""Raised when the rules of `columns.py` or `words.py` change; tables of an older layout are made again."""
_TYPES: dict[ColumnKind, Any] = {
    "bytes": sa.LargeBinary, "integer": BIG, "text": sa.Text, "boolean": sa.Boolean, "json": sa.Text,
}  # fmt: skip
_ALL = sa.select(templates).order_by(templates.c.number)
_ADD = sa.insert(templates)
_SET_LAYOUT = sa.update(templates).where(templates.c.number == sa.bindparam("of")).values(layout=sa.bindparam("layout"))
_STORED = (
    sa.select(
        contracts.c.number, contracts.c.transaction_id, contracts.c.entry_index, contracts.c.status,
        contracts.c.time_ms, contracts.c.payload,
        sa.func.coalesce(contracts.c.origin_transaction_id, contracts.c.transaction_id),
    ).where(contracts.c.template == sa.bindparam("template"), contracts.c.number > sa.bindparam("after"))
    .order_by(contracts.c.number).limit(sa.bindparam("limit"))
)  # fmt: skip
FILL_COUNT = 1000
"""Contracts that are put into a table at once when it is made again."""
INDEXED_CHARS_MAX = 500
"""Of a text in an index the table keeps so much: databases limit what an index holds. The payload keeps all of it."""


class Declared(Protocol):
    """A loaded template: its id and the types of its fields."""

    @property
    def id(self) -> TemplateId:
        """Package and name."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """Name -> type, in declared order."""


class Engine(Protocol):
    """The packages loaded in a node (contracts.packages.Engine)."""

    @property
    def packages(self) -> Mapping[bytes, Package]:
        """By their id."""

    def templates(self) -> Sequence[Declared]:
        """All loaded templates."""


class TemplateTable:
    """One template's table: its columns, and the statements that write it. The same for all vaults of a process."""

    def __init__(self, template: TemplateId, name: str, plan: Plan) -> None:
        self.template = template
        self.plan = plan
        self.table = _table(name, plan)
        self.words = word_table(name)
        self.names = list(self.table.columns.keys())
        indexed = {column.column for columns in plan.indexes for column in columns if not column.cut}
        texts = {column.name for field in plan.fields.values() for column in field.columns if column.kind == "text"}
        self._cut = [place for place, name in enumerate(self.names) if name in indexed & texts]
        own = self.table.c
        self._texts = {place: plan.texts[name] for place, name in enumerate(plan.fields) if name in plan.texts}
        self.insert = sa.insert(self.table)
        self.insert_words = add_words(self.words)
        self.remove_words = remove_words(self.words)
        self.remove = sa.delete(self.table).where(own["_number"] == sa.bindparam("of"))
        self.set_status = (
            sa.update(self.table).where(own["_number"] == sa.bindparam("of")).values(_status=sa.bindparam("status"))
        )

    def row(self, own: Sequence[Any], payload: Plain, *, made_in: bytes | None) -> dict[str, Any]:
        """The row of one contract by column; `own` are the values of `OWN_COLUMNS`.

        `made_in` is the transaction that made it, which refs to contracts of that transaction mean.
        """
        values = [*own, *row_of(self.plan, payload, made_in or b"")]
        for place in self._cut:
            values[place] = values[place] and values[place][:INDEXED_CHARS_MAX]
        return dict(zip(self.names, values, strict=True))

    def indexed_words(self, payload: Plain) -> str:
        """What a search finds one contract by; see `words.indexed`."""
        return words.indexed(self._texts, payload) if self._texts else ""

    def create(self, work: Work) -> None:
        """Make the tables, empty."""
        work.create(self.table)
        work.create(self.words)

    def drop(self, work: Work) -> None:
        """Remove the tables, if they are there."""
        work.drop(self.table)
        work.drop(self.words)


class TemplateTables:
    """The tables of all templates ever loaded into this vault; those of the packages loaded now can be listed."""

    def __init__(self) -> None:
        self._by_id: dict[TemplateId, TemplateTable] = {}
        self._ids: dict[int, TemplateId] = {}
        self._numbers: dict[TemplateId, int] = {}
        self._packages: dict[TemplateId, str] = {}
        self._names: set[str] = set()
        self._filling: list[tuple[TemplateTable, int]] = []
        """Tables that lack contracts, with the last contract that each has."""

    def of(self, template: TemplateId) -> TemplateTable:
        """The table of a template; Refusal `vault.template` where its package has not been loaded here."""
        found = self._by_id.get(template)
        if found is None:
            raise Refusal(
                "vault.template", "the template's package is not loaded", template=template.name,
                package=template.package,
            )  # fmt: skip
        return found

    def named(self, name: str) -> list[TemplateTable]:
        """All loaded versions of the newest template called `Name` or `folder.Name`, oldest first.

        Refusal `vault.template` where there is none.
        """
        folder, _, simple = name.rpartition(".")
        for table in reversed(self._by_id.values()):
            package = self._packages[table.template]
            if table.template.name == simple and (not folder or f".{package}".endswith(f".{folder}")):
                return [self._by_id[each] for each in self.lineage(table.template) if each in self._by_id]
        raise Refusal("vault.template", "there is no template of this name", template=name[:80])

    def number_of(self, template: TemplateId) -> int:
        """The number under which contracts name this template."""
        return self._numbers[template]

    def id_of(self, number: int) -> TemplateId:
        """The template with this number."""
        return self._ids[number]

    def lineage(self, template: TemplateId) -> list[TemplateId]:
        """All versions of a template: same package name, same template name."""
        package = self._packages[template]
        return [each for each, other in self._packages.items() if other == package and each.name == template.name]

    def load(self, work: Work, engine: Engine) -> bool:
        """Make the tables of templates that have none, and begin those of an older layout anew; whether to `fill` them.

        Refusal `vault.version` for tables of a newer layout.
        """
        known = {}
        for number, package, template, package_name, table_name, layout in work.rows(_ALL):
            self._remember(number, TemplateId(package, template), package_name, table_name)
            known[TemplateId(package, template)] = (number, table_name, layout)
        for code in engine.templates():
            if code.id in self._by_id:
                continue
            if code.id not in known:
                self._add(work, code, engine.packages[code.id.package].name)
                continue
            number, table_name, layout = known[code.id]
            if abs(layout) > LAYOUT:
                raise Refusal("vault.version", "the vault was written by a newer version", found=layout, known=LAYOUT)
            found = _made(code, table_name)
            if layout != LAYOUT:
                self._begin(work, found, number, anew=layout != -LAYOUT)
            self._by_id[code.id] = found
        return bool(self._filling)

    def fill(self, work: Work) -> bool:
        """Put the next contracts into a table that lacks some; whether it has to be called again.

        Each call may be a transaction of its own: what was filled is not filled again, whenever the process ended.
        """
        table, after = self._filling.pop()
        number = self._numbers[table.template]
        rows = work.rows(_STORED, template=number, after=after, limit=FILL_COUNT)
        payloads = [codec.decode_plain(row[5]) for row in rows]
        work.write_many(
            table.insert,
            [table.row(row[:5], payload, made_in=row[6]) for row, payload in zip(rows, payloads, strict=True)],
        )
        found = [(row[0], table.indexed_words(payload)) for row, payload in zip(rows, payloads, strict=True)]
        work.write_many(table.insert_words, [{"number": n, "words": each} for n, each in found if each])
        if rows:
            self._filling.append((table, rows[-1][0]))
        else:
            work.write(_SET_LAYOUT, {"of": number, "layout": LAYOUT})
        return bool(self._filling)

    def _begin(self, work: Work, table: TemplateTable, number: int, *, anew: bool) -> None:
        if anew:
            table.drop(work)
            table.create(work)
            work.write(_SET_LAYOUT, {"of": number, "layout": -LAYOUT})
        last = work.row(work.prepare(sa.select(sa.func.max(table.table.c["_number"]))))
        self._filling.append((table, (last and last[0]) or 0))

    def _remember(self, number: int, template: TemplateId, package_name: str, table_name: str) -> None:
        self._ids[number], self._numbers[template] = template, number
        self._packages[template] = package_name
        self._names.add(table_name)

    def _add(self, work: Work, code: Declared, package_name: str) -> None:
        number = max(self._ids, default=0) + 1
        name = _table_name(code.id, package_name)
        while name in self._names:
            name += "_"
        made = _made(code, name)
        made.create(work)
        work.write(
            _ADD,
            {
                "number": number, "package": code.id.package, "template": code.id.name, "package_name": package_name,
                "table_name": name, "layout": LAYOUT,
            },
        )  # fmt: skip
        self._remember(number, code.id, package_name, name)
        self._by_id[code.id] = made


_MADE: dict[tuple[TemplateId, str], TemplateTable] = {}


def _made(code: Declared, name: str) -> TemplateTable:
    """The table of a template; a template's id stands for its fields, so one is enough for all vaults."""
    found = _MADE.get((code.id, name))
    if found is None:
        found = _MADE[code.id, name] = TemplateTable(code.id, name, plan_of(code.fields))
    return found


def _table_name(template: TemplateId, package_name: str) -> str:
    """`invoices_invoice_ab12cd34`: folder, template, start of the package's id."""
    folder = package_name.rpartition(".")[2]
    words = [re.sub(r"[^a-z0-9_]", "_", word.lower())[:24] for word in (folder, template.name)]
    return "_".join((*words, template.package.hex()[:8]))


def _table(name: str, plan: Plan) -> sa.Table:
    columns: list[sa.Column[Any]] = [
        sa.Column("_number", BIG, sa.ForeignKey(contracts.c.number), primary_key=True, autoincrement=False),
        sa.Column("_transaction", sa.LargeBinary, nullable=False),
        sa.Column("_index", BIG, nullable=False),
        sa.Column("_status", sa.Text, nullable=False),
        sa.Column("_time_ms", BIG, nullable=False),
    ]
    for field in plan.fields.values():
        columns += [sa.Column(c.name, _TYPES[c.kind], nullable=c.nullable) for c in field.columns]
    made = sa.Table(name, sa.MetaData(), *columns)
    for n, indexed in enumerate(plan.indexes):
        sa.Index(f"i{n}_{name}", *(_indexed(made.c, each) for each in indexed))
    for n, column in enumerate(plan.documents):
        document = sa.cast(made.c[column], JSONB)
        sa.Index(f"j{n}_{name}", document, postgresql_using="gin", info={"dialect": "postgresql"})
    return made


def key_of(own: Any, column: Sorted) -> sa.ColumnElement[Any]:
    """A column of a table, a subquery or the like as indexes have it."""
    whole: sa.ColumnElement[Any] = own[column.column]
    return beginning(whole) if column.cut else whole


def beginning(text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """So much of a text as indexes hold."""
    return sa.func.substr(text, _ONE, _CHARS)


_ONE: sa.ColumnElement[int] = sa.literal_column("1")
_CHARS: sa.ColumnElement[int] = sa.literal_column(str(ORDERED_CHARS_MAX))


class _EmptyFirst(sa.ColumnElement[Any]):
    """A column of an index in which empty ones lie before the others, as they do in lists."""

    inherit_cache = False

    def __init__(self, column: sa.ColumnElement[Any]) -> None:
        self.column = column


@compiles(_EmptyFirst)
def _empty_first(element: _EmptyFirst, compiler: Any, **given: Any) -> str:
    return f"{compiler.process(element.column, **given)} NULLS FIRST"


@compiles(_EmptyFirst, "sqlite")
def _as_always(element: _EmptyFirst, compiler: Any, **given: Any) -> str:
    return str(compiler.process(element.column, **given))


def _indexed(own: Any, column: Sorted) -> sa.ColumnElement[Any]:
    key = key_of(own, column)
    return _EmptyFirst(key) if column.nullable else key
