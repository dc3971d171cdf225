"""`jobs`: what the node does in the background, how far it is, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.cli import session

app = typer.Typer(help="Background jobs: imports, exports, how far they are.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The job's id, or its beginning.")]
LOOK_S = 0.25
ERRORS_SHOWN = 20


def full_id(beginning: str) -> str:
    """The whole id of a job that was typed by its beginning; as it stands where that fits none, or several."""
    found = [each["id"] for each in session.ask("jobs.list", limit=1000)["jobs"] if each["id"].startswith(beginning)]
    return str(found[0]) if len(found) == 1 else beginning


@app.command("list")
def list_jobs(
    state: Annotated[str | None, typer.Option(help="running, done, refused or cancelled")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """List jobs, newest first."""
    found = session.ask("jobs.list", state=state, limit=limit)
    session.show(
        found,
        lambda data: session.table_of(
            "Jobs", ["Id", "Kind", "State", "Done", "Errors", "By", "Since"],
            [[j["id"][:12], j["kind"], j["state"], _count(j), j["errors"] or "", j["asked_by"],
              Instant(j["started_ms"])] for j in data["jobs"]],
            empty="no jobs; `interfirm bulk import FILE --template ...` starts one",
        ),
    )  # fmt: skip


def _count(job: dict[str, Any]) -> str:
    return str(job["done"]) if job["total"] is None else f"{job['done']}/{job['total']}"


@app.command()
def show(
    job: Id,
    after: Annotated[int, typer.Option(min=0, help="Leave out so many errors of rows.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Errors of rows.")] = 100,
) -> None:
    """Show one job with the rows that it could not do."""
    session.show(session.ask("jobs.show", id=full_id(job), after=after, limit=limit), told)


@app.command()
def cancel(job: Id) -> None:
    """Cancel a job: it takes up nothing more; what is under way goes on."""
    session.show(session.ask("jobs.cancel", id=full_id(job)), lambda d: f"cancelled after {_count(d['job'])} rows")


@app.command("file")
def file(job: Id, to: Annotated[Path, typer.Option("--to", "-o", help="The file to write.")]) -> None:
    """Write what a job has exported into a file."""
    size = save(full_id(job), to)
    session.show({"file": str(to), "bytes": size}, lambda d: f"wrote {d['file']} ({d['bytes']} bytes)")


def save(job: str, to: Path) -> int:
    """Write what a job has exported into a file; its size."""
    try:
        with to.open("wb") as stream:
            return sum(stream.write(piece) for piece in _pieces(job))
    except OSError as error:
        raise Refusal("file.write", "the file cannot be written", path=str(to), reason=error.strerror or "") from error


def _pieces(job: str) -> Iterator[bytes]:
    offset: int | None = 0
    while offset is not None:
        piece = session.ask("jobs.file", id=job, offset=offset)
        yield bytes.fromhex(piece["data"])
        offset = piece["next"]


def follow(job: dict[str, Any]) -> dict[str, Any]:
    """A job as it ends, with its progress meanwhile; exits 4 where it does not move for as long as `--wait` says.

    Raises the refusal that ended it.
    """
    from rich.progress import (  # takes a tenth of a second, which other commands do without
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=session.errors, transient=True, disable=not session.progress_allowed()) as bar:
        task = bar.add_task(job["kind"], total=None)
        moved = time.monotonic()
        while job["state"] == "running":
            time.sleep(LOOK_S)
            seen, job = job, session.ask("jobs.show", id=job["id"])
            bar.update(task, total=job["total"], completed=job["done"], description=job["waiting"] or job["kind"])
            if (job["done"], job["total"]) != (seen["done"], seen["total"]):
                moved = time.monotonic()
            if time.monotonic() - moved > session.options.wait_s:
                session.show(job, told)
                raise typer.Exit(session.WAITING)
    if job["state"] == "refused":
        raise Refusal(job["result"]["code"], job["result"]["reason"], **job["result"]["values"])
    return job


def told(job: dict[str, Any]) -> Any:
    """A job for people: how far it is, and its first errors."""
    line = f"{job['kind']} {job['id'][:12]} {job['state']}: {_count(job)} rows, {job['errors']} errors"
    line += f"; {job['waiting']}" if job["waiting"] else ""
    rows = [[row["row"], row["column"], row["value"][:40], row["code"], _why(row)] for row in job.get("rows", [])]
    if not rows:
        return line
    return session.table_of(line, ["Row", "Column", "Value", "Rule", "Why"], rows[:ERRORS_SHOWN], empty="")


def _why(row: dict[str, Any]) -> str:
    values = ", ".join(f"{name}={value}" for name, value in row["values"].items())
    return f"{row['reason']} ({values})" if values else str(row["reason"])
