"""Tables by the name of their format: what reads and writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO

from interfirm.base.errors import Refusal
from interfirm.formats.cells import Row
from interfirm.formats.csv import read_csv, write_csv
from interfirm.formats.xlsx import read_xlsx, write_xlsx

_READERS: dict[str, Callable[[BinaryIO], Iterator[Row]]] = {"csv": read_csv, "xlsx": read_xlsx}
_WRITERS: dict[str, Callable[[Sequence[str], Iterable[Sequence[str]]], Iterator[bytes]]] = {
    "csv": write_csv,
    "xlsx": write_xlsx,
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
