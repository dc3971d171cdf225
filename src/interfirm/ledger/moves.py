"""The ids of a move between notaries, and where moves lead to (spec clause 8.5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.base.time import Instant
from interfirm.base.values import Hash32, Wire
from interfirm.contracts.types import ContractRef
from interfirm.ledger.types import Header, Move

Accepted = Callable[[bytes, bytes, bytes, bytes], None]
"""(receipt, id, network, notary): returns if it is proved that this notary, which is trusted, accepted the id."""


def lock_id(origin: bytes, ref: ContractRef, to: bytes, until: Instant, nonce: bytes, commitment: bytes) -> bytes:
    """The id of a lock: it fixes from where, what, whereto, until when, and who confirms the contract."""
    if ref.transaction is None:
        raise Refusal("ledger.move", "a local ref names nothing outside its transaction", index=ref.index)
    return digest("lock", origin, ref.transaction + ref.index.to_bytes(4, "big"), to, until.ms, nonce, commitment)


class Terms(Wire, frozen=True):
    """What the confirmers of a contract sign to let it move: all parts of the lock id."""

    origin: Hash32
    """The notary where the contract lives as `ref`."""
    ref: ContractRef
    to: Hash32
    until: Instant
    """Until when, by the time of `to`, it may be imported there."""
    nonce: Hash32
    commitment: Hash32
    """The output's commitment to its confirmers."""

    @property
    def lock(self) -> bytes:
        """The lock id."""
        return lock_id(self.origin, self.ref, self.to, self.until, self.nonce, self.commitment)

    @property
    def arrived(self) -> ContractRef:
        """What the contract is called at `to`."""
        return ContractRef(self.lock, 0)

    def move(self, lock_receipt: bytes, import_receipt: bytes) -> Move:
        """The step of a history that these terms become with both receipts."""
        return Move(
            ref=self.ref, to=self.to, until=self.until, nonce=self.nonce, lock_receipt=lock_receipt,
            import_receipt=import_receipt,
        )  # fmt: skip


def place_of(made: Header, moves: Sequence[Move]) -> bytes:
    """The notary where a contract lives that was made in the transaction with the header `made`."""
    return moves[-1].to if moves else made.notary


def import_id(lock: bytes) -> bytes:
    """The id by which the other notary accepts an import."""
    return digest("import", lock)


def followed(
    origin: ContractRef, made: Header, moves: Sequence[Move], commitment: bytes, *, accepted: Accepted
) -> tuple[bytes, ContractRef]:
    """Notary and ref to which the moves bring a contract made as `origin` in the transaction with the header `made`.

    `commitment` is the one to its confirmers, which every lock repeats. Raises Refusal `ledger.move`, and what
    `accepted` raises of the receipts.
    """
    if len(moves) > LIMITS.moves_count_max:
        raise Refusal("ledger.move", "too many moves", count=len(moves), count_max=LIMITS.moves_count_max)
    place, ref = made.notary, origin
    for move in moves:
        if move.ref != ref:
            raise Refusal("ledger.move", "a move of another contract", index=move.ref.index)
        lock = lock_id(place, ref, move.to, move.until, move.nonce, commitment)
        accepted(move.lock_receipt, lock, made.network, place)
        accepted(move.import_receipt, import_id(lock), made.network, move.to)
        place, ref = move.to, ContractRef(lock, 0)
    return place, ref
