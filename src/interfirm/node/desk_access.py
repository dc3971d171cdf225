"""Operations about who may do what: people, roles, tokens, the audit log."""

from __future__ import annotations

from typing import Any

from interfirm.base.values import Value
from interfirm.node.access import audit, people
from interfirm.node.access.leaving import end_what_changed
from interfirm.node.access.people import Person
from interfirm.node.access.types import Role
from interfirm.node.desk import Answer, Desk, Operation, text_of, typed_of, whole_of
from interfirm.node.vault.turn import Turn

DAY_MS = 24 * 3600 * 1000
TOKEN_DAYS = 90


class _PersonAsked(Value, frozen=True):
    """What is to be true of a person from now on; what is not said stays."""

    name: str
    roles: tuple[str, ...] | None = None
    active: bool | None = None
    variables: dict[str, str] | None = None


class _RoleAsked(Value, frozen=True):
    """A role's definition."""

    definition: Role


class _TokenAsked(Value, frozen=True):
    """A token that is wanted."""

    person: str
    days: int = TOKEN_DAYS
    note: str = ""
    scopes: tuple[str, ...] | None = None


def _people(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Everybody who may sign in, with roles: those kept here, and those of the group's host who have roles here."""
    with desk.vault.read() as turn:
        found = [*people.people(turn), *desk.staff.guests(turn)]
    return {"people": [people.plain(person) for person in found]}


def _put_person(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Add the person or program `name` with `roles`, or change them; `variables` are what rules about rows know.

    A role may be one at an entity that this node runs: `role@entity`, or `role@*` for all of the group.
    """
    asked = typed_of(arguments, _PersonAsked)
    with desk.vault.turn() as turn:
        known = people.find_person(turn, asked.name)
        person = known or Person(name=asked.name, roles=(), created_ms=desk.now_ms())
        if asked.variables is not None:
            person = person.replace(variables=tuple(sorted(asked.variables.items())))
        roles = person.roles if asked.roles is None else asked.roles
        desk.staff.check_roles(set(roles) - set(person.roles))
        person = person.replace(roles=roles, active=person.active if asked.active is None else asked.active)
        people.put_person(turn, person)
        end_what_changed(turn, known, person)
        if not person.active:
            _end_tokens(desk, turn, person.name)
    return people.plain(person)


def _end_tokens(desk: Desk, turn: Turn, person: str) -> None:
    """Whoever leaves has nothing left to show at a door."""
    for token in people.tokens(turn):
        if token.person == person and not token.revoked_ms:
            people.revoke_token(turn, token.id, now_ms=desk.now_ms())


def _entities(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """The firms of the group that this node runs and the caller may enter: name, slug, and where the doors of each are.

    Whoever keeps the node is shown all.
    """
    caller = None if desk.permission.caller.door == "control" else desk.permission.caller
    return {"entities": [people.plain(entity) for entity in desk.staff.entities(caller)]}


def _roles(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """All roles, with their rules."""
    with desk.vault.read() as turn:
        return {"roles": [people.plain(role) for role in people.roles(turn)]}


def _put_role(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Define a role: `name`, `about`, `operations`, `rules`; in place of an earlier definition."""
    role = typed_of(arguments, _RoleAsked).definition
    for rule in role.rules:
        if rule.template != "*":
            desk.check_rule(rule.template, rule.rows, rule.hidden, rule.choices)
    with desk.vault.turn() as turn:
        people.put_role(turn, role)
    return people.plain(role)


def _tokens(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """All tokens, without their secrets."""
    with desk.vault.read() as turn:
        found = sorted(people.tokens(turn), key=lambda token: (-token.created_ms, token.id))
    return {"tokens": [people.plain(token) for token in found]}


def _new_token(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """A token for a `person`, valid for `days`, with a `note`, for `scopes` alone; its text is shown this once."""
    asked = typed_of(arguments, _TokenAsked)
    now_ms = desk.now_ms()
    with desk.vault.turn() as turn:
        token, text = people.new_token(
            turn, asked.person, note=asked.note, scopes=asked.scopes, now_ms=now_ms,
            expires_ms=now_ms + asked.days * DAY_MS, random=desk.services.random,
        )  # fmt: skip
    return {**people.plain(token), "token": text}


def _revoke_token(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """End the token `id` now."""
    with desk.vault.turn() as turn:
        return people.plain(people.revoke_token(turn, text_of(arguments, "id"), now_ms=desk.now_ms()))


def _audit(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """The audit log in order: `after` a number, `limit`; each entry with its hash."""
    limit = whole_of(arguments, "limit", 100, least=1, most=1000)
    with desk.vault.read() as turn:
        found = audit.entries(turn, after=whole_of(arguments, "after", 0), limit=limit)
    shown = [
        {name: getattr(each, name) for name in each.__struct_fields__}
        | {"before": each.before.hex(), "hash": each.hash().hex()}
        for each in found
    ]
    return {"entries": shown, "next": found[-1].number if len(found) == limit else None}


def _check_audit(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Read the whole audit log and say that its chain holds, with the hash to keep elsewhere."""
    with desk.vault.read() as turn:
        number, last = audit.check_chain(turn)
    return {"entries": number, "hash": last.hex()}


OPERATIONS: dict[str, Operation] = {
    "access.people": _people,
    "access.person-put": _put_person,
    "entities.list": _entities,
    "access.roles": _roles,
    "access.role-put": _put_role,
    "access.tokens": _tokens,
    "access.token-new": _new_token,
    "access.token-revoke": _revoke_token,
    "access.audit": _audit,
    "access.audit-check": _check_audit,
}
"""See the module."""
