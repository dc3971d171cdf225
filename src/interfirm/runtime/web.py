"""All of a node's HTTP interface in one application: what each door adds, behind the same headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from interfirm.api.graphql.app import graphql_routes
from interfirm.api.metrics import MetricsDoor
from interfirm.api.pushing import Pushing
from interfirm.api.rest.app import rest_app
from interfirm.api.rest.idempotency import Answers
from interfirm.api.signin.app import with_sign_in
from interfirm.api.webhooks.sending import HttpSender
from interfirm.runtime.doors import Doors
from interfirm.runtime.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from interfirm.runtime.node_process import NodeProcess


def web_application(process: NodeProcess) -> tuple[ASGIApp, Pushing]:
    """The application of a node's process, and what delivers its webhooks."""
    configuration = process.assembly.configuration
    port = Doors(process, configuration.signin, configuration.oidc)
    answers = Answers(process.assembly.vault, process.clock.now_ms)
    pushing = Pushing(
        port, process.assembly.vault, process.assembly.books.keys.vrf, changes=port.changes,
        sender=HttpSender(private=configuration.webhooks.private),
    )  # fmt: skip
    application = rest_app(port, answers, more=pushing.endpoints, beside=graphql_routes(port, answers))
    application = with_sign_in(application, port)
    application = MetricsDoor(application, port, content_type=CONTENT_TYPE, answered=process.metrics.answered)
    return application, pushing
