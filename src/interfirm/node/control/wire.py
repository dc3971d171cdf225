"""Messages of the control socket: a 4-byte big-endian length, then JSON."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS

_LENGTH = struct.Struct(">I")
_encode = msgspec.json.Encoder().encode


class Request(msgspec.Struct, frozen=True):
    """What a program wants of the node."""

    name: str
    args: dict[str, Any] = {}


class Item(msgspec.Struct, frozen=True, tag_field="kind", tag="item"):
    """One part of an answer: progress, a row, or the only part."""

    value: dict[str, Any]


class End(msgspec.Struct, frozen=True, tag_field="kind", tag="end"):
    """The answer is complete."""


class Refused(msgspec.Struct, frozen=True, tag_field="kind", tag="refused"):
    """The answer is no; nothing comes after it."""

    code: str
    reason: str
    values: dict[str, Any] = {}


_requests = msgspec.json.Decoder(Request)
_answers: msgspec.json.Decoder[Item | End | Refused] = msgspec.json.Decoder(Item | End | Refused)


def pack(message: Request | Item | End | Refused) -> bytes:
    """The bytes of one message; Refusal `control.size` beyond the limit."""
    data = _encode(message)
    _check_size(len(data))
    return _LENGTH.pack(len(data)) + data


async def read_request(reader: asyncio.StreamReader) -> Request:
    """The next request; Refusal `control.size` or `control.malformed`, EOFError when there is none."""
    try:
        return _requests.decode(await _read(reader))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal("control.malformed", "this is no request", reason=str(error)) from error


async def read_answer(reader: asyncio.StreamReader) -> Item | End | Refused:
    """The next part of an answer; raises as `read_request`."""
    try:
        return _answers.decode(await _read(reader))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal("control.malformed", "this is no answer", reason=str(error)) from error


async def _read(reader: asyncio.StreamReader) -> bytes:
    (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    _check_size(size)
    return await reader.readexactly(size)


def _check_size(size: int) -> None:
    size_max = LIMITS.control_message_bytes_max
    check(size <= size_max, "control.size", "the message is too large for the control socket", bytes=size, max=size_max)
