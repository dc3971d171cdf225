"""The kinds of trouble (house manner 3): a refusal, and the world's faults that a shell reports as events."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):  # noqa: N818 - the field's word; it is an answer, not a failure of the program
    """A clear no, with a stable code that names the broken rule and the values that broke it.

    `code` is kebab-case and never changes once released (`ledger.order`, `notary.consumed`, `money.currency`);
    `message` is one sentence for people; `values` are plain, printable facts, never secrets.
    """

    def __init__(self, code: str, message: str, **values: Any) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.values = values

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={_shown(value)}" for name, value in self.values.items())
        return f"{self.code}: {self.message}" + (f" ({shown})" if shown else "")

    def as_plain(self) -> dict[str, Any]:
        """The refusal as a JSON-ready map: code, reason, values (bytes as hex)."""
        return {"code": self.code, "reason": self.message, "values": {k: _plain(v) for k, v in self.values.items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return str(value)


def _shown(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def check(holds: bool, code: str, message: str, **values: Any) -> None:
    """Raise `Refusal(code, message, **values)` unless `holds`."""
    if not holds:
        raise Refusal(code, message, **values)
