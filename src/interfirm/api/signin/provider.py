"""The firm's provider of OpenID Connect over HTTPS: discovery, keys, codes for tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc.jwk import KeySet

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.node.access.id_tokens import Metadata, is_known, keys_of, metadata_of, verified
from interfirm.node.access.oidc_settings import OidcSettings

WELL_KNOWN = "/.well-known/openid-configuration"
KEPT_MS = 3600 * 1000
"""How long the provider's document and keys are believed."""
ROTATED_MS = 10_000
"""How soon after the keys were read an unknown one makes us read them again."""


class Provider:
    """See the module. `redirect_uri` is where it sends a browser back to."""

    def __init__(self, settings: OidcSettings, *, redirect_uri: str, now_ms: Callable[[], int]) -> None:
        self.settings = settings
        self._redirect_uri = redirect_uri
        self._now_ms = now_ms
        self._metadata: tuple[int, Metadata] | None = None
        self._keys: tuple[int, KeySet] | None = None

    async def authorization_url(self, facts: Mapping[str, str]) -> str:
        """Where a browser goes to sign in, with `state`, `nonce` and `verifier` of ours."""
        metadata = await self.metadata()
        url: str = prepare_grant_uri(
            metadata.authorization_endpoint, self.settings.client_id, "code", redirect_uri=self._redirect_uri,
            scope=" ".join(self.settings.scopes), state=facts["state"], nonce=facts["nonce"],
            code_challenge=create_s256_code_challenge(facts["verifier"]), code_challenge_method="S256",
        )  # fmt: skip
        return url

    async def claims(self, code: str, facts: Mapping[str, str]) -> Mapping[str, Any]:
        """What the provider says of who came back with a code; Refusal `access.oidc-token`, `access.oidc-provider`."""
        metadata = await self.metadata()
        answer = await self._exchange(metadata, code, facts["verifier"])
        token, access = answer.get("id_token"), answer.get("access_token", "")
        if not isinstance(token, str) or not isinstance(access, str):
            raise Refusal("access.oidc-token", "the provider gave no ID token")
        keys = await self._keys_for(metadata, token)
        claims = verified(token, keys, self.settings, nonce=facts["nonce"], access_token=access, now_ms=self._now_ms())
        return {**await self._more(metadata, access, str(claims["sub"])), **claims}

    async def metadata(self) -> Metadata:
        """The provider's discovery document; Refusal `access.oidc-provider`."""
        if self._metadata is None or self._now_ms() - self._metadata[0] >= KEPT_MS:
            document = await self._json("GET", self.settings.issuer.rstrip("/") + WELL_KNOWN)
            self._metadata = (self._now_ms(), metadata_of(document, self.settings))
        return self._metadata[1]

    async def _keys_for(self, metadata: Metadata, token: str) -> KeySet:
        """The provider's keys, read again where a token names one that is newer."""
        age_ms = KEPT_MS if self._keys is None else self._now_ms() - self._keys[0]
        if self._keys is not None and age_ms < KEPT_MS and (age_ms < ROTATED_MS or is_known(token, self._keys[1])):
            return self._keys[1]
        self._keys = (self._now_ms(), keys_of(await self._json("GET", metadata.jwks_uri)))
        return self._keys[1]

    async def _exchange(self, metadata: Metadata, code: str, verifier: str) -> Mapping[str, Any]:
        """Tokens for a code (RFC 6749 section 4.1.3, RFC 7636 section 4.5)."""
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }  # fmt: skip
        name, secret = self.settings.client_id, self.settings.client_secret
        more: dict[str, Any] = {}
        if secret and "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            more["auth"] = (quote(name, safe=""), quote(secret, safe=""))
        else:
            form |= {"client_id": name} | ({"client_secret": secret} if secret else {})
        answer = await self._json("POST", metadata.token_endpoint, data=form, **more)
        check(isinstance(answer, dict), "access.oidc-provider", "the provider gave no tokens")
        return answer  # type: ignore[no-any-return]  # it was just seen to be a map

    async def _more(self, metadata: Metadata, access: str, subject: str) -> Mapping[str, Any]:
        """The claims that a provider keeps out of ID tokens (OpenID Connect Core 1.0 section 5.3)."""
        if not metadata.userinfo_endpoint or not access:
            return {}
        found = await self._json("GET", metadata.userinfo_endpoint, headers={"Authorization": f"Bearer {access}"})
        same = isinstance(found, dict) and found.get("sub") == subject
        check(same, "access.oidc-token", "the provider speaks of two subjects")
        return found  # type: ignore[no-any-return]  # it was just seen to be a map

    async def _json(self, method: str, url: str, **more: Any) -> Any:
        """The JSON of an answer; Refusal `access.oidc-provider` where there is none, in time and of bounded size."""
        timeout = httpx.Timeout(LIMITS.provider_answer_ms_max / 1000)
        try:
            async with httpx.AsyncClient(timeout=timeout) as client, client.stream(method, url, **more) as answer:
                data = b""
                async for chunk in answer.aiter_bytes():
                    data += chunk
                    check(len(data) <= LIMITS.provider_answer_bytes_max, "access.oidc-provider",
                          "the provider's answer is too large")  # fmt: skip
        except httpx.HTTPError as error:
            raise Refusal(
                "access.oidc-provider", "the provider cannot be reached", reason=type(error).__name__
            ) from error
        check(answer.status_code == httpx.codes.OK, "access.oidc-provider", "the provider refuses",
              status=answer.status_code)  # fmt: skip
        try:
            return msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refusal("access.oidc-provider", "the provider's answer is no JSON") from error
