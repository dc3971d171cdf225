"""The short way for fields without parts gives what graphql-core gives the long way, errors included."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import (
    ExecutionResult,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    execute_sync,
    parse,
)

from interfirm.api.graphql.leaves import LEAF, LeafExecutor, shown_field

STATUS = GraphQLEnumType("Status", {name: name for name in ("active", "consumed")})
PART = GraphQLObjectType("Part", {"amount": shown_field(GraphQLString, lambda row: row["amount"])})
ROW = GraphQLObjectType("Row", {
    "text": shown_field(GraphQLNonNull(GraphQLString), lambda row: row["text"]),
    "number": shown_field(GraphQLInt, lambda row: row["number"]),
    "status": shown_field(STATUS, lambda row: row["status"]),
    "many": shown_field(GraphQLList(GraphQLString), lambda row: row["many"]),
    "part": shown_field(PART, lambda row: row["part"]),
})  # fmt: skip
SCHEMA = GraphQLSchema(GraphQLObjectType("Query", {"rows": GraphQLField(GraphQLList(ROW))}))
WHOLE = {"text": "a", "number": 0, "status": "active", "many": ["x", None], "part": {"amount": "1.00"}}
QUERIES = (
    "{ rows { text number status many part { amount } __typename } }",
    "{ rows { one: number ...More text @skip(if: true) } } fragment More on Row { part { amount } status }",
    "query($no: Boolean = false) { rows { text number @include(if: $no) } }",
)  # fmt: skip


def answered(query: str, rows: list[dict[str, Any]], executor: Any) -> tuple[Any, list[Any]]:
    result = execute_sync(SCHEMA, parse(query), {"rows": rows}, executor_class=executor)
    assert isinstance(result, ExecutionResult)
    return result.data, [(error.message, error.path) for error in result.errors or ()]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("changes", [
    {}, {"number": None}, {"status": None, "many": None, "part": None}, {"text": None}, {"part": {}},
])  # fmt: skip
def test_answers_and_errors_are_those_of_the_long_way(query: str, changes: dict[str, Any]) -> None:
    rows = [WHOLE, WHOLE | changes]
    assert answered(query, rows, LeafExecutor) == answered(query, rows, None)


def test_a_fault_is_told_with_its_place() -> None:
    rows = [{name: value for name, value in WHOLE.items() if name != "number"}]
    data, errors = answered("{ rows { text number } }", rows, LeafExecutor)
    assert data == {"rows": [{"text": "a", "number": None}]}
    assert errors == [("'number'", ["rows", 0, "number"])]


def test_what_has_parts_goes_the_long_way() -> None:
    assert LEAF in ROW.fields["text"].extensions
    assert LEAF not in ROW.fields["part"].extensions
    assert LEAF not in ROW.fields["many"].extensions
