"""Connections and frames between the processes of a world, with everything that a network does to them.

Frames pass through their encoding, so that what arrives is bytes that were sent. A connection is a fact both ends hear
of; frames that were on their way when one broke may still arrive if there is a connection again.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from interfirm.base.hashing import sha256
from interfirm.node.network import types as net
from interfirm.node.network.frames import Data, SessionFrame, pack, unpack
from interfirm.sim.agenda import Agenda
from interfirm.sim.faults import Faults
from interfirm.sim.trace import Trace

MILLION = 1_000_000
NOTICE_MS = 500
"""How long until somebody notices that a connection is gone."""
Delivered = Callable[[bytes, bytes, bytes], None]
"""Told of every body that is delivered: (sender, receiver, body)."""


class Peer(Protocol):
    """A process on the network."""

    name: str
    up: bool

    def hear(self, event: net.HeardFrame | net.SawConnected | net.SawDisconnected) -> None:
        """Take in what the transport tells."""

    def clock_ms(self) -> int:
        """What the process believes the time is."""


class Network:
    """See the module. `faults` may be exchanged while the world runs."""

    def __init__(self, agenda: Agenda, random: Random, faults: Faults, trace: Trace, *, delivered: Delivered) -> None:
        self.faults = faults
        self._agenda = agenda
        self._random = random
        self._trace = trace
        self._delivered = delivered
        self._peers: dict[bytes, Peer] = {}
        self._links: dict[tuple[bytes, bytes], int] = {}
        self._made = 0
        self._sides: dict[bytes, int] = {}

    def join(self, identity: bytes, peer: Peer) -> None:
        """A process with this identity."""
        self._peers[identity] = peer

    def connect(self, one: bytes, other: bytes) -> None:
        """See to it that there is a connection."""
        self._agenda.after(self._delay_ms(), lambda: self._meet(one, other))

    def send(self, sender: bytes, receiver: bytes, frame: SessionFrame) -> None:
        """Carry a frame, if there is a connection; it may be lost, doubled, late."""
        if _pair(sender, receiver) not in self._links:
            return
        faults, who = self.faults, self._peers[sender].name
        if self._happens(faults.disconnect_ppm):
            self._fault(who, "disconnect")
            self._part(sender, receiver)
            return
        if self._happens(faults.loss_ppm):
            self._fault(who, "loss")
            return
        head, body = pack(frame)
        copies = 1
        if self._happens(faults.duplication_ppm):
            self._fault(who, "duplication")
            copies = 2
        for _ in range(copies):
            delay_ms = self._delay_ms()
            if self._happens(faults.late_ppm):
                self._fault(who, "delay")
                delay_ms = self._random.randint(delay_ms, faults.late_ms_max)
            self._agenda.after(delay_ms, lambda: self._arrive(sender, receiver, head, body))

    def close(self, one: bytes, other: bytes) -> None:
        """Somebody hung up."""
        self._part(one, other)

    def gone(self, identity: bytes) -> None:
        """A process died: its connections break."""
        for pair in [pair for pair in self._links if identity in pair]:
            self._part(*pair)

    def cut(self, side: set[bytes]) -> None:
        """Part the network in two; nothing passes until `heal`."""
        self._sides = {identity: int(identity in side) for identity in self._peers}
        for pair in [pair for pair in self._links if self._apart(*pair)]:
            self._part(*pair)

    def heal(self) -> None:
        """Make the network whole again."""
        self._sides = {}

    def _meet(self, one: bytes, other: bytes) -> None:
        pair = _pair(one, other)
        both = [self._peers.get(identity) for identity in pair]
        if pair in self._links or any(p is None or not p.up for p in both) or self._apart(one, other):
            return
        self._made += 1
        self._links[pair] = self._made
        self._trace.tell(self._agenda.now_ms, self._peers[one].name, "connected", self._peers[other].name)
        for mine, peer in (pair, pair[::-1]):
            process = self._peers[mine]
            process.hear(net.SawConnected(peer=peer, at_ms=process.clock_ms()))

    def _part(self, one: bytes, other: bytes) -> None:
        if self._links.pop(_pair(one, other), None) is None:
            return
        for mine, peer in ((one, other), (other, one)):
            self._agenda.after(self._random.randint(0, NOTICE_MS), lambda m=mine, p=peer: self._notice(m, p))  # type: ignore[misc]  # defaults bind the loop's values

    def _notice(self, mine: bytes, peer: bytes) -> None:
        process = self._peers[mine]
        if process.up and _pair(mine, peer) not in self._links:
            process.hear(net.SawDisconnected(peer=peer, at_ms=process.clock_ms()))

    def _arrive(self, sender: bytes, receiver: bytes, head: bytes, body: bytes) -> None:
        process = self._peers[receiver]
        if not process.up or _pair(sender, receiver) not in self._links:
            return
        frame = unpack(head, body)
        assert isinstance(frame, SessionFrame), frame
        kind = type(frame).__name__.lower()
        self._trace.tell(self._agenda.now_ms, process.name, kind, sha256(head + body).hex()[:16])
        if isinstance(frame, Data):
            self._delivered(sender, receiver, body)
        process.hear(net.HeardFrame(peer=sender, frame=frame, at_ms=process.clock_ms()))

    def _apart(self, one: bytes, other: bytes) -> bool:
        return self._sides.get(one, 0) != self._sides.get(other, 0)

    def _delay_ms(self) -> int:
        return self._random.randint(self.faults.delay_ms_min, self.faults.delay_ms_max)

    def _happens(self, ppm: int) -> bool:
        return ppm > 0 and self._random.randrange(MILLION) < ppm

    def _fault(self, who: str, fault: str) -> None:
        self._trace.inject(self._agenda.now_ms, who, fault)


def _pair(one: bytes, other: bytes) -> tuple[bytes, bytes]:
    return (one, other) if one < other else (other, one)
