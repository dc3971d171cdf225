"""The part of a turn that takes old rows out of a vault, remembers that they were here, and puts them back.

Of a transaction that was archived a small row stays: nothing is recorded twice, and whoever asks for it is told.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from interfirm.base.values import Value
from interfirm.node.vault.blobs import Blobs
from interfirm.node.vault.contracts import FIELDS, Contracts
from interfirm.node.vault.tables import contracts, flows, inbox, journal, transactions
from interfirm.node.vault.transactions import Transactions
from interfirm.node.vault.types import StoredContract, StoredTransaction

ARCHIVED = "archived"
_t, _c = transactions.c, contracts.c
_FIELDS = [column for column in transactions.columns if column.name != "number"]
_PAGE = (
    sa.select(_t.number, *_FIELDS)
    .where(_t.number > sa.bindparam("after"))
    .order_by(_t.number)
    .limit(sa.bindparam("limit"))
)
_ONE = sa.select(_t.number, *_FIELDS).where(_t.id == sa.bindparam("of"))
_TIME = sa.select(_t.time_ms).where(_t.id == sa.bindparam("of"))
_OF = sa.select(_c.number, *FIELDS).where(_c.transaction_id == sa.bindparam("of")).order_by(_c.entry_index)
_NUMBERED = sa.select(_c.number).where(_c.number == sa.bindparam("of"))
_NUMBERED_TRANSACTION = sa.select(_t.number).where(_t.number == sa.bindparam("of"))
_REMOVE = sa.delete(transactions).where(_t.id == sa.bindparam("of"))
_REMOVE_CONTRACT = sa.delete(contracts).where(_c.number == sa.bindparam("of"))
_OLD_FLOWS = (
    sa.select(flows.c.id)
    .where(flows.c.state == sa.bindparam("of"), flows.c.changed_ms < sa.bindparam("before_ms"))
    .limit(sa.bindparam("limit"))
)
_OLD_ITEMS = (
    sa.select(inbox.c.id)
    .where(inbox.c.state != "open", inbox.c.created_ms < sa.bindparam("before_ms"))
    .order_by(inbox.c.created_ms)
    .limit(sa.bindparam("limit"))
)
_REMOVE_FLOW = sa.delete(flows).where(flows.c.id == sa.bindparam("of"))
_REMOVE_JOURNAL = sa.delete(journal).where(journal.c.flow == sa.bindparam("of"))
_REMOVE_ITEM = sa.delete(inbox).where(inbox.c.id == sa.bindparam("of"))


class ArchivedRow(Value, frozen=True):
    """What stays of a transaction that was archived."""

    archive: int
    """The number of the archive that holds it."""
    time_ms: int
    """When it was accepted."""


class Archived(Transactions, Contracts, Blobs):
    """Rows with the numbers by which lists and streams know them, so that what comes back comes to its old place."""

    def archived(self, transaction: bytes) -> ArchivedRow | None:
        """What stays of a transaction that was archived; None where it was not."""
        kept = self.blob_get(ARCHIVED, transaction)
        return None if kept is None else msgspec.msgpack.decode(kept, type=ArchivedRow)

    def numbered_transactions(self, *, after: int, limit: int) -> list[tuple[int, StoredTransaction]]:
        """Transactions with their numbers in the order of arrival, after a number."""
        return [(row[0], StoredTransaction(*row[1:])) for row in self.rows(_PAGE, after=after, limit=limit)]

    def accepted_ms(self, transaction: bytes) -> int | None:
        """When a transaction was accepted that is kept here, or was archived; None where it never was here."""
        row = self.row(_TIME, of=transaction)
        if row is not None:
            return int(row[0])
        kept = self.archived(transaction)
        return None if kept is None else kept.time_ms

    def numbered_transaction(self, transaction: bytes) -> tuple[int, StoredTransaction] | None:
        """A transaction that is kept here, with its number."""
        row = self.row(_ONE, of=transaction)
        return None if row is None else (row[0], StoredTransaction(*row[1:]))

    def numbered_contracts(self, transaction: bytes) -> list[tuple[int, StoredContract]]:
        """The contracts that a transaction made, as far as they are kept here, with their numbers."""
        return [(row[0], self._stored(row[1:])) for row in self.rows(_OF, of=transaction)]

    def archive(self, transaction: bytes, row: ArchivedRow) -> None:
        """Take a transaction and the contracts that it made out of the vault; the small row stays."""
        for number, contract in self.numbered_contracts(transaction):
            table = self.tables.of(contract.template)
            self.write(table.remove, {"of": number})
            words = table.indexed_words(contract.payload)
            if words:
                self.write(table.remove_words[self._database.dialect.name], {"number": number, "words": words})
            self.write(_REMOVE_CONTRACT, {"of": number})
        self.write(_REMOVE, {"of": transaction})
        self.blob_put(ARCHIVED, transaction, msgspec.msgpack.encode(row))

    def unarchive(self, number: int, transaction: StoredTransaction, made: list[tuple[int, StoredContract]]) -> None:
        """Put a transaction with its contracts back, under their numbers as far as these are free."""
        numbers = self.numbers
        last = numbers.transaction, numbers.contract
        try:
            numbers.transaction = number - 1 if self.row(_NUMBERED_TRANSACTION, of=number) is None else last[0]
            self.add_transaction(transaction)
            for place, contract in made:
                numbers.contract = place - 1 if self.row(_NUMBERED, of=place) is None else last[1]
                self.add_contract(contract)
                last = last[0], max(last[1], numbers.contract)
        finally:
            numbers.transaction, numbers.contract = max(last[0], numbers.transaction), max(last[1], numbers.contract)
        self.blob_delete(ARCHIVED, transaction.id)

    def old_flows(self, state: str, *, before_ms: int, limit: int) -> list[str]:
        """Ids of flows in a state that have not changed since a time."""
        return [row[0] for row in self.rows(_OLD_FLOWS, of=state, before_ms=before_ms, limit=limit)]

    def old_items(self, *, before_ms: int, limit: int) -> list[str]:
        """Ids of decided questions to people that were asked before a time."""
        return [row[0] for row in self.rows(_OLD_ITEMS, before_ms=before_ms, limit=limit)]

    def remove_flow(self, flow: str) -> None:
        """Forget a flow that has ended, with its journal."""
        self.write(_REMOVE_JOURNAL, {"of": flow})
        self.write(_REMOVE_FLOW, {"of": flow})

    def remove_item(self, item: str) -> None:
        """Forget a question to a person."""
        self.write(_REMOVE_ITEM, {"of": item})
