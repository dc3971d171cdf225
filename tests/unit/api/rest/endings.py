"""The ways in which somebody who follows a stream stops being who they were, each with the code that says so."""

from __future__ import annotations

from collections.abc import Callable

from interfirm.node.access import people, sessions
from interfirm.node.access.people import Person
from interfirm.node.access.types import Role, Rule

from .nodes import FirmNode

NAME = "fay"
FOLLOWER = Role("follower", "Follows.", ("contracts.*", "changes.*", "create"), (Rule("*", read=True, create=True),))
LIFE_MS = 60_000


def by_token(node: FirmNode) -> dict[str, str]:
    """The headers of a person who shows a token that ends soon."""
    _put(node)
    now_ms = node.firm.clock_ms()
    with node.firm.vault.turn() as turn:
        _, text = people.new_token(turn, NAME, note="", scopes=None, expires_ms=now_ms + LIFE_MS, now_ms=now_ms,
                                   random=node.firm.random.randbytes)  # fmt: skip
    return {"Authorization": f"Bearer {text}"}


def by_session(node: FirmNode) -> dict[str, str]:
    """The headers of a page where a person has signed in."""
    _put(node)
    with node.firm.vault.turn() as turn:
        _, text = sessions.opened(turn, NAME, "password", sessions.Client("192.0.2.1"), now_ms=node.firm.clock_ms(),
                                  random=node.firm.random.randbytes)  # fmt: skip
    return {"Cookie": f"interfirm-session={text}", "Origin": "http://node", "Host": "node"}


def _put(node: FirmNode) -> None:
    with node.firm.vault.turn() as turn:
        people.put_role(turn, FOLLOWER)
        people.put_person(turn, Person(name=NAME, roles=(FOLLOWER.name,), created_ms=0))


def _revoked(node: FirmNode) -> None:
    with node.firm.vault.turn() as turn:
        for token in people.tokens(turn):
            people.revoke_token(turn, token.id, now_ms=node.firm.clock_ms())


def _left(node: FirmNode) -> None:
    node.desk.handle("access.person-put", {"name": NAME, "active": False})


def _moved(node: FirmNode) -> None:
    node.desk.handle("access.person-put", {"name": NAME, "roles": ["viewer"]})


def _redefined(node: FirmNode) -> None:
    with node.firm.vault.turn() as turn:
        people.put_role(turn, FOLLOWER.replace(rules=(Rule("cash.Cash", read=True, hidden=("amount",)),)))


def _signed_out(node: FirmNode) -> None:
    node.desk.handle("access.session-end", {"person": NAME})


def _aged(node: FirmNode) -> None:
    node.firm.skew_ms += LIFE_MS + 1


Ending = tuple[Callable[[FirmNode], dict[str, str]], Callable[[FirmNode], None], str]
ENDINGS: dict[str, Ending] = {
    "a token is revoked": (by_token, _revoked, "access.revoked"),
    "a token ends": (by_token, _aged, "access.expired"),
    "a session is ended": (by_session, _signed_out, "access.signed-out"),
    "a session ends": (by_session, _aged, "access.expired"),
    "a person leaves": (by_token, _left, "access.left"),
    "a person with a session leaves": (by_session, _left, "access.left"),
    "a person has other roles": (by_token, _moved, "access.changed"),
    "a role is defined anew": (by_session, _redefined, "access.changed"),
}
