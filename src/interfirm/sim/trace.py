"""What happened in a world, as one hash over the ordered events, and how often each kind of fault was injected."""

from __future__ import annotations

import hashlib
from collections import Counter


class Trace:
    """Every event is one line; two worlds that ran alike have the same hash."""

    def __init__(self, *, keep: bool = False) -> None:
        self.injected: Counter[str] = Counter()
        self.lines: list[str] | None = [] if keep else None
        self.count = 0
        self._hash = hashlib.sha256()

    def tell(self, at_ms: int, who: str, what: str, detail: str = "") -> None:
        """Something happened."""
        line = f"{at_ms} {who} {what} {detail}"
        self.count += 1
        self._hash.update(line.encode() + b"\n")
        if self.lines is not None:
            self.lines.append(line)

    def inject(self, at_ms: int, who: str, fault: str) -> None:
        """A fault was injected."""
        self.injected[fault] += 1
        self.tell(at_ms, who, "fault", fault)

    def hash(self) -> str:
        """The hash over everything told so far, in hex."""
        return self._hash.hexdigest()
