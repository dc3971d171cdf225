"""The audit log: who asked for what, and what came of it; each entry holds the hash of the one before.

An entry that is changed, taken out or put between breaks the chain. Whoever keeps the last hash elsewhere notices a
log that was written anew from some place on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import check
from interfirm.base.hashing import digest
from interfirm.base.values import Wire
from interfirm.node.access.types import Caller
from interfirm.node.vault.turn import Turn

SPACE, HEAD, ASKED_BY = "audit", "audit-head", "asked-by"
DONE = "done"
_NONE = bytes(32)
_READS = (
    "whoami", "templates", "contracts.list", "contracts.show", "contracts.history", "contracts.binding",
    "disclosed.count", "disclosed.list", "flows.list", "flows.show", "inbox.list", "approvals.list",
    "preview", "status", "access.people", "access.roles", "access.tokens", "access.sessions",
    "session.list", "session.passkeys", "invoice.list", "invoice.show", "report.ageing", "report.near-hits",
    "changes.list", "jobs.list", "jobs.show", "webhooks.list", "bulk.mappings",
    "retention.list", "holds.list", "archive.list", "archive.show", "entities.list",
)  # fmt: skip
"""What changes nothing and lets nothing out of the node is not recorded, unless it is refused."""
_SUBJECTS = ("ref", "id", "name", "person", "role", "template", "to", "transaction", "about")
"""Arguments that say what an operation is about; never those that may hold a person's data."""
_ALWAYS = ("access.", "privacy.", "retention.", "holds.", "archive.", "flows.kill", "flows.skip", "node.")


class Entry(Wire, frozen=True):
    """One thing that was asked for."""

    number: int
    """From 1, without a gap."""
    at_ms: int
    caller: str
    door: str
    operation: str
    subject: str
    """What it was about: a flow, a contract, a person; never a secret."""
    outcome: str
    """`done`, or the code of the refusal."""
    before: bytes
    """The hash of the entry before; zeros for the first."""

    def hash(self) -> bytes:
        """What the next entry holds of this one."""
        return digest("audit", codec.plain(self))


def record(turn: Turn, caller: Caller, *, operation: str, subject: str, outcome: str, at_ms: int) -> Entry:
    """Add an entry to the log."""
    number, before = _head(turn)
    entry = Entry(
        number=number + 1, at_ms=at_ms, caller=caller.name, door=caller.door, operation=operation[:80],
        subject=subject[:200], outcome=outcome, before=before,
    )  # fmt: skip
    turn.blob_put(SPACE, _key(entry.number), codec.encode(entry))
    turn.blob_put(HEAD, b"", codec.encode([entry.number, entry.hash()]))
    return entry


def is_recorded(operation: str, caller: Caller, outcome: str) -> bool:
    """Whether an operation belongs into the log.

    What the user who runs the node does with contracts has its flow; who may do what, and erasing, are recorded for
    everybody.
    """
    if operation in _READS:
        return outcome.startswith("access.")
    return caller.door != "control" or operation.startswith(_ALWAYS)


def subject_of(arguments: Mapping[str, Any]) -> str:
    """What an operation was about, by its arguments."""
    return next((str(arguments[name]) for name in _SUBJECTS if arguments.get(name)), "")


def note_asker(turn: Turn, flow: str, caller: Caller) -> None:
    """Keep who asked for a flow; the first one stays."""
    if turn.blob_get(ASKED_BY, flow.encode()) is None:
        turn.blob_put(ASKED_BY, flow.encode(), caller.name.encode())


def forget_asker(turn: Turn, flow: str) -> None:
    """Forget who asked for a flow that is kept no longer."""
    turn.blob_delete(ASKED_BY, flow.encode())


def asked_by(turn: Turn, flow: str) -> str | None:
    """The name of whoever asked for a flow; None where nobody at a door did."""
    kept = turn.blob_get(ASKED_BY, flow.encode())
    return None if kept is None else kept.decode()


def entries(turn: Turn, *, after: int = 0, limit: int = 100) -> list[Entry]:
    """Entries in order, after the number `after`."""
    return [codec.decode(value, Entry) for _, value in turn.blobs(SPACE, after=_key(after), limit=limit)]


def check_chain(turn: Turn) -> tuple[int, bytes]:
    """How many entries the log has, and the hash of the last; Refusal `access.audit` where it was tampered with."""
    number, before = 0, _NONE
    while page := entries(turn, after=number, limit=500):
        for entry in page:
            whole = entry.number == number + 1 and entry.before == before
            check(whole, "access.audit", "the audit log was tampered with", number=number + 1)
            number, before = entry.number, entry.hash()
    check((number, before) == _head(turn), "access.audit", "the end of the audit log is missing", number=number)
    return number, before


def _head(turn: Turn) -> tuple[int, bytes]:
    kept = turn.blob_get(HEAD, b"")
    if kept is None:
        return 0, _NONE
    plain: Any = codec.decode_plain(kept)
    return plain[0], plain[1]


def _key(number: int) -> bytes:
    return number.to_bytes(8, "big")
