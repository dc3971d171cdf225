from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS, Limits
from interfirm.node.network.frames import Acknowledgement, Data, Hello, Message, SessionFrame
from interfirm.node.network.machine import restore, step
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
    Sessions,
    StoreMessage,
    StoreOutbox,
    Tell,
    Ticked,
    Wake,
)

ANNA, BERT = b"A" * 32, b"B" * 32
SMALL = Limits(window_count_max=4, window_bytes_max=1000, message_bytes_max=400, outbox_count_max=6)


def message(number: int, *, size: int = 10) -> Message:
    return Message(message_id=number.to_bytes(16, "big"), topic="test", body=bytes([number % 256]) * size)


def data(sequence: int, *, epoch: int = 1, acknowledged: int = 0, size: int = 10) -> Data:
    return Data(epoch=epoch, sequence=sequence, acknowledged=acknowledged, message=message(sequence, size=size))


class Node:
    """A machine with the least of an owner: a database, and effects in the order of one turn."""

    def __init__(self, *, limits: Limits = LIMITS, kept: Kept | None = None, peer: bytes = BERT) -> None:
        self.peer = peer
        self.state = restore([kept] if kept else [], limits=limits)
        self.done: list[Effect] = []

    def does(self, event: Event) -> list[Effect]:
        self.state, effects = step(self.state, event)
        self.done += effects
        return list(effects)

    def asks(self, number: int, *, at_ms: int = 1, size: int = 10) -> list[Effect]:
        return self.does(AskedSend(peer=self.peer, message=message(number, size=size), at_ms=at_ms))

    def hears(self, frame: SessionFrame, *, at_ms: int = 1) -> list[Effect]:
        return self.does(HeardFrame(peer=self.peer, frame=frame, at_ms=at_ms))

    def connects(self, *, at_ms: int = 1, **hello: int) -> list[Effect]:
        self.does(SawConnected(peer=self.peer, at_ms=at_ms))
        return self.hears(greeting(**hello), at_ms=at_ms)

    def commits(self, sequence: int, *, epoch: int = 1) -> list[Effect]:
        return self.does(SawCommitted(peer=self.peer, epoch=epoch, sequence=sequence, at_ms=1))


def greeting(**values: int) -> Hello:
    fields: dict[str, Any] = {"epoch": 0, "acknowledged": 0, "heard_epoch": 0, "heard": 0, "answer_wanted": False}
    return Hello(**{**fields, **values})


def sent(effects: list[Effect]) -> list[int]:
    return [e.frame.sequence for e in effects if isinstance(e, SendFrame) and isinstance(e.frame, Data)]


def delivered(effects: list[Effect]) -> list[int]:
    return [e.sequence for e in effects if isinstance(e, DeliverMessage)]


def kinds(effects: list[Effect]) -> list[type]:
    return [type(e) for e in effects]


def test_a_wish_is_kept_before_a_connection_is_looked_for() -> None:
    assert kinds(Node().asks(1)) == [StoreMessage, Connect, Wake]


def test_a_second_wish_does_not_dial_again() -> None:
    node = Node()
    node.asks(1)
    assert kinds(node.asks(2)) == [StoreMessage]


def test_a_connected_peer_gets_a_message_only_after_it_told_where_it_stands() -> None:
    node = Node()
    node.asks(1)
    greeted = node.does(SawConnected(peer=BERT, at_ms=1))
    assert [type(e.frame) for e in greeted if isinstance(e, SendFrame)] == [Hello]
    assert sent(node.hears(greeting())) == [1]


def test_asking_twice_with_one_id_is_asking_once() -> None:
    node = Node()
    node.asks(1)
    assert node.asks(1) == []
    with pytest.raises(Refusal, match=r"session\.message-id"):
        node.asks(1, size=11)


def test_what_waits_for_a_peer_is_bounded() -> None:
    node = Node(limits=SMALL)
    for number in range(6):
        node.asks(number)
    before = node.state
    with pytest.raises(Refusal, match=r"session\.outbox-full"):
        node.asks(6)
    assert node.state is before


@pytest.mark.parametrize(
    "bad",
    [
        Message(message_id=b"short", topic="test", body=b""),
        Message(message_id=b"i" * 33, topic="test", body=b""),
        Message(message_id=b"i" * 16, topic="", body=b""),
        Message(message_id=b"i" * 16, topic="t" * 65, body=b""),
        Message(message_id=b"i" * 16, topic="test", body=bytes(LIMITS.message_bytes_max + 1)),
    ],
)
def test_a_message_no_frame_can_carry_is_refused(bad: Message) -> None:
    with pytest.raises(Refusal, match=r"session\.message"):
        step(Sessions(), AskedSend(peer=BERT, message=bad, at_ms=1))


def test_no_more_is_on_the_way_than_the_window_allows() -> None:
    node = Node(limits=SMALL)
    node.connects()
    assert [sent(node.asks(n)) for n in range(1, 7)] == [[1], [2], [3], [4], [], []]
    assert sent(node.hears(Acknowledgement(epoch=1, through=3))) == [5, 6]


def test_large_bodies_travel_one_window_at_a_time() -> None:
    node = Node(limits=SMALL)
    node.connects()
    assert [sent(node.asks(n, size=400)) for n in range(1, 5)] == [[1], [2], [], []]
    assert sent(node.hears(Acknowledgement(epoch=1, through=1))) == [3]


def test_an_acknowledged_message_is_dropped_from_the_database() -> None:
    node = Node()
    node.connects()
    node.asks(1)
    effects = node.hears(Acknowledgement(epoch=1, through=1))
    assert effects == [DropMessages(peer=BERT, epoch=1, through=1)]
    assert node.hears(Acknowledgement(epoch=1, through=1)) == []


def test_silence_repeats_the_oldest_message_alone_and_ever_later() -> None:
    node = Node()
    node.connects()
    for number in (1, 2, 3):
        node.asks(number)
    waits, now = [], 1
    for _ in range(8):
        due = node.state.peers[BERT].due_at_ms
        assert due is not None
        assert node.does(Ticked(at_ms=due - 1)) == []
        effects = node.does(Ticked(at_ms=due))
        assert sent(effects) == [1]
        assert Connect(peer=BERT) in effects
        waits.append(due - now)
        now = due
    assert all(later > earlier for earlier, later in itertools.pairwise(waits[:6]))
    assert max(waits) <= LIMITS.retry_ms_max
    assert sent(node.hears(Acknowledgement(epoch=1, through=1), at_ms=now)) == [2, 3]


def test_a_reconnection_resumes_where_the_peer_stands() -> None:
    node = Node()
    node.connects()
    for number in (1, 2, 3):
        node.asks(number)
    node.does(SawDisconnected(peer=BERT, at_ms=2))
    effects = node.connects(heard_epoch=1, heard=2)
    assert DropMessages(peer=BERT, epoch=1, through=2) in effects
    assert sent(effects) == [3]


def test_messages_are_delivered_in_order_and_acknowledged_once_committed() -> None:
    node = Node()
    node.connects()
    assert delivered(node.hears(data(2))) == []
    assert delivered(node.hears(data(3))) == []
    effects = node.hears(data(1))
    assert delivered(effects) == [1, 2, 3]
    assert not any(isinstance(e, SendFrame) for e in effects)
    assert node.commits(2) == [SendFrame(peer=BERT, frame=Acknowledgement(epoch=1, through=2))]


def test_a_repeated_message_is_not_delivered_again() -> None:
    node = Node()
    node.connects()
    node.hears(data(1))
    assert node.hears(data(1)) == []
    node.commits(1)
    assert node.hears(data(1)) == [SendFrame(peer=BERT, frame=Acknowledgement(epoch=1, through=1))]


def test_a_restarted_receiver_delivers_again_what_it_had_not_committed() -> None:
    node = Node(kept=Kept(peer=BERT, heard_epoch=1, committed=1))
    assert delivered(node.hears(data(1))) == []
    assert delivered(node.hears(data(2, acknowledged=1))) == [2]


def test_a_restarted_sender_dials_and_sends_what_its_database_holds() -> None:
    node = Node(kept=Kept(peer=BERT, epoch=1, acknowledged=4, outbox=(message(5), message(6))))
    assert Connect(peer=BERT) in node.does(Ticked(at_ms=1))
    assert sent(node.connects(heard_epoch=1, heard=5)) == [6]


def test_a_sender_whose_database_was_set_back_begins_a_new_epoch_before_it_sends() -> None:
    node = Node(kept=Kept(peer=BERT, epoch=1, acknowledged=4, outbox=(message(5),)))
    effects = node.connects(heard_epoch=1, heard=9, at_ms=7)
    assert [e.code for e in effects if isinstance(e, Tell)] == ["session.set-back"]
    assert StoreOutbox(peer=BERT, epoch=7, messages=(message(5),)) in effects
    frames = [e.frame for e in effects if isinstance(e, SendFrame)]
    assert frames == [Data(epoch=7, sequence=1, acknowledged=0, message=message(5))]


def test_a_sender_that_lost_its_database_is_heard_even_when_its_clock_is_behind() -> None:
    node = Node()
    node.asks(5, at_ms=3)
    effects = node.connects(heard_epoch=100, heard=9, at_ms=3)
    assert StoreOutbox(peer=BERT, epoch=101, messages=(message(5),)) in effects


def test_a_receiver_that_lost_its_database_tells_of_the_gap_and_goes_on() -> None:
    node = Node()
    effects = node.hears(data(8, acknowledged=7))
    assert [e.code for e in effects if isinstance(e, Tell)] == ["session.gap"]
    assert delivered(effects) == [8]


def test_a_late_frame_of_an_older_epoch_is_ignored() -> None:
    node = Node()
    node.hears(data(1, epoch=5))
    assert node.hears(data(1, epoch=4)) == []
    assert node.commits(1, epoch=4) == []
    assert kinds(node.commits(1, epoch=5)) == [SendFrame]


def test_a_peer_that_sends_beyond_its_window_is_closed_and_not_heard_for_a_while() -> None:
    node = Node(limits=SMALL)
    node.hears(data(4))
    effects = node.hears(data(5), at_ms=10)
    assert kinds(effects) == [Tell, Close]
    assert isinstance(effects[0], Tell)
    assert effects[0].code == "session.window"
    assert effects[0].evidence
    assert node.hears(data(1), at_ms=11) == []
    assert delivered(node.hears(data(1), at_ms=10 + SMALL.quarantine_ms)) == [1]


def test_a_peer_that_sends_more_bytes_than_its_window_is_closed() -> None:
    node = Node(limits=SMALL)
    for sequence in (1, 2, 3):
        node.hears(data(sequence, size=400))
    assert [e.code for e in node.hears(data(4, size=400)) if isinstance(e, Close)] == ["session.window"]


@pytest.mark.parametrize("frame", [data(1), Acknowledgement(epoch=9, through=0), greeting(answer_wanted=True)])
def test_a_peer_that_floods_with_useless_frames_is_closed(frame: SessionFrame) -> None:
    node = Node(
        limits=Limits(useless_frames_per_second_max=10), kept=Kept(peer=BERT, epoch=9, heard_epoch=1, committed=1)
    )
    for _ in range(10):
        assert not any(isinstance(e, Close) for e in node.hears(frame, at_ms=5000))
    assert [e.code for e in node.hears(frame, at_ms=5999) if isinstance(e, Close)] == ["session.flood"]


def test_the_same_frames_spread_over_time_are_no_flood() -> None:
    node = Node(limits=Limits(useless_frames_per_second_max=10), kept=Kept(peer=BERT, heard_epoch=1, committed=1))
    for second in range(100):
        assert kinds(node.hears(data(1), at_ms=second * 1000)) == [SendFrame]


def test_silence_of_a_peer_that_nothing_waits_for_is_no_silence() -> None:
    node = Node(kept=Kept(peer=BERT, epoch=1, outbox=(message(1),)))
    node.hears(greeting(heard_epoch=1, heard=1))
    assert node.does(Ticked(at_ms=10**6)) == []
    node.does(SawConnected(peer=BERT, at_ms=10**6))
    node.does(SawDisconnected(peer=BERT, at_ms=10**6))
    assert node.does(Ticked(at_ms=10**7)) == []


def test_a_peer_that_does_not_answer_a_greeting_is_greeted_again() -> None:
    node = Node()
    node.does(SawConnected(peer=BERT, at_ms=1))
    assert [type(e.frame) for e in node.does(Ticked(at_ms=1000)) if isinstance(e, SendFrame)] == [Hello]
    node.hears(greeting(), at_ms=1001)
    assert node.does(Ticked(at_ms=10**6)) == []


def test_committing_what_was_not_delivered_is_a_bug() -> None:
    node = Node()
    node.hears(data(1))
    with pytest.raises(AssertionError):
        node.commits(2)


class Disk:
    """What survives a crash of one node."""

    def __init__(self, peer: bytes) -> None:
        self.kept = Kept(peer=peer)
        self.handled: list[Message] = []

    def handles(self, delivery: DeliverMessage) -> None:
        self.handled.append(delivery.message)
        self.kept = self.kept.replace(heard_epoch=delivery.epoch, committed=delivery.sequence)

    def commits(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case StoreMessage(epoch=epoch, message=stored, sequence=sequence):
                    self.kept = self.kept.replace(epoch=epoch, outbox=(*self.kept.outbox, stored))
                    assert sequence == self.kept.acknowledged + len(self.kept.outbox)
                case DropMessages(through=through):
                    count = through - self.kept.acknowledged
                    self.kept = self.kept.replace(acknowledged=through, outbox=self.kept.outbox[count:])
                case StoreOutbox() | Tell() | Close():
                    raise AssertionError(f"honest nodes without lost disks never see {effect}")


class LossyWorld(RuleBasedStateMachine):
    """Two nodes over a network that loses, repeats, reorders and cuts, with crashes before and after each commit."""

    @initialize(window=st.sampled_from([1, 3, 64]))
    def start(self, window: int) -> None:
        self.limits = Limits(window_count_max=window, window_bytes_max=100)
        self.now_ms = 1000
        self.disks = {ANNA: Disk(BERT), BERT: Disk(ANNA)}
        self.states: dict[bytes, Sessions] = {me: restore([], limits=self.limits) for me in self.disks}
        self.flying: list[tuple[bytes, SessionFrame]] = []
        self.wanted: dict[bytes, list[Message]] = {ANNA: [], BERT: []}
        self.inboxes: dict[bytes, list[DeliverMessage]] = {ANNA: [], BERT: []}
        self.dialled = False
        for me in (ANNA, BERT):
            self.connects(me)
        self.network_in_order(10)

    def peer(self, me: bytes) -> bytes:
        return BERT if me == ANNA else ANNA

    def turn(self, me: bytes, event: Event, *, crash: str = "") -> None:
        state, effects = step(self.states[me], event)
        if crash == "before":
            self.restarts(me)
            return
        self.disks[me].commits(effects)
        if isinstance(event, AskedSend):
            self.wanted[me].append(event.message)
        if crash == "after":
            self.restarts(me)
            return
        self.states[me] = state
        for effect in effects:
            match effect:
                case SendFrame(frame=frame):
                    self.flying.append((self.peer(me), frame))
                case Connect():
                    self.dialled = True
                case DeliverMessage():
                    self.inboxes[me].append(effect)

    def handle(self, me: bytes, count: int, *, crash: str = "") -> None:
        """The layer above commits the first deliveries in one go."""
        taken, self.inboxes[me] = self.inboxes[me][:count], self.inboxes[me][count:]
        if not taken:
            return
        if crash != "before":
            for delivery in taken:
                self.disks[me].handles(delivery)
        if crash:
            self.restarts(me)
            return
        last = taken[-1]
        self.turn(me, SawCommitted(peer=last.peer, epoch=last.epoch, sequence=last.sequence, at_ms=self.now_ms))

    def restarts(self, me: bytes) -> None:
        self.states[me] = restore([self.disks[me].kept], limits=self.limits)
        self.inboxes[me] = []

    crashes = st.sampled_from(["", "", "", "", "", "before", "after"])
    nodes = st.sampled_from([ANNA, BERT])

    @rule(me=nodes, size=st.integers(0, 60), crash=crashes)
    def asks(self, me: bytes, size: int, crash: str) -> None:
        number = len(self.wanted[me]) + (1000 if me == ANNA else 2000)
        self.turn(me, AskedSend(peer=self.peer(me), message=message(number, size=size), at_ms=self.now_ms), crash=crash)

    @precondition(lambda self: self.flying)
    @rule(pick=st.integers(0), fate=st.sampled_from(["once", "once", "once", "twice", "lost"]), crash=crashes)
    def network(self, pick: int, fate: str, crash: str) -> None:
        me, frame = self.flying.pop(pick % len(self.flying))
        if fate == "twice":
            self.flying.append((me, frame))
        if fate != "lost":
            self.turn(me, HeardFrame(peer=self.peer(me), frame=frame, at_ms=self.now_ms), crash=crash)

    @precondition(lambda self: self.flying)
    @rule(count=st.integers(1, 10))
    def network_in_order(self, count: int) -> None:
        for _ in range(min(count, len(self.flying))):
            me, frame = self.flying.pop(0)
            self.turn(me, HeardFrame(peer=self.peer(me), frame=frame, at_ms=self.now_ms))

    @precondition(lambda self: any(self.inboxes.values()))
    @rule(me=nodes, count=st.integers(1, 5), crash=crashes)
    def handles(self, me: bytes, count: int, crash: str) -> None:
        self.handle(me, count, crash=crash)

    @rule(me=nodes)
    def connects(self, me: bytes) -> None:
        self.turn(me, SawConnected(peer=self.peer(me), at_ms=self.now_ms))

    @rule(me=nodes)
    def disconnects(self, me: bytes) -> None:
        self.turn(me, SawDisconnected(peer=self.peer(me), at_ms=self.now_ms))

    @rule(ms=st.integers(1, 40_000), crash=crashes, me=nodes)
    def ticks(self, ms: int, crash: str, me: bytes) -> None:
        self.now_ms += ms
        self.turn(me, Ticked(at_ms=self.now_ms), crash=crash)

    @invariant()
    def nothing_is_delivered_twice_or_out_of_order(self) -> None:
        for me in (ANNA, BERT) if hasattr(self, "disks") else ():
            handled = self.disks[self.peer(me)].handled
            assert handled == self.wanted[me][: len(handled)]

    def teardown(self) -> None:
        """The network heals: everything arrives, exactly once, and nothing is left to say."""
        if not hasattr(self, "disks"):
            return
        for _ in range(400):
            if self.dialled:
                self.dialled = False
                for me in (ANNA, BERT):
                    self.turn(me, SawConnected(peer=self.peer(me), at_ms=self.now_ms))
            while self.flying:
                me, frame = self.flying.pop(0)
                self.turn(me, HeardFrame(peer=self.peer(me), frame=frame, at_ms=self.now_ms))
                self.handle(me, 100)
            if not any(disk.kept.outbox for disk in self.disks.values()):
                break
            self.now_ms += LIMITS.retry_ms_max
            for me in (ANNA, BERT):
                self.turn(me, Ticked(at_ms=self.now_ms))
        for me in (ANNA, BERT):
            assert self.disks[self.peer(me)].handled == self.wanted[me]
            assert not self.disks[me].kept.outbox


TestLossyWorld = LossyWorld.TestCase
TestLossyWorld.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
