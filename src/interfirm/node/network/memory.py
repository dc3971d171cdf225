"""The transport inside one process: queues between networks that know each other by address.

Frames still pass through their encoding, so that what cannot travel over a socket cannot travel here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from interfirm.base.errors import Refusal
from interfirm.node.network.frames import SessionFrame, pack, unpack
from interfirm.node.network.port import Listener, Trouble


class MemoryHub:
    """The addresses of one process."""

    def __init__(self) -> None:
        self._listening: dict[tuple[str, int], MemoryNetwork] = {}

    def bind(self, host: str, port: int, network: MemoryNetwork) -> int:
        """Give `network` an address; port 0 is any free one. Refusal `network.address` for one that is taken."""
        port = port or 1 + max((taken for at, taken in self._listening if at == host), default=0)
        if (host, port) in self._listening:
            raise Refusal("network.address", "cannot listen here", host=host, port=port, reason="in use")
        self._listening[host, port] = network
        return port

    def release(self, network: MemoryNetwork) -> None:
        """Take the addresses of `network` back."""
        self._listening = {at: owner for at, owner in self._listening.items() if owner is not network}

    def at(self, host: str, port: int) -> MemoryNetwork | None:
        """Who listens there."""
        return self._listening.get((host, port))


class MemoryNetwork:
    """Implements `port.Transport` among the networks of one hub."""

    def __init__(
        self,
        own: bytes,
        listener: Listener,
        endpoints: Callable[[bytes], Sequence[tuple[str, int]]],
        *,
        hub: MemoryHub,
    ) -> None:
        self.own, self._listener, self._endpoints, self._hub = own, listener, endpoints, hub
        self._links: dict[bytes, tuple[MemoryNetwork, asyncio.Queue[tuple[bytes, bytes]], asyncio.Task[None]]] = {}

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """See `port.Transport`."""
        return host, self._hub.bind(host, port, self)

    async def stop(self) -> None:
        """See `port.Transport`."""
        self._hub.release(self)
        for peer in list(self._links):
            self.close(peer, "network.stopping", "the node stops")

    def send(self, peer: bytes, frame: SessionFrame) -> None:
        """See `port.Transport`."""
        if link := self._links.get(peer):
            link[1].put_nowait(pack(frame))

    def connect(self, peer: bytes) -> None:
        """See `port.Transport`."""
        if peer in self._links:
            return
        try:
            found = [other for at in self._endpoints(peer) if (other := self._hub.at(*at)) is not None]
        except Refusal as refusal:
            self._tell(refusal.code, refusal.message, peer)
            return
        if not found:
            self._tell("network.unreachable", "nobody listens there", peer)
        elif found[0].own != peer:
            self._tell("network.wrong-peer", "the certificate is not of the peer that was expected", peer)
        else:
            there, back = asyncio.Queue[tuple[bytes, bytes]](), asyncio.Queue[tuple[bytes, bytes]]()
            self._join(found[0], there, back)
            found[0]._join(self, back, there)

    def close(self, peer: bytes, code: str, reason: str) -> None:
        """See `port.Transport`."""
        if link := self._links.get(peer):
            self._part(peer)
            link[0]._part(self.own)

    def peers(self) -> list[bytes]:
        """The identities there is a connection with."""
        return list(self._links)

    def _join(
        self, other: MemoryNetwork, out: asyncio.Queue[tuple[bytes, bytes]], into: asyncio.Queue[tuple[bytes, bytes]]
    ) -> None:
        task = asyncio.get_running_loop().create_task(self._read(other.own, into))
        self._links[other.own] = (other, out, task)
        self._listener.on_connected(other.own)

    async def _read(self, peer: bytes, into: asyncio.Queue[tuple[bytes, bytes]]) -> None:
        while True:
            frame = unpack(*await into.get())
            assert isinstance(frame, SessionFrame)
            await self._listener.on_frame(peer, frame)

    def _part(self, peer: bytes) -> None:
        if link := self._links.pop(peer, None):
            link[2].cancel()
            self._listener.on_disconnected(peer)

    def _tell(self, code: str, reason: str, peer: bytes) -> None:
        self._listener.on_trouble(Trouble(code=code, reason=reason, host="", peer=peer))
