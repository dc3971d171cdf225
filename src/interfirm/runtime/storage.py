"""Turns of a node whose storage may fail: a full disk is refused clearly, loses nothing, and passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interfirm.base.errors import Refusal
from interfirm.node.network import types as net
from interfirm.node.node import Effect, Node, Refused, WakeAt

FAILS = frozenset({"vault.storage", "vault.busy"})
"""Refusals that mean: nothing can be written now."""
RETRY_MS = 1_000
"""How long until writing is tried again."""
_PROBE = "storage-probe"


class StorageGuard:
    """A node's turns. While its storage fails, what people ask is refused and what peers say counts as not arrived.

    After a failure the node is made anew from what was committed, as after a kill; peers, who got no acknowledgement,
    send again. So it does not matter how far the turn that failed had come.
    """

    def __init__(self, node: Node, peers: Callable[[], Sequence[bytes]]) -> None:
        """`peers` are those there is a connection with."""
        self._node, self._peers = node, peers
        self.failure: Refusal | None = None
        """Why nothing can be written now; None in ordinary life."""
        self._next_ms = 0

    def turn(self, events: Sequence[object], now_ms: int) -> list[Effect]:
        """See `Node.turn`."""
        if self.failure is None:
            return self._guarded(lambda: self._node.turn(events, now_ms), events, now_ms)
        if now_ms < self._next_ms or not self._writes(now_ms):
            return [*_refused(events, self.failure), WakeAt(at_ms=self._next_ms)]
        return self._guarded(lambda: self._begun_again(events, now_ms), events, now_ms)

    def _begun_again(self, events: Sequence[object], now_ms: int) -> list[Effect]:
        """What a restart does, on the connections there are."""
        begun = self._node.start(now_ms)
        there = [net.SawConnected(peer=peer, at_ms=now_ms) for peer in self._peers()]
        others = [event for event in events if not isinstance(event, net.SawConnected | net.SawDisconnected)]
        return begun + self._node.turn([*there, *others], now_ms)

    def _guarded(self, work: Callable[[], list[Effect]], events: Sequence[object], now_ms: int) -> list[Effect]:
        """Do it, and note whether the storage failed."""
        try:
            effects = work()
        except Refusal as refusal:
            if refusal.code not in FAILS:
                raise
            effects = _refused(events, refusal)
            self.failure = refusal
        else:
            found = [e.refusal for e in effects if isinstance(e, Refused) and e.refusal.code in FAILS]
            self.failure = found[0] if found else None
        if self.failure is None:
            return effects
        self._next_ms = now_ms + RETRY_MS
        return [*effects, WakeAt(at_ms=self._next_ms)]

    def _writes(self, now_ms: int) -> bool:
        """Whether something small can be written."""
        try:
            with self._node.vault.turn() as turn:
                turn.blob_put(_PROBE, b"", now_ms.to_bytes(8, "big"))
        except Refusal as refusal:
            if refusal.code not in FAILS:
                raise
            self.failure, self._next_ms = refusal, now_ms + RETRY_MS
            return False
        return True


def _refused(events: Sequence[object], refusal: Refusal) -> list[Effect]:
    """Tell whoever asked for something; frames of peers are as good as lost on the way."""
    return [Refused(event=event, refusal=refusal) for event in events if not isinstance(event, net.Event)]
