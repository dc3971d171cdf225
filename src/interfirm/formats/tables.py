"""Tables by the name of their format: what reads and writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO

from interfirm.base.errors import Refusal
from interfirm.formats.cells import Row
from interfirm.formats.csv import read_csv, write_csv


def _read_xlsx(stream: BinaryIO) -> Iterator[Row]:
    from interfirm.formats.xlsx import read_xlsx  # openpyxl takes 15 MB, which who meets no workbook does without

    return read_xlsx(stream)


def _write_xlsx(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    from interfirm.formats.xlsx import write_xlsx  # see above

    return write_xlsx(header, rows)


_READERS: dict[str, Callable[[BinaryIO], Iterator[Row]]] = {"csv": read_csv, "xlsx": _read_xlsx}
_WRITERS: dict[str, Callable[[Sequence[str], Iterable[Sequence[str]]], Iterator[bytes]]] = {
    "csv": write_csv,
    "xlsx": _write_xlsx,
}


class TableFormats:
    """See node.jobs.ports.Tables."""

    def read(self, name: str, stream: BinaryIO) -> Iterator[Row]:
        """The header, then the rows, as (number, cells); Refusal `table.*`."""
        reader = _READERS.get(name)
        if reader is None:
            raise Refusal("table.format", "tables are not read in this format", format=name[:20], known=[*_READERS])
        return reader(stream)

    def write(self, name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
        """The table in chunks; Refusal `table.*`."""
        writer = _WRITERS.get(name)
        if writer is None:
            raise Refusal("table.format", "tables are not written in this format", format=name[:20], known=[*_WRITERS])
        return writer(header, rows)
