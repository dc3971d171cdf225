"""What many streams have in common when a commit wakes them: what may be asked, and the answer.

Everything of a round is found out after the commit before it, and kept for a moment: streams that are alike are
answered once, and nobody is answered by what roles allowed before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from interfirm.api.graphql.execution import Asked, Executor, Prepared
from interfirm.api.graphql.reading import View
from interfirm.base.values import Value
from interfirm.node.access.people import role_of
from interfirm.node.access.types import OWNER_ROLE, Caller

ROUND_S = 1.0
"""How long streams share what was found out; then it is found out anew."""
T = TypeVar("T")


class Batch(Value, frozen=True):
    """An answer of a stream: its JSON, where the stream goes on, whether it has contracts, and as many as it may."""

    payload: msgspec.Raw
    cursor: int | None
    found: bool
    full: bool
    failed: bool


class Round:
    """What was found out since a commit; what is not `shared` is found out anew each time."""

    def __init__(self, executor: Executor, *, shared: bool) -> None:
        self._executor = executor
        self._shared = shared
        self._ends_s = asyncio.get_running_loop().time() + ROUND_S
        self._known: dict[Any, Any] = {}

    @property
    def is_over(self) -> bool:
        """Whether it is too long ago to rely on."""
        return asyncio.get_running_loop().time() > self._ends_s

    def batch(self, who: Caller, asked: Asked, cursor: int | None) -> Batch:
        """What came after a cursor, for who follows; Refusal where they may not ask, or not any more."""
        caller: Caller = self._once(("standing", who), lambda: self._standing(who))
        what = (caller, asked.query, asked.operation, asked.sha256, msgspec.json.encode(asked.variables))
        prepared: Prepared = self._once(("prepared", what), lambda: self._executor.prepare(caller, asked))
        return self._once(("batch", what, cursor), lambda: self._batch(caller, prepared, cursor))

    def _standing(self, caller: Caller) -> Caller:
        """The caller without what no rule of the roles depends on: people of the same roles see alike."""
        if not self._shared:
            return caller
        rows = self._once(("rows", caller.roles), lambda: self._rows(caller.roles))
        name = caller.name if "$caller" in rows else ""
        return caller.replace(name=name, variables=caller.variables if "$" in rows else (), token="")

    def _rows(self, roles: Sequence[str]) -> str:
        """What the rules of some roles say about rows, as one text."""
        with self._executor.port.read() as turn:
            return " ".join(rule.rows for name in roles if name != OWNER_ROLE for rule in role_of(turn, name).rules)

    def _batch(self, caller: Caller, prepared: Prepared, cursor: int | None) -> Batch:
        with self._executor.port.read() as turn:
            view = View(self._executor.port, caller, turn)
            view.cursor = cursor
            answer = prepared.answer(view)
        return Batch(
            msgspec.Raw(msgspec.json.encode(answer)), view.cursor, view.arrived > 0, view.full, "errors" in answer
        )

    def _once(self, key: Any, find: Callable[[], T]) -> T:
        if not self._shared:
            return find()
        if key not in self._known:
            self._known[key] = find()
        found: T = self._known[key]
        return found
