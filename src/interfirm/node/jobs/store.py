"""Jobs in the vault: each by its id, a list by time, those that run, their batches and the errors of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node import kept
from interfirm.node.jobs.types import Batch, Job, RowError
from interfirm.node.vault.turn import Turn

JOBS, BY_TIME, RUNNING, BATCHES, ERRORS, MAPPINGS = (
    "jobs", "jobs-by-time", "jobs-running", "job-batches", "job-errors", "bulk-mappings",
)  # fmt: skip
_LATEST_MS = 2**63 - 1
_PAGE = 200
V = TypeVar("V", bound=Value)


def put_job(turn: Turn, job: Job) -> None:
    """Keep a job."""
    turn.blob_put(JOBS, job.id.encode(), msgspec.msgpack.encode(job))
    if job.state == "running":
        turn.blob_put(RUNNING, job.id.encode(), b"")
    else:
        turn.blob_delete(RUNNING, job.id.encode())
        for batch in batches(turn, job.id):
            end_batch(turn, job.id, batch.flow)


def add_job(turn: Turn, job: Job) -> None:
    """Keep a new job; Refusal `job.count` where too many are under way."""
    running = len(turn.blobs(RUNNING, limit=LIMITS.jobs_running_count_max))
    if running >= LIMITS.jobs_running_count_max:
        raise Refusal("job.count", "too many jobs are under way", jobs_max=LIMITS.jobs_running_count_max)
    put_job(turn, job)
    turn.blob_put(BY_TIME, _by_time(job), b"")


def job_of(turn: Turn, name: str) -> Job:
    """The job with this id; Refusal `job.unknown`."""
    found = find_job(turn, name)
    if found is None:
        raise Refusal("job.unknown", "there is no such job", job=name[:80])
    return found


def find_job(turn: Turn, name: str) -> Job | None:
    """The job with this id, if there is one."""
    return kept.get(turn, JOBS, name.encode(), Job)


def jobs(turn: Turn) -> Iterator[Job]:
    """All jobs, newest first."""
    after: bytes | None = None
    while page := turn.blobs(BY_TIME, after=after, limit=_PAGE):
        for key, _ in page:
            yield job_of(turn, key[8:].decode())
        after = page[-1][0]


def running(turn: Turn) -> list[str]:
    """The ids of the jobs that are under way."""
    return [key.decode() for key, _ in turn.blobs(RUNNING, limit=LIMITS.jobs_running_count_max)]


def remove_job(turn: Turn, job: Job) -> None:
    """Forget a job that has ended, with the errors of its rows."""
    turn.blob_delete(JOBS, job.id.encode())
    turn.blob_delete(BY_TIME, _by_time(job))
    for number in range(min(job.errors, LIMITS.job_errors_count_max)):
        turn.blob_delete(ERRORS, _key(job.id, f"{number:012d}"))


def put_batches(turn: Turn, job: str, made: Iterable[Batch]) -> None:
    """Keep what a job has taken up."""
    turn.blobs_put(BATCHES, ((_key(job, batch.flow), msgspec.msgpack.encode(batch)) for batch in made))


def end_batch(turn: Turn, job: str, flow: str) -> None:
    """Forget a batch whose flow has ended."""
    turn.blob_delete(BATCHES, _key(job, flow))


def batches(turn: Turn, job: str) -> list[Batch]:
    """What a job has taken up and not settled."""
    return _of_job(turn, BATCHES, job, Batch, limit=LIMITS.job_flows_count_max * LIMITS.job_batch_rows_count_max)


def put_errors(turn: Turn, job: Job, errors: Iterable[RowError]) -> Job:
    """Count errors of rows, and keep the first ones; returns the job with its new count."""
    count = job.errors
    for error in errors:
        if count < LIMITS.job_errors_count_max:
            turn.blob_put(ERRORS, _key(job.id, f"{count:012d}"), msgspec.msgpack.encode(error))
        count += 1
    return job.replace(errors=count)


def errors_of(turn: Turn, job: str, *, after: int = 0, limit: int = 100) -> list[RowError]:
    """Errors of rows in the order in which they were found, after the first `after`."""
    return _of_job(turn, ERRORS, job, RowError, after=f"{after - 1:012d}" if after else "", limit=limit)


def _of_job(turn: Turn, space: str, job: str, kind: type[V], *, after: str = "", limit: int) -> list[V]:
    page = turn.blobs(space, after=_key(job, after), limit=limit)
    mine = _key(job, "")
    return [msgspec.msgpack.decode(value, type=kind) for key, value in page if key.startswith(mine)]


def _by_time(job: Job) -> bytes:
    return (_LATEST_MS - job.started_ms).to_bytes(8, "big") + job.id.encode()


def _key(job: str, name: str) -> bytes:
    return f"{job}\0{name}".encode()
