"""Fuzzes the decoders: `python -m tests.fuzz FOLDER [libFuzzer's options]`.

INTERFIRM_FUZZ_COVERAGE=1 lets it be led by the code that is reached, as `make fuzz` does. Atheris 2.3 rewrites bytecode
for that, and some of it wrongly (`TypeError` where a byte is compared), so what it finds then is run again without.

FOLDER keeps what leads to new places. What was found is written as `crash-...` there, and ends the run; the file given
in FOLDER's place runs it again. `make fuzz` goes on for a minute.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import atheris

LED = os.environ.get("INTERFIRM_FUZZ_COVERAGE") == "1"
with (
    atheris.instrument_imports(include=["interfirm"], exclude=["interfirm.notary.cometbft.abci"])
    if LED
    else nullcontext()
):
    from tests.fuzz.decoders import corpus, decode


def main() -> None:
    """Run libFuzzer; it ends the process."""
    place = Path(sys.argv[1])
    more = []
    if not place.is_file():
        place.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(corpus()):
            (place / f"start-{number:02}").write_bytes(data)
        more = [f"-artifact_prefix={place}/", "-max_len=8192"]
    atheris.Setup([sys.argv[0], str(place), *more, *sys.argv[2:]], decode)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
