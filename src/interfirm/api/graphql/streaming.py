"""Streams over a WebSocket (sub-protocol graphql-transport-ws), pushed by commits.

A stream is its query, answered again for what came after its cursor whenever a commit brought contracts of its
template; while nothing changes, nothing is asked of the database. Who follows is recognised when it begins, and watched
from then on: when a token or session ends, or its person leaves or has other roles, the socket is closed with the
reason. A client that reconnects with its last cursor misses nothing and sees nothing twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from graphql import OperationType
from starlette.websockets import WebSocket, WebSocketDisconnect

from interfirm.api.graphql.execution import FAULT, Asked, Executor, asked_of, refused
from interfirm.api.graphql.rounds import Round
from interfirm.api.rest.reading import json_of
from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.node.access.standing import CHANGED
from interfirm.node.access.types import Caller

PROTOCOL = "graphql-transport-ws"
INIT_MS_MAX = 10_000
BAD_REQUEST, UNAUTHORISED, FORBIDDEN, INIT_TIMEOUT, ALREADY, TOO_MANY, FAILED = 4400, 4401, 4403, 4408, 4409, 4429, 4500
_log = structlog.get_logger("interfirm.graphql")


class Streams:
    """All streams of one node; see the module."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._waiting: set[Waiter] = set()
        self._stop: Any = None
        self._round: Round | None = None

    async def serve(self, socket: WebSocket) -> None:
        """Talk to one client until it leaves."""
        if PROTOCOL not in socket.scope.get("subprotocols", ()):
            await socket.close(BAD_REQUEST)
            return
        await socket.accept(PROTOCOL)
        talk = Talk(self, self._executor, socket)
        try:
            await talk.run()
        except WebSocketDisconnect:
            return
        except Closing as closing:
            await _close(socket, closing.code, closing.reason)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if talk.ended is None or task is None or task.uncancel():
                raise
            code = FORBIDDEN if talk.ended.code == CHANGED.code else UNAUTHORISED
            await _close(socket, code, f"{talk.ended.code}: {talk.ended.message}")
        except Exception:
            _log.exception("graphql.fault")
            await _close(socket, FAILED, FAULT.message)
        finally:
            await talk.end()

    @contextlib.contextmanager
    def wait(self, template: str) -> Any:
        """A `Waiter` for changes of a template (empty: of any); the node is listened to as long as anybody waits."""
        open_max = LIMITS.graphql_subscriptions_count_max
        check(len(self._waiting) < open_max, "graphql.streams", "too many streams are open", streams_max=open_max)
        if not self._waiting:
            self._stop = self._executor.port.changes(self._changed)
        waiter = Waiter(template)
        self._waiting.add(waiter)
        try:
            yield waiter
        finally:
            self._waiting.discard(waiter)
            if not self._waiting:
                self._stop()

    def round(self) -> Round:
        """What streams have found out since the last commit, or a moment ago: on a slow machine they still share."""
        if self._round is None or self._round.is_over:
            self._round = Round(self._executor, shared=True)
        return self._round

    def _changed(self, templates: frozenset[str]) -> None:
        self._round = None
        for waiter in self._waiting:
            if not waiter.template or waiter.template in templates:
                waiter.changed.set()


class Waiter:
    """Somebody who waits for changes of a template."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.changed = asyncio.Event()


class Closing(Exception):  # noqa: N818 - a way to say how a conversation ends
    """The socket is closed with a code of the protocol."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Talk:
    """One client's conversation."""

    def __init__(self, streams: Streams, executor: Executor, socket: WebSocket) -> None:
        self._streams, self._executor, self._socket = streams, executor, socket
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._headers: dict[str, str] = {}
        self._ready = False
        self._stop: Callable[[], None] | None = None
        self._listening: asyncio.Task[Any] | None = None
        self.ended: Refusal | None = None
        """Why the client is not any more who it was."""

    async def run(self) -> None:
        """Hear messages until the client leaves; cancelled when it is not any more who it was."""
        self._listening = asyncio.current_task()
        while True:
            try:
                async with asyncio.timeout(None if self._ready else INIT_MS_MAX / 1000):
                    text = await self._socket.receive_text()
            except TimeoutError as error:
                raise Closing(INIT_TIMEOUT, "Connection initialisation timeout") from error
            except KeyError as error:
                raise Closing(BAD_REQUEST, "messages are text") from error
            await self._hear(_message(text))

    async def end(self) -> None:
        """Stop everything that the client followed."""
        if self._stop is not None:
            self._stop()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _hear(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "connection_init":
                await self._init(message)
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                return
            case "subscribe":
                self._subscribe(message)
            case "complete" if isinstance(message.get("id"), str):
                task = self._tasks.pop(message["id"], None)
                if task is not None:
                    task.cancel()
            case _:
                raise Closing(BAD_REQUEST, "Invalid message")

    async def _init(self, message: dict[str, Any]) -> None:
        """Recognise the client, by headers or by what a browser can only send as payload."""
        if self._ready:
            raise Closing(TOO_MANY, "Too many initialisation requests")
        payload = message.get("payload") or {}
        self._headers = dict(self._socket.headers)
        given = payload.get("Authorization", payload.get("authorization")) if isinstance(payload, dict) else None
        if isinstance(given, str):
            self._headers["authorization"] = given
        try:
            if self._caller().door == "session":
                self._check_origin()
            self._stop = self._executor.port.watch(self._headers, self._end)
        except Refusal as refusal:
            raise Closing(FORBIDDEN, "Forbidden") from refusal
        self._ready = True
        await self._send({"type": "connection_ack"})

    def _end(self, refusal: Refusal) -> None:
        """What the client showed holds no longer, or other roles do."""
        self.ended = refusal
        if self._listening is not None:
            self._listening.cancel()

    def _caller(self) -> Caller:
        return self._executor.port.caller(self._headers)

    def _check_origin(self) -> None:
        origin = self._headers.get("origin")
        own = origin is not None and urlsplit(origin).netloc == self._headers.get("host")
        check(own, "http.origin", "a session is used by pages of this node only")

    def _subscribe(self, message: dict[str, Any]) -> None:
        name = message.get("id")
        if not self._ready:
            raise Closing(UNAUTHORISED, "Unauthorized")
        if not isinstance(name, str) or not 0 < len(name) <= 100:
            raise Closing(BAD_REQUEST, "Invalid message")
        if name in self._tasks:
            raise Closing(ALREADY, f"Subscriber for {name} already exists")
        if len(self._tasks) >= LIMITS.graphql_operations_count_max:
            raise Closing(TOO_MANY, "Too many subscriptions")
        self._tasks[name] = asyncio.create_task(self._follow(name, message.get("payload")))

    async def _follow(self, name: str, payload: Any) -> None:
        """Send what one operation answers, until it ends or the client completes it."""
        try:
            async for answer in self._answers(asked_of(payload)):
                await self._send({"type": "next", "id": name, "payload": answer})
            if self.ended is None:
                await self._send({"type": "complete", "id": name})
        except Refusal as refusal:
            await self._send({"type": "error", "id": name, "payload": refused(refusal)["errors"]})
        except (WebSocketDisconnect, RuntimeError):
            return  # the client is gone; `run` hears of it, too
        except Exception:
            _log.exception("graphql.fault")
            await self._send({"type": "error", "id": name, "payload": refused(FAULT)["errors"]})
        finally:
            if self._tasks.get(name) is asyncio.current_task():
                del self._tasks[name]

    async def _answers(self, asked: Asked) -> AsyncIterator[Any]:
        caller = self._caller()
        prepared = self._executor.prepare(caller, asked)
        if prepared.kind is not OperationType.SUBSCRIPTION:
            yield await self._executor.answer(caller, asked)
            return
        with self._streams.wait(prepared.template()) as waiter:
            async for answer in self._arrivals(caller, asked, waiter):
                yield answer

    async def _arrivals(self, caller: Caller, asked: Asked, waiter: Waiter) -> AsyncIterator[msgspec.Raw]:
        """What came since the cursor, batch by batch; then wait for more."""
        at, cursor, first = Round(self._executor, shared=False), None, True
        while self.ended is None:
            waiter.changed.clear()
            batch = at.batch(caller, asked, cursor)
            cursor = batch.cursor
            if batch.found or batch.failed or first:
                yield batch.payload
            if batch.failed:
                return
            first = False
            if not batch.full:
                await waiter.changed.wait()
            at = self._streams.round()

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send_text(msgspec.json.encode(message).decode())


def _message(text: str) -> dict[str, Any]:
    try:
        check(len(text) <= LIMITS.http_body_bytes_max, "http.size", "the message is too large")
        message = json_of(text.encode(), at="")
    except Refusal as refusal:
        raise Closing(BAD_REQUEST, "Invalid message") from refusal
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Closing(BAD_REQUEST, "Invalid message")
    return message


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    with contextlib.suppress(RuntimeError):  # the client closed it first
        await socket.close(code, reason[:120])
