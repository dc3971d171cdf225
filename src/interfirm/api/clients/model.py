"""An OpenAPI document as the writers of clients see it: named types, and methods in groups. Pure.

Only what a node's own document says is understood (OpenAPI 3.1 with the JSON Schema of `api/rest/schemas.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.values import Value

Schema = Mapping[str, Any]
JSON = "application/json"
KEY, PREFER = "Idempotency-Key", "Prefer"
_EVENTS = "text/event-stream"
PEOPLE = "signing in"
"""What people do in browsers; programs show a token."""


class Named(Value, frozen=True):
    """A type with a name."""

    name: str
    schema: Schema


class Argument(Value, frozen=True):
    """A part of the path, or of the query."""

    name: str
    schema: Schema
    required: bool


class Method(Value, frozen=True):
    """One request that a program may make."""

    group: str
    """`cash.Cash`; empty for those of the node itself."""
    name: str
    about: str
    verb: str
    path: str
    within: tuple[Argument, ...]
    """Parts of the path, in order."""
    query: tuple[Argument, ...]
    body: Schema | None
    """None where there is none; empty for bytes as they are."""
    returned: tuple[Schema, ...]
    """What is given back when it is done, or under way; empty for bytes as they are."""
    keyed: bool
    """Whether it may be repeated under an idempotency key."""
    waits: bool
    """Whether the caller may say how long it waits for others."""


class Model(Value, frozen=True):
    """All of a document."""

    title: str
    about: str
    types: tuple[Named, ...]
    methods: tuple[Method, ...]

    @property
    def groups(self) -> list[str]:
        """Groups by name, the node's own aside."""
        return sorted({method.group for method in self.methods if method.group})


def model_of(document: Any) -> Model:
    """What a document describes; Refusal `client.document` for one that is no node's."""
    try:
        info, components, types = document["info"], document["components"], _Types()
        for name, schema in sorted(components["schemas"].items()):
            types.add(type_name(name), schema)
        methods = [_method(verb, path, endpoint, components, types) for path, verb, endpoint in _endpoints(document)
                   if _EVENTS not in _contents(endpoint) and PEOPLE not in endpoint["tags"]]  # fmt: skip
        named = tuple(Named(name, schema) for name, schema in sorted(types.found.items()))
        return Model(title=info["title"], about=info.get("description", ""), types=named, methods=tuple(methods))
    except (KeyError, TypeError, AttributeError) as error:
        raise Refusal("client.document", "this is not the OpenAPI document of a node", missing=str(error)) from error


class _Types:
    """Gives a name to every object with fields, by the place where it stands."""

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {}

    def add(self, name: str, schema: Schema) -> None:
        """A type with a name, and those within it."""
        self.found[name] = self.inner(name, schema)

    def inner(self, name: str, schema: Schema) -> Schema:
        """A schema in which every object with fields is referred to by name, but for itself."""
        if "anyOf" in schema:
            return {**schema, "anyOf": [self.outer(f"{name}{n or ''}", each) for n, each in enumerate(schema["anyOf"])]}
        if "items" in schema:
            return {**schema, "items": self.outer(f"{name}Item", schema["items"])}
        fields = {field: self.outer(name + type_name(field), of) for field, of in schema.get("properties", {}).items()}
        return {**schema, "properties": fields} if fields else schema

    def outer(self, name: str, schema: Schema) -> Schema:
        """A schema without objects of its own."""
        if not schema.get("properties"):
            return self.inner(name, schema)
        self.add(name, schema)
        return {"$ref": name}


def type_name(name: str) -> str:
    """`cash.Cash.Contract` -> `CashCashContract`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))


def referred(schema: Schema) -> str | None:
    """The name of the type that a schema refers to."""
    found = schema.get("$ref")
    return None if found is None else type_name(found.removeprefix("#/components/schemas/"))


class Spelling(Value, frozen=True):
    """How a language writes types."""

    plain: dict[str, str]
    """JSON Schema's names of plain types -> the language's."""
    array: str
    """With {} for what is in it; so is `table`."""
    table: str
    unknown: str
    union: Callable[[Iterable[str]], str]
    literal: Callable[[Iterable[object]], str]
    named: str = "{}"
    """A type that has a name."""

    def kind(self, schema: Schema) -> str:
        """The type of a schema."""
        name = referred(schema)
        if name is not None:
            return self.named.format(name)
        if "anyOf" in schema:
            return self.union(self.kind(each) for each in schema["anyOf"])
        if "enum" in schema or "const" in schema:
            return self.literal(schema.get("enum", [schema.get("const")]))
        match schema.get("type"):
            case "array":
                return self.array.format(self.kind(schema.get("items", {})))
            case "object":
                of = schema.get("additionalProperties")
                return self.table.format(self.kind(of) if isinstance(of, dict) and of else self.unknown)
            case plain:
                return self.plain.get(str(plain), self.unknown)


def fields_of(method: Method) -> Iterator[Argument]:
    """What a request's JSON says, field by field; `more` stands for all that has no name yet."""
    body = method.body or {}
    needed = body.get("required", ())
    for name, schema in body.get("properties", {}).items():
        yield Argument(name=name, schema=schema, required=name in needed)
    if body.get("additionalProperties") is True:
        yield Argument(name="more", schema={"type": "object"}, required=False)


def _endpoints(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, verbs in document["paths"].items():
        for verb, endpoint in verbs.items():
            yield path, verb, endpoint


def _method(verb: str, path: str, endpoint: Any, components: Any, types: _Types) -> Method:
    group, _, name = endpoint["operationId"].rpartition(".")
    called = type_name(endpoint["operationId"])
    parameters = [_parameter(each, components) for each in endpoint.get("parameters", ())]
    headers = {each["name"] for each in parameters if each["in"] == "header"}
    contents = endpoint.get("requestBody", {}).get("content")
    done = [answer for status, answer in endpoint["responses"].items() if status.startswith("2")]
    return Method(
        group=group, name=name, about=endpoint.get("summary", ""), verb=verb.upper(), path=path,
        within=tuple(_argument(each) for each in parameters if each["in"] == "path"),
        query=tuple(_argument(each) for each in parameters if each["in"] == "query"),
        body=None if contents is None else types.inner(called, contents[JSON]["schema"]) if JSON in contents else {},
        returned=tuple(
            types.outer(f"{called}Answer", answer["content"][JSON]["schema"])
            for answer in done if JSON in answer.get("content", {})
        ),
        keyed=KEY in headers, waits=PREFER in headers,
    )  # fmt: skip


def _contents(endpoint: Any) -> set[str]:
    return {kind for answer in endpoint["responses"].values() for kind in answer.get("content", {})}


def _parameter(given: Any, components: Any) -> Any:
    reference = given.get("$ref")
    return given if reference is None else components["parameters"][reference.rpartition("/")[2]]


def _argument(given: Any) -> Argument:
    schema = given["content"][JSON]["schema"] if "content" in given else given["schema"]
    return Argument(name=given["name"], schema=schema, required=bool(given.get("required")))
