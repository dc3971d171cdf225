"""The part of a turn that keeps moves: how contracts came from notary to notary."""

from __future__ import annotations

import sqlalchemy as sa

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.contracts.types import ContractRef
from interfirm.node.vault.statements import Row, add
from interfirm.node.vault.tables import moves
from interfirm.node.vault.types import StoredMove
from interfirm.node.vault.work import VaultWork

_m = moves.c
_FIELDS = [column for column in moves.columns if column.name != "number"]
_ADD = add(moves, unique=("lock",))
_LAST = sa.select(sa.func.coalesce(sa.func.max(_m.number), 0))
_ONE = sa.select(*_FIELDS).where(_m.lock == sa.bindparam("of"))
_NUMBER = sa.select(_m.number).where(_m.lock == sa.bindparam("of"))
_FROM = (
    sa.select(*_FIELDS)
    .where(_m.transaction_id == sa.bindparam("of"), _m.entry_index == sa.bindparam("at"))
    .order_by(_m.number.desc())
)
_PAGE = sa.select(*_FIELDS).where(_m.number > sa.bindparam("after")).order_by(_m.number).limit(sa.bindparam("limit"))
_SET = (
    sa.update(moves)
    .where(_m.lock == sa.bindparam("of"))
    .values(status=sa.bindparam("to_status"), import_receipt=sa.bindparam("to_receipt"))
)


class Moves(VaultWork):
    """Moves of contracts by their lock id, and by the contract that moved."""

    def put_move(self, move: StoredMove) -> None:
        """Keep a move; of one that is there, status and receipt of the import change."""
        if self.row(_NUMBER, of=move.lock) is not None:
            self.write(_SET, {"of": move.lock, "to_status": move.status, "to_receipt": move.import_receipt})
            return
        (last,) = self.rows(_LAST)[0]
        row = {
            "number": last + 1, "lock": move.lock, "transaction_id": move.ref.transaction,
            "entry_index": move.ref.index, "origin": move.origin, "target": move.target, "until_ms": move.until_ms,
            "nonce": move.nonce, "lock_receipt": move.lock_receipt, "import_receipt": move.import_receipt,
            "status": move.status, "time_ms": move.time_ms,
        }  # fmt: skip
        self.write(_ADD, row)

    def move(self, lock: bytes) -> StoredMove | None:
        """The move with this lock id, if it is kept here."""
        row = self.row(_ONE, of=lock)
        return None if row is None else _stored(row)

    def moves_from(self, ref: ContractRef) -> list[StoredMove]:
        """The moves of the contract that a ref names, as far as they are kept here, latest first."""
        return [_stored(row) for row in self.rows(_FROM, of=ref.transaction, at=ref.index)]

    def moves_to(self, ref: ContractRef) -> tuple[StoredMove, ...]:
        """How the contract that a ref names came there from where it was made, first move first; often not at all.

        Raises Refusal `vault.moves` beyond the limit.
        """
        found: list[StoredMove] = []
        while (move := self.move(ref.transaction or b"")) is not None:
            found.append(move)
            ref, count_max = move.ref, LIMITS.moves_count_max
            check(len(found) <= count_max, "vault.moves", "the contract moved too often", count_max=count_max)
        return tuple(reversed(found))

    def moves(self, *, after: bytes | None = None, limit: int = 50) -> list[StoredMove]:
        """Moves in the order in which they became known, after the one with lock id `after`; Refusal `vault.cursor`."""
        number = 0
        if after:
            row = self.row(_NUMBER, of=after)
            if row is None:
                raise Refusal("vault.cursor", "a list goes on after a move that is in it", lock=after)
            number = row[0]
        return [_stored(row) for row in self.rows(_PAGE, after=number, limit=limit)]


def _stored(row: Row) -> StoredMove:
    lock, transaction, index, origin, target, until_ms, nonce, locked, imported, status, time_ms = row
    return StoredMove(
        lock=lock, ref=ContractRef(transaction, index), origin=origin, target=target, until_ms=until_ms, nonce=nonce,
        lock_receipt=locked, import_receipt=imported, status=status, time_ms=time_ms,
    )  # fmt: skip
