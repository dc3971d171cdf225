"""The flows that a job has under way: how they end, and what is tried again in halves."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.node.access import approvals
from interfirm.node.asking import Start
from interfirm.node.desk import Desk
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.machine import ENDED
from interfirm.node.flows.messages import PrivateValue
from interfirm.node.flows.types import AskedFlow
from interfirm.node.jobs.ports import Work
from interfirm.node.jobs.types import Batch, RowError, Step
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import FlowRecord

OPERATION = "bulk.import"
_OTHERS = "flow."
"""Refusals about who has to act, which are the same for every part of a batch."""


def flow_of(job: str, rows: Sequence[int]) -> str:
    """The flow that carries rows out; made of the job and the rows, so that asking again does nothing twice."""
    return f"job-{job}-{rows[0]}-{len(rows)}"


def event_of(batch: Batch) -> AskedFlow:
    """What starts a batch's flow."""
    return AskedFlow(id=batch.flow, kind="exercise", arguments=batch.arguments)


def to_start(desk: Desk, batch: Batch) -> AskedFlow | None:
    """What starts a batch's flow; None where it has begun, waits for approvals, or was declined."""
    with desk.vault.read() as turn:
        if turn.flow(batch.flow) is not None:
            return None
        known = approvals.find(turn, batch.flow)
    event = event_of(batch)
    if known is not None:
        return event if known.state == "approved" else None
    commands = msgspec.msgpack.decode(batch.arguments, type=ExerciseArguments).commands
    waiting = desk.waiting(OPERATION, Start(event=event, demands=desk.demands(commands)))
    return event if waiting is None else None


class Settling:
    """The batches of one job from when they are taken up until they have ended."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._flying = {batch.flow: batch for batch in work.batches}

    def took(self, taken: Sequence[tuple[Batch, Sequence[PrivateValue]]], step: Step) -> Step:
        """The step with batches to start."""
        self._flying |= {batch.flow: batch for batch, _ in taken}
        privates = tuple(private for _, each in taken for private in each)
        return step.replace(batches=tuple(batch for batch, _ in taken), privates=privates)

    def until_fewer_than(self, count: int) -> Generator[Step, Any, None]:
        """Settle what has ended, until fewer flows than this are under way."""
        while True:
            settled = self._settled()
            if settled is not None:
                yield settled
            elif len(self._flying) < count:
                return
            else:
                yield Step(waiting=f"{len(self._flying)} transactions under way")

    def _settled(self) -> Step | None:
        """What has ended since; None for nothing."""
        desk = self._work.desk
        ended: list[str] = []
        errors: list[RowError] = []
        halves: list[Batch] = []
        done = 0
        with desk.vault.read() as turn:
            for batch in [*self._flying.values()]:
                found = self._outcome(turn, batch)
                if found is None:
                    continue
                ended.append(batch.flow)
                if isinstance(found, Refusal) and len(batch.rows) > 1 and not found.code.startswith(_OTHERS):
                    halves += _halves(self._work.id, batch)
                    continue
                done += len(batch.rows)
                if isinstance(found, Refusal):
                    errors += [_error(row, found) for row in batch.rows]
        for flow in ended:
            del self._flying[flow]
        self._flying |= {batch.flow: batch for batch in halves}
        step = Step(done=done, errors=tuple(errors), batches=tuple(halves), ended=tuple(ended))
        return step if ended else None

    def _outcome(self, turn: Turn, batch: Batch) -> FlowRecord | Refusal | None:
        """The flow that is done, why it never will be, or None while it is under way."""
        record = turn.flow(batch.flow)
        if record is not None:
            return _ended(record)
        pending = approvals.find(turn, batch.flow)
        if pending is None or pending.state == "approved":
            return None
        if pending.state == "open" and self._work.desk.now_ms() < pending.expires_ms:
            return None
        return Refusal("flow.not-approved", "this was not approved", state=pending.state, flow=batch.flow)


def _ended(record: FlowRecord) -> FlowRecord | Refusal | None:
    if record.state == "done":
        return record
    if record.state == "refused":
        plain = msgspec.msgpack.decode(record.result)
        return Refusal(plain["code"], plain["reason"], **plain["values"])
    if record.state in (*ENDED, "failed"):
        return Refusal("flow.not-done", "the flow did not end well", state=record.state, flow=record.id)
    return None


def _halves(job: str, batch: Batch) -> list[Batch]:
    """A refused batch as two smaller ones."""
    whole = msgspec.msgpack.decode(batch.arguments, type=ExerciseArguments)
    middle = len(batch.rows) // 2
    found = []
    for part in (slice(None, middle), slice(middle, None)):
        rows = batch.rows[part]
        arguments = msgspec.msgpack.encode(whole.replace(commands=whole.commands[part]))
        found.append(Batch(flow=flow_of(job, rows), rows=rows, arguments=arguments))
    return found


def _error(row: int, refusal: Refusal) -> RowError:
    plain = refusal.as_plain()
    return RowError(row=row, code=refusal.code, reason=refusal.message, values=plain["values"])
