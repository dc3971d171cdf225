"""All of a node's HTTP interface in one application: what each door adds, behind the same headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from interfirm.api.entities import Entities
from interfirm.api.graphql.app import graphql_routes
from interfirm.api.metrics import MetricsDoor
from interfirm.api.pushing import Pushing
from interfirm.api.rest.app import rest_app
from interfirm.api.rest.endpoints import NOTHING
from interfirm.api.rest.idempotency import Answers
from interfirm.api.signin.app import with_sign_in
from interfirm.api.signin.described import elsewhere
from interfirm.api.signin.guard import SessionGuard
from interfirm.api.webhooks.sending import HttpSender
from interfirm.node.access.staff import Entity
from interfirm.runtime.configuration import url_of
from interfirm.runtime.doors import Doors
from interfirm.runtime.group import path_of
from interfirm.runtime.logs import speak_for
from interfirm.runtime.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from interfirm.runtime.node_process import NodeProcess


class WebApplication:
    """The application of a node's process; of one that has a host, under its own path of the host's.

    People sign in at the host alone. `pushing` is what delivers the node's webhooks.
    """

    def __init__(self, process: NodeProcess, *, host: WebApplication | None = None) -> None:
        configuration, vault = process.assembly.configuration, process.assembly.vault
        self.firm = process.assembly.home.member.slug
        self.url = (configuration.signin.origin or url_of(configuration.api)) + configuration.signin.path
        within: Doors | None = None if host is None else host.doors
        self.doors: Doors = Doors(process, configuration.signin, configuration.oidc, host=within)
        answers = Answers(vault, process.clock.now_ms)
        self.pushing = Pushing(
            self.doors, vault, process.assembly.books.keys.vrf, changes=self.doors.changes,
            sender=HttpSender(private=configuration.webhooks.private),
        )  # fmt: skip
        signing_in = elsewhere(configuration.signin, provider=bool(configuration.oidc.issuer))
        rest = rest_app(
            self.doors, answers, more=self.pushing.endpoints, beside=graphql_routes(self.doors, answers),
            elsewhere=signing_in if host is None else NOTHING,
        )  # fmt: skip
        guarded = with_sign_in(rest, self.doors) if host is None else SessionGuard(rest, configuration.signin)
        counted = process.metrics.answered
        self._application = Entities(MetricsDoor(guarded, self.doors, content_type=CONTENT_TYPE, answered=counted))
        if host is not None:
            host.take_in(self, process)

    def take_in(self, entity: WebApplication, process: NodeProcess) -> None:
        """Answer for an entity under its path, to its own people and to those here who have roles there."""
        home, desk = process.assembly.home, self.doors.desk
        url = f"{self.url}{path_of(home)}"
        entering = Entity(slug=home.member.slug, name=home.member.name, url=url)
        desk.staff.take_in(entering, process.assembly.desk.staff, host=self.firm)
        self._application.mount(home.member.slug, entity)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        speak_for(self.firm)
        application: ASGIApp = self._application
        await application(scope, receive, send)
