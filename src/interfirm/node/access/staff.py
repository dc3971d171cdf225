"""Whom a node knows by name: people of its own, and those of its group's host where another firm's process runs it.

A plain role holds where its person is kept, `role@entity` at that firm of the group alone, `role@*` at all of it. At
another firm than where she is kept Anna of Nordmark is called `nordmark/anna`, as no person of its own can be. Nothing
of her is kept there: she is asked for anew at her own node each time, so what ends there has ended everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.node.access import people
from interfirm.node.access.people import Person
from interfirm.node.access.types import EVERYWHERE, Caller, Door, placed
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.vault import Vault

OF = "/"
"""Between a host and the name of one of its people; no name has it."""


class Entity(Value, frozen=True):
    """A firm whose node runs in its group's host."""

    slug: str
    name: str
    url: str
    """Where its doors are."""


class Staff:
    """See the module; of one node."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._hosted: dict[str, tuple[Entity, Staff]] = {}
        self._host: tuple[str, str, Staff] | None = None

    def take_in(self, entity: Entity, staff: Staff, *, host: str) -> None:
        """From now on these people may have roles at an entity too, where they are called `host/...`."""
        self._hosted[entity.slug] = entity, staff
        staff._host = host, entity.slug, self

    @property
    def is_hosted(self) -> bool:
        """Whether the node is one of those that its group's host runs."""
        return self._host is not None

    def find(self, turn: Turn, name: str) -> Person | None:
        """The person of this name, with the roles that hold here; `turn` is of this node's own vault."""
        of, between, at_host = name.partition(OF)
        if not between:
            found = people.find_person(turn, name)
            return None if found is None else people.here(turn, found)
        if self._host is None or self._host[0] != of:
            return None
        found = self._host[2]._kept(at_host)
        return None if found is None else self._guest(turn, found)

    def caller(self, turn: Turn, name: str, *, door: Door, scopes: tuple[str, ...] | None = None) -> Caller:
        """A person as the caller at a door; Refusal `access.unknown-caller` who left, or has no role here."""
        return people.as_caller(self.find(turn, name), door=door, scopes=scopes)

    def guest(self, caller: Caller) -> Caller:
        """Somebody whom the host has recognised, as the caller here; Refusal `access.unknown-caller`."""
        of = "" if self._host is None else self._host[0]
        with self._vault.read() as turn:
            found = self.caller(turn, f"{of}{OF}{caller.name}", door=caller.door, scopes=caller.scopes)
        return found.replace(token=caller.token)

    def guests(self, turn: Turn) -> list[Person]:
        """The host's people who have roles here, by name."""
        if self._host is None:
            return []
        with self._host[2]._vault.read() as at_host:
            kept = people.people(at_host)
        return [guest for person in kept if (guest := self._guest(turn, person)) is not None]

    def everybody(self, turn: Turn) -> list[Person]:
        """The node's own people and guests, with the roles that hold here."""
        return [*(people.here(turn, person) for person in people.people(turn)), *self.guests(turn)]

    def entities(self, caller: Caller | None = None) -> list[Entity]:
        """The entities that run here, by slug; only those that a caller may enter, where one is named."""
        found = [self._hosted[slug] for slug in sorted(self._hosted)]
        return [entity for entity, staff in found if caller is None or staff._lets_in(caller)]

    def check_roles(self, wanted: Iterable[str]) -> None:
        """Refuse (`access.entity`, `access.role`) roles at entities that this node has not, or have not this role."""
        for text in wanted:
            role, where = placed(text)
            if not where:
                continue
            known = where in self._hosted or (where == EVERYWHERE and self._hosted)
            check(bool(known), "access.entity", "this node runs no such entity", role=text[:100],
                  entities=sorted(self._hosted))  # fmt: skip
            asked = [staff for slug, (_, staff) in self._hosted.items() if where in (slug, EVERYWHERE)]
            if not any(staff._has_role(role) for staff in asked):
                raise Refusal("access.role", "there is no such role at this entity", role=text[:100])

    def _has_role(self, name: str) -> bool:
        with self._vault.read() as turn:
            return people.find_role(turn, name) is not None

    def _lets_in(self, caller: Caller) -> bool:
        try:
            self.guest(caller)
        except Refusal:
            return False
        return True

    def _kept(self, name: str) -> Person | None:
        with self._vault.read() as turn:
            return people.find_person(turn, name)

    def _guest(self, turn: Turn, person: Person) -> Person | None:
        """A person of the host as it is known here; None without a role."""
        assert self._host is not None
        host, slug, _ = self._host
        roles = people.held(turn, person, where=(slug, EVERYWHERE))
        return person.replace(name=f"{host}{OF}{person.name}", roles=roles) if roles else None
