"""The part of a turn that keeps transactions."""

from __future__ import annotations

import sqlalchemy as sa

from interfirm.base.errors import Refusal
from interfirm.node.vault.statements import Row, add
from interfirm.node.vault.tables import transactions
from interfirm.node.vault.types import StoredTransaction, TransactionStatus
from interfirm.node.vault.work import VaultWork

_t = transactions.c
_FIELDS = [column for column in transactions.columns if column.name != "number"]
_ADD = add(transactions, unique=("id",))
_ONE = sa.select(*_FIELDS).where(_t.id == sa.bindparam("of"))
_NUMBER = sa.select(_t.number).where(_t.id == sa.bindparam("of"))
_PAGE = sa.select(*_FIELDS).where(_t.number > sa.bindparam("after")).order_by(_t.number).limit(sa.bindparam("limit"))
_NEWEST = (
    sa.select(*_FIELDS).where(_t.number < sa.bindparam("after")).order_by(_t.number.desc()).limit(sa.bindparam("limit"))
)
_SET = (
    sa.update(transactions)
    .where(_t.id == sa.bindparam("of"))
    .values(
        status=sa.bindparam("to_status"),
        receipt=sa.func.coalesce(sa.bindparam("to_receipt"), _t.receipt),
        height=sa.func.coalesce(sa.bindparam("to_height"), _t.height),
        time_ms=sa.func.coalesce(sa.bindparam("to_time_ms"), _t.time_ms),
    )
)
_LAST = 2**63 - 1


class Transactions(VaultWork):
    """Transactions as this node sees them."""

    def add_transaction(self, transaction: StoredTransaction) -> None:
        """Keep a transaction; one that is there already stays as it is."""
        number = self.numbers.transaction = self.numbers.transaction + 1
        self.write(
            _ADD,
            {
                "number": number, "id": transaction.id, "view": transaction.view, "skeleton": transaction.skeleton,
                "receipt": transaction.receipt, "status": transaction.status, "notary": transaction.notary,
                "flow": transaction.flow, "height": transaction.height, "time_ms": transaction.time_ms,
            },
        )  # fmt: skip

    def transaction(self, id: bytes) -> StoredTransaction | None:
        """The transaction with this id, if it is kept here."""
        row = self.row(_ONE, of=id)
        return None if row is None else StoredTransaction(*row)

    def set_transaction_status(
        self,
        id: bytes,
        status: TransactionStatus,
        *,
        receipt: bytes | None = None,
        height: int | None = None,
        time_ms: int | None = None,
    ) -> None:
        """Change the status and, where given, receipt, height and time; Refusal `vault.unknown` for an unknown id."""
        changed = {"of": id, "to_status": status, "to_receipt": receipt, "to_height": height, "to_time_ms": time_ms}
        if not self.write(_SET, changed):
            raise Refusal("vault.unknown", "this transaction is not in the vault", transaction=id)

    def transactions(
        self, *, after: bytes | None = None, limit: int = 50, newest_first: bool = False
    ) -> list[StoredTransaction]:
        """Transactions in the order of their arrival, after (or before) the one with id `after`.

        Raises Refusal `vault.cursor` where that one is not here.
        """
        number = _LAST if newest_first else 0
        if after:
            row = self.row(_NUMBER, of=after)
            if row is None:
                raise Refusal("vault.cursor", "a list goes on after a transaction that is in it", transaction=after)
            number = row[0]
        rows: list[Row] = self.rows(_NEWEST if newest_first else _PAGE, after=number, limit=limit)
        return [StoredTransaction(*row) for row in rows]
