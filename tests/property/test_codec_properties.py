"""The codec against random values and random bytes, with `cbor2` and `dag-cbor` as judges."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import cbor2
import dag_cbor
from hypothesis import given, settings
from hypothesis import strategies as st

from interfirm.base.codec import decode, decode_plain, encode, encode_plain, from_plain, plain
from interfirm.base.errors import Refusal
from interfirm.base.values import Wire

CID_STARTS = [b"\x01\x71\x12\x20", b"\x01\x55\x12\x20", b"\x12\x20", b"\x01\x71\x00\x04", b"\xd8\x2a", b"\x00\x01"]
byte_strings = st.binary(max_size=80) | st.builds(
    bytes.__add__, st.sampled_from(CID_STARTS), st.binary(min_size=28, max_size=36)
)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=12) | byte_strings
values = st.recursive(
    scalars,
    lambda items: st.lists(items, max_size=4) | st.dictionaries(st.text(max_size=3), items, max_size=4),
    max_leaves=20,
)


class Leaf(Wire, frozen=True):
    hash: bytes
    number: int
    text: str


class Branch(Wire, frozen=True):
    leaves: tuple[Leaf, ...]
    names: dict[str, bytes]
    below: Branch | None = None


leaves = st.builds(Leaf, hash=byte_strings, number=st.integers(-(2**63), 2**64 - 1), text=st.text(max_size=8))
branches: st.SearchStrategy[Branch] = st.deferred(
    lambda: st.builds(
        Branch,
        leaves=st.lists(leaves, max_size=3).map(tuple),
        names=st.dictionaries(st.text(max_size=3), byte_strings, max_size=3),
        below=st.none() | branches,
    )
)


def outcome(data: bytes, read: Callable[[bytes], Any]) -> tuple[Any, str]:
    """What a decoder gives: a value and no code, or no value and the code of its refusal."""
    try:
        return read(data), ""
    except Refusal as refusal:
        return None, refusal.code


def head(major: int, argument: int, width: int) -> bytes:
    """A head with its argument in at least `width` bytes; 0 is in the first byte itself."""
    needed = 0 if argument < 24 else next(w for w in (1, 2, 4, 8) if argument < 256**w)
    width = max(width, needed)
    if not width:
        return bytes([major << 5 | argument])
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[width]]) + argument.to_bytes(width, "big")


def spelled(value: Any, draw: st.DataObject) -> bytes:
    """Some CBOR spelling of a value, most often not the canonical one."""
    width = draw.draw(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2, 4, 8]))
    open_ended = draw.draw(st.integers(0, 15)) == 0
    match value:
        case None | bool():
            return cbor2.dumps(value)
        case int():
            return head(0, value, width) if value >= 0 else head(1, -1 - value, width)
        case str():
            data = value.encode()
            return b"\x7f" + head(3, len(data), 0) + data + b"\xff" if open_ended else head(3, len(data), width) + data
        case bytes():
            if draw.draw(st.integers(0, 15)) == 0:
                return b"\xd8\x2a" + head(2, len(value) + 1, 0) + b"\x00" + value
            return (
                b"\x5f" + head(2, len(value), 0) + value + b"\xff" if open_ended else head(2, len(value), width) + value
            )
        case list():
            items = b"".join(spelled(item, draw) for item in value)
            return b"\x9f" + items + b"\xff" if open_ended else head(4, len(value), width) + items
        case dict():
            pairs = draw.draw(st.permutations(list(value.items())))
            items = b"".join(spelled(key, draw) + spelled(item, draw) for key, item in pairs)
            return b"\xbf" + items + b"\xff" if open_ended else head(5, len(value), width) + items
    raise AssertionError(value)


@settings(max_examples=200, deadline=None)
@given(values)
def test_three_codecs_write_the_same_bytes(value: Any) -> None:
    block = encode(value)
    assert block == encode_plain(value) == dag_cbor.encode(value) == cbor2.dumps(value, canonical=True)


@settings(max_examples=200, deadline=None)
@given(values)
def test_a_block_comes_back_as_its_value(value: Any) -> None:
    block = encode(value)
    assert decode_plain(block) == decode(block, Any) == value
    assert cbor2.loads(block) == dag_cbor.decode(block) == value


@settings(max_examples=200, deadline=None)
@given(branches)
def test_a_typed_value_comes_back_as_it_was(value: Branch) -> None:
    assert decode(encode(value), Branch) == from_plain(plain(value), Branch) == value
    assert encode(value) == dag_cbor.encode(plain(value))


@settings(max_examples=200, deadline=None)
@given(values, st.data())
def test_every_spelling_but_one_is_refused(value: Any, draw: st.DataObject) -> None:
    other, block = spelled(value, draw), encode(value)
    expected = {block: (value, "")}.get(other, (None, "codec.not-canonical"))
    for found in (outcome(other, decode_plain), outcome(other, lambda data: decode(data, Any))):
        assert found == expected or (other != block and found == (None, "codec.malformed"))


@settings(max_examples=200, deadline=None)
@given(values | branches, st.data())
def test_a_block_with_random_changes_is_refused_or_is_the_block_of_another_value(
    value: Any, draw: st.DataObject
) -> None:
    block = bytearray(encode(value))
    for _ in range(draw.draw(st.integers(1, 3))):
        at = draw.draw(st.integers(0, len(block)))
        match draw.draw(st.sampled_from(["replace", "insert", "delete"])):
            case "replace":
                block[at : at + 1] = draw.draw(st.binary(min_size=1, max_size=1))
            case "insert":
                block[at:at] = draw.draw(st.binary(min_size=1, max_size=3))
            case _:
                del block[at : at + draw.draw(st.integers(1, 3))]
    check_refused_or_canonical(bytes(block))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64))
def test_random_bytes_are_refused_or_are_the_block_of_a_value(data: bytes) -> None:
    check_refused_or_canonical(data)


def check_refused_or_canonical(data: bytes) -> None:
    readers: list[Callable[[bytes], Any]] = [functools.partial(decode, kind=kind) for kind in (Any, Branch, Leaf)]
    for read in (decode_plain, *readers):
        found, code = outcome(data, read)
        assert code.startswith("codec.") or encode(found) == dag_cbor.encode(plain(found)) == data
