"""A firm's node behind its REST interface: the production desk, vault, flows and doors, on a network in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import httpx

from interfirm.api.feed import Changed
from interfirm.api.pushing import Pushing
from interfirm.api.rest.app import rest_app
from interfirm.api.rest.idempotency import Answers
from interfirm.base.errors import Refusal
from interfirm.contracts.packages import Engine
from interfirm.node import changes, webhooks
from interfirm.node.access import audit, people
from interfirm.node.access.people import Person
from interfirm.node.access.types import Caller, Role
from interfirm.node.desk import Desk, Start
from interfirm.node.flows.types import AskedFlow
from interfirm.node.node import Refused
from interfirm.node.operations import OPERATIONS
from interfirm.node.reading import shown_flow
from interfirm.runtime.bootstrap import load_engine
from interfirm.runtime.doors import Doors
from interfirm.runtime.modules import find_modules
from interfirm.runtime.node_process import NodeProcess
from interfirm.sim.firm import SimFirm
from interfirm.sim.world import SIGN_ALL, World

REGISTRATIONS = ("BE0987654394", "BE0812345603", "BE0543210955")
"""Of the firms in their order; the first two are seller and buyer of the example invoice."""
YEAR_MS = 365 * 24 * 3600 * 1000


@cache
def business_engine() -> Engine:
    """The packages of all business modules, loaded once."""
    return load_engine(find_modules())


class WorldNames:
    """Organisations of a world by name (see node.forms.Names)."""

    def __init__(self, world: World) -> None:
        self._population = world.population

    def identity_of(self, name: str) -> bytes:
        for firm, registration in zip(self._population.firms, REGISTRATIONS, strict=False):
            if name in (firm.name, firm.identity.hex(), registration):
                return firm.identity
        raise Refusal("directory.unknown", "this organisation is not in the network", name=str(name)[:80])

    def name_of(self, identity: bytes) -> str:
        return self._population.name_of(identity)

    def registration_of(self, identity: bytes) -> str:
        return REGISTRATIONS[self.organisations().index(identity)]

    def organisations(self) -> list[bytes]:
        return [firm.identity for firm in self._population.firms]

    def notary_of(self, name: str) -> bytes:
        for notary in self._population.notaries:
            if name in (notary.name, notary.id.hex()):
                return notary.id
        raise Refusal("directory.notary", "this notary is not known here", name=str(name)[:80])


class FirmNode:
    """One firm of a world as `runtime.doors` needs a process: the world goes on while somebody waits."""

    def __init__(self, world: World, firm: SimFirm) -> None:
        self.world, self.firm = world, firm
        modules = find_modules()
        of_modules = {name: operation for module in modules for name, operation in module.operations.items()}
        self.desk = Desk(
            firm.vault, firm.services, WorldNames(world), now_ms=firm.clock_ms,
            operations={**OPERATIONS, **changes.OPERATIONS, **webhooks.OPERATIONS, **of_modules},
        )  # fmt: skip
        self.assembly = SimpleNamespace(desk=self.desk, vault=firm.vault)
        self.storage = SimpleNamespace(failure=None)
        self.hosted: list[Any] = []
        self.clock = SimpleNamespace(now_ms=firm.clock_ms)
        self.refused: list[Refused] = []
        release = firm.loop._release

        def note(effect: Any) -> None:
            if isinstance(effect, Refused):
                self.refused.append(effect)
            release(effect)

        firm.loop._release = note
        self._listening: list[Changed] = []
        firm.services.watchers += [changes.note_change, self._recorded]
        firm.services.books.moves.watchers += [changes.note_move, self._recorded]
        self.port = Doors(cast("NodeProcess", self))
        self.pushing = Pushing(self.port, firm.vault, firm.firm.keys.vrf, changes=self.changes)
        self.app: Any = rest_app(self.port, Answers(firm.vault, firm.clock_ms), more=self.pushing.endpoints)

    def changes(self, changed: Changed) -> Callable[[], None]:
        """Tell of every commit that changes contracts (see api.feed)."""
        self._listening.append(changed)
        return lambda: self._listening.remove(changed)

    def _recorded(self, *_: Any) -> None:
        if self._listening:
            asyncio.get_running_loop().call_soon(self.changed)

    def changed(self) -> None:
        """Wake whoever waits for changes."""
        for each in self._listening:
            each(frozenset())

    async def handle(
        self, name: str, arguments: dict[str, Any], caller: Caller
    ) -> dict[str, Any] | AsyncIterator[dict[str, Any]]:
        """See NodeProcess."""
        answer = self.desk.of(caller).handle(name, arguments)
        if isinstance(answer, dict):
            return answer
        if isinstance(answer.event, AskedFlow):
            return self._watch(answer, caller, arguments)
        self.firm.hear(answer.event)
        self.world.run(1_000)
        self._raise(answer.event)
        return {"done": True}

    async def _watch(self, start: Start, caller: Caller, arguments: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        event = cast("AskedFlow", start.event)
        with self.firm.vault.turn() as turn:
            audit.note_asker(turn, event.id, caller)
        self.firm.ask(event, start.privates)
        if arguments.get("progress"):
            while not self._knows(event.id) and not self.refused:
                self.world.run(1)
            self._raise(event)
            yield {"flow": self.flow(event.id)}
        self.world.run(int(arguments["wait_ms"]))
        self._raise(event)
        yield {"flow": self.flow(event.id)}

    def _raise(self, event: Any) -> None:
        for effect in self.refused:
            if effect.event is event:
                raise effect.refusal

    def _knows(self, name: str) -> bool:
        with self.firm.vault.read() as turn:
            return turn.flow(name) is not None

    def flow(self, name: str) -> dict[str, Any]:
        with self.firm.vault.read() as turn:
            record = turn.flow(name)
        assert record is not None
        return shown_flow(record)

    def stranger(self) -> Client:
        """A client that shows nothing."""
        return Client(self.app, None)

    def client(self, name: str, *roles: str | Role, **more: Any) -> Client:
        """A client that shows a new token of a person with these roles."""
        with self.firm.vault.turn() as turn:
            for role in roles:
                if isinstance(role, Role):
                    people.put_role(turn, role)
            names = tuple(role.name if isinstance(role, Role) else role for role in roles)
            people.put_person(turn, Person(name=name, roles=names, created_ms=self.firm.clock_ms(), **more))
            _, token = people.new_token(
                turn, name, note="", scopes=None, expires_ms=self.firm.clock_ms() + YEAR_MS,
                now_ms=self.firm.clock_ms(), random=self.firm.random.randbytes,
            )  # fmt: skip
        return Client(self.app, token)


class Client:
    """A program that asks an application, showing a token or nothing."""

    def __init__(self, app: Any, token: str | None) -> None:
        self.app = app
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self.asks(method, path, **more))

    async def asks(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://node", headers=self.headers) as client:
            return await client.request(method, path, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


@contextmanager
def nodes(count: int = 2, **more: Any) -> Iterator[list[FirmNode]]:
    """The nodes of some firms of one world, everybody signing what holds."""
    with World(1, business_engine(), firms=count, policies=(SIGN_ALL,), **more) as world:
        yield [FirmNode(world, firm) for firm in world.firms]


def cash(node: FirmNode, amount: str = "100.00", owner: str | None = None) -> dict[str, Any]:
    """The body that issues cash of a node's own."""
    return {"fields": {
        "issuer": node.firm.name, "owner": owner or node.firm.name, "amount": {"amount": amount, "currency": "EUR"},
    }}  # fmt: skip


def made(answer: httpx.Response) -> str:
    """The path of a contract that was made."""
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])
