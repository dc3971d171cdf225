"""What flows keep in the vault, gathered over a turn and written once at its end (house principle 3).

A turn may take a flow through several steps. Only where it stands at the end is of use to anybody, and the journal of a
flow that begins and ends in one turn is of none, so nothing is written before `flush`.
"""

from __future__ import annotations

import msgspec

from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import FlowRecord

_SESSIONS = "flow-sessions"


class Talk(msgspec.Struct, frozen=True, array_like=True):
    """A talk as it is kept: whose flow, with which peer, and how many messages went each way."""

    flow: str
    peer: bytes
    sent: int
    heard: int


class FlowStore:
    """Records, journals and talks of a node's flows. What was not flushed is forgotten with the turn that fails."""

    def __init__(self) -> None:
        self._records: dict[str, FlowRecord] = {}
        self._appended: dict[str, list[tuple[int, bytes]]] = {}
        self._stored: set[str] = set()
        """Flows in memory that have a journal in the vault."""
        self._ended: list[str] = []
        self._talks: dict[bytes, Talk] = {}
        self._changed: dict[bytes, None] = {}

    def record(self, turn: Turn, flow: str) -> FlowRecord | None:
        """A flow's record as it stands now."""
        return self._records.get(flow) or turn.flow(flow)

    def put(self, record: FlowRecord) -> None:
        """Keep a flow's record."""
        self._records[record.id] = record

    def journal(self, turn: Turn, flow: str) -> list[bytes]:
        """The journal of a flow that is rebuilt."""
        self._stored.add(flow)
        return turn.journal(flow)

    def append(self, flow: str, n: int, entry: bytes) -> None:
        """Add entry `n` of a flow's journal."""
        self._appended.setdefault(flow, []).append((n, entry))

    def end(self, flow: str) -> None:
        """Forget the journal of a flow that has ended."""
        self._appended.pop(flow, None)
        if flow in self._stored:
            self._ended.append(flow)

    def talk(self, turn: Turn, session: bytes) -> Talk | None:
        """A talk as it stands now."""
        held = self._talks.get(session)
        if held is None:
            known = turn.blob_get(_SESSIONS, session)
            held = None if known is None else msgspec.msgpack.decode(known, type=Talk)
        return held

    def keep_talk(self, session: bytes, talk: Talk) -> None:
        """Keep a talk."""
        self._talks[session] = talk
        self._changed[session] = None

    def leave(self, session: bytes) -> None:
        """The talk's flow has ended: from the next turn on it is looked up in the vault."""
        self._changed.setdefault(session, None)

    def flush(self, turn: Turn) -> None:
        """Write everything that changed."""
        turn.put_flows(self._records.values())
        turn.journal_append((flow, n, entry) for flow, rows in self._appended.items() for n, entry in rows)
        for flow in self._ended:
            turn.delete_journal(flow)
        changed = [(session, self._talks[session]) for session in self._changed if session in self._talks]
        turn.blobs_put(_SESSIONS, ((session, msgspec.msgpack.encode(talk)) for session, talk in changed))
        self._stored.update(self._appended)
        self._stored.difference_update(self._ended)
        for session, talk in changed:
            if (record := self._records.get(talk.flow)) is not None and record.state not in ("running", "waiting"):
                del self._talks[session]
        self._records.clear()
        self._appended.clear()
        self._ended.clear()
        self._changed.clear()

    def forget(self) -> None:
        """Drop what is in memory, after a turn that was rolled back."""
        self._records.clear()
        self._appended.clear()
        self._stored.clear()
        self._ended.clear()
        self._talks.clear()
        self._changed.clear()
