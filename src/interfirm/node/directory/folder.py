"""The directory as a folder with a file for each entry: how nodes on one machine learn of each other."""

from __future__ import annotations

from pathlib import Path

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.node.directory.types import SignedEntry
from interfirm.node.identity.sealed import write_atomically

_SUFFIX = ".entry"


def publish(folder: Path, signed: SignedEntry) -> None:
    """Put the entry in place of the organisation's older one; Refusal `keystore.write` if the disk does not take it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(folder / (signed.entry.identity.hex() + _SUFFIX), codec.encode(signed), replace=True)


def entries(folder: Path) -> list[SignedEntry]:
    """All entries in the folder, unjudged; Refusal `directory.damaged` for a file that holds none."""
    return [_entry(path) for path in sorted(folder.glob("*" + _SUFFIX))]


def _entry(path: Path) -> SignedEntry:
    try:
        return codec.decode(path.read_bytes(), SignedEntry)
    except (Refusal, OSError) as error:
        raise Refusal("directory.damaged", "this file is no directory entry", path=str(path)) from error
