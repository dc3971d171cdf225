"""The cookies of a session, and of signing in by way of others. Pure.

Over HTTPS their names begin with `__Host-`: a browser then takes them only from this host, for all of it, and sends
them encrypted. Such a cookie is for all paths, so nodes that share a host under different ones have names of their own.
Over plain HTTP, which settings allow on this machine alone, no browser would take such a name.
Source: RFC 6265bis section 4.1.3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from interfirm.api.signin.settings import SigninSettings
from interfirm.base.limits import LIMITS

SESSION = "session"
Purpose = Literal["session", "oidc", "passkey"]


def name_of(purpose: Purpose, settings: SigninSettings) -> str:
    """The name of a cookie."""
    return f"{'__Host-' if settings.is_secure else ''}interfirm{settings.path.replace('/', '-')}-{purpose}"


def read(purpose: Purpose, headers: Mapping[str, str], settings: SigninSettings) -> str:
    """The value of a cookie among the headers of a request; empty where there is none, or more than one."""
    wanted = name_of(purpose, settings)
    pairs = [pair.strip().partition("=") for pair in headers.get("cookie", "").split(";")]
    found = [value for name, _, value in pairs if name == wanted]
    return found[0] if len(found) == 1 else ""


def written(purpose: Purpose, value: str, settings: SigninSettings) -> str:
    """The header `Set-Cookie` that sets a cookie, or with an empty value forgets it."""
    # a provider sends the browser back from another site, whereto a strict cookie would not come along
    same_site = "Lax" if purpose == "oidc" else "Strict"
    longest_ms = LIMITS.session_lifetime_ms_max if purpose == SESSION else LIMITS.sign_in_ms_max
    parts = [
        f"{name_of(purpose, settings)}={value}", "Path=/", f"Max-Age={longest_ms // 1000 if value else 0}",
        "HttpOnly", f"SameSite={same_site}", *(["Secure"] if settings.is_secure else []),
    ]  # fmt: skip
    return "; ".join(parts)
