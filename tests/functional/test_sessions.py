"""Sessions over real sockets: hostile and unlucky peers, and processes that are killed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sqlite3
import ssl
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS, Limits
from interfirm.node.identity.authority import Authority
from interfirm.node.identity.certificates import Period
from interfirm.node.identity.checks import certified
from interfirm.node.identity.keystore import KeyStore, Secrets
from interfirm.node.identity.types import Subject, Trust
from interfirm.node.network import machine
from interfirm.node.network import types as net
from interfirm.node.network.contexts import TlsIdentity, client_context
from interfirm.node.network.frames import (
    LENGTHS,
    VERSION,
    Acknowledgement,
    Data,
    Frame,
    Greeting,
    Message,
    SessionFrame,
    pack,
)
from interfirm.node.network.port import Trouble
from interfirm.node.network.tls import Surroundings, TlsNetwork

NOW_MS = int(time.time() * 1000)
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
QUICK = Limits(handshake_ms_max=300, heartbeat_ms=100, stall_ms_max=400, connections_per_host_count_max=4)
AUTHORITY = Authority.generate("demo", at_ms=NOW_MS)


def identity(authority: Authority = AUTHORITY, *, period: Period | None = None) -> TlsIdentity:
    store = KeyStore(Secrets.generate())
    request = store.request("demo", Subject(legal_name="Firm", registration_id="VATBE-0987654394"))
    chain = authority.issue(request, at_ms=NOW_MS, period=period)
    return TlsIdentity(trust=AUTHORITY.trust, chain=chain, private_key_pem=store.tls_private_key_pem())


ANNA, BERT = identity(), identity()


def id_of(who: TlsIdentity) -> bytes:
    return certified(who.chain[0]).identity


class Ear:
    def __init__(self) -> None:
        self.frames: asyncio.Queue[SessionFrame] = asyncio.Queue()
        self.connected: asyncio.Queue[bytes] = asyncio.Queue()
        self.disconnected: asyncio.Queue[bytes] = asyncio.Queue()
        self.troubles: asyncio.Queue[Trouble] = asyncio.Queue()

    async def on_frame(self, peer: bytes, frame: SessionFrame) -> None:
        self.frames.put_nowait(frame)

    def on_connected(self, peer: bytes) -> None:
        self.connected.put_nowait(peer)

    def on_disconnected(self, peer: bytes) -> None:
        self.disconnected.put_nowait(peer)

    def on_trouble(self, trouble: Trouble) -> None:
        self.troubles.put_nowait(trouble)


class Node:
    """One transport on a loopback port; clock and revocations can be moved while it runs."""

    def __init__(self, who: TlsIdentity, *, limits: Limits = QUICK, now_ms: int = NOW_MS) -> None:
        self.id, self.ear, self.now_ms = id_of(who), Ear(), now_ms
        self.revoked: set[int] = set()
        self.book: dict[bytes, tuple[str, int]] = {}
        around = Surroundings(
            endpoints=lambda peer: [self.book[peer]], now_ms=lambda: self.now_ms, revoked=lambda: self.revoked
        )
        self.network = TlsNetwork(who, self.ear, around, limits=limits)
        self.at = ("", 0)

    async def __aenter__(self) -> Node:
        self.at = await self.network.start("127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.network.stop()

    async def trouble(self) -> Trouble:
        return await self.ear.troubles.get()


def play(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(main())


async def meet(one: Node, other: Node) -> None:
    one.book[other.id] = other.at
    one.network.connect(other.id)
    await one.ear.connected.get()
    await other.ear.connected.get()


class Raw:
    """A client with a good certificate that says whatever a test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def dial(cls, node: Node, who: TlsIdentity = BERT, *, greets: bool = True) -> Raw:
        raw = cls(*await asyncio.open_connection(*node.at, ssl=client_context(who)))
        if greets:
            raw.says(Greeting(version=VERSION, network="demo"))
            await node.ear.connected.get()
        return raw

    def says(self, *frames: Frame) -> None:
        packed = [pack(frame) for frame in frames]
        self.writer.write(b"".join(LENGTHS.pack(len(head), len(body)) + head + body for head, body in packed))

    async def ends(self) -> bytes:
        """Everything the node still said before it closed, even where what it did not read resets the connection."""
        heard = b""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while some := await self.reader.read(65_536):
                heard += some
        return heard


@pytest.mark.parametrize(
    ("start", "end", "code"), [(-3, -1, "certificate.expired"), (1, 3, "certificate.not-yet-valid")]
)
def test_a_peer_whose_certificate_is_not_of_this_time_is_refused_and_told(start: int, end: int, code: str) -> None:
    async def test() -> None:
        period = Period(not_before_ms=NOW_MS + start * HOUR_MS, not_after_ms=NOW_MS + end * HOUR_MS)
        who = identity(period=period)
        with pytest.raises(Refusal, match=code):
            Node(who)
        # its own clock is wrong, so it does not notice
        async with Node(ANNA) as anna, Node(who, now_ms=period.not_before_ms + HOUR_MS) as late:
            late.book[anna.id] = anna.at
            late.network.connect(anna.id)
            assert (await anna.trouble()).code == code
            assert (await late.trouble()).code in ("network.refused", code)
            assert anna.ear.connected.empty()
            assert late.ear.connected.empty()

    play(test)


def test_a_revoked_peer_is_refused() -> None:
    async def test() -> None:
        async with Node(ANNA) as anna, Node(BERT) as bert:
            anna.revoked.add(certified(BERT.chain[0]).serial_number)
            bert.book[anna.id] = anna.at
            bert.network.connect(anna.id)
            assert (await anna.trouble()).code == "certificate.revoked"
            trouble = await bert.trouble()
            assert (trouble.code, "revoked" in trouble.reason) == ("network.refused", True)
            assert anna.ear.connected.empty()

    play(test)


def test_a_peer_revoked_or_expired_while_connected_is_closed() -> None:
    async def test() -> None:
        async with Node(ANNA) as anna, Node(BERT) as bert:
            await meet(anna, bert)
            anna.revoked.add(certified(BERT.chain[0]).serial_number)
            assert await anna.ear.disconnected.get() == bert.id
            assert (await anna.trouble()).code == "certificate.revoked"
            anna.revoked.clear()
            await meet(anna, bert)
            anna.now_ms += 10_000 * DAY_MS
            assert await anna.ear.disconnected.get() == bert.id
            assert (await anna.trouble()).code == "certificate.expired"

    play(test)


def test_a_certificate_of_another_authority_is_refused_in_the_handshake() -> None:
    async def test() -> None:
        stranger = identity(Authority.generate("demo", at_ms=NOW_MS))
        async with Node(ANNA) as anna:
            with pytest.raises(Refusal, match=r"certificate\.untrusted"):
                Node(stranger)
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await (await Raw.dial(anna, stranger, greets=False)).ends()
            trouble = await anna.trouble()
            assert (trouble.code, trouble.reason) == ("network.handshake", "CERTIFICATE_VERIFY_FAILED")

    play(test)


def test_a_client_without_a_certificate_is_refused() -> None:
    async def test() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        async with Node(ANNA) as anna:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                reader, _ = await asyncio.open_connection(*anna.at, ssl=context)
                await reader.read()
            assert (await anna.trouble()).reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"

    play(test)


def test_a_client_of_tls_1_2_is_refused() -> None:
    async def test() -> None:
        context = client_context(BERT)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        async with Node(ANNA) as anna:
            with pytest.raises((ConnectionError, ssl.SSLError)):
                await asyncio.open_connection(*anna.at, ssl=context)
            assert (await anna.trouble()).reason == "UNSUPPORTED_PROTOCOL"

    play(test)


def test_a_client_for_another_protocol_is_refused() -> None:
    async def test() -> None:
        context = client_context(BERT)
        context.set_alpn_protocols(["http/1.1"])
        async with Node(ANNA) as anna:
            reader, _ = await asyncio.open_connection(*anna.at, ssl=context)
            await reader.read()
            assert (await anna.trouble()).code == "network.protocol"

    play(test)


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 1000, b"\xff" * 100_000])
def test_a_client_that_speaks_no_tls_is_refused(said: bytes) -> None:
    async def test() -> None:
        async with Node(ANNA) as anna:
            reader, writer = await asyncio.open_connection(*anna.at)
            writer.write(said)
            with contextlib.suppress(ConnectionError):
                await reader.read()
            assert (await anna.trouble()).code == "network.handshake"

    play(test)


def test_a_client_that_says_nothing_is_given_up() -> None:
    async def test() -> None:
        async with Node(ANNA) as anna:
            reader, _ = await asyncio.open_connection(*anna.at)
            assert await reader.read() == b""
            assert (await anna.trouble()).code == "network.handshake"

    play(test)


def test_a_verified_client_that_does_not_greet_is_given_up() -> None:
    async def test() -> None:
        async with Node(ANNA) as anna:
            raw = await Raw.dial(anna, greets=False)
            assert b"no greeting came in time" in await raw.ends()
            assert (await anna.trouble()).code == "network.handshake"
            assert anna.ear.connected.empty()

    play(test)


def test_one_host_cannot_fill_the_log() -> None:
    async def test() -> None:
        async with Node(ANNA) as anna:
            for _ in range(20):
                reader, writer = await asyncio.open_connection(*anna.at)
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
                with contextlib.suppress(ConnectionError):
                    await reader.read()
            assert anna.ear.troubles.qsize() <= 2

    play(test)


def test_a_second_greeting_or_another_network_is_refused() -> None:
    async def test() -> None:
        async with Node(ANNA) as anna:
            raw = await Raw.dial(anna, greets=False)
            raw.says(Greeting(version=VERSION, network="other"))
            assert b"network.other" in await raw.ends()
            raw = await Raw.dial(anna, greets=False)
            raw.says(Greeting(version=VERSION + 1, network="demo"))
            assert b"network.version" in await raw.ends()
            raw = await Raw.dial(anna)
            raw.says(Greeting(version=VERSION, network="demo"))
            assert b"frame.malformed" in await raw.ends()

    play(test)


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        (LENGTHS.pack(3, 0) + b"abc", "frame.malformed"),
        (LENGTHS.pack(0, 0), "frame.size"),
        (b"\xff" * LENGTHS.size, "frame.size"),
        (LENGTHS.pack(1, LIMITS.message_bytes_max + 1), "frame.size"),
    ],
)
def test_a_verified_peer_that_sends_garbage_is_closed_and_recorded(garbage: bytes, code: str) -> None:
    async def test() -> None:
        async with Node(ANNA) as anna:
            raw = await Raw.dial(anna)
            raw.writer.write(garbage)
            assert code.encode() in await raw.ends()
            trouble = await anna.trouble()
            assert (trouble.code, trouble.peer) == (code, id_of(BERT))
            assert await anna.ear.disconnected.get() == id_of(BERT)

    play(test)


def test_a_peer_that_falls_silent_is_given_up() -> None:
    async def test() -> None:
        async with Node(ANNA) as anna:
            raw = await Raw.dial(anna)
            raw.writer.write(LENGTHS.pack(50, 0) + b"half a head")
            assert b"network.stalled" in await raw.ends()
            assert (await anna.trouble()).reason == "the peer is silent"

    play(test)


def test_a_peer_that_takes_nothing_is_given_up() -> None:
    async def test() -> None:
        async with Node(ANNA) as anna:
            raw = await Raw.dial(anna)
            raw.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport, typed as its base

            async def chatters() -> None:
                while True:
                    raw.says(Acknowledgement(epoch=1, through=1))
                    await asyncio.sleep(0.05)

            chatter = asyncio.create_task(chatters())
            message = Message(message_id=b"i" * 16, topic="file", body=bytes(LIMITS.message_bytes_max))
            for sequence in range(1, 9):
                frame = Data(epoch=1, sequence=sequence, acknowledged=0, message=message)
                anna.network.send(id_of(BERT), frame)
            assert (await anna.trouble()).reason == "the peer takes nothing"
            assert await anna.ear.disconnected.get() == id_of(BERT)
            chatter.cancel()

    play(test)


def test_frames_that_nobody_takes_do_not_pile_up() -> None:
    async def test() -> None:
        async with Node(ANNA) as anna:
            await Raw.dial(anna)
            for number in range(LIMITS.send_queue_count_max + 1):
                anna.network.send(id_of(BERT), Acknowledgement(epoch=1, through=number))
            assert (await anna.trouble()).code == "network.stalled"

    play(test)


def test_heartbeats_keep_a_quiet_connection() -> None:
    async def test() -> None:
        async with Node(ANNA) as anna, Node(BERT) as bert:
            await meet(anna, bert)
            await asyncio.sleep(3 * QUICK.stall_ms_max / 1000)  # the passing of time is what is tested
            assert anna.ear.disconnected.empty()
            anna.network.send(bert.id, Acknowledgement(epoch=1, through=1))
            await bert.ear.frames.get()

    play(test)


def test_one_address_cannot_take_all_connections() -> None:
    async def test() -> None:
        async with Node(ANNA, limits=Limits(connections_per_host_count_max=4)) as anna:
            open_ones = [await asyncio.open_connection(*anna.at) for _ in range(4)]
            reader, _ = await asyncio.open_connection(*anna.at)
            assert await reader.read() == b""
            assert (await anna.trouble()).code == "network.crowded"
            for _, writer in open_ones:
                writer.close()
            assert (await anna.trouble()).code == "network.handshake"

    play(test)


def test_a_crashed_peer_that_dials_again_takes_the_place_of_its_dead_connection() -> None:
    async def test() -> None:
        async with Node(ANNA, limits=LIMITS) as anna:
            dead = await Raw.dial(anna)
            alive = await Raw.dial(anna)
            anna.network.send(id_of(BERT), Acknowledgement(epoch=1, through=7))
            expected = LENGTHS.size + len(pack(Greeting(version=VERSION, network="demo"))[0])
            await alive.reader.readexactly(expected)
            frame = await alive.reader.readexactly(LENGTHS.size)
            assert LENGTHS.unpack(frame)[1] == 0
            assert b"network.replaced" in await dead.ends()
            assert anna.ear.disconnected.empty()

    play(test)


def test_two_that_dial_each_other_at_once_understand_each_other() -> None:
    async def test() -> None:
        async with Node(ANNA) as anna, Node(BERT) as bert:
            anna.book[bert.id], bert.book[anna.id] = bert.at, anna.at
            anna.network.connect(bert.id)
            bert.network.connect(anna.id)
            await anna.ear.connected.get()
            await bert.ear.connected.get()
            anna.network.send(bert.id, Acknowledgement(epoch=1, through=1))
            bert.network.send(anna.id, Acknowledgement(epoch=1, through=2))
            assert await bert.ear.frames.get() == Acknowledgement(epoch=1, through=1)
            assert await anna.ear.frames.get() == Acknowledgement(epoch=1, through=2)

    play(test)


def test_a_large_body_is_in_memory_once_on_each_side() -> None:
    async def test() -> None:
        async with Node(ANNA, limits=LIMITS) as anna, Node(BERT, limits=LIMITS) as bert:
            await meet(anna, bert)
            size = LIMITS.message_bytes_max
            message = Message(message_id=b"i" * 16, topic="file", body=bytes(size))
            tracemalloc.start()
            anna.network.send(bert.id, Data(epoch=1, sequence=1, acknowledged=0, message=message))
            heard = await bert.ear.frames.get()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert isinstance(heard, Data)
            assert len(heard.message.body) == size
            assert peak < size * 1.3  # what was received, and a few chunks on the way

    play(test)


# From here on: whole session machines over TLS with their numbers in SQLite, as processes of their own.

TABLES = """
create table if not exists outbox (sequence integer primary key, message blob);
create table if not exists handled (number integer primary key, sender blob, body blob);
create table if not exists session (id integer primary key check (id = 1), epoch, acknowledged, heard_epoch, committed);
create table if not exists asked (count integer);
insert or ignore into session values (1, 0, 0, 0, 0);
"""


class Settings(msgspec.Struct):
    trust: Trust
    chain: tuple[bytes, ...]
    key: bytes
    database: str
    port: int
    peer: bytes
    peer_port: int
    count: int


class Owner:
    """The least that owns a session machine: one SQLite transaction for each event, effects after it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.disk = sqlite3.connect(settings.database, isolation_level=None)
        self.disk.execute("pragma synchronous = off")  # what is killed here is the process, not the machine
        self.disk.executescript(TABLES)
        who = TlsIdentity(trust=settings.trust, chain=settings.chain, private_key_pem=settings.key)
        around = Surroundings(endpoints=lambda _: [("127.0.0.1", settings.peer_port)], now_ms=now_ms, revoked=frozenset)
        self.network = TlsNetwork(who, self, around)
        self.state = machine.restore([self.kept()])
        self.told: list[str] = []

    def kept(self) -> net.Kept:
        epoch, acknowledged, heard_epoch, committed = self.disk.execute(
            "select epoch, acknowledged, heard_epoch, committed from session"
        ).fetchone()
        rows = self.disk.execute("select message from outbox order by sequence").fetchall()
        return net.Kept(
            peer=self.settings.peer,
            epoch=epoch,
            acknowledged=acknowledged,
            outbox=tuple(msgspec.msgpack.decode(row[0], type=Message) for row in rows),
            heard_epoch=heard_epoch,
            committed=committed,
        )

    def turn(self, event: net.Event) -> None:
        self.state, effects = machine.step(self.state, event)
        last: net.DeliverMessage | None = None
        self.disk.execute("begin")
        for effect in effects:
            self.keep(effect)
            last = effect if isinstance(effect, net.DeliverMessage) else last
        if isinstance(event, net.AskedSend):
            self.disk.execute("insert into asked values (1)")
        self.disk.execute("commit")
        for effect in effects:
            match effect:
                case net.SendFrame(peer=peer, frame=frame):
                    self.network.send(peer, frame)
                case net.Connect(peer=peer):
                    self.network.connect(peer)
                case net.Close(peer=peer, code=code, reason=reason):
                    self.network.close(peer, code, reason)
                case net.Tell(code=code):
                    self.told.append(code)
        if last is not None:
            print("handled", last.sequence, flush=True)
            self.turn(net.SawCommitted(peer=last.peer, epoch=last.epoch, sequence=last.sequence, at_ms=now_ms()))

    def keep(self, effect: net.Effect) -> None:
        match effect:
            case net.StoreMessage(epoch=epoch, sequence=sequence, message=message):
                self.disk.execute("insert into outbox values (?, ?)", (sequence, msgspec.msgpack.encode(message)))
                self.disk.execute("update session set epoch = ?", (epoch,))
            case net.DropMessages(through=through):
                self.disk.execute("delete from outbox where sequence <= ?", (through,))
                self.disk.execute("update session set acknowledged = ?", (through,))
            case net.DeliverMessage(epoch=epoch, sequence=sequence, message=message):
                self.disk.execute("insert into handled values (null, ?, ?)", (effect.peer, message.body))
                self.disk.execute("update session set heard_epoch = ?, committed = ?", (epoch, sequence))

    async def on_frame(self, peer: bytes, frame: SessionFrame) -> None:
        self.turn(net.HeardFrame(peer=peer, frame=frame, at_ms=now_ms()))

    def on_connected(self, peer: bytes) -> None:
        self.turn(net.SawConnected(peer=peer, at_ms=now_ms()))

    def on_disconnected(self, peer: bytes) -> None:
        self.turn(net.SawDisconnected(peer=peer, at_ms=now_ms()))

    def on_trouble(self, trouble: Trouble) -> None:
        self.told.append(trouble.code)

    async def live(self) -> None:
        await self.network.start("127.0.0.1", self.settings.port)
        asked = self.disk.execute("select count(*) from asked").fetchone()[0]
        for number in range(asked, self.settings.count):
            message = Message(message_id=number.to_bytes(16, "big"), topic="count", body=b"%d" % number)
            self.turn(net.AskedSend(peer=self.settings.peer, message=message, at_ms=now_ms()))
            await asyncio.sleep(0)
        while True:
            self.turn(net.Ticked(at_ms=now_ms()))
            await asyncio.sleep(0.02)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_a_peer_that_floods_a_session_is_closed_and_told(tmp_path: Path) -> None:
    async def test() -> None:
        settings = Settings(
            trust=ANNA.trust, chain=ANNA.chain, key=ANNA.private_key_pem, database=str(tmp_path / "anna.db"), port=0,
            peer=id_of(BERT), peer_port=1, count=0,
        )  # fmt: skip
        owner = Owner(settings)
        at = await owner.network.start("127.0.0.1", 0)
        raw = Raw(*await asyncio.open_connection(*at, ssl=client_context(BERT)))
        raw.says(Greeting(version=VERSION, network="demo"))
        raw.says(*[Acknowledgement(epoch=1, through=0)] * (LIMITS.useless_frames_per_second_max * 4))
        assert b"session.flood" in await raw.ends()
        assert "session.flood" in owner.told
        await owner.network.stop()

    play(test)


def free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


@contextlib.contextmanager
def two_firms(folder: Path, count: int) -> Iterator[list[Path]]:
    ports = free_ports()
    files = []
    for n, (me, peer) in enumerate([(ANNA, BERT), (BERT, ANNA)]):
        settings = Settings(
            trust=me.trust, chain=me.chain, key=me.private_key_pem, database=str(folder / f"{n}.db"), port=ports[n],
            peer=id_of(peer), peer_port=ports[1 - n], count=count,
        )  # fmt: skip
        files.append(folder / f"{n}.settings")
        files[-1].write_bytes(msgspec.msgpack.encode(settings))
    yield files


async def begins(settings: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, __file__, str(settings), stdout=asyncio.subprocess.PIPE, stderr=sys.stderr
    )


async def handles(process: asyncio.subprocess.Process, until: int, *, frames: int = 10**9) -> None:
    """Wait until the process has handled message `until`, or `frames` deliveries since now."""
    assert process.stdout is not None
    for _ in range(frames):
        line = await process.stdout.readline()
        if not line or int(line.split()[1]) >= until:
            return


def test_killed_processes_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    count = 400

    async def test() -> None:
        with two_firms(tmp_path, count) as files:
            processes = [await begins(file) for file in files]
            try:
                for victim in (0, 1, 1, 0):
                    await handles(processes[1 - victim], count - 100, frames=40)
                    processes[victim].send_signal(signal.SIGKILL)
                    await processes[victim].wait()
                    processes[victim] = await begins(files[victim])
                await asyncio.gather(*(handles(process, count) for process in processes))
            finally:
                for process in processes:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()

    play(test)
    for n in range(2):
        with contextlib.closing(sqlite3.connect(tmp_path / f"{n}.db")) as disk:
            handled = [int(row[0]) for row in disk.execute("select body from handled order by number")]
            assert handled == list(range(count))


if __name__ == "__main__":
    asyncio.run(Owner(msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Settings)).live())
