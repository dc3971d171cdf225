"""Several firms' applications at one address: the host's at the root, each entity's under `/entities/<slug>`."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/entities/"


def path_within(scope: Scope) -> str:
    """The path of a request within the application that answers it, wherever that is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


class Entities:
    """An application, with those of its entities before it."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application
        self._mounted: dict[str, ASGIApp] = {}

    def mount(self, slug: str, application: ASGIApp) -> None:
        """From now on this application answers what is under the entity's path."""
        self._mounted[slug] = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        slug = _slug_of(scope)
        found = self._mounted.get(slug)
        if found is None:
            await self._application(scope, receive, send)
        else:
            await found({**scope, "root_path": f"{scope.get('root_path', '')}{PREFIX}{slug}"}, receive, send)


def _slug_of(scope: Scope) -> str:
    """The entity whose path a request is for; empty for the host's own."""
    path = path_within(scope) if scope["type"] in ("http", "websocket") else ""
    slug, below, _ = path.removeprefix(PREFIX).partition("/")
    return slug if path.startswith(PREFIX) and below else ""
