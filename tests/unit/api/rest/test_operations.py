"""What an operation takes is documented and judged: each by its own type, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from interfirm.api.rest.arguments import schema_of
from interfirm.node.access.types import Role, Rule
from interfirm.node.arguments import ARGUMENTS, takes
from interfirm.node.operations import OPERATIONS

from .nodes import Client, FirmNode, nodes

ALL = Role("all", "May everything.", ("*",), (Rule("*", read=True, create=True, choices=("*",)),))


@pytest.fixture(scope="module")
def node() -> Iterator[FirmNode]:
    with nodes(2) as found:
        yield found[0]


@pytest.fixture(scope="module")
def client(node: FirmNode) -> Client:
    return node.client("ann", ALL)


def paths(client: Client) -> dict[str, Any]:
    document = client.get("/v1/openapi.json").json()
    return {path: each["post"] for path, each in document["paths"].items() if path.startswith("/v1/operations/")}


def ask(client: Client, name: str, **arguments: Any) -> Any:
    answer = client.post(f"/v1/operations/{name}", json=arguments)
    return answer.status_code, answer.json()


def test_every_operation_that_is_asked_for_by_name_says_what_it_takes(client: Client) -> None:
    found = paths(client)
    assert len(found) > 40
    for path, operation in found.items():
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        assert body["additionalProperties"] is False, path


def test_the_table_of_arguments_names_operations_alone() -> None:
    assert ARGUMENTS.keys() <= OPERATIONS.keys()


@pytest.mark.parametrize(("name", "arguments", "at"), [
    ("jobs.list", {"lines": 3}, "/lines"), ("jobs.list", {"limit": "3"}, "/limit"), ("jobs.show", {}, "/id"),
    ("report.ageing", {"on": "yesterday"}, "/on"), ("node.resume", {"why": "now"}, "/why"),
    ("invoice.import", {"path": "/etc/passwd", "document": "0" * 64}, "/path"),
    ("access.role-put", {"definition": {"name": "x", "about": "", "operations": []}}, "/definition/rules"),
    ("access.approvals-put", {"lines": [{"name": "large", "approvals": 0}]}, "/lines/0/approvals"),
])  # fmt: skip
def test_what_an_operation_does_not_take_is_refused_with_its_place(
    client: Client, name: str, arguments: dict[str, Any], at: str
) -> None:
    status, answer = ask(client, name, **arguments)
    assert (status, answer["code"]) == (400, "http.shape"), answer
    assert [each["at"] for each in answer["errors"]] == [at]


def test_what_it_takes_reaches_it(node: FirmNode, client: Client) -> None:
    lines = [{"name": "large", "template": "cash.Cash", "choice": "move", "field": "amount", "above": "100.00 EUR"}]
    status, answer = ask(client, "access.approvals-put", lines=lines)
    assert (status, answer["lines"][0]["approvals"]) == (200, 1), answer
    definition = {"name": "new", "about": "", "operations": ["whoami"], "rules": [{"template": "*", "read": True}]}
    assert ask(client, "access.role-put", definition=definition)[0] == 200
    assert ask(client, "report.ageing", on="2026-01-31")[1]["on"] == "2026-01-31"
    assert ask(client, "access.sessions", person=None)[0] in (200, 422)
    assert ask(client, "bulk.export", template="cash.Cash", order_by=None)[0] == 200


def test_an_operation_without_a_declaration_takes_what_it_is_given() -> None:
    assert schema_of(None)["additionalProperties"] is True


def test_an_operation_carries_what_it_takes() -> None:
    kind = ARGUMENTS["jobs.list"]

    @takes(kind)
    def operation() -> None: ...

    assert operation.__dict__["takes"] is kind
