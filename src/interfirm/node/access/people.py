"""People and programs that may use a node, the roles they have, and the tokens they show at its doors.

A token is `ift_<id>_<secret>`; of the secret only its hash is kept, so it can be shown once and never again. Roles come
from `roles.py` unless the firm has put its own definition in their place; `role@entity` is one elsewhere (`staff.py`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node import kept
from interfirm.node.access.roles import ROLES
from interfirm.node.access.types import EVERYWHERE, OWNER_ROLE, Caller, Door, Role, placed
from interfirm.node.vault.turn import Turn

PEOPLE, KEPT_ROLES, TOKENS = "people", "roles", "tokens"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,78}[a-z0-9])?")
_TOKEN = re.compile(r"ift_([0-9a-f]{16})_([0-9a-f]{64})")
_ROLE = re.compile(r"[a-z0-9](?:[a-z0-9._+-]{0,78}[a-z0-9])?")
_ENTITY = re.compile(r"[a-z0-9-]{1,80}|\*")
_UNKNOWN = ("access.unknown-caller", "who asks is not known here, or not any more")


class Person(Value, frozen=True):
    """Somebody or something that may sign in."""

    name: str
    roles: tuple[str, ...]
    """Plain, or with the entity of the group where each holds."""
    created_ms: int
    active: bool = True
    variables: tuple[tuple[str, str], ...] = ()
    """What rules about rows know of the person by `$name`."""


class Token(Value, frozen=True):
    """A token of a person, without its secret."""

    id: str
    person: str
    note: str
    secret_hash: bytes
    scopes: tuple[str, ...] | None
    created_ms: int
    expires_ms: int
    revoked_ms: int = 0


def put_person(turn: Turn, person: Person) -> None:
    """Keep a person; Refusal `access.name`, `access.role`."""
    check(_NAME.fullmatch(person.name) is not None and person.name != OWNER_ROLE, "access.name",
          "a name has small letters, digits and . _ @ + - and is not `owner`", name=person.name[:100])  # fmt: skip
    for each in person.roles:
        role, where = placed(each)
        if where:  # the entity alone knows its roles; one that it has not gives nothing
            right = _ROLE.fullmatch(role) and role != OWNER_ROLE and _ENTITY.fullmatch(where)
            check(bool(right), "access.role", "a role elsewhere is written role@entity, or role@*", role=each[:100])
        else:
            role_of(turn, each)
    kept.put(turn, PEOPLE, person.name.encode(), person)


def find_person(turn: Turn, name: str) -> Person | None:
    """The person of this name, if there is one."""
    return kept.get(turn, PEOPLE, name.encode(), Person)


def person_of(turn: Turn, name: str) -> Person:
    """The person of this name; Refusal `access.person`."""
    found = find_person(turn, name)
    if found is None:
        raise Refusal("access.person", "there is no such person here", name=name[:100])
    return found


def people(turn: Turn) -> list[Person]:
    """Everybody, by name."""
    return [each for _, each in kept.every(turn, PEOPLE, Person)]


def put_role(turn: Turn, role: Role) -> None:
    """Keep a role, in place of one of its name; Refusal `access.name`."""
    check(_ROLE.fullmatch(role.name) is not None and role.name != OWNER_ROLE, "access.name",
          "a role's name has small letters, digits and . _ + - and is not `owner`", name=role.name[:100])  # fmt: skip
    kept.put(turn, KEPT_ROLES, role.name.encode(), role)


def role_of(turn: Turn, name: str) -> Role:
    """The role of this name; Refusal `access.role`."""
    found = find_role(turn, name)
    if found is None:
        raise Refusal("access.role", "there is no such role", role=name[:100], roles=[r.name for r in roles(turn)])
    return found


def find_role(turn: Turn, name: str) -> Role | None:
    """The role of this name, if there is one."""
    return kept.get(turn, KEPT_ROLES, name.encode(), Role) or next((role for role in ROLES if role.name == name), None)


def held(turn: Turn, person: Person, *, where: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a person's roles that hold at one of these places, each once; what this vault does not define gives
    nothing."""
    found = [name for name, at in map(placed, person.roles) if at in where and (not at or find_role(turn, name))]
    return tuple(dict.fromkeys(found))


def here(turn: Turn, person: Person) -> Person:
    """A person with the roles that hold where the person is kept."""
    return person.replace(roles=held(turn, person, where=("", EVERYWHERE)))


def roles(turn: Turn) -> list[Role]:
    """All roles, by name."""
    own = {role.name: role for _, role in kept.every(turn, KEPT_ROLES, Role)}
    return sorted(({role.name: role for role in ROLES} | own).values(), key=lambda role: role.name)


def new_token(
    turn: Turn,
    person: str,
    *,
    note: str,
    scopes: tuple[str, ...] | None,
    expires_ms: int,
    now_ms: int,
    random: Callable[[int], bytes],
) -> tuple[Token, str]:
    """A token for a person, and its text, which is not kept; Refusal `access.person`, `access.expiry`."""
    person_of(turn, person)
    longest = now_ms + LIMITS.token_lifetime_ms_max
    check(now_ms < expires_ms <= longest, "access.expiry", "a token ends, and not too late", expires_ms=expires_ms,
          expires_ms_max=longest)  # fmt: skip
    name, secret = random(8).hex(), random(32).hex()
    token = Token(
        id=name, person=person, note=note[:200], secret_hash=_hash(secret), scopes=scopes, created_ms=now_ms,
        expires_ms=expires_ms,
    )  # fmt: skip
    kept.put(turn, TOKENS, name.encode(), token)
    return token, f"ift_{name}_{secret}"


def tokens(turn: Turn) -> list[Token]:
    """All tokens ever made, in no particular order."""
    return [each for _, each in kept.every(turn, TOKENS, Token)]


def revoke_token(turn: Turn, name: str, *, now_ms: int) -> Token:
    """End a token now; Refusal `access.token`."""
    found = kept.get(turn, TOKENS, name.encode(), Token)
    if found is None:
        raise Refusal("access.token", "there is no such token", token=name[:40])
    ended = msgspec.structs.replace(found, revoked_ms=found.revoked_ms or now_ms)
    kept.put(turn, TOKENS, name.encode(), ended)
    return ended


def caller_of_token(turn: Turn, text: str, *, now_ms: int) -> Caller:
    """Whoever shows a token; Refusal `access.unknown-caller`, the same for every reason, so that nothing is learned."""
    parts = _TOKEN.fullmatch(text)
    found = kept.get(turn, TOKENS, parts[1].encode(), Token) if parts else None
    known = found.secret_hash if found else bytes(32)
    right = hmac.compare_digest(_hash(parts[2] if parts else ""), known)
    if not right or found is None or found.revoked_ms or found.expires_ms <= now_ms:
        raise Refusal(*_UNKNOWN)
    return caller_of(turn, found.person, door="token", scopes=found.scopes).replace(token=found.id)


def caller_of(turn: Turn, name: str, *, door: Door, scopes: tuple[str, ...] | None = None) -> Caller:
    """A person as the caller at a door; Refusal `access.unknown-caller` where the person is gone."""
    person = find_person(turn, name)
    return as_caller(None if person is None else here(turn, person), door=door, scopes=scopes)


def as_caller(person: Person | None, *, door: Door, scopes: tuple[str, ...] | None = None) -> Caller:
    """A person with the roles that hold here as the caller; Refusal `access.unknown-caller` for nobody, or who left."""
    if person is None or not person.active:
        raise Refusal(*_UNKNOWN)
    return Caller(name=person.name, roles=person.roles, door=door, scopes=scopes, variables=person.variables)


def _hash(secret: str) -> bytes:
    # 256 random bits need no slow hash
    return hashlib.sha256(secret.encode()).digest()


def plain(value: Value) -> dict[str, Any]:
    """A person, role or token as JSON, without secrets."""
    found: dict[str, Any] = msgspec.to_builtins(value)
    found.pop("secret_hash", None)
    return found
