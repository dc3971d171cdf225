"""Canonical bytes: what has a form, what is refused, and why."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import uuid
from enum import StrEnum
from typing import Any

import cbor2
import dag_cbor
import msgspec
import pytest

from interfirm.base.codec import decode, decode_plain, encode, encode_plain, from_plain, plain
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value, Wire


class Colour(StrEnum):
    RED = "red"


class Line(Wire, frozen=True):
    number: int
    text: str
    colour: Colour = Colour.RED


class Order(Wire, frozen=True):
    id: bytes
    lines: tuple[Line, ...]
    notes: dict[str, int] = msgspec.field(default_factory=dict)
    parent: Order | None = None


class Tagged(Wire, frozen=True, tag="tagged"):
    number: int


class Named(Value, frozen=True):
    number: int


class Loose(Wire, frozen=True):
    anything: Any


ORDER = Order(id=b"\x01\x02", lines=(Line(number=1, text="nails"), Line(number=-7, text="")), notes={"b": 1, "aa": 2})

# byte strings that begin like a CID; libipld alone would write each of them as a link
LIKE_CIDS = [
    b"\x01\x71\x12\x20" + bytes(range(32)),
    b"\x01\x55\x12\x20" + bytes(32),
    b"\x12\x20" + bytes(range(32)),
    bytes.fromhex("0171001c") + bytes(28),
    b"\x01\x71\x12\x20" + bytes(60),
]


def refused(data: bytes, kind: Any = Any) -> str:
    """The code by which both decoders refuse these bytes."""
    with pytest.raises(Refusal) as first:
        decode_plain(data)
    with pytest.raises(Refusal) as second:
        decode(data, kind)
    assert first.value.code == second.value.code
    return first.value.code


def refused_value(value: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        encode(value)
    return refusal.value.code


def test_a_value_is_the_list_of_its_fields_in_declared_order() -> None:
    lines = [[1, "nails", "red"], [-7, "", "red"]]
    assert cbor2.loads(encode(ORDER)) == [b"\x01\x02", lines, {"b": 1, "aa": 2}, None]
    assert plain(ORDER) == [b"\x01\x02", lines, {"b": 1, "aa": 2}, None]


def test_a_value_comes_back_as_it_was() -> None:
    nested = ORDER.replace(parent=ORDER.replace(parent=ORDER))
    assert decode(encode(nested), Order) == nested
    assert from_plain(plain(nested), Order) == nested


def test_a_tagged_value_starts_with_its_tag() -> None:
    assert encode(Tagged(number=5)) == b"\x82\x66tagged\x05"
    assert decode(b"\x82\x66tagged\x05", Tagged) == Tagged(number=5)


def test_a_value_with_named_fields_is_a_map() -> None:
    assert encode(Named(number=5)) == b"\xa1\x66number\x05"


@pytest.mark.parametrize(
    ("value", "block"),
    [
        (None, "f6"),
        (False, "f4"),
        (True, "f5"),
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (255, "18ff"),
        (256, "190100"),
        (65536, "1a00010000"),
        (2**32, "1b0000000100000000"),
        (2**64 - 1, "1bffffffffffffffff"),
        (-1, "20"),
        (-24, "37"),
        (-25, "3818"),
        (-(2**63), "3b7fffffffffffffff"),
        ("", "60"),
        ("ü水", "65c3bce6b0b4"),
        (b"", "40"),
        (b"\x00" * 24, "5818" + "00" * 24),
        ([], "80"),
        ((1, (2, ())), "8201820280"),
        ({}, "a0"),
        ({"b": 1, "aa": 2, "a": 3}, "a361610361620162616102"),
    ],
)
def test_each_kind_of_value_has_the_form_of_rfc_8949(value: Any, block: str) -> None:
    assert encode(value).hex() == block
    assert decode_plain(bytes.fromhex(block)) == plain(value)


@pytest.mark.parametrize("value", LIKE_CIDS, ids=lambda value: value.hex()[:12])
def test_bytes_that_begin_like_a_cid_stay_bytes(value: bytes) -> None:
    holders: list[Any] = [value, [value, 1, None, True], {"key": value, "k": [value]}, [b"\xd8\x2a", "text", -5, value]]
    for holder in holders:
        block = encode(holder)
        assert block == encode_plain(holder) == dag_cbor.encode(holder) == cbor2.dumps(holder, canonical=True)
        assert decode_plain(block) == holder
    assert decode(encode(ORDER.replace(id=value)), Order).id == value


@pytest.mark.parametrize("value", LIKE_CIDS[:3], ids=lambda value: value.hex()[:12])
def test_links_are_refused(value: bytes) -> None:
    link = b"\xd8\x2a" + cbor2.dumps(b"\x00" + value)
    assert refused(link) == "codec.not-canonical"
    assert refused(b"\x81" + link) == "codec.not-canonical"


def test_tuples_are_lists() -> None:
    assert encode_plain([1, [2]]) == encode((1, (2,)))


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        1.0,
        -0.0,
        float("nan"),
        float("inf"),
        [1, {"a": [2.5]}],
        Loose(anything=0.5),
        Loose(anything=(1, {"deep": 0.5})),
        2**64,
        -(2**63) - 1,
        -(2**64),
        "\ud800",
        {1: 2},
        {b"a": 1},
        {None: 1},
        object(),
        1 + 2j,
        datetime.datetime.now(datetime.UTC),
        msgspec.msgpack.Ext(1, b"a"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    assert refused_value(value) == "codec.value"


def test_bytes_that_look_like_a_float_are_no_float() -> None:
    assert decode_plain(encode([b"\xfb" * 9, 0xFB])) == [b"\xfb" * 9, 0xFB]


def test_endless_nesting_is_refused() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    assert refused_value(value) == "codec.depth"


def test_sets_have_one_order() -> None:
    script = "from interfirm.base.codec import encode; print(encode({'b', 'a', 'c', 'aa', 'ab'}).hex())"
    seeds = [{**os.environ, "PYTHONHASHSEED": str(seed)} for seed in (1, 2, 3)]
    blocks = {subprocess.check_output([sys.executable, "-c", script], env=environment) for environment in seeds}
    assert len(blocks) == 1


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ("", "codec.malformed"),
        ("1801", "codec.not-canonical"),
        ("1817", "codec.not-canonical"),
        ("1900ff", "codec.not-canonical"),
        ("1a0000ffff", "codec.not-canonical"),
        ("1b00000000ffffffff", "codec.not-canonical"),
        ("3800", "codec.not-canonical"),
        ("5800", "codec.not-canonical"),
        ("7800", "codec.not-canonical"),
        ("9800", "codec.not-canonical"),
        ("b800", "codec.not-canonical"),
        ("9a00000001f6", "codec.not-canonical"),
        ("0000", "codec.malformed"),
        ("f6f6", "codec.malformed"),
        ("a2616101616102", "codec.malformed"),
        ("a2626161016162" + "02", "codec.malformed"),
        ("a2616201616102", "codec.malformed"),
        ("a1f601", "codec.malformed"),
        ("a10102", "codec.malformed"),
        ("a1416101", "codec.malformed"),
        ("9fff", "codec.malformed"),
        ("bfff", "codec.malformed"),
        ("5f4161ff", "codec.malformed"),
        ("7f6161ff", "codec.malformed"),
        ("f7", "codec.malformed"),
        ("f0", "codec.malformed"),
        ("f8ff", "codec.malformed"),
        ("f97e00", "codec.malformed"),
        ("fb7ff8000000000000", "codec.malformed"),
        ("fb7ff0000000000000", "codec.malformed"),
        ("f93c00", "codec.malformed"),
        ("fa3fc00000", "codec.value"),
        ("fb3ff8000000000000", "codec.value"),
        ("81fb0000000000000000", "codec.value"),
        ("a16161fb3ff8000000000000", "codec.value"),
        ("3b8000000000000000", "codec.value"),
        ("3bffffffffffffffff", "codec.value"),
        ("a161613bffffffffffffffff", "codec.value"),
        ("c11a514b67b0", "codec.malformed"),
        ("c2410a", "codec.malformed"),
        ("d82a4100", "codec.malformed"),
        ("d82af6", "codec.malformed"),
        ("6180", "codec.malformed"),
        ("63eda080", "codec.malformed"),
        ("1c", "codec.malformed"),
        ("19", "codec.malformed"),
        ("8101" + "02", "codec.malformed"),
        ("82", "codec.malformed"),
        ("9bffffffffffffffff", "codec.malformed"),
        ("bbffffffffffffffff", "codec.malformed"),
        ("5bffffffffffffffff", "codec.malformed"),
        ("7bffffffffffffffff", "codec.malformed"),
        ("9b00000000ffffffff", "codec.malformed"),
        ("ff", "codec.malformed"),
    ],
)
def test_every_other_spelling_is_refused(block: str, code: str) -> None:
    assert refused(bytes.fromhex(block)) == code


def nested(levels: int, kind: str) -> bytes:
    return b"\x81" * levels + b"\x01" if kind == "lists" else b"\xa1\x61a" * levels + b"\x01"


@pytest.mark.parametrize("kind", ["lists", "maps"])
def test_nesting_has_a_limit(kind: str) -> None:
    assert decode_plain(nested(LIMITS.depth_max, kind)) == decode(nested(LIMITS.depth_max, kind), Any)
    for levels in (LIMITS.depth_max + 1, 900, 5_000, 500_000):
        assert refused(nested(levels, kind)) == "codec.depth"


def test_a_type_that_holds_itself_does_not_escape_the_limit() -> None:
    deep = ORDER
    for _ in range(LIMITS.depth_max):
        deep = Order(id=b"", lines=(), parent=deep)
    with pytest.raises(Refusal, match=r"codec\.depth"):
        decode(encode(deep), Order)


def test_a_block_above_the_limit_is_refused_before_it_is_read() -> None:
    block = encode(bytes(100))
    assert decode_plain(block, bytes_max=len(block)) == bytes(100)
    for call in (lambda: decode_plain(block, bytes_max=101), lambda: decode(block, bytes, bytes_max=101)):
        with pytest.raises(Refusal, match=r"codec\.size"):
            call()


@pytest.mark.parametrize(
    "block",
    [
        [],
        [1],
        ["1", "nails", "red"],
        [True, "nails", "red"],
        [None, "nails", "red"],
        [1, b"nails", "red"],
        [1, "nails", "blue"],
        [1, "nails", "red", None],
        {"number": 1, "text": "nails", "colour": "red"},
        "nails",
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_block_of_another_shape_is_refused(block: Any) -> None:
    with pytest.raises(Refusal, match=r"codec\.shape"):
        decode(encode(block), Line)
    with pytest.raises(Refusal, match=r"codec\.shape"):
        from_plain(block, Line)


def test_a_field_left_out_is_another_spelling_of_its_default() -> None:
    with pytest.raises(Refusal, match=r"codec\.shape"):
        decode(encode([1, "nails"]), Line)


def test_an_integer_written_as_a_float_is_refused() -> None:
    with pytest.raises(Refusal, match=r"codec\.value"):
        decode(bytes.fromhex("83fb3ff0000000000000656e61696c7363726564"), Line)
    with pytest.raises(Refusal):
        from_plain([1.0, "nails", "red"], Line)


def test_a_list_is_not_the_bytes_it_looks_like() -> None:
    with pytest.raises(Refusal, match=r"codec\.shape"):
        decode(encode("AQI="), bytes)


@pytest.mark.parametrize(
    ("value", "other"),
    [(uuid.UUID(int=1), "00000000000000000000000000000001"), (datetime.timedelta(seconds=1), "PT1.0S")],
)
def test_text_that_stands_for_a_typed_value_has_one_spelling(value: Any, other: str) -> None:
    assert decode(encode(value), type(value)) == value
    with pytest.raises(Refusal, match=r"codec\.shape"):
        decode(encode(other), type(value))


def test_a_set_out_of_order_or_with_an_item_twice_is_refused() -> None:
    assert decode(encode(["a", "b"]), frozenset[str]) == {"a", "b"}
    for other in (["b", "a"], ["a", "a", "b"]):
        with pytest.raises(Refusal, match=r"codec\.shape"):
            decode(encode(other), frozenset[str])


@pytest.mark.parametrize(
    "value", [2**64, 0.5, float("nan"), "\ud800", object(), {1: 1}], ids=lambda value: type(value).__name__
)
def test_builtins_without_a_canonical_form_are_refused(value: Any) -> None:
    with pytest.raises(Refusal, match=r"codec\.(value|shape)"):
        from_plain(value, Any)


def test_builtins_that_hold_more_than_the_type_are_refused() -> None:
    with pytest.raises(Refusal, match=r"codec\.shape"):
        from_plain({"number": 1, "more": 2}, Named)
    with pytest.raises(Refusal, match=r"codec\.shape"):
        decode(encode({"number": 1, "more": 2}), Named)
