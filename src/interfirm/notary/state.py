"""The state a block is judged on: the store below, the block's own changes on top."""

from __future__ import annotations

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS, AgreedLimits
from interfirm.notary.types import Store

REFS, ACCEPTED, WITHDRAWN, CLAIMS, LOCKS, IMPORTS, REGISTRY, META, SUBSCRIPTIONS, ENVELOPES = (
    "refs", "accepted", "withdrawn", "claims", "locks", "imports", "registry", "meta", "subscriptions", "envelopes",
)  # fmt: skip
GOVERNANCE, VALIDATORS, FEES, PACKAGES, EVIDENCE = "governance", "validators", "fees", "packages", "evidence"
VALIDATED = "validated"
SPACES = (
    REFS, ACCEPTED, WITHDRAWN, CLAIMS, LOCKS, IMPORTS, REGISTRY, META, SUBSCRIPTIONS, ENVELOPES,
    GOVERNANCE, VALIDATORS, FEES, PACKAGES, EVIDENCE, VALIDATED,
)  # fmt: skip
"""All spaces, only ever added to; what a host of several machines knows of envelopes is its own."""


class Overlay:
    """A store whose changes are kept apart; `mark` and `back` undo a refused request, which must leave nothing.

    `limits` are those in force, which governance may have changed.
    """

    __slots__ = ("_undo", "changes", "limits", "store")

    def __init__(self, store: Store, limits: AgreedLimits = LIMITS) -> None:
        self.store, self.limits = store, limits
        self.changes: dict[tuple[str, bytes], bytes | None] = {}
        self._undo: list[tuple[tuple[str, bytes], bytes | None, bool]] = []

    def get(self, space: str, key: bytes) -> bytes | None:
        """The value as the block has it so far."""
        name = (space, key)
        return self.changes[name] if name in self.changes else self.store.get(space, key)

    def put(self, space: str, key: bytes, value: bytes | None) -> None:
        """Set a value, or delete it with None."""
        name = (space, key)
        self._undo.append((name, self.changes.get(name), name in self.changes))
        self.changes[name] = value

    def mark(self) -> None:
        """Forget how to undo what was done so far."""
        self._undo.clear()

    def point(self) -> int:
        """Where `back` can go back to, until the next mark."""
        return len(self._undo)

    def back(self, point: int = 0) -> None:
        """Undo everything since the last mark, or since a point after it."""
        for name, value, was_there in reversed(self._undo[point:]):
            if was_there:
                self.changes[name] = value
            else:
                del self.changes[name]
        del self._undo[point:]

    def is_changed(self) -> bool:
        """Whether anything differs from what it was at the last mark."""
        before: dict[tuple[str, bytes], bytes | None] = {}
        for name, value, was_there in self._undo:
            if name not in before:
                before[name] = value if was_there else self.store.get(*name)
        return any(self.changes[name] != value for name, value in before.items())

    def need(self, space: str, key: bytes, code: str, message: str) -> bytes:
        """The value at a key, or a Refusal."""
        value = self.get(space, key)
        if value is None:
            raise Refusal(code, message, key=key)
        return value
