"""A firm's node behind its GraphQL interface, on the nodes that the REST interface is tested with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
from starlette.applications import Starlette
from tests.unit.api.rest.nodes import Client, FirmNode, nodes

from interfirm.api.graphql.app import graphql_routes
from interfirm.api.graphql.ports import Changed
from interfirm.api.rest.idempotency import Answers
from interfirm.node.access.types import Caller, Role, Rule
from interfirm.node.reading import Reading
from interfirm.node.vault.turn import Turn

ALL = Role("all", "May everything.", ("*",), (Rule("*", read=True, create=True, choices=("*",)),))


class GraphDoors:
    """The doors of a node (see api.graphql.ports.GraphPort); what changes is told by `commit`."""

    def __init__(self, node: FirmNode) -> None:
        self._node = node
        self._doors = node.port
        self.told: list[Changed] = []
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._doors, name)

    def reading(self, caller: Caller) -> Reading:
        return self._node.desk.of(caller)

    def read(self) -> AbstractContextManager[Turn]:
        self.reads += 1
        return self._node.firm.vault.read()

    def changes(self, changed: Changed) -> Callable[[], None]:
        self.told.append(changed)
        return lambda: self.told.remove(changed)

    def commit(self, *templates: str) -> None:
        for changed in list(self.told):
            changed(frozenset(templates))


class GraphNode:
    """One firm's node with its GraphQL door."""

    def __init__(self, node: FirmNode) -> None:
        self.node = node
        self.port = GraphDoors(node)
        self.app = Starlette(routes=graphql_routes(self.port, Answers(node.firm.vault, node.firm.clock_ms)))

    def client(self, name: str, *roles: Any, **more: Any) -> Asker:
        return Asker(self.app, self.node.client(name, *roles, **more))

    def all(self) -> Asker:
        """A client that may everything."""
        return self.client("ann", ALL)


class Asker:
    """A program that asks in GraphQL."""

    def __init__(self, app: Any, client: Client) -> None:
        self.headers = client.headers
        self.client = Client(app, None)
        self.client.headers = client.headers

    def post(self, query: str | None, **more: Any) -> httpx.Response:
        return self.client.post("/graphql", json={"query": query, **more} if query else more)

    def data(self, query: str, **variables: Any) -> Any:
        answer = self.post(query, variables=variables)
        assert answer.status_code == 200, answer.text
        assert "errors" not in answer.json(), answer.text
        return answer.json()["data"]

    def code(self, query: str, **more: Any) -> str:
        """The code of the first error."""
        return str(self.post(query, **more).json()["errors"][0]["extensions"]["code"])


@contextmanager
def graph_nodes(count: int = 2, **more: Any) -> Iterator[list[GraphNode]]:
    with nodes(count, **more) as made:
        yield [GraphNode(each) for each in made]


CASH = """mutation($amount: String!, $owner: String!, $issuer: String!, $request: String) {
  cash_Cash_create(request: $request, fields: {issuer: $issuer, owner: $owner,
                                               amount: {amount: $amount, currency: "EUR"}}) {
    state transaction created code reason } }"""


def issue(graph: GraphNode, asker: Asker, amount: str, **more: Any) -> str:
    """The ref of cash that was issued."""
    me = graph.node.firm.name
    flow = asker.data(CASH, **{"amount": amount, "owner": me, "issuer": me, **more})["cash_Cash_create"]
    assert flow["state"] == "done", flow
    return str(flow["created"][0])
