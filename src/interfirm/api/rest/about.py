"""Who asks, what there is, business operations by name, and whether the node is well, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interfirm.api.rest.arguments import ANYTHING, schema_of
from interfirm.api.rest.endpoints import Asked, Endpoint, Parameter, Reply, Returned
from interfirm.api.rest.following import KEY, PREFER, UNDER_WAY, started
from interfirm.api.rest.judging import faults
from interfirm.api.rest.schemas import Schema, closed, text
from interfirm.base.errors import Refusal

if TYPE_CHECKING:
    from interfirm.api.rest.door import Door

_TEXTS: Schema = {"type": "array", "items": text()}
_NAME = Parameter("name", text(r"^[a-z][a-z0-9.-]{0,79}$", chars_max=80), "The operation.", place="path")


async def _me(door: Door, asked: Asked) -> Reply:
    node = await door.port.ask(asked.caller, "whoami", {})
    caller = asked.caller
    scopes = None if caller.scopes is None else list(caller.scopes)
    return Reply(200, {"name": caller.name, "roles": list(caller.roles), "scopes": scopes, "node": node})


async def _templates(door: Door, asked: Asked) -> Reply:
    return Reply(200, {"templates": [
        {
            "name": shown.path, "package": shown.code.id.package.hex(), "create": shown.create,
            "about": (shown.code.cls.__doc__ or "").strip().partition("\n")[0],
            "fields": [name for name in shown.code.fields if name not in shown.hidden],
            "choices": [name for name in shown.code.choices if name in shown.choices],
        }
        for shown in door.port.templates(asked.caller)
    ]})  # fmt: skip


async def _operate(door: Door, asked: Asked) -> Reply:
    name = asked.path["name"]
    known = next((each for each in door.port.operations(asked.caller) if each.name == name), None)
    if known is None:
        raise Refusal("desk.operation", "there is no such operation", operation=name)
    if wrong := faults(schema_of(known.takes), asked.body, door.schemas.components):
        raise Refusal("http.shape", "the request is not what is documented", errors=wrong)
    return await started(door, asked, name, dict(asked.body))


async def _health(door: Door, asked: Asked) -> Reply:
    return Reply(200, {"status": "alive"})


async def _ready(door: Door, asked: Asked) -> Reply:
    found = door.port.ready()
    if not found["ready"]:
        raise Refusal("node.not-ready", "the node cannot work now", reason=found.get("reason", ""))
    return Reply(200, {"status": "ready"})


async def _entities(door: Door, asked: Asked) -> Reply:
    return Reply(200, await _told(door, asked, "entities.list"))


async def _told(door: Door, asked: Asked, name: str) -> dict[str, Any]:
    found = await door.port.ask(asked.caller, name, {})
    assert isinstance(found, dict), "no flow is started here"
    return found


_TEMPLATE = closed({
    "name": text(), "package": text(), "create": {"type": "boolean"}, "about": text(), "fields": _TEXTS,
    "choices": _TEXTS,
})  # fmt: skip
_NODE = closed({"name": text(), "identity": text(), "now_ms": {"type": "integer"}})
_CALLER = closed({
    "name": text(), "roles": _TEXTS, "scopes": {"anyOf": [_TEXTS, {"type": "null"}]}, "node": _NODE,
})  # fmt: skip
_ENTITIES = closed({"entities": {
    "type": "array", "items": closed({"slug": text(), "name": text(), "url": text()}),
}})  # fmt: skip
_STATUS = closed({"status": text()})
OPERATION = Endpoint(
    name="operations", method="POST", path="/v1/operations/{name}", about="Ask for a business operation by name.",
    tag="operations", handle=_operate, parameters=(_NAME, KEY, PREFER), refusals=(404, 409, 422), body=ANYTHING,
    keyed=True, returned={200: Returned("What came of it.", {"type": "object"}), 202: UNDER_WAY},
)  # fmt: skip
"""Every operation is an endpoint like this one, with a body of its own."""
ENDPOINTS = (
    Endpoint(
        name="me", method="GET", path="/v1/me", about="Say who asks, and whose node this is.", tag="node",
        handle=_me, returned={200: Returned("Who asks.", _CALLER)},
    ),
    Endpoint(
        name="templates", method="GET", path="/v1/templates", about="List the templates that the caller may see.",
        tag="node", handle=_templates,
        returned={200: Returned("All.", closed({"templates": {"type": "array", "items": _TEMPLATE}}))},
    ),
    Endpoint(
        name="entities", method="GET", path="/v1/entities",
        about="List the firms of the group that this node runs and the caller may enter, and where their doors are.",
        tag="node", handle=_entities, returned={200: Returned("All.", _ENTITIES)},
    ),
    Endpoint(
        name="health", method="GET", path="/health", about="Say that the process is alive.", tag="node",
        handle=_health, returned={200: Returned("It is.", _STATUS)}, opened=True,
    ),
    Endpoint(
        name="ready", method="GET", path="/ready", about="Say whether the node can work.", tag="node",
        handle=_ready, returned={200: Returned("It can.", _STATUS)}, refusals=(503,), opened=True,
    ),
)  # fmt: skip
"""See the module."""
