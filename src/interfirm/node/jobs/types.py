"""What a background job is: plain values, kept in the vault."""

from __future__ import annotations

from typing import Any, Literal

from interfirm.base.values import Value
from interfirm.node.access.types import Caller
from interfirm.node.flows.messages import PrivateValue

JobState = Literal["running", "done", "refused", "cancelled"]


class Job(Value, frozen=True):
    """Something long that the node does in slices between its turns."""

    id: str
    kind: str
    arguments: bytes
    """JSON; what they are is the kind's affair."""
    asked_by: Caller
    """What the job does, it does with the roles that this caller has then."""
    started_ms: int
    changed_ms: int
    state: JobState = "running"
    done: int = 0
    total: int | None = None
    """Rows in all, once they are counted."""
    errors: int = 0
    """How many rows were not done; the first of them are kept with their reasons."""
    waiting: str = ""
    """What the job waits for now."""
    cursor: bytes = b""
    """JSON: where the job goes on after a restart."""
    result: bytes = b""
    """JSON: what came of it, or the refusal that ended it."""


class RowError(Value, frozen=True):
    """Why a row was not done."""

    row: int
    """As in the file, whose header is row 1."""
    code: str
    """The code of the refusal."""
    reason: str
    column: str = ""
    value: str = ""
    values: dict[str, Any] = {}
    """The refusal's own values."""


class Batch(Value, frozen=True):
    """Rows that one flow carries out, kept from when they are taken up until the flow has ended."""

    flow: str
    rows: tuple[int, ...]
    arguments: bytes
    """Of the flow `exercise`; private values are in their own place already."""


class Step(Value, frozen=True):
    """A slice of a job: what it came to, committed at once and before anything of it is handed out."""

    done: int = 0
    """Rows that this step has settled, well or not."""
    total: int | None = None
    cursor: dict[str, Any] | None = None
    errors: tuple[RowError, ...] = ()
    batches: tuple[Batch, ...] = ()
    """Flows to start."""
    privates: tuple[PrivateValue, ...] = ()
    """What the batches commit to."""
    ended: tuple[str, ...] = ()
    """Flows that have ended, or that nothing more is expected of."""
    waiting: str = ""
    """The step found nothing to do until something happens: what it waits for."""
    result: dict[str, Any] | None = None
    """The job is done."""
