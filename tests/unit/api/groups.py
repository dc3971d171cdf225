"""A group of companies in one process: the production doors of a host and its entities, on a network in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.unit.api.rest.nodes import YEAR_MS, Client, FirmNode, nodes

from interfirm.api.signin.settings import SigninSettings
from interfirm.node.access.types import OWNER
from interfirm.runtime.configuration import Configuration
from interfirm.runtime.layout import Home, Member
from interfirm.runtime.node_process import NodeProcess
from interfirm.runtime.web import WebApplication

ORIGIN = "https://node.firm.example"


class Group:
    """A host and its entities; `firm0` is the host, `app` all that is at its address."""

    def __init__(self, members: list[FirmNode]) -> None:
        self.host, *self.entities = members
        self.app = self._web(self.host, None)
        for entity in self.entities:
            self._web(entity, self.app)
            self.host.hosted.append(entity)

    def _web(self, node: FirmNode, host: WebApplication | None) -> WebApplication:
        name = node.firm.name
        member = cast("Member", SimpleNamespace(slug=name, name=f"{name} NV"))
        node.assembly.home = Home(folder=Path(name), member=member)
        node.assembly.configuration = Configuration(signin=SigninSettings(origin=ORIGIN))
        node.assembly.books = SimpleNamespace(keys=node.firm.firm.keys)
        node.metrics = SimpleNamespace(answered=lambda *_: None)
        node.changing = SimpleNamespace(subscribe=node.changes)
        made = WebApplication(cast("NodeProcess", node), host=host)
        node.port = made.doors
        return made

    def person(self, name: str, *roles: str, at: FirmNode | None = None, **more: Any) -> Client:
        """A client that shows a new token of a person of the host, or of one of its entities' own."""
        return Client(self.app, self.token(name, *roles, at=at, **more))

    def token(self, name: str, *roles: str, at: FirmNode | None = None, **more: Any) -> str:
        node = at or self.host
        asked(node, "access.person-put", name=name, roles=list(roles), active=True)
        made: str = asked(node, "access.token-new", person=name, days=YEAR_MS // (24 * 3600 * 1000) - 1, **more)[
            "token"
        ]
        return made

    def leaves(self, name: str) -> None:
        """A person of the host leaves."""
        asked(self.host, "access.person-put", name=name, active=False)


def asked(node: FirmNode, operation: str, **arguments: Any) -> dict[str, Any]:
    """What the user who runs a node asks over its control socket."""
    answer = node.desk.of(OWNER).handle(operation, arguments)
    assert isinstance(answer, dict)
    return answer


def at(node: FirmNode, path: str) -> str:
    """A path of an entity's doors."""
    return f"/entities/{node.firm.name}{path}"


@contextmanager
def a_group(count: int = 2) -> Iterator[Group]:
    with nodes(count) as made:
        yield Group(made)
