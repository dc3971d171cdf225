"""Operations about approvals: the firm's matrix, what waits for somebody, and deciding it."""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.node.access import approvals, people
from interfirm.node.access.approvals import Line, Pending, shown_pending
from interfirm.node.access.types import OWNER
from interfirm.node.asking import Start
from interfirm.node.desk import Answer, Desk, Operation, text_of, whole_of
from interfirm.node.flows.types import AnsweredPerson, AskedFlow
from interfirm.node.forms import read_money
from interfirm.node.vault.turn import Turn


def _list(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """What waits for approvals, or with `ended` what did: `after`, `limit`."""
    limit = whole_of(arguments, "limit", 50, least=1, most=500)
    with desk.vault.read() as turn:
        found = approvals.page(turn, ended=bool(arguments.get("ended")), after=arguments.get("after"), limit=limit)
    return {"approvals": [shown_pending(each) for each in found], "next": found[-1].id if len(found) == limit else None}


def _decide(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Agree to what waits under `id`, or decline it with `approve` false and a `reason`."""
    name, approve = text_of(arguments, "id"), arguments.get("approve")
    if not isinstance(approve, bool):
        raise Refusal("form.fields", "an argument is missing", argument="approve")
    with desk.vault.turn() as turn:
        found = approvals.get(turn, name)
        said = approvals.approved(found, desk.permission.caller, at_ms=desk.now_ms())
        if not approve:
            said = found.replace(state="declined", reason=str(arguments.get("reason", ""))[:500])
        elif not (missing := approvals.missing(said, _roles(desk, turn, said))):
            _check_asker(desk, turn, said)
            said = said.replace(state="approved")
        approvals.put(turn, said)
    if said.state == "approved":
        return Start(event=_event(said), approved=True)
    return {"approval": shown_pending(said) | {"missing": missing if approve else []}}


def _roles(desk: Desk, turn: Turn, pending: Pending) -> dict[str, frozenset[str]]:
    """The roles that everybody who agreed has today; somebody who left has none."""
    known = [desk.staff.find(turn, each.person) for each in pending.approvals]
    found = {person.name: frozenset(person.roles) for person in known if person is not None and person.active}
    wanted = frozenset(role for line in pending.lines for role in line.roles)
    owner = any(each.person == OWNER.name for each in pending.approvals)
    return found | ({OWNER.name: wanted} if owner else {})


def _check_asker(desk: Desk, turn: Turn, pending: Pending) -> None:
    """Nothing is done for somebody who left meanwhile."""
    if pending.asked_by != OWNER.name:
        asker = desk.staff.find(turn, pending.asked_by)
        check(asker is not None and asker.active, "access.approval", "who asked for this has left",
              asked_by=pending.asked_by)  # fmt: skip


def _event(pending: Pending) -> AskedFlow | AnsweredPerson:
    if pending.kind == "flow":
        return msgspec.msgpack.decode(pending.event, type=AskedFlow)
    return msgspec.msgpack.decode(pending.event, type=AnsweredPerson)


def _withdraw(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Take back what was asked for under `id` and waits for approvals."""
    caller = desk.permission.caller
    with desk.vault.turn() as turn:
        found = approvals.get(turn, text_of(arguments, "id"))
        approvals.check_open(found, at_ms=desk.now_ms())
        check(found.asked_by == caller.name, "access.approval", "only who asked may take it back",
              asked_by=found.asked_by)  # fmt: skip
        ended = found.replace(state="withdrawn")
        approvals.put(turn, ended)
    return {"approval": shown_pending(ended)}


def _matrix(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """The firm's approval matrix."""
    with desk.vault.read() as turn:
        return {"lines": [_shown(desk, line) for line in approvals.matrix(turn)]}


def _put_matrix(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Put the approval matrix `lines` in place of the earlier one."""
    given = arguments.get("lines")
    if not isinstance(given, list):
        raise Refusal("form.fields", "an argument is missing", argument="lines")
    lines = [_read(desk, each) for each in given]
    with desk.vault.turn() as turn:
        for line in lines:
            for role in line.roles:
                people.role_of(turn, role)
        approvals.put_matrix(turn, lines)
    return {"lines": [_shown(desk, line) for line in lines]}


class _Written(Value, frozen=True, forbid_unknown_fields=True):
    """A line as people write it."""

    name: str
    approvals: int = 1
    template: str = "*"
    choice: str = "*"
    field: str = ""
    above: str | None = None
    roles: tuple[str, ...] = ()


def _read(desk: Desk, given: Any) -> Line:
    try:
        line = msgspec.convert(given, _Written)
        above = None if line.above is None else read_money(line.above)
    except (msgspec.ValidationError, ValueError, KeyError) as error:
        raise Refusal("access.matrix", "a line is not written as it should be", reason=str(error)[:300]) from error
    if line.template != "*":
        desk.check_rule(line.template, "{}", (), () if line.choice == approvals.CREATE else (line.choice,))
    return Line(
        name=line.name[:80], approvals=line.approvals, template=line.template, choice=line.choice, field=line.field,
        above=above, roles=line.roles,
    )  # fmt: skip


def _shown(desk: Desk, line: Line) -> dict[str, Any]:
    above = None if line.above is None else f"{line.above} {line.above.currency}"
    return {
        "name": line.name, "approvals": line.approvals, "template": line.template, "choice": line.choice,
        "field": line.field, "above": above, "roles": list(line.roles),
    }  # fmt: skip


OPERATIONS: dict[str, Operation] = {
    "approvals.list": _list,
    "approvals.decide": _decide,
    "approvals.withdraw": _withdraw,
    "access.approvals": _matrix,
    "access.approvals-put": _put_matrix,
}
"""See the module."""
