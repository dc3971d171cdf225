"""Refusals as problem details (RFC 9457): which status belongs to which code. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interfirm.api.rest.endpoints import PROBLEM, Reply
from interfirm.api.rest.schemas import Schema, closed, text
from interfirm.base.errors import Refusal

STATUSES: Mapping[str, int] = {
    "access.approval": 409, "access.token": 401, "access.unknown-caller": 401, "access": 403,
    "contract.choice": 404, "contract.template": 404, "desk.operation": 404, "flow.unknown": 404, "http.path": 404,
    "inbox.unknown": 404, "vault.attachment-unknown": 404, "webhook.unknown": 404, "vault.unknown": 404,
    "vault.archived": 410,
    "http.method": 405, "http.slow": 408,
    "flow.declined": 422, "flow.no-answer": 422,
    "flow": 409, "http.key-in-use": 409, "http.key-reused": 409, "inbox": 409, "notary.consumed": 409,
    "notary.locked": 409, "vault.locked": 409, "vault.not-active": 409,
    "http.size": 413, "vault.attachment-size": 413, "http.target": 414, "http.media-type": 415, "http.head": 431,
    "http.origin": 403, "http": 400,
    "node.fault": 500, "vault.damaged": 500,
    "http.crowded": 503, "node.not-ready": 503, "node.paused": 503,
    "vault.busy": 503, "vault.in-use": 503, "vault.storage": 503,
}  # fmt: skip
"""Code, or family of codes, -> status. What is in neither was understood and is against a rule: 422."""
BY_RULE = 422
ABOUT: Mapping[int, str] = {
    400: "The request is not what this document says; `errors` tells what is wrong, and where.",
    401: "Nobody is known by this token or session.",
    403: "The caller's roles do not allow this.",
    404: "There is no such thing, or the caller may not see it.",
    405: "This method is not for this path; `Allow` tells which are.",
    408: "The request came too slowly.",
    409: "It conflicts with what is there: used meanwhile, ended, or another request under the same idempotency key.",
    410: "It was here, and is in an archive now; `values` tell in which.",
    413: "The body is too large.",
    414: "The path and query are too long.",
    415: "The body's media type is not taken here.",
    422: "It was understood, and a rule or a signer says no; `code` names the rule.",
    429: "Too many tried; `Retry-After` tells when to try again.",
    431: "The headers are too large.",
    500: "The node failed over this; its log says why.",
    502: "The firm's provider of sign-in does not answer as it should.",
    503: "The node cannot do this now; try again.",
}
"""What each status of a problem means."""
FAULT = Refusal("node.fault", "the node failed over this request")


def problem_schema() -> Schema:
    """The schema of every problem's body."""
    error = closed({"at": text(about="A JSON Pointer, or a parameter's name."), "reason": text()})
    properties: dict[str, Schema] = {
        "type": text(about="`urn:interfirm:refusal:` and the code."), "title": text(about="One sentence."),
        "status": {"type": "integer"}, "code": text(about="The refusal's stable code."),
        "values": {"type": "object", "description": "The values that broke the rule."},
        "errors": {"type": "array", "items": error}, "flow": text(about="The flow that was refused."),
    }  # fmt: skip
    return closed(properties, ["type", "title", "status", "code", "values"])


def status_of(code: str) -> int:
    """The status that belongs to a refusal's code."""
    return STATUSES.get(code, STATUSES.get(code.partition(".")[0], BY_RULE))


def problem(refusal: Refusal, *, flow: str = "") -> Reply:
    """The reply to a request that was refused."""
    plain = refusal.as_plain()
    values: dict[str, Any] = plain["values"]
    errors = values.pop("errors", None)
    status = status_of(refusal.code)
    body = {
        "type": f"urn:interfirm:refusal:{refusal.code}", "title": refusal.message, "status": status,
        "code": refusal.code, "values": values,
    }  # fmt: skip
    body |= ({"errors": errors} if errors else {}) | ({"flow": flow} if flow else {})
    return Reply(status=status, body=body, headers=_headers(status, values), media_type=PROBLEM)


def _headers(status: int, values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    if status == 401:
        return (("WWW-Authenticate", 'Bearer realm="interfirm"'),)
    if status == 405:
        return (("Allow", ", ".join(values.get("allowed", ()))),)
    return (("Retry-After", "1"),) if status == 503 else ()
