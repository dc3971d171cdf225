from __future__ import annotations

import contextlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.node.network.frames import (
    LENGTHS,
    Acknowledgement,
    Bye,
    Data,
    Frame,
    Greeting,
    Hello,
    Message,
    Ping,
    pack,
    unpack,
    unpack_lengths,
)

counts = st.integers(0, 2**53 - 1)
messages = st.builds(
    Message,
    message_id=st.binary(min_size=16, max_size=32),
    topic=st.text(min_size=1, max_size=64),
    body=st.binary(max_size=200),
)
frames = st.one_of(
    st.builds(Greeting, version=counts, network=st.text(max_size=256)),
    st.just(Ping()),
    st.builds(Bye, code=st.text(max_size=256), reason=st.text(max_size=256)),
    st.builds(Hello, epoch=counts, acknowledged=counts, heard_epoch=counts, heard=counts, answer_wanted=st.booleans()),
    st.builds(Acknowledgement, epoch=counts, through=counts),
    st.builds(
        lambda epoch, numbers, message: Data(
            epoch=epoch, sequence=max(numbers), acknowledged=min(numbers), message=message
        ),
        st.integers(1, 2**53 - 1),
        st.sets(counts, min_size=2, max_size=2),
        messages,
    ),
)
DATA = Data(epoch=1, sequence=2, acknowledged=1, message=Message(message_id=b"i" * 16, topic="test", body=b"body"))


@given(frames)
def test_a_frame_is_read_as_it_was_written(frame: Frame) -> None:
    assert unpack(*pack(frame)) == frame


def test_the_body_of_a_message_is_not_copied() -> None:
    assert pack(DATA)[1] is DATA.message.body
    read = unpack(*pack(DATA))
    assert isinstance(read, Data)
    assert read.message.body is DATA.message.body


@given(st.binary(max_size=100), st.binary(max_size=10))
def test_garbage_is_refused(head: bytes, body: bytes) -> None:
    with contextlib.suppress(Refusal):
        frame = unpack(head, body)
        assert pack(frame) == (head, body)


@given(frames, st.integers(0), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_another_frame(frame: Frame, position: int, change: int) -> None:
    head, body = pack(frame)
    changed = bytearray(head)
    changed[position % len(head)] ^= change
    with contextlib.suppress(Refusal):
        assert unpack(bytes(changed), body) != frame


@pytest.mark.parametrize(
    ("frame", "body"),
    [
        (DATA.replace(sequence=1), b""),
        (DATA.replace(epoch=0), b""),
        (DATA.replace(epoch=2**53), b""),
        (DATA.replace(message=DATA.message.replace(message_id=b"short")), b""),
        (DATA.replace(message=DATA.message.replace(topic="")), b""),
        (Acknowledgement(epoch=-1, through=0), b""),
        (Ping(), b"a body"),
    ],
)
def test_a_frame_outside_its_ranges_is_refused(frame: Frame, body: bytes) -> None:
    with pytest.raises(Refusal, match=r"frame\.malformed"):
        unpack(pack(frame)[0], body)


def test_a_second_spelling_of_a_head_is_refused() -> None:
    head, _ = pack(Acknowledgement(epoch=1, through=2))
    value = cbor2.loads(head)
    longer = head.replace(b"\x01", b"\x18\x01")
    assert cbor2.loads(longer) == value
    with pytest.raises(Refusal, match=r"frame\.malformed"):
        unpack(longer, b"")
    with pytest.raises(Refusal, match=r"frame\.malformed"):
        unpack(codec.encode_plain([*value, 0]), b"")


@pytest.mark.parametrize(
    ("head", "body"), [(0, 0), (LIMITS.frame_head_bytes_max + 1, 0), (1, LIMITS.message_bytes_max + 1)]
)
def test_lengths_beyond_the_limits_are_refused_before_anything_is_read(head: int, body: int) -> None:
    with pytest.raises(Refusal, match=r"frame\.size"):
        unpack_lengths(LENGTHS.pack(head, body))


def test_the_largest_message_is_allowed() -> None:
    assert unpack_lengths(LENGTHS.pack(1, LIMITS.message_bytes_max)) == (1, LIMITS.message_bytes_max)
