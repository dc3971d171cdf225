"""The table beside a template's table in which words are found: FTS5 in SQLite, a tsvector with GIN in PostgreSQL.

A table of its own, as a contract's status changes and its words do not: an index of words beside the status would be
written again each time.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable

from interfirm.node.vault.tables import BIG

NAME_CHARS_MAX = 63
_SUFFIX = "_words"
_FTS5 = "fts5"


class _Words(sa.types.TypeDecorator[str]):
    """Words with spaces between them."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        return TSVECTOR() if dialect.name == "postgresql" else sa.Text()


def word_table(beside: str) -> sa.Table:
    """The words of the contracts of a template's table, by their numbers there."""
    name = f"{beside[-(NAME_CHARS_MAX - len(_SUFFIX)) :]}{_SUFFIX}"
    made = sa.Table(
        name, sa.MetaData(), sa.Column("rowid", BIG, primary_key=True, autoincrement=False),
        sa.Column("words", _Words, nullable=False), info={_FTS5: True},
    )  # fmt: skip
    sa.Index(f"i_{beside}", made.c.words, postgresql_using="gin", info={"dialect": "postgresql"})
    return made


def add_words(table: sa.Table) -> sa.Insert:
    """Keep the `words` of the contract `number`."""
    words = sa.bindparam("words", type_=sa.Text)
    return sa.insert(table).values(rowid=sa.bindparam("number"), words=sa.cast(words, _Words))


def remove_words(table: sa.Table) -> dict[str, sa.ClauseElement]:
    """Forget the contract `number`, which was kept with these `words`, by dialect: FTS5 keeps no words to look up."""
    name = table.name
    forget = f"INSERT INTO {name} ({name}, rowid, words) VALUES ('delete', :number, :words)"  # noqa: S608 - a name
    return {"sqlite": sa.text(forget), "postgresql": sa.delete(table).where(table.c.rowid == sa.bindparam("number"))}


def among(dialect: str, table: sa.Table, query: sa.BindParameter[Any]) -> sa.Select[tuple[int]]:
    """The numbers of the contracts that a query in the database's own words finds (`words.query`)."""
    if dialect == "postgresql":
        wanted = table.c.words.bool_op("@@")(sa.cast(query, TSQUERY))
    else:
        wanted = sa.column(table.name).bool_op("MATCH")(query)  # FTS5 calls the whole row so
    return sa.select(table.c.rowid).where(wanted)


@compiles(CreateTable, "sqlite")
def _create(element: CreateTable, compiler: Any, **given: Any) -> str:
    table = element.element
    if _FTS5 not in table.info:
        return str(compiler.visit_create_table(element, **given))
    name = compiler.preparer.format_table(table)
    return f"CREATE VIRTUAL TABLE {name} USING fts5(words, content='', columnsize=0, detail=none, tokenize='ascii')"
