"""Software that we did not write, as a judge: cosmos/ics23's verifier in Go (tests/judges/ics23)."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "judges" / "ics23"


class Question(NamedTuple):
    """Does the proof show `value` at `key` under `root`, or (None) nothing there? `spec`: iavl or tendermint."""

    spec: str
    root: bytes
    proof: bytes
    key: bytes
    value: bytes | None


class Ics23Judge:
    """The judge, built once; the test is skipped, saying so, where Go is absent."""

    def __init__(self, folder: Path) -> None:
        go = shutil.which("go")
        if go is None:
            pytest.skip("NOT JUDGED: Go is absent, and cosmos/ics23 judges our proofs; install Go 1.21 or later")
        self._program = folder / "ics23"
        subprocess.run([go, "build", "-o", str(self._program), "."], cwd=SOURCE, check=True)

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
