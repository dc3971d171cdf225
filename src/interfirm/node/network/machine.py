"""Sessions with peers: each message reaches the layer above the peer once, in order, whatever is lost on the way.

Delivery is at least once over any transport that loses, repeats, reorders or breaks; the receiver numbers what it has
committed, and acknowledges nothing before that, so that its layer above sees each message exactly once across crashes.
A side whose database was set back is noticed by the numbers of the other: a sender begins a new epoch, a receiver tells
of the gap. Messages may then come again; the layer above keys them by transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, assert_never

from interfirm.base.errors import check
from interfirm.base.limits import LIMITS, Limits
from interfirm.node.network.frames import (
    Acknowledgement,
    Data,
    Hello,
    Message,
    SessionFrame,
    check_message,
    pack,
)
from interfirm.node.network.types import (
    AskedSend,
    Close,
    Connect,
    DeliverMessage,
    DropMessages,
    Effect,
    Event,
    HeardFrame,
    Kept,
    SawCommitted,
    SawConnected,
    SawDisconnected,
    SendFrame,
    Session,
    Sessions,
    StoreMessage,
    StoreOutbox,
    Tell,
    Ticked,
    Wake,
)

Step: TypeAlias = tuple[Session, list[Effect]]


def restore(kept: Iterable[Kept], *, limits: Limits = LIMITS) -> Sessions:
    """The sessions as a database keeps them; the first `Ticked` dials every peer that something waits for."""
    return Sessions(peers={row.peer: _restored(row) for row in kept}, limits=limits)


def step(state: Sessions, event: Event) -> tuple[Sessions, tuple[Effect, ...]]:
    """The next state and what to do; a bad wish raises Refusal `session.message`, `.message-id` or `.outbox-full`."""
    if isinstance(event, Ticked):
        return _ticked(state, event.at_ms)
    before = state.peers.get(event.peer) or Session(peer=event.peer)
    after, effects = _one(before, event, state.limits)
    if after is before:
        return state, tuple(effects)
    return state.replace(peers={**state.peers, event.peer: after}), tuple(effects)


def _restored(row: Kept) -> Session:
    return Session(
        peer=row.peer,
        epoch=row.epoch,
        acknowledged=row.acknowledged,
        outbox=row.outbox,
        outbox_bytes=sum(len(message.body) for message in row.outbox),
        sent=row.acknowledged,
        due_at_ms=0 if row.outbox else None,
        heard_epoch=row.heard_epoch,
        committed=row.committed,
        delivered=row.committed,
    )


def _ticked(state: Sessions, at_ms: int) -> tuple[Sessions, tuple[Effect, ...]]:
    due = [s for s in state.peers.values() if s.due_at_ms is not None and s.due_at_ms <= at_ms]
    steps = [_silent(session, at_ms, state.limits) for session in due]
    peers = {**state.peers, **{session.peer: session for session, _ in steps}} if steps else state.peers
    return state.replace(peers=peers), tuple(effect for _, effects in steps for effect in effects)


def _one(
    session: Session, event: AskedSend | HeardFrame | SawConnected | SawDisconnected | SawCommitted, limits: Limits
) -> Step:
    match event:
        case AskedSend(message=message):
            return _asked(session, message, event.at_ms, limits)
        case HeardFrame(frame=frame):
            return _heard(session, frame, event.at_ms, limits)
        case SawConnected():
            return _connected(session, event.at_ms, limits)
        case SawDisconnected():
            return _disconnected(session, event.at_ms, limits)
        case SawCommitted():
            return _committed(session, event)
        case _:
            assert_never(event)


def _asked(session: Session, message: Message, at_ms: int, limits: Limits) -> Step:
    check_message(message)
    for waiting in session.outbox:
        if waiting.message_id == message.message_id:
            same = waiting == message
            check(same, "session.message-id", "another message has this id", message_id=message.message_id)
            return session, []
    size = session.outbox_bytes + len(message.body)
    fits = len(session.outbox) < limits.outbox_count_max and size <= limits.outbox_bytes_max
    check(fits, "session.outbox-full", "too much waits for this peer", peer=session.peer, waiting=len(session.outbox))
    session = session.replace(
        epoch=session.epoch or max(at_ms, 1), outbox=(*session.outbox, message), outbox_bytes=size
    )
    kept = StoreMessage(peer=session.peer, epoch=session.epoch, sequence=session.last, message=message)
    if session.connected:
        session, effects = _pumped(session, at_ms, limits)
        return session, [kept, *effects]
    if session.due_at_ms is not None:  # dialled already
        return session, [kept]
    session, effects = _awaiting(session, at_ms, limits)
    return session, [kept, Connect(peer=session.peer), *effects]


def _connected(session: Session, at_ms: int, limits: Limits) -> Step:
    session = session.replace(
        connected=True, greeted=False, sent=session.acknowledged, allowance=limits.window_count_max, due_at_ms=None
    )
    session, effects = _awaiting(session, at_ms, limits)
    return session, [_hello(session, answer_wanted=True), *effects]


def _disconnected(session: Session, at_ms: int, limits: Limits) -> Step:
    session = session.replace(connected=False, greeted=False, sent=session.acknowledged, due_at_ms=None)
    if not session.outbox:
        return session, []
    session, effects = _awaiting(session, at_ms, limits)
    return session.replace(retries=session.retries + 1), effects


def _silent(session: Session, at_ms: int, limits: Limits) -> Step:
    """The peer did not answer in time: less at once, and a new connection in case this one is dead."""
    assert session.outbox or (session.connected and not session.greeted), "a time is set only while something waits"
    session = session.replace(sent=session.acknowledged, allowance=1, retries=session.retries + 1, due_at_ms=None)
    effects: list[Effect] = [Connect(peer=session.peer)]
    if session.connected and not session.greeted:
        effects.append(_hello(session, answer_wanted=True))
    session, more = _pumped(session, at_ms, limits)
    session, wake = _awaiting(session, at_ms, limits)
    return session, effects + more + wake


def _heard(session: Session, frame: SessionFrame, at_ms: int, limits: Limits) -> Step:
    if at_ms < session.shunned_until_ms:
        return session, []
    match frame:
        case Hello():
            return _heard_hello(session, frame, at_ms, limits)
        case Acknowledgement():
            after, effects = _heard_acknowledgement(session, frame.epoch, frame.through, at_ms, limits)
            return (after, effects) if effects else _useless(after, frame, at_ms, limits)
        case Data():
            return _heard_data(session, frame, at_ms, limits)
        case _:
            assert_never(frame)


def _heard_hello(session: Session, frame: Hello, at_ms: int, limits: Limits) -> Step:
    session, effects = _useless(session, frame, at_ms, limits)
    if effects:
        return session, effects
    due_at_ms = session.due_at_ms if session.outbox else None
    session = session.replace(greeted=True, retries=0, due_at_ms=due_at_ms)
    session, settled = _heard_acknowledgement(session, frame.heard_epoch, frame.heard, at_ms, limits)
    session, gap = _caught_up(session, frame.epoch, frame.acknowledged)
    answer: list[Effect] = [_hello(session, answer_wanted=False)] if frame.answer_wanted else []
    session, more = _pumped(session, at_ms, limits)
    return session, settled + gap + answer + more


def _heard_acknowledgement(session: Session, epoch: int, through: int, at_ms: int, limits: Limits) -> Step:
    if (epoch, through) > (session.epoch, session.last):
        return _set_back(session, epoch, through, at_ms)
    if epoch < session.epoch or through <= session.acknowledged:
        return session, []
    count = through - session.acknowledged
    session = session.replace(
        acknowledged=through,
        outbox=session.outbox[count:],
        outbox_bytes=session.outbox_bytes - sum(len(message.body) for message in session.outbox[:count]),
        sent=max(session.sent, through),
        allowance=min(session.allowance * 2, limits.window_count_max),
        retries=0,
        due_at_ms=None,
    )
    dropped = DropMessages(peer=session.peer, epoch=epoch, through=through)
    session, effects = _pumped(session, at_ms, limits)
    return session, [dropped, *effects]


def _set_back(session: Session, heard_epoch: int, through: int, at_ms: int) -> Step:
    """The peer holds more than we remember to have sent: our database is an older one. Number anew."""
    values = {"epoch": heard_epoch, "remembered": session.last, "acknowledged": through}
    epoch = max(heard_epoch + 1, at_ms)
    session = session.replace(epoch=epoch, acknowledged=0, sent=0)
    reason = "the peer acknowledges more than this node remembers to have sent; its database was set back"
    return session, [
        StoreOutbox(peer=session.peer, epoch=epoch, messages=session.outbox),
        Tell(peer=session.peer, code="session.set-back", reason=reason, values=values),
    ]


def _heard_data(session: Session, frame: Data, at_ms: int, limits: Limits) -> Step:
    if frame.epoch < session.heard_epoch:
        return _useless(session, frame, at_ms, limits)
    session, gap = _caught_up(session, frame.epoch, frame.acknowledged)
    if frame.sequence <= session.delivered or frame.sequence in session.held:
        session, effects = _useless(session, frame, at_ms, limits)
        again = [_acknowledgement(session)] if frame.sequence <= session.committed else []
        return session, gap + (effects or again)
    waiting = sum(session.taking) + sum(len(message.body) for message in session.held.values())
    within = (
        frame.sequence <= session.committed + limits.window_count_max
        and waiting + len(frame.message.body) <= limits.window_bytes_max + limits.message_bytes_max
    )
    if not within:
        session, effects = _broken(session, frame, "session.window", "the peer sends more than it may", at_ms, limits)
        return session, gap + effects
    session = session.replace(held={**session.held, frame.sequence: frame.message}, retries=0)
    session, effects = _delivered(session)
    return session, gap + effects


def _caught_up(session: Session, epoch: int, acknowledged: int) -> Step:
    """Follow the peer into a new epoch, and over what it will never send again because it was acknowledged once."""
    if epoch > session.heard_epoch:
        session = session.replace(heard_epoch=epoch, committed=0, delivered=0, taking=(), held={})
    if epoch < session.heard_epoch or acknowledged <= session.committed:
        return session, []
    values = {"epoch": epoch, "committed": session.committed, "acknowledged": acknowledged}
    held = {sequence: message for sequence, message in session.held.items() if sequence > acknowledged}
    session = session.replace(
        committed=acknowledged,
        delivered=max(session.delivered, acknowledged),
        taking=session.taking[acknowledged - session.committed :],
        held=held,
    )
    reason = "the peer holds acknowledgements this node does not remember; its database was set back"
    told: list[Effect] = [Tell(peer=session.peer, code="session.gap", reason=reason, values=values)]
    session, effects = _delivered(session)
    return session, told + effects


def _delivered(session: Session) -> Step:
    """Hand over what has its turn."""
    held, taking, sequence = dict(session.held), list(session.taking), session.delivered
    effects: list[Effect] = []
    while message := held.pop(sequence + 1, None):
        sequence += 1
        taking.append(len(message.body))
        effects.append(DeliverMessage(peer=session.peer, epoch=session.heard_epoch, sequence=sequence, message=message))
    return session.replace(held=held, taking=tuple(taking), delivered=sequence), effects


def _committed(session: Session, event: SawCommitted) -> Step:
    if event.epoch != session.heard_epoch or event.sequence <= session.committed:
        return session, []  # of an epoch, or a stretch, that the peer has left behind
    assert event.sequence <= session.delivered, "committed before it was delivered"
    taking = session.taking[event.sequence - session.committed :]
    session = session.replace(committed=event.sequence, taking=taking)
    return session, [_acknowledgement(session)]


def _pumped(session: Session, at_ms: int, limits: Limits) -> Step:
    """Put on the way what the window allows, one message however large; whatever waits has a time to try again."""
    if not session.outbox:
        return session, []
    if not (session.connected and session.greeted):
        return _awaiting(session, at_ms, limits)
    flying = session.sent - session.acknowledged
    flying_bytes = sum(len(message.body) for message in session.outbox[:flying])
    effects: list[Effect] = []
    for message in session.outbox[flying : session.allowance]:
        flying_bytes += len(message.body)
        if flying and flying_bytes > limits.window_bytes_max:
            break
        flying += 1
        frame = Data(
            epoch=session.epoch,
            sequence=session.acknowledged + flying,
            acknowledged=session.acknowledged,
            message=message,
        )
        effects.append(SendFrame(peer=session.peer, frame=frame))
    session, wake = _awaiting(session.replace(sent=session.acknowledged + flying), at_ms, limits)
    return session, effects + wake


def _awaiting(session: Session, at_ms: int, limits: Limits) -> Step:
    """Set the time at which silence counts, unless one is set."""
    if session.due_at_ms is not None:
        return session, []
    due_at_ms = at_ms + _patience_ms(session, limits)
    return session.replace(due_at_ms=due_at_ms), [Wake(at_ms=due_at_ms)]


def _patience_ms(session: Session, limits: Limits) -> int:
    """Doubles with each retry; up to a quarter less by peer and retry, so that peers do not knock in step."""
    wait = min(limits.retry_ms_min << min(session.retries, 16), limits.retry_ms_max)
    return wait - wait * ((session.peer[0] + 97 * session.retries) % 64) // 256


def _useless(session: Session, frame: SessionFrame, at_ms: int, limits: Limits) -> Step:
    """Count a frame that brings nothing new; effects only when there are too many in a second."""
    if at_ms - session.useless_since_ms >= 1000:
        return session.replace(useless=1, useless_since_ms=at_ms), []
    session = session.replace(useless=session.useless + 1)
    if session.useless <= limits.useless_frames_per_second_max:
        return session, []
    return _broken(session, frame, "session.flood", "the peer floods this node with frames", at_ms, limits)


def _broken(session: Session, frame: SessionFrame, code: str, reason: str, at_ms: int, limits: Limits) -> Step:
    """Close, keep the evidence, and do not listen for a while."""
    until_ms = at_ms + limits.quarantine_ms
    values = {"committed": session.committed, "useless": session.useless, "shunned_until_ms": until_ms}
    return session.replace(shunned_until_ms=until_ms, useless=0), [
        Tell(peer=session.peer, code=code, reason=reason, values=values, evidence=pack(frame)[0]),
        Close(peer=session.peer, code=code, reason=reason),
    ]


def _hello(session: Session, *, answer_wanted: bool) -> SendFrame:
    frame = Hello(
        epoch=session.epoch,
        acknowledged=session.acknowledged,
        heard_epoch=session.heard_epoch,
        heard=session.committed,
        answer_wanted=answer_wanted,
    )
    return SendFrame(peer=session.peer, frame=frame)


def _acknowledgement(session: Session) -> SendFrame:
    frame = Acknowledgement(epoch=session.heard_epoch, through=session.committed)
    return SendFrame(peer=session.peer, frame=frame)
