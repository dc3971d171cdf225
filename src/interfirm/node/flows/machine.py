"""The flow engine: runs flows, keeps their journals, and rebuilds them by replay.

One journal entry per await, written in the transaction of the turn that made it. A flow is rebuilt by running its code
again with the journal's results, which must be asked for in the same order; what was sent or stored before is not sent
or stored again. A flow that fails in a way nobody foresaw is kept as `failed` with its reason (the flow hospital).
"""

from __future__ import annotations

import traceback
from contextlib import suppress
from typing import Any

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.node.flows import journal
from interfirm.node.flows.context import Cancelled, Context
from interfirm.node.flows.mail import Mail, check_session
from interfirm.node.flows.pause import Held, Pause, Paused
from interfirm.node.flows.running import FlowCode, Opened, Running
from interfirm.node.flows.store import FlowStore, Talk
from interfirm.node.flows.types import (
    JOURNAL_VERSION,
    AnsweredPerson,
    AskedCancel,
    AskedFlow,
    AskedKill,
    AskedPause,
    AskedResume,
    AskedRetry,
    AskedSkip,
    AskNotary,
    AskPerson,
    Awaited,
    Decision,
    Effect,
    Event,
    FlowMessage,
    HeardMessage,
    HeardNotary,
    HeardReceipt,
    Once,
    Outcome,
    Receive,
    Send,
    SendMessage,
    Sleep,
    StartFlow,
    SubmitNotary,
    TellProgress,
    Ticked,
)
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import FlowRecord, InboxItem, NotaryRequest, Timer

_pack = msgspec.msgpack.encode
ENDED = ("done", "refused", "cancelled", "killed")
SLEEP = "sleep"
RESEND_MS = 2_000


class FlowEngine:
    """All flows of one node. `step` is called inside a turn and returns the effects to release after its commit."""

    def __init__(self, code: dict[str, FlowCode], services: Any, *, opened_by_peers: frozenset[str]) -> None:
        self._code = code
        self._opened_by_peers = opened_by_peers
        self._services = services
        self._running: dict[str, Running] = {}
        self._waiting_notary: dict[bytes, str] = {}
        self._waiting_receipt: dict[bytes, str] = {}
        self._store = FlowStore()
        self.pause = Pause()
        self._mail = Mail()
        self._turn: Turn
        self._now_ms = 0
        self._effects: list[Effect] = []

    def start(self, turn: Turn, now_ms: int) -> list[Effect]:
        """Rebuild every flow that had not ended; notary requests without an answer are sent again."""
        self.forget()
        self._begin(turn, now_ms)
        self.pause.load(turn)
        self._mail.load(turn)
        for state in ("running", "waiting"):
            for record in turn.flows(state=state):
                if record.id not in self._running:
                    self._rebuild(record)
        return self._end()

    def step(self, turn: Turn, event: Event, now_ms: int) -> list[Effect]:
        """One event inside a turn; returns effects to carry out after the commit."""
        self._begin(turn, now_ms)
        match event:
            case AskedFlow():
                self._ask(event, new=True)
            case HeardMessage():
                self._hear(event.peer, event.message)
            case HeardNotary():
                self._answered(event.request, event.answer)
            case HeardReceipt():
                self._accepted(event)
            case AnsweredPerson():
                self._decided(event)
            case AskedCancel():
                self._cancel(event.id)
            case AskedKill():
                self._kill(event)
            case AskedRetry():
                self._retry(event.id)
            case AskedSkip():
                self._skip(event.id)
            case AskedPause():
                self.pause.begin(turn, Paused(who=event.who, reason=event.reason, at_ms=now_ms))
            case AskedResume():
                for held in self.pause.end(turn):
                    self._hear_held(held)
            case Ticked():
                self._tick()
        return self._end()

    def forget(self) -> None:
        """Drop what is in memory, after a turn that was rolled back; `start` rebuilds it."""
        for running in self._running.values():
            running.coroutine.close()
        self._running.clear()
        self._waiting_notary.clear()
        self._waiting_receipt.clear()
        self._store.forget()
        self._services.waiting.clear()
        self._services.forget()

    def flush(self, turn: Turn) -> None:
        """Write what the steps of a turn changed; call it once before the commit."""
        self._store.flush(turn)

    def is_running(self, beginning: str) -> bool:
        """Whether a flow whose id begins so is under way."""
        return any(name.startswith(beginning) for name in self._running)

    def progress(self, flow: str) -> Any:
        """The progress of a flow in memory, or None."""
        running = self._running.get(flow)
        return running.context.progress() if running else None

    # one turn -----------------------------------------------------------------------------------------------------

    def _begin(self, turn: Turn, now_ms: int) -> None:
        self._turn, self._now_ms, self._effects = turn, now_ms, []

    def _end(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        effects += [StartFlow(event=event) for event in self._services.take_started()]
        for effect in [e for e in effects if isinstance(e, StartFlow)]:
            effects.remove(effect)
            self._ask(effect.event)
            effects.extend(self._end())
        return effects

    def _ask(self, event: AskedFlow, *, new: bool = False) -> None:
        """Begin a flow, unless it is known; `new` is what nothing under way has asked for."""
        known = self._store.record(self._turn, event.id)
        if known is not None:  # the same request id again
            self._effects.append(TellProgress(record=known, steps=self.progress(event.id) or (), again=True))
            return
        if event.kind not in self._code:
            raise Refusal("flow.kind", "there is no such flow", kind=event.kind[:80])
        if new:
            self.pause.check_begins(event)
        record = FlowRecord(
            id=event.id, kind=event.kind, arguments=event.arguments, state="running", progress=b"", result=b"",
            started_ms=self._now_ms, changed_ms=self._now_ms, parent=event.parent,
        )  # fmt: skip
        self._store.put(record)
        running = self._make(record, JOURNAL_VERSION)
        self._append(running, journal.first_entry())
        self._advance(running, None)

    def _make(self, record: FlowRecord, version: int) -> Running:
        context = Context(record.id, self._services, version)
        context.turn, context.now_ms = self._turn, self._now_ms
        running = Running(record, self._code[record.kind], context)
        self._running[record.id] = running
        return running

    def _rebuild(self, record: FlowRecord) -> None:
        entries = self._store.journal(self._turn, record.id)
        version = journal.version_of(entries[0])
        if record.kind not in self._code or version is None:
            self._store.put(record.replace(state="failed", result=_pack("the journal is of another version")))
            return
        running = self._make(record, version)
        running.journal = entries
        running.place = 1
        self._advance(running, None)

    # running ------------------------------------------------------------------------------------------------------

    def _advance(self, running: Running, value: Any, error: BaseException | None = None) -> None:
        """Run a flow until it waits or ends; journal every new result."""
        context = running.context
        context.turn, context.now_ms = self._turn, self._now_ms
        running.waiting = None
        try:
            while True:
                request = running.coroutine.throw(error) if error else running.coroutine.send(value)
                error = None
                if isinstance(request, (Send, Receive)):
                    running.talks[request.session] = None
                if running.is_replaying:
                    value, error = journal.replayed(running.journal[running.place], request)
                    running.place += 1
                elif isinstance(request, (Once, Send)):
                    value, error = self._now(running, request)
                else:
                    self._wait(running, request)
                    return
        except StopIteration as done:
            self._finish(running, "done", _pack(done.value))
        except Cancelled:
            self._finish(running, "cancelled", _pack(None))
        except Refusal as refusal:
            self._finish(running, "refused", _pack(refusal.as_plain()))
        except Exception as failure:  # a bug or a world's fault inside one flow must not stop the node
            reason = "".join(traceback.format_exception(failure)[-6:])
            self._finish(running, "failed", _pack(reason))

    def _now(self, running: Running, request: Once | Send) -> tuple[Any, BaseException | None]:
        if isinstance(request, Send):
            self._send(running, request)
            self._append(running, journal.entry(request, None))
            return None, None
        try:
            with self._turn.all_or_nothing():
                value = request.function()
        except Refusal as refusal:
            self._services.books.forget()  # what it remembers may have been taken back
            self._append(running, journal.refused_entry(refusal))
            return None, refusal
        self._append(running, journal.entry(request, value))
        return value, None

    def _send(self, running: Running, request: Send) -> None:
        talk = self._store.talk(self._turn, request.session) or Talk(running.record.id, request.peer, 0, 0)
        self._store.keep_talk(request.session, msgspec.structs.replace(talk, sent=talk.sent + 1))
        message = FlowMessage(session=request.session, number=talk.sent, flow=request.flow, body=request.body)
        self._effects.append(SendMessage(peer=request.peer, message=message))

    def _append(self, running: Running, entry: bytes) -> None:
        self._store.append(running.record.id, len(running.journal), entry)
        running.journal.append(entry)
        running.place = len(running.journal)
        running.moved = True

    def _wait(self, running: Running, request: Awaited) -> None:
        """Suspend; arrange to be woken. Mail that came before it was waited for is taken at once."""
        flow = running.record.id
        running.waiting = request
        if isinstance(request, Receive):
            if request.transaction:
                self._waiting_receipt[request.transaction] = flow
            if request.until_ms is not None:
                self._set_timer(running, request.until_ms, request.session.hex())
            if self._mail.waits(request.session):
                return self._resume(running, self._mail.take(self._turn, request.session))
        elif isinstance(request, AskNotary):
            name = digest("notary request", flow, len(running.journal))
            self._waiting_notary[name] = flow
            self._turn.put_notary_request(NotaryRequest(
                id=name, flow=flow, notary=request.notary, request=request.request, attempts=0,
                next_ms=self._now_ms + RESEND_MS,
            ))  # fmt: skip
            self._effects.append(SubmitNotary(id=name, notary=request.notary, request=request.request))
        elif isinstance(request, Sleep):
            self._set_timer(running, request.until_ms, SLEEP)
        elif isinstance(request, AskPerson) and self._turn.inbox_item(running.item) is None:
            self._turn.put_inbox(InboxItem(
                id=running.item, flow=flow, kind=request.kind, summary=request.summary, created_ms=self._now_ms,
                state="open", reason="",
            ))  # fmt: skip
        self._keep(running, "waiting")
        self._services.waiting.put(flow, running.record.kind, running.wait(self._services.name_of))
        return None

    def _set_timer(self, running: Running, at_ms: int, key: str) -> None:
        running.timers.add(key)
        self._turn.set_timer(Timer(flow=running.record.id, at_ms=at_ms, key=key))

    def _clear_timer(self, running: Running, key: str) -> None:
        if key in running.timers:
            running.timers.discard(key)
            self._turn.clear_timer(running.record.id, key)

    def _resume(self, running: Running, value: Any) -> None:
        request = running.waiting
        assert request is not None
        self._services.waiting.remove(running.record.id)
        if isinstance(request, Receive):
            self._waiting_receipt.pop(request.transaction, None)
            self._clear_timer(running, request.session.hex())
        self._append(running, journal.entry(request, value))
        self._advance(running, value)

    def _keep(self, running: Running, state: str, result: bytes = b"") -> None:
        steps = running.context.progress()
        still = not running.moved and running.record.state == state  # rebuilt where it stood
        changed_ms = running.record.changed_ms if still else self._now_ms
        running.record = running.record.replace(
            state=state, progress=_pack(steps), result=result, changed_ms=changed_ms
        )
        self._store.put(running.record)
        told = TellProgress(record=running.record, steps=steps, transaction=running.context.transaction)
        self._effects.append(told)

    def _finish(self, running: Running, state: str, result: bytes) -> None:
        flow = running.record.id
        running.coroutine.close()
        self._keep(running, state, result)
        self._running.pop(flow, None)
        self._services.waiting.remove(flow)
        self._turn.release_locks(flow)
        if state != "failed":
            self._store.end(flow)
            for key in tuple(running.timers):
                self._clear_timer(running, key)
            for session in running.talks:
                self._store.leave(session)
                self._mail.drop(self._turn, session)

    # events -------------------------------------------------------------------------------------------------------

    def _hear(self, peer: bytes, message: FlowMessage) -> None:
        """A message reaches the flow that waits for it, waits for a flow that is busy, or opens a talk."""
        talk = self._store.talk(self._turn, message.session)
        if talk is None:
            return None if self.pause.holds(self._turn, peer, message) else self._open(peer, message)
        if talk.peer != peer:
            raise Refusal("flow.peer", "the talk is with somebody else", peer=peer)
        running = self._running.get(talk.flow)
        if message.number < talk.heard or running is None:
            return None  # said before, or said to a flow that has ended
        self._store.keep_talk(message.session, msgspec.structs.replace(talk, heard=message.number + 1))
        waiting = running.waiting
        if isinstance(waiting, Receive) and waiting.session == message.session:
            return self._resume(running, message.body)
        return self._mail.put(self._turn, message.session, message.number, message.body)

    def _hear_held(self, held: Held) -> None:
        """Hear what came while the node was paused; what is refused now is left, as it would have been then."""
        with suppress(Refusal):
            self._hear(held.peer, held.message)

    def _open(self, peer: bytes, message: FlowMessage) -> None:
        check_session(message.session)
        if message.number != 0 or message.flow not in self._opened_by_peers:
            raise Refusal("flow.unknown", "the message belongs to no talk and opens none", flow=message.flow[:80])
        name = "in-" + digest("opened", peer, message.session).hex()[:32]
        self._store.keep_talk(message.session, Talk(name, peer, 0, 1))
        arguments = _pack(Opened(peer=peer, session=message.session, body=message.body))
        self._ask(AskedFlow(id=name, kind=message.flow, arguments=arguments))

    def _answered(self, request: bytes, answer: bytes) -> None:
        flow = self._waiting_notary.pop(request, None)
        self._turn.delete_notary_request(request)
        if flow is not None and flow in self._running:
            self._resume(self._running[flow], answer)

    def _accepted(self, event: HeardReceipt) -> None:
        running = self._running.get(self._waiting_receipt.get(event.transaction, ""))
        if running is not None:
            word = Outcome(transaction=event.transaction, receipt=event.receipt)
            self._resume(running, codec.encode(word))

    def _decided(self, event: AnsweredPerson) -> None:
        item = self._turn.inbox_item(event.item)
        if item is None or item.state != "open":
            raise Refusal("inbox.item", "there is no such open item", item=event.item[:80])
        state = "approved" if event.approved else "declined"
        self._turn.put_inbox(item.replace(state=state, reason=event.reason))
        running = self._running.get(item.flow)
        if running is not None and isinstance(running.waiting, AskPerson):
            self._resume(running, Decision(approved=event.approved, reason=event.reason))

    def _tick(self) -> None:
        for timer in self._turn.timers_due(self._now_ms):
            self._turn.clear_timer(timer.flow, timer.key)
            running = self._running.get(timer.flow)
            if running is None:
                continue
            waiting = running.waiting
            key = waiting.session.hex() if isinstance(waiting, Receive) else SLEEP
            if isinstance(waiting, (Sleep, Receive)) and timer.key == key:
                self._resume(running, None)
        for request in self._turn.notary_requests_due(self._now_ms):
            attempts = request.attempts + 1
            delay = min(RESEND_MS * 2 ** min(attempts, 5), 60_000)
            self._turn.put_notary_request(request.replace(attempts=attempts, next_ms=self._now_ms + delay))
            self._effects.append(SubmitNotary(id=request.id, notary=request.notary, request=request.request))

    def _cancel(self, flow: str) -> None:
        running = self._found(flow)
        running.check_cancellable()
        self._append(running, journal.cancelled_entry())
        self._advance(running, None, error=Cancelled())

    def _kill(self, event: AskedKill) -> None:
        result = _pack({"who": event.who, "reason": event.reason, "ms": self._now_ms})
        record = self._store.record(self._turn, event.id)
        if record is None or record.state != "failed":
            return self._finish(self._found(event.id), "killed", result)
        # it is not in memory any more, and its journal is given up with it
        self._store.journal(self._turn, record.id)
        self._store.end(record.id)
        record = record.replace(state="killed", result=result, changed_ms=self._now_ms)
        self._store.put(record)
        self._effects.append(TellProgress(record=record, steps=()))
        return None

    def _skip(self, flow: str) -> None:
        """Go on as if the time had come: what a flow does then, it may do at any time before."""
        running = self._found(flow)
        request = running.waiting
        if isinstance(request, Sleep):
            self._clear_timer(running, SLEEP)
        elif not isinstance(request, Receive) or request.until_ms is None:
            raise Refusal("flow.not-safe", "the flow cannot go on without what it waits for", flow=flow,
                          waits_for=journal.name_of(request) if request else "")  # fmt: skip
        self._resume(running, None)

    def _retry(self, flow: str) -> None:
        self._store.flush(self._turn)
        record = self._turn.flow(flow)
        if record is None or record.state != "failed":
            raise Refusal("flow.state", "only a failed flow is tried again", flow=flow)
        self._rebuild(record.replace(state="running"))

    def _found(self, flow: str) -> Running:
        running = self._running.get(flow)
        if running is None:
            raise Refusal("flow.unknown", "there is no such running flow", flow=flow[:80])
        return running
