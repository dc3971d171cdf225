"""The port between sessions and whatever carries their frames; implemented by `tls` and `memory`.

Every implementation passes the same conformance suite. None of them promises delivery: the session machine does.
"""

from __future__ import annotations

from typing import Protocol

from interfirm.base.values import Value
from interfirm.node.network.frames import SessionFrame


class Trouble(Value):
    """Something an operator may want to know: who did what; evidence, never a reason to stop."""

    code: str
    """As the code of a Refusal: `network.handshake`, `network.wrong-peer`, `frame.malformed`, `certificate.expired`."""
    reason: str
    host: str
    """The other end's address, as far as known."""
    peer: bytes = b""
    """The identity it proved or was looked for, empty before that."""
    times: int = 1
    """How often since it was told last."""


class Listener(Protocol):
    """Who hears what the transport sees; every call comes from the transport's event loop."""

    async def on_frame(self, peer: bytes, frame: SessionFrame) -> None:
        """The verified `peer` said `frame`; its next frame is read when this returns (backpressure)."""

    def on_connected(self, peer: bytes) -> None:
        """One more connection with `peer` is verified on both sides; its session should greet."""

    def on_disconnected(self, peer: bytes) -> None:
        """The last connection with `peer` is gone."""

    def on_trouble(self, trouble: Trouble) -> None:
        """Keep this for the operator."""


class Transport(Protocol):
    """Carries frames between verified peers; loses what it cannot carry."""

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen there (port 0: any free one) and return where; Refusal `network.address` if that cannot be."""

    async def stop(self) -> None:
        """Close every connection, with a word of farewell, and listen no more."""

    def send(self, peer: bytes, frame: SessionFrame) -> None:
        """Carry `frame` on the newest connection with `peer`; forget it where there is none."""

    def connect(self, peer: bytes) -> None:
        """See to it that there is a connection with `peer`; `on_connected` or `on_trouble` tells how it went."""

    def close(self, peer: bytes, code: str, reason: str) -> None:
        """Close all connections with `peer` and tell it why."""
