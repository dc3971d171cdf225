"""The job that exports the contracts of a template, as whoever asked may see them then: rows, fields, order.

Pages go as JSON lines into a file of the job, from which the table is made at the end; so a restart goes on with the
next page. Rows that come or go meanwhile neither repeat nor hide others.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.contracts.packages import TemplateCode
from interfirm.node.desk import Desk
from interfirm.node.jobs.columns import cell_of, columns_of, kind_at
from interfirm.node.jobs.mapping import ABOUT
from interfirm.node.jobs.ports import Slow, Tables, Work
from interfirm.node.jobs.types import Step
from interfirm.node.reading import names_of

PAGE_ROWS = 200
_CHUNK_BYTES = 64 * 1024
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
JSON_LINES = "jsonl"


class ExportArguments(Value, frozen=True, forbid_unknown_fields=True):
    """What to export, and how."""

    template: str
    format: str = "csv"
    """csv, xlsx or jsonl."""
    where: dict[str, Any] = {}
    fields: tuple[str, ...] = ()
    """Fields or their parts, and `contract.ref`, `.status`, `.notary`, `.template`; empty: all that the caller sees."""
    search: str | None = None
    order_by: str | tuple[str, ...] | None = None
    status: str = "active"


def check_export(desk: Desk, asked: ExportArguments) -> list[str]:
    """The columns of an export; Refusal `access.template`, `access.field`, `bulk.path`, `form.*`, `vault.*`."""
    code = desk.engine.named(asked.template)
    path = desk.template_name(code)
    desk.permission.check_fields(path, [name.partition(".")[0] for name in asked.fields if name not in ABOUT])
    with desk.vault.read() as turn:
        desk.page(turn, path, **_listed(desk, asked), limit=1)
    if not asked.fields:
        shown = {name: code.fields[name] for name in desk.shown_of(code, code.fields)}
        return ["contract.ref", "contract.status", "contract.notary", *columns_of(shown)]
    return [column for name in asked.fields for column in _columns(code, name)]


def _columns(code: TemplateCode, name: str) -> list[str]:
    return [name] if name in ABOUT else columns_of({name: kind_at(code.fields, name)})


def _among(desk: Desk, asked: ExportArguments) -> dict[str, Any]:
    status = None if asked.status == "all" else asked.status
    return {"status": status, "where": desk.wanted(asked.template, asked.where, search=asked.search)}


def _listed(desk: Desk, asked: ExportArguments) -> dict[str, Any]:
    return {**_among(desk, asked), "order_by": names_of(asked.order_by)}


def exporting(work: Work) -> Generator[Step | Slow, Any, None]:
    """See the module, and ports.JobCode."""
    asked = msgspec.json.decode(work.arguments, type=ExportArguments)
    columns = check_export(work.desk, asked)
    path = work.folder / f"{work.id}.rows"
    after: str | None = work.cursor.get("after")
    written: int = work.cursor.get("bytes", 0)
    more = not written or after is not None
    yield Step(total=_total(work.desk, asked))
    append(path, (), at=written)
    while more:
        lines, after = _page(work.desk, asked, columns, after)
        written = append(path, lines, at=written)
        more = after is not None
        yield Step(done=len(lines), cursor={"after": after, "bytes": written})
    content = yield Slow(lambda: _kept(work, table_of(work.tables, asked, columns, path)))
    name = f"{asked.template.rpartition('.')[2]}.{asked.format}"
    yield Step(result={"file": {"document": content.hex(), "name": name}})


def _kept(work: Work, chunks: Iterator[bytes]) -> bytes:
    return work.desk.vault.attachment_put_stream(chunks, bytes_max=LIMITS.export_bytes_max)


def _total(desk: Desk, asked: ExportArguments) -> int:
    """How many rows there are; an estimate where they are many."""
    with desk.vault.read() as turn:
        return desk.total(turn, asked.template, **_among(desk, asked)).count


def _page(
    desk: Desk, asked: ExportArguments, columns: Sequence[str], after: str | None
) -> tuple[list[bytes], str | None]:
    tops = {column.partition(".")[0] for column in columns if column not in ABOUT}
    with desk.vault.read() as turn:
        page = desk.page(turn, asked.template, **_listed(desk, asked), after=after, limit=PAGE_ROWS)
        lines = []
        for row in page.rows:
            shown = desk.shown(row)
            about = {
                name: shown[name] for name in ("ref", "template", "status", "notary") if f"contract.{name}" in columns
            }
            fields = {name: value for name, value in shown["fields"].items() if name in tops}
            lines.append(_encode({"contract": about, **fields}) + b"\n")
    return lines, page.next_cursor


def append(path: Path, lines: Sequence[bytes], *, at: int) -> int:
    """Write lines at a place of a job's file and cut off what follows; they are on disk when this returns the end.

    Raises Refusal `job.file` where the file has not what was written before, `vault.storage` where it fails.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            size = os.fstat(descriptor).st_size
            check(size >= at, "job.file", "what a job had written is gone", file=path.name, bytes=size, expected=at)
            file.seek(at)
            file.truncate()
            file.writelines(lines)
            end = file.tell()
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise Refusal("vault.storage", "a job's file cannot be written", reason=str(error)) from error
    return end


def table_of(tables: Tables, asked: ExportArguments, columns: Sequence[str], path: Path) -> Iterator[bytes]:
    """The exported file in chunks, from the job's lines."""
    if asked.format == JSON_LINES:
        return _chunks(path)
    return tables.write(asked.format, columns, ([cell_of(line, c) for c in columns] for line in lines_of(path)))


def lines_of(path: Path) -> Iterator[Mapping[str, Any]]:
    """The JSON of each line."""
    with path.open("rb") as file:
        for line in file:
            yield _decode(line)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
