"""A flow in memory: its code, where it stands, and its place in the journal."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.node.flows.context import Context
from interfirm.node.flows.types import AskNotary, AskPerson, Awaited, Receive, Sleep
from interfirm.node.flows.waiting import Wait
from interfirm.node.vault.types import FlowRecord

FlowCode = Callable[[Context, bytes], Coroutine[Any, Any, Any]]
"""An `async def` of (context, encoded arguments) whose result msgpack can carry."""


class Opened(msgspec.Struct, frozen=True):
    """The arguments of a flow that a peer's message opened."""

    peer: bytes
    session: bytes
    body: bytes


class Running:
    """See the module."""

    __slots__ = ("context", "coroutine", "journal", "moved", "place", "record", "talks", "timers", "waiting")

    def __init__(self, record: FlowRecord, code: FlowCode, context: Context) -> None:
        self.record = record
        self.coroutine = code(context, record.arguments)
        self.context = context
        self.journal: list[bytes] = []
        self.place = 0
        self.moved = False
        """Whether it has come further since it was made or rebuilt."""
        self.waiting: Awaited | None = None
        self.talks: dict[bytes, None] = {}
        self.timers: set[str] = set()

    @property
    def item(self) -> str:
        """The inbox item of the question with which the flow would wait for a person here."""
        return f"{self.record.id}-{len(self.journal)}"

    @property
    def is_replaying(self) -> bool:
        """Whether the journal still tells what comes next."""
        return self.place < len(self.journal)

    def check_cancellable(self) -> None:
        """Refuse (`flow.not-safe`) to cancel where that would leave something half done."""
        if not self.context.cancellable:
            raise Refusal("flow.not-safe", "the flow cannot be cancelled at this point", flow=self.record.id)

    def wait(self, name_of: Callable[[bytes], str]) -> Wait:
        """What the flow waits for, as people are told."""
        since_ms = self.record.changed_ms
        match self.waiting:
            case Receive(peer=peer, until_ms=until_ms):
                return Wait(on="peer", who=name_of(peer), since_ms=since_ms, until_ms=until_ms)
            case AskNotary(notary=notary):
                return Wait(on="notary", who=name_of(notary), since_ms=since_ms)
            case AskPerson(kind=kind):
                return Wait(on="person", who=kind, since_ms=since_ms, item=self.item)
            case Sleep(until_ms=until_ms):
                return Wait(on="time", who="", since_ms=since_ms, until_ms=until_ms)
            case _:
                raise AssertionError(self.waiting)
