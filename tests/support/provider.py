"""npm's oidc-provider as a real provider of OpenID Connect on loopback (tests/support/oidc)."""

from __future__ import annotations

import fcntl
import filecmp
import functools
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SOURCES = Path(__file__).resolve().parent / "oidc"
BUILD = Path(__file__).resolve().parents[2] / "build" / "oidc"
FILES = ("package.json", "package-lock.json", "provider.mjs")


@functools.cache
def installed() -> Path:
    """The folder where the provider is installed; the test is skipped, saying so, where Node.js is absent."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("NOT JUDGED: Node.js is absent, and tests/support/oidc needs it; install Node.js 20 or later")
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers of this run install it too
        done = BUILD / "installed.json"
        if not done.exists() or not filecmp.cmp(SOURCES / "package-lock.json", done, shallow=False):
            for name in FILES[:2]:
                shutil.copy(SOURCES / name, BUILD / name)
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(command, cwd=BUILD, check=True)
            shutil.copy(SOURCES / "package-lock.json", done)
        shutil.copy(SOURCES / "provider.mjs", BUILD / "provider.mjs")
    return BUILD


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
    program = installed() / "provider.mjs"
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
