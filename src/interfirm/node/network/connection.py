"""One connection over asyncio streams: frames in and out, backpressure both ways, heartbeats, and giving up."""

from __future__ import annotations

import asyncio
import io
from collections import deque
from collections.abc import Awaitable, Callable

from interfirm.base.errors import Refusal
from interfirm.base.limits import Limits
from interfirm.node.network.frames import (
    LENGTHS,
    VERSION,
    Bye,
    Frame,
    Greeting,
    Ping,
    SessionFrame,
    pack,
    unpack,
    unpack_lengths,
)

_FAREWELL_SECONDS = 2.0


class Connection:
    """Carries frames with one verified peer until either side ends it.

    A body is read and written in chunks, so that it exists once however large it is. A side that moves no chunk for
    `stall_ms_max`, or lets more than `send_queue_count_max` frames wait, is given up.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        limits: Limits,
        dialled: bool,
    ) -> None:
        self.dialled = dialled
        self.host = str((writer.get_extra_info("peername") or ("",))[0])
        self._reader, self._writer, self._limits = reader, writer, limits
        self._queue: deque[Frame] = deque()
        self._queued = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._heard_at: float | None = self._loop.time()
        self._written_at = self._loop.time()
        self._in_body = False
        self.ended: Refusal | None = None
        writer.transport.set_write_buffer_limits(high=2 * limits.frame_chunk_bytes)

    async def greet(self, network: str) -> None:
        """Tell who we think we are among, hear the same; Refusal `network.version` or `network.other` otherwise."""
        self._writer.write(_bytes(Greeting(version=VERSION, network=network)))
        frame = await self._read()
        if isinstance(frame, Bye):
            raise Refusal("network.refused", f"the peer refuses this node: {frame.reason}", peer_code=frame.code)
        if not isinstance(frame, Greeting) or frame.version != VERSION:
            raise Refusal("network.version", "the peer speaks another version", version=VERSION)
        if frame.network != network:
            raise Refusal("network.other", "the peer is in another network", network=frame.network)

    async def run(self, on_frame: Callable[[SessionFrame], Awaitable[None]], still: Callable[[], object]) -> None:
        """Carry frames until the connection ends, then raise why, as a Refusal.

        `still` raises a Refusal when the peer is no longer to be trusted; it is asked with each heartbeat.
        """
        tasks = [
            self._loop.create_task(self._read_all(on_frame)),
            self._loop.create_task(self._write_all()),
            self._loop.create_task(self._watch(still)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except (OSError, EOFError) as error:
            raise self.ended or Refusal("network.lost", "the connection is gone", cause=type(error).__name__) from error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def send(self, frame: Frame) -> None:
        """Let `frame` go out after those before it; a peer that takes none is given up."""
        if len(self._queue) >= self._limits.send_queue_count_max:
            self.close(Refusal("network.stalled", "too many frames wait for the peer"), farewell=False)
            return
        self._queue.append(frame)
        self._queued.set()

    def close(self, why: Refusal, *, farewell: bool = True) -> None:
        """End the connection; say why unless the peer does not listen anyway."""
        if self.ended is not None:
            return
        self.ended = why
        if farewell and not self._in_body:
            self._writer.write(_bytes(Bye(code=why.code[:256], reason=why.message[:256])))
        self._writer.close()
        # a peer that does not take the farewell cannot hold the connection open
        self._loop.call_later(_FAREWELL_SECONDS if farewell else 0, self._writer.transport.abort)

    async def _read_all(self, on_frame: Callable[[SessionFrame], Awaitable[None]]) -> None:
        while True:
            frame = await self._read()
            if isinstance(frame, Ping):
                continue
            if isinstance(frame, Bye):
                raise Refusal("network.farewell", f"the peer closed: {frame.reason}", peer_code=frame.code)
            if isinstance(frame, Greeting):
                raise Refusal("frame.malformed", "a greeting comes first and once")
            self._heard_at = None  # now it is us who are slow
            await on_frame(frame)
            self._heard_at = self._loop.time()

    async def _read(self) -> Frame:
        head_bytes, body_bytes = unpack_lengths(await self._reader.readexactly(LENGTHS.size))
        if body_bytes <= self._limits.frame_chunk_bytes:
            both = await self._reader.readexactly(head_bytes + body_bytes)
            head, body = both[:head_bytes], both[head_bytes:]
        else:
            head = await self._reader.readexactly(head_bytes)
            body = await self._read_body(body_bytes)
        self._heard_at = self._loop.time()
        return unpack(head, body)

    async def _read_body(self, size: int) -> bytes:
        step = self._limits.frame_chunk_bytes
        buffer = io.BytesIO()  # grows in place and gives its bytes away without a copy
        while left := size - buffer.tell():
            buffer.write(await self._reader.readexactly(min(left, step)))
            self._heard_at = self._loop.time()
        return buffer.getvalue()

    async def _write_all(self) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue:
                await self._write_some()

    async def _write_some(self) -> None:
        """Small frames together in one write, a large body in chunks."""
        step, parts, size, body = self._limits.frame_chunk_bytes, list[bytes](), 0, b""
        while self._queue and size < step:
            head, body = pack(self._queue.popleft())
            parts += [LENGTHS.pack(len(head), len(body)), head]
            size += len(head) + len(body)
            if len(body) <= step:
                parts.append(body)
        self._writer.write(b"".join(parts))
        if len(body) > step:
            await self._write_chunks(memoryview(body))
        await self._drained()

    async def _write_chunks(self, body: memoryview) -> None:
        step = self._limits.frame_chunk_bytes
        self._in_body = True
        for start in range(0, len(body), step):
            await self._drained()
            self._writer.write(body[start : start + step])
        self._in_body = False

    async def _drained(self) -> None:
        await self._writer.drain()
        self._written_at = self._loop.time()

    async def _watch(self, still: Callable[[], object]) -> None:
        stall, beat = self._limits.stall_ms_max / 1000, self._limits.heartbeat_ms / 1000
        while True:
            await asyncio.sleep(min(beat, stall) / 2)
            still()
            now = self._loop.time()
            if self._heard_at is not None and now - self._heard_at > stall:
                raise Refusal("network.stalled", "the peer is silent", stall_ms=self._limits.stall_ms_max)
            if now - self._written_at > stall:
                raise Refusal("network.stalled", "the peer takes nothing", stall_ms=self._limits.stall_ms_max)
            if now - self._written_at > beat and not self._queue:
                self.send(Ping())


def _bytes(frame: Frame) -> bytes:
    head, body = pack(frame)
    return LENGTHS.pack(len(head), len(body)) + head + body
