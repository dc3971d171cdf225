"""What is under way and what waits for a person, over HTTP: flows, the inbox, approvals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from interfirm.api.rest.endpoints import Asked, Endpoint, Parameter, Reply, Returned
from interfirm.api.rest.following import ASKED, FLOW_ID, KEY, PREFER, UNDER_WAY, answer_reply, started
from interfirm.api.rest.schemas import Schema, closed, reference, text
from interfirm.node.flows.waiting import WAITS_ON

if TYPE_CHECKING:
    from interfirm.api.rest.door import Door

_ID = Parameter("id", text(FLOW_ID, chars_max=200), "The flow's id.", place="path", example="0" * 32)
FLOW_KIND = "^[a-z0-9-]*$"
_STATES = ("running", "waiting", "done", "refused", "failed", "cancelled", "killed")
_PAGE = (
    Parameter("state", {"type": "string", "enum": list(_STATES)}, "Only flows in this state."),
    Parameter("kind", text(FLOW_KIND, chars_max=80), "Only flows of this kind."),
    Parameter("waiting_on", {"type": "string", "enum": list(WAITS_ON)}, "Only flows that wait on one of these."),
    Parameter("older_than_ms", {"type": "integer", "minimum": 0}, "Only flows that began so long ago or longer."),
    Parameter("after", text(FLOW_ID, chars_max=200), "The last `id` of the page before."),
    Parameter("limit", {"type": "integer", "minimum": 1, "maximum": 500}, "How many at most; 50 without it."),
)
_FLOWS = closed({"flows": {"type": "array", "items": reference("ListedFlow")}, "next": text()}, ["flows"],
                about="A page, and the flow after which the list goes on, where it does.")  # fmt: skip
_DECIDED: Schema = closed({"approve": {"type": "boolean"}, "reason": text(chars_max=2000)}, ["approve"])
_APPROVALS: Schema = closed(
    {"approvals": {"type": "array", "items": reference("Approval")}, "next": reference("Cursor")}
)
_DONE = {200: Returned("It is done.", closed({"done": {"type": "boolean"}}))}
_ITEM: Schema = {
    "type": "object",
    "properties": {
        "id": text(), "kind": text(), "state": text(), "reason": text(),
        "created_ms": {"type": "integer", "description": "Milliseconds since 1970."},
        "creates": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["id", "kind", "state", "reason", "created_ms", "creates"],
}  # fmt: skip


async def _reply(door: Door, asked: Asked, name: str, arguments: dict[str, Any]) -> Reply:
    answer = await door.port.ask(asked.caller, name, arguments)
    assert isinstance(answer, dict), name
    return answer_reply(answer)


async def _flows(door: Door, asked: Asked) -> Reply:
    return await _reply(door, asked, "flows.list", dict(asked.query))


async def _flow(door: Door, asked: Asked) -> Reply:
    return await _reply(door, asked, "flows.show", {"id": asked.path["id"]})


def _ending(name: str) -> Callable[[Door, Asked], Awaitable[Reply]]:
    async def ask(door: Door, asked: Asked) -> Reply:
        arguments = {**asked.body, "id": asked.path["id"], "who": asked.caller.name}
        return await _reply(door, asked, name, arguments)

    return ask


async def _inbox(door: Door, asked: Asked) -> Reply:
    return await _reply(door, asked, "inbox.list", dict(asked.query))


async def _approvals(door: Door, asked: Asked) -> Reply:
    return await _reply(door, asked, "approvals.list", dict(asked.query))


async def _approve(door: Door, asked: Asked) -> Reply:
    return await started(door, asked, "approvals.decide", {**asked.body, "id": asked.path["id"]})


async def _withdraw(door: Door, asked: Asked) -> Reply:
    return await _reply(door, asked, "approvals.withdraw", {"id": asked.path["id"]})


async def _decide(door: Door, asked: Asked) -> Reply:
    return await _reply(door, asked, "inbox.decide", {**asked.body, "id": asked.path["id"]})


def _flow_end(name: str, about: str, body: Schema) -> Endpoint:
    return Endpoint(
        name=f"flows.{name}", method="POST", path=f"/v1/flows/{{id}}/{name}", about=about, tag="flows",
        handle=_ending(f"flows.{name}"), returned=_DONE, refusals=(404, 409, 422), parameters=(_ID, KEY), body=body,
        keyed=True,
    )  # fmt: skip


ENDPOINTS = (
    Endpoint(
        name="flows.list", method="GET", path="/v1/flows", about="List flows, newest first.", tag="flows",
        handle=_flows, parameters=_PAGE, refusals=(422,),
        returned={200: Returned("A page.", _FLOWS)},
    ),
    Endpoint(
        name="flows.show", method="GET", path="/v1/flows/{id}", about="Show one flow with its steps.", tag="flows",
        handle=_flow, parameters=(_ID,), refusals=(404,),
        returned={200: Returned("As it is.", reference("ListedFlow"))},
    ),
    _flow_end("cancel", "Cancel a flow where that is safe.", closed({})),
    _flow_end("retry", "Run a failed flow again from its journal.", closed({})),
    _flow_end("skip", "Let a flow go on as if the time had come until which it waits.", closed({})),
    _flow_end("kill", "End a flow that will not end; who and why is recorded.",
              closed({"reason": text(chars_max=2000, minLength=1)})),
    Endpoint(
        name="inbox.list", method="GET", path="/v1/inbox", about="List what waits for a person.", tag="inbox",
        handle=_inbox, parameters=(Parameter("state", {"type": "string", "enum": ["open", "approved", "declined"]}),),
        returned={200: Returned("All of it.", closed({"inbox": {"type": "array", "items": _ITEM}}))},
    ),
    Endpoint(
        name="inbox.decide", method="POST", path="/v1/inbox/{id}", about="Approve or decline what waits.", tag="inbox",
        handle=_decide, parameters=(_ID.replace(about="The item's id."), KEY), refusals=(404, 409, 422),
        body=_DECIDED, keyed=True, returned=_DONE | {202: UNDER_WAY},
    ),
    Endpoint(
        name="approvals.list", method="GET", path=ASKED, about="List what waits for approvals of people here.",
        tag="approvals", handle=_approvals, refusals=(422,), returned={200: Returned("A page.", _APPROVALS)},
        parameters=(Parameter("ended", {"type": "boolean"}, "What waits no longer."), *_PAGE[-2:]),
    ),
    Endpoint(
        name="approvals.decide", method="POST", path=f"{ASKED}/{{id}}", tag="approvals", handle=_approve,
        about="Approve or decline what was asked for; it begins when all have approved.", keyed=True, body=_DECIDED,
        parameters=(_ID.replace(about="The approval's id."), KEY, PREFER), refusals=(404, 409, 422),
        returned={200: Returned("It is done; or decided.", {"anyOf": [reference("Flow"), reference("Asked")]}),
                  202: UNDER_WAY},
    ),
    Endpoint(
        name="approvals.withdraw", method="POST", path=f"{ASKED}/{{id}}/withdraw", tag="approvals", handle=_withdraw,
        about="Take back what waits for approvals.", keyed=True, body=closed({}), refusals=(404, 409, 422),
        parameters=(_ID.replace(about="The approval's id."), KEY),
        returned={200: Returned("It is taken back.", reference("Asked"))},
    ),
)  # fmt: skip
"""See the module."""
