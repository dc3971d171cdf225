"""A process that verifies signatures: jobs on standard input, verdicts on standard output, until the input ends.

It ends with the host, also when that is killed, because its input does. A job is four bytes of length and a msgpack
list of [scheme, key, message, signature]; its answer is one byte for each, 1 if valid.
"""

from __future__ import annotations

import queue
import sys
import threading
from typing import BinaryIO

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.signatures import PublicKey, Scheme, verify

Work = tuple[Scheme, bytes, bytes, bytes]
"""Scheme, key, message, signature."""

_decoder = msgspec.msgpack.Decoder(list[Work])


def verdicts(job: bytes) -> bytes:
    """One byte for each signature of a job, in order."""
    return bytes(
        _is_valid(PublicKey(scheme=s, key=key), message, sign) for s, key, message, sign in _decoder.decode(job)
    )


def _is_valid(key: PublicKey, message: bytes, signature: bytes) -> bool:
    try:
        verify(key, message, signature)
    except Refusal:
        return False
    return True


def _read(source: BinaryIO, jobs: queue.SimpleQueue[bytes | None]) -> None:
    """Take in all that is there at once, so that the host never waits with a full pipe."""
    while len(head := source.read(4)) == 4:
        jobs.put(source.read(int.from_bytes(head, "big")))
    jobs.put(None)


def main() -> None:
    """Work until the input ends."""
    jobs: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, jobs), daemon=True).start()
    while (job := jobs.get()) is not None:
        sys.stdout.buffer.write(verdicts(job))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
