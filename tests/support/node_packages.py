"""Programs of npm's that tests need, installed from the locks in tests/support/<name> into build/<name>."""

from __future__ import annotations

import fcntl
import filecmp
import functools
import shutil
import subprocess
from pathlib import Path

import pytest

SUPPORT = Path(__file__).resolve().parent
BUILD = SUPPORT.parents[1] / "build"


@functools.cache
def installed(name: str, *files: str) -> Path:
    """The folder where a package is installed, with these files of ours beside it.

    The test is skipped, saying so, where Node.js is absent.
    """
    npm, sources, build = shutil.which("npm"), SUPPORT / name, BUILD / name
    if npm is None or shutil.which("node") is None:
        pytest.skip(f"NOT JUDGED: Node.js is absent, and tests/support/{name} needs it; install Node.js 20 or later")
    build.mkdir(parents=True, exist_ok=True)
    with (build / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers of this run install it too
        done = build / "installed.json"
        if not done.exists() or not filecmp.cmp(sources / "package-lock.json", done, shallow=False):
            for each in ("package.json", "package-lock.json"):
                shutil.copy(sources / each, build / each)
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(command, cwd=build, check=True)
            shutil.copy(sources / "package-lock.json", done)
        for each in files:
            shutil.copy(sources / each, build / each)
    return build
