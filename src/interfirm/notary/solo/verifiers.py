"""Processes that verify a batch's signatures on other cores while it is judged.

Threads were tried: a thread that comes back from libsodium waits for the interpreter as long as the judge holds it, and
two threads were slower than one.
"""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from interfirm.base.limits import LIMITS
from interfirm.ledger.signing import PARTY, signed_bytes
from interfirm.ledger.types import PLATFORM_VERSION, TransactionSignature
from interfirm.notary.solo.checking import Checked
from interfirm.notary.solo.verifier import Work
from interfirm.notary.types import Asked, Notarise, transaction_in

REQUESTS_PER_JOB = 16
"""Small enough that the first verdicts are there before they are asked for."""

_encode = msgspec.msgpack.Encoder().encode
_Known = tuple[TransactionSignature, bytes]


class _Job:
    """Signatures under work, and their verdicts once these were read."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.verdicts: bytes | None = None


class _Worker:
    """One process; jobs are answered in the order they were given."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "interfirm.notary.solo.verifier"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._pending: deque[_Job] = deque()

    def give(self, work: list[Work]) -> _Job:
        job = _Job(len(work))
        data = _encode(work)
        try:
            self._input.write(len(data).to_bytes(4, "big") + data)
            self._input.flush()
            self._pending.append(job)
        except OSError:  # the process has ended: what it was given is worked out by who asks
            job.verdicts = b""
        return job

    def wait(self, job: _Job) -> bytes:
        """The verdicts of a job; none of a process that has ended."""
        while job.verdicts is None:
            first = self._pending.popleft()
            first.verdicts = self._output.read(first.count)
        return job.verdicts

    def drain(self) -> None:
        if self._pending:
            self.wait(self._pending[-1])

    def close(self) -> None:
        with suppress(OSError):  # it has ended already
            self._input.close()
        self._process.wait()
        self._output.close()


class CheckedAhead(Checked):
    """A batch whose signatures are being verified elsewhere; `check` waits for a verdict where it is still to come."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[int, tuple[TransactionSignature, bytes, _Worker, _Job, int]] = {}

    def check(self, signature: TransactionSignature, transaction: bytes, purpose: str) -> None:
        """As `check_signature`."""
        known = self._known.get(id(signature))
        if known is not None and purpose == PARTY and known[1] == transaction:
            _, _, worker, job, place = known
            if worker.wait(job)[place : place + 1] == b"\x01":
                return
        super().check(signature, transaction, purpose)

    def give(self, requests: Sequence[Notarise], worker: _Worker) -> None:
        """Have a worker verify these requests' signatures."""
        known: list[_Known] = []
        work: list[Work] = []
        for request in requests:
            transaction = self.identify(request)
            for signature in request.signatures[: LIMITS.lines_count_max]:
                if signature.platform_version == PLATFORM_VERSION and signature.purpose == PARTY:
                    key = signature.key
                    message = signed_bytes(transaction, signature.identity, key, PLATFORM_VERSION, PARTY)
                    work.append((key.scheme, key.key, message, signature.signature))
                    known.append((signature, transaction))
        job = worker.give(work)
        for place, (signature, transaction) in enumerate(known):
            self._known[id(signature)] = (signature, transaction, worker, job, place)


class Verifiers:
    """A number of such processes, started with this object and ended with `close` or with the host's own process."""

    def __init__(self, count: int) -> None:
        self._workers = [_Worker() for _ in range(count)]

    def ahead(self, requests: Sequence[Asked]) -> CheckedAhead:
        """Begin to verify the signatures of a batch."""
        checked = CheckedAhead()
        transactions = [request for asked in requests if (request := transaction_in(asked.request)) is not None]
        for number, start in enumerate(range(0, len(transactions), REQUESTS_PER_JOB)):
            worker = self._workers[number % len(self._workers)]
            checked.give(transactions[start : start + REQUESTS_PER_JOB], worker)
        return checked

    def drain(self) -> None:
        """Wait for verdicts that nobody asked for, so that no work piles up."""
        for worker in self._workers:
            worker.drain()

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.close()
