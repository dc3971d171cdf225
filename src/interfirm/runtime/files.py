"""The JSON files that describe a network or a cluster: read whole, by one version of their format."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from interfirm.base.errors import Refusal

FORMAT = 1


class Described(Protocol):
    """What every such file says of itself."""

    @property
    def format(self) -> int:
        """The version of its form."""


T = TypeVar("T", bound=Described)


def read_description(path: Path, kind: type[T], *, missing: Refusal, damaged: Refusal) -> T:
    """What a file describes; raises `missing`, `damaged`, or Refusal `file.format` for one of another version."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError as error:
        raise missing from error
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged from error
    if found.format != FORMAT:
        raise Refusal("file.format", "made by another version", path=str(path), format=found.format, expected=FORMAT)
    return found


def written(value: object) -> bytes:
    """A description as it is written."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1)
