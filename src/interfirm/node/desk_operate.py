"""Operations of whoever keeps the node running: flows that hang, a node that is paused or comes to rest."""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.node.access.audit import asked_by
from interfirm.node.asking import Start
from interfirm.node.desk import Answer, Desk, Operation, text_of, whole_of
from interfirm.node.flows.types import AskedKill, AskedPause, AskedResume, AskedRetry, AskedSkip
from interfirm.node.flows.waiting import BUSY, WAITS_ON, Wait
from interfirm.node.reading import shown_flow
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import FlowRecord

STATES = ("running", "waiting", "done", "refused", "failed", "cancelled", "killed")
PAGE_COUNT = 500
PAGE_COUNT_MAX = 1_000
LOOKED_COUNT_MAX = 20_000
"""Flows that one list looks through for those that fit; it can be gone on with after the last."""


def _flows(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Flows, newest first, each with its age, why it ended, and what it waits for since when.

    Filters: `state`, `kind`, `waiting_on` (peer, notary, person, time), `older_than_ms`; `after` and `limit` for pages:
    where there is a `next`, the list goes on after it. Those that the caller started, unless `flows.all` is allowed.
    """
    state, on = arguments.get("state"), arguments.get("waiting_on")
    check(state is None or state in STATES, "form.fields", "a flow has no such state", state=str(state)[:40])
    check(on is None or on in WAITS_ON, "form.fields", "a flow waits on a peer, notary, person or time",
          waiting_on=str(on)[:40])  # fmt: skip
    limit = whole_of(arguments, "limit", 50, least=1, most=PAGE_COUNT_MAX)
    with desk.vault.read() as turn:
        found, last = _found(desk, turn, arguments, limit)
        return {"flows": [shown(desk, record) for record in found]} | ({"next": last} if last else {})


def _found(desk: Desk, turn: Turn, arguments: dict[str, Any], limit: int) -> tuple[list[FlowRecord], str | None]:
    """The flows that fit, and the one after which the list goes on."""
    if arguments.get("waiting_on") is not None:
        records = [turn.flow(flow) for flow, _ in desk.services.waiting.flows(arguments["waiting_on"])]
        known = sorted((r for r in records if r is not None), key=lambda r: (r.started_ms, r.id), reverse=True)
        fitting = [record for record in known if _fits(desk, turn, arguments, record)]
        begin = next((n + 1 for n, r in enumerate(fitting) if r.id == arguments.get("after")), 0)
        page = fitting[begin : begin + limit]
        return page, page[-1].id if len(fitting) > begin + limit else None
    found: list[FlowRecord] = []
    after, state = arguments.get("after"), arguments.get("state")
    for _ in range(LOOKED_COUNT_MAX // PAGE_COUNT):
        rows = turn.flows(state=state, after=after, limit=PAGE_COUNT, newest_first=True)
        for row in rows:
            after = row.id
            if _fits(desk, turn, arguments, row):
                found.append(row)
                if len(found) == limit:
                    return found, after
        if len(rows) < PAGE_COUNT:
            return found, None
    return found, after


def _fits(desk: Desk, turn: Turn, arguments: dict[str, Any], record: FlowRecord) -> bool:
    older_ms = whole_of(arguments, "older_than_ms", 0)
    return (
        arguments.get("state") in (None, record.state)
        and arguments.get("kind") in (None, record.kind)
        and desk.now_ms() - record.started_ms >= older_ms
        and is_for(desk, turn, record.id)
    )


def shown(desk: Desk, record: FlowRecord) -> dict[str, Any]:
    """A flow as JSON: what `shown_flow` has, with `age_ms`, `reason` (or null) and `waits` (or null)."""
    wait = desk.services.waiting.of(record.id)
    return {
        **shown_flow(record),
        "parent": record.parent,
        "age_ms": desk.now_ms() - record.started_ms,
        "reason": reason_of(record),
        "waits": None if wait is None else _shown_wait(wait),
    }


def _shown_wait(wait: Wait) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(wait)
    return found


def reason_of(record: FlowRecord) -> dict[str, str] | None:
    """Why a flow did not do what it was to do: a code and a sentence."""
    if record.state not in ("refused", "failed", "killed") or not record.result:
        return None
    result = msgspec.msgpack.decode(record.result)
    if record.state == "refused":
        return {"code": result["code"], "reason": result["reason"]}
    if record.state == "killed":
        return {"code": "flow.killed", "reason": f"{result['who']}: {result['reason']}"}
    # the last line of a traceback says what went wrong; all of it is in the result
    return {"code": "flow.failed", "reason": str(result).strip().rpartition("\n")[2]}


def _flow(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """One flow with its steps, why it ended, and what it waits for."""
    with desk.vault.read() as turn:
        record = turn.flow(own(desk, turn, arguments))
    if record is None:
        raise Refusal("flow.unknown", "there is no such flow", flow=str(arguments.get("id"))[:80])
    return shown(desk, record)


def own(desk: Desk, turn: Turn, arguments: dict[str, Any]) -> str:
    """The flow `id`, which the caller started; Refusal `flow.unknown` for another's unless `flows.all` is allowed."""
    flow = text_of(arguments, "id")
    check(is_for(desk, turn, flow), "flow.unknown", "there is no such flow", flow=flow[:80])
    return flow


def is_for(desk: Desk, turn: Turn, flow: str) -> bool:
    """Whether the caller may see a flow."""
    return desk.permission.may("flows.all") or asked_by(turn, flow) == desk.permission.caller.name


def _kill(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """End a flow that will not end, or that failed for good; `who` and `reason` are recorded."""
    who, reason = text_of(arguments, "who"), text_of(arguments, "reason")
    return Start(event=AskedKill(id=text_of(arguments, "id"), who=who, reason=reason))


def _retry(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Run the failed flow `id` again from its journal."""
    with desk.vault.read() as turn:
        return Start(event=AskedRetry(id=own(desk, turn, arguments)))


def _skip(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Let the flow `id` go on as if the time had come until which it waits.

    Refused (`flow.not-safe`) where it waits for a notary, for a person, or for a peer without whose word it cannot go
    on.
    """
    with desk.vault.read() as turn:
        return Start(event=AskedSkip(id=own(desk, turn, arguments)))


def _pause(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Begin nothing new until `node.resume`, also after a restart; what is under way goes on. `reason` is told."""
    reason = text_of(arguments, "reason")
    return Start(event=AskedPause(who=desk.permission.caller.name, reason=reason[:500]))


def _resume(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Go on after `node.pause`; what peers proposed meanwhile begins."""
    return Start(event=AskedResume())


def at_work(desk: Desk) -> dict[str, Any]:
    """The flows for which a peer or a notary is at work (`busy`), and how many rest with a person or a clock."""
    waits = [(flow, wait) for flow, wait in desk.services.waiting.flows()]
    busy = [{"id": flow, **_shown_wait(wait)} for flow, wait in waits if wait.on in BUSY]
    return {"busy_count": len(busy), "resting_count": len(waits) - len(busy), "busy": busy[:PAGE_COUNT]}


OPERATIONS: dict[str, Operation] = {
    "flows.list": _flows,
    "flows.show": _flow,
    "flows.kill": _kill,
    "flows.retry": _retry,
    "flows.skip": _skip,
    "node.pause": _pause,
    "node.resume": _resume,
}
"""See the module."""
