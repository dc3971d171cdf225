"""Requests as bytes, read strictly: parameters, bodies, sizes, nesting, slow senders."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import ClientDisconnect, Request

from interfirm.api.rest.endpoints import BINARY, JSON, Endpoint, Parameter
from interfirm.api.rest.judging import Components, Fault, faults
from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_BOOLEANS = {"true": True, "false": False}
_UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def check_head(request: Request) -> None:
    """Refuse a request whose target or headers are too large; Refusal `http.target`, `http.head`."""
    target = len(request.scope.get("raw_path", b"")) + len(request.scope["query_string"])
    check(target <= LIMITS.http_target_bytes_max, "http.target", "the path and query are too long", bytes=target)
    size = sum(len(name) + len(value) for name, value in request.scope["headers"])
    check(size <= LIMITS.http_head_bytes_max, "http.head", "the headers are too large", bytes=size)


def check_origin(request: Request) -> None:
    """Refuse (`http.origin`) what a page of another site makes a signed-in browser send."""
    if request.method not in _UNSAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    same = site in (None, "same-origin", "none") and (
        origin is None or urlsplit(origin).netloc == request.headers.get("host")
    )
    check(same and (site or origin) is not None, "http.origin", "a session is used by pages of this node only")


def read_parameters(request: Request, endpoint: Endpoint, components: Components) -> tuple[dict[str, Any], list[Fault]]:
    """The typed parameters of the query, and what is wrong with those of query, path and headers."""
    wanted = {each.name: each for each in endpoint.parameters if each.place == "query"}
    query: dict[str, Any] = {}
    wrong: list[Fault] = []
    for name, given in request.query_params.multi_items():
        if name not in wanted:
            wrong.append({"at": name[:80], "reason": "is no parameter of this path"})
        elif name in query:
            wrong.append({"at": name, "reason": "stands there twice"})
        else:
            query[name] = _typed(wanted[name], given)
            wrong += faults(wanted[name].schema, query[name], components, name)
    for each in endpoint.parameters:
        if each.required and each.name not in query:
            wrong.append({"at": each.name, "reason": "is missing"})
        found: str | None = None
        if each.place == "path":
            found = request.path_params[each.name]
        elif each.place == "header":
            found = request.headers.get(each.name)
        if found is not None:
            wrong += faults(each.schema, found, components, each.name)
    return query, wrong


def _typed(parameter: Parameter, given: str) -> Any:
    """The value that a text stands for; the text itself where it stands for none, which its schema then refuses."""
    match parameter.schema.get("type"):
        case "integer":
            return int(given) if _INTEGER.fullmatch(given) else given
        case "boolean":
            return _BOOLEANS.get(given, given)
        case "object":
            return json_of(given.encode(), at=parameter.name)
    return given


async def read_body(request: Request, endpoint: Endpoint) -> Any:
    """The JSON of a body, None where there is none; Refusal `http.media-type`, `http.body`, and of `chunks`."""
    if endpoint.file:
        return None
    data = b"".join([chunk async for chunk in chunks(request, bytes_max=LIMITS.http_body_bytes_max)])
    if endpoint.body is None:
        check(not data, "http.body", "this path takes no body")
        return None
    if not data and not endpoint.body_needed():
        return {}
    check_media_type(request.headers, JSON)
    return json_of(data, at="")


def check_media_type(headers: Mapping[str, str], wanted: str) -> None:
    """Refuse (`http.media-type`) a body of another kind, or one that is compressed."""
    kind, _, more = headers.get("content-type", "").lower().partition(";")
    plain = more.strip() in ("", "charset=utf-8") or wanted == BINARY
    fits = kind.strip() == wanted and plain and headers.get("content-encoding", "identity") == "identity"
    check(fits, "http.media-type", "a body of this kind is not taken here", wanted=wanted, found=kind[:100])


async def chunks(request: Request, *, bytes_max: int) -> AsyncIterator[bytes]:
    """The chunks of a body; Refusal `http.size`, `http.slow`, `http.body` where its sender went away."""
    announced = request.headers.get("content-length", "0")
    too_large = not announced.isdigit() or int(announced) > bytes_max
    check(not too_large, "http.size", "the body is too large", bytes_max=bytes_max)
    size = 0
    stream = request.stream()
    try:
        async with asyncio.timeout(LIMITS.http_body_ms_max / 1000):
            while True:
                async with asyncio.timeout(LIMITS.http_stall_ms_max / 1000):
                    chunk = await anext(stream, None)
                if chunk is None:
                    return
                size += len(chunk)
                check(size <= bytes_max, "http.size", "the body is too large", bytes_max=bytes_max)
                yield chunk
    except TimeoutError as error:
        raise Refusal("http.slow", "the body came too slowly", bytes=size) from error
    except ClientDisconnect as error:
        raise Refusal("http.body", "the body ended early", bytes=size) from error


def json_of(data: bytes, *, at: str) -> Any:
    """The value of JSON, not nested too deeply; Refusal `http.body`."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("http.body", "this is no JSON", at=at, reason=str(error)[:200]) from error
    return _whole(value, LIMITS.http_depth_max, at)


def _whole(value: Any, left: int, at: str) -> Any:
    """The value with 1.0 as 1, which are one number to JSON Schema (2020-12, 4.2.3); no other float has a use here."""
    check(left > 0, "http.body", "the JSON is nested too deeply", at=at, depth_max=LIMITS.http_depth_max)
    if isinstance(value, dict):
        return {name: _whole(item, left - 1, at) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item, left - 1, at) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
