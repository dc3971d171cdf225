"""The two programs of a validator, as files tell of them: which run, what they write, what they ended of.

Commands read this without the supervisor and all that it needs.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from interfirm.base.values import Value

APPLICATION, ENGINE = "application", "engine"
PARTS = (APPLICATION, ENGINE)
LINES_KEPT = 8


class Fault(Value, frozen=True):
    """How often a process ended by itself, and what it said last."""

    restarts: int = 0
    code: int = 0
    at_ms: int = 0
    last: tuple[str, ...] = ()


def pid_path(home: Path, part: str) -> Path:
    """The number of a validator's process."""
    return home / f"{part}.pid"


def log_path(home: Path, part: str) -> Path:
    """The log of a validator's process."""
    return home / f"{part}.log"


def fault_path(home: Path, part: str) -> Path:
    """What a validator's process died of last."""
    return home / f"{part}.fault.json"


def fault_of(home: Path, part: str) -> Fault:
    """What is known of how a process ended."""
    try:
        return msgspec.json.decode(fault_path(home, part).read_bytes(), type=Fault)
    except (OSError, msgspec.DecodeError):
        return Fault()


def running(home: Path, part: str) -> int | None:
    """The number of a validator's process, if it runs and is ours."""
    try:
        pid = int(pid_path(home, part).read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    own = str(home if part == ENGINE else home.parent).encode()
    return pid if own in command else None


def last_lines(path: Path, count: int = LINES_KEPT) -> tuple[str, ...]:
    """The end of a log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            return tuple(line[:500] for line in file.read().decode(errors="replace").splitlines()[-count:])
    except OSError:
        return ()
