"""npm's oidc-provider as a real provider of OpenID Connect on loopback (tests/support/oidc)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.node_packages import installed


class RunningProvider:
    """A provider that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.issuer = self._line()

    def rotate(self) -> None:
        """Let it have other keys, and forget everybody's session there."""
        assert self._process.stdin is not None
        self._process.stdin.write("rotate\n")
        self._process.stdin.flush()
        assert self._line() == "rotated"

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the provider ended"
        return line


@contextmanager
def a_provider(
    folder: Path, *, accounts: dict[str, dict[str, Any]], clients: list[dict[str, Any]]
) -> Iterator[RunningProvider]:
    """A provider that knows these people by their subjects, and these clients."""
    program = installed("oidc", "provider.mjs") / "provider.mjs"
    about = folder / "provider.json"
    about.write_text(json.dumps({"accounts": accounts, "clients": clients}))
    command = ["node", "--no-warnings", str(program), str(about)]
    with (folder / "provider.log").open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield RunningProvider(process)
    finally:
        process.kill()
        process.communicate()
