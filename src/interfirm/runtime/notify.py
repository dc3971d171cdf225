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
from interfirm.base.time import DAY_MS, Instant
from interfirm.base.values import Value
from interfirm.node.access import approvals
from interfirm.node.access.approvals import Pending
from interfirm.node.access.people import Person
from interfirm.node.access.staff import Staff
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import FlowRecord, InboxItem
from interfirm.node.vault.vault import Vault
from interfirm.runtime.logs import log
from interfirm.runtime.watching import is_address

TOLD = "notices-told"
RETRY_S_MIN, RETRY_S_MAX = 5, 600
LOOKED_COUNT_MAX = 1_000
"""Failed flows that are looked at when the node starts."""


_TITLES = {"inbox": "something waits for a person", "failed": "a flow failed",
           "approval": "something waits for approval"}  # fmt: skip
_COMMANDS = {"inbox": "inbox list", "approval": "approvals list"}
MAIL = "mail"
"""The variable of a person that is where mail reaches them."""


class Notice(Value, frozen=True):
    """Something that a person should know."""

    id: str
    event: Literal["inbox", "failed", "approval"]
    firm: str
    about: str
    """The kind of the question, or of the flow; the operation that waits for approvals."""
    subject: str
    """The id of the inbox item, of the flow, or of what waits for approvals."""
    at_ms: int
    to: tuple[str, ...] = ()
    """Addresses of the people who may decide it, beside those of the configuration."""

    @property
    def title(self) -> str:
        """One line for people."""
        return f"{self.firm}: {_TITLES[self.event]} ({self.about})"

    @property
    def text(self) -> str:
        """A few lines for people: what happened, when, and what to type."""
        command = f"flows show {self.subject}" if self.event == "failed" else _COMMANDS[self.event]
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


def of_pending(pending: Pending, people: Sequence[Person], *, firm: str, now_ms: int) -> Notice:
    """The notice that something waits for approvals of these people; another one each day, as a reminder."""
    known = [dict(person.variables).get(MAIL, "") for person in people]
    return Notice(
        id=f"approval-{_safe(pending.id)}-{max(0, now_ms - pending.asked_ms) // DAY_MS}", event="approval", firm=firm,
        about=pending.operation, subject=pending.id, at_ms=pending.asked_ms,
        to=tuple(sorted(address for address in known if is_address(address))),
    )  # fmt: skip


class Notifier:
    """Tells what is to be told in every way there is. Runs on the node's event loop; sending is done in threads."""

    def __init__(
        self, vault: Vault, ways: Sequence[Way], *, firm: str, events: Sequence[str], now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, staff: Staff | None = None,
    ) -> None:  # fmt: skip
        self._vault = vault
        self._staff = Staff(vault) if staff is None else staff
        self._ways: Mapping[str, Way] = {way.name: way for way in ways}
        self._firm = firm
        self._events = frozenset(events)
        self._sleep = sleep
        self._now_ms = now_ms
        self._under_way: dict[bytes, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Tell what waits since before the start and was not told; forget marks of what does not wait any more."""
        if not self._ways:
            return
        with self._vault.read() as turn:
            items, failed = turn.inbox(state="open"), turn.flows(state="failed", limit=LOOKED_COUNT_MAX)
            marks = [key for key, _ in turn.blobs(TOLD, limit=2**31 - 1)]
            waiting = [self._of_pending(turn, each)
                       for each in approvals.page(turn, ended=False, after=None, limit=LOOKED_COUNT_MAX)]  # fmt: skip
        notices = [of_item(each, firm=self._firm) for each in items] + [of_flow(f, firm=self._firm) for f in failed]
        notices += waiting
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

    def approval(self, pending: Pending) -> None:
        """Something waits for approvals; told once a day."""
        if self._ways:
            with self._vault.read() as turn:
                notice = self._of_pending(turn, pending)
            self._put(notice)

    def _of_pending(self, turn: Turn, pending: Pending) -> Notice:
        people = approvals.deciders(turn, pending, self._staff.everybody(turn))
        return of_pending(pending, people, firm=self._firm, now_ms=self._now_ms())

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
