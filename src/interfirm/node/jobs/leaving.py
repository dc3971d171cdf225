"""The job by which a firm leaves with all data: a folder of plain files that need no part of this program.

Every section is written as JSON lines, contracts as tables, too; attached files lie under their SHA-256. The manifest
with the hashes of all files comes last, when the mark that the folder is unfinished goes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.node.jobs.columns import cell_of
from interfirm.node.jobs.exporting import append, lines_of
from interfirm.node.jobs.ports import Slow, Work
from interfirm.node.jobs.sections import Section, sections
from interfirm.node.jobs.types import Step

UNFINISHED, MANIFEST, README, ANCHOR = "UNFINISHED", "manifest.json", "README.md", "anchor.json"
ATTACHMENTS = "attachments"
_CHUNK_BYTES = 256 * 1024
_encode = msgspec.json.Encoder().encode


class LeavingArguments(Value, frozen=True, forbid_unknown_fields=True):
    """Where to."""

    folder: str
    """Absolute, on the node's machine."""
    anchor: str = ""
    """The network's trust anchor as JSON, by which strangers check the proofs."""


def new_folder(path: Path, anchor: str) -> None:
    """Make the folder for its owner alone, marked as unfinished; Refusal `leaving.folder`, `vault.storage`."""
    check(path.is_absolute(), "leaving.folder", "the folder is named from the root of the file system", path=str(path))
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        check(not any(path.iterdir()), "leaving.folder", "the folder is not empty", path=str(path))
        (path / UNFINISHED).write_text("An export is being written into this folder.\n")
        if anchor:
            (path / ANCHOR).write_text(anchor)
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        raise _failed(error) from error


def _failed(error: Exception) -> Refusal:
    return Refusal("leaving.folder", "the folder cannot be written", reason=str(error))


def leaving(work: Work) -> Generator[Step | Slow, Any, None]:
    """See the module, and ports.JobCode."""
    folder = Path(msgspec.json.decode(work.arguments, type=LeavingArguments).folder)
    every = sections(work.desk)
    for section in _todo(every, work.cursor.get("section", "")):
        yield from _written(work, folder, section)
    for content in work.desk.vault.attachments():
        yield Slow(partial(_copied, work, folder, content))
    yield Step(cursor={"section": ATTACHMENTS})
    result = yield Slow(partial(_finished, work, folder, every))
    yield Step(result=result)


def _todo(every: list[Section], begun: str) -> list[Section]:
    """The sections from the one that was begun; all where it is not there any more."""
    if begun == ATTACHMENTS:
        return []
    names = [section.name for section in every]
    return every[names.index(begun) if begun in names else 0 :]


def _written(work: Work, folder: Path, section: Section) -> Generator[Step | Slow, Any, None]:
    """One section from where its last page ended."""
    here = work.cursor.get("section") == section.name
    after, written, more = (
        (work.cursor["after"], work.cursor["bytes"], work.cursor["more"]) if here else (None, 0, True)
    )
    path = folder / section.name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    append(path, (), at=written)
    while more:
        with work.desk.vault.read() as turn:
            lines, after = section.page(work.desk, turn, after)
        written = append(path, [_encode(line) + b"\n" for line in lines], at=written)
        more = after is not None
        cursor = {"section": section.name, "after": after, "bytes": written, "more": more}
        yield Step(done=len(lines), cursor=cursor)
    if not written:
        path.unlink()
    elif section.columns:
        yield Slow(partial(_table, work, path, section.columns))


def _table(work: Work, path: Path, columns: tuple[str, ...]) -> None:
    """The lines as CSV beside them."""
    rows = ([cell_of(line, column) for column in columns] for line in lines_of(path))
    _write(path.with_suffix(".csv"), work.tables.write("csv", columns, rows))


def _copied(work: Work, folder: Path, content: bytes) -> None:
    (folder / ATTACHMENTS).mkdir(mode=0o700, exist_ok=True)
    with work.desk.vault.attachment_open(content) as stream:
        _write(folder / ATTACHMENTS / content.hex(), _chunks(stream))


def _write(path: Path, chunks: Iterator[bytes]) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.writelines(chunks)
    except OSError as error:
        raise _failed(error) from error


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def _finished(work: Work, folder: Path, every: list[Section]) -> dict[str, Any]:
    """Write what says what is what, then the manifest; what came of it as JSON."""
    desk = work.desk
    _write(folder / README, iter([_readme(work, folder, every).encode()]))
    files = {str(path.relative_to(folder)): _described(path) for path in sorted(folder.rglob("*"))
             if path.is_file() and path.name not in (UNFINISHED, MANIFEST)}  # fmt: skip
    manifest = {
        "firm": desk.names.name_of(desk.me), "identity": desk.me.hex(), "network": desk.books.network.hex(),
        "at": str(Instant(desk.now_ms())), "files": files,
    }  # fmt: skip
    _write(folder / MANIFEST, iter([msgspec.json.format(_encode(manifest), indent=1)]))
    (folder / UNFINISHED).unlink(missing_ok=True)
    total = sum(each["bytes"] for each in files.values())
    return {"folder": str(folder), "files": len(files), "bytes": total}


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": path.stat().st_size}


def _readme(work: Work, folder: Path, every: list[Section]) -> str:
    listed = "\n".join(f"| `{each.name}` | {each.about} |" for each in every if (folder / each.name).exists())
    firm = work.desk.names.name_of(work.desk.me)
    return _README.format(firm=firm, at=Instant(work.desk.now_ms()), listed=listed)


_README = """# Everything that the node of {firm} held at {at}

Personal data lies here in clear: keep this folder as carefully as the node itself. Keys are not in it (a copy of the
node has them), nor are passwords and tokens.

| File | What it is |
|---|---|
{listed}
| `contracts/*.csv` | the same contracts as tables: a column for each part of a field |
| `attachments/` | attached files, each named by its SHA-256 |
| `anchor.json` | the network's trust anchor, by which proofs are checked |
| `manifest.json` | SHA-256 and size of every file here |

Files that end in `.jsonl` have one JSON object a line, in UTF-8. Amounts are decimal text with their currency, times
are milliseconds since 1970 (UTC), hashes and ids are hex. `contract.ref` is the id of the transaction that made a
contract, and its number there.

In `transactions.jsonl`, `view`, `skeleton` and `receipt` are the stored bytes (DAG-CBOR) in hex; `receipt_proof` is the
receipt with the hashes that the transaction's id is made of. Each of `proofs` proves one contract that the transaction
made: written into a file as bytes, it is checked by `interfirm proof verify FILE --anchor anchor.json`, which needs
neither node nor network.
"""
