"""Starting flows over HTTP: waiting for them, or being told where to look; what they come to as a reply."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from interfirm.api.ports import Parts
from interfirm.api.rest.endpoints import Asked, Parameter, Reply, Returned
from interfirm.api.rest.problems import problem
from interfirm.api.rest.schemas import Schema, closed, or_null, reference, text
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value

if TYPE_CHECKING:
    from interfirm.api.rest.door import Door

WAIT_MS = 20_000
"""How long a request waits for its flow where it does not say."""
_WAIT = re.compile(r"wait=([0-9]{1,5})")
_UNDER_WAY = ("running", "waiting")
FLOW_ID = "^[A-Za-z0-9:._@+-]{1,200}$"
PREFER = Parameter(
    name="Prefer", place="header", schema=text(chars_max=200), example="wait=5",
    about="`respond-async` answers at once, `wait=SECONDS` when the flow has ended or the time is over (RFC 7240).",
)  # fmt: skip
KEY = Parameter(
    name="Idempotency-Key", place="header", example="order-4711",
    schema=text("^[!-~]+$", chars_max=LIMITS.idempotency_key_chars_max, minLength=1),
    about="The same request under the same key is carried out once and answered alike for two days.",
)  # fmt: skip
ASKED = "/v1/approvals"
UNDER_WAY = Returned(
    "It is under way and waits for somebody; or it waits for approvals of people here before it begins.",
    {"anyOf": [reference("Flow"), reference("Asked")]}, headers=("Location",),
)  # fmt: skip


def flow_schemas() -> dict[str, Schema]:
    """The schemas of flows and their steps."""
    time: Schema = {"type": "integer", "description": "Milliseconds since 1970."}
    step = closed({
        "name": text(), "state": text(), "waiting_on": text(), "started_ms": time, "ended_ms": time,
        "steps": {"type": "array", "items": reference("Step")},
    })  # fmt: skip
    states = ("running", "waiting", "done", "refused", "failed", "cancelled", "killed")
    flow = closed({
        "id": text(), "kind": text(), "state": {"enum": list(states)}, "started_ms": time, "changed_ms": time,
        "result": {"description": "What it came to: a transaction and what it made, or a refusal."},
        "steps": {"type": "array", "items": reference("Step")},
    }, about="Something that takes time, and that may wait for others.")  # fmt: skip
    reason = or_null(closed({"code": text(), "reason": text()}, about="Why it did not do what it was to do."))
    wait = or_null(closed({
        "on": {"enum": ["peer", "notary", "person", "time"]}, "who": text(), "since_ms": time,
        "until_ms": or_null(time), "item": text(),
    }, about="What it waits for, since when, and until when it waits at most."))  # fmt: skip
    listed = closed(
        flow["properties"] | {"parent": text(), "age_ms": {"type": "integer"}, "reason": reason, "waits": wait},
        about="Something that takes time, with its age, why it ended, and what it waits for.",
    )
    preview = closed({
        "signers": {"type": "array", "items": reference("Party")},
        "informees": {"type": "array", "items": reference("Party")},
        "creates": {"type": "array", "items": {"type": "object"}},
        "approvals": {"type": "array", "items": {"type": "object"}},
    }, about="What would come of it: who must sign, who sees it, what is made, who must approve.")  # fmt: skip
    approval: Schema = {
        "type": "object", "required": ["id", "state", "operation", "asked_by", "lines", "approvals"],
        "properties": {
            "id": text(about="The id of the flow that begins when all have approved."), "operation": text(),
            "state": {"enum": ["open", "approved", "declined", "withdrawn", "expired"]}, "asked_by": text(),
            "asked_ms": time, "expires_ms": time, "reason": text(),
            "lines": {"type": "array", "items": {"type": "object"}, "description": "The lines that ask for approvals."},
            "approvals": {"type": "array", "items": {"type": "object"}, "description": "Who has approved."},
            "does": {"type": "array", "items": {"type": "object"}, "description": "What would be done."},
        },
        "description": "Something that people here must approve before it begins.",
    }  # fmt: skip
    return {
        "Step": step, "Flow": flow, "ListedFlow": listed, "Preview": preview, "Cursor": or_null(text()),
        "Approval": approval, "Asked": closed({"approval": reference("Approval")}),
    }  # fmt: skip


class Preference(Value, frozen=True):
    """What a client prefers: how long to wait; None for no longer than until its flow has begun."""

    wait_ms: int | None
    said: str = ""
    """The preference that is followed, as it was written."""


def preference(header: str) -> Preference:
    """The preferences of a `Prefer` header that are known here; others are passed over (RFC 7240)."""
    known = [part.strip().lower() for part in header.split(",")]
    if "respond-async" in known:
        return Preference(wait_ms=None, said="respond-async")
    for part in known:
        if found := _WAIT.fullmatch(part):
            return Preference(wait_ms=min(int(found[1]) * 1000, LIMITS.http_wait_ms_max) or None, said=part)
    return Preference(wait_ms=WAIT_MS)


async def started(door: Door, asked: Asked, name: str, arguments: dict[str, Any], *, status: int = 200) -> Reply:
    """Ask for an operation that starts a flow, or answers at once; the reply to what came of it."""
    prefer = preference(asked.request.headers.get("prefer", ""))
    given = {**arguments, "wait_ms": LIMITS.http_wait_ms_max if prefer.wait_ms is None else prefer.wait_ms}
    given |= {"progress": prefer.wait_ms is None} | ({"request": asked.request_id} if asked.request_id else {})
    answer = await door.port.ask(asked.caller, name, given)
    if not isinstance(answer, dict):
        answer = await (_first(answer) if prefer.wait_ms is None else _last(answer))
    reply = flow_reply(answer["flow"], status) if "flow" in answer else answer_reply(answer)
    said = (("Preference-Applied", prefer.said),) if prefer.said else ()
    return reply.replace(headers=reply.headers + said)


def answer_reply(answer: dict[str, Any]) -> Reply:
    """The reply with what an operation answers at once; 202 where it waits for approvals."""
    if "approval" in answer and answer["approval"]["state"] == "open":
        return Reply(status=202, body=answer, headers=(("Location", ASKED),))
    return Reply(status=200, body=answer)


async def _first(parts: Parts) -> dict[str, Any]:
    """What is known as soon as the flow has begun."""
    try:
        return await anext(parts)
    finally:
        if isinstance(parts, AsyncGenerator):
            await parts.aclose()  # it is not watched any longer; the flow goes on


async def _last(parts: Parts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    async for part in parts:
        found = part
    return found


def flow_reply(flow: dict[str, Any], status: int) -> Reply:
    """A flow as the reply to who started it."""
    place = f"/v1/flows/{flow['id']}"
    match flow["state"]:
        case "done":
            return Reply(status=status, body=flow, headers=(("Content-Location", place),))
        case "refused":
            result = flow["result"]
            return problem(Refusal(result["code"], result["reason"], **result["values"]), flow=flow["id"])
        case "failed":
            return problem(Refusal("node.fault", "the flow failed; an operator can retry it"), flow=flow["id"])
        case state if state in _UNDER_WAY:
            return Reply(status=202, body=flow, headers=(("Location", place), ("Retry-After", "1")))
    return problem(Refusal("flow.ended", "the flow was ended", state=flow["state"]), flow=flow["id"])
