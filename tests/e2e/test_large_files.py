"""Files of 100 MB: refused with a code before they are read, so that memory does not grow with them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e.networks import EXAMPLES, FIRMS, asker, network

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.runtime import supervise
from interfirm.runtime.layout import Home, NetworkLayout

MEGABYTE = 1024 * 1024
SIZE_BYTES = 100 * MEGABYTE
GROWTH_BYTES_MAX = 10 * MEGABYTE
INVOICE = EXAMPLES / "invoice-2026-0001.xml"
MEASURED = """
import sys
from pathlib import Path
from interfirm.cli.main import run
code = run(sys.argv[2:])
Path(sys.argv[1]).write_text(Path("/proc/self/status").read_text())
sys.exit(code)
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks of memory are read from /proc")


def invoice_with_a_long_note(path: Path) -> None:
    """A well-formed invoice, one note of which fills the file."""
    head, mark, tail = INVOICE.read_bytes().partition(b"<cbc:DocumentCurrencyCode>")
    assert mark
    with path.open("wb") as file:
        file.write(head + b"<cbc:Note>")
        for _ in range(SIZE_BYTES // MEGABYTE):
            file.write(b"x" * MEGABYTE)
        file.write(b"</cbc:Note>" + mark + tail)


def nothing_but_zeros(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(SIZE_BYTES)


@pytest.fixture(params=[invoice_with_a_long_note, nothing_but_zeros], scope="module")
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    make: Callable[[Path], None] = request.param
    path = tmp_path_factory.mktemp("large") / "large.xml"
    make(path)
    assert path.stat().st_size >= SIZE_BYTES
    return path


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    with network(tmp_path_factory.mktemp("files") / "network", FIRMS[:2]) as layout:
        yield layout


def peak_bytes(status: str) -> int:
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def measured(folder: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], int]:
    """The command in a process of its own, and the most memory that it took."""
    program = [sys.executable, "-c", MEASURED, str(folder / "status"), *words]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    return done, peak_bytes((folder / "status").read_text())


def peak_of(home: Home) -> int:
    return peak_bytes(Path(f"/proc/{supervise.running(home)}/status").read_text())


@pytest.mark.parametrize("words", [("--dry-run",), ()], ids=["dry-run", "import"])
def test_the_command_refuses_it_and_takes_no_more_memory_than_for_a_small_file(
    running: NetworkLayout, large: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    base = ("--network", str(running.folder), "--as", "nordmark", "--json", "invoice", "import", *words)
    small = tmp_path / "small.xml"
    small.write_bytes(b"<Order/>")
    refused, least = measured(tmp_path, *base, str(small))
    assert refused.returncode == 3
    done, most = measured(tmp_path, *base, str(large))
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    refusal = json.loads(done.stdout)["refused"]
    assert refusal["code"] == "file.size"
    assert refusal["values"] == {"bytes": large.stat().st_size, "bytes_max": LIMITS.xml_bytes_max}
    assert most - least < GROWTH_BYTES_MAX


@pytest.mark.parametrize("operation", ["invoice.import", "invoice.credit", "payment.statement"])
def test_a_node_refuses_it_and_does_not_grow(running: NetworkLayout, large: Path, operation: str) -> None:
    home = running.firm("nordmark")
    before = peak_of(home)
    with pytest.raises(Refusal, match=r"file\.size"):
        asker(home).call(operation, {"path": str(large)})
    assert peak_of(home) - before < GROWTH_BYTES_MAX


def test_a_file_that_never_ends_is_read_no_further_than_the_limit(tmp_path: Path) -> None:
    done, most = measured(tmp_path, "--json", "invoice", "import", "--dry-run", "/dev/zero")
    assert done.returncode == 3
    assert json.loads(done.stdout)["refused"]["code"] == "file.size"
    _, least = measured(tmp_path, "--json", "invoice", "import", "--dry-run", str(INVOICE))
    assert most - least < 3 * LIMITS.xml_bytes_max
