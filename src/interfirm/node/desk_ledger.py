"""Operations about where contracts live: moving them from one notary to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.node.desk import Answer, Desk, Operation, Start
from interfirm.node.flows.moves import CHANGE, MoveArguments
from interfirm.node.flows.types import AskedFlow
from interfirm.node.forms import read_instant, ref_of


def _move(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Move the contract `ref` to the notary `to`, which may take it `until` then."""
    until = arguments.get("until")
    asked = MoveArguments(
        ref=ref_of(_text(arguments, "ref")), to=desk.names.notary_of(_text(arguments, "to")),
        until_ms=None if until is None else _instant(until), note=str(arguments.get("note", "")),
    )  # fmt: skip
    return Start(event=AskedFlow(id=desk.request_id(arguments), kind=CHANGE, arguments=msgspec.msgpack.encode(asked)))


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal("form.fields", "an argument is missing", argument=name)
    return value


def _instant(value: Any) -> int:
    try:
        return read_instant(value).ms
    except (ValueError, AttributeError) as error:
        raise Refusal("form.value", "a time is ISO 8601 with a zone", field="until", value=str(value)[:80]) from error


OPERATIONS: dict[str, Operation] = {"contracts.move": _move}
"""See the module; the composition root adds them to a desk's own."""
