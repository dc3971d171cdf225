"""What the GraphQL door needs of a node beside what every door needs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from interfirm.api.feed import Changed
from interfirm.api.ports import NodePort
from interfirm.node.access.types import Caller
from interfirm.node.reading import Reading
from interfirm.node.vault.turn import Turn


class GraphPort(NodePort, Protocol):
    """One node, as its GraphQL door sees it."""

    def reading(self, caller: Caller) -> Reading:
        """What the caller may read, as its roles stand now; Refusal `access.role`."""

    def read(self) -> AbstractContextManager[Turn]:
        """One committed state of the vault."""

    def changes(self, changed: Changed) -> Callable[[], None]:
        """Tell of every commit that brings or changes contracts, until what is given back is called."""
