"""Who asks, and what roles allow: plain values. What follows from them is in `machine.py`."""

from __future__ import annotations

from typing import Literal

from interfirm.base.values import Value

Door = Literal["control", "session", "token"]


class Caller(Value, frozen=True):
    """Somebody whom a door has recognised: a person, a program, or the user who runs the node."""

    name: str
    """The person's or program's name here; `owner` for the user who runs the node."""
    roles: tuple[str, ...]
    door: Door
    scopes: tuple[str, ...] | None = None
    """Where a token allows less than its owner may: the names of operations, `*` at the end of one for all that begin
    so; None for no less."""
    variables: tuple[tuple[str, str], ...] = ()
    """What rules about rows know of the caller by `$name`, beside `$caller`."""
    token: str = ""
    """The id of the token that was shown, if one was."""


class Rule(Value, frozen=True):
    """What a role may do with contracts of a template. What no rule of a role allows is refused."""

    template: str
    """`folder.Name`, or `*` for every template."""
    read: bool = False
    create: bool = False
    choices: tuple[str, ...] = ()
    """The choices that may be made; `*` for every one."""
    rows: str = "{}"
    """Which contracts, as the JSON of a filter (see `filters.py`); `{}` for all."""
    hidden: tuple[str, ...] = ()
    """Fields that are not shown, and cannot be used to filter or sort."""


class Role(Value, frozen=True):
    """A named set of rules, given to people."""

    name: str
    about: str
    operations: tuple[str, ...]
    """The operations that may be asked for by name; `*` at the end of one for all that begin so."""
    rules: tuple[Rule, ...]


EVERYWHERE = "*"


def placed(role: str) -> tuple[str, str]:
    """A person's role as (its name, where it holds): an entity, `*` for all of the group, empty where it is kept."""
    name, _, where = role.partition("@")
    return name, where


OWNER_ROLE = "owner"
OWNER = Caller(name="owner", roles=(OWNER_ROLE,), door="control")
"""The user who runs the node, and may open its control socket: may all that the node can do."""
