"""Signing in by the firm's provider of OpenID Connect: which person somebody is. Pure of its protocol.

The provider is believed about who somebody is; what the person may do here is said by the firm's configuration, or by
an administrator. Source: OpenID Connect Core 1.0 sections 5.7 (only issuer and subject are an identity) and 3.1.3.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interfirm.base.errors import Refusal, check
from interfirm.node.access import oidc_links, people
from interfirm.node.access.leaving import end_what_changed
from interfirm.node.access.oidc_links import Link
from interfirm.node.access.oidc_settings import OidcSettings
from interfirm.node.access.people import Person
from interfirm.node.vault.turn import Turn


def entered(turn: Turn, claims: Mapping[str, Any], settings: OidcSettings, *, now_ms: int) -> Person:
    """The person that verified claims are about, with the roles that they give, added where that is configured.

    Raises Refusal `access.oidc-person` for who is not known here, `access.oidc-name`, `access.oidc-roles`,
    `access.unknown-caller` for who left, and `access.role` where the configuration names a role that is not there.
    """
    subject = str(claims["sub"])
    name = oidc_links.person_of(turn, settings.issuer, subject) or _name(claims, settings)
    known = next((each for each in people.people(turn) if each.name == name), None)
    check(
        known is not None or bool(settings.roles), "access.oidc-person", "nobody of this name was added here", name=name
    )
    check(known is None or known.active, "access.unknown-caller", "who asks is not known here, or not any more")
    before = known or Person(name=name, roles=(), created_ms=now_ms)
    person = before.replace(roles=_roles(claims, settings)) if settings.roles else before
    if person != known:
        people.put_person(turn, person)
        end_what_changed(turn, known, person)
    oidc_links.put(turn, Link(person=name, issuer=settings.issuer, subject=subject))
    return person


def _name(claims: Mapping[str, Any], settings: OidcSettings) -> str:
    found = claims.get(settings.name_claim)
    if not isinstance(found, str) or not found:
        raise Refusal("access.oidc-name", "the provider does not say a name", claim=settings.name_claim)
    verified = settings.name_claim != "email" or claims.get("email_verified") is True
    check(verified, "access.oidc-name", "the provider has not verified the address")
    return found.strip().lower()[:80]


def _roles(claims: Mapping[str, Any], settings: OidcSettings) -> tuple[str, ...]:
    given = claims.get(settings.roles_claim)
    values = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    roles = {role for value in values if isinstance(value, str) for role in settings.roles.get(value, ())}
    check(bool(roles), "access.oidc-roles", "nothing that the provider says gives a role here",
          claim=settings.roles_claim)  # fmt: skip
    return tuple(sorted(roles))
