"""Canonical bytes: strict dag-cbor without floats, typed by msgspec (spec clause 1).

Everything hashed or signed is one dag-cbor block. `encode` gives the only bytes a value has; `decode` refuses every
other spelling by encoding again and comparing, because decoders accept more than the deterministic profile allows.
Source: the IPLD dag-cbor specification; RFC 8949 section 4.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeVar

import libipld
import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS

T = TypeVar("T")
_encode_block = libipld.encode_dag_cbor
_decode_block = libipld.decode_dag_cbor
_DECODERS: dict[Any, msgspec.msgpack.Decoder[Any]] = {}
_DECODERS_COUNT_MAX = 4_096
_TAG, _LINK, _FLOAT = 0xD8, b"\xd8\x2a", 0xFB
_LINKS = re.compile(rb"\xd8\x2a(?:[\x41-\x57]|\x58.|\x59..|\x5a....)\x00", re.DOTALL).search
"""What a link looks like, or by chance other bytes: its tag, the head of a byte string, the first byte of that."""
_INTEGER_MIN = -(2**63)
_ANY_DEPTH = -1  # never counts down to 0
# By way of msgpack, because tuples must become lists and msgspec.to_builtins keeps them; both steps are in C. Sets have
# an order of their own in each process, so they are sorted.
_pack = msgspec.msgpack.Encoder(order="deterministic").encode
_pack_as_is = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


def plain(value: Any) -> Any:
    """The builtins (lists, maps, int, str, bytes, bool, None) that `value` is encoded as."""
    return _unpack(_pack(value))


def encode(value: Any) -> bytes:
    """The canonical dag-cbor block of a value; integers lie in -2**63 .. 2**64 - 1, floats do not exist.

    Raises Refusal `codec.value` for what has no canonical form, `codec.depth` for nesting without end; `decode` has
    a limit.
    """
    try:
        builtins = _unpack(_pack(value))
        data = encode_plain(builtins)
        if _FLOAT in data:  # the first byte of a float, or any byte of something else
            _check_items((builtins,), _ANY_DEPTH)
    except RecursionError as error:
        raise _too_deep() from error
    except (TypeError, ValueError, OverflowError) as error:
        raise Refusal("codec.value", "this value has no canonical form", reason=str(error)[:200]) from error
    return data


def encode_known(value: Any) -> bytes:
    """`encode` for what was decoded, or checked like that, before: no floats are looked for again (hot paths)."""
    return encode_plain(_unpack(_pack(value)))


def encode_plain(value: Any) -> bytes:
    """`encode` for builtins alone that are known to have a canonical form, without the checks (hot paths)."""
    data: bytes = _encode_block(value)
    # libipld writes a byte string that begins like a CID, as one hash in 2,500 does, as a link; there are none here
    return _without_links(value) if _TAG in data and _LINK in data and _LINKS(data) else data


def decode_plain(data: bytes, *, bytes_max: int = LIMITS.message_bytes_max) -> Any:
    """The builtins of one canonical block.

    Raises Refusal `codec.size` beyond `bytes_max`, `codec.malformed` for bytes that are no block, `codec.depth` for
    nesting beyond the limit, `codec.value` for floats and integers out of range, and `codec.not-canonical` for a
    second spelling of a block (wrong order, long integers, links, trailing bytes).
    """
    value = _decoded(data, bytes_max)
    if encode_plain(value) != data:
        raise Refusal("codec.not-canonical", "the block is not in its canonical spelling", bytes=len(data))
    return value


def decode(data: bytes, kind: type[T], *, bytes_max: int = LIMITS.message_bytes_max) -> T:
    """The value of type `kind` in one canonical block; as `decode_plain`, and `codec.shape` for another shape."""
    value = _decoded(data, bytes_max)
    found = typed(value, kind)
    if encode_plain(value) != data:
        raise Refusal("codec.not-canonical", "the block is not in its canonical spelling", bytes=len(data))
    return found


def from_plain(value: Any, kind: type[T]) -> T:
    """The value of type `kind` that builtins stand for; Refusal `codec.shape` where they stand for none or for more."""
    _check_items((value,), LIMITS.depth_max + 1)
    return typed(value, kind)


def _decoded(data: bytes, bytes_max: int) -> Any:
    if len(data) > bytes_max:
        raise Refusal("codec.size", "the block is larger than allowed", bytes=len(data), bytes_max=bytes_max)
    try:
        value = _decode_block(data)
    except RecursionError as error:
        raise _too_deep() from error
    except (TypeError, ValueError, OverflowError) as error:
        raise Refusal("codec.malformed", "these bytes are not a dag-cbor block", reason=str(error)[:200]) from error
    _check_items((value,), LIMITS.depth_max + 1)
    return value


def typed(value: Any, kind: type[T]) -> T:
    """`from_plain` for builtins that came out of a block or of `plain`: no floats are looked for (hot paths)."""
    try:
        # by way of msgpack, all in C; maps keep their order, in which contract code goes through them
        found: T = _decoder(kind).decode(_pack_as_is(value))
        if _pack(found) != _pack(value):
            raise Refusal("codec.shape", "the block holds more than its type has", kind=_name(kind))
        return found
    except RecursionError as error:
        raise _too_deep() from error
    except (msgspec.DecodeError, ValueError, TypeError, OverflowError) as error:
        raise Refusal("codec.shape", "the block does not have the expected shape", reason=str(error)[:200]) from error


def _decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """The decoder of a type, made once; types that are made while the program runs (packages) are few."""
    found = _DECODERS.get(kind)
    if found is None:
        if len(_DECODERS) >= _DECODERS_COUNT_MAX:
            _DECODERS.clear()
        found = _DECODERS[kind] = msgspec.msgpack.Decoder(kind)
    return found


def _name(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))


def _check_items(items: Iterable[Any], levels_left: int) -> None:
    """Refuse what the profile has no place for (floats, integers below 64 bits), and nesting beyond the limit."""
    if not levels_left:
        raise _too_deep()
    for item in items:
        kind = type(item)
        if kind is bytes or kind is str:
            continue
        if kind is list:
            _check_items(item, levels_left - 1)
        elif kind is dict:
            if not all(type(key) is str for key in item):
                raise Refusal("codec.value", "the keys of a map are text")
            _check_items(item.values(), levels_left - 1)
        elif kind is float:
            raise Refusal("codec.value", "floats have no place in a block")
        elif kind is int and item < _INTEGER_MIN:
            raise Refusal("codec.value", "the integer is out of range", value=item)


def _without_links(value: Any) -> bytes:
    """The block of builtins, every byte string as a byte string."""
    kind = type(value)
    if kind is bytes:
        return b"".join((_head(2, len(value)), value))
    if kind is list or kind is tuple:
        return _head(4, len(value)) + b"".join(map(_without_links, value))
    if kind is dict:
        items = sorted((_encode_block(key), key) for key in value)  # shorter keys have lower heads
        return _head(5, len(items)) + b"".join(name + _without_links(value[key]) for name, key in items)
    data: bytes = _encode_block(value)
    return data


def _head(major: int, argument: int) -> bytes:
    first, *rest = _encode_block(argument)
    return bytes((major << 5 | first, *rest))


def _too_deep() -> Refusal:
    return Refusal("codec.depth", "the block is nested too deeply", depth_max=LIMITS.depth_max)
