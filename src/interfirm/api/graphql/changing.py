"""What changes the ledger: the same operations that every door asks for, and what came of them."""

from __future__ import annotations

from typing import Any

from interfirm.api.ports import NodePort
from interfirm.api.rest.idempotency import Answers
from interfirm.base.errors import check
from interfirm.base.limits import LIMITS
from interfirm.node.access.types import Caller

WAIT_MS = 10_000
"""How long a client waits for what comes of a change, unless it says otherwise."""


class Changer:
    """Who changes something, and where; `answers` knows what was asked for under the ids of requests."""

    def __init__(self, port: NodePort, caller: Caller, answers: Answers) -> None:
        self.port = port
        self.caller = caller
        self.answers = answers


async def change(changer: Changer, operation: str, given: dict[str, Any]) -> dict[str, Any]:
    """Ask for a change and wait for what comes of it; for a dry run, say what would.

    Refusal `http.key-reused` where something else was asked for under the same request id.
    """
    asked = {name: value for name, value in given.items() if value is not None and name not in ("dry_run", "wait_ms")}
    asked.setdefault("fields" if operation == "create" else "arguments", {})
    if given.get("dry_run"):
        return {"preview": await changer.port.ask(changer.caller, "preview", asked)}
    wait_ms = given.get("wait_ms")
    wait_ms = WAIT_MS if wait_ms is None else wait_ms
    check(0 < wait_ms <= LIMITS.http_wait_ms_max, "graphql.wait", "wait some time, but not so long",
          wait_ms_max=LIMITS.http_wait_ms_max)  # fmt: skip
    if not asked.get("request"):
        return await _done(changer, operation, asked, wait_ms)
    return await changer.answers.bound(
        changer.caller, asked["request"], {"operation": operation, **asked},
        lambda: _done(changer, operation, asked, wait_ms),
    )  # fmt: skip


async def _done(changer: Changer, operation: str, asked: dict[str, Any], wait_ms: int) -> dict[str, Any]:
    answer = await changer.port.ask(changer.caller, operation, {**asked, "wait_ms": wait_ms, "progress": False})
    if not isinstance(answer, dict):
        answer = [part async for part in answer][-1]
    return _flow(answer["flow"]) if "flow" in answer else {"approval": answer.get("approval"), "result": answer}


def _flow(flow: dict[str, Any]) -> dict[str, Any]:
    """A flow with what it made, or why it did not."""
    result = flow["result"] or {}
    made = result.get("created", ()) if flow["state"] == "done" else ()
    return {
        **flow, "transaction": result.get("transaction"),
        "created": [f"{result['transaction']}:{index}" for _, index in made],
        "code": result.get("code"), "reason": result.get("reason"),
    }  # fmt: skip
