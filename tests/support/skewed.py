"""A validator whose clock is wrong: the application with its clock set apart, and an engine built with another clock.

    python -m tests.support.skewed MILLISECONDS CLUSTER-FOLDER NAME

A Go program reads the clock of the machine, which cannot be set apart for one process; so the engine's own source, with
one line changed, is built once more beside the pinned engine.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from interfirm.runtime import engine, validator
from interfirm.runtime.clock import SystemClock

SKEW_MS = "INTERFIRM_TEST_SKEW_MS"
"""How far the built engine's clock is ahead."""
NOW = "return Canonical(time.Now())"
SKEWED = f"""ahead, _ := strconv.Atoi(os.Getenv("{SKEW_MS}"))
	return Canonical(time.Now().Add(time.Duration(ahead) * time.Millisecond))"""


def skewed_engine() -> Path:
    """The engine that obeys SKEW_MS, built if it is not there."""
    path = engine.engine_path().with_name("cometbft-skewed")
    if not path.exists():
        command = engine.check_go()
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            copy = Path(folder) / "source"
            shutil.copytree(engine.source(), copy)
            subprocess.run(["chmod", "-R", "u+w", str(copy)], check=True)
            _change(copy / "types" / "time" / "time.go")
            built = Path(folder) / "engine"
            subprocess.run(
                [command, "build", "-o", str(built), "./cmd/cometbft"], cwd=copy, check=True, capture_output=True
            )
            built.rename(path)
    return path


def _change(file: Path) -> None:
    text = file.read_text()
    assert text.count(NOW) == 1, "the engine reads its clock in one place"
    text = text.replace(NOW, SKEWED).replace('import (\n\t"sort"', 'import (\n\t"os"\n\t"sort"\n\t"strconv"', 1)
    file.write_text(text)


def main() -> int:
    ahead_ms = int(sys.argv.pop(1))
    honest = SystemClock.now_ms
    SystemClock.now_ms = lambda clock: honest(clock) + ahead_ms  # type: ignore[method-assign]  # this program's purpose
    return validator.main()


if __name__ == "__main__":
    sys.exit(main())
