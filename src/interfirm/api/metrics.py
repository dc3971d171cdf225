"""`GET /metrics`: what a node counts, for Prometheus; and the count of what its HTTP doors answer.

Whoever asks from this machine may read it, and whoever shows a token whose roles allow the operation `metrics`. A
request that a proxy passed on is not from this machine, wherever the proxy runs.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interfirm.api.entities import path_within
from interfirm.api.ports import NodePort
from interfirm.api.rest.problems import problem
from interfirm.base.errors import Refusal, check
from interfirm.node.access.types import OWNER, Caller

PATH, OPERATION = "/metrics", "metrics"
_PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_HEADERS = {
    "Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
}  # fmt: skip


class MetricsDoor:
    """Answers `/metrics` itself and everything else by the application; `answered` is told method and status of all."""

    def __init__(
        self, application: ASGIApp, port: NodePort, *, content_type: str, answered: Callable[[str, int], None]
    ) -> None:
        self._application = application
        self._port = port
        self._content_type = content_type
        self._answered = answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return await self._application(scope, receive, send)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answered(scope["method"], message["status"])
            await send(message)

        if path_within(scope) != PATH:
            return await self._application(scope, receive, counted)
        response = await self._page(Request(scope))
        return await response(scope, receive, counted)

    async def _page(self, request: Request) -> Response:
        try:
            check(request.method in ("GET", "HEAD"), "http.method", "this method is not for this path")
            answer = await self._port.ask(self._caller(request), OPERATION, {})
        except Refusal as refusal:
            told = problem(refusal)
            headers = {**_HEADERS, **dict(told.headers)}
            return Response(told.encoded(), told.status, headers=headers, media_type=told.media_type)
        assert isinstance(answer, dict)
        # the media type's parameters are Prometheus', and not to be added to
        headers = {**_HEADERS, "Content-Type": self._content_type}
        return Response(answer["metrics"], headers=headers)

    def _caller(self, request: Request) -> Caller:
        """Who asks: the owner, from this machine and without a token."""
        headers = {name: request.headers[name] for name in request.headers}
        if "authorization" not in headers and _is_here(request, headers):
            return OWNER
        return self._port.caller(headers)


def _is_here(request: Request, headers: dict[str, str]) -> bool:
    if request.client is None or any(name in headers for name in _PASSED_ON):
        return False
    try:
        named = request.url.hostname or ""
        local = named == "localhost" or ipaddress.ip_address(named.strip("[]")).is_loopback
        # a page in a browser that was led here by a name of its own asks for that name
        return local and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
