"""What each flow that is under way waits for, in memory: for people, metrics, and whoever wants a node to come to rest.

Between two turns every flow under way waits, so this is also the list of flows under way. It is made anew at every
start, and costs a dictionary's entry a flow; counts are kept, so that nobody has to count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal

from interfirm.base.values import Value

WaitsOn = Literal["peer", "notary", "person", "time"]
WAITS_ON: tuple[WaitsOn, ...] = ("peer", "notary", "person", "time")
BUSY: frozenset[WaitsOn] = frozenset({"peer", "notary"})
"""Waits in which somebody else is at work for the flow; the others last as long as a person or a clock wants."""


class Wait(Value, frozen=True):
    """What a flow waits for: `who` by name where it is a peer or a notary, the question's kind where it is a person."""

    on: WaitsOn
    who: str
    since_ms: int
    until_ms: int | None = None
    """When the flow goes on by itself; None: not before it is answered."""
    item: str = ""
    """The question's id in the inbox, where it is a person."""


class Waiting:
    """The waits of all flows under way, with counts by the flows' kind and by what they wait on."""

    def __init__(self) -> None:
        self._waits: dict[str, tuple[str, Wait]] = {}
        self._notary_since: dict[str, int] = {}
        self.counts: Counter[tuple[str, WaitsOn]] = Counter()

    def put(self, flow: str, kind: str, wait: Wait) -> None:
        """The flow waits for this now, in place of what it waited for before."""
        self.remove(flow)
        self._waits[flow] = (kind, wait)
        self.counts[kind, wait.on] += 1
        if wait.on == "notary":
            self._notary_since[flow] = wait.since_ms

    def remove(self, flow: str) -> None:
        """The flow waits no longer; one that did not is no trouble."""
        kind, wait = self._waits.pop(flow, ("", None))
        if wait is not None:
            self.counts[kind, wait.on] -= 1
            self._notary_since.pop(flow, None)

    def clear(self) -> None:
        """Nothing is known to wait."""
        self._waits.clear()
        self._notary_since.clear()
        self.counts.clear()

    def of(self, flow: str) -> Wait | None:
        """What a flow waits for; None where it is not under way."""
        return self._waits.get(flow, ("", None))[1]

    def flows(self, on: str | None = None) -> Iterator[tuple[str, Wait]]:
        """The flows under way, all or those that wait on a peer, a notary, a person or a time."""
        return ((flow, wait) for flow, (_, wait) in self._waits.items() if on in (None, wait.on))

    @property
    def is_busy(self) -> bool:
        """Whether somebody else is at work for a flow."""
        return any(count and on in BUSY for (_, on), count in self.counts.items())

    @property
    def notary_since_ms(self) -> int | None:
        """Since when the longest wait for a notary lasts; None where nothing waits for one."""
        return min(self._notary_since.values(), default=None)
