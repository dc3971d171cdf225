"""Contracts over HTTP: the endpoints of each template, made from its fields and choices."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from interfirm.api.ports import ShownTemplate
from interfirm.api.rest.endpoints import Asked, Endpoint, Parameter, Reply, Returned
from interfirm.api.rest.following import KEY, PREFER, UNDER_WAY, started
from interfirm.api.rest.schemas import REF, Schema, Schemas, closed, or_null, reference, text
from interfirm.base.errors import check
from interfirm.base.limits import LIMITS
from interfirm.contracts.packages import TemplateCode
from interfirm.node.vault.columns import plan_of
from interfirm.node.vault.listing import LIMIT_MAX, ORDER_FIELDS_MAX, TIME

if TYPE_CHECKING:
    from interfirm.api.rest.door import Door

LIST, SHOW, HISTORY, PROOF, CREATE, EXERCISE = "list", "show", "history", "proof", "create", "exercise {choice}"
ROUTES = (
    ("/v1/contracts/{template}", {"GET": LIST, "POST": CREATE}),
    ("/v1/contracts/{template}/{ref}", {"GET": SHOW}),
    ("/v1/contracts/{template}/{ref}/history", {"GET": HISTORY}),
    ("/v1/contracts/{template}/{ref}/proof", {"GET": PROOF}),
    ("/v1/contracts/{template}/{ref}/{choice}", {"POST": EXERCISE}),
)
"""Path -> method -> which endpoint of the template answers."""
_TOTAL: Schema = closed(
    {
        "count": {"type": "integer"},
        "exact": {"type": "boolean", "description": "Exact up to 10,000; beyond that the count is an estimate."},
    }
)
_STATUSES = ("active", "consumed", "locked", "all")
_REF = Parameter(
    name="ref", place="path", schema=text(REF, chars_max=74), about="The contract.", example="0" * 64 + ":0"
)
_DRY_RUN = Parameter(name="dry_run", schema={"type": "boolean"}, about="Say what would come of it, and do nothing.")
_ETAG = Parameter(name="If-None-Match", place="header", schema=text(chars_max=200), about="The `ETag` that is known.")
WHEN: dict[str, Schema] = {
    "notary": text(chars_max=256, about="Where it is to live, or lives; the network's first without it."),
    "note": text(chars_max=2000, about="Told to those who must sign."),
    "not_before": or_null(reference("Instant")),
    "until": or_null(reference("Instant")),
    "unreachable": {
        "type": "array", "items": reference("Party"), "maxItems": LIMITS.parties_count_max,
        "description": "Who is not waited for where a template names somebody in their place.",
    },
}  # fmt: skip
"""What everything that changes the ledger may be told beside its own arguments."""


def concrete(shown: ShownTemplate, schemas: Schemas) -> dict[str, Endpoint]:
    """All endpoints of one template, by what they are for."""
    contract = f"{shown.path}.Contract"
    schemas.components[contract] = _contract(shown, schemas)
    path, one = f"/v1/contracts/{shown.path}", f"/v1/contracts/{shown.path}/{{ref}}"
    page = closed(
        {"contracts": {"type": "array", "items": reference(contract)}, "next": reference("Cursor"), "total": _TOTAL},
        ("contracts", "next"),
    )
    found = {
        LIST: _reading(shown, LIST, path, _show_page, f"List contracts: {_about(shown.code.cls)}", page,
                       parameters=_listed_by(shown), refusals=(404, 422)),
        SHOW: _reading(shown, SHOW, one, _show_one, "Show one contract, with its choices and private values.",
                       _shown_whole(schemas.components[contract]), parameters=(_REF, _ETAG), refusals=(404, 410)),
        HISTORY: _reading(shown, HISTORY, f"{one}/history", _show_history, "Show what a contract came from.",
                          closed({"history": {"type": "array", "items": {"type": "object"}}}),
                          parameters=(_REF,), refusals=(404, 410)),
        PROOF: _reading(shown, PROOF, f"{one}/proof", _prove, "Prove a contract to a stranger, or some of its fields.",
                        closed({"bundle": text("^([0-9a-f]{2})+$", chars_max=2**24)}),
                        parameters=(_REF, _proved_fields(shown)), refusals=(404, 410, 422)),
        CREATE: _changing(shown, CREATE, path, _create, f"Make a contract: {_about(shown.code.cls)}", 201,
                          {"fields": schemas.fields(shown.code, "in")}, ()),
    }  # fmt: skip
    for name, choice in shown.code.choices.items():
        arguments = schemas.arguments(choice)
        found[EXERCISE.format(choice=name)] = _changing(
            shown, name, f"{one}/{name}", _exercise, _about(choice.function), 200, {"arguments": arguments}, (_REF,)
        )
    return found


def documented(shown: ShownTemplate, endpoints: Mapping[str, Endpoint]) -> list[Endpoint]:
    """The endpoints of a template that its caller may use."""
    hidden = {EXERCISE.format(choice=name) for name in shown.code.choices if name not in shown.choices}
    hidden |= set() if shown.create else {CREATE}
    return [endpoint for name, endpoint in endpoints.items() if name not in hidden]


def _about(described: Any) -> str:
    return (inspect.getdoc(described) or "").partition("\n")[0]


def _contract(shown: ShownTemplate, schemas: Schemas) -> Schema:
    parties: Schema = {"type": "array", "items": reference("Party")}
    return closed({
        "ref": reference("Ref"), "template": text(), "status": {"enum": list(_STATUSES[:3])}, "notary": text(),
        "consumer": or_null(reference("Hash")), "signatories": parties, "observers": parties,
        "fields": schemas.fields(shown.code, "out", shown.hidden),
    })  # fmt: skip


def _shown_whole(contract: Schema) -> Schema:
    """A contract with what only its own page shows."""
    objects: Schema = {"type": "array", "items": {"type": "object"}}
    more: dict[str, Schema] = {"moves": objects, "choices": {"type": "object"}, "private": {"type": "object"}}
    return closed({**contract["properties"], **more})


def _reading(
    shown: ShownTemplate, name: str, path: str, handle: Any, about: str, schema: Schema, **more: Any
) -> Endpoint:
    returned = {200: Returned("As asked.", schema)}
    if name == SHOW:
        returned = {200: Returned("As asked.", schema, headers=("ETag",)), 304: Returned("It is still as it was.")}
    return Endpoint(
        name=f"{shown.path}.{name}", method="GET", path=path, about=about, tag=shown.path, handle=handle,
        returned=returned, **more,
    )  # fmt: skip


def _changing(
    shown: ShownTemplate,
    name: str,
    path: str,
    handle: Any,
    about: str,
    status: int,
    body: dict[str, Schema],
    parameters: tuple[Parameter, ...],
) -> Endpoint:
    (part,) = body.values()
    done = Returned("It is done.", reference("Flow"), headers=("Location",) if status == 201 else ())
    preview = Returned("What would come of it, for `dry_run`.", reference("Preview"))
    if status == 200:
        either: Schema = {"anyOf": [reference("Flow"), reference("Preview")]}
        done = preview = Returned("It is done; or what would come of it, for `dry_run`.", either)
    return Endpoint(
        name=f"{shown.path}.{name}", method="POST", path=path, about=about, tag=shown.path, handle=handle,
        returned={200: preview, status: done, 202: UNDER_WAY}, refusals=(404, 409, 410, 422),
        parameters=(*parameters, _DRY_RUN, KEY, PREFER), keyed=True,
        body=closed({**body, **WHEN}, list(body) if part.get("required") else ()),
    )  # fmt: skip


def _listed_by(shown: ShownTemplate) -> tuple[Parameter, ...]:
    limit: Schema = {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}
    order = f"-?({'|'.join([TIME, *_orders(shown.code, shown.hidden)])})"
    return (
        Parameter("status", {"type": "string", "enum": list(_STATUSES)}, "Without it, those that are active."),
        Parameter("where", {"type": "object"}, "A filter over the fields, as JSON."),
        Parameter("search", text(chars_max=LIMITS.pattern_chars_max),
                  "Words that stand in texts of the contract; `bolt*` is any word that begins so."),
        Parameter("order_by", text(f"^{order}(,{order}){{0,{ORDER_FIELDS_MAX - 1}}}$", chars_max=1000),
                  "Fields with commas, each with `-` before it for the other way round; without it, by time of "
                  "acceptance. The first is found in an index, what is alike in it is sorted for each page."),
        Parameter("total", {"type": "boolean"}, "Say how many there are in all; not of one notary."),
        Parameter("after", text(chars_max=2000), "The `next` of the page before, for the same list."),
        Parameter("limit", limit, "How many at most; 50 without it."),
        Parameter("notary", text(chars_max=256, minLength=1), "Only what lives at this notary."),
    )  # fmt: skip


def _orders(code: TemplateCode, hidden: frozenset[str]) -> list[str]:
    return [name for name in plan_of(code.fields).orders if name not in hidden]


def _proved_fields(shown: ShownTemplate) -> Parameter:
    names = "|".join(name for name in shown.code.fields if name not in shown.hidden)
    pattern = f"^({names})(,({names})){{0,{LIMITS.fields_count_max}}}$"
    return Parameter("fields", text(pattern, chars_max=4000), "Names of fields, with commas; all without it.")


# handlers -------------------------------------------------------------------------------------------------------------


async def _answer(door: Door, asked: Asked, name: str, **arguments: Any) -> dict[str, Any]:
    answer = await door.port.ask(asked.caller, name, arguments)
    assert isinstance(answer, dict), name
    return answer


async def _show_page(door: Door, asked: Asked) -> Reply:
    answer = await _answer(door, asked, "contracts.list", template=asked.path["template"], **asked.query)
    return Reply(200, answer)


async def _of_path(door: Door, asked: Asked) -> dict[str, Any]:
    """The contract of the path; Refusal `vault.unknown` also where it is of another template."""
    shown = await _answer(door, asked, "contracts.show", ref=asked.path["ref"])
    fits = shown["template"] == asked.path["template"]
    check(fits, "vault.unknown", "this contract is not in the vault", ref=asked.path["ref"])
    return shown


async def _show_one(door: Door, asked: Asked) -> Reply:
    shown = await _of_path(door, asked)
    tag = f'"{hashlib.sha256(msgspec.json.encode(shown, order="deterministic")).hexdigest()[:32]}"'
    known = [part.strip().removeprefix("W/") for part in asked.request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Reply(304, None, headers=(("ETag", tag),))
    return Reply(200, shown, headers=(("ETag", tag),))


async def _show_history(door: Door, asked: Asked) -> Reply:
    await _of_path(door, asked)
    return Reply(200, await _answer(door, asked, "contracts.history", ref=asked.path["ref"]))


async def _prove(door: Door, asked: Asked) -> Reply:
    await _of_path(door, asked)
    fields = asked.query["fields"].split(",") if "fields" in asked.query else []
    return Reply(200, await _answer(door, asked, "proof.export", ref=asked.path["ref"], fields=fields))


async def _create(door: Door, asked: Asked) -> Reply:
    given = {"template": asked.path["template"], "fields": {}, **asked.body}
    if asked.query.get("dry_run"):
        return Reply(200, await _answer(door, asked, "preview", **given))
    reply = await started(door, asked, "create", given, status=201)
    if reply.status != 201:
        return reply
    result = reply.body["result"]
    place = f"/v1/contracts/{asked.path['template']}/{result['transaction']}:{result['created'][0][1]}"
    return reply.replace(headers=(*reply.headers, ("Location", place)))


async def _exercise(door: Door, asked: Asked) -> Reply:
    await _of_path(door, asked)
    given = {"arguments": {}, **asked.body, "ref": asked.path["ref"], "choice": asked.path["choice"]}
    if asked.query.get("dry_run"):
        return Reply(200, await _answer(door, asked, "preview", **given))
    return await started(door, asked, "exercise", given)
