"""All of a node's HTTP interface in one application: what each door adds, behind the same headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from interfirm.api.graphql.app import graphql_routes
from interfirm.api.metrics import MetricsDoor
from interfirm.api.rest.app import rest_app
from interfirm.api.rest.idempotency import Answers
from interfirm.api.signin.app import with_sign_in
from interfirm.runtime.doors import Doors
from interfirm.runtime.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from interfirm.runtime.node_process import NodeProcess


def web_application(process: NodeProcess) -> ASGIApp:
    """The application of a node's process."""
    configuration = process.assembly.configuration
    port = Doors(process, configuration.signin, configuration.oidc)
    answers = Answers(process.assembly.vault, process.clock.now_ms)
    application = rest_app(port, answers, beside=graphql_routes(port))
    application = with_sign_in(application, port)
    return MetricsDoor(application, port, content_type=CONTENT_TYPE, answered=process.metrics.answered)
