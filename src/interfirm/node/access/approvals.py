"""Who else must agree before the node acts: the approval matrix of a firm, and what waits for approvals.

A line of the matrix names a template and choice, and from which amount on how many people, of which roles, must agree
beside the one who asked: four eyes is one approval. Matching is pure; what waits is kept in the vault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.money import Money
from interfirm.base.values import Value
from interfirm.node import kept
from interfirm.node.access import people
from interfirm.node.access.machine import may
from interfirm.node.access.people import Person
from interfirm.node.access.types import OWNER_ROLE, Caller
from interfirm.node.vault.turn import Turn

OPEN, ENDED, MATRIX = "approvals-open", "approvals-ended", "approval-matrix"
DECIDE = "approvals.decide"
CREATE = "create"
"""What making a contract is called beside the names of choices."""
State = Literal["open", "approved", "declined", "withdrawn", "expired"]


class Line(Value, frozen=True, forbid_unknown_fields=True):
    """One line of the matrix."""

    name: str
    approvals: int
    template: str = "*"
    """`folder.Name`, or `*` for every template."""
    choice: str = "*"
    """The choice's name, `create`, or `*` for all."""
    field: str = ""
    """The argument or field whose amount decides, as `price.advance`; empty: whatever the amount."""
    above: Money | None = None
    """Amounts up to this one need nobody; any of another currency, and none at all, does."""
    roles: tuple[str, ...] = ()
    """One of these roles an approver has; empty: any that may decide."""


class Demand(Value, frozen=True):
    """Something that is to be done, as the matrix sees it."""

    template: str
    choice: str
    fields: dict[str, Any]
    """Of the contract, typed."""
    arguments: dict[str, Any] = {}
    """Of the choice, typed."""


class Approval(Value, frozen=True):
    """One person's word."""

    person: str
    at_ms: int


class Pending(Value, frozen=True):
    """What waits for approvals, or did."""

    id: str
    asked_by: str
    asked_ms: int
    operation: str
    event: bytes
    """What is handed to the node's loop once all have agreed."""
    kind: Literal["flow", "answer"]
    demands: tuple[tuple[str, str], ...]
    """(template, choice) of all that would be done."""
    lines: tuple[Line, ...]
    """The lines of the matrix that apply, as they were when it was asked for."""
    shown: dict[str, Any]
    """What an approver is shown."""
    expires_ms: int
    approvals: tuple[Approval, ...] = ()
    state: State = "open"
    reason: str = ""


def lines_for(matrix: Sequence[Line], demands: Sequence[Demand]) -> tuple[Line, ...]:
    """The lines that apply to something that is to be done."""
    return tuple(line for line in matrix if any(_applies(line, demand) for demand in demands))


def _applies(line: Line, demand: Demand) -> bool:
    if line.template not in ("*", demand.template) or line.choice not in ("*", demand.choice):
        return False
    return line.above is None or _is_above(_amount(demand, line.field), line.above)


def _amount(demand: Demand, path: str) -> Any:
    first, *rest = path.split(".")
    found = demand.arguments.get(first, demand.fields.get(first))
    for name in rest:
        found = getattr(found, name, None)
    return found


def _is_above(amount: Any, above: Money) -> bool:
    # what cannot be compared is not known to be small
    return not isinstance(amount, Money) or amount.currency != above.currency or amount.minor > above.minor


def missing(pending: Pending, roles: Mapping[str, frozenset[str]]) -> list[str]:
    """The names of the lines that have not enough approvals yet; `roles` are those of each person who approved."""
    return [line.name for line in pending.lines if _counted(line, pending, roles) < line.approvals]


def _counted(line: Line, pending: Pending, roles: Mapping[str, frozenset[str]]) -> int:
    said = {each.person for each in pending.approvals if each.person != pending.asked_by}
    return sum(1 for person in said if not line.roles or roles.get(person, frozenset()) & set(line.roles))


def approved(pending: Pending, caller: Caller, *, at_ms: int) -> Pending:
    """With one more person's word; Refusal `access.four-eyes`, `access.approver`, `access.approval`."""
    check_open(pending, at_ms=at_ms)
    check(caller.name != pending.asked_by, "access.four-eyes", "somebody else than who asked has to approve this",
          asked_by=pending.asked_by)  # fmt: skip
    wanted = {role for line in pending.lines for role in line.roles}
    anybody = OWNER_ROLE in caller.roles or any(not line.roles for line in pending.lines)
    check(anybody or bool(wanted & set(caller.roles)), "access.approver", "your roles do not approve this",
          roles=sorted(wanted))  # fmt: skip
    said = [each for each in pending.approvals if each.person != caller.name]
    return msgspec.structs.replace(pending, approvals=(*said, Approval(person=caller.name, at_ms=at_ms)))


def check_open(pending: Pending, *, at_ms: int) -> None:
    """Refuse (`access.approval`) what does not wait any more."""
    state = "expired" if pending.state == "open" and at_ms >= pending.expires_ms else pending.state
    check(state == "open", "access.approval", "this does not wait for approval any more", state=state)


def deciders(turn: Turn, pending: Pending, everybody: Sequence[Person]) -> list[Person]:
    """Those of these people, with the roles that hold here, who may decide it; whoever asked for it left out."""
    return [person for person in everybody if person.active and _decides(turn, pending, person)]


def _decides(turn: Turn, pending: Pending, person: Person) -> bool:
    if person.name == pending.asked_by:
        return False
    caller = people.as_caller(person, door="session")
    fits = any(not line.roles or set(line.roles) & set(caller.roles) for line in pending.lines)
    return fits and may(caller, [people.role_of(turn, name) for name in caller.roles], DECIDE)


# keeping ----------------------------------------------------------------------------------------------------------


def matrix(turn: Turn) -> tuple[Line, ...]:
    """The firm's matrix; empty until it makes one."""
    found = turn.blob_get(MATRIX, b"")
    return () if found is None else msgspec.msgpack.decode(found, type=tuple[Line, ...])


def put_matrix(turn: Turn, lines: Sequence[Line]) -> None:
    """Keep a matrix in place of the earlier one; Refusal `access.matrix`."""
    for line in lines:
        check(1 <= line.approvals <= 10, "access.matrix", "a line asks for one approval at least, ten at most",
              line=line.name[:80], approvals=line.approvals)  # fmt: skip
        check((line.above is None) == (not line.field), "access.matrix", "an amount and its field belong together",
              line=line.name[:80])  # fmt: skip
    check(len(lines) <= LIMITS.approval_lines_count_max, "access.matrix", "the matrix has too many lines",
          lines_max=LIMITS.approval_lines_count_max)  # fmt: skip
    turn.blob_put(MATRIX, b"", msgspec.msgpack.encode(list(lines)))


def put(turn: Turn, pending: Pending) -> None:
    """Keep what waits, or how it ended."""
    name = pending.id.encode()
    if pending.state != "open":
        turn.blob_delete(OPEN, name)
    kept.put(turn, OPEN if pending.state == "open" else ENDED, name, pending)


def get(turn: Turn, name: str) -> Pending:
    """What waits or waited under an id; Refusal `access.approval`."""
    found = find(turn, name)
    if found is None:
        raise Refusal("access.approval", "nothing waits for approval under this id", id=name[:80])
    return found


def find(turn: Turn, name: str) -> Pending | None:
    """What waits or waited under an id."""
    key = name.encode()
    return kept.get(turn, OPEN, key, Pending) or kept.get(turn, ENDED, key, Pending)


def page(turn: Turn, *, ended: bool, after: str | None, limit: int) -> list[Pending]:
    """What waits, or what has ended, by id."""
    found = turn.blobs(ENDED if ended else OPEN, after=None if after is None else after.encode(), limit=limit)
    return [msgspec.msgpack.decode(value, type=Pending) for _, value in found]


def shown_pending(pending: Pending) -> dict[str, Any]:
    """What waits as JSON: who asked for what, which lines apply, who has agreed, until when."""
    return {
        "id": pending.id, "state": pending.state, "operation": pending.operation, "asked_by": pending.asked_by,
        "asked_ms": pending.asked_ms, "expires_ms": pending.expires_ms, "reason": pending.reason,
        "lines": [
            {"name": line.name, "approvals": line.approvals, "roles": list(line.roles)} for line in pending.lines
        ],
        "approvals": [{"person": each.person, "at_ms": each.at_ms} for each in pending.approvals], **pending.shown,
    }  # fmt: skip
