"""The consensus engine of a notary cluster: found, or built from its source by the Go toolchain, pinned and kept.

python -m interfirm.runtime.engine [VERSION]        builds it if need be and prints where it is
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from interfirm.base.errors import Refusal

MODULE = "github.com/cometbft/cometbft"
PINNED = "v0.38.26"
"""The version that clusters run."""
ALSO_TESTED = "v0.39.4"
GO_MIN = {PINNED: (1, 22, 11), ALSO_TESTED: (1, 25, 0)}
"""What each version's own go.mod asks for."""
ENGINE = "INTERFIRM_ENGINE"
"""The path of an engine that is there already; it must be of the version asked for."""
BUILD_TIMEOUT_S = 1_200


def engine_path(version: str = PINNED) -> Path:
    """Where the engine of this version is or will be: the clone's build folder, or without one the user's cache."""
    given = os.environ.get(ENGINE)
    if given and version == PINNED:
        return Path(given)
    return _folder() / f"cometbft-{version}" / "cometbft"


def _folder() -> Path:
    root = Path(__file__).resolve().parents[3]
    if (root / "pyproject.toml").exists():
        return root / "build"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interfirm"


def installed(version: str = PINNED) -> Path:
    """The engine; Refusal `engine.missing` or, where it is another version, `engine.version`."""
    path = engine_path(version)
    if not path.exists():
        raise Refusal("engine.missing", "the engine is not installed; `make engine` builds it", path=str(path))
    found = _output([str(path), "version"])
    if found.lstrip("v") != version.lstrip("v"):
        raise Refusal("engine.version", "the engine is of another version", found=found, expected=version)
    return path


def install(version: str = PINNED) -> Path:
    """The engine, built if it is not there: one or two minutes, and Go with access to its module proxy.

    Refusal `engine.go-missing`, `engine.go-old`, `engine.build` (with the last lines), and as `installed`.
    """
    if version not in GO_MIN:
        raise Refusal("engine.unknown", "this version was never tested", version=version, tested=sorted(GO_MIN))
    path = engine_path(version)
    if not path.exists():
        _build(check_go(version), version, path)
    return installed(version)


def check_go(version: str = PINNED) -> str:
    """The Go command; Refusal `engine.go-missing` or `engine.go-old`, which say what to do."""
    needed = ".".join(map(str, GO_MIN[version]))
    command = shutil.which("go")
    if command is None:
        raise Refusal(
            "engine.go-missing", f"building the engine needs Go {needed} or later (https://go.dev/dl), or its path in"
            f" {ENGINE}", engine=version,
        )  # fmt: skip
    found = _output([command, "env", "GOVERSION"])
    numbers = tuple(int(part) for part in re.findall(r"\d+", found)[:3])
    if numbers < GO_MIN[version]:
        raise Refusal(
            "engine.go-old", f"this Go is too old, as Debian 12's own is; install {needed} or later from"
            " https://go.dev/dl and put its bin folder first in PATH", found=found, needed=needed,
        )  # fmt: skip
    return command


def _build(command: str, version: str, path: Path) -> None:
    """Build beside the place and move, so that nothing half-made is ever found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as made:
        found = subprocess.run(  # noqa: S603 - the toolchain, with a constant module
            [command, "install", f"{MODULE}/cmd/cometbft@{version}"], env={**os.environ, "GOBIN": made},
            capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False,
        )  # fmt: skip
        if found.returncode:
            raise Refusal("engine.build", "the engine could not be built", last=found.stderr.splitlines()[-8:])
        (Path(made) / "cometbft").rename(path)


def source(version: str = PINNED) -> Path:
    """The folder of the engine's source in the module cache, fetched if need be; Refusal as `check_go`."""
    return Path(_module(f"{MODULE}@{version}")["Dir"])


def required(module: str, version: str = PINNED) -> Path:
    """The folder of the source of another module, in the version that the engine was made with."""
    listed = (source(version) / "go.mod").read_text()
    found = re.search(rf"^\s*{re.escape(module)} (\S+)", listed, re.MULTILINE)
    assert found is not None, "the engine names what it is made of"
    return Path(_module(f"{module}@{found[1]}")["Dir"])


def _module(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_output([check_go(), "mod", "download", "-json", name]))
    return found


def _output(command: list[str]) -> str:
    found = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False)  # noqa: S603 - ours
    if found.returncode:
        raise Refusal("engine.command", "a command failed", command=command[:3], last=found.stderr.splitlines()[-8:])
    return found.stdout.strip()


def main() -> int:
    """Print the engine's path; 3 with a refusal."""
    try:
        print(install(*sys.argv[1:2]))
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
