"""The part of a turn that keeps contracts and their ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.contracts.types import ContractRef, TemplateId
from interfirm.node.vault.statements import Row, add
from interfirm.node.vault.tables import contracts, transactions
from interfirm.node.vault.types import ContractStatus, StoredContract
from interfirm.node.vault.work import VaultWork

_c = contracts.c
FIELDS = (
    _c.transaction_id, _c.entry_index, _c.template, _c.payload, _c.payload_seed, _c.confirmers_salt, _c.entry,
    _c.notary, _c.status, _c.consumer, _c.signatories, _c.observers, _c.known_valid, _c.time_ms,
    _c.origin_transaction_id, _c.origin_entry_index,
)  # fmt: skip
"""The columns that `stored` reads, in its order."""
_THIS = (_c.transaction_id == sa.bindparam("of"), _c.entry_index == sa.bindparam("at"))
_ADD = add(contracts, unique=("transaction_id", "entry_index"))
_AFTER = sa.select(_c.number).where(_c.number > sa.bindparam("of"))
_ONE = sa.select(*FIELDS).where(*_THIS)
_STATE = sa.select(_c.number, _c.template, _c.status, _c.consumer).where(*_THIS)
_VALID = sa.update(contracts).where(*_THIS).values(known_valid=sa.true())
_SET_STATUS = (
    sa.update(contracts)
    .where(_c.number == sa.bindparam("of"))
    .values(status=sa.bindparam("to_status"), consumer=sa.bindparam("to_consumer"))
)
_CREATED_BY = sa.select(*FIELDS).where(_c.transaction_id == sa.bindparam("of")).order_by(_c.entry_index)
_REFS_BY = sa.select(_c.entry_index).where(_c.transaction_id == sa.bindparam("of")).order_by(_c.entry_index)
_CONSUMED_BY = sa.select(*FIELDS).where(_c.consumer == sa.bindparam("of")).order_by(_c.number)
_LIVING = (
    sa.select(_c.number, _c.transaction_id, _c.entry_index, _c.signatories, _c.observers)
    .select_from(contracts.outerjoin(transactions, transactions.c.id == _c.consumer))
    .where(
        _c.number > sa.bindparam("after"), _c.time_ms <= sa.bindparam("until_ms"),
        sa.or_(_c.status != "consumed", transactions.c.time_ms > sa.bindparam("until_ms")),
    ).order_by(_c.number).limit(sa.bindparam("limit"))
)  # fmt: skip
_BEGINNING = (
    sa.select(_c.transaction_id, _c.entry_index, _c.signatories, _c.observers)
    .select_from(contracts.outerjoin(transactions, transactions.c.id == _c.consumer))
    .where(
        sa.tuple_(_c.transaction_id, _c.entry_index) > sa.tuple_(sa.bindparam("after"), sa.bindparam("at")),
        _c.transaction_id < sa.bindparam("below"), _c.time_ms <= sa.bindparam("until_ms"),
        sa.or_(_c.status != "consumed", transactions.c.time_ms > sa.bindparam("until_ms")),
    ).order_by(_c.transaction_id, _c.entry_index).limit(sa.bindparam("limit"))
)  # fmt: skip
_BEYOND_ALL = b"\xff" * 33
PAGE_ROWS = 2_000
_parties = msgspec.msgpack.Decoder(tuple[bytes, ...]).decode
_pack = msgspec.msgpack.encode


class Contracts(VaultWork):
    """Contracts by their ref and by the transactions that made and ended them."""

    def add_contract(self, contract: StoredContract) -> None:
        """`add_contracts` of one."""
        self.add_contracts((contract,))

    def add_contracts(self, contracts: Sequence[StoredContract]) -> None:
        """Keep contracts, each also in its template's table; one that is there keeps its status.

        Adding it again as known to be valid makes it so. Refusal `vault.template` where its package is not loaded.
        """
        before = self.numbers.contract
        rows = [self._row(each, before + place) for place, each in enumerate(contracts, start=1)]
        count = self.write_many(_ADD, rows)
        new = range(before + 1, before + 1 + len(rows)) if count == len(rows) else self._added(before, count)
        added: dict[TemplateId, list[dict[str, Any]]] = {}
        found: dict[TemplateId, list[dict[str, Any]]] = {}
        for place, each in enumerate(contracts, start=before + 1):
            if place in new:
                own = (place, each.ref.transaction, each.ref.index, each.status, each.time_ms)
                table = self.tables.of(each.template)
                row = table.row(own, each.payload, made_in=each.created_as.transaction)
                added.setdefault(each.template, []).append(row)
                words = table.indexed_words(each.payload)
                if words:
                    found.setdefault(each.template, []).append({"number": place, "words": words})
            elif each.known_valid:
                self.write(_VALID, {"of": each.ref.transaction, "at": each.ref.index})
        for template, of_template in added.items():
            self.write_many(self.tables.of(template).insert, of_template)
        for template, of_template in found.items():
            self.write_many(self.tables.of(template).insert_words, of_template)
        self.numbers.contract = max(new, default=before)

    def _added(self, before: int, count: int) -> set[int]:
        """The numbers of the rows that were added after one; the others were there."""
        return {number for (number,) in self.rows(_AFTER, of=before)} if count else set()

    def _row(self, contract: StoredContract, number: int) -> dict[str, Any]:
        ref = contract.ref
        assert ref.transaction is not None, "a stored contract names its transaction"
        self.tables.of(contract.template)
        return {
            "number": number, "transaction_id": ref.transaction, "entry_index": ref.index,
            "template": self.tables.number_of(contract.template), "payload": codec.encode_plain(contract.payload),
            "payload_seed": contract.payload_seed, "confirmers_salt": contract.confirmers_salt,
            "entry": contract.entry, "notary": contract.notary, "status": contract.status,
            "consumer": contract.consumer, "signatories": _pack(contract.signatories),
            "observers": _pack(contract.observers), "known_valid": contract.known_valid, "time_ms": contract.time_ms,
            "origin_transaction_id": contract.origin and contract.origin.transaction,
            "origin_entry_index": contract.origin and contract.origin.index,
        }  # fmt: skip

    def contract(self, ref: ContractRef) -> StoredContract | None:
        """The contract that a ref names, if it is kept here."""
        row = self.row(_ONE, of=ref.transaction, at=ref.index)
        return None if row is None else self._stored(row)

    def has_contract(self, ref: ContractRef) -> bool:
        """Whether the contract that a ref names is kept here."""
        return self.row(_STATE, of=ref.transaction, at=ref.index) is not None

    def consume(self, ref: ContractRef, consumer: bytes) -> None:
        """Record that transaction `consumer` ended a contract; saying so again is harmless.

        Raises Refusal `vault.unknown`, or `vault.consumed` naming another transaction that ended it before.
        """
        number, template, _, before = self._state(ref)
        if before == consumer:
            return
        check(
            before is None, "vault.consumed", "another transaction consumed this contract", consumer=before,
            transaction=ref.transaction, index=ref.index,
        )  # fmt: skip
        self._set(number, template, "consumed", consumer)

    def set_contract_status(self, ref: ContractRef, status: ContractStatus) -> None:
        """Lock a contract, or make a locked one active again; Refusal `vault.unknown`, `vault.consumed`."""
        assert status != "consumed", "what ends a contract is told to `consume`"
        number, template, before, consumer = self._state(ref)
        check(
            before != "consumed", "vault.consumed", "the contract has been consumed", consumer=consumer,
            transaction=ref.transaction, index=ref.index,
        )  # fmt: skip
        self._set(number, template, status, None)

    def contracts_created_by(self, transaction: bytes) -> list[StoredContract]:
        """The contracts that a transaction made, as far as they are kept here, in the order of their entries."""
        return [self._stored(row) for row in self.rows(_CREATED_BY, of=transaction)]

    def refs_created_by(self, transaction: bytes) -> list[ContractRef]:
        """`contracts_created_by` without what the contracts say."""
        return [ContractRef(transaction, index) for (index,) in self.rows(_REFS_BY, of=transaction)]

    def contracts_consumed_by(self, transaction: bytes) -> list[StoredContract]:
        """The contracts that a transaction ended, as far as they are kept here."""
        return [self._stored(row) for row in self.rows(_CONSUMED_BY, of=transaction)]

    def contracts_at(self, until_ms: int, *, after: int, limit: int) -> list[tuple[int, ContractRef, set[bytes]]]:
        """(number, ref, signatories and observers) of contracts in use at a time of their notaries, by number."""
        return [
            (number, ContractRef(transaction, index), {*_parties(signatories), *_parties(observers)})
            for number, transaction, index, signatories, observers in self.rows(
                _LIVING, after=after, until_ms=until_ms, limit=limit
            )
        ]

    def contracts_beginning(self, byte: int, *, until_ms: int) -> Iterator[tuple[ContractRef, set[bytes]]]:
        """(ref, signatories and observers) of contracts in use at a time of their notaries, in the order of refs.

        Only those are read whose transaction's id begins with this byte, a page at a time.
        """
        after, at = bytes([byte]), -1
        below = bytes([byte + 1]) if byte < 255 else _BEYOND_ALL
        while rows := self.rows(_BEGINNING, after=after, at=at, below=below, until_ms=until_ms, limit=PAGE_ROWS):
            for transaction, index, signatories, observers in rows:
                yield ContractRef(transaction, index), {*_parties(signatories), *_parties(observers)}
            after, at, *_ = rows[-1]

    def history_of(self, ref: ContractRef) -> list[StoredContract]:
        """A contract and, newest first, what it grew out of.

        A predecessor is a contract of the same template (of any package version) that was consumed by the transaction
        that made its successor. Raises Refusal `vault.unknown` for an unknown ref, `vault.history` beyond the limit.
        """
        newest = self.contract(ref)
        if newest is None:
            raise _unknown(ref)
        lineage = self.tables.lineage(newest.template)
        found = {ref: newest}
        waiting = [ref.transaction]
        for maker in waiting:
            for earlier in self.contracts_consumed_by(maker or b""):
                if earlier.template in lineage and earlier.ref not in found:
                    found[earlier.ref] = earlier
                    waiting.append(earlier.ref.transaction)
            count_max = LIMITS.history_count_max
            check(len(found) <= count_max, "vault.history", "the history is too long", count_max=count_max)
        return list(found.values())

    def _stored(self, row: Row) -> StoredContract:
        """The contract of a row of `FIELDS`."""
        (transaction, index, template, payload, payload_seed, salt, entry, notary, status, consumer, signatories,
         observers, known_valid, time_ms, made_in, made_at) = row  # fmt: skip
        return StoredContract(
            ref=ContractRef(transaction, index), template=self.tables.id_of(template),
            payload=codec.decode_plain(payload), payload_seed=payload_seed, confirmers_salt=salt, entry=entry,
            notary=notary, status=status, consumer=consumer, signatories=_parties(signatories),
            observers=_parties(observers), known_valid=bool(known_valid), time_ms=time_ms,
            origin=None if made_in is None else ContractRef(made_in, made_at),
        )  # fmt: skip

    def _state(self, ref: ContractRef) -> Row:
        row = self.row(_STATE, of=ref.transaction, at=ref.index)
        if row is None:
            raise _unknown(ref)
        return row

    def _set(self, number: int, template: int, status: ContractStatus, consumer: bytes | None) -> None:
        self.write(_SET_STATUS, {"of": number, "to_status": status, "to_consumer": consumer})
        table = self.tables.of(self.tables.id_of(template))
        self.write(table.set_status, {"of": number, "status": status})


def _unknown(ref: ContractRef) -> Refusal:
    return Refusal("vault.unknown", "this contract is not in the vault", transaction=ref.transaction, index=ref.index)
