"""What jobs need of their surroundings, and how their code is written."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec

from interfirm.base.values import Value
from interfirm.node.desk import Desk
from interfirm.node.jobs.types import Batch, Step


class Tables(Protocol):
    """Tables in the formats of other programs."""

    def read(self, name: str, stream: BinaryIO) -> Iterator[tuple[int, list[str]]]:
        """The header, then the rows of a table in this format, each with its number in the file; Refusal `table.*`."""

    def write(self, name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
        """A table in this format, in chunks; Refusal `table.*`."""


class Slow(Value, frozen=True):
    """Work on files alone that may go on beside the node's turns; what it returns is sent into the job."""

    work: Callable[[], Any]


class Work:
    """One job while it is stepped. `desk` is made anew for each step, so that roles count as they are then."""

    desk: Desk

    def __init__(self, id: str, arguments: bytes, cursor: bytes, batches: Sequence[Batch], *, tables: Tables,
                 folder: Path) -> None:  # fmt: skip
        self.id = id
        self.arguments = arguments
        self.cursor: dict[str, Any] = msgspec.json.decode(cursor) if cursor else {}
        """Where the last committed step ended."""
        self.batches = tuple(batches)
        """What was taken up before a restart and may not be settled yet."""
        self.tables = tables
        self.folder = folder
        """Where jobs keep what they have not finished writing."""


JobCode = Callable[[Work], Generator[Step | Slow, Any, None]]
"""A job's code: yields its steps, the last with a `result`; begun again from `cursor` after a restart."""
