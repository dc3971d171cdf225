"""Tables in XLSX: read as text from files of other programs, written as text; bombs are refused."""

from __future__ import annotations

import datetime
import io
import zipfile
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.formats.cells import Row
from interfirm.formats.xlsx import read_xlsx, write_xlsx

DAY = datetime.date(2026, 10, 5)


def book(*rows: list[Any]) -> bytes:
    made = Workbook()
    for row in rows:
        made.active.append(row)
    data = io.BytesIO()
    made.save(data)
    return data.getvalue()


def changed(data: bytes, part: str, old: str, new: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            text = source.read(name)
            if name == part:
                assert old.encode() in text
                text = text.replace(old.encode(), new.encode())
            target.writestr(name, text)
    return out.getvalue()


def read(data: bytes) -> list[Row]:
    return list(read_xlsx(io.BytesIO(data)))


def code_of(data: bytes) -> str:
    with pytest.raises(Refusal) as refused:
        read(data)
    return refused.value.code


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("A-1", "A-1"),
        (12, "12"),
        (12.5, "12.5"),
        (1234.5600000000001, "1234.56"),
        (0.1 + 0.2, "0.3"),
        (1e21, "1000000000000000000000"),
        (0.0000001, "0.0000001"),
        (True, "true"),
        (DAY, "2026-10-05"),
        (datetime.datetime(2026, 10, 5, 12, 30), "2026-10-05T12:30:00"),
        ("=1+1", "=1+1"),
        ("'=1+1", "=1+1"),
    ],
)
def test_a_cell_is_read_as_text(value: Any, text: str) -> None:
    assert read(book(["a"], [value]))[1] == (2, [text])


def test_empty_cells_and_rows_keep_their_places() -> None:
    assert read(book(["a", "b", "c"], [None, "x", None], [], ["y"])) == [
        (1, ["a", "b", "c"]),
        (2, ["", "x", ""]),
        (4, ["y", "", ""]),
    ]


@pytest.mark.parametrize("text", ["=1+1", "+x", "@SUM(A1)", "-12.50", "'=", "12.50", "", "ä€"])
def test_what_is_written_is_text_and_is_read_again(text: str) -> None:
    data = b"".join(write_xlsx(["a", "b"], [[text, "end"]]))
    assert read(data)[1:] == [(2, [text, "end"])]
    cells = list(load_workbook(io.BytesIO(data)).active.iter_rows())[1]
    assert {cell.data_type for cell in cells if cell.value is not None} == {"s"}


def test_signs_that_xml_cannot_hold_are_replaced() -> None:
    assert read(b"".join(write_xlsx(["a"], [["x\x01y"]])))[1] == (2, ["x\ufffdy"])


def test_a_cell_too_long_for_a_sheet_is_refused_and_not_cut() -> None:
    with pytest.raises(Refusal) as refused:
        list(write_xlsx(["a"], [["x" * (LIMITS.table_cell_chars_max + 1)]]))
    assert refused.value.code == "table.cell"


def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    out = io.BytesIO(book(["a"]))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/bomb.xml", bytes(1000))
        package.infolist()[-1].file_size = LIMITS.table_unpacked_bytes_max
    assert code_of(out.getvalue()) == "table.xlsx"


def test_entities_that_grow_are_refused() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><worksheet '
    data = changed(book(["a"], ["xx"]), "xl/worksheets/sheet1.xml", "<worksheet ", bomb)
    row = '<row r="3"><c r="A3" t="inlineStr"><is><t>&e11;</t></is></c></row></sheetData>'
    data = changed(data, "xl/worksheets/sheet1.xml", "</sheetData>", row)
    assert code_of(data) == "table.xlsx"


@pytest.mark.parametrize("data", [b"", b"a,b\r\n1,2\r\n", b"PK\x03\x04 and nothing", bytes(1000)])
def test_what_is_no_workbook_is_refused(data: bytes) -> None:
    assert code_of(data) == "table.xlsx"


def test_a_workbook_with_a_broken_sheet_is_refused() -> None:
    assert code_of(changed(book(["a"], ["x"]), "xl/worksheets/sheet1.xml", "</sheetData>", "<")) == "table.xlsx"


def test_a_sheet_that_says_it_is_small_is_read_whole() -> None:
    data = changed(book(["a", "b"], ["x", "y"]), "xl/worksheets/sheet1.xml", 'ref="A1:B2"', 'ref="A1:A1"')
    assert read(data) == [(1, ["a", "b"]), (2, ["x", "y"])]


def test_a_cell_far_to_the_right_is_refused() -> None:
    data = changed(book(["a"], ["x"]), "xl/worksheets/sheet1.xml", 'r="A2"', 'r="XFD2"')
    assert code_of(data) == "table.columns"
