"""Networks of real processes for tests, and the command as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from interfirm.base.errors import Refusal
from interfirm.runtime import notaries
from interfirm.runtime.asking import Asker
from interfirm.runtime.layout import Home, NetworkLayout, new_network

T = TypeVar("T")
FIRMS = (
    ("Nordmark Components NV", "BE0987654394"),
    ("Halden Retail BV", "BE0812345603"),
    ("Kern Logistics NV", "BE0543210955"),
)
NOW_MS = time.time_ns() // 1_000_000
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def command(*words: str, cwd: Path | None = None, timeout_s: float = 240) -> subprocess.CompletedProcess[str]:
    """The `interfirm` command in a process of its own."""
    program = [sys.executable, "-c", "from interfirm.cli.main import main; main()", *words]
    return subprocess.run(program, capture_output=True, text=True, cwd=cwd, timeout=timeout_s, check=False)


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON that a command printed."""
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@contextmanager
def network(folder: Path, firms: tuple[tuple[str, str], ...] = FIRMS, **more: Any) -> Iterator[NetworkLayout]:
    """A running network in a folder, stopped at the end whatever happens."""
    layout = new_network(folder, firms, name="test", at_ms=time.time_ns() // 1_000_000, **more)
    try:
        notaries.start_all(layout)
        yield layout
    finally:
        notaries.stop_all(layout)


def asker(home: Home) -> Asker:
    """Talks to a home's process."""
    return Asker(home.control_path)


def ended(home: Home, operation: str, **arguments: Any) -> dict[str, Any]:
    """The flow that an operation starts, as it stands when the node answers."""
    found: dict[str, Any] = asker(home).call(operation, arguments)["flow"]
    return found


def done(home: Home, operation: str, **arguments: Any) -> Any:
    """What a flow came to that ends well at once."""
    flow = ended(home, operation, **arguments)
    assert flow["state"] == "done", flow
    return flow["result"]


def eventually(look: Callable[[], T | None], what: str, *, within_s: float = 60) -> T:
    """What `look` finds, as soon as it finds something; a process that is down counts as nothing yet."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            found = look()
        except Refusal as refusal:
            if refusal.code not in ("node.not-running", "node.gone"):
                raise
            found = None
        if found is not None:
            return found
        time.sleep(0.05)
    raise AssertionError(f"never came: {what}")
