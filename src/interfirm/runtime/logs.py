"""Structured logs: one JSON object a line, no secrets, to the process's standard error."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog


class _Stderr:
    """Standard error, on a disk that may be full: a line that cannot be written is lost, and nothing else is."""

    def write(self, text: str) -> None:
        """Write, if possible."""
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        """Flush, if possible."""
        with suppress(OSError):
            sys.stderr.flush()


structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ],
    logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Stderr())),
)

log = structlog.get_logger()
"""`log.info("area.event", name=value)`; events are named like refusal codes."""
