"""Signing in before another application, all of it behind the guard."""

from __future__ import annotations

from starlette.routing import Router
from starlette.types import ASGIApp

from interfirm.api.signin.guard import SessionGuard
from interfirm.api.signin.ports import SigninPort
from interfirm.api.signin.routes import routes


def with_sign_in(application: ASGIApp, port: SigninPort) -> ASGIApp:
    """An application with the paths of signing in before its own, none of them open to pages of other sites."""
    router = Router(routes(port), redirect_slashes=False, default=application)
    return SessionGuard(router, port.signin.settings)
