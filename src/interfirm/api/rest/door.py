"""The REST door of a node: recognises who asks, reads and judges a request, hands it on, and says no in one way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response

from interfirm.api.ports import NodePort, ShownTemplate
from interfirm.api.rest.endpoints import Asked, Deprecated, Elsewhere, Endpoint, Reply
from interfirm.api.rest.idempotency import Answers
from interfirm.api.rest.judging import faults
from interfirm.api.rest.problems import FAULT, problem
from interfirm.api.rest.reading import check_head, check_origin, read_body, read_parameters
from interfirm.api.rest.schemas import Schemas
from interfirm.base.errors import Refusal
from interfirm.base.time import DAY_MS, Day
from interfirm.node.access.types import OWNER, Caller

_log = structlog.get_logger("interfirm.http")
Concrete = Callable[[ShownTemplate, Schemas], dict[str, Endpoint]]
"""The endpoints of one template, by what they are for (`list`, `show`, `exercise accept`)."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Door:
    """See the module."""

    def __init__(
        self, port: NodePort, answers: Answers, concrete: Concrete, fixed: Sequence[Endpoint], elsewhere: Elsewhere
    ) -> None:
        self.port = port
        self.elsewhere = elsewhere
        """What another door answers, for the document alone."""
        self.fixed = fixed
        """The endpoints that are there whatever templates are loaded."""
        self.schemas = Schemas()
        """Those of all templates that were asked for, whole."""
        self._answers = answers
        self._concrete = concrete
        self._of_templates: dict[Any, dict[str, Endpoint]] = {}

    async def serve(self, request: Request, endpoint: Endpoint | str) -> Response:
        """The answer of an endpoint, or of the one that a path with a template's name leads to."""
        try:
            return _written(await self._answered(request, endpoint), endpoint)
        except Refusal as refusal:
            return _written(problem(refusal), endpoint)
        except Exception:
            _log.exception("http.fault", method=request.method, path=request.url.path)
            return _written(problem(FAULT), endpoint)

    async def _answered(self, request: Request, wanted: Endpoint | str) -> Reply | Response:
        check_head(request)
        caller = OWNER
        if isinstance(wanted, str) or not wanted.opened:
            caller = self.port.caller(request.headers)
            if caller.door == "session":
                check_origin(request)
        endpoint = self.of_path(caller, wanted, request.path_params) if isinstance(wanted, str) else wanted
        asked = await self._asked(request, endpoint, caller)
        if not endpoint.keyed or asked.query.get("dry_run"):
            return await endpoint.handle(self, asked)
        return await self._answers.once(asked, lambda: endpoint.handle(self, asked))

    def of_path(self, caller: Caller, wanted: str, path: Mapping[str, str]) -> Endpoint:
        """The endpoint that a path with a template's name leads to; Refusal `contract.template`, `contract.choice`."""
        shown = self.port.template(caller, path["template"])
        if shown is None:
            raise Refusal("contract.template", "there is no template of this name", template=path["template"][:80])
        endpoint = self.of_template(shown).get(wanted.format(**path))
        if endpoint is None:
            raise Refusal("contract.choice", "the template has no such choice", choice=path["choice"][:80])
        return endpoint

    def of_template(self, shown: ShownTemplate) -> dict[str, Endpoint]:
        """All endpoints of a template, also those that the caller may not use: the desk says no to them."""
        key = (shown.code.id, shown.path)
        if key not in self._of_templates:
            whole = ShownTemplate(shown.path, shown.code, create=True, choices=shown.code.choices)
            self._of_templates[key] = self._concrete(whole, self.schemas)
        return self._of_templates[key]

    async def _asked(self, request: Request, endpoint: Endpoint, caller: Caller) -> Asked:
        query, wrong = read_parameters(request, endpoint, self.schemas.components)
        body = await read_body(request, endpoint)
        if endpoint.body is not None:
            wrong += faults(endpoint.body, body, self.schemas.components)
        if wrong:
            raise Refusal("http.shape", "the request is not what is documented", errors=wrong)
        return Asked(
            endpoint=endpoint, caller=caller, path=request.path_params, query=query, body=body, request=request
        )


def _written(reply: Reply | Response, endpoint: Endpoint | str) -> Response:
    if isinstance(reply, Reply):
        headers = dict(reply.headers)
        reply = Response(reply.encoded(), status_code=reply.status, headers=headers, media_type=reply.media_type)
    if isinstance(endpoint, Endpoint) and endpoint.deprecated is not None:
        reply.headers.update(deprecation(endpoint.deprecated))
    return reply


def deprecation(going: Deprecated) -> dict[str, str]:
    """The headers of an endpoint that will go: since when, until when, and what takes its place."""
    return {
        "Deprecation": f"@{going.since.start().ms // 1000}",
        "Sunset": http_date(going.sunset),
        "Link": f'<{going.instead}>; rel="successor-version"',
    }


def http_date(day: Day) -> str:
    """The beginning of a day, UTC, as HTTP writes it (RFC 9110 section 5.6.7)."""
    weekday = (day.start().ms // DAY_MS + 3) % 7
    year, month, number = str(day).split("-")
    return f"{_DAYS[weekday]}, {number} {_MONTHS[int(month) - 1]} {year} 00:00:00 GMT"
