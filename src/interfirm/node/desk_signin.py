"""Operations about signing in: invitations, sessions and passkeys; one's own for everybody, all for administrators."""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.node.access import invitations, passkeys, sessions
from interfirm.node.access.passkeys import Passkey
from interfirm.node.access.sessions import Session
from interfirm.node.desk import Answer, Desk, Operation, text_of

HOUR_MS = 3600 * 1000
INVITATION_HOURS = 72


def _invite(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """A one-time code for a `person`, valid for `hours`, to set a password with; it is shown this once."""
    check(
        not desk.staff.is_hosted,
        "access.hosted",
        "people sign in at the group's host: add them there, with a role here",
    )
    now_ms = desk.now_ms()
    hours = arguments.get("hours", INVITATION_HOURS)
    if not isinstance(hours, int):
        raise Refusal("form.fields", "hours are a whole number", argument="hours")
    with desk.vault.turn() as turn:
        made, code = invitations.invited(
            turn, text_of(arguments, "person"), expires_ms=now_ms + hours * HOUR_MS, now_ms=now_ms,
            random=desk.services.random,
        )  # fmt: skip
    return {"person": made.person, "expires_ms": made.expires_ms, "code": code}


def _all_sessions(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Who is signed in, and whence; of one `person` where one is named."""
    person = text_of(arguments, "person") if "person" in arguments else None
    with desk.vault.read() as turn:
        return {"sessions": [shown(each) for each in sessions.listed(turn, now_ms=desk.now_ms(), person=person)]}


def _end_any(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Sign somebody out: the session `id`, or every session of a `person`."""
    with desk.vault.turn() as turn:
        if "person" in arguments:
            return {"ended": sessions.end_all(turn, text_of(arguments, "person"))}
        sessions.end(turn, text_of(arguments, "id"))
        return {"ended": 1}


def _own_sessions(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Where the caller is signed in."""
    with desk.vault.read() as turn:
        mine = sessions.listed(turn, now_ms=desk.now_ms(), person=_me(desk))
    return {"sessions": [shown(each) for each in mine]}


def _end_own(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Sign the caller out: of the session `id`, or of all `but` the one with this id."""
    with desk.vault.turn() as turn:
        if "id" in arguments:
            sessions.end(turn, text_of(arguments, "id"), person=_me(desk))
            return {"ended": 1}
        return {"ended": sessions.end_all(turn, _me(desk), but=str(arguments.get("but", "")))}


def _own_passkeys(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """The caller's passkeys."""
    with desk.vault.read() as turn:
        return {"passkeys": [shown_passkey(each) for each in passkeys.of_person(turn, _me(desk))]}


def _remove_own(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Remove the caller's passkey `id`."""
    with desk.vault.turn() as turn:
        return shown_passkey(passkeys.remove(turn, text_of(arguments, "id"), person=_me(desk)))


def _me(desk: Desk) -> str:
    """The caller, who signed in: a token that was lost must not change how its owner signs in."""
    caller = desk.permission.caller
    check(caller.door == "session", "access.session-needed", "this is for whoever signed in, and not by a token")
    return caller.name


def shown(session: Session) -> dict[str, Any]:
    """A session as JSON, with its end."""
    return {**msgspec.to_builtins(session), "ends_ms": session.ends_ms}


def shown_passkey(passkey: Passkey) -> dict[str, Any]:
    """A passkey as JSON."""
    return {name: getattr(passkey, name) for name in ("id", "note", "created_ms", "used_ms")}


OPERATIONS: dict[str, Operation] = {
    "access.invite": _invite,
    "access.sessions": _all_sessions,
    "access.session-end": _end_any,
    "session.list": _own_sessions,
    "session.end": _end_own,
    "session.passkeys": _own_passkeys,
    "session.passkey-remove": _remove_own,
}
"""See the module."""
