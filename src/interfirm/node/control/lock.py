"""One node for one directory: an advisory lock that the system gives back even after a kill."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from interfirm.base.errors import Refusal


class DirectoryLock:
    """Holds a node's directory for this process; also a context manager.

    `acquire` raises Refusal `node.already-running` (with the other process's number) while somebody else holds it, and
    `node.directory` where the directory cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / "node.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock, or refuse."""
        assert self._descriptor is None, "this lock is held already"
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            path, reason = str(self.path), error.strerror
            raise Refusal("node.directory", "the directory cannot be used", path=path, reason=reason) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
            os.close(descriptor)
            directory = str(self.path.parent)
            message = "another process runs a node on this directory"
            raise Refusal("node.already-running", message, directory=directory, process=holder) from error
        # the number is a hint for people; the lock itself lies in the system
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; the file stays, because removing it would let two processes hold two files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> DirectoryLock:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()
