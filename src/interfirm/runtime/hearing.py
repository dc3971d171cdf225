"""A process's sessions over TLS: what the transport sees becomes events, and what sessions want is carried out."""

from __future__ import annotations

import asyncio
from typing import Any

from interfirm.node.network import types as net
from interfirm.node.network.contexts import TlsIdentity
from interfirm.node.network.frames import SessionFrame
from interfirm.node.network.port import Trouble
from interfirm.node.network.tls import Surroundings, TlsNetwork
from interfirm.runtime.logs import log
from interfirm.runtime.serving import Driver

EVENTS_WAITING_MAX = 2_000
"""Beyond so many, who sends more is made to wait."""


class Hearing:
    """The transport of a process and its listener; see network.port.Listener. `driver` is set before it starts."""

    driver: Driver

    def __init__(self, identity: TlsIdentity, surroundings: Surroundings) -> None:
        self.network = TlsNetwork(identity, self, surroundings)

    async def on_frame(self, peer: bytes, frame: SessionFrame) -> None:
        """Hand it to the next turn."""
        self.driver.put(net.HeardFrame(peer=peer, frame=frame, at_ms=self.driver.clock.now_ms()))
        if self.driver.loop.waiting > EVENTS_WAITING_MAX:
            await asyncio.sleep(0)

    def on_connected(self, peer: bytes) -> None:
        """Hand it to the next turn."""
        self.driver.put(net.SawConnected(peer=peer, at_ms=self.driver.clock.now_ms()))

    def on_disconnected(self, peer: bytes) -> None:
        """Hand it to the next turn."""
        self.driver.put(net.SawDisconnected(peer=peer, at_ms=self.driver.clock.now_ms()))

    def on_trouble(self, trouble: Trouble) -> None:
        """Log it."""
        log.warning(
            "network.trouble", code=trouble.code, reason=trouble.reason, host=trouble.host, peer=trouble.peer.hex()
        )

    def release(self, effect: Any) -> None:
        """Carry out what a session wants; what is none of a session's is left alone."""
        match effect:
            case net.SendFrame():
                self.network.send(effect.peer, effect.frame)
            case net.Connect():
                self.network.connect(effect.peer)
            case net.Close():
                self.network.close(effect.peer, effect.code, effect.reason)
            case net.Wake():
                self.driver.wake_at(effect.at_ms)
            case net.Tell():
                log.warning(
                    "session.told", code=effect.code, reason=effect.reason, peer=effect.peer.hex(), **effect.values
                )
