"""The paths of signing in as the interface's document tells of them; those of the provider where there is one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from interfirm.api.rest.arguments import ANYTHING
from interfirm.api.rest.endpoints import Described, Elsewhere, Parameter, Returned
from interfirm.api.rest.schemas import Schema, closed, text
from interfirm.api.signin import cookies
from interfirm.api.signin.settings import SigninSettings

TAG = "signing in"
_MS: Schema = {"type": "integer", "minimum": 0}
_TEXTS: Schema = {"type": "array", "items": text()}
_SESSION = closed({
    "name": text(), "roles": _TEXTS, "id": text(), "means": text(about="By what its person signed in."),
    "created_ms": _MS, "ends_ms": _MS, "csrf": text(about="Goes into `X-CSRF-Token` of what changes something."),
})  # fmt: skip
_LISTED = closed({
    "id": text(), "person": text(), "means": text(), "address": text(), "agent": text(), "created_ms": _MS,
    "used_ms": _MS, "ends_ms": _MS, "current": {"type": "boolean"},
})  # fmt: skip
_ENDED = closed({"ended": {"type": "integer", "minimum": 0}})
_PASSKEY = closed({"id": text(), "note": text(), "created_ms": _MS, "used_ms": _MS})
_OPTIONS = closed({"publicKey": ANYTHING}, about="What the browser's `navigator.credentials` is given.")
_CREDENTIAL = closed({"credential": ANYTHING})
_CSRF = Parameter("X-CSRF-Token", text("^[0-9a-f]{64}$", chars_max=64), "The session's `csrf`.", place="header")
_ID = Parameter("id", text("^[0-9a-f]+$", chars_max=2048), "Its id.", place="path")
_SIGNED_IN = Returned("Signed in; the session is the cookie that is set.", _SESSION)
_TRIED = (401, 403, 422, 429)
"""Refusals of whoever is not let in, or tries too often."""
_OWN = (403, 404)


def elsewhere(settings: SigninSettings, *, provider: bool) -> Elsewhere:
    """All paths of signing in to a node, and the name of the session's cookie; without a provider none of its own."""
    every = (*_SESSIONS, *_PASSKEYS, *(_PROVIDER if provider else ()))
    return Elsewhere(endpoints=every, cookie=cookies.name_of("session", settings))


def _opened(name: str, path: str, about: str, body: Schema, returned: dict[int, Returned]) -> Described:
    """What anybody may try."""
    return Described(
        name=name, method="POST", path=path, about=about, tag=TAG, body=body, returned=returned, refusals=_TRIED,
        opened=True,
    )  # fmt: skip


def _mine(
    name: str,
    method: Literal["GET", "POST", "DELETE"],
    path: str,
    about: str,
    returned: dict[int, Returned],
    **more: Any,
) -> Described:
    """What somebody does who has signed in."""
    parameters = ((_CSRF,) if method != "GET" else ()) + ((_ID,) if "{id}" in path else ())
    return Described(
        name=name, method=method, path=path, about=about, tag=TAG, returned=returned, signed_in=True,
        **{"parameters": parameters, "refusals": _OWN} | more,
    )  # fmt: skip


def _body(texts: Mapping[str, str]) -> Schema:
    return closed({name: text(about=about) for name, about in texts.items()})


_SESSIONS = (
    _opened("session.open", "/v1/session", "Sign in by name and password.",
            _body({"name": "The person's name.", "password": "The password."}), {201: _SIGNED_IN}),
    _opened("session.invitation", "/v1/session/invitation", "Set a password by a one-time code, and sign in.",
            _body({"code": "The code.", "password": "The password from now on."}), {201: _SIGNED_IN}),
    _mine("session.show", "GET", "/v1/session", "Who is signed in, until when, and the session's `csrf`.",
          {200: Returned("The session.", _SESSION)}),
    _mine("session.close", "DELETE", "/v1/session", "Sign out.", {204: Returned("Signed out.")}),
    _mine("session.password", "POST", "/v1/session/password", "Set another password; every other session ends.",
          {200: _SIGNED_IN}, body=_body({"current": "The password so far.", "new": "From now on."}), refusals=_TRIED),
    _mine("sessions.list", "GET", "/v1/sessions", "List where the caller is signed in.",
          {200: Returned("All.", closed({"sessions": {"type": "array", "items": _LISTED}}))}),
    _mine("sessions.end-others", "DELETE", "/v1/sessions", "End all sessions of the caller but this one.",
          {200: Returned("How many.", _ENDED)}),
    _mine("sessions.end", "DELETE", "/v1/sessions/{id}", "End a session of the caller.",
          {200: Returned("It has ended.", _ENDED)}),
)  # fmt: skip
_PASSKEYS = (
    Described(
        name="passkey.options", method="POST", path="/v1/session/passkey/options", tag=TAG, opened=True,
        about="Begin signing in by a passkey.", returned={200: Returned("What the browser is given.", _OPTIONS)},
        refusals=_TRIED,
    ),
    _opened("passkey.open", "/v1/session/passkey", "Sign in by a passkey, as was begun in this browser.", _CREDENTIAL,
            {201: _SIGNED_IN}),
    _mine("passkeys.options", "POST", "/v1/session/passkeys/options", "Begin making a passkey, soon after signing in.",
          {200: Returned("What the browser is given.", _OPTIONS)}, refusals=_TRIED),
    _mine("passkeys.keep", "POST", "/v1/session/passkeys", "Keep a passkey that was made.",
          {201: Returned("It is kept.", _PASSKEY)}, refusals=_TRIED,
          body=closed({"credential": ANYTHING, "note": text()}, ["credential"])),
    _mine("passkeys.list", "GET", "/v1/session/passkeys", "List the caller's passkeys.",
          {200: Returned("All.", closed({"passkeys": {"type": "array", "items": _PASSKEY}}))}),
    _mine("passkeys.remove", "DELETE", "/v1/session/passkeys/{id}", "Remove a passkey of the caller.",
          {200: Returned("It is removed.", _PASSKEY)}),
)  # fmt: skip
_STATE = Parameter("state", text(), "What the node sent along.", required=True)
_PROVIDER = (
    Described(
        name="provider.begin", method="GET", path="/v1/session/oidc", tag=TAG, opened=True,
        about="Go to the firm's provider of sign-in.", refusals=(429, 502),
        returned={303: Returned("On to the provider.", headers=("Location",))},
    ),
    Described(
        name="provider.return", method="GET", path="/v1/session/oidc/return", tag=TAG, opened=True,
        about="Come back from the provider, once, in the browser that went there.", refusals=(*_TRIED, 502),
        parameters=(_STATE, Parameter("code", text(), "What the provider gave.")),
        returned={200: _SIGNED_IN, 303: Returned("Signed in; on to the firm's pages.", headers=("Location",))},
    ),
)  # fmt: skip
