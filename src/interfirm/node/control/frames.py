"""What travels on a control socket: four bytes of length, then one JSON object.

A request is `{"name": ..., "arguments": {...}}`. Answers are `{"item": {...}}` any number of times, then
`{"done": {...}}` or `{"refused": {"code", "reason", "values"}}`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS

LENGTH_BYTES = 4


def pack(value: Any) -> bytes:
    """One frame."""
    body = msgspec.json.encode(value)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def body_length(head: bytes) -> int:
    """The length that a head announces; Refusal `control.size` beyond the limit."""
    length = int.from_bytes(head, "big")
    if length > LIMITS.control_message_bytes_max:
        raise Refusal("control.size", "too large a message", bytes=length, bytes_max=LIMITS.control_message_bytes_max)
    return length


def unpack(body: bytes) -> dict[str, Any]:
    """The object of a frame; Refusal `control.malformed`."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("control.malformed", "this is no message of a control socket") from error
    if not isinstance(value, dict):
        raise Refusal("control.malformed", "a message is an object")
    return value


def refusal_of(plain: dict[str, Any]) -> Refusal:
    """The refusal that came over the socket."""
    return Refusal(str(plain.get("code")), str(plain.get("reason")), **dict(plain.get("values", {})))
