"""What a provider of OpenID Connect says, judged: its discovery document, its keys, ID tokens. Pure.

Source: OpenID Connect Discovery 1.0 sections 3 and 4.3; OpenID Connect Core 1.0 section 3.1.3.7; RFC 8725.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.node.access.oidc_settings import OidcSettings, is_safe

CLOCK_S = 60
"""How far the provider's clock may be from ours."""
_ASYMMETRIC = ("RSA", "EC", "OKP")


class Metadata(Value, frozen=True):
    """What is needed of a provider's discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


def metadata_of(document: Any, settings: OidcSettings) -> Metadata:
    """A discovery document; Refusal `access.oidc-provider` for another issuer's, or one that is none."""
    try:
        found = msgspec.convert(document, Metadata)
    except msgspec.ValidationError as error:
        raise Refusal("access.oidc-provider", "this is no discovery document", reason=str(error)[:200]) from error
    check(found.issuer == settings.issuer, "access.oidc-provider", "the provider is another issuer", found=found.issuer)
    for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri, found.userinfo_endpoint):
        check(not url or is_safe(url), "access.oidc-provider", "the provider is reached by https://", url=url[:200])
    return found


def keys_of(document: Any) -> KeySet:
    """The keys of a JWKS that may sign: never a shared secret, nor one for encryption; Refusal
    `access.oidc-provider`."""
    found = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise Refusal("access.oidc-provider", "this is no set of keys")
    fit = [each for each in found if isinstance(each, dict) and each.get("kty") in _ASYMMETRIC]
    try:
        return KeySet.import_key_set({"keys": [each for each in fit if each.get("use", "sig") == "sig"]})
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Refusal("access.oidc-provider", "a key of the provider is none", reason=str(error)[:200]) from error


def is_known(token: str, keys: KeySet) -> bool:
    """Whether the key that a token names is among these; False asks for the provider's newer ones."""
    try:
        keys.get_by_kid(_header(token).get("kid"))
    except InvalidKeyIdError:
        return False
    return True


def verified(
    token: str, keys: KeySet, settings: OidcSettings, *, nonce: str, access_token: str, now_ms: int
) -> Mapping[str, Any]:
    """The claims of an ID token that is for us, of now, and signed by the provider; Refusal `access.oidc-token`."""
    try:
        key = keys.get_by_kid(_header(token).get("kid"))
        opened = jwt.decode(token, key, algorithms=list(settings.algorithms))
        options: Any = {
            "iss": {"essential": True, "value": settings.issuer},
            "aud": {"essential": True, "value": settings.client_id},
        }
        claims = CodeIDToken(
            opened.claims, opened.header, options,
            {"nonce": nonce, "client_id": settings.client_id, "access_token": access_token},
        )  # fmt: skip
        claims.validate(now=now_ms // 1000, leeway=CLOCK_S)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Refusal("access.oidc-token", "the provider's ID token does not hold", reason=_reason(error)) from error
    _check_audience(opened.claims, settings)
    return opened.claims


def _check_audience(claims: Mapping[str, Any], settings: OidcSettings) -> None:
    audience = claims["aud"]
    alone = audience == settings.client_id or audience == [settings.client_id]
    check(alone, "access.oidc-token", "the provider's ID token does not hold", reason="it is for others as well")
    check(bool(claims["sub"]), "access.oidc-token", "the provider's ID token does not hold", reason="no subject")


def _header(token: str) -> Mapping[str, Any]:
    try:
        return jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Refusal("access.oidc-token", "the provider's ID token does not hold", reason=_reason(error)) from error


def _reason(error: Exception) -> str:
    """What is wrong, without what the token says."""
    return str(getattr(error, "error", None) or type(error).__name__)[:80]
