"""A flow's journal: one entry for each await, in the order in which the flow's code awaits. Pure.

An entry is a list of what was awaited and what came of it; the first entry names the version.
"""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.node.flows.context import Cancelled
from interfirm.node.flows.types import (
    JOURNAL_VERSION,
    JOURNAL_VERSIONS,
    AskNotary,
    AskPerson,
    Awaited,
    Decision,
    Once,
    Receive,
    Send,
    Signal,
    Sleep,
)

_VERSION, _REFUSED = "version", "refused"
_CANCELLED = "flow.cancelled"
_pack = msgspec.msgpack.encode


def first_entry() -> bytes:
    """The entry that begins a journal of the present version."""
    return _pack([_VERSION, JOURNAL_VERSION])


def version_of(first: bytes) -> int | None:
    """The version that a journal's first entry names; None for one that this code does not replay."""
    kind, version = msgspec.msgpack.decode(first)
    return version if kind == _VERSION and version in JOURNAL_VERSIONS else None


def entry(request: Awaited, result: Any) -> bytes:
    """What was awaited, and its result."""
    return _pack([name_of(request), result])


def refused_entry(refusal: Refusal) -> bytes:
    """That what was awaited was refused."""
    plain = refusal.as_plain()
    return _pack([_REFUSED, Signal(code=refusal.code, message=refusal.message, values=plain["values"])])


def cancelled_entry() -> bytes:
    """That the flow was cancelled where it waited."""
    return _pack([_REFUSED, Signal(code=_CANCELLED, message="cancelled", values={})])


def replayed(written: bytes, request: Awaited) -> tuple[Any, BaseException | None]:
    """What an entry says came of a request: a result, or what to raise.

    Raises RuntimeError where the entry is of another request: the flow's code changed its order.
    """
    kind, result = msgspec.msgpack.decode(written, type=tuple[str, msgspec.Raw])
    if kind == _REFUSED:
        return None, _raised(msgspec.msgpack.decode(result, type=Signal))
    name = name_of(request)
    if kind != name:
        raise RuntimeError(f"the journal says {kind}, the flow's code asks for {name}")
    return msgspec.msgpack.decode(result, type=_type_of(request)), None


def name_of(request: Awaited) -> str:
    """What a request is called in a journal."""
    return f"once {request.name}" if isinstance(request, Once) else type(request).__name__.lower()


def _type_of(request: Awaited) -> Any:
    match request:
        case Once():
            return request.kind
        case Send() | Sleep():
            return None
        case Receive():
            return bytes | None
        case AskNotary():
            return bytes
        case AskPerson():
            return Decision


def _raised(signal: Signal) -> BaseException:
    if signal.code == _CANCELLED:
        return Cancelled()
    return Refusal(signal.code, signal.message, **signal.values)
