"""The paths of signing in by the firm's provider of OpenID Connect: a browser goes there, and comes back."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from interfirm.api.signin import cookies
from interfirm.api.signin.answers import client_of, paths, signed_in
from interfirm.api.signin.guard import SESSION_PATH
from interfirm.api.signin.ports import SigninPort
from interfirm.api.signin.provider import Provider
from interfirm.api.signin.service import Opened
from interfirm.base.errors import Refusal, check
from interfirm.node.access import attempts
from interfirm.node.access.oidc import entered
from interfirm.node.access.oidc_settings import OidcSettings

PATH = f"{SESSION_PATH}/oidc"
RETURN_PATH = f"{PATH}/return"


def oidc_routes(port: SigninPort, settings: OidcSettings) -> list[BaseRoute]:
    """The two paths."""
    door = OidcDoor(port, settings)
    return [*paths(PATH, GET=door.begin), *paths(RETURN_PATH, GET=door.finish)]


class OidcDoor:
    """See the module."""

    def __init__(self, port: SigninPort, settings: OidcSettings) -> None:
        self._signin = port.signin
        self._settings = settings
        self._cookies = port.signin.settings
        redirect_uri = port.signin.settings.origin + port.signin.settings.path + RETURN_PATH
        self.provider = Provider(settings, redirect_uri=redirect_uri, now_ms=port.signin.now_ms)

    async def begin(self, request: Request) -> Response:
        """Send a browser to the provider, with what it has to bring back."""
        facts = {name: self._random() for name in ("state", "nonce", "verifier")}
        response = RedirectResponse(await self.provider.authorization_url(facts), status_code=303)
        sealed = self._signin.pending.sealed("oidc", facts)
        response.headers.append("Set-Cookie", cookies.written("oidc", sealed, self._cookies))
        return response

    async def finish(self, request: Request) -> Response:
        """Sign in who comes back from the provider, once, in the browser that went there."""
        opened = await self._finished(request)
        landing = self._cookies.landing
        response: Response = signed_in(opened, self._cookies, status=303 if landing else 200)
        if landing:
            response.headers["Location"] = landing
        response.headers.append("Set-Cookie", cookies.written("oidc", "", self._cookies))
        return response

    async def _finished(self, request: Request) -> Opened:
        signin, client = self._signin, client_of(request)
        sealed = self._begun(request)
        with signin.vault.turn() as turn:
            attempts.take(turn, "address", client.address, now_ms=signin.now_ms())
        facts = signin.pending.use("oidc", sealed)
        try:
            claims = await self._claims(request, facts)
            with signin.vault.turn() as turn:
                person = entered(turn, claims, self._settings, now_ms=signin.now_ms())
                attempts.succeeded(turn, "address", client.address)
                before = cookies.read("session", request.headers, self._cookies)
                return signin.opened(turn, person.name, "oidc", client, before=before)
        except Refusal as refusal:
            signin.note_refused("", "oidc", refusal)
            raise

    async def _claims(self, request: Request, facts: Mapping[str, str]) -> Mapping[str, Any]:
        query = request.query_params
        check(query.get("iss", self._settings.issuer) == self._settings.issuer, "access.oidc-provider",
              "another provider answers")  # fmt: skip
        if "error" in query:
            raise Refusal("access.sign-in", "the provider let nobody in", reason=query["error"][:80])
        return await self.provider.claims(query.get("code", ""), facts)

    def _begun(self, request: Request) -> str:
        """What was begun in this browser and comes back; Refusal `access.sign-in-state`."""
        state = request.query_params.get("state", "")
        sealed = cookies.read("oidc", request.headers, self._cookies)
        facts = self._signin.pending.opened("oidc", sealed)
        ours = hmac.compare_digest(facts["state"].encode(), state.encode(errors="replace"))
        check(ours, "access.sign-in-state", "this sign-in was not begun here, has ended, or was used")
        return sealed

    def _random(self) -> str:
        return base64.urlsafe_b64encode(self._signin.random(32)).decode().rstrip("=")
