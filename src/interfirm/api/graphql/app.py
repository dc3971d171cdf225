"""The GraphQL door over HTTP: POST, and GET for what reads alone. Source: GraphQL over HTTP (September 2025 draft)."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from interfirm.api.graphql.execution import FAULT, Executor, asked_of, refused
from interfirm.api.graphql.ports import GraphPort
from interfirm.api.graphql.streaming import Streams
from interfirm.api.rest.endpoints import JSON
from interfirm.api.rest.idempotency import Answers
from interfirm.api.rest.problems import status_of
from interfirm.api.rest.reading import check_head, check_media_type, check_origin, chunks, json_of
from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS

PATH = "/graphql"
_log = structlog.get_logger("interfirm.graphql")
_STATUSES = {"graphql.persisted-unknown": 200}
"""Clients of persisted queries expect so."""


def graphql_routes(port: GraphPort, answers: Answers) -> list[BaseRoute]:
    """The routes of the door: `POST` and `GET /graphql`, and the same path as a WebSocket for streams."""
    executor = Executor(port, answers)

    async def serve(request: Request) -> Response:
        return await _served(executor, request)

    return [Route(PATH, serve, methods=["POST", "GET"]), WebSocketRoute(PATH, Streams(executor).serve)]


async def _served(executor: Executor, request: Request) -> Response:
    try:
        check_head(request)
        caller = executor.port.caller(request.headers)
        if caller.door == "session":
            check_origin(request)
        asked = asked_of(await _body(request) if request.method == "POST" else _query(request))
        return _written(await executor.answer(caller, asked, reading_only=request.method != "POST"), 200)
    except Refusal as refusal:
        return _written(refused(refusal), _status(refusal))
    except Exception:
        _log.exception("graphql.fault")
        return _written(refused(FAULT), 500)


def _status(refusal: Refusal) -> int:
    family = refusal.code.partition(".")[0]
    return _STATUSES.get(refusal.code, 400 if family == "graphql" else status_of(refusal.code))


async def _body(request: Request) -> Any:
    check_media_type(request.headers, JSON)
    return json_of(b"".join([part async for part in chunks(request, bytes_max=LIMITS.http_body_bytes_max)]), at="")


def _query(request: Request) -> dict[str, Any]:
    """What the query of an address asks; variables and extensions are JSON there."""
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        check(name not in given, "graphql.shape", "a parameter stands there twice", parameter=name[:80])
        given[name] = json_of(value.encode(), at=name) if name in ("variables", "extensions") else value
    return given


def _written(answer: dict[str, Any], status: int) -> Response:
    headers = {"WWW-Authenticate": 'Bearer realm="interfirm"'} if status == 401 else {}
    return Response(msgspec.json.encode(answer), status_code=status, headers=headers, media_type=JSON)
