"""Tables as CSV (RFC 4180): read strictly whatever the separator, written with commas; in UTF-8 both ways."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.formats.cells import Row, checked_rows, escaped, plain

SEPARATORS = ",;\t"
_CHUNK_CHARS = 64 * 1024


def read_csv(stream: BinaryIO) -> Iterator[Row]:
    """The header and the rows of a table, one at a time; the separator is the one that the header uses most.

    UTF-8, with a byte order mark or without. Raises Refusal `table.encoding`, `table.csv` and those of `checked_rows`.
    """
    return checked_rows(_rows(io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")))


def _rows(text: io.TextIOWrapper) -> Iterator[Row]:
    lines = _lines(text)
    first = next(lines, "")
    number = 0
    reader = csv.reader(itertools.chain([first] if first else [], lines), delimiter=_separator(first), strict=True)
    try:
        for number, cells in enumerate(reader, start=1):
            yield number, [plain(cell) for cell in cells]
    except csv.Error as error:
        raise Refusal("table.csv", "this is no CSV", row=number + 1, reason=str(error)) from error


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Lines, of which none is longer than a row may be."""
    chars_max = LIMITS.table_line_chars_max
    number = 0
    try:
        while line := text.readline(chars_max + 1):
            number += 1
            check(len(line) <= chars_max, "table.csv", "a line is too long", line=number, chars_max=chars_max)
            check("\0" not in line, "table.csv", "this is no text", line=number)
            yield line
    except UnicodeDecodeError as error:
        raise Refusal("table.encoding", "the table is not written in UTF-8", line=number + 1) from error


def _separator(header: str) -> str:
    counts = {sign: _outside_quotes(header).count(sign) for sign in SEPARATORS}
    return max(counts, key=lambda sign: counts[sign])


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def write_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """The table in chunks: commas, CRLF, quotes where needed; what looks like a formula is escaped."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([escaped(name) for name in header])
    for row in rows:
        writer.writerow([escaped(cell) for cell in row])
        if text.tell() > _CHUNK_CHARS:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()
