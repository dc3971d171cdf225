"""Tables as XLSX (ECMA-376, by openpyxl): the first sheet is read as text, row by row, and written so.

Numbers of a sheet are binary fractions, of which spreadsheets show 15 digits: so many are read, and amounts are
written as text, which keeps them exact. Formulas are read as their text and never written.
"""

from __future__ import annotations

import datetime
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, BinaryIO

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.formats.cells import Row, checked_rows, escaped, plain

ROWS_COUNT_MAX = 1_048_576
"""Rows of a sheet, the header included (ECMA-376)."""
_CHUNK_BYTES = 64 * 1024


def read_xlsx(stream: BinaryIO) -> Iterator[Row]:
    """The header and the rows of the first sheet, one at a time.

    Raises Refusal `table.xlsx` for what is none or unpacks to more than allowed, and those of `checked_rows`.
    """
    _check_package(stream)
    return checked_rows(_told(_rows(stream)))


def _check_package(stream: BinaryIO) -> None:
    """Refuse a package that says it unpacks to too much; no more than it says is ever read of a part."""
    try:
        with zipfile.ZipFile(stream) as package:
            parts = package.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise Refusal("table.xlsx", "this is no XLSX file", reason=str(error)) from error
    unpacked, parts_max = sum(part.file_size for part in parts), LIMITS.table_parts_count_max
    check(len(parts) <= parts_max, "table.xlsx", "the file has too many parts", parts=len(parts), parts_max=parts_max)
    check(unpacked <= LIMITS.table_unpacked_bytes_max, "table.xlsx", "the file unpacks to too much", bytes=unpacked,
          bytes_max=LIMITS.table_unpacked_bytes_max)  # fmt: skip
    strings = sum(part.file_size for part in parts if part.filename.lower().endswith("sharedstrings.xml"))
    check(strings <= LIMITS.table_strings_bytes_max, "table.xlsx", "the file has too many different texts",
          bytes=strings, bytes_max=LIMITS.table_strings_bytes_max)  # fmt: skip


def _told(rows: Iterator[Row]) -> Iterator[Row]:
    try:
        yield from rows
    except Refusal:
        raise
    except Exception as error:  # whatever openpyxl stumbles over in a broken file: it has no kind of error of its own
        raise Refusal("table.xlsx", "the sheet cannot be read", reason=repr(error)[:300]) from error


def _rows(stream: BinaryIO) -> Iterator[Row]:
    stream.seek(0)
    book = load_workbook(stream, read_only=True, keep_links=False)
    try:
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what a file says of its size need not be true
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            columns_max = LIMITS.table_columns_count_max
            held = next((n for n in range(len(cells), 0, -1) if cells[n - 1] is not None), 0)
            check(held <= columns_max, "table.columns", "the table has too many columns", row=number,
                  columns_max=columns_max)  # fmt: skip
            yield number, [plain(_text(cell)) for cell in cells[:held]]
    finally:
        book.close()


def _text(cell: Any) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case float():
            return format(Decimal(format(cell, ".15g")).normalize(), "f")
        case datetime.datetime():
            return cell.date().isoformat() if cell.time() == datetime.time() else cell.isoformat()
        case datetime.date() | datetime.time():
            return cell.isoformat()
        case _:
            return str(cell)


def write_xlsx(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """The table as a workbook of one sheet, in chunks; every cell is text, what looks like a formula is escaped.

    Signs that XML has no place for are written as U+FFFD. Raises Refusal `table.rows`, `table.cell`.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Table")
    sheet.append([_cell(name) for name in header])
    for number, row in enumerate(rows, start=2):
        check(number <= ROWS_COUNT_MAX, "table.rows", "a sheet has no place for so many rows", rows_max=ROWS_COUNT_MAX)
        sheet.append([_cell(cell) for cell in row])
    with tempfile.TemporaryFile() as file:
        book.save(file)
        file.seek(0)
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _cell(text: str) -> str:
    found = ILLEGAL_CHARACTERS_RE.sub("\ufffd", escaped(text))
    check(len(found) <= LIMITS.table_cell_chars_max, "table.cell", "a cell is too long", chars=len(found),
          chars_max=LIMITS.table_cell_chars_max)  # fmt: skip
    return str(found)
