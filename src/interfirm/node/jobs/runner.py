"""Steps the jobs that are under way, one slice at a time: what a slice decided is committed before it is handed out."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.node.access.audit import note_asker
from interfirm.node.access.types import OWNER, Caller
from interfirm.node.desk import Desk
from interfirm.node.flows.types import AskedFlow
from interfirm.node.jobs import store
from interfirm.node.jobs.ports import JobCode, Slow, Tables, Work
from interfirm.node.jobs.settling import to_start
from interfirm.node.jobs.types import Batch, Job, JobState, Step

_TRANSIENT = ("vault.storage", "vault.busy")
"""The world's faults: the job goes on later, from where it was."""


class Running:
    """A job in memory."""

    def __init__(self, work: Work, caller: Caller, code: Generator[Step | Slow, Any, None]) -> None:
        self.work, self.caller, self.code = work, caller, code
        self.parked = False
        """It waits until a flow has ended."""
        self.answer: Any = None
        self.failure: Exception | None = None

    def advance(self) -> Step | Slow:
        """What the job does next; its code begins with the answer to the slow work that it asked for."""
        failure, answer = self.failure, self.answer
        self.failure = self.answer = None
        return self.code.send(answer) if failure is None else self.code.throw(failure)


class Slice(Value, frozen=True):
    """What a slice hands out."""

    events: tuple[AskedFlow, ...] = ()
    slow: Slow | None = None
    """Work to do beside; its result belongs into `answer` of the job, its exception into `failure`."""


class Runner:
    """All jobs of one node. Call it between turns only; `look` whenever a job may have been added or cancelled."""

    def __init__(self, desk: Desk, kinds: Mapping[str, JobCode], *, tables: Tables, folder: Path) -> None:
        self._desk = desk
        self._kinds = kinds
        self._tables = tables
        self._folder = folder
        self._running: dict[str, Running] = {}
        self._order: deque[str] = deque()

    def restart(self) -> list[AskedFlow]:
        """Begin with all jobs where they were; returns the flows that they had taken up and that have not begun."""
        self._running.clear()
        self._order.clear()
        self.look()
        return self.again()

    def look(self) -> None:
        """Take up jobs that were added, wake those that wait, and clear up what jobs have left that were cancelled."""
        with self._desk.vault.read() as turn:
            wanted = store.running(turn)
            added = [store.job_of(turn, name) for name in wanted if name not in self._running]
            batches = {job.id: store.batches(turn, job.id) for job in added}
        for name in [name for name in self._running if name not in wanted]:
            self._drop(name)
        for job in added:
            self._take_up(job, batches[job.id])
        for running in self._running.values():
            running.parked = False

    def again(self) -> list[AskedFlow]:
        """The flows that were taken up and have not begun, as when a node was paused or stopped in between."""
        found = []
        for name, running in self._running.items():
            with self._desk.vault.read() as turn:
                batches = store.batches(turn, name)
            desk = self._desk_of(running.caller)
            found += [event for batch in batches if desk and (event := to_start(desk, batch)) is not None]
        return found

    def told(self, flow: str) -> bool:
        """A flow has changed: whether a job waits for it, which may go on then."""
        parts = flow.split("-")
        running = self._running.get(parts[1]) if len(parts) == 4 and parts[0] == "job" else None
        if running is not None:
            running.parked = False
        return running is not None

    @property
    def waiting(self) -> bool:
        """Whether jobs wait for flows."""
        return any(running.parked for running in self._running.values())

    def due(self) -> Running | None:
        """The job whose turn it is; None where none can go on."""
        for _ in range(len(self._order)):
            self._order.rotate(-1)
            running = self._running[self._order[-1]]
            if not running.parked:
                return running
        return None

    def step(self, running: Running) -> Slice:
        """One slice of a job; raises Refusal `vault.storage`, `vault.busy` where it should be tried again later."""
        name = running.work.id
        try:
            running.work.desk = self._checked_desk(running.caller)
            step = running.advance()
        except Refusal as refusal:
            if refusal.code in _TRANSIENT:
                raise
            return self._end(name, "refused", refusal.as_plain())
        except Exception as failure:  # a fault of the program: told in the job, so that the others go on
            failed = Refusal("job.failed", "the job could not go on", reason=repr(failure)[:500])
            return self._end(name, "refused", failed.as_plain())
        if isinstance(step, Slow):
            return Slice(slow=step)
        if step.result is not None:
            return self._end(name, "done", step.result)
        running.parked = bool(step.waiting)
        if not self._commit(name, running.caller, step):
            self._drop(name)
            return Slice()
        desk = running.work.desk
        return Slice(events=tuple(event for batch in step.batches if (event := to_start(desk, batch)) is not None))

    def _take_up(self, job: Job, batches: list[Batch]) -> None:
        code = self._kinds[job.kind]
        work = Work(job.id, job.arguments, job.cursor, batches, tables=self._tables, folder=self._folder)
        self._running[job.id] = Running(work, job.asked_by, code(work))
        self._order.append(job.id)

    def _checked_desk(self, caller: Caller) -> Desk:
        """The desk for whoever asked, with the roles of now; Refusal `access.unknown-caller` for who has left."""
        if caller.name == OWNER.name:
            return self._desk.of(caller)
        with self._desk.vault.read() as turn:
            now = self._desk.staff.caller(turn, caller.name, door=caller.door, scopes=caller.scopes)
        return self._desk.of(now)

    def _desk_of(self, caller: Caller) -> Desk | None:
        try:
            return self._checked_desk(caller)
        except Refusal:  # who asked has left: the job's next step ends it
            return None

    def _commit(self, name: str, caller: Caller, step: Step) -> bool:
        """Keep what a step came to; False where the job was cancelled meanwhile, and nothing is kept."""
        with self._desk.vault.turn() as turn:
            job = store.job_of(turn, name)
            if job.state != "running":
                return False
            self._desk.services.keep_privates(turn, step.privates)
            store.put_batches(turn, name, step.batches)
            for batch in step.batches:
                note_asker(turn, batch.flow, caller)
            for flow in step.ended:
                store.end_batch(turn, name, flow)
            job = store.put_errors(turn, job, step.errors)
            store.put_job(turn, job.replace(
                done=job.done + step.done, total=job.total if step.total is None else step.total,
                cursor=job.cursor if step.cursor is None else msgspec.json.encode(step.cursor), waiting=step.waiting,
                changed_ms=self._desk.now_ms(),
            ))  # fmt: skip
        return True

    def _end(self, name: str, state: JobState, result: dict[str, Any]) -> Slice:
        with self._desk.vault.turn() as turn:
            job = store.job_of(turn, name)
            if job.state == "running":
                ended = job.replace(state=state, waiting="", result=msgspec.json.encode(result), cursor=b"",
                                    changed_ms=self._desk.now_ms())  # fmt: skip
                store.put_job(turn, ended)
        self._drop(name)
        return Slice()

    def _drop(self, name: str) -> None:
        """Forget a job that has ended, and what it had written."""
        self._running.pop(name).code.close()
        self._order.remove(name)
        for left in self._folder.glob(f"{name}.*"):
            left.unlink()
