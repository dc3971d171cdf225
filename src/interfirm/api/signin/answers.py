"""Requests and answers about sessions: read strictly, refused as problems, never stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from interfirm.api.rest.app import SECURITY_HEADERS
from interfirm.api.rest.endpoints import JSON, Reply
from interfirm.api.rest.problems import FAULT, problem
from interfirm.api.rest.reading import check_head, check_media_type, chunks, json_of
from interfirm.api.signin import cookies
from interfirm.api.signin.ports import SigninPort
from interfirm.api.signin.service import Opened
from interfirm.api.signin.settings import SigninSettings
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node.access.sessions import Client, csrf_token

STATUSES = {"access.sign-in": 401, "access.sign-in-state": 401, "access.code": 401, "access.too-many": 429,
            "access.password": 422, "access.passkey-host": 422, "access.session": 404, "access.passkey": 404,
            "access.oidc-token": 401, "access.oidc-provider": 502}  # fmt: skip
"""Code -> status, where it is another than that of its family."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
V = TypeVar("V", bound=Value)
Handler = Callable[[Request], Awaitable[Response]]
_log = structlog.get_logger("interfirm.http")


def answered(handler: Handler) -> Handler:
    """A handler that says no in one way, and answers nothing that is stored anywhere."""

    async def serve(request: Request) -> Response:
        try:
            check_head(request)
            response = await handler(request)
        except Refusal as refusal:
            response = refused(refusal)
        except Exception:
            _log.exception("http.fault", method=request.method, path=request.url.path)
            response = refused(FAULT)
        response.headers.update(SECURITY_HEADERS)
        return response

    return serve


def refused(refusal: Refusal) -> Response:
    """The problem that a refusal is."""
    reply = problem(refusal)
    status = STATUSES.get(refusal.code, reply.status)
    reply = Reply(status, {**reply.body, "status": status}, reply.headers, reply.media_type)
    headers = {**dict(reply.headers), **SECURITY_HEADERS}
    if "retry_s" in refusal.values:
        headers["Retry-After"] = str(refusal.values["retry_s"])
    return Response(reply.encoded(), status, headers=headers, media_type=reply.media_type)


def answer(status: int, body: Any) -> Response:
    """A body as JSON; none for None."""
    reply = Reply(status, body)
    return Response(reply.encoded(), status, media_type=None if body is None else JSON)


def signed_in(opened: Opened, settings: SigninSettings, *, status: int = 201) -> Response:
    """The answer to who signed in, with the session's cookie."""
    response = answer(status, shown(opened))
    response.headers.append("Set-Cookie", cookies.written("session", opened.text, settings))
    return response


def shown(opened: Opened) -> dict[str, Any]:
    """A session as its person sees it; `csrf` is what goes into `X-CSRF-Token`."""
    session = opened.session
    return {
        "name": opened.caller.name, "roles": list(opened.caller.roles), "id": session.id, "means": session.means,
        "created_ms": session.created_ms, "ends_ms": session.ends_ms, "csrf": csrf_token(opened.text),
    }  # fmt: skip


def client_of(request: Request) -> Client:
    """Whence a request comes."""
    address = request.client.host if request.client else ""
    return Client(address=address, agent=request.headers.get("user-agent", ""))


async def body_of(request: Request, kind: type[V]) -> V:
    """The body of a request; Refusal `http.*`, `form.fields`."""
    data = b"".join([chunk async for chunk in chunks(request, bytes_max=LIMITS.http_head_bytes_max)])
    check_media_type(request.headers, JSON)
    try:
        return msgspec.convert(json_of(data, at=""), kind)
    except msgspec.ValidationError as error:
        raise Refusal("form.fields", "this is not written as it should be", reason=str(error)[:300]) from error


def paths(path: str, **handlers: Handler) -> Iterable[BaseRoute]:
    """The route of a path, with a handler for each method."""

    async def serve(request: Request) -> Response:
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise Refusal("http.method", "this method is not for this path", allowed=sorted(handlers))
        return await handler(request)

    return [Route(path, answered(serve), methods=list(METHODS))]


async def asked(port: SigninPort, request: Request, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What the node's desk answers to whoever sent a request; Refusal `access.*`."""
    found = await port.ask(port.caller(request.headers), name, arguments)
    assert isinstance(found, dict), "no flow is started here"
    return found
