"""The control socket from ordinary blocking code: the command line, the supervisor, tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.node.control.client import ControlClient


class Asker:
    """Talks to the process behind a socket path, one request at a time."""

    def __init__(self, path: Path, *, timeout_s: float = 90.0) -> None:
        self._client = ControlClient(path)
        self._timeout_s = timeout_s

    def call(self, name: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer; raises the process's refusal, `node.not-running` or `node.no-answer`."""
        last: dict[str, Any] = {}
        for item in self.stream(name, arguments):
            last = item
        return last

    def stream(self, name: str, arguments: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Progress as it comes; the last item is the answer."""
        parts = self._client.stream(name, arguments or {})
        with asyncio.Runner() as runner:
            while True:
                try:
                    yield runner.run(asyncio.wait_for(anext(parts), self._timeout_s))
                except StopAsyncIteration:
                    return
                except TimeoutError as error:
                    raise Refusal("node.no-answer", "the node does not answer", operation=name) from error
