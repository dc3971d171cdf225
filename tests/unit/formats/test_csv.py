"""Tables in CSV: read strictly, written so that no spreadsheet computes anything."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.formats.cells import Row, escaped, plain
from interfirm.formats.csv import read_csv, write_csv

TABLE = b"number,amount,note\r\nA-1,12.50,first\r\nA-2,-3.00,\r\n"
ROWS = [(1, ["number", "amount", "note"]), (2, ["A-1", "12.50", "first"]), (3, ["A-2", "-3.00", ""])]


def read(data: bytes) -> list[Row]:
    return list(read_csv(io.BytesIO(data)))


def code_of(data: bytes) -> str:
    with pytest.raises(Refusal) as refused:
        read(data)
    return refused.value.code


def test_a_table_is_read_with_the_numbers_of_its_rows() -> None:
    assert read(TABLE) == ROWS


@pytest.mark.parametrize("separator", [b";", b"\t"])
def test_the_separator_is_found(separator: bytes) -> None:
    assert read(TABLE.replace(b",", separator)) == ROWS


def test_a_separator_within_quotes_does_not_count() -> None:
    assert read(b'"a,b,c";d\r\n1;2\r\n') == [(1, ["a,b,c", "d"]), (2, ["1", "2"])]


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert read(b"\xef\xbb\xbf" + TABLE) == ROWS


def test_empty_rows_are_left_out_and_still_counted() -> None:
    assert read(TABLE.replace(b"A-2", b",,\r\n\r\nA-2"))[-1] == (5, ROWS[-1][1])


def test_a_cell_may_hold_line_ends_and_quotes() -> None:
    assert read(b'a,b\r\n"x\r\ny","he said ""no"""\r\n')[1] == (2, ["x\r\ny", 'he said "no"'])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "table.empty"),
        (b"a,a\r\n", "table.header"),
        (b"a,,b\r\n", "table.header"),
        (b"a,b\r\n1,2,3\r\n", "table.cells"),
        (b"a,b\r\n1,\xff\r\n", "table.encoding"),
        (TABLE.decode().encode("utf-16"), "table.encoding"),
        (b'a,b\r\n1,"never closed\r\n', "table.csv"),
        (b"a,b\r\n1,\0\r\n", "table.csv"),
        (b"a\r\n" + b"x" * (LIMITS.table_cell_chars_max + 1), "table.cell"),
        (b"a\r\n" + b"x" * (LIMITS.table_line_chars_max + 1), "table.csv"),
        (b",".join(b"c%d" % n for n in range(LIMITS.table_columns_count_max + 1)), "table.columns"),
    ],
)
def test_what_is_no_proper_table_is_refused(data: bytes, code: str) -> None:
    assert code_of(data) == code


def test_the_refusal_says_where() -> None:
    with pytest.raises(Refusal) as refused:
        read(TABLE + b"A-3,1,x,y\r\n")
    assert refused.value.values == {"row": 4, "cells": 4, "columns": 3}


@pytest.mark.parametrize("text", ["=1+1", "+x", "-x", "@SUM(A1)", "\t=1", "\r=1", "'=1"])
def test_what_a_spreadsheet_would_compute_is_written_escaped(text: str) -> None:
    data = b"".join(write_csv(["a"], [[text]]))
    assert data.splitlines()[1].lstrip(b'"').startswith(b"'")
    assert read(data)[1:] == [(2, [text])]


def test_a_negative_amount_stays_a_number() -> None:
    assert escaped("-12.50") == "-12.50"


@given(st.text())
def test_escaping_changes_no_text(text: str) -> None:
    assert plain(escaped(text)) == text


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=2, max_size=2)))
def test_what_is_written_is_read_again(rows: list[list[str]]) -> None:
    data = b"".join(write_csv(["a", "b"], rows))
    assert [cells for _, cells in read(data)[1:]] == [row for row in rows if any(row)]


def test_a_long_table_is_written_in_parts() -> None:
    parts = list(write_csv(["a"], (["x" * 1000] for _ in range(1000))))
    assert len(parts) > 5
    assert len(read(b"".join(parts))) == 1001
