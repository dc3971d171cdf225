"""ID tokens and what else a provider says: everything that is wrong with one is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, OctKey, RSAKey

from interfirm.base.errors import Refusal
from interfirm.node.access.id_tokens import is_known, keys_of, metadata_of, verified
from interfirm.node.access.oidc_settings import OidcSettings

ISSUER = "https://provider.example"
SETTINGS = OidcSettings(issuer=ISSUER, client_id="interfirm").checked()
NOW_S = 1_000_000
KEY = RSAKey.generate_key(2048, parameters={"kid": "1", "use": "sig"})
OTHER = RSAKey.generate_key(2048, parameters={"kid": "2", "use": "sig"})
CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "aud": "interfirm", "sub": "anna", "nonce": "n", "iat": NOW_S, "exp": NOW_S + 300,
}  # fmt: skip


def refused(code: str) -> Any:
    return pytest.raises(Refusal, match=rf"^{code}: ")


def keys(*given: Key) -> KeySet:
    return keys_of({"keys": [key.as_dict(private=False) for key in given or (KEY, OTHER)]})


def token(key: Key = KEY, *, algorithm: str = "RS256", kid: str = "1", **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": kid}, claims, key, algorithms=[algorithm])


def judged(text: str, *, among: KeySet | None = None, nonce: str = "n", access: str = "", now_s: int = NOW_S) -> Any:
    return verified(text, among or keys(), SETTINGS, nonce=nonce, access_token=access, now_ms=now_s * 1000)


def test_a_token_that_is_right_says_who_it_is() -> None:
    assert judged(token())["sub"] == "anna"
    assert judged(token(aud=["interfirm"], azp="interfirm"))["sub"] == "anna"


@pytest.mark.parametrize("changes", [
    {"iss": "https://evil.example"}, {"iss": ISSUER + "/"}, {"iss": None}, {"iss": [ISSUER]},
    {"aud": "other"}, {"aud": None}, {"aud": []}, {"aud": ["interfirm", "other"], "azp": "interfirm"},
    {"aud": ["other", "interfirm"]}, {"azp": "other"},
    {"exp": NOW_S - 61}, {"exp": None}, {"exp": "later"}, {"iat": None}, {"iat": NOW_S + 3600}, {"nbf": NOW_S + 3600},
    {"nonce": "other"}, {"nonce": None}, {"nonce": ""}, {"sub": None}, {"sub": ""}, {"sub": 7},
], ids=str)  # fmt: skip
def test_a_token_of_another_issuer_audience_time_or_sign_in_is_refused(changes: dict[str, Any]) -> None:
    with refused("access.oidc-token"):
        judged(token(**changes))


def test_a_token_with_no_algorithm_is_refused() -> None:
    head, body, _ = token().split(".")
    for none in ("none", "None", "NONE"):
        plain = base64.urlsafe_b64encode(json.dumps({"alg": none, "kid": "1"}).encode()).decode().rstrip("=")
        for text in (f"{plain}.{body}.", f"{plain}.{body}.AAAA", f"{head}.{body}."):
            with refused("access.oidc-token"):
                judged(text)


def test_a_token_signed_with_what_everybody_knows_is_refused() -> None:
    for secret in (KEY.as_pem(private=False), b"", b"a secret of the client"):
        shared = OctKey.import_key(secret or b"\0" * 32, {"kid": "1"}) if not secret.startswith(b"--") else None
        text = token(shared, algorithm="HS256") if shared else forged_hs256(secret)
        with refused("access.oidc-token"):
            judged(text)


def forged_hs256(secret: bytes) -> str:
    """What an attacker makes of the public key, and no library does."""
    import hashlib
    import hmac

    parts = [json.dumps(each).encode() for each in ({"alg": "HS256", "kid": "1"}, CLAIMS)]
    signed = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def test_an_algorithm_that_the_firm_did_not_allow_is_refused() -> None:
    with refused("access.oidc-token"):
        judged(token(algorithm="RS512"))
    curve = ECKey.generate_key("P-256", parameters={"kid": "1", "use": "sig"})
    assert judged(token(curve, algorithm="ES256"), among=keys(curve))["sub"] == "anna"


def test_a_token_of_another_key_is_refused() -> None:
    for text in (token(OTHER), token(KEY, kid="2"), token(KEY, kid="3")):
        with refused("access.oidc-token"):
            judged(text)


def test_a_key_that_came_with_the_token_is_not_believed() -> None:
    evil = RSAKey.generate_key(2048)
    text = jwt.encode({"alg": "RS256", "jwk": evil.as_dict(private=False)}, dict(CLAIMS), evil)
    with refused("access.oidc-token"):
        judged(text)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_token_that_was_changed_is_refused(place: int) -> None:
    parts = token().split(".")
    parts[place] = parts[place][:-3] + ("AAA" if not parts[place].endswith("AAA") else "BBB")
    with refused("access.oidc-token"):
        judged(".".join(parts))


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c", "é.é.é", "..", "a.b.c.d.e"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with refused("access.oidc-token"):
        judged(text)


def test_a_token_belongs_to_the_access_token_that_came_with_it() -> None:
    with refused("access.oidc-token"):
        judged(token(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), access="another")


def test_a_key_that_is_not_known_asks_for_newer_ones() -> None:
    assert is_known(token(), keys())
    assert not is_known(token(kid="3"), keys())


def test_a_shared_secret_or_a_key_for_encryption_is_no_key_of_a_provider() -> None:
    encrypting = RSAKey.generate_key(2048, parameters={"kid": "1", "use": "enc"}).as_dict(private=False)
    shared = OctKey.generate_key(256, parameters={"kid": "1"}).as_dict(private=True)
    found = keys_of({"keys": [encrypting, shared, KEY.as_dict(private=False)]})
    assert [key.kid for key in found.keys] == ["1"]


@pytest.mark.parametrize("document", [None, [], {}, {"keys": 1}, {"keys": [{"kty": "RSA", "n": 1}]}])
def test_what_is_no_set_of_keys_is_refused(document: Any) -> None:
    with refused("access.oidc-provider"):
        keys_of(document)


DOCUMENT = {
    "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/auth", "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}  # fmt: skip


def test_a_discovery_document_is_that_of_its_issuer_and_leads_to_safe_places() -> None:
    assert metadata_of(DOCUMENT, SETTINGS).jwks_uri == f"{ISSUER}/keys"
    for changes in ({"issuer": "https://evil.example"}, {"token_endpoint": "http://evil.example"}, {"jwks_uri": 1},
                    {"jwks_uri": "http://localhost:1@evil.example"}, {"userinfo_endpoint": "file:///x"}):  # fmt: skip
        with refused("access.oidc-provider"):
            metadata_of({**DOCUMENT, **changes}, SETTINGS)


@pytest.mark.parametrize("changes", [
    {"issuer": "http://provider.example"}, {"client_id": ""}, {"scopes": ("email",)}, {"algorithms": ()},
    {"algorithms": ("RS256", "HS256")}, {"algorithms": ("none",)},
], ids=str)  # fmt: skip
def test_settings_that_would_let_others_in_are_refused(changes: dict[str, Any]) -> None:
    with refused("configuration.oidc"):
        SETTINGS.replace(**changes).checked()
