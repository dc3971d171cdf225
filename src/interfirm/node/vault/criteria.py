"""Filters as SQL: what `conditions.py` made of them, in SQLAlchemy Core, in the words of SQLite or PostgreSQL.

Each condition means the same on both as `where.holds` says; where the two differ (patterns, JSON, the case of letters)
the words of each are given here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from interfirm.contracts.types import TemplateId
from interfirm.node.vault.conditions import (
    Comparison,
    Every,
    Found,
    Holding,
    Items,
    Keys,
    Leaf,
    Linked,
    Nested,
    Node,
    Opposite,
    Pattern,
    Same,
    Some,
    Within,
)
from interfirm.node.vault.tables import contracts
from interfirm.node.vault.template_tables import TemplateTable, beginning
from interfirm.node.vault.word_tables import among

Element = sa.ColumnElement[Any]
Condition = sa.ColumnElement[bool]
Each = Callable[[Element], Condition]
_BEGINNING = "-of-beginning"
"""Ends operators that compare the beginning of a text, as indexes have it."""


class Words(Protocol):
    """What databases say differently."""

    def like(self, text: Element, pattern: Element) -> Condition:
        """Whether a text fits a pattern of SQL without escapes."""

    def lower(self, text: Element) -> Element:
        """The text with a to z for A to Z."""

    def document(self, text: Element) -> Element:
        """The JSON in a column of text."""

    def leaf(self, document: Element, leaf: Leaf) -> Element:
        """A value in JSON as a column of its kind has it, empty where JSON has null."""

    def contains(self, document: Element, text: Element) -> Condition:
        """Whether JSON contains at least other JSON, as far as an index can tell."""

    def has_key(self, document: Element, name: str, key: Element) -> Condition:
        """Whether a map has a key."""

    def item(self, document: Element, place: int) -> Element:
        """The item of a list."""

    def same(self, document: Element, text: Element) -> Condition:
        """Whether JSON is what a text says."""

    def some_item(self, document: Element, name: str, wanted: Each) -> Condition:
        """Whether some item of a list is wanted."""

    def key(self, document: Element, name: str, key: Element, wanted: Each) -> Condition:
        """Whether a map has a key, and something wanted there."""


class SqliteWords:
    """As SQLite says it; JSON is text there."""

    def like(self, text: Element, pattern: Element) -> Condition:
        """LIKE takes A to Z for a to z always, so GLOB it is."""
        for character, said in (("[", "[[]"), ("*", "[*]"), ("?", "[?]"), ("%", "*"), ("_", "?")):
            pattern = sa.func.replace(pattern, sa.literal_column(f"'{character}'"), sa.literal_column(f"'{said}'"))
        return text.bool_op("GLOB")(pattern)

    def lower(self, text: Element) -> Element:
        """Without ICU it knows A to Z alone."""
        return sa.func.lower(text)

    def document(self, text: Element) -> Element:
        """See Words."""
        return text

    def leaf(self, document: Element, leaf: Leaf) -> Element:
        """See Words."""
        *steps, last = _places(leaf)
        for step in steps:
            document = document.op("->")(step).self_group()
        if leaf.kind == "json":
            return sa.func.nullif(document.op("->")(last).self_group(), sa.literal_column("'null'"))
        return document.op("->>")(last).self_group()

    def contains(self, document: Element, text: Element) -> Condition:
        """It has no index of JSON."""
        return sa.true()

    def has_key(self, document: Element, name: str, key: Element) -> Condition:
        """See Words."""
        return self.key(document, name, key, lambda _: sa.true())

    def item(self, document: Element, place: int) -> Element:
        """See Words."""
        return document.op("->")(sa.literal_column(str(place))).self_group()

    def same(self, document: Element, text: Element) -> Condition:
        """Both were written by `columns.json_text`."""
        return document == text

    def some_item(self, document: Element, name: str, wanted: Each) -> Condition:
        """See Words."""
        each = sa.func.json_each(document).table_valued("key", "value", "type", name=name)
        return _exists(each, wanted(_written(each)))

    def key(self, document: Element, name: str, key: Element, wanted: Each) -> Condition:
        """See Words."""
        each = sa.func.json_each(document).table_valued("key", "value", "type", name=name)
        return _exists(each, each.c.key == key, wanted(_written(each)))


def _places(leaf: Leaf) -> list[sa.ColumnElement[int]]:
    return [sa.literal_column(str(place)) for place in leaf.path]


def _written(each: Any) -> Element:
    """The JSON of what `json_each` found, which gives texts without quotes and truth as a number."""
    value, kind = each.c.value, each.c.type
    words: list[tuple[Condition, Element]] = [
        (kind == sa.literal_column(f"'{word}'"), sa.literal_column(f"'{word}'")) for word in ("true", "false", "null")
    ]
    nested = kind.in_([sa.literal_column("'array'"), sa.literal_column("'object'")])
    return sa.case(*words, (nested, value), else_=sa.func.json_quote(value))


def _exists(source: Any, *conditions: Condition) -> Condition:
    return sa.exists(sa.select(sa.literal_column("1")).select_from(source).where(*conditions))


class PostgresWords:
    """As PostgreSQL says it; JSON is taken as jsonb, and A to Z as the collation "C" has it."""

    def like(self, text: Element, pattern: Element) -> Condition:
        """See Words."""
        return text.like(pattern, escape="")

    def lower(self, text: Element) -> Element:
        """See Words."""
        return sa.func.lower(sa.collate(text, "C"))

    def document(self, text: Element) -> Element:
        """See Words."""
        return sa.cast(text, JSONB)

    def leaf(self, document: Element, leaf: Leaf) -> Element:
        """See Words."""
        *steps, last = _places(leaf)
        for step in steps:
            document = document.op("->", return_type=JSONB())(step).self_group()
        if leaf.kind == "json":
            found = document.op("->", return_type=JSONB())(last).self_group()
            return sa.func.nullif(found, sa.literal_column("'null'::jsonb"), type_=JSONB())
        text = document.op("->>", return_type=sa.Text())(last).self_group()
        match leaf.kind:
            case "integer":
                return sa.cast(text, sa.BigInteger)
            case "boolean":
                return sa.cast(text, sa.Boolean)
        return sa.collate(text, "C").self_group()

    def contains(self, document: Element, text: Element) -> Condition:
        """See Words."""
        return document.bool_op("@>")(sa.cast(text, JSONB))

    def has_key(self, document: Element, name: str, key: Element) -> Condition:
        """See Words."""
        return document.bool_op("?")(sa.cast(key, sa.Text))

    def item(self, document: Element, place: int) -> Element:
        """See Words."""
        return document.op("->")(sa.literal_column(str(place))).self_group()

    def same(self, document: Element, text: Element) -> Condition:
        """See Words."""
        equal: Condition = document == sa.cast(text, JSONB)
        return equal

    def some_item(self, document: Element, name: str, wanted: Each) -> Condition:
        """See Words."""
        each = sa.func.jsonb_array_elements(_only(document, "array")).table_valued(sa.column("value", JSONB), name=name)
        return _exists(each, wanted(each.c.value))

    def key(self, document: Element, name: str, key: Element, wanted: Each) -> Condition:
        """See Words."""
        each = sa.func.jsonb_each(_only(document, "object")).table_valued("key", sa.column("value", JSONB), name=name)
        return _exists(each, each.c.key == key, wanted(each.c.value))


def _only(document: Element, kind: str) -> Element:
    """The JSON where it is of a kind, else nothing: PostgreSQL refuses to look for items elsewhere."""
    return sa.case((sa.func.jsonb_typeof(document) == sa.literal_column(f"'{kind}'"), document))


WORDS: dict[str, Words] = {"sqlite": SqliteWords(), "postgresql": PostgresWords()}


class Criteria:
    """Makes the conditions of one statement; `table_of` gives the tables of templates that fields name."""

    def __init__(self, dialect: str, table_of: Callable[[TemplateId], TemplateTable]) -> None:
        self._dialect, self._words = dialect, WORDS[dialect]
        self._table_of = table_of
        self._names = (f"part{n}" for n in itertools.count())

    def of(self, node: Node, own: Any) -> Condition:
        """The condition on rows with the columns `own`."""
        match node:
            case Every(parts):
                return sa.and_(sa.true(), *(self.of(part, own) for part in parts))
            case Some(parts):
                return sa.or_(sa.false(), *(self.of(part, own) for part in parts))
            case Opposite(part):
                return sa.not_(sa.func.coalesce(self.of(part, own), sa.false()))
            case Comparison(column, operator, slots):
                return self._test(own[column], operator, [sa.bindparam(slot) for slot in slots])
            case Linked((transaction, index), targets):
                return sa.or_(sa.false(), *(self._linked(own[transaction], own[index], *each) for each in targets))
            case Nested(column, pattern, contained):
                document = self._words.document(own[column])
                return sa.and_(self._words.contains(document, sa.bindparam(contained)), self._nested(pattern, document))
            case Found(template, slot):
                words = self._table_of(template).words
                number: Element = own["_number"]
                return number.in_(among(self._dialect, words, sa.bindparam(slot)))
            case Within(column, several, leaves, part):
                return self._within(own[column], dict(leaves), part, several=several)

    def _test(self, column: Element, operator: str, wanted: list[Any]) -> Condition:
        words = self._words
        match operator:
            case "is-null":
                return column.is_(None)
            case "not-null":
                return column.is_not(None)
            case "in":
                return column.in_(wanted) if wanted else sa.false()
            case "like":
                return words.like(column, wanted[0])
            case "ilike":
                return words.like(words.lower(column), wanted[0])
            case "has-key":
                return words.has_key(words.document(column), next(self._names), wanted[0])
        if operator.endswith(_BEGINNING):
            column, operator = beginning(column), operator.removesuffix(_BEGINNING)
        ordered: dict[str, Condition] = {
            "eq": column == wanted[0], "lt": column < wanted[0], "le": column <= wanted[0], "gt": column > wanted[0],
            "ge": column >= wanted[0],
        }  # fmt: skip
        return ordered[operator]

    def _within(self, column: Element, leaves: Mapping[str, Leaf], part: Node, *, several: bool) -> Condition:
        words, document = self._words, self._words.document(column)
        if several:
            wanted: Each = lambda item: self.of(part, _Record(words, item, leaves))  # noqa: E731 - one of two ways
            return words.some_item(document, next(self._names), wanted)
        return sa.and_(column.is_not(None), self.of(part, _Record(words, document, leaves)))

    def _linked(self, transaction: Element, index: Element, target: TemplateId, part: Node) -> Condition:
        kept, there = contracts.alias(next(self._names)), self._table_of(target).table.alias(next(self._names))
        named = (kept.c.transaction_id == transaction, kept.c.entry_index == index)
        return _exists(kept.join(there, there.c["_number"] == kept.c.number), *named, self.of(part, there.c))

    def _nested(self, pattern: Pattern, document: Element) -> Condition:
        words = self._words
        match pattern:
            case Same(slot):
                return words.same(document, sa.bindparam(slot))
            case Items(parts):
                return sa.and_(*(self._nested(part, words.item(document, place)) for place, part in parts))
            case Holding(parts):
                return sa.and_(*(words.some_item(document, next(self._names), self._wanted(part)) for part in parts))
            case Keys(parts):
                return sa.and_(
                    *(words.key(document, next(self._names), sa.bindparam(slot), self._wanted(part))
                      for slot, part in parts)
                )  # fmt: skip

    def _wanted(self, pattern: Pattern) -> Each:
        return lambda document: self._nested(pattern, document)


class _Record:
    """The columns that a record in JSON would have, for conditions to be about."""

    def __init__(self, words: Words, document: Element, leaves: Mapping[str, Leaf]) -> None:
        self._words, self._document, self._leaves = words, document, leaves

    def __getitem__(self, column: str) -> Element:
        return self._words.leaf(self._document, self._leaves[column])
