"""Every decoder that faces the network gives a value or a refusal, whatever it is given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz.decoders import DECODERS, NAMES, corpus, decode

from interfirm.base.errors import Refusal

ROOT = Path(__file__).resolve().parents[2]
RUNS = int(os.environ.get("INTERFIRM_FUZZ_RUNS", "4000"))


@pytest.mark.parametrize("name", NAMES)
def test_a_decoder_refuses_garbage(name: str) -> None:
    for data in (b"\xff" * 64, bytes(range(256)), b"[" * 5_000, b"{" * 5_000, b"\x9f" * 5_000):
        decode(bytes([NAMES.index(name)]) + data)


def test_what_fuzzing_starts_from_is_taken_as_it_is() -> None:
    taken = set()
    for data in corpus():
        name = NAMES[data[0]]
        try:
            DECODERS[name](data[1:])
        except Refusal:
            continue
        taken.add(name)
    assert taken >= {"request to a notary", "peer's frame", "json of a request", "filter", "ubl", "csv", "ref"}


@pytest.mark.skipif(sys.platform != "linux" or sys.version_info >= (3, 15), reason="atheris is made for Linux")
def test_fuzzing_finds_nothing(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.fuzz", str(tmp_path / "corpus"), f"-runs={RUNS}", "-seed=1"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4_000:]
    assert f"Done {RUNS} runs" in done.stderr
