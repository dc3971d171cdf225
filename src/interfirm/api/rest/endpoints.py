"""What a REST interface is made of: endpoints with all that is documented and enforced of them, and replies. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from interfirm.api.rest.schemas import Schema
from interfirm.base.time import Day
from interfirm.base.values import Value
from interfirm.node.access.types import Caller

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from interfirm.api.rest.door import Door

JSON, PROBLEM, BINARY = "application/json", "application/problem+json", "application/octet-stream"


class Parameter(Value, frozen=True):
    """A parameter of a query, path or header; a schema of type object is written as JSON."""

    name: str
    schema: Schema
    about: str = ""
    place: Literal["query", "path", "header"] = "query"
    example: str = ""
    required: bool = False
    """Those of a path always are."""


class Returned(Value, frozen=True):
    """What a status means, the schema of its body (None: no JSON), and headers that come with it."""

    about: str
    schema: Schema | None = None
    headers: tuple[str, ...] = ()
    media_type: str = JSON


class Deprecated(Value, frozen=True):
    """An endpoint that will go: since when that is known, when it goes, and what takes its place.

    Between the two days lie six months at least. Source: RFC 9745 (Deprecation), RFC 8594 (Sunset).
    """

    since: Day
    sunset: Day
    instead: str


class Reply(Value, frozen=True):
    """An answer in JSON, before it is written."""

    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()
    media_type: str = JSON

    def encoded(self) -> bytes:
        """The body's bytes."""
        return b"" if self.body is None else msgspec.json.encode(self.body)


class Asked:
    """A request that was read and judged."""

    __slots__ = ("body", "caller", "endpoint", "path", "query", "request", "request_id")

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        caller: Caller,
        path: Mapping[str, str],
        query: Mapping[str, Any],
        body: Any,
        request: Request,
    ) -> None:
        self.endpoint, self.caller, self.path, self.query, self.body = endpoint, caller, path, query, body
        self.request = request
        self.request_id: str | None = None
        """The id under which a flow is started, so that asking twice is harmless; None where no key was sent."""


Handler: TypeAlias = "Callable[[Door, Asked], Awaitable[Reply | Response]]"


class Described(Value, frozen=True):
    """One method on one path, as the interface's document tells of it."""

    name: str
    method: Literal["GET", "POST", "DELETE"]
    path: str
    about: str
    tag: str
    returned: dict[int, Returned]
    refusals: tuple[int, ...] = ()
    """Statuses of refusals, beside those that every endpoint may answer with."""
    parameters: tuple[Parameter, ...] = ()
    body: Schema | None = None
    """The schema of its JSON body; None where it takes none."""
    keyed: bool = False
    """Whether it takes an idempotency key."""
    file: bool = False
    """Whether its body is a file."""
    opened: bool = False
    """Whether anybody may ask, without being known."""
    signed_in: bool = False
    """Whether a session alone may ask, and no token."""
    deprecated: Deprecated | None = None

    def body_needed(self) -> bool:
        """Whether a request without a body is refused."""
        return self.file or (self.body is not None and bool(self.body.get("required")))


class Endpoint(Described, frozen=True, kw_only=True):
    """One method on one path, and what answers it."""

    handle: Handler


class Elsewhere(Value, frozen=True):
    """What another door answers at the same address, and the cookie by which it makes a caller known; empty: none."""

    endpoints: tuple[Described, ...] = ()
    cookie: str = ""


NOTHING = Elsewhere()
