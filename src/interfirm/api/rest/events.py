"""What contracts do, as a stream to follow: server-sent events that begin after any entry of the node's log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from starlette.responses import Response, StreamingResponse

from interfirm.api.feed import Feed
from interfirm.api.rest.endpoints import Asked, Endpoint, Parameter, Returned
from interfirm.api.rest.schemas import Schema, closed, reference, text
from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.node.access.types import Caller

if TYPE_CHECKING:
    from interfirm.api.rest.door import Door

HEARTBEAT_S = 15
"""Silence after which a line without meaning is sent, so that proxies keep the connection."""
PAGE = 100
STREAM = "text/event-stream"
OPERATION = "changes.list"
_log = structlog.get_logger("interfirm.http")
_NUMBER = "^[0-9]{1,18}$"
_AFTER = (
    Parameter("Last-Event-ID", text(_NUMBER, chars_max=18), "The `id` of the last event that was read.", "header"),
    Parameter("after", {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
              "The same, for who sets no headers; without either, what happens from now on."),
    Parameter("follow", {"type": "boolean"}, "`false` ends the stream with what has happened so far."),
)  # fmt: skip
_NAMED: dict[str, Schema] = {"ref": reference("Ref"), "template": text()}
_MOVED = {"arrived": reference("Ref"), "from": text(), "to": text()}
CHANGE: Schema = closed({
    "number": {"type": "integer"}, "at": reference("Instant"), "transaction": reference("Hash"),
    "made": {"type": "array", "items": closed(_NAMED)},
    "ended": {"type": "array", "items": closed({**_NAMED, "choice": text(about="The choice that ended it.")})},
    "moved": {"type": "array", "items": closed({**_NAMED, **_MOVED}, about="`arrived` is its ref at the notary `to`.")},
}, about="What a transaction made and ended, or a move moved, of the contracts that the caller may read.")  # fmt: skip


class Streams:
    """The streams that are open, on one feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._open = 0

    def endpoint(self) -> Endpoint:
        """`GET /v1/events`."""
        return Endpoint(
            name="events", method="GET", path="/v1/events", tag="events", handle=self._follow, parameters=_AFTER,
            about="Follow what contracts do, as server-sent events: `change`, and `end` with the reason.",
            returned={200: Returned("Events named `change`, with their numbers as `id`.", media_type=STREAM)},
        )  # fmt: skip

    async def _follow(self, door: Door, asked: Asked) -> Response:
        check(self._open < LIMITS.http_streams_count_max, "http.crowded", "too many programs follow this node",
              count_max=LIMITS.http_streams_count_max)  # fmt: skip
        last = (await _page(door, asked.caller, -1))["last"]
        given = asked.request.headers.get("last-event-id", asked.query.get("after"))
        events = self._events(door, asked, last if given is None else int(given))
        return StreamingResponse(events, headers={"X-Accel-Buffering": "no"}, media_type=STREAM)

    async def _events(self, door: Door, asked: Asked, after: int) -> AsyncIterator[bytes]:
        self._open += 1
        ending = _Ending()
        stop = door.port.watch(asked.request.headers, ending.end)
        try:
            yield b"retry: 2000\n\n"
            while True:
                ending.check()
                moved = self._feed.next()
                page = await _page(door, _again(door, asked), after)
                for part in _written(page, after):
                    yield part
                if page["last"] > after:
                    after = page["last"]
                    continue
                if asked.query.get("follow") is False:
                    return
                async for beat in _until(moved, ending.ended):
                    yield beat
        except Refusal as refusal:
            _log.info("http.stream-ended", caller=asked.caller.name, code=refusal.code)
            yield b"event: end\ndata: %s\n\n" % msgspec.json.encode(refusal.as_plain())
        finally:
            stop()
            self._open -= 1


class _Ending:
    """Whether a stream's caller still is who they were."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self._refusal: Refusal | None = None

    def end(self, refusal: Refusal) -> None:
        """They are not."""
        self._refusal = refusal
        self.ended.set()

    def check(self) -> None:
        """Raise why they are not."""
        if self._refusal is not None:
            raise self._refusal


def _again(door: Door, asked: Asked) -> Caller:
    """Who asks, as it is now: a token may have ended, or roles changed, while the stream was open."""
    return door.port.caller(asked.request.headers)


async def _page(door: Door, caller: Caller, after: int) -> dict[str, Any]:
    found = await door.port.ask(caller, OPERATION, {"after": after, "limit": PAGE})
    assert isinstance(found, dict)
    return found


def _written(page: dict[str, Any], after: int) -> list[bytes]:
    """A page as events; the number is sent also where everything was for others, so that nobody reads it again."""
    found = [
        b"id: %d\nevent: change\ndata: %s\n\n" % (each["number"], msgspec.json.encode(each))
        for each in page["changes"]
    ]  # fmt: skip
    if page["last"] > after and (not page["changes"] or page["changes"][-1]["number"] < page["last"]):
        found.append(b"id: %d\n\n" % page["last"])
    return found


async def _until(*events: asyncio.Event) -> AsyncIterator[bytes]:
    """Wait until one of these has happened, with a heartbeat meanwhile; the database is not asked."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        while not (await asyncio.wait(waits, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED))[0]:
            yield b":\n\n"
    finally:
        for wait in waits:
            wait.cancel()
