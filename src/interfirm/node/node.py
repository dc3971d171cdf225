"""One organisation's node as a machine of turns: events in, one commit, effects out (house principle 3).

A turn takes what has come in, steps sessions and flows, writes journal, vault and outbox in one database transaction,
and only then hands out frames. If a turn fails as a whole it is rolled back and its events are tried one by one, so
that one bad event cannot take the others with it. The same code runs in production and in the simulation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.values import Value, Wire
from interfirm.node.flows import types as flow_events
from interfirm.node.flows.machine import FlowEngine
from interfirm.node.flows.told import ListenArguments
from interfirm.node.flows.types import (
    AskedFlow,
    FlowMessage,
    HeardMessage,
    HeardNotary,
    HeardReceipt,
    SendMessage,
    SubmitNotary,
    TellProgress,
)
from interfirm.node.network import machine as sessions_machine
from interfirm.node.network import types as net
from interfirm.node.network.frames import Message
from interfirm.node.notices import note, watched_notaries
from interfirm.node.sessions_store import SessionRows, kept_sessions
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.vault import Vault
from interfirm.notary.wire import Told

FLOW, NOTARY_REQUEST, NOTARY_ANSWER = "flow", "notary-request", "notary-answer"
NOTARY_RECEIPT, NOTARY_TELL = "notary-receipt", "notary-tell"


class NotaryLetter(Wire, frozen=True):
    """A request to a notary or its answer, with the asker's name for it; or a receipt with the transaction's id."""

    id: bytes
    body: bytes


class HeardTell(Value, frozen=True):
    """A notary told a subscriber something."""

    notary: bytes
    told: Told


class Refused(Value, frozen=True):
    """An event was refused: told to who asked."""

    event: object
    refusal: Refusal


class WakeAt(Value, frozen=True):
    """Call with no events at this time or earlier."""

    at_ms: int


Effect = net.SendFrame | net.Connect | net.Close | net.Tell | TellProgress | Refused | WakeAt | HeardTell | SubmitNotary


POINTS = ("begun", "stepped", "committed", "released")
"""The named points of a turn, between any two of which the process may be killed."""


def _nothing(_: str) -> None:
    """What happens at a point in ordinary life."""


class Node:
    """See the module. `notary_peers` maps a notary's id to the identity whose session leads to it.

    Requests to the notaries in `gates` are handed out as they are: they go another way than sessions.
    """

    def __init__(
        self,
        vault: Vault,
        flows: FlowEngine,
        *,
        notary_peers: dict[bytes, bytes],
        gates: frozenset[bytes] = frozenset(),
        at: Callable[[str], None] = _nothing,
    ) -> None:
        """`at` is called at each of `POINTS` of every turn."""
        self._at = at
        self.vault = vault
        self.flows = flows
        self.notary_peers = notary_peers
        self.gates = gates
        self.sessions = net.Sessions()
        self._queue: deque[object] = deque()
        self._rows = SessionRows()
        self._out: list[Effect] = []
        self._handled: dict[bytes, tuple[int, int]] = {}
        self._wake_ms: int | None = None
        self._now_ms = 0

    def watch(self, at: Callable[[str], None]) -> None:
        """Call this, too, at each of `POINTS` of every turn."""
        before = self._at

        def both(point: str) -> None:
            before(point)
            at(point)

        self._at = both

    def start(self, now_ms: int) -> list[Effect]:
        """Load sessions, rebuild flows; the first turn."""
        self._begin(now_ms)
        with self.vault.turn() as turn:
            self.sessions = sessions_machine.restore(kept_sessions(turn))
            self._flow_effects(self.flows.start(turn, now_ms))
            self._queue.append(net.Ticked(at_ms=now_ms))
            self._listen_if_watching(turn)
            self._drain(turn)
            self._flush(turn)
            self._plan_wake(turn)
        return self._release()

    def turn(self, events: Sequence[object], now_ms: int) -> list[Effect]:
        """Handle events in one commit; returns what to release. An event that is refused comes back as `Refused`."""
        before = self.sessions
        try:
            return self._attempt(events, now_ms)
        except Exception as failure:
            self._restart(before, now_ms)
            if not events:
                raise
            if len(events) == 1:  # what cannot be handled alone is told and left
                refusal = Refusal("node.failed", "the event could not be handled", reason=repr(failure)[:500])
                told = failure if isinstance(failure, Refusal) else refusal
                return [Refused(event=events[0], refusal=told)]
        return [effect for event in events for effect in self.turn([event], now_ms)]

    def _attempt(self, events: Sequence[object], now_ms: int) -> list[Effect]:
        self._begin(now_ms)
        with self.vault.turn() as turn:
            self._at("begun")
            for event in events:
                self._queue.append(event)
                self._drain(turn)
            if not events or self._is_due():
                self._queue.extend((net.Ticked(at_ms=now_ms), flow_events.Ticked()))
                self._drain(turn)
            self._flush(turn)
            self._plan_wake(turn)
            self._at("stepped")
        self._at("committed")
        return self._release()

    def _begin(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._queue.clear()
        self._rows.clear()
        self._out = []
        self._handled = {}

    def _restart(self, sessions: net.Sessions, now_ms: int) -> None:
        """After a rollback: what is in memory is made again from what was committed."""
        self.flows.forget()
        self.sessions = sessions
        self._begin(now_ms)
        with self.vault.turn() as turn:
            self._flow_effects(self.flows.start(turn, now_ms))
            self._drain(turn)
            self._flush(turn)

    def _flush(self, turn: Turn) -> None:
        """Write what is written once a turn."""
        self.flows.flush(turn)
        self._rows.flush(turn)

    def _release(self) -> list[Effect]:
        """After the commit: acknowledge what was handled, and hand out everything."""
        for peer, (epoch, sequence) in self._handled.items():
            done = net.SawCommitted(peer=peer, epoch=epoch, sequence=sequence, at_ms=self._now_ms)
            self.sessions, effects = sessions_machine.step(self.sessions, done)
            self._out.extend(e for e in effects if isinstance(e, net.SendFrame))
        out, self._out = self._out, []
        self._at("released")
        return out

    # inside a turn ------------------------------------------------------------------------------------------------

    def _drain(self, turn: Turn) -> None:
        while self._queue:
            event = self._queue.popleft()
            try:
                self._handle(turn, event)
            except Refusal as refusal:
                self._out.append(Refused(event=event, refusal=refusal))

    def _handle(self, turn: Turn, event: object) -> None:
        if isinstance(event, net.Event):
            self.sessions, effects = sessions_machine.step(self.sessions, event)
            for effect in effects:
                self._session_effect(turn, effect)
            if isinstance(event, net.SawConnected):
                self._listen(event.peer)
            elif isinstance(event, net.SawDisconnected):
                self._listen_if_watching(turn, event.peer)
        elif isinstance(event, HeardTell):
            flow = note(turn, event.notary, event.told, self._now_ms)
            if flow is not None:
                self._queue.append(flow)
            self._out.append(event)
        else:
            assert isinstance(event, flow_events.Event), event
            self._flow_effects(self.flows.step(turn, event, self._now_ms))

    def _listen(self, peer: bytes) -> None:
        """A notary can be heard (again): ask it what it had to tell in the meantime."""
        for notary, of in self.notary_peers.items():
            name = f"listen-{notary.hex()[:16]}-"
            if of == peer and not self.flows.is_running(name):
                arguments = msgspec.msgpack.encode(ListenArguments(notary=notary))
                self._queue.append(AskedFlow(id=f"{name}{self._now_ms}", kind="listen", arguments=arguments))

    def _listen_if_watching(self, turn: Turn, peer: bytes | None = None) -> None:
        """What a notary had to tell may be lost with a connection, or while nobody listened; asking opens a new one."""
        for notary in watched_notaries(turn):
            of = self.notary_peers.get(notary)
            if of is not None and peer in (of, None):
                self._listen(of)

    def _session_effect(self, turn: Turn, effect: net.Effect) -> None:
        match effect:
            case net.StoreMessage() | net.DropMessages() | net.StoreOutbox():
                self._rows.note(turn, effect)
            case net.DeliverMessage():
                self._handled[effect.peer] = (effect.epoch, effect.sequence)
                self._rows.note(turn, effect)
                try:
                    self._deliver(effect)
                except Refusal as refusal:  # a peer's garbage is told and counts as handled, or it would come for ever
                    self._out.append(Refused(event=effect, refusal=refusal))
            case net.Wake():
                pass  # all that is due is looked up at the turn's end
            case _:
                self._out.append(effect)

    def _deliver(self, delivered: net.DeliverMessage) -> None:
        """A message for this node: to its flow, or to whoever asked the notary."""
        message, peer = delivered.message, delivered.peer
        if message.topic == FLOW:
            self._queue.append(HeardMessage(peer=peer, message=codec.decode(message.body, FlowMessage)))
        elif message.topic == NOTARY_ANSWER and peer in self.notary_peers.values():
            letter = codec.decode(message.body, NotaryLetter)
            self._queue.append(HeardNotary(request=letter.id, answer=letter.body))
        elif message.topic == NOTARY_RECEIPT and peer in self.notary_peers.values():
            letter = codec.decode(message.body, NotaryLetter)
            self._queue.append(HeardReceipt(transaction=letter.id, receipt=letter.body))
        elif message.topic == NOTARY_TELL and peer in self.notary_peers.values():
            notary = next(notary for notary, of in self.notary_peers.items() if of == peer)
            self._queue.append(HeardTell(notary=notary, told=codec.decode(message.body, Told)))
        else:
            raise Refusal("node.topic", "a message of a topic that is not for this node", topic=message.topic[:40])

    def _flow_effects(self, effects: Sequence[flow_events.Effect]) -> None:
        for effect in effects:
            match effect:
                case SendMessage():
                    name = digest("message", effect.message.session, effect.message.number)
                    self._send(effect.peer, FLOW, name, codec.encode(effect.message))
                case SubmitNotary() if effect.notary in self.gates:
                    self._out.append(effect)
                case SubmitNotary():
                    peer = self.notary_peers.get(effect.notary)
                    if peer is None:
                        raise Refusal("node.notary", "this notary is not known here", notary=effect.notary)
                    letter = NotaryLetter(id=effect.id, body=effect.request)
                    self._send(peer, NOTARY_REQUEST, effect.id, codec.encode(letter))
                case TellProgress():
                    self._out.append(effect)
                case _:
                    raise AssertionError(effect)

    def _send(self, peer: bytes, topic: str, name: bytes, body: bytes) -> None:
        message = Message(message_id=name, topic=topic, body=body)
        self._queue.append(net.AskedSend(peer=peer, message=message, at_ms=self._now_ms))

    # time ---------------------------------------------------------------------------------------------------------

    def _is_due(self) -> bool:
        return self._wake_ms is not None and self._now_ms >= self._wake_ms

    def _plan_wake(self, turn: Turn) -> None:
        """Ask to be woken when the first of all that waits for a time is due; asked anew after every turn."""
        due = [session.due_at_ms for session in self.sessions.peers.values()]
        found = [at_ms for at_ms in (*due, turn.next_timer_ms(), turn.next_notary_request_ms()) if at_ms is not None]
        self._wake_ms = min(found, default=None)
        if self._wake_ms is not None:
            self._out.append(WakeAt(at_ms=self._wake_ms))
