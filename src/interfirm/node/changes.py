"""The log of what transactions made and ended here, and of moves between notaries, in the order they were recorded.

An entry is written in the turn that records its transaction or move, so it holds exactly what was committed, and
whoever knows the number of the last entry it read goes on after that one. Old entries go when there are too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from interfirm.base.limits import LIMITS
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef, Exercise
from interfirm.ledger.types import ConsumeEntry
from interfirm.ledger.verification import Verified
from interfirm.node.desk import Answer, Desk, Operation, whole_of
from interfirm.node.forms import ref_text
from interfirm.node.reading import Reading
from interfirm.node.services import Services
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import StoredMove

SPACE, _NUMBERS, _LAST = "changes", "change-numbers", "change-last"
_pack = msgspec.msgpack.encode


class MovedContract(Value, frozen=True):
    """A contract that went to another notary, where it is known by another ref."""

    ref: ContractRef
    arrived: ContractRef
    origin: bytes
    target: bytes


class Change(Value, frozen=True):
    """What one transaction made and ended, of the contracts that this node holds; or what one move moved."""

    number: int
    """From 1, without a gap."""
    at_ms: int
    transaction: bytes
    """Of a move, the id of its lock."""
    made: tuple[ContractRef, ...]
    ended: tuple[ContractRef, ...]
    choices: tuple[str, ...] = ()
    """Of each that ended, the choice that ended it."""
    moved: tuple[MovedContract, ...] = ()


def note_change(services: Services, turn: Turn, verified: Verified, now_ms: int) -> None:
    """Write what a transaction that was recorded changed; the same transaction again changes nothing."""
    made = [ref for ref in turn.refs_created_by(verified.id) if ref.index in verified.created]
    used = [(node.entry.ref, node.action) for node in verified.nodes if isinstance(node.entry, ConsumeEntry)]
    every = [(ContractRef(ref.transaction or verified.id, ref.index), action) for ref, action in used]
    ended = [(ref, action.choice) for ref, action in every if isinstance(action, Exercise) and turn.has_contract(ref)]
    change = Change(
        number=last_number(turn) + 1, at_ms=now_ms, transaction=verified.id,
        made=tuple(made), ended=tuple(ref for ref, _ in ended), choices=tuple(choice for _, choice in ended),
    )  # fmt: skip
    if change.made or change.ended:
        _note(turn, change)


def note_move(turn: Turn, move: StoredMove, arrived: ContractRef, now_ms: int) -> None:
    """Write that a contract went to another notary; the same move again changes nothing."""
    moved = MovedContract(ref=move.ref, arrived=arrived, origin=move.origin, target=move.target)
    number = last_number(turn) + 1
    _note(turn, Change(number=number, at_ms=now_ms, transaction=move.lock, made=(), ended=(), moved=(moved,)))


def _note(turn: Turn, change: Change) -> None:
    if turn.blob_get(_NUMBERS, change.transaction) is not None:
        return
    turn.blob_put(SPACE, _key(change.number), _pack(change))
    turn.blob_put(_NUMBERS, change.transaction, _key(change.number))
    turn.blob_put(_LAST, b"", _key(change.number))
    _prune(turn, change.number - LIMITS.changes_count_max)


def last_number(turn: Turn) -> int:
    """The number of the last entry; 0 where there is none."""
    return int.from_bytes(turn.blob_get(_LAST, b"") or b"", "big")


def changes(turn: Turn, *, after: int, limit: int) -> list[Change]:
    """Entries in order, after the one with this number."""
    rows = turn.blobs(SPACE, after=_key(after), limit=limit)
    return [msgspec.msgpack.decode(value, type=Change) for _, value in rows]


def _prune(turn: Turn, through: int) -> None:
    if through <= 0:
        return
    for key, value in turn.blobs(SPACE, limit=2):
        if int.from_bytes(key, "big") <= through:
            turn.blob_delete(_NUMBERS, msgspec.msgpack.decode(value, type=Change).transaction)
            turn.blob_delete(SPACE, key)


def _key(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _list(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Changes of contracts that the caller may read, oldest first: `after` (a number; -1 for none before), `limit`.

    `last` is the number to go on after: entries that the caller may not read are passed over.
    """
    after = whole_of(arguments, "after", 0, least=-1)
    limit = whole_of(arguments, "limit", 50, least=1, most=LIMITS.changes_page_count_max)
    with desk.vault.read() as turn:
        if after < 0:
            return {"changes": [], "last": last_number(turn)}
        found = changes(turn, after=after, limit=limit)
        shown = [each for change in found if (each := shown_change(desk, turn, change)) is not None]
    return {"changes": shown, "last": found[-1].number if found else after}


def shown_change(reading: Reading, turn: Turn, change: Change) -> dict[str, Any] | None:
    """A change as JSON, as far as it is about contracts that the caller may read; None where it is about none."""
    choices = change.choices or ("",) * len(change.ended)  # entries of before did not say
    made: list[dict[str, str]] = [{} for _ in change.made]
    ended = [{"choice": choice} for choice in choices]
    moved = [
        {"arrived": ref_text(each.arrived), "from": reading.names.name_of(each.origin),
         "to": reading.names.name_of(each.target)}
        for each in change.moved
    ]  # fmt: skip
    found = {
        "made": _named(reading, turn, change.made, made), "ended": _named(reading, turn, change.ended, ended),
        "moved": _named(reading, turn, [each.ref for each in change.moved], moved),
    }  # fmt: skip
    if not any(found.values()):
        return None
    at = str(Instant(change.at_ms))
    return {"number": change.number, "at": at, "transaction": change.transaction.hex(), **found}


def _named(
    reading: Reading, turn: Turn, refs: Sequence[ContractRef], more: Sequence[dict[str, str]]
) -> list[dict[str, str]]:
    """Those of the contracts that the caller may read, each with what more is said of it."""
    found = []
    for ref, said in zip(refs, more, strict=True):
        stored = turn.contract(ref)
        if stored is not None and reading.is_shown(turn, stored):
            template = reading.template_name(reading.engine.template(stored.template))
            found.append({"ref": ref_text(ref), "template": template, **said})
    return found


OPERATIONS: dict[str, Operation] = {"changes.list": _list}
"""See the module."""
