"""The part of a turn that keeps soft locks: what this node's own flows mean to use, so that no two plan the same."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from interfirm.base.errors import Refusal
from interfirm.contracts.types import ContractRef
from interfirm.node.vault.statements import put
from interfirm.node.vault.tables import soft_locks
from interfirm.node.vault.types import Lock
from interfirm.node.vault.work import VaultWork

_l = soft_locks.c
_PUT = put(soft_locks)
_ONE = sa.select(_l.holder, _l.until_ms).where(
    _l.transaction_id == sa.bindparam("of"), _l.entry_index == sa.bindparam("at"), _l.until_ms > sa.bindparam("now_ms")
)
_RENEW = sa.update(soft_locks).where(_l.holder == sa.bindparam("of")).values(until_ms=sa.bindparam("to_until_ms"))
_RELEASE = sa.delete(soft_locks).where(_l.holder == sa.bindparam("of"))


class Locks(VaultWork):
    """Soft locks with a lease: one that is over binds nobody, so a flow that died holds nothing for ever."""

    def soft_lock(self, refs: Sequence[ContractRef], holder: str, until_ms: int, now_ms: int) -> None:
        """Lock all refs for `holder` or none; its own locks are renewed.

        Raises Refusal `vault.locked` naming the first ref that another holds, its holder and the end of its lease.
        """
        for ref in refs:
            lock = self.locked_by(ref, now_ms)
            if lock is not None and lock.holder != holder:
                raise Refusal(
                    "vault.locked", "another flow is using this contract", transaction=ref.transaction,
                    index=ref.index, holder=lock.holder, until_ms=lock.until_ms,
                )  # fmt: skip
        for ref in refs:
            row = {"transaction_id": ref.transaction, "entry_index": ref.index, "holder": holder, "until_ms": until_ms}
            self.write(_PUT, row)

    def renew_locks(self, holder: str, until_ms: int) -> None:
        """Move the end of all of a holder's leases."""
        self.write(_RENEW, {"of": holder, "to_until_ms": until_ms})

    def release_locks(self, holder: str) -> None:
        """End all of a holder's locks."""
        self.write(_RELEASE, {"of": holder})

    def locked_by(self, ref: ContractRef, now_ms: int) -> Lock | None:
        """The lock on a contract whose lease is not over, if there is one."""
        row = self.row(_ONE, of=ref.transaction, at=ref.index, now_ms=now_ms)
        return None if row is None else Lock(ref=ref, holder=row[0], until_ms=row[1])
