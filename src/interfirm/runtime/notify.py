"""Telling people outside the node that something waits for them: by mail, by webhook.

What is told survives a restart: at the start, and whenever something begins to wait, it is told unless the vault has a
mark that it was; a way that fails is tried again, later and later. So a notice may come twice and is never lost, and it
has an id to know it by. It says what waits and where, and nothing of what contracts hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Literal, Protocol
from urllib.parse import quote

from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.node.vault.types import FlowRecord, InboxItem
from interfirm.node.vault.vault import Vault
from interfirm.runtime.logs import log

TOLD = "notices-told"
RETRY_S_MIN, RETRY_S_MAX = 5, 600
LOOKED_COUNT_MAX = 1_000
"""Failed flows that are looked at when the node starts."""


class Notice(Value, frozen=True):
    """Something that a person should know."""

    id: str
    event: Literal["inbox", "failed"]
    firm: str
    about: str
    """The kind of the question, or of the flow."""
    subject: str
    """The id of the inbox item, or of the flow."""
    at_ms: int

    @property
    def title(self) -> str:
        """One line for people."""
        what = "something waits for a person" if self.event == "inbox" else "a flow failed"
        return f"{self.firm}: {what} ({self.about})"

    @property
    def text(self) -> str:
        """A few lines for people: what happened, when, and what to type."""
        command = "inbox list" if self.event == "inbox" else f"flows show {self.subject}"
        return f"{self.title}\nsince {Instant(self.at_ms)}: {self.subject}\n\ninterfirm --as {self.firm} {command}\n"


class Way(Protocol):
    """A way to tell people, named after its technology."""

    name: str

    def tell(self, notice: Notice) -> None:
        """Tell it now, in a thread of its own; Refusal `notify.*` where that fails."""


def of_item(item: InboxItem, *, firm: str) -> Notice:
    """The notice that an item waits for a person."""
    return Notice(id=f"inbox-{_safe(item.id)}", event="inbox", firm=firm, about=item.kind, subject=item.id,
                  at_ms=item.created_ms)  # fmt: skip


def of_flow(record: FlowRecord, *, firm: str) -> Notice:
    """The notice that a flow failed; another each time that it fails again."""
    return Notice(id=f"failed-{_safe(record.id)}-{record.changed_ms}", event="failed", firm=firm, about=record.kind,
                  subject=record.id, at_ms=record.changed_ms)  # fmt: skip


class Notifier:
    """Tells what is to be told in every way there is. Runs on the node's event loop; sending is done in threads."""

    def __init__(
        self, vault: Vault, ways: Sequence[Way], *, firm: str, events: Sequence[str],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:  # fmt: skip
        self._vault = vault
        self._ways: Mapping[str, Way] = {way.name: way for way in ways}
        self._firm = firm
        self._events = frozenset(events)
        self._sleep = sleep
        self._under_way: dict[bytes, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Tell what waits since before the start and was not told; forget marks of what does not wait any more."""
        if not self._ways:
            return
        with self._vault.read() as turn:
            items, failed = turn.inbox(state="open"), turn.flows(state="failed", limit=LOOKED_COUNT_MAX)
            marks = [key for key, _ in turn.blobs(TOLD, limit=2**31 - 1)]
        notices = [of_item(each, firm=self._firm) for each in items] + [of_flow(f, firm=self._firm) for f in failed]
        known = {_mark(way, notice) for way in self._ways for notice in notices}
        with self._vault.turn() as turn:
            for mark in marks:
                if mark not in known:
                    turn.blob_delete(TOLD, mark)
        for notice in notices:
            self._put(notice)

    def item(self, item: InboxItem) -> None:
        """An item waits for a person."""
        self._put(of_item(item, firm=self._firm))

    def failed(self, record: FlowRecord) -> None:
        """A flow failed."""
        self._put(of_flow(record, firm=self._firm))

    async def stop(self) -> None:
        """Leave what was not told; it is told after the next start."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _put(self, notice: Notice) -> None:
        if notice.event not in self._events:
            return
        for name, way in self._ways.items():
            mark = _mark(name, notice)
            if mark not in self._under_way and not self._was_told(mark):
                task = asyncio.get_running_loop().create_task(self._tell(way, notice, mark))
                self._under_way[mark] = task
                task.add_done_callback(partial(self._ended, mark))

    def _ended(self, mark: bytes, task: asyncio.Task[None]) -> None:
        self._under_way.pop(mark, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("notify.fault", notice=mark.decode(), reason=repr(error))

    def _was_told(self, mark: bytes) -> bool:
        with self._vault.read() as turn:
            return turn.blob_get(TOLD, mark) is not None

    async def _tell(self, way: Way, notice: Notice, mark: bytes) -> None:
        pause_s: float = RETRY_S_MIN
        while True:
            try:
                await asyncio.to_thread(way.tell, notice)
                break
            except Refusal as refusal:
                log.warning("notify.failed", way=way.name, notice=notice.id, **refusal.as_plain())
                if refusal.code == "notify.header":  # it will not become better
                    break
            await self._sleep(pause_s)
            pause_s = min(2 * pause_s, RETRY_S_MAX)
        with self._vault.turn() as turn:
            turn.blob_put(TOLD, mark, b"")


def _safe(name: str) -> str:
    # a client chooses the ids of flows, and a notice's id is a header
    return quote(name, safe="-._~:@+")


def _mark(way: str, notice: Notice) -> bytes:
    return f"{way} {notice.id}".encode()
