"""Webhooks over HTTP: made, listed, tried again, taken away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from interfirm.api.rest.endpoints import Asked, Endpoint, Parameter, Reply, Returned
from interfirm.api.rest.following import KEY
from interfirm.api.rest.schemas import Schema, closed, text

if TYPE_CHECKING:
    from interfirm.api.rest.door import Door

PATH = "/v1/webhooks"
_ID = Parameter("id", text("^[0-9a-f]{32}$", chars_max=32), "The webhook.", "path", example="0" * 32)
_HOOK: dict[str, Schema] = {
    "id": text(), "person": text(about="Whose roles say what is sent."), "url": text(), "template": text(),
    "delivered": {"type": "integer", "description": "The number of the last change that was delivered."},
    "attempts": {"type": "integer", "description": "How often the next one has failed."},
    "failure": text(about="The code of the last failure; empty where all is well."), "stopped": {"type": "boolean"},
}  # fmt: skip
_SECRET = text(about="What deliveries are signed with (Standard Webhooks); it is shown this once.")
_WANTED = closed(
    {"url": text("^https?://[!-~]+$", chars_max=2_000), "template": text("^[a-z_]+[.][A-Za-z0-9_]+$", chars_max=200)},
    ["url"],
)


def endpoints(look: Callable[[], None]) -> tuple[Endpoint, ...]:
    """The endpoints; `look` is called when the list of webhooks has changed."""

    def ask(name: str, *, status: int = 200) -> Callable[[Door, Asked], Awaitable[Reply]]:
        async def handle(door: Door, asked: Asked) -> Reply:
            answer = await door.port.ask(asked.caller, name, {**(asked.body or {}), **asked.path})
            assert isinstance(answer, dict), name
            if name != "webhooks.list":
                look()
            return Reply(status, answer)

        return handle

    one = Returned("As it is now.", closed(_HOOK))
    return (
        Endpoint(
            name="webhooks.new", method="POST", path=PATH, tag="events", handle=ask("webhooks.new", status=201),
            about="Send what contracts do from now on to an address.", refusals=(404, 422), body=_WANTED,
            returned={201: Returned("It is made.", closed({**_HOOK, "secret": _SECRET}))},
        ),
        Endpoint(
            name="webhooks.list", method="GET", path=PATH, tag="events", handle=ask("webhooks.list"),
            about="List your webhooks, and how they fare.",
            returned={200: Returned("All.", closed({"webhooks": {"type": "array", "items": closed(_HOOK)}}))},
        ),
        Endpoint(
            name="webhooks.resume", method="POST", path=f"{PATH}/{{id}}/resume", tag="events", refusals=(404,),
            handle=ask("webhooks.resume"), about="Try a webhook again now.", body=closed({}), returned={200: one},
            parameters=(_ID, KEY), keyed=True,
        ),
        Endpoint(
            name="webhooks.delete", method="DELETE", path=f"{PATH}/{{id}}", tag="events", refusals=(404,),
            handle=ask("webhooks.delete"), about="Send nothing more.", parameters=(_ID,), returned={200: one},
        ),
    )  # fmt: skip
