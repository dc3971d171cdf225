"""Structured logs: one JSON object a line, no secrets, to the process's standard error."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TextIO, cast

import structlog

HIDDEN = "***"
_SECRET_NAMES = frozenset({
    "authorization", "cookie", "key_pem", "passphrase", "password", "private", "salt", "secret", "seed", "token",
})  # fmt: skip
_SECRETS = re.compile(
    r"ift_[0-9a-f]{16}_[0-9a-f]{64}|(?<=://)[^/@\s:]+:[^/@\s]+(?=@)|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END|$)"
    r"|(?i:bearer|basic) +[A-Za-z0-9+/=._~-]{8,}",
    re.DOTALL,
)


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


def without_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The second line of defence: what looks like a secret does not reach the log, whoever put it there."""
    return {name: _hidden(name, value) for name, value in event.items()}


def _hidden(name: str, value: Any) -> Any:
    if name.lower() in _SECRET_NAMES and value:
        return HIDDEN
    if isinstance(value, str):
        return _SECRETS.sub(HIDDEN, value)
    if isinstance(value, dict):
        return {key: _hidden(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden("", inner) for inner in value]
    return value if isinstance(value, bool | int | None) else _SECRETS.sub(HIDDEN, str(value))


class _Library(logging.Handler):
    """What libraries tell through Python's own logging, as one of our lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        tell = log.error if record.levelno >= logging.ERROR else log.warning
        tell("library.told", library=record.name, message=record.getMessage(), exc_info=record.exc_info)


_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    without_secrets,
    structlog.processors.JSONRenderer(),
]
structlog.configure(processors=_PROCESSORS, logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Stderr())))

log = structlog.get_logger()
"""`log.info("area.event", name=value)`; events are named like refusal codes."""


_FIRM: ContextVar[str] = ContextVar("firm")


def speak_for(firm: str) -> None:
    """From now on this task, and what it begins, speaks of this firm of the process's group."""
    _FIRM.set(firm)


def name_process(firm: str, *, level: str = "info") -> None:
    """From now on every line says whose process it is of; what is less than `level` is left out."""

    def named(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("firm", _FIRM.get(firm))
        return event

    logging.basicConfig(handlers=[_Library()], level=logging.WARNING, force=True)
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(processors=[named, *_PROCESSORS], wrapper_class=structlog.make_filtering_bound_logger(least))
