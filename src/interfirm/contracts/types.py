"""What the interpreter takes and gives: commands in, a forest of actions out. No transactions are known here.

Payloads, arguments and results are in plain form (the builtins of the canonical encoding), so that an action reads the
same whichever version of a Python class made it.
"""

from __future__ import annotations

from typing import Any

from interfirm.base.time import Instant
from interfirm.base.values import Hash32, Index, Value, Wire

Plain = Any
"""Builtins of the canonical encoding: int, str, bytes, bool, None, lists, maps with text keys."""


class TemplateId(Wire, frozen=True, order=True):
    """A template: the hash of its package (32 bytes) and its class name."""

    package: Hash32
    name: str


class ContractRef(Wire, frozen=True, order=True):
    """A contract by (transaction id, entry index); transaction None is the transaction being built."""

    transaction: Hash32 | None
    index: Index


class Contract(Value, frozen=True):
    """An active contract as a lookup returns it: payload is the list of its fields in declared order.

    `created_in` is the transaction that made it, where its ref names another because it moved between notaries.
    """

    template: TemplateId
    payload: Plain
    created_in: bytes | None = None


class CreateCommand(Wire, frozen=True, tag="create"):
    """Create a contract at the top of a transaction."""

    template: TemplateId
    payload: Plain


class ExerciseCommand(Wire, frozen=True, tag="exercise"):
    """Exercise a choice at the top of a transaction; arguments are the list of its values in declared order."""

    ref: ContractRef
    template: TemplateId
    choice: str
    arguments: Plain


Command = CreateCommand | ExerciseCommand


class Confirmers(Wire, frozen=True):
    """Who must sign a contract's exercise: identity ids sorted; `fallback` suffices from `since` on."""

    parties: tuple[Hash32, ...]
    fallback: tuple[Hash32, ...] = ()
    since: Instant | None = None


class ClaimKey(Wire, frozen=True):
    """A claim as declared: family, owner's identity id, and the canonical block of (family, key) that is hashed."""

    family: str
    owner: bytes
    alpha: bytes


class Create(Value, frozen=True, tag="create"):
    """A contract made: who is bound, who sees it, who confirms its exercise, what it claims."""

    index: int
    template: TemplateId
    payload: Plain
    signatories: tuple[bytes, ...]
    observers: tuple[bytes, ...]
    confirmers: Confirmers
    claims: tuple[ClaimKey, ...]

    @property
    def informees(self) -> frozenset[bytes]:
        """Who gets this node: the contract's stakeholders."""
        return frozenset(self.signatories) | frozenset(self.observers)

    @property
    def children(self) -> tuple[Action, ...]:
        """None."""
        return ()


class Exercise(Value, frozen=True, tag="exercise"):
    """A choice made: on what, by whom (controllers), with what result, and everything that happened below it.

    `signatories`, `observers` and `confirmers` are those of the contract it is made on.
    """

    index: int
    ref: ContractRef
    template: TemplateId
    choice: str
    consuming: bool
    arguments: Plain
    result: Plain
    controllers: tuple[bytes, ...]
    signatories: tuple[bytes, ...]
    observers: tuple[bytes, ...]
    confirmers: Confirmers
    children: tuple[Action, ...]

    @property
    def informees(self) -> frozenset[bytes]:
        """Who gets this node: stakeholders, confirmers with their fallback, and controllers."""
        return frozenset(
            (*self.signatories, *self.observers, *self.confirmers.parties, *self.confirmers.fallback, *self.controllers)
        )


class Fetch(Value, frozen=True, tag="fetch"):
    """A contract read: `controllers` are the stakeholders in whose authority it was read."""

    index: int
    ref: ContractRef
    template: TemplateId
    controllers: tuple[bytes, ...]
    signatories: tuple[bytes, ...]
    observers: tuple[bytes, ...]

    @property
    def informees(self) -> frozenset[bytes]:
        """Who gets this node: signatories and controllers."""
        return frozenset((*self.signatories, *self.controllers))

    @property
    def children(self) -> tuple[Action, ...]:
        """None."""
        return ()


Action = Create | Exercise | Fetch


def walk(actions: tuple[Action, ...]) -> list[Action]:
    """All actions of a forest, parent before child, in the order of their entries."""
    found: list[Action] = []
    for action in actions:
        found.append(action)
        if action.children:
            found.extend(walk(action.children))
    return found
