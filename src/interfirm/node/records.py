"""Writing what the notaries accepted into the vault: transactions, and contracts made and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interfirm.base import codec
from interfirm.contracts.types import ContractRef, Create, Exercise
from interfirm.ledger.types import (
    ConsumeEntry,
)
from interfirm.ledger.verification import Verified
from interfirm.node.moves import EARLY, EARLY_WAYS, Way
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import StoredContract, StoredTransaction, TransactionStatus

if TYPE_CHECKING:
    from interfirm.node.books import Books


class Records:
    """The records of one organisation's books. All methods take the turn they read and write in."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def add(self, turn: Turn, verified: Verified, receipt: bytes, *, flow: str, now_ms: int) -> list[ContractRef]:
        """Write a notarised view: transaction, contracts made and ended; returns the refs of contracts made.

        Recording twice is harmless, also of what was archived since. Only contracts of which this organisation is a
        stakeholder enter its vault.
        """
        self._books.check_receipt(receipt, verified.id, verified.view.header.notary)
        stored = turn.transaction(verified.id)
        if stored is None and turn.archived(verified.id) is not None:
            return [ContractRef(verified.id, index) for index in verified.created]
        if stored is None:
            turn.add_transaction(self.stored(verified, receipt=receipt, status="notarised", flow=flow, now_ms=now_ms))
        elif stored.status != "notarised":
            turn.set_transaction_status(verified.id, "notarised", receipt=receipt, time_ms=now_ms)
        else:
            return [ContractRef(verified.id, index) for index in verified.created]
        made = self._create(turn, verified, now_ms)
        self._consume(turn, verified, now_ms)
        self._books.remember(verified, made, receipt)
        return made

    def stored(
        self, verified: Verified, *, receipt: bytes, status: TransactionStatus, flow: str, now_ms: int
    ) -> StoredTransaction:
        """A verified view as the vault keeps it."""
        return StoredTransaction(
            id=verified.id,
            view=codec.encode_known(verified.view),
            skeleton=codec.encode_known(verified.skeleton),
            receipt=receipt,
            status=status,
            notary=verified.view.header.notary,
            flow=flow,
            height=0,
            time_ms=now_ms,
        )

    def _create(self, turn: Turn, verified: Verified, now_ms: int) -> list[ContractRef]:
        me, notary = self._books.keys.identity, verified.view.header.notary
        found = []
        for index, contract in verified.created.items():
            action = contract.action
            assert isinstance(action, Create)
            if me in action.informees:
                stored = StoredContract(
                    ref=ContractRef(verified.id, index), template=action.template, payload=action.payload,
                    payload_seed=contract.payload_seed, confirmers_salt=contract.confirmers_salt,
                    entry=codec.encode_known(contract.entry), notary=notary, status="active", consumer=None,
                    signatories=action.signatories, observers=action.observers, known_valid=True, time_ms=now_ms,
                )  # fmt: skip
                found.append(stored)
        turn.add_contracts(found)
        made = [each.ref for each in found]
        if any(turn.blobs(space, limit=1) for space in (EARLY, EARLY_WAYS)):
            for ref in made:
                self.catch_up(turn, ref, now_ms)
        return made

    def catch_up(self, turn: Turn, ref: ContractRef, now_ms: int) -> None:
        """What was heard of a contract before it was known itself: its end, or its way to another notary."""
        early = turn.blob_get(EARLY, codec.encode(ref))
        if early is None:
            self._books.moves.catch_up(turn, ref, now_ms)
            return
        turn.blob_delete(EARLY, codec.encode(ref))
        turn.consume(ref, early)

    def bound_unasked(self, turn: Turn, verified: Verified, ref: ContractRef) -> bool:
        """Whether a contract made here is active, binds this organisation, and may end without its signature."""
        action = verified.created[ref.index].action
        assert isinstance(action, Create)
        return self._ends_unasked(action) and self._is_active(turn, ref)

    def bound_unasked_there(self, turn: Turn, ref: ContractRef) -> bool:
        """`bound_unasked` of a contract that moved here."""
        return self._ends_unasked(self._books.described(turn, ref)) and self._is_active(turn, ref)

    def _ends_unasked(self, action: Create) -> bool:
        me, confirmers = self._books.keys.identity, action.confirmers
        return me in action.signatories and (me not in confirmers.parties or bool(confirmers.fallback))

    def _is_active(self, turn: Turn, ref: ContractRef) -> bool:
        stored = turn.contract(ref)
        return stored is not None and stored.status == "active"

    def _consume(self, turn: Turn, verified: Verified, now_ms: int) -> None:
        me = self._books.keys.identity
        for node in verified.nodes:
            action = node.action
            if not isinstance(node.entry, ConsumeEntry) or not isinstance(action, Exercise):
                continue
            ref = ContractRef(node.entry.ref.transaction or verified.id, node.entry.ref.index)
            if turn.has_contract(ref):
                turn.consume(ref, verified.id)
            elif me in action.signatories or me in action.observers:
                # two submitters' deliveries have no order between them: the end may be known before the beginning
                turn.blob_put(EARLY, codec.encode(ref), verified.id)
                held = verified.inputs.get(ref)
                if held is not None and held.moves:
                    self._books.moves.follow(turn, Way(made=held.origin, moves=held.moves), now_ms)
