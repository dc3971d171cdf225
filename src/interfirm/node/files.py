"""Reading a file of unknown origin: never more of it than the limit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS


def read_limited(path: str | os.PathLike[str], *, bytes_max: int = LIMITS.xml_bytes_max) -> bytes:
    """The bytes of a file that has at most `bytes_max` of them.

    Raises Refusal `file.size` for a larger one, after looking at its size and reading at most one byte too many, and
    `file.unreadable` where there is no file to read.
    """
    try:
        size = Path(path).stat().st_size
        _check_size(size, bytes_max)
        with Path(path).open("rb") as stream:
            return read_stream(stream, bytes_max=bytes_max)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Refusal("file.unreadable", "the file cannot be read", path=str(path), reason=reason) from error


def read_stream(stream: BinaryIO, *, bytes_max: int = LIMITS.xml_bytes_max) -> bytes:
    """The rest of a stream that has at most `bytes_max` bytes; Refusal `file.size`."""
    data = stream.read(bytes_max + 1)
    _check_size(len(data), bytes_max)
    return data


def _check_size(size: int, bytes_max: int) -> None:
    check(size <= bytes_max, "file.size", "the file is larger than allowed", bytes=size, bytes_max=bytes_max)
