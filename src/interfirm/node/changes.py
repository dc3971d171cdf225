"""The log of what transactions made and ended here: one entry for each, in the order in which they were recorded.

It is written in the turn that records a transaction, so it holds exactly what was committed, and whoever knows the
number of the last entry it read goes on after that one. Old entries go when there are too many.
"""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base.limits import LIMITS
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef
from interfirm.ledger.types import ConsumeEntry
from interfirm.ledger.verification import Verified
from interfirm.node.desk import Answer, Desk, Operation, whole_of
from interfirm.node.forms import ref_text
from interfirm.node.services import Services
from interfirm.node.vault.turn import Turn

SPACE, _NUMBERS, _LAST = "changes", "change-numbers", "change-last"
_pack = msgspec.msgpack.encode


class Change(Value, frozen=True):
    """What one transaction made and ended, of the contracts that this node holds."""

    number: int
    """From 1, without a gap."""
    at_ms: int
    transaction: bytes
    made: tuple[ContractRef, ...]
    ended: tuple[ContractRef, ...]


def note_change(services: Services, turn: Turn, verified: Verified, now_ms: int) -> None:
    """Write what a transaction that was recorded changed; the same transaction again changes nothing."""
    if turn.blob_get(_NUMBERS, verified.id) is not None:
        return
    made = [ContractRef(verified.id, index) for index in verified.created]
    used = [node.entry.ref for node in verified.nodes if isinstance(node.entry, ConsumeEntry)]
    ended = [ContractRef(ref.transaction or verified.id, ref.index) for ref in used]
    change = Change(
        number=last_number(turn) + 1, at_ms=now_ms, transaction=verified.id,
        made=tuple(ref for ref in made if turn.has_contract(ref)),
        ended=tuple(ref for ref in ended if turn.has_contract(ref)),
    )  # fmt: skip
    if not change.made and not change.ended:
        return
    turn.blob_put(SPACE, _key(change.number), _pack(change))
    turn.blob_put(_NUMBERS, verified.id, _key(change.number))
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
        shown = [each for change in found if (each := _shown(desk, turn, change)) is not None]
    return {"changes": shown, "last": found[-1].number if found else after}


def _shown(desk: Desk, turn: Turn, change: Change) -> dict[str, Any] | None:
    made, ended = ([each for ref in refs if (each := _named(desk, turn, ref))] for refs in (change.made, change.ended))
    if not made and not ended:
        return None
    return {
        "number": change.number, "at": str(Instant(change.at_ms)), "transaction": change.transaction.hex(),
        "made": made, "ended": ended,
    }  # fmt: skip


def _named(desk: Desk, turn: Turn, ref: ContractRef) -> dict[str, str] | None:
    stored = turn.contract(ref)
    if stored is None or not desk.is_shown(turn, stored):
        return None
    return {"ref": ref_text(ref), "template": desk.template_name(desk.engine.template(stored.template))}


OPERATIONS: dict[str, Operation] = {"changes.list": _list}
"""See the module."""
