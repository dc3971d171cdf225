"""Erasing what is kept of a data subject: the private values, and every copy of them that a message left behind.

The ledger holds commitments alone, so every proof stays valid. What arrived or left with private values lies in the
arguments and journals of the flows that handled it, in mail, and in the outbox until a peer has acknowledged it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef
from interfirm.node.flows.machine import ENDED
from interfirm.node.flows.mail import SESSION_BYTES
from interfirm.node.flows.store import FlowStore
from interfirm.node.retention import store
from interfirm.node.retention.types import Hold
from interfirm.node.sessions_store import OUTBOX
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import PrivateValue, StoredContract

GOING_ON = ("running", "waiting")
"""The states of flows that go on by themselves."""
TEXT_CHARS_MIN = 3
"""Shorter values are not looked for in files: they would be found in all."""


class Erased(Value, frozen=True):
    """What was erased of a subject, and the contracts that still hold a commitment to it."""

    subject: str
    values: tuple[PrivateValue, ...]
    flows: tuple[str, ...]
    """Ended flows whose arguments were erased, as they held copies."""
    committed: dict[ContractRef, tuple[bytes, ...]]


def erase(turn: Turn, subject: str, *, now_ms: int, hold_on: Callable[[StoredContract], Hold | None]) -> Erased:
    """Erase a subject's private values and their copies; nothing of it where a copy is still in use, or held.

    `hold_on` gives the legal hold that covers a contract. Raises Refusal `privacy.in-use` naming the flows that run
    with a copy, and the peers that have not taken one yet; `retention.held` naming the hold.
    """
    values = tuple(turn.privates_of_subject(subject))
    committed = _committed(turn, values)
    _check_not_held(turn, values, committed, hold_on)
    carries = _carrier(subject)
    part = codec.encode_plain(subject)
    copies = [copy for copy in turn.flows_with(part) if carries(copy.data)]
    rows = [(space, key) for space, key, value in turn.blobs_with(part) if carries(value)]
    running = {copy.flow for copy in copies if copy.state in GOING_ON} | _awaiting(turn, rows)
    leaving = {space.removeprefix(OUTBOX) for space, _ in rows if space.startswith(OUTBOX)}
    if running or leaving:
        raise Refusal(
            "privacy.in-use", "flows under way, or messages to peers, still hold these values; wait, or end them",
            flows=sorted(running), peers=sorted(leaving),
        )  # fmt: skip
    ended = sorted({copy.flow for copy in copies})
    for flow in ended:
        _end(turn, flow, now_ms)
    for space, key in rows:  # mail to flows that have ended
        turn.blob_delete(space, key)
    turn.erase_subject(subject)
    return Erased(subject=subject, values=values, flows=tuple(ended), committed=committed)


def _check_not_held(
    turn: Turn,
    values: tuple[PrivateValue, ...],
    committed: dict[ContractRef, tuple[bytes, ...]],
    hold_on: Callable[[StoredContract], Hold | None],
) -> None:
    """Refuse what a legal hold in force covers, and what it may cover: values of contracts that were archived."""
    in_force = store.holds_in_force(turn)
    if not in_force:
        return
    holds = [hold for hold in in_force if hold.is_over_everything]
    holds += [hold for ref in committed if (held := turn.contract(ref)) and (hold := hold_on(held))]
    found = {commitment for each in committed.values() for commitment in each}
    if store.last_archive(turn) is not None and any(value.commitment not in found for value in values):
        holds += in_force
    check(not holds, "retention.held", "a legal hold covers these values: nothing is erased until it is released",
          hold=holds[0].name if holds else "")  # fmt: skip


def _awaiting(turn: Turn, rows: list[tuple[str, bytes]]) -> set[str]:
    """Flows that go on and have this mail to read."""
    talks = [FlowStore().talk(turn, key[:SESSION_BYTES]) for space, key in rows if not space.startswith(OUTBOX)]
    records = [turn.flow(talk.flow) for talk in talks if talk is not None]
    return {record.id for record in records if record is not None and record.state in GOING_ON}


def _carrier(subject: str) -> Callable[[bytes], bool]:
    """Whether bytes contain a private value of the subject: a commitment of 32 bytes, then the subject's text."""
    pattern = re.compile(rb"\x58\x20.{32}" + re.escape(codec.encode_plain(subject)), re.DOTALL)
    return lambda data: pattern.search(data) is not None


def _end(turn: Turn, flow: str, now_ms: int) -> None:
    """Erase what an ended flow keeps; one that failed cannot be tried again then, so it is ended, with a record."""
    turn.blank_flow(flow)
    turn.delete_journal(flow)
    record = turn.flow(flow)
    if record is not None and record.state not in ENDED:
        result = msgspec.msgpack.encode({"who": "privacy", "reason": "its private values were erased", "ms": now_ms})
        turn.put_flow(record.replace(state="killed", result=result, changed_ms=now_ms))


def _committed(turn: Turn, values: tuple[PrivateValue, ...]) -> dict[ContractRef, tuple[bytes, ...]]:
    found: dict[ContractRef, tuple[bytes, ...]] = {}
    for value in values:
        for ref in turn.contracts_with(value.commitment):
            found[ref] = (*found.get(ref, ()), value.commitment)
    return found


def texts_of(values: tuple[PrivateValue, ...]) -> list[bytes]:
    """The values as they may stand in files that were attached."""
    plain = [codec.decode_plain(value.value) for value in values]
    return [text.encode() for text in plain if isinstance(text, str) and len(text) >= TEXT_CHARS_MIN]
