"""The OpenAPI 3.1 document of a node's REST interface, as one caller sees it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

from interfirm.api.ports import ShownOperation, ShownTemplate
from interfirm.api.rest import about, contracts
from interfirm.api.rest.arguments import schema_of
from interfirm.api.rest.endpoints import (
    BINARY,
    JSON,
    NOTHING,
    PROBLEM,
    Described,
    Elsewhere,
    Endpoint,
    Parameter,
    Returned,
)
from interfirm.api.rest.events import CHANGE
from interfirm.api.rest.following import KEY, PREFER, flow_schemas
from interfirm.api.rest.problems import ABOUT, problem_schema
from interfirm.api.rest.schemas import Schema, Schemas, reference

_EVERYWHERE = (414, 431, 500, 503)
_SHARED = (KEY, PREFER)
_HEADERS = {
    "Location": "Where what was made, or what is under way, is found.",
    "Retry-After": "After how many seconds to ask again.",
    "ETag": "What to send as `If-None-Match`.",
    "Content-Disposition": "The file's name.",
}
_INTRODUCTION = """What this node holds and can do, as your roles allow.

Amounts are decimal texts in a currency's own digits, never floating point. What changes the ledger answers when its
flow has ended (200, 201), or with 202 and the flow's `Location` where that takes longer; `Prefer` says how long to
wait. An `Idempotency-Key` makes it safe to send a request again. A refusal is a problem (RFC 9457) with a `code` that
does not change. `/v1` stays as it is: what goes carries `Deprecation` and `Sunset` headers for six months at least."""


def document(
    endpoints: Iterable[Described],
    templates: Sequence[ShownTemplate],
    operations: Sequence[ShownOperation],
    *,
    title: str,
    server: str = "/",
    elsewhere: Elsewhere = NOTHING,
) -> dict[str, Any]:
    """The document with these endpoints, and those of the templates and operations; `server` is what all is under."""
    schemas, known = Schemas(), _known_by(elsewhere.cookie)
    schemas.components |= {"Problem": problem_schema(), "Change": CHANGE, **flow_schemas()}
    every: list[Described] = [*endpoints, *elsewhere.endpoints]
    for shown in templates:
        every += contracts.documented(shown, contracts.concrete(shown, schemas))
    every += [_operation(shown) for shown in operations]
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in every:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _described(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version("interfirm"), "description": _INTRODUCTION,
                 "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": server}],
        "security": [{name: []} for name in known],
        "tags": [{"name": tag} for tag in dict.fromkeys(endpoint.tag for endpoint in every)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "responses": {
                str(status): {"description": meaning, "content": {PROBLEM: {"schema": reference("Problem")}}}
                for status, meaning in ABOUT.items()
            },
            "parameters": {each.name: _parameter(each) for each in _SHARED},
            "securitySchemes": known,
        },
    }  # fmt: skip


def _known_by(cookie: str) -> dict[str, Any]:
    """The ways in which a caller is known."""
    token = {"type": "http", "scheme": "bearer", "description": "A token that the node's administrator gave out."}
    about = "The cookie of who signed in. What changes something also takes the session's `csrf` as `X-CSRF-Token`."
    session = {"type": "apiKey", "in": "cookie", "name": cookie, "description": about}
    return {"token": token, **({"session": session} if cookie else {})}


def _operation(shown: ShownOperation) -> Endpoint:
    return about.OPERATION.replace(
        name=shown.name, path=f"/v1/operations/{shown.name}", about=shown.about or shown.name,
        body=schema_of(shown.takes),
        parameters=tuple(each for each in about.OPERATION.parameters if each.place != "path"),
    )  # fmt: skip


def _described(endpoint: Described) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": endpoint.name, "summary": endpoint.about, "tags": [endpoint.tag],
        "responses": _responses(endpoint),
    }  # fmt: skip
    if endpoint.parameters:
        found["parameters"] = [
            {"$ref": f"#/components/parameters/{each.name}"} if each in _SHARED else _parameter(each)
            for each in endpoint.parameters
        ]
    if endpoint.file:
        binary: Schema = {"type": "string", "contentMediaType": BINARY}
        found["requestBody"] = {"required": True, "content": {BINARY: {"schema": binary}}}
    if endpoint.body is not None:
        found["requestBody"] = {"required": endpoint.body_needed(), "content": {JSON: {"schema": endpoint.body}}}
    if endpoint.opened:
        found["security"] = []
    elif endpoint.signed_in:
        found["security"] = [{"session": []}]
    if endpoint.deprecated is not None:
        found |= {"deprecated": True, "description": f"Goes on {endpoint.deprecated.sunset}; use "
                                                     f"{endpoint.deprecated.instead}."}  # fmt: skip
    return found


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {"name": parameter.name, "in": parameter.place, "description": parameter.about}
    if parameter.place == "path" or parameter.required:
        found["required"] = True
    if parameter.schema.get("type") == "object":
        found["content"] = {JSON: {"schema": parameter.schema}}
        return found
    return found | {"schema": parameter.schema} | ({"example": parameter.example} if parameter.example else {})


def _responses(endpoint: Described) -> dict[str, Any]:
    found = {str(status): _response(returned) for status, returned in sorted(endpoint.returned.items())}
    return found | {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(_refused(endpoint))}


def _refused(endpoint: Described) -> set[int]:
    """The statuses of problems: those said of it, and those that follow from what it takes."""
    found = {400, *_EVERYWHERE, *endpoint.refusals}
    if not endpoint.opened:
        found |= {401, 403}
    if endpoint.body is not None or endpoint.file:
        found |= {408, 413, 415}
    return found - endpoint.returned.keys()


def _response(returned: Returned) -> dict[str, Any]:
    found: dict[str, Any] = {"description": returned.about}
    if returned.schema is not None:
        found["content"] = {returned.media_type: {"schema": returned.schema}}
    elif returned.media_type != JSON:
        found["content"] = {
            returned.media_type: {"schema": {"type": "string", "contentMediaType": returned.media_type}}
        }
    if returned.headers:
        found["headers"] = {
            name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in returned.headers
        }
    return found
