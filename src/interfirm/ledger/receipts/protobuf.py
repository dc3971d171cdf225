"""The few pieces of protobuf that a consensus engine hashes and signs: written, never read.

What travels is canonical dag-cbor; it is written as protobuf only to be hashed or compared with a signature. Fields
come in ascending order and those that are zero or empty are left out, as gogoproto writes them.
"""

from __future__ import annotations

from interfirm.ledger.receipts.ics23 import varint

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_SECOND_NS = 1_000_000_000


def number_field(number: int, value: int) -> bytes:
    """A field of an unsigned number, or of a signed one that is not negative."""
    return _key(number, _VARINT) + varint(value) if value else b""


def fixed64_field(number: int, value: int) -> bytes:
    """A field of type sfixed64."""
    return _key(number, _FIXED64) + value.to_bytes(8, "little", signed=True) if value else b""


def bytes_field(number: int, data: bytes) -> bytes:
    """A field of bytes, or of text as UTF-8."""
    return message_field(number, data) if data else b""


def message_field(number: int, data: bytes) -> bytes:
    """A field of a message, written also where the message is empty (gogoproto's non-nullable)."""
    return _key(number, _BYTES) + varint(len(data)) + data


def timestamp(time_ns: int) -> bytes:
    """A google.protobuf.Timestamp of nanoseconds since 1970, which are not negative."""
    seconds, nanoseconds = divmod(time_ns, _SECOND_NS)
    return number_field(1, seconds) + number_field(2, nanoseconds)


def framed(data: bytes) -> bytes:
    """A message with its length before it."""
    return varint(len(data)) + data


def _key(number: int, kind: int) -> bytes:
    return varint(number << 3 | kind)
