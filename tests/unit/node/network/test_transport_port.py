"""The conformance suite of `port.Transport`: what each implementation does the same (house manner 9)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest
import uvloop

from interfirm.base.errors import Refusal
from interfirm.node.identity.authority import Authority
from interfirm.node.identity.keystore import KeyStore, Secrets
from interfirm.node.identity.types import Subject
from interfirm.node.network.contexts import TlsIdentity
from interfirm.node.network.frames import Acknowledgement, Data, Message, SessionFrame
from interfirm.node.network.memory import MemoryHub, MemoryNetwork
from interfirm.node.network.port import Transport, Trouble
from interfirm.node.network.tls import Surroundings, TlsNetwork

NOW_MS = int(time.time() * 1000)
AUTHORITY = Authority.generate("demo", at_ms=NOW_MS)
STORES = [KeyStore(Secrets.generate()) for _ in range(3)]
IDENTITIES = [
    TlsIdentity(
        trust=AUTHORITY.trust,
        chain=AUTHORITY.issue(
            store.request("demo", Subject(legal_name=f"Firm {n}", registration_id=f"VATBE-{n:010}")), at_ms=NOW_MS
        ),
        private_key_pem=store.tls_private_key_pem(),
    )
    for n, store in enumerate(STORES)
]


class Ear:
    """A listener that remembers, and that a test can wait for."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[tuple[bytes, SessionFrame]] = asyncio.Queue()
        self.connected: asyncio.Queue[bytes] = asyncio.Queue()
        self.disconnected: asyncio.Queue[bytes] = asyncio.Queue()
        self.troubles: asyncio.Queue[Trouble] = asyncio.Queue()
        self.free = asyncio.Event()
        self.free.set()

    async def on_frame(self, peer: bytes, frame: SessionFrame) -> None:
        await self.free.wait()
        self.frames.put_nowait((peer, frame))

    def on_connected(self, peer: bytes) -> None:
        self.connected.put_nowait(peer)

    def on_disconnected(self, peer: bytes) -> None:
        self.disconnected.put_nowait(peer)

    def on_trouble(self, trouble: Trouble) -> None:
        self.troubles.put_nowait(trouble)


class Firm:
    def __init__(self, identity: bytes, make: Callable[[Ear], Transport]) -> None:
        self.id, self.ear = identity, Ear()
        self.network = make(self.ear)


class World:
    """Three firms; `book` says where each listens."""

    def __init__(self, kind: str) -> None:
        self.book: dict[bytes, tuple[str, int]] = {}
        hub = MemoryHub()

        def memory(n: int) -> Callable[[Ear], Transport]:
            return lambda ear: MemoryNetwork(STORES[n].identity, ear, self.endpoints, hub=hub)

        def tls(n: int) -> Callable[[Ear], Transport]:
            around = Surroundings(endpoints=self.endpoints, now_ms=lambda: NOW_MS, revoked=frozenset)
            return lambda ear: TlsNetwork(IDENTITIES[n], ear, around)

        self.firms = [Firm(STORES[n].identity, (memory if kind == "memory" else tls)(n)) for n in range(3)]

    def endpoints(self, peer: bytes) -> list[tuple[str, int]]:
        if peer not in self.book:
            raise Refusal("directory.unknown", "nobody has this identity", peer=peer)
        return [self.book[peer]]

    async def start(self) -> None:
        for firm in self.firms:
            self.book[firm.id] = await firm.network.start("127.0.0.1", 0)

    async def stop(self) -> None:
        for firm in self.firms:
            await firm.network.stop()


class Play(Protocol):
    def __call__(self, test: Callable[[World], Awaitable[None]]) -> None: ...


@pytest.fixture(params=["memory", "tls", "tls on uvloop"])
def play(request: pytest.FixtureRequest) -> Play:
    def played(test: Callable[[World], Awaitable[None]]) -> None:
        async def main() -> None:
            world = World(request.param)
            await world.start()
            try:
                async with asyncio.timeout(20):
                    await test(world)
            finally:
                await world.stop()

        factory: Any = uvloop.new_event_loop if "uvloop" in request.param else None
        with asyncio.Runner(loop_factory=factory, debug=False) as runner:
            runner.run(main())

    return played


def ack(number: int) -> Acknowledgement:
    return Acknowledgement(epoch=1, through=number)


async def joined(one: Firm, other: Firm) -> None:
    one.network.connect(other.id)
    assert await one.ear.connected.get() == other.id
    assert await other.ear.connected.get() == one.id


def test_both_sides_are_told_of_a_connection_and_of_its_end(play: Play) -> None:
    async def test(world: World) -> None:
        anna, bert, _ = world.firms
        await joined(anna, bert)
        anna.network.close(bert.id, "session.flood", "enough")
        assert await anna.ear.disconnected.get() == bert.id
        assert await bert.ear.disconnected.get() == anna.id

    play(test)


def test_frames_arrive_in_order_in_both_directions_from_whom_they_come(play: Play) -> None:
    async def test(world: World) -> None:
        anna, bert, carl = world.firms
        await joined(anna, bert)
        await joined(carl, bert)
        for number in range(50):
            anna.network.send(bert.id, ack(number))
            bert.network.send(carl.id, ack(number))
        assert [await bert.ear.frames.get() for _ in range(50)] == [(anna.id, ack(n)) for n in range(50)]
        assert [await carl.ear.frames.get() for _ in range(50)] == [(bert.id, ack(n)) for n in range(50)]
        assert anna.ear.frames.empty()

    play(test)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000, 4 * 1024 * 1024])
def test_a_body_of_any_allowed_size_arrives_whole(play: Play, size: int) -> None:
    async def test(world: World) -> None:
        anna, bert, _ = world.firms
        await joined(anna, bert)
        body = bytes(range(256)) * (size // 256) + bytes(size % 256)
        frame = Data(
            epoch=1, sequence=1, acknowledged=0, message=Message(message_id=b"i" * 16, topic="file", body=body)
        )
        anna.network.send(bert.id, frame)
        anna.network.send(bert.id, ack(1))
        assert await bert.ear.frames.get() == (anna.id, frame)
        assert await bert.ear.frames.get() == (anna.id, ack(1))

    play(test)


def test_a_slow_listener_loses_nothing(play: Play) -> None:
    async def test(world: World) -> None:
        anna, bert, _ = world.firms
        await joined(anna, bert)
        bert.ear.free.clear()
        body = bytes(100_000)
        for number in range(1, 60):
            message = Message(message_id=number.to_bytes(16, "big"), topic="file", body=body)
            anna.network.send(bert.id, Data(epoch=1, sequence=number, acknowledged=0, message=message))
        await asyncio.sleep(0)
        assert bert.ear.frames.empty()
        bert.ear.free.set()
        heard = [(await bert.ear.frames.get())[1] for _ in range(1, 60)]
        assert [frame.sequence for frame in heard if isinstance(frame, Data)] == list(range(1, 60))

    play(test)


def test_a_frame_for_nobody_is_forgotten(play: Play) -> None:
    async def test(world: World) -> None:
        anna, bert, _ = world.firms
        anna.network.send(bert.id, ack(1))
        await joined(anna, bert)
        anna.network.send(bert.id, ack(2))
        assert await bert.ear.frames.get() == (anna.id, ack(2))

    play(test)


def test_asking_for_a_connection_again_makes_no_second_one(play: Play) -> None:
    async def test(world: World) -> None:
        anna, bert, _ = world.firms
        anna.network.connect(bert.id)
        await joined(anna, bert)
        anna.network.connect(bert.id)
        anna.network.send(bert.id, ack(1))
        await bert.ear.frames.get()
        assert anna.ear.connected.empty()
        assert bert.ear.connected.empty()

    play(test)


def test_nobody_at_the_address_is_told(play: Play) -> None:
    async def test(world: World) -> None:
        anna, bert, _ = world.firms
        await bert.network.stop()
        anna.network.connect(bert.id)
        trouble = await anna.ear.troubles.get()
        assert (trouble.code, trouble.peer) == ("network.unreachable", bert.id)

    play(test)


def test_a_peer_nobody_knows_is_told(play: Play) -> None:
    async def test(world: World) -> None:
        anna = world.firms[0]
        anna.network.connect(b"\x00" * 32)
        assert (await anna.ear.troubles.get()).code == "directory.unknown"

    play(test)


def test_another_firm_at_the_address_is_not_taken_for_the_peer(play: Play) -> None:
    async def test(world: World) -> None:
        anna, bert, carl = world.firms
        world.book[bert.id] = world.book[carl.id]
        anna.network.connect(bert.id)
        trouble = await anna.ear.troubles.get()
        assert (trouble.code, trouble.peer) == ("network.wrong-peer", bert.id)
        assert anna.ear.connected.empty()

    play(test)


def test_stopping_ends_every_connection_and_the_peer_may_come_back(play: Play) -> None:
    async def test(world: World) -> None:
        anna, bert, carl = world.firms
        await joined(anna, bert)
        await joined(carl, bert)
        await bert.network.stop()
        assert await anna.ear.disconnected.get() == bert.id
        assert await carl.ear.disconnected.get() == bert.id
        world.book[bert.id] = await bert.network.start("127.0.0.1", 0)
        await joined(anna, bert)
        anna.network.send(bert.id, ack(1))
        assert await bert.ear.frames.get() == (anna.id, ack(1))

    play(test)


def test_an_address_that_is_taken_is_refused(play: Play) -> None:
    async def test(world: World) -> None:
        anna, bert, _ = world.firms
        await anna.network.stop()
        with pytest.raises(Refusal, match=r"network\.address"):
            await anna.network.start(*world.book[bert.id])

    play(test)
