"""Refuses what a page of another site makes a signed-in browser send, before any door reads it.

What changes something needs an origin of ours and the session's own token. A subscription needs the origin: browsers
ask nobody before they open a socket to another site. Who shows a token needs neither, because no page can add that.
Source: OWASP Cross-Site Request Forgery Prevention Cheat Sheet; RFC 6455 section 10.2.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from interfirm.api.entities import path_within
from interfirm.api.signin import cookies
from interfirm.api.signin.answers import refused
from interfirm.api.signin.settings import SigninSettings
from interfirm.base.errors import Refusal, check
from interfirm.node.access.sessions import check_csrf

SAFE = ("GET", "HEAD", "OPTIONS")
SESSION_PATH = "/v1/session"
WITHOUT_SESSION = frozenset({
    SESSION_PATH, f"{SESSION_PATH}/invitation", f"{SESSION_PATH}/passkey", f"{SESSION_PATH}/passkey/options",
})  # fmt: skip
"""Where one signs in by POST, with whatever session an old cookie names."""
POLICY_VIOLATION = 1008


class SessionGuard:
    """See the module; wraps an application."""

    def __init__(self, application: ASGIApp, settings: SigninSettings) -> None:
        self._application = application
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] in ("http", "websocket"):
            try:
                self._check(scope, Headers(scope=scope))
            except Refusal as refusal:
                if scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": refusal.code})
                else:
                    await refused(refusal)(scope, receive, send)
                return
        await self._application(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        socket = scope["type"] == "websocket"
        if not socket and scope["method"] in SAFE:
            return
        if not socket and scope["method"] == "POST" and path_within(scope) in WITHOUT_SESSION:
            self._check_origin(headers, needed=False)
            return
        text = cookies.read("session", headers, self._settings)
        if not text or "authorization" in headers:
            return
        self._check_origin(headers, needed=True)
        if not socket:
            check_csrf(text, headers.get("x-csrf-token", ""))

    def _check_origin(self, headers: Headers, *, needed: bool) -> None:
        """Programs without a browser send no origin; every browser does when it changes something."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is None and site is None and not needed:
            return
        same = origin == self._settings.origin and site in (None, "same-origin")
        check(same, "http.origin", "a session is used by pages of this node only", expected=self._settings.origin)
