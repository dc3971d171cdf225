"""What an organisation's books hold of moves between notaries: locks, arrivals, and the way a contract has come.

A stakeholder may hear of a move before it has heard of the contract, and of what was done with the contract there
before it has heard of the move. Each is kept until the other is there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.base.values import Wire
from interfirm.contracts.types import ContractRef
from interfirm.ledger.moves import Terms, followed, import_id
from interfirm.ledger.types import Move
from interfirm.node.vault.types import MoveStatus, StoredMove

if TYPE_CHECKING:
    from interfirm.node.books import Books
    from interfirm.node.vault.turn import Turn

EARLY = "consumed-early"
"""Under the ref of a contract that is not known yet: the transaction that ended it."""
EARLY_WAYS = "moved-early"
"""Under the ref of a contract that is not known yet: the ways it went, as each peer says."""


Moved = Callable[["Turn", StoredMove, ContractRef, int], None]
"""Told of every contract that has come to another notary: (turn, its move, its ref there, time in ms)."""


class Way(Wire, frozen=True):
    """How a contract came to the notary where it lives: the ref under which it was made, and all its moves since."""

    made: ContractRef
    moves: tuple[Move, ...]


class _Said(Wire, frozen=True):
    """A way that cannot be checked yet, and whose word it is."""

    by: bytes
    way: Way


class _Ways(Wire, frozen=True):
    """What was said of one contract; of each peer one word, so that no false one takes the place of a true one."""

    said: tuple[_Said, ...]


class Moves:
    """See the module. All methods take the turn they read and write in."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self.watchers: list[Moved] = []

    def way_of(self, turn: Turn, ref: ContractRef) -> Way:
        """How the contract that a ref names came to where it lives; Refusal `vault.unknown`."""
        disclosure = self._books.disclosure(turn, ref)
        return Way(made=disclosure.origin, moves=disclosure.moves)

    def follow(self, turn: Turn, way: Way, now_ms: int, *, by: bytes = b"") -> list[ContractRef]:
        """Record the moves of a contract as far as they were not known; returns the refs that it got by them.

        Of a contract that is not known itself they are kept until it is, as the word of who told them. Raises Refusal
        `ledger.move`, `receipt.*`, and `directory.notary` for a notary that is not known.
        """
        books = self._books
        if not turn.has_contract(way.made):
            self._keep(turn, way, by)
            return []
        made = books.disclosure(turn, way.made)
        assert made.skeleton is not None
        header, commitment = made.skeleton.header, made.entry.confirmers
        followed(way.made, header, way.moves, commitment, accepted=books.world(turn).accepted)
        place, found = header.notary, []
        for move in way.moves:
            terms = Terms(
                origin=place, ref=move.ref, to=move.to, until=move.until, nonce=move.nonce, commitment=commitment
            )
            if not turn.has_contract(terms.arrived):
                found.append(self.moved(turn, terms, move.lock_receipt, move.import_receipt, now_ms))
            place = move.to
        return found

    def _keep(self, turn: Turn, way: Way, by: bytes) -> None:
        """Keep the longest way that each peer tells of a contract before it is known."""
        name = codec.encode(way.made)
        kept = turn.blob_get(EARLY_WAYS, name)
        said = {each.by: each for each in codec.decode(kept, _Ways).said} if kept else {}
        if by not in said or len(said[by].way.moves) < len(way.moves):
            said[by] = _Said(by=by, way=way)
            turn.blob_put(EARLY_WAYS, name, codec.encode(_Ways(said=tuple(said.values()))))

    def catch_up(self, turn: Turn, ref: ContractRef, now_ms: int) -> None:
        """Follow a contract that has become known, by those of the ways that were told of it which hold."""
        name = codec.encode(ref)
        kept = turn.blob_get(EARLY_WAYS, name)
        if kept is None:
            return
        turn.blob_delete(EARLY_WAYS, name)
        for each in codec.decode(kept, _Ways).said:
            with suppress(Refusal):  # a false word must not keep a true contract out of the books
                self.follow(turn, each.way, now_ms, by=each.by)

    def locked(self, turn: Turn, terms: Terms, receipt: bytes, now_ms: int) -> None:
        """Record that a contract can be used nowhere until it has moved or the lock is undone; again is harmless."""
        self._books.check_receipt(receipt, terms.lock, terms.origin)
        if turn.move(terms.lock) is not None:
            return
        turn.put_move(_stored(terms, "locked", receipt, b"", now_ms))
        held = turn.contract(terms.ref)
        if held is not None and held.status == "active":
            turn.set_contract_status(terms.ref, "locked")

    def moved(self, turn: Turn, terms: Terms, lock_receipt: bytes, import_receipt: bytes, now_ms: int) -> ContractRef:
        """Record that a contract lives at the other notary under another ref, which is returned; again is harmless."""
        books, arrived = self._books, terms.arrived
        books.check_receipt(lock_receipt, terms.lock, terms.origin)
        books.check_receipt(import_receipt, import_id(terms.lock), terms.to)
        move = _stored(terms, "moved", lock_receipt, import_receipt, now_ms)
        turn.put_move(move)
        held = turn.contract(terms.ref)
        if held is not None and not turn.has_contract(arrived):
            turn.consume(terms.ref, terms.lock)
            there = held.replace(
                ref=arrived, origin=held.created_as, notary=terms.to, status="active", consumer=None, time_ms=now_ms
            )
            turn.add_contract(there)
            for watcher in self.watchers:
                watcher(turn, move, arrived, now_ms)
            books.records.catch_up(turn, arrived, now_ms)
        return arrived

    def undone(self, turn: Turn, terms: Terms) -> None:
        """Record that a lock was undone: the contract can be used again where it was."""
        known = turn.move(terms.lock)
        if known is None or known.status != "locked":
            return
        turn.put_move(known.replace(status="undone"))
        held = turn.contract(terms.ref)
        if held is not None and held.status == "locked":
            turn.set_contract_status(terms.ref, "active")


def step_of(move: StoredMove) -> Move:
    """A stored move as a step of a contract's history."""
    return Move(
        ref=move.ref, to=move.target, until=Instant(move.until_ms), nonce=move.nonce, lock_receipt=move.lock_receipt,
        import_receipt=move.import_receipt,
    )  # fmt: skip


def terms_of(move: StoredMove, commitment: bytes) -> Terms:
    """A stored move as what was signed for it."""
    return Terms(
        origin=move.origin, ref=move.ref, to=move.target, until=Instant(move.until_ms), nonce=move.nonce,
        commitment=commitment,
    )  # fmt: skip


def _stored(terms: Terms, status: MoveStatus, lock_receipt: bytes, import_receipt: bytes, now_ms: int) -> StoredMove:
    return StoredMove(
        lock=terms.lock, ref=terms.ref, origin=terms.origin, target=terms.to, until_ms=terms.until.ms,
        nonce=terms.nonce, lock_receipt=lock_receipt, import_receipt=import_receipt, status=status, time_ms=now_ms,
    )  # fmt: skip
