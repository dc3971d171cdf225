from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.node.control import sockets
from interfirm.node.control.client import ControlClient
from interfirm.node.control.lock import DirectoryLock
from interfirm.node.control.server import Answer, ControlServer


class Desk:
    """A handler with one request of each kind."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.forever = asyncio.Event()

    async def handle(self, name: str, args: dict[str, Any]) -> Answer:
        match name:
            case "echo":
                return args
            case "count":
                return self.count(args["to"])
            case "refuse":
                raise Refusal("notary.consumed", "this was spent before", ref=b"\x01\x02", index=3)
            case "refuse-late":
                return self.count(2, refuse=True)
            case "wait":
                return self.wait()
            case "large":
                return {"text": "x" * LIMITS.control_message_bytes_max}
        raise ZeroDivisionError("a bug")

    async def count(self, to: int, *, refuse: bool = False) -> AsyncIterator[dict[str, Any]]:
        for number in range(1, to + 1):
            yield {"number": number}
        if refuse:
            raise Refusal("flow.failed", "not after all")

    async def wait(self) -> AsyncIterator[dict[str, Any]]:
        try:
            yield {"waiting": True}
            await self.forever.wait()
        finally:
            self.left.set()


Test = Callable[[Desk, ControlClient, ControlServer], Awaitable[None]]


def play(path: Path, test: Test) -> None:
    async def main() -> None:
        desk = Desk()
        server = ControlServer(path, desk.handle)
        await server.start()
        try:
            async with asyncio.timeout(20):
                await test(desk, ControlClient(path), server)
        finally:
            await server.stop()

    asyncio.run(main())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def test_a_call_brings_its_answer(path: Path) -> None:
    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        assert await client.call("echo", {"text": "Zoë", "list": [1, None, True]}) == {
            "text": "Zoë",
            "list": [1, None, True],
        }
        assert await client.call("echo") == {}

    play(path, test)


def test_a_stream_brings_its_parts_in_order_and_a_call_the_last(path: Path) -> None:
    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        assert [part["number"] async for part in client.stream("count", {"to": 300})] == list(range(1, 301))
        assert await client.call("count", {"to": 3}) == {"number": 3}
        assert await client.call("count", {"to": 0}) == {}
        assert [part async for part in client.stream("echo", {"one": 1})] == [{"one": 1}]

    play(path, test)


def test_a_refusal_crosses_with_code_reason_and_values(path: Path) -> None:
    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        with pytest.raises(Refusal) as caught:
            await client.call("refuse")
        refusal = caught.value
        assert (refusal.code, refusal.message) == ("notary.consumed", "this was spent before")
        assert refusal.values == {"ref": "0102", "index": 3}
        stream = client.stream("refuse-late")
        assert [await anext(stream), await anext(stream)] == [{"number": 1}, {"number": 2}]
        with pytest.raises(Refusal, match=r"flow\.failed"):
            await anext(stream)

    play(path, test)


def test_a_fault_of_the_node_is_told_and_does_not_stop_it(path: Path) -> None:
    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        with pytest.raises(Refusal, match=r"node\.fault.*ZeroDivisionError"):
            await client.call("bug")
        assert await client.call("echo", {"still": "here"}) == {"still": "here"}

    play(path, test)


def test_a_program_that_goes_away_ends_its_stream(path: Path) -> None:
    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        stream = client.stream("wait")
        assert await anext(stream) == {"waiting": True}
        await stream.aclose()
        await desk.left.wait()

    play(path, test)


def test_a_node_that_stops_ends_its_answers(path: Path) -> None:
    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        stream = client.stream("wait")
        await anext(stream)
        await server.stop()
        assert desk.left.is_set()
        with pytest.raises(Refusal, match=r"node\.gone"):
            await anext(stream)
        with pytest.raises(Refusal, match=r"node\.not-running"):
            await client.call("echo")

    play(path, test)


def test_many_programs_are_answered_side_by_side(path: Path) -> None:
    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        waiting = client.stream("wait")
        await anext(waiting)
        answers = await asyncio.gather(*(client.call("echo", {"n": n}) for n in range(30)))
        assert answers == [{"n": n} for n in range(30)]
        desk.forever.set()
        assert [part async for part in waiting] == []

    play(path, test)


def test_too_many_programs_are_refused(path: Path) -> None:
    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        streams = [client.stream("wait") for _ in range(LIMITS.control_connections_count_max - 1)]
        for stream in streams:
            await anext(stream)
        with pytest.raises(Refusal, match=r"control\.crowded"):
            await client.call("echo")
        desk.forever.set()
        for stream in streams:
            assert [part async for part in stream] == []

    play(path, test)


def test_messages_beyond_the_limit_are_refused_on_both_ends(path: Path) -> None:
    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        with pytest.raises(Refusal, match=r"control\.size"):
            await client.call("echo", {"text": "x" * LIMITS.control_message_bytes_max})
        with pytest.raises(Refusal, match=r"control\.size"):
            await client.call("large")

    play(path, test)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"\xff\xff\xff\xff", b"control.size"),
        (b"\x00\x00\x00\x02{]", b"control.malformed"),
        (b'\x00\x00\x00\x0d{"args": "no"}', b"control.malformed"),
        (b"\x00\x00\x00\x02{}", b"control.malformed"),
        (b"\x00\x00\x00\x04\xff\xff\xff\xff", b"control.malformed"),
        (b"", b""),
        (b"\x00\x00\x00\x09half", b""),
    ],
)
def test_garbage_is_refused_and_does_not_stop_the_node(path: Path, said: bytes, code: bytes) -> None:
    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(said)
        writer.write_eof()
        assert code in await reader.read()
        writer.close()
        assert await client.call("echo", {"still": "here"}) == {"still": "here"}

    play(path, test)


def test_the_socket_is_for_its_owner_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        assert path.stat().st_mode & 0o777 == 0o600
        monkeypatch.setattr(os, "geteuid", lambda: 12_345)
        with pytest.raises(Refusal, match=r"control\.user"):
            await client.call("echo")

    play(path, test)
    assert not path.exists()


def test_nobody_at_the_path_is_told(path: Path) -> None:
    async def main() -> None:
        with pytest.raises(Refusal, match=r"node\.not-running"):
            await ControlClient(path).call("echo")
        path.write_text("not a socket")
        with pytest.raises(Refusal, match=r"node\.not-running"):
            await ControlClient(path).call("echo")

    asyncio.run(main())


def test_a_second_server_is_refused_while_the_first_lives(path: Path) -> None:
    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        with pytest.raises(Refusal, match=r"node\.already-running"):
            await ControlServer(path, desk.handle).start()
        assert await client.call("echo", {"still": "here"}) == {"still": "here"}

    play(path, test)


def test_a_socket_left_by_a_killed_node_is_replaced(path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()

    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        assert await client.call("echo", {"new": 1}) == {"new": 1}

    play(path, test)


def test_a_path_too_long_for_a_socket_works(tmp_path: Path) -> None:
    folder = tmp_path / ("f" * 100) / ("g" * 100)
    folder.mkdir(parents=True)

    async def test(desk: Desk, client: ControlClient, server: ControlServer) -> None:
        assert await client.call("echo", {"far": "away"}) == {"far": "away"}
        with pytest.raises(Refusal, match=r"node\.already-running"):
            await ControlServer(folder / "control.sock", desk.handle).start()

    play(folder / "control.sock", test)


def test_a_path_too_long_is_refused_where_descriptors_have_no_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_dir", lambda _: False)
    with pytest.raises(Refusal, match=r"node\.socket-path"):
        sockets.listening(tmp_path / ("f" * 120))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"node\.socket"):
        sockets.listening(tmp_path / "nowhere" / "control.sock")
    with pytest.raises(Refusal, match=r"node\.directory"):
        DirectoryLock(tmp_path / "nowhere").acquire()


def test_one_directory_is_held_by_one_lock(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path) as first:
        with pytest.raises(Refusal) as caught:
            DirectoryLock(tmp_path).acquire()
        assert caught.value.code == "node.already-running"
        assert caught.value.values["process"] == str(os.getpid())
        assert first.path.stat().st_mode & 0o777 == 0o600
    with DirectoryLock(tmp_path):
        pass


HOLDER = """
import sys, pathlib
from interfirm.node.control.lock import DirectoryLock
DirectoryLock(pathlib.Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_gives_its_directory_back(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(Refusal, match=r"node\.already-running") as caught:
            DirectoryLock(tmp_path).acquire()
        assert caught.value.values["process"] == str(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with contextlib.ExitStack() as stack:
            stack.enter_context(DirectoryLock(tmp_path))
