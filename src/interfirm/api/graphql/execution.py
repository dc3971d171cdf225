"""A query from its text to its answer: by the schema of the caller's roles, in limits, in one state of the vault."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import structlog
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    execute,
    execute_sync,
)

from interfirm.api.graphql.changing import Changer
from interfirm.api.graphql.documents import Document, Documents, Kept
from interfirm.api.graphql.leaves import LeafExecutor
from interfirm.api.graphql.ports import GraphPort
from interfirm.api.graphql.reading import View
from interfirm.api.graphql.schema import schema_of
from interfirm.api.rest.idempotency import Answers
from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node.access.types import Caller

_log = structlog.get_logger("interfirm.graphql")
FAULT = Refusal("node.fault", "the node failed over this request")


class Asked(Value, frozen=True):
    """What a client asks: the text of a query or its hash, its variables, and which of its operations."""

    query: str | None
    variables: Mapping[str, Any]
    operation: str | None
    sha256: str | None


def asked_of(given: Any) -> Asked:
    """What is asked by the JSON of a request; Refusal `graphql.shape`. Source: GraphQL over HTTP, section 5."""
    known = {"query": str, "variables": dict, "operationName": str, "extensions": dict}
    fits = isinstance(given, dict) and all(
        given[name] is None or isinstance(given[name], known.get(name, ())) for name in given
    )
    check(fits, "graphql.shape", "a request has query, variables, operationName and extensions", known=list(known))
    persisted = (given.get("extensions") or {}).get("persistedQuery") or {}
    sha256 = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    check(sha256 is None or isinstance(sha256, str), "graphql.shape", "the hash of a query is a text")
    return Asked(given.get("query"), given.get("variables") or {}, given.get("operationName"), sha256)


class Prepared:
    """An operation that is valid and within limits, with what its answers are made by."""

    def __init__(self, schema: GraphQLSchema, document: Document, asked: Asked) -> None:
        self.operation: OperationDefinitionNode = document.operation(asked.operation)
        document.check_cost(self.operation, asked.variables)
        self.kind: OperationType = self.operation.operation
        self._root = document.root(self.operation.selection_set)
        self._schema = schema
        self._document: DocumentNode = document.node
        self._asked = asked

    def template(self) -> str:
        """The path of the template that a stream is about; empty where it is about every one."""
        root: Any = self._schema.subscription_type
        found: str = root.fields[self._root].extensions["template"]
        return found

    def answer(self, view: View) -> dict[str, Any]:
        """The answer of what reads alone."""
        result = execute_sync(
            self._schema, self._document, context_value=view, variable_values=dict(self._asked.variables),
            operation_name=self._asked.operation, executor_class=LeafExecutor,
        )  # fmt: skip
        return shown(result)

    async def change(self, changer: Changer) -> dict[str, Any]:
        """The answer of what changes something."""
        made = execute(
            self._schema, self._document, context_value=changer, variable_values=dict(self._asked.variables),
            operation_name=self._asked.operation,
        )  # fmt: skip
        return shown(made if isinstance(made, ExecutionResult) else await made)


class Executor:
    """Answers queries of any caller; schemas and documents are kept."""

    def __init__(self, port: GraphPort, answers: Answers) -> None:
        self.port = port
        self.answers = answers
        self.documents = Documents()
        self._schemas: Kept[Any, tuple[int, GraphQLSchema]] = Kept(LIMITS.graphql_schemas_count_max)
        self._known: Kept[Any, tuple[int, GraphQLSchema]] = Kept(LIMITS.graphql_kept_count_max)
        """The same by what they follow from: who asks, what the roles say now, how many templates there are."""
        self._numbers = itertools.count()

    def schema(self, caller: Caller) -> tuple[int, GraphQLSchema]:
        """The schema of what the caller may do, and its number."""
        reading = self.port.reading(caller)
        known = (caller, reading.permission.roles, len(reading.engine.templates()))
        return self._known.get(known) or self._known.put(known, self._schema(caller))

    def _schema(self, caller: Caller) -> tuple[int, GraphQLSchema]:
        shown_to = self.port.templates(caller)
        key = tuple(
            (each.path, each.code.id, each.create, frozenset(each.choices), each.hidden) for each in shown_to
        )  # fmt: skip
        found = self._schemas.get(key)
        return found or self._schemas.put(key, (next(self._numbers), schema_of(shown_to)))

    def prepare(self, caller: Caller, asked: Asked) -> Prepared:
        """What was asked, ready to be answered; Refusal `graphql.*`."""
        number, schema = self.schema(caller)
        text = self.documents.text_of(asked.query, asked.sha256)
        return Prepared(schema, self.documents.document(schema, number, text, asked.sha256), asked)

    async def answer(self, caller: Caller, asked: Asked, *, reading_only: bool = False) -> dict[str, Any]:
        """The answer to a query or change; Refusal `graphql.*` where it is neither answered nor begun."""
        prepared = self.prepare(caller, asked)
        if prepared.kind is OperationType.QUERY:
            with self.port.read() as turn:
                return prepared.answer(View(self.port, caller, turn))
        check(prepared.kind is OperationType.MUTATION, "graphql.operation", "streams are followed over a WebSocket")
        check(not reading_only, "graphql.operation", "what changes something is sent by POST")
        return await prepared.change(Changer(self.port, caller, self.answers))


def shown(result: ExecutionResult) -> dict[str, Any]:
    """The JSON of a result; refusals keep their codes, and faults tell nothing but that they are."""
    answer: dict[str, Any] = {"data": result.data}
    return answer | ({"errors": [_error(each) for each in result.errors]} if result.errors else {})


def refused(refusal: Refusal) -> dict[str, Any]:
    """The JSON of a query that was refused before it began."""
    return {"errors": [{"message": refusal.message, "extensions": refusal.as_plain()}]}


def _error(error: GraphQLError) -> dict[str, Any]:
    found: dict[str, Any] = {"message": error.message, "extensions": {"code": "graphql.invalid"}}
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    if isinstance(original, Refusal):
        found = refused(original)["errors"][0]
    elif original is not None and not isinstance(original, GraphQLError):
        _log.error("graphql.fault", path=error.path, exc_info=original)
        found = refused(FAULT)["errors"][0]
    lines = [{"line": each.line, "column": each.column} for each in error.locations or ()]
    return found | ({"path": list(error.path)} if error.path else {}) | ({"locations": lines} if lines else {})
