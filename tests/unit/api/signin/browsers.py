"""A firm's node where people sign in, and browsers that do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import httpx
from argon2 import PasswordHasher
from tests.unit.api.rest.nodes import FirmNode, nodes

from interfirm.api.rest.app import rest_app
from interfirm.api.rest.idempotency import Answers
from interfirm.api.signin.app import with_sign_in
from interfirm.api.signin.described import elsewhere
from interfirm.api.signin.settings import SigninSettings
from interfirm.node.access import audit, passwords, people
from interfirm.node.access.oidc_settings import OidcSettings
from interfirm.node.access.people import Person
from interfirm.node.access.types import OWNER
from interfirm.runtime.doors import Doors
from interfirm.runtime.node_process import NodeProcess

ORIGIN = "https://node.firm.example"
PASSWORD = "four words in a row"
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
"""What passwords cost is a matter of tests/unit/node/access."""
OTHER_PASSWORD = "six other words in a row"


class SigninNode:
    """One firm's node with REST and sign-in behind the guard, on a clock of its own."""

    def __init__(self, firm: FirmNode, settings: SigninSettings, oidc: OidcSettings) -> None:
        self.firm = firm
        self.at_ms = firm.firm.clock_ms()
        self.settings = settings
        firm.clock = SimpleNamespace(now_ms=lambda: self.at_ms)
        firm.desk.now_ms = lambda: self.at_ms
        self.vault = firm.firm.vault
        self.doors = Doors(cast("NodeProcess", firm), settings, oidc)
        answers = Answers(self.vault, lambda: self.at_ms)
        self.elsewhere = elsewhere(settings, provider=bool(oidc.issuer))
        self.app = with_sign_in(rest_app(self.doors, answers, elsewhere=self.elsewhere), self.doors)

    def person(self, name: str = "anna", *roles: str) -> None:
        with self.vault.turn() as turn:
            people.put_person(turn, Person(name=name, roles=roles or ("viewer",), created_ms=self.at_ms))

    def owner(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """What the user who runs the node asks over the control socket."""
        answer = self.firm.desk.of(OWNER).handle(operation, arguments)
        assert isinstance(answer, dict)
        return answer

    def invited(self, name: str = "anna") -> str:
        code: str = self.owner("access.invite", person=name)["code"]
        return code

    def logged(self) -> list[tuple[str, str, str, str]]:
        """(who, operation, about, outcome) of the audit log."""
        with self.vault.read() as turn:
            return [(e.caller, e.operation, e.subject, e.outcome) for e in audit.entries(turn, limit=500)]

    def browser(self, address: str = "192.0.2.1") -> Browser:
        return Browser(self, address)

    def signed_in(self, name: str = "anna", *roles: str, address: str = "192.0.2.1") -> Browser:
        """A browser in which a person with a password has signed in."""
        self.person(name, *roles)
        browser = self.browser(address)
        assert browser.accept(self.invited(name)).status_code == 201
        return browser


class Browser:
    """Keeps cookies as browsers do, and sends what a page of the node sends."""

    def __init__(self, node: SigninNode, address: str) -> None:
        self.node = node
        self.address = address
        self.cookies = httpx.Cookies()
        self.csrf = ""

    def request(self, method: str, path: str, *, base: str = "", **more: Any) -> httpx.Response:
        return asyncio.run(self.asks(method, path, base=base, **more))

    async def asks(self, method: str, path: str, *, base: str = "", **more: Any) -> httpx.Response:
        origin = base or self.node.settings.origin
        headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": self.csrf} | more.pop(
            "headers", {}
        )
        headers = {name: value for name, value in headers.items() if value is not None}
        transport = httpx.ASGITransport(self.node.app, client=(self.address, 1))
        async with httpx.AsyncClient(transport=transport, base_url=origin, cookies=self.cookies) as client:
            answer = await client.request(method, path, headers=headers, **more)
            self.cookies = client.cookies
        if answer.is_success and "csrf" in answer.text:
            self.csrf = answer.json().get("csrf", self.csrf)
        return answer

    def get(self, path: str = "/v1/session", **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return self.request("POST", path, json=body, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.request("DELETE", path, **more)

    def sign_in(self, name: str = "anna", password: str = PASSWORD, **more: Any) -> httpx.Response:
        return self.post("/v1/session", {"name": name, "password": password}, **more)

    def accept(self, code: str, password: str = PASSWORD) -> httpx.Response:
        return self.post("/v1/session/invitation", {"code": code, "password": password})

    @property
    def session(self) -> str:
        """The text of the session's cookie."""
        return next((c.value or "" for c in self.cookies.jar if c.name.endswith("interfirm-session")), "")


@contextmanager
def a_node(settings: SigninSettings | None = None, oidc: OidcSettings | None = None) -> Iterator[SigninNode]:
    with nodes(1) as [firm], patch.multiple(passwords, HASHER=CHEAP, NOBODYS=CHEAP.hash(PASSWORD[::-1])):
        yield SigninNode(firm, (settings or SigninSettings(origin=ORIGIN)).checked(), oidc or OidcSettings())
