"""The REST interface of a node as an ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interfirm.api.ports import NodePort
from interfirm.api.rest import about, contracts, documents, work
from interfirm.api.rest.door import Door
from interfirm.api.rest.endpoints import NOTHING, Asked, Elsewhere, Endpoint, Reply, Returned
from interfirm.api.rest.idempotency import Answers
from interfirm.api.rest.openapi import document
from interfirm.api.rest.problems import problem
from interfirm.base.errors import Refusal

SECURITY_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}
"""What every answer carries. None allows another site to read it (no CORS)."""


def rest_app(
    port: NodePort,
    answers: Answers,
    *,
    more: Iterable[Endpoint] = (),
    beside: Iterable[BaseRoute] = (),
    elsewhere: Elsewhere = NOTHING,
) -> ASGIApp:
    """The application: `/v1/...`, `/health` and `/ready`, with endpoints of others (`Streams`) beside its own.

    `beside` are the routes of another door, which answers in its own way behind the same headers; `elsewhere` is what a
    door before this one answers: the document tells of it, too.
    """
    routes = [*rest_routes(port, answers, more=more, elsewhere=elsewhere), *beside]
    return _Headers(Starlette(routes=routes, exception_handlers=_HANDLERS))


def rest_routes(
    port: NodePort, answers: Answers, *, more: Iterable[Endpoint] = (), elsewhere: Elsewhere = NOTHING
) -> list[Route]:
    """The application's routes, for an application that has others beside them."""
    fixed = (*about.ENDPOINTS, OPENAPI, *work.ENDPOINTS, *documents.ENDPOINTS, *more)
    door = Door(port, answers, contracts.concrete, fixed, elsewhere)
    paths: dict[str, dict[str, Endpoint | str]] = {}
    for endpoint in (*fixed, about.OPERATION):
        paths.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    paths |= {path: dict(methods) for path, methods in contracts.ROUTES}
    return [Route(path, _dispatch(door, methods), methods=list(methods)) for path, methods in paths.items()]


def _dispatch(door: Door, methods: Mapping[str, Endpoint | str]) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return await door.serve(request, methods["GET" if request.method == "HEAD" else request.method])

    return serve


async def _openapi(door: Door, asked: Asked) -> Reply:
    templates, operations = door.port.templates(asked.caller), door.port.operations(asked.caller)
    root = asked.request.scope.get("root_path", "")
    found = document(
        door.fixed, templates, operations, title="interfirm node", server=root or "/", elsewhere=door.elsewhere
    )
    return Reply(200, found)


OPENAPI = Endpoint(
    name="openapi", method="GET", path="/v1/openapi.json", about="Describe this interface as the caller may use it.",
    tag="node", handle=_openapi, returned={200: Returned("OpenAPI 3.1.", {"type": "object"})},
)  # fmt: skip


async def _no_path(request: Request, error: Exception) -> Response:
    return _problem(Refusal("http.path", "there is nothing at this path"))


async def _no_method(request: Request, error: Exception) -> Response:
    allowed = getattr(error, "headers", None) or {}
    names = [name.strip() for name in allowed.get("Allow", "").split(",")]
    return _problem(Refusal("http.method", "this method is not for this path", allowed=names))


def _problem(refusal: Refusal) -> Response:
    reply = problem(refusal)
    return Response(reply.encoded(), reply.status, headers=dict(reply.headers), media_type=reply.media_type)


_HANDLERS = {404: _no_path, 405: _no_method}


_PLACES = ("location", "content-location")
"""Headers that name a path of this application."""


class _Headers:
    """Gives every answer the security headers, and paths of the application those that they have from outside."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root = scope.get("root_path", "")

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                for name in _PLACES if root else ():
                    if headers.get(name, "").startswith("/"):
                        headers[name] = root + headers[name]
            await send(message)

        await self._application(scope, receive, secured)
