"""Software that we did not write, as judges in Go (tests/judges): cosmos/ics23's verifier, CometBFT's light client."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SOURCES = Path(__file__).resolve().parents[1] / "judges"


class Question(NamedTuple):
    """Does the proof show `value` at `key` under `root`, or (None) nothing there? `spec`: iavl or tendermint."""

    spec: str
    root: bytes
    proof: bytes
    key: bytes
    value: bytes | None


def built(name: str, folder: Path) -> Path:
    """A judge's program, built in a folder; the test is skipped, saying so, where Go is absent."""
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"NOT JUDGED: Go is absent, and tests/judges/{name} needs it; install Go 1.22.11 or later")
    subprocess.run([go, "build", "-o", str(folder / name), "."], cwd=SOURCES / name, check=True)
    return folder / name


class LightJudge:
    """CometBFT's own light client: verdicts on headers, hashes, paths of results; built once."""

    def __init__(self, folder: Path) -> None:
        self._program = built("light", folder)

    def answers(self, questions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Its answers in order (tests/judges/light/main.go says what it is asked)."""
        lines = "".join(json.dumps(each) + "\n" for each in questions)
        ran = subprocess.run([str(self._program)], input=lines, capture_output=True, check=True, text=True)
        found: list[dict[str, Any]] = [json.loads(line) for line in ran.stdout.splitlines()]
        assert len(found) == len(questions)
        return found


class Ics23Judge:
    """The judge, built once."""

    def __init__(self, folder: Path) -> None:
        self._program = built("ics23", folder)

    def accepts(self, questions: Sequence[Question]) -> list[bool]:
        """Its verdicts in order."""
        lines = "".join(json.dumps({k: _hex(v) for k, v in each._asdict().items()}) + "\n" for each in questions)
        ran = subprocess.run([str(self._program)], input=lines, capture_output=True, check=True, text=True)
        verdicts = ran.stdout.split()
        assert len(verdicts) == len(questions)
        assert set(verdicts) <= {"accept", "refuse"}
        return [verdict == "accept" for verdict in verdicts]


def _hex(value: bytes | str | None) -> str | None:
    return value.hex() if isinstance(value, bytes) else value
