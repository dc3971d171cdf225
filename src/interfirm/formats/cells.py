"""Cells of tables as text: what spreadsheets would take for a formula goes out escaped and comes back as it was.

A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return is written with `'` before it (OWASP, CSV
injection), unless it is a plain number; reading takes that one sign away again, so that no text changes on the way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from interfirm.base.errors import check
from interfirm.base.limits import LIMITS

Row = tuple[int, list[str]]
"""A row's number in its file, the header being 1, and its cells."""

_RISKY = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def escaped(text: str) -> str:
    """The text as a cell that no spreadsheet computes."""
    return f"'{text}" if _RISKY.match(text) and not _NUMBER.fullmatch(text) else text


def plain(cell: str) -> str:
    """The text that a cell stands for; `plain(escaped(text)) == text`."""
    return cell[1:] if _ESCAPED.match(cell) else cell


def checked_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """The header, then every row that is not empty, each as long as the header.

    Raises Refusal `table.empty`, `table.header`, `table.columns`, `table.rows`, `table.cells`, `table.cell`.
    """
    width = 0
    for number, cells in rows:
        check(number <= LIMITS.table_rows_count_max + 1, "table.rows", "the table has too many rows",
              rows_max=LIMITS.table_rows_count_max)  # fmt: skip
        if not width:
            names = [cell.strip() for cell in _without_tail(cells)]
            _check_header(names, number)
            width = len(names)
            yield number, names
        elif any(cells):
            yield number, _fitted(cells, width, number)
    check(width > 0, "table.empty", "the table has no header")


def _check_header(cells: Sequence[str], number: int) -> None:
    columns_max = LIMITS.table_columns_count_max
    check(len(cells) <= columns_max, "table.columns", "the table has too many columns", columns_max=columns_max)
    check(bool(cells) and all(cells), "table.header", "the first row names every column", row=number)
    twice = sorted({cell for cell in cells if cells.count(cell) > 1})
    check(not twice, "table.header", "every column has a name of its own", row=number, twice=twice[:10])


def _without_tail(cells: list[str]) -> list[str]:
    """The cells up to the last one that holds something."""
    last = next((n for n in range(len(cells), 0, -1) if cells[n - 1]), 0)
    return cells[:last]


def _fitted(cells: list[str], width: int, number: int) -> list[str]:
    if len(cells) > width:
        cells = [*cells[:width], *_without_tail(cells[width:])]
    check(len(cells) <= width, "table.cells", "a row has more cells than the header", row=number, cells=len(cells),
          columns=width)  # fmt: skip
    for cell in cells:
        check(len(cell) <= LIMITS.table_cell_chars_max, "table.cell", "a cell is too long", row=number,
              chars=len(cell), chars_max=LIMITS.table_cell_chars_max)  # fmt: skip
    return cells + [""] * (width - len(cells))
