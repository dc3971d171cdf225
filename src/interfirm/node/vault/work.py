"""What every part of a turn shares: the database transaction, the templates' tables, and the numbers of new rows."""

from __future__ import annotations

from collections.abc import Callable

from interfirm.base.values import Value
from interfirm.node.vault.statements import Database, Driver, Numbers, Prepared, Statement, Work
from interfirm.node.vault.template_tables import TemplateTables

LISTS_COUNT_MAX = 1000


class Shared(Value, frozen=True):
    """What the turns of one vault have in common."""

    database: Database
    tables: TemplateTables
    lists: dict[object, Prepared]
    """List statements by their shape."""
    numbers: Numbers
    watched: set[str] = set()
    """Spaces of which somebody wants to know what is written (see Vault.watch)."""


class VaultWork(Work):
    """One database transaction of a vault."""

    def __init__(self, driver: Driver, shared: Shared, *, writable: bool) -> None:
        super().__init__(driver, shared.database, writable=writable)
        self.tables = shared.tables
        self.numbers = shared.numbers
        self._watched = shared.watched
        self.touched: set[tuple[str, bytes]] = set()
        """What was written of watched spaces."""
        self._lists = shared.lists
        self.erased = False
        """Something was erased for good: its traces must leave the log, too."""

    def touch(self, space: str, key: bytes) -> None:
        """Something is written under a key."""
        if space in self._watched:
            self.touched.add((space, key))

    def kept(self, shape: object, make: Callable[[], Statement]) -> Prepared:
        """The statement of this shape; made once. Users choose the shapes, so that only so many are kept."""
        found = self._lists.get(shape)
        if found is None:
            if len(self._lists) >= LISTS_COUNT_MAX:
                self._lists.clear()
            found = self._lists[shape] = self.prepare(make())
        return found
