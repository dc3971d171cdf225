"""A node that is paused: nothing new begins, what is under way goes on, and all of that survives a restart.

What this firm's people and programs ask for is refused. What peers propose is kept and begins when the node goes on.
What is needed to finish what is under way, here or at a peer, is never held up: answers, histories, proofs, deliveries.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node.flows.types import AskedFlow, FlowMessage
from interfirm.node.vault.turn import Turn

PAUSED, HELD = "node-paused", "node-held"
PROPOSALS = frozenset({"respond", "sign-lock"})
"""Flows by which a peer begins something new here."""
UPKEEP = frozenset({"listen", "collect", "compare-clocks"})
"""Flows of the node's own upkeep, which bind nobody."""


class Paused(Value, frozen=True):
    """Who paused the node, why, and when."""

    who: str
    reason: str
    at_ms: int


class Held(Value, frozen=True):
    """A message of a talk that begins when the node goes on."""

    peer: bytes
    message: FlowMessage


class Pause:
    """Whether one node is paused, and what waits for it to go on."""

    def __init__(self) -> None:
        self.paused: Paused | None = None
        self._held = 0

    def load(self, turn: Turn) -> None:
        """Read what the vault keeps."""
        kept = turn.blob_get(PAUSED, b"")
        self.paused = None if kept is None else msgspec.msgpack.decode(kept, type=Paused)
        self._held = 0 if self.paused is None else len(turn.blobs(HELD, limit=LIMITS.held_messages_count_max))

    def begin(self, turn: Turn, paused: Paused) -> None:
        """Pause; a second time changes who and why."""
        turn.blob_put(PAUSED, b"", msgspec.msgpack.encode(paused))
        self.paused = paused

    def end(self, turn: Turn) -> Iterator[Held]:
        """Go on: the messages that were kept, each talk's in their order."""
        turn.blob_delete(PAUSED, b"")
        self.paused = None
        kept = turn.blobs(HELD, limit=LIMITS.held_messages_count_max)
        for key, value in kept:
            turn.blob_delete(HELD, key)
            yield msgspec.msgpack.decode(value, type=Held)
        self._held = 0

    def check_begins(self, asked: AskedFlow) -> None:
        """Refuse (`node.paused`) what people and programs ask for while the node is paused."""
        if self.paused is not None and asked.kind not in UPKEEP:
            raise Refusal("node.paused", "the node is paused and begins nothing new", reason=self.paused.reason)

    def holds(self, turn: Turn, peer: bytes, message: FlowMessage) -> bool:
        """Keep a message that would begin something new, or that follows one; False where it is to be heard now."""
        if self.paused is None:
            return False
        begins = message.number == 0 and message.flow in PROPOSALS
        if not begins and turn.blob_get(HELD, _key(message, 0)) is None:
            return False
        if turn.blob_get(HELD, _key(message, message.number)) is None:
            check(self._held < LIMITS.held_messages_count_max, "node.held", "too much waits for the node to go on",
                  count_max=LIMITS.held_messages_count_max)  # fmt: skip
            self._held += 1
            kept = msgspec.msgpack.encode(Held(peer=peer, message=message))
            turn.blob_put(HELD, _key(message, message.number), kept)
        return True

    @property
    def held(self) -> int:
        """How many messages wait for the node to go on."""
        return self._held


def _key(message: FlowMessage, number: int) -> bytes:
    return message.session + number.to_bytes(8, "big")
