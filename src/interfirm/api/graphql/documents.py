"""Queries as texts: parsed, judged against limits and validated once per text and schema, and kept.

What a query may cost is known before anything is read: every field counts one, times the rows that the lists around it
ask for. Texts are limited before they are validated, as validating what is made to be slow is slow.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    parse,
    validate,
)

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.node.vault.listing import LIMIT_MAX

DEFAULT_LIMIT = 50
"""Rows of a list that says nothing of how many."""
K = TypeVar("K")
V = TypeVar("V")


class Kept(Generic[K, V]):
    """What was used last, up to a count."""

    def __init__(self, count_max: int) -> None:
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._count_max = count_max

    def get(self, key: K) -> V | None:
        """What is kept under a key."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> V:
        """Keep a value, and forget the one that was not used for longest."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._count_max:
            self._kept.popitem(last=False)
        return value


class Document:
    """A query that was parsed, is within limits and valid for a schema."""

    __slots__ = ("_fragments", "_schema", "node", "operations")

    def __init__(self, node: DocumentNode, schema: GraphQLSchema) -> None:
        self.node = node
        self._schema = schema
        self.operations = [each for each in node.definitions if isinstance(each, OperationDefinitionNode)]
        self._fragments = {
            each.name.value: each for each in node.definitions if isinstance(each, FragmentDefinitionNode)
        }

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation that is asked for; Refusal `graphql.operation`."""
        named = [each for each in self.operations if name is None or (each.name and each.name.value == name)]
        check(len(named) == 1, "graphql.operation", "say which operation of the query is meant", name=str(name)[:80])
        return named[0]

    def root(self, selected: SelectionSetNode) -> str:
        """The name of the first field, also where a fragment has it."""
        first: Any = selected.selections[0]
        if isinstance(first, FieldNode):
            return first.name.value
        inner = self._fragments[first.name.value] if isinstance(first, FragmentSpreadNode) else first
        return self.root(inner.selection_set)

    def check_cost(self, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> None:
        """Refuse (`graphql.cost`) an operation that would show too much."""
        root: Any = self._schema.get_root_type(operation.operation)
        cost = self._cost(operation.selection_set, root, variables, 1)
        check(cost <= LIMITS.graphql_cost_max, "graphql.cost", "the query asks for too much at once", cost=cost,
              cost_max=LIMITS.graphql_cost_max)  # fmt: skip

    def check_limits(self) -> None:
        """Refuse (`graphql.depth`, `graphql.fields`) what is nested too deeply, or has too many fields."""
        for operation in self.operations:
            fields = self._count(operation.selection_set, 1, ())
            few = fields <= LIMITS.graphql_fields_count_max
            check(few, "graphql.fields", "the query has too many fields", fields_max=LIMITS.graphql_fields_count_max)
            roots = len(operation.selection_set.selections)
            check(roots <= LIMITS.graphql_roots_count_max, "graphql.fields", "the query asks too many things at once",
                  roots=roots, roots_max=LIMITS.graphql_roots_count_max)  # fmt: skip

    def _count(self, selected: SelectionSetNode, depth: int, within: tuple[str, ...]) -> int:
        check(depth <= LIMITS.graphql_depth_max, "graphql.depth", "the query is nested too deeply",
              depth_max=LIMITS.graphql_depth_max)  # fmt: skip
        count = 0
        for each in selected.selections:
            count += 1 + self._inside(each, depth, within)
            if count > LIMITS.graphql_fields_count_max:
                break  # fragments in fragments could be counted for ever
        return count

    def _inside(self, each: Any, depth: int, within: tuple[str, ...]) -> int:
        if isinstance(each, FragmentSpreadNode):
            name = each.name.value
            check(name not in within, "graphql.fragment", "a fragment contains itself", fragment=name[:80])
            if name not in self._fragments:
                return 0
            return self._count(self._fragments[name].selection_set, depth, (*within, name))
        if each.selection_set is None:
            return 0
        return self._count(each.selection_set, depth + isinstance(each, FieldNode), within)

    def _cost(self, selected: SelectionSetNode, parent: Any, variables: Mapping[str, Any], times: int) -> int:
        cost = 0
        for each in selected.selections:
            if isinstance(each, FragmentSpreadNode):
                cost += self._cost(self._fragments[each.name.value].selection_set, parent, variables, times)
            elif isinstance(each, InlineFragmentNode):
                cost += self._cost(each.selection_set, parent, variables, times)
            elif isinstance(each, FieldNode) and not each.name.value.startswith("__"):
                field = parent.fields[each.name.value]
                cost += times
                if each.selection_set is not None:
                    rows = times * _rows(each, field, variables)
                    cost += self._cost(each.selection_set, get_named_type(field.type), variables, rows)
        return cost


def _rows(node: FieldNode, field: GraphQLField, variables: Mapping[str, Any]) -> int:
    """How many rows a field asks for; 1 unless it is a list that has a limit."""
    name = next((each for each in ("limit", "batch_size") if each in field.args), None)
    if name is None:
        return 1
    limit = next((each.value for each in node.arguments or () if each.name.value == name), None)
    if limit is None:
        return DEFAULT_LIMIT
    if isinstance(limit, IntValueNode):
        return min(int(limit.value[:9]), LIMIT_MAX)
    found = variables.get(limit.name.value) if isinstance(limit, VariableNode) else None
    return min(found, LIMIT_MAX) if type(found) is int and found >= 0 else LIMIT_MAX


class Documents:
    """Queries by text and schema, and by the SHA-256 of their text for clients that send nothing else."""

    def __init__(self) -> None:
        self._documents: Kept[tuple[int, str], Document] = Kept(LIMITS.graphql_kept_count_max)
        self._texts: Kept[str, str] = Kept(LIMITS.graphql_kept_count_max)

    def text_of(self, text: str | None, sha256: str | None) -> str:
        """The text of a query, by its hash alone once both came together.

        Raises Refusal `graphql.persisted-unknown`, `graphql.persisted-hash`, `graphql.query`.
        """
        if sha256 is None:
            check(bool(text), "graphql.query", "there is no query")
            return text or ""
        if text is None:
            known = self._texts.get(sha256)
            if known is None:
                raise Refusal("graphql.persisted-unknown", "no query is known by this hash", sha256=sha256[:64])
            return known
        found = hashlib.sha256(text.encode()).hexdigest()
        check(found == sha256, "graphql.persisted-hash", "the query has another hash", sha256=found)
        return text

    def document(self, schema: GraphQLSchema, number: int, text: str, sha256: str | None = None) -> Document:
        """The document of a text, valid for a schema, which `number` names.

        Raises Refusal `graphql.size`, `graphql.syntax`, `graphql.invalid`, `graphql.depth`, `graphql.fields`.
        """
        found = self._documents.get((number, text))
        if found is None:
            found = self._documents.put((number, text), _judged(schema, text))
        if sha256 is not None:
            self._texts.put(sha256, text)
        return found


def _judged(schema: GraphQLSchema, text: str) -> Document:
    size = len(text.encode())
    check(size <= LIMITS.graphql_query_bytes_max, "graphql.size", "the query is too large", bytes=size,
          bytes_max=LIMITS.graphql_query_bytes_max)  # fmt: skip
    try:
        document = Document(parse(text, max_tokens=LIMITS.graphql_tokens_count_max), schema)
        document.check_limits()
        errors = validate(schema, document.node, max_errors=5)
    except GraphQLSyntaxError as error:
        raise Refusal("graphql.syntax", "this is no query", errors=[_place(error)]) from error
    except RecursionError as error:
        raise Refusal("graphql.depth", "the query is nested too deeply", depth_max=LIMITS.graphql_depth_max) from error
    check(not errors, "graphql.invalid", "the query does not fit what you may ask", errors=[_place(e) for e in errors])
    return document


def _place(error: GraphQLError) -> dict[str, Any]:
    lines = [{"line": each.line, "column": each.column} for each in error.locations or ()]
    return {"message": error.message[:500], "locations": lines}
