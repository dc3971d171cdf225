"""Links between validators that a test can cut: each validator reaches each other one through a small forwarder."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

from interfirm.runtime.cluster import ClusterLayout, Place, with_settings

PORT = 27_000


class Links:
    """Forwarders on the addresses of those who are reached, in a thread of their own."""

    def __init__(self, layout: ClusterLayout) -> None:
        self._places = layout.places
        self._cut: set[frozenset[str]] = set()
        self._open: dict[frozenset[str], set[asyncio.StreamWriter]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="links", daemon=True)
        self._thread.start()
        for place in layout.places:
            self._lead_through(layout, place)
        self._do(self._listen())

    def _lead_through(self, layout: ClusterLayout, place: Place) -> None:
        """Write into a validator's configuration that it calls those after it in the list, through forwarders.

        Only one of two calls: who was called would call back directly.
        """
        peers = ",".join(f"{other.node}@{other.host}:{self._port(place)}" for other in self._called_by(place))
        path = layout.home(place) / "config" / "config.toml"
        path.write_text(with_settings(path.read_text(), {"p2p": {"persistent_peers": peers}}))

    def _called_by(self, caller: Place) -> Sequence[Place]:
        return self._places[self._places.index(caller) + 1 :]

    def _port(self, caller: Place) -> int:
        """Where the calling validator finds another, at the other's address."""
        return PORT + self._places.index(caller)

    async def _listen(self) -> None:
        for caller in self._places:
            for called in self._called_by(caller):
                await self._forward(caller, called)

    async def _forward(self, caller: Place, called: Place) -> None:
        pair = frozenset((caller.name, called.name))

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                if pair not in self._cut:
                    there, back = await asyncio.open_connection(called.host, called.p2p_port)
                    held = self._open.setdefault(pair, set())
                    held.update((writer, back))
                    await asyncio.gather(_pump(reader, back), _pump(there, writer))
                    held.difference_update((writer, back))
            writer.close()

        await asyncio.start_server(carry, called.host, self._port(caller))

    def cut(self, *groups: Iterable[str]) -> None:
        """Let nobody reach anybody of another group."""
        sides = [frozenset(group) for group in groups]
        assert sorted(name for side in sides for name in side) == sorted(place.name for place in self._places)
        self._do(self._cut_between(sides))

    async def _cut_between(self, sides: list[frozenset[str]]) -> None:
        self._cut = {
            frozenset((a, b)) for side in sides for a in side for other in sides if other != side for b in other
        }
        for pair in self._cut:
            for writer in self._open.pop(pair, set()):
                writer.transport.abort()

    def heal(self) -> None:
        """Let everybody reach everybody again."""
        self._cut = set()

    def close(self) -> None:
        """Stop forwarding."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
