"""Operations about many contracts at once: import, export, leaving with everything; and the jobs that do it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node.desk import Answer, Desk, Operation, bytes_of, text_of
from interfirm.node.jobs import store
from interfirm.node.jobs.exporting import ExportArguments, check_export
from interfirm.node.jobs.importing import ImportArguments
from interfirm.node.jobs.leaving import LeavingArguments, new_folder
from interfirm.node.jobs.mapping import Mapping, read_mapping
from interfirm.node.jobs.types import Job
from interfirm.node.vault.turn import Turn

FORMATS = ("csv", "xlsx", "jsonl")
PIECE_BYTES = LIMITS.attachment_piece_bytes
V = TypeVar("V", bound=Value)


def _import(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Import a table (`path`, or `document` and `name`): each row a new contract of `template`, or `choice` on one.

    `mapping` is `{"columns", "constants", "defaults"}` or the name of one that is kept; `key` of a choice is
    `{"column", "field"}`; `dry_run` only checks; `batch` is how many rows go into one transaction. Answers with the
    `job`.
    """
    known = known_job(desk, arguments)
    if known is not None:
        return known
    template = desk.engine.named(text_of(arguments, "template"))
    key = arguments.get("key") or {}
    check(isinstance(key, dict), "form.fields", "a key is a column and a field", key=str(key)[:80])
    batch = arguments.get("batch", 25)
    rows_max = LIMITS.job_batch_rows_count_max
    fits = type(batch) is int and 1 <= batch <= rows_max
    check(fits, "bulk.batch", "a transaction has rows, and not too many", rows_max=rows_max)
    content, name = _document(desk, arguments)
    asked = ImportArguments(
        document=content.hex(), name=name, format=_format(str(arguments.get("format") or Path(name).suffix[1:])),
        template=desk.template_name(template), mapping=msgspec.to_builtins(_mapping(desk, arguments.get("mapping"))),
        choice=str(arguments.get("choice") or ""), key_column=str(key.get("column", "")),
        key_field=str(key.get("field", "ref")), dry_run=bool(arguments.get("dry_run")), batch=batch,
        note=str(arguments.get("note") or ""),
        notary=None if arguments.get("notary") is None else text_of(arguments, "notary"),
    )  # fmt: skip
    return begin_job(desk, arguments, "import", asked)


def _export(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Export the contracts of `template` as the caller may see them: `format`, `where`, `fields`, `order_by`, `status`.

    Formats are csv, xlsx and jsonl (JSON lines); `search` finds words, as in lists. Answers with the `job`; what it
    wrote is read with `jobs.file`.
    """
    known = known_job(desk, arguments)
    if known is not None:
        return known
    code = desk.engine.named(text_of(arguments, "template"))
    given = {name: arguments[name] for name in ("where", "search", "fields", "order_by", "status")
             if arguments.get(name) is not None}  # fmt: skip
    given |= {"template": desk.template_name(code), "format": _format(str(arguments.get("format") or "csv"))}
    asked = _converted(given, ExportArguments)
    check_export(desk, asked)
    return begin_job(desk, arguments, "export", asked)


def _export_all(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Write everything that this node holds into the empty `folder` of its machine; for the node's own user alone.

    Answers with the `job`. `anchor` is the network's trust anchor as JSON, to lie beside the proofs.
    """
    permission = desk.permission
    own = permission.is_owner and permission.caller.door == "control"
    check(own, "access.operation", "this is for the user who runs the node", operation="export-all")
    asked = LeavingArguments(folder=text_of(arguments, "folder"), anchor=str(arguments.get("anchor") or ""))
    known = known_job(desk, arguments)
    if known is not None:
        return known
    new_folder(Path(asked.folder), asked.anchor)
    return begin_job(desk, arguments, "export-all", asked)


def _format(name: str) -> str:
    check(name in FORMATS, "table.format", "tables are not kept in this format", format=name[:20], known=FORMATS)
    return name


def _converted(given: dict[str, Any], kind: type[V]) -> V:
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise Refusal("form.fields", "an argument is of another type", reason=str(error)) from error


def _document(desk: Desk, arguments: dict[str, Any]) -> tuple[bytes, str]:
    """The table as a file that is kept here, and its name; see `Desk.file`."""
    if arguments.get("document") is not None:
        content = bytes_of(arguments, "document")
        here = desk.vault.attachment_here(content)
        check(here, "vault.attachment-unknown", "there is no such file here", content=content)
        return content, str(arguments.get("name", ""))[:200]
    check(desk.permission.caller.door == "control", "access.path",
          "from afar a file is named by the `document` it was put here as")  # fmt: skip
    path = Path(text_of(arguments, "path"))
    try:
        with path.open("rb") as stream:
            return desk.vault.attachment_put_stream(_chunks(stream)), path.name
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = getattr(error, "strerror", None) or str(error)
        raise Refusal("file.unreadable", "the file cannot be read", path=str(path), reason=reason) from error


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(PIECE_BYTES):
        yield chunk


def _mapping(desk: Desk, given: Any) -> Mapping:
    """A mapping as JSON, or the one that is kept under a name; Refusal `bulk.mapping`."""
    if not isinstance(given, str):
        return read_mapping(given)
    with desk.vault.read() as turn:
        kept = turn.blob_get(store.MAPPINGS, given.encode())
    if kept is None:
        raise Refusal("bulk.mapping", "no mapping is kept under this name", name=given[:80])
    return msgspec.json.decode(kept, type=Mapping)


def _mappings(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Mappings of columns that are kept, by name."""
    with desk.vault.read() as turn:
        kept = turn.blobs(store.MAPPINGS, limit=1000)
    return {"mappings": {key.decode(): msgspec.json.decode(value) for key, value in kept}}


def _keep_mapping(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Keep `mapping` under `name`, in place of an earlier one; without a mapping, forget the one of this name."""
    name = text_of(arguments, "name")
    check(len(name) <= 80, "bulk.mapping", "a name has at most 80 characters", chars=len(name))
    with desk.vault.turn() as turn:
        if arguments.get("mapping") is None:
            turn.blob_delete(store.MAPPINGS, name.encode())
        else:
            value = msgspec.json.encode(read_mapping(arguments["mapping"]))
            turn.blob_put(store.MAPPINGS, name.encode(), value)
    return {"name": name}


# jobs ---------------------------------------------------------------------------------------------------------------


def _job_id(desk: Desk, arguments: dict[str, Any]) -> str:
    return digest("job", desk.permission.caller.name, desk.request_id(arguments)).hex()[:32]


def known_job(desk: Desk, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """The job that was asked for before under the same request id."""
    if not arguments.get("request"):
        return None
    with desk.vault.read() as turn:
        found = store.find_job(turn, _job_id(desk, arguments))
    return None if found is None else {"job": shown_job(found)}


def begin_job(desk: Desk, arguments: dict[str, Any], kind: str, asked: Value) -> Answer:
    """Keep a new job of a kind for the caller; the answer shows it."""
    now = desk.now_ms()
    job = Job(
        id=_job_id(desk, arguments), kind=kind, arguments=msgspec.json.encode(asked),
        asked_by=desk.permission.caller, started_ms=now, changed_ms=now,
    )  # fmt: skip
    with desk.vault.turn() as turn:
        store.add_job(turn, job)
    return {"job": shown_job(job)}


def shown_job(job: Job) -> dict[str, Any]:
    """A job as JSON."""
    asked = msgspec.json.decode(job.arguments)
    return {
        "id": job.id, "kind": job.kind, "state": job.state, "asked_by": job.asked_by.name, "about": asked,
        "started_ms": job.started_ms, "changed_ms": job.changed_ms, "done": job.done, "total": job.total,
        "errors": job.errors, "waiting": job.waiting,
        "result": msgspec.json.decode(job.result) if job.result else None,
    }  # fmt: skip


def _list(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Jobs, newest first: `state`, `limit`; those that the caller asked for, unless `jobs.all` is allowed."""
    limit, state = _number(arguments, "limit", 50), arguments.get("state")
    with desk.vault.read() as turn:
        fitting = (job for job in store.jobs(turn) if _is_for(desk, job) and state in (None, job.state))
        return {"jobs": [shown_job(job) for job in itertools.islice(fitting, min(limit, 1000))]}


def _number(arguments: dict[str, Any], name: str, otherwise: int) -> int:
    """An argument that is a whole number, not less than nothing; Refusal `form.fields`."""
    value = arguments.get(name, otherwise)
    check(type(value) is int and value >= 0, "form.fields", "an argument is a whole number", argument=name)
    return int(value)


def _is_for(desk: Desk, job: Job) -> bool:
    return desk.permission.may("jobs.all") or job.asked_by.name == desk.permission.caller.name


def _own(desk: Desk, turn: Turn, arguments: dict[str, Any]) -> Job:
    """The job `id`, which the caller asked for; Refusal `job.unknown` for another's unless `jobs.all` is allowed."""
    job = store.job_of(turn, text_of(arguments, "id"))
    check(_is_for(desk, job), "job.unknown", "there is no such job", job=job.id)
    return job


def _show(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """The job `id`, with `limit` errors of rows after the first `after`."""
    after, limit = _number(arguments, "after", 0), _number(arguments, "limit", 100)
    with desk.vault.read() as turn:
        job = _own(desk, turn, arguments)
        errors = store.errors_of(turn, job.id, after=after, limit=min(limit, 1000))
    return {**shown_job(job), "rows": [msgspec.to_builtins(error) for error in errors]}


def _cancel(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Cancel the job `id`: it takes up nothing more; transactions that it has under way go on."""
    with desk.vault.turn() as turn:
        job = _own(desk, turn, arguments)
        check(job.state == "running", "job.ended", "this job has ended", job=job.id, state=job.state)
        job = job.replace(state="cancelled", waiting="", changed_ms=desk.now_ms())
        store.put_job(turn, job)
    return {"job": shown_job(job)}


def _file(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """A piece of what the job `id` wrote, from byte `offset` on: `data` in hex, and whether more follows."""
    offset = _number(arguments, "offset", 0)
    with desk.vault.read() as turn:
        job = _own(desk, turn, arguments)
    result = msgspec.json.decode(job.result) if job.result else {}
    file = result.get("file") or {}
    check(job.state == "done" and bool(file), "job.file", "this job has written no file", job=job.id, state=job.state)
    with desk.vault.attachment_open(bytes.fromhex(file["document"]), checked=offset == 0) as stream:
        stream.seek(offset)
        data = stream.read(PIECE_BYTES)
        more = bool(stream.read(1))
    return {"name": file["name"], "offset": offset, "data": data.hex(), "next": offset + len(data) if more else None}


OPERATIONS: dict[str, Operation] = {
    "bulk.import": _import,
    "bulk.export": _export,
    "bulk.export-all": _export_all,
    "bulk.mappings": _mappings,
    "bulk.mapping-put": _keep_mapping,
    "jobs.list": _list,
    "jobs.show": _show,
    "jobs.cancel": _cancel,
    "jobs.file": _file,
}
"""See the module."""
