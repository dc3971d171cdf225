"""Structured logs: one JSON object a line, no secrets, to the process's standard error."""

from __future__ import annotations

import sys

import structlog

structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ],
    logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
)

log = structlog.get_logger()
"""`log.info("area.event", name=value)`; events are named like refusal codes."""
