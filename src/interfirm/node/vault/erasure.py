"""The part of a turn that finds copies of what must be erased, wherever a vault keeps bytes of others."""

from __future__ import annotations

import sqlalchemy as sa

from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef
from interfirm.node.vault.statements import Row
from interfirm.node.vault.tables import blobs, contracts, flows, journal, privates
from interfirm.node.vault.types import FlowState, PrivateValue
from interfirm.node.vault.work import VaultWork


def _holds(column: sa.Column[bytes]) -> sa.ColumnElement[bool]:
    return sa.func.instr(column, sa.bindparam("part")) > 0


_SUBJECT = sa.select(privates).where(privates.c.subject == sa.bindparam("of"))
_FLOWS = sa.select(flows.c.id, flows.c.state, flows.c.arguments).where(_holds(flows.c.arguments))
_JOURNALS = (
    sa.select(journal.c.flow, flows.c.state, journal.c.entry)
    .where(journal.c.flow == flows.c.id)
    .where(_holds(journal.c.entry))
)
_BLOBS = sa.select(blobs.c.space, blobs.c.key, blobs.c.value).where(_holds(blobs.c.value))
_CONTRACTS = (
    sa.select(contracts.c.transaction_id, contracts.c.entry_index)
    .where(_holds(contracts.c.payload))
    .order_by(contracts.c.number)
)
_BLANK = sa.update(flows).where(flows.c.id == sa.bindparam("of")).values(arguments=b"")


class FlowCopy(Value, frozen=True):
    """Bytes that a flow keeps: its arguments, or an entry of its journal."""

    flow: str
    state: FlowState
    data: bytes


class Erasure(VaultWork):
    """Every search here reads whole tables: erasing is rare, and must miss nothing."""

    def privates_of_subject(self, subject: str) -> list[PrivateValue]:
        """All private values kept of a data subject."""
        return [PrivateValue(*row) for row in self.rows(_SUBJECT, of=subject)]

    def flows_with(self, part: bytes) -> list[FlowCopy]:
        """Arguments and journal entries of flows that contain these bytes."""
        found: list[Row] = self.rows(_FLOWS, part=part) + self.rows(_JOURNALS, part=part)
        return [FlowCopy(*row) for row in found]

    def blobs_with(self, part: bytes) -> list[tuple[str, bytes, bytes]]:
        """(space, key, value) of all others' rows whose value contains these bytes."""
        return [(row[0], row[1], row[2]) for row in self.rows(_BLOBS, part=part)]

    def contracts_with(self, part: bytes) -> list[ContractRef]:
        """Contracts whose payload contains these bytes, oldest first."""
        return [ContractRef(row[0], row[1]) for row in self.rows(_CONTRACTS, part=part)]

    def blank_flow(self, flow: str) -> None:
        """Erase the arguments of a flow that has ended."""
        self.erased = True
        self.write(_BLANK, {"of": flow})
