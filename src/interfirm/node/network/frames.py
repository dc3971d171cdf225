"""What travels on one connection: a small canonical head, and the raw body of a message behind it.

On the wire a frame is `head length (2 bytes) | body length (4 bytes) | head | body`, integers big-endian. The head is
one canonical dag-cbor block; the body is opaque and never copied into the head, so that a large one exists once.
"""

from __future__ import annotations

import struct
from typing import Annotated, Any, TypeAlias, cast

from msgspec import Meta

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value, Wire

VERSION = 1
LENGTHS = struct.Struct(">HI")
Count = Annotated[int, Meta(ge=0, lt=2**53)]
Text = Annotated[str, Meta(max_length=256)]


class Message(Value):
    """What one layer above sends to the other; opaque here."""

    message_id: Annotated[bytes, Meta(min_length=16, max_length=32)]
    """Chosen by the sender, the same one when it asks twice."""
    topic: Annotated[str, Meta(min_length=1, max_length=LIMITS.topic_chars_max)]
    """Which part of the layer above it is for."""
    body: bytes


class Greeting(Wire, tag="greeting"):
    """The first frame of each side, sent once it has verified the other's certificate."""

    version: Count
    network: Text


class Ping(Wire, tag="ping"):
    """Nothing but a sign of life."""


class Bye(Wire, tag="bye"):
    """The last frame of a side that closes for a reason."""

    code: Text
    reason: Text


class Hello(Wire, tag="hello"):
    """Where a session stands, after each connection; repeated until it is answered."""

    epoch: Count
    """Generation of the sender's outbox; 0 while it never sent."""
    acknowledged: Count
    """Up to which sequence number of its own the sender holds acknowledgements."""
    heard_epoch: Count
    heard: Count
    """Up to which sequence number of the receiver's outbox the sender has committed."""
    answer_wanted: bool


class Acknowledgement(Wire, tag="ack"):
    """Everything up to `through` of the receiver's outbox `epoch` is committed by the sender."""

    epoch: Count
    through: Count


class _DataHead(Wire, tag="data"):
    epoch: Count
    sequence: Count
    acknowledged: Count
    message_id: Annotated[bytes, Meta(min_length=16, max_length=32)]
    topic: Annotated[str, Meta(min_length=1, max_length=LIMITS.topic_chars_max)]


class Data(Value):
    """One message at its place in the sender's outbox."""

    epoch: int
    sequence: int
    """From 1, without gaps within an epoch."""
    acknowledged: int
    """Up to where the sender holds acknowledgements; it has nothing older to send again."""
    message: Message


SessionFrame: TypeAlias = Hello | Data | Acknowledgement
Frame: TypeAlias = SessionFrame | Greeting | Ping | Bye
_HEADS: dict[bytes, type[Any]] = {
    str(kind.__struct_config__.tag).encode(): kind for kind in (Greeting, Ping, Bye, Hello, Acknowledgement, _DataHead)
}


def pack(frame: Frame) -> tuple[bytes, bytes]:
    """The head and the body (empty but for `Data`) of a frame."""
    if not isinstance(frame, Data):
        return codec.encode(frame), b""
    head = _DataHead(
        epoch=frame.epoch,
        sequence=frame.sequence,
        acknowledged=frame.acknowledged,
        message_id=frame.message.message_id,
        topic=frame.message.topic,
    )
    return codec.encode(head), frame.message.body


def unpack(head: bytes, body: bytes) -> Frame:
    """The frame of a head and a body; Refusal `frame.malformed` for anything `pack` does not make."""
    try:
        found: Any = codec.decode(head, _kind(head), bytes_max=LIMITS.frame_head_bytes_max)
    except Refusal as refusal:
        raise Refusal("frame.malformed", "these bytes are no frame", rule=refusal.code) from refusal
    if not isinstance(found, _DataHead):
        check(not body, "frame.malformed", "only a message has a body", bytes=len(body))
        return cast("Frame", found)
    ordered = found.acknowledged < found.sequence and found.epoch > 0
    check(ordered, "frame.malformed", "the sequence number is acknowledged already", sequence=found.sequence)
    message = Message(message_id=found.message_id, topic=found.topic, body=body)
    return Data(epoch=found.epoch, sequence=found.sequence, acknowledged=found.acknowledged, message=message)


def _kind(head: bytes) -> type[Any]:
    """The type a head announces: a short list begins with one byte, a short text with one more."""
    kind = _HEADS.get(head[2 : 2 + (head[1] & 0x1F)]) if len(head) > 1 else None
    if kind is None:
        raise Refusal("frame.kind", "there is no such kind of frame")
    return kind


def unpack_lengths(data: bytes) -> tuple[int, int]:
    """The lengths of head and body, from the first bytes of a frame; Refusal `frame.size` beyond the limits."""
    head, body = LENGTHS.unpack(data)
    fits = 0 < head <= LIMITS.frame_head_bytes_max and body <= LIMITS.message_bytes_max
    check(fits, "frame.size", "a frame of this size is not allowed", head_bytes=head, body_bytes=body)
    return head, body


def check_message(message: Message) -> Message:
    """`message`, if a frame can carry it; Refusal `session.message` otherwise."""
    fits = (
        16 <= len(message.message_id) <= 32
        and 0 < len(message.topic) <= LIMITS.topic_chars_max
        and len(message.body) <= LIMITS.message_bytes_max
    )
    check(
        fits,
        "session.message",
        "a message has an id of 16 to 32 bytes, a topic and a body within the limit",
        id_bytes=len(message.message_id),
        topic=message.topic[:100],
        body_bytes=len(message.body),
    )
    return message
