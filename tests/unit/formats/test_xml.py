"""The parser refuses what is hostile before it costs anything, and what is malformed with a clear word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfirm.base.errors import Refusal
from interfirm.formats.xml import parse, text_of
from interfirm.node.files import read_limited

LAUGHS = b"<!DOCTYPE lolz [<!ENTITY l0 'lol'>" + b"".join(
    b"<!ENTITY l%d '%s'>" % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 10)
)
MEGABYTE = 1024 * 1024


def refused(data: bytes, **limits: int) -> str:
    with pytest.raises(Refusal) as refusal:
        parse(data, **limits)
    return refusal.value.code


def test_a_plain_document_is_parsed() -> None:
    root = parse(b"<a>\n one <!-- not this --><?nor this?> <b c='d'/></a>")
    assert text_of(root) == "one"
    assert root[0].get("c") == "d"


def test_the_entities_of_xml_itself_are_read() -> None:
    root = parse(b"<a b='&amp;&#38;&lt;'>&amp;&#60;&gt;&quot;&apos;</a>")
    assert root.get("b") == "&&<"
    assert text_of(root) == "&<>\"'"


@pytest.mark.parametrize(
    "hostile",
    [
        LAUGHS + b"]><lolz>&l9;</lolz>",
        b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
        b"<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/a.dtd'><a/>",
        b"<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://127.0.0.1:9/p'> %p;]><a/>",
        b"<!DOCTYPE a [<!ATTLIST a b CDATA 'default'>]><a/>",
        "<?xml version='1.0' encoding='UTF-16'?><!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>".encode("utf-16"),
    ],
    ids=["entity bomb", "external entity", "external subset", "parameter entity", "defaults", "utf-16"],
)
def test_a_document_type_is_refused_with_every_entity(hostile: bytes) -> None:
    assert refused(hostile) == "xml.entities"


def test_no_encoding_hides_a_document_type() -> None:
    hidden = b"<?xml version='1.0' encoding='UTF-7'?>+ADw-!DOCTYPE a+AD4-<a/>"
    assert refused(hidden) in {"xml.entities", "xml.malformed"}  # as the platform knows UTF-7 or not


@pytest.mark.parametrize(
    "malformed",
    [b"", b"  ", b"\x00\xff", b"<a>", b"<a><b></a>", b"<a/><a/>", b"<a>&x;</a>", b"<a b='1' b='2'/>", b"{}",
     b"<?xml version='1.0' encoding='no-such'?><a/>", b"<p:a/>"],
)  # fmt: skip
def test_what_is_not_well_formed_is_refused(malformed: bytes) -> None:
    assert refused(malformed) == "xml.malformed"


def test_deep_nesting_is_refused() -> None:
    assert refused(b"<a>" * 65 + b"</a>" * 65) == "xml.depth"
    assert parse(b"<a>" * 64 + b"</a>" * 64) is not None
    assert refused(b"<a>" * 1_000_000) == "xml.depth"


def test_too_many_elements_or_attributes_are_refused() -> None:
    assert refused(b"<a>" + b"<b/>" * 10 + b"</a>", elements_count_max=10) == "xml.count"
    assert refused(b"<a %s/>" % b" ".join(b"b%d='1'" % n for n in range(257))) == "xml.count"


def test_a_large_document_is_refused_by_its_size() -> None:
    assert refused(b"<a>" + b" " * (16 * MEGABYTE) + b"</a>") == "xml.size"


def test_a_file_of_100_megabytes_is_refused_unread(tmp_path: Path) -> None:
    large = tmp_path / "large.xml"
    with large.open("wb") as stream:
        stream.truncate(100 * MEGABYTE)
    with pytest.raises(Refusal) as refusal:
        read_limited(large)
    assert refusal.value.code == "file.size"
    assert refusal.value.values == {"bytes": 100 * MEGABYTE, "bytes_max": 16 * MEGABYTE}


def test_a_file_that_claims_no_size_is_read_to_the_limit_only() -> None:
    with pytest.raises(Refusal) as refusal:
        read_limited("/dev/zero", bytes_max=1000)
    assert refusal.value.code == "file.size"
    assert refusal.value.values["bytes"] == 1001


def test_a_file_is_read_whole_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "small.xml").write_bytes(b"<a/>")
    assert read_limited(tmp_path / "small.xml", bytes_max=4) == b"<a/>"


@pytest.mark.parametrize("name", ["absent.xml", "."])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refusal) as refusal:
        read_limited(os.path.join(tmp_path, name))
    assert refusal.value.code == "file.unreadable"


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        parse(data)
    except Refusal as refusal:
        if not refusal.code.startswith("xml."):
            raise


@given(st.lists(st.sampled_from([b"<a>", b"</a>", b"<b/>", b"text", b"&amp;", b"<!--", b"-->", b"<![CDATA[", b"]]>",
                                 b"<!DOCTYPE a>", b"<?x", b"?>", b"&#0;", b"<a b='"]), max_size=20))  # fmt: skip
def test_any_mix_of_tags_is_parsed_or_refused(parts: list[bytes]) -> None:
    try:
        parse(b"<a>" + b"".join(parts) + b"</a>")
    except Refusal as refusal:
        if not refusal.code.startswith("xml."):
            raise
