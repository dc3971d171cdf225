"""What every part of a turn shares: the database transaction, the templates' tables, and the numbers of new rows."""

from __future__ import annotations

import sqlalchemy as sa

from interfirm.base.values import Value
from interfirm.node.vault.statements import Database, Numbers, Prepared, Statement, Work
from interfirm.node.vault.template_tables import TemplateTables


class Shared(Value, frozen=True):
    """What the turns of one vault have in common."""

    database: Database
    prepared: dict[Statement, Prepared]
    tables: TemplateTables
    lists: dict[object, sa.Select[tuple[object, ...]]]
    """List statements by their shape."""
    numbers: Numbers


class VaultWork(Work):
    """One database transaction of a vault."""

    def __init__(self, connection: sa.Connection, shared: Shared, *, writable: bool) -> None:
        super().__init__(connection, shared.database, shared.prepared, writable=writable)
        self.tables = shared.tables
        self.numbers = shared.numbers
        self.lists = shared.lists
        self.erased = False
        """Something was erased for good: its traces must leave the log, too."""
