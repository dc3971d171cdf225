"""Canonical bytes: strict dag-cbor without floats, typed by msgspec (spec clause 1).

Everything hashed or signed is one dag-cbor block. `encode` gives the only bytes a value has; `decode` refuses every
other spelling by encoding again and comparing, because decoders accept more than the deterministic profile allows.
Source: the IPLD dag-cbor specification; RFC 8949 section 4.2.
"""

from __future__ import annotations

from typing import Any, TypeVar

import libipld
import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS

T = TypeVar("T")
_encode_block = libipld.encode_dag_cbor
_decode_block = libipld.decode_dag_cbor
_KEPT = (bytes,)
# By way of msgpack, because tuples must become lists and msgspec.to_builtins keeps them; both steps are in C.
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


def plain(value: Any) -> Any:
    """The builtins (lists, maps, int, str, bytes, bool, None) that `value` is encoded as."""
    return _unpack(_pack(value))


def encode(value: Any) -> bytes:
    """The canonical dag-cbor block of a value; integers lie in -2**63 .. 2**64 - 1, floats do not exist.

    Raises Refusal `codec.value` for what has no canonical form.
    """
    try:
        return _encode_block(_unpack(_pack(value)))
    except (TypeError, ValueError, OverflowError) as error:
        raise Refusal("codec.value", "this value has no canonical form", reason=str(error)[:200]) from error


def encode_plain(value: Any) -> bytes:
    """`encode` for builtins alone, without the typing step (hot paths)."""
    return _encode_block(value)


def decode_plain(data: bytes, *, bytes_max: int = LIMITS.message_bytes_max) -> Any:
    """The builtins of one canonical block.

    Raises Refusal `codec.size` beyond `bytes_max`, `codec.malformed` for bytes that are no block, `codec.depth` for
    nesting beyond the limit, `codec.value` for floats, and `codec.not-canonical` for a second spelling of a block
    (wrong order, long integers, trailing bytes).
    """
    value = _decoded(data, bytes_max)
    if _encode_block(value) != data:
        raise Refusal("codec.not-canonical", "the block is not in its canonical spelling", bytes=len(data))
    _check_plain(value, LIMITS.depth_max)
    return value


def decode(data: bytes, kind: type[T], *, bytes_max: int = LIMITS.message_bytes_max) -> T:
    """The value of type `kind` in one canonical block; as `decode_plain`, and `codec.shape` for another shape."""
    value = _decoded(data, bytes_max)
    typed = _typed(value, kind)
    if _encode_block(_unpack(_pack(typed))) != data:
        # one comparison settles both: a second spelling of the bytes, and parts that the type does not keep
        if _encode_block(value) != data:
            raise Refusal("codec.not-canonical", "the block is not in its canonical spelling", bytes=len(data))
        raise Refusal("codec.shape", "the block holds more than its type has", kind=_name(kind))
    return typed


def from_plain(value: Any, kind: type[T]) -> T:
    """The value of type `kind` that builtins stand for; Refusal `codec.shape` where they stand for none or for more."""
    typed = _typed(value, kind)
    if encode(typed) != _encode_block(value):
        raise Refusal("codec.shape", "the block holds more than its type has", kind=_name(kind))
    return typed


def _decoded(data: bytes, bytes_max: int) -> Any:
    if len(data) > bytes_max:
        raise Refusal("codec.size", "the block is larger than allowed", bytes=len(data), bytes_max=bytes_max)
    try:
        return _decode_block(data)
    except RecursionError as error:
        raise Refusal("codec.depth", "the block is nested too deeply", depth_max=LIMITS.depth_max) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise Refusal("codec.malformed", "these bytes are not a dag-cbor block", reason=str(error)[:200]) from error


def _typed(value: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind, builtin_types=_KEPT)
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise Refusal("codec.shape", "the block does not have the expected shape", reason=str(error)[:200]) from error


def _name(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))


def _check_plain(value: Any, depth_left: int) -> None:
    """Refuse what the profile has no place for (floats), and nesting beyond the limit."""
    kind = type(value)
    if kind is list or kind is dict:
        if not depth_left:
            raise Refusal("codec.depth", "the block is nested too deeply", depth_max=LIMITS.depth_max)
        for item in value if kind is list else value.values():
            _check_plain(item, depth_left - 1)
    elif kind is float:
        raise Refusal("codec.value", "floats have no place in a block")
