"""What many rows cost: the dry run of a table's import, and the export of as many contracts, each in its own process.

The peer is Python's csv module on the same rows. Memory must not grow with rows: the most that a process ever held is
compared with that of one with a tenth of the rows.
"""

from __future__ import annotations

import csv
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import result
from benchmarks.vault import name
from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.money import Money
from interfirm.business.cash.contract import Cash
from interfirm.contracts.language import Party
from interfirm.contracts.types import ContractRef
from interfirm.formats.tables import TableFormats
from interfirm.node.desk import Desk
from interfirm.node.desk_bulk import OPERATIONS
from interfirm.node.jobs.catalogue import JOBS
from interfirm.node.jobs.runner import Runner
from interfirm.node.vault.types import StoredContract
from interfirm.sim.parties import Population
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import World

MEMORY_RATIO_MAX = 1.25
"""Ten times the rows hold at most so many times the memory."""
SLICE_MS_MAX = 250
"""A node's turns wait at most so long for one slice of a job."""
KINDS = ("dry-run", "export")
HEADER = ("issuer", "owner", "amount.amount", "amount.currency")
BATCH = 1000


class Names:
    """The firms of a world by name; see forms.Names."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self._identities = {firm.name: firm.identity for firm in population.firms}

    def identity_of(self, name: str) -> bytes:
        """See forms.Names."""
        if name not in self._identities:
            raise Refusal("directory.unknown", "this organisation is not in the network", name=name)
        return self._identities[name]

    def name_of(self, identity: bytes) -> str:
        """See forms.Names."""
        return self._population.name_of(identity)

    def registration_of(self, identity: bytes) -> str:
        """See forms.Names."""
        raise Refusal("directory.unknown", "nobody has a number here", identity=identity)

    def organisations(self) -> list[bytes]:
        """See forms.Names."""
        return list(self._identities.values())

    def notary_of(self, name: str) -> bytes:
        """See forms.Names."""
        return self._population.notaries[0].id


def measure(kind: str, rows: int) -> dict[str, float]:
    """One job on so many rows in this process: CPU and the most memory that was held."""
    with World(1, trade_engine(), firms=2) as world, tempfile.TemporaryDirectory() as folder:
        firm = world.firms[0]
        desk = Desk(firm.vault, firm.services, Names(world.population), now_ms=lambda: world.agenda.now_ms,
                    operations=OPERATIONS)  # fmt: skip
        runner = Runner(desk, JOBS, tables=TableFormats(), folder=Path(folder))
        if kind == "dry-run":
            document = desk.vault.attachment_put_stream([table(rows)]).hex()
            asked = ("bulk.import", {"document": document, "name": "t.csv", "template": "cash.Cash", "dry_run": True})
        else:
            fill(desk, rows)
            asked = ("bulk.export", {"template": "cash.Cash"})
        desk.handle(*asked)
        cpu, longest = run_job(runner)
        shown = desk.handle("jobs.list", {})
        assert isinstance(shown, dict)
        [job] = shown["jobs"]
        assert (job["state"], job["done"], job["errors"]) == ("done", rows, 0), job
    return {"cpu_s": cpu, "slice_ms": longest, "kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def run_job(runner: Runner) -> tuple[float, float]:
    """Step until nothing is left to do: CPU seconds, and the longest slice in milliseconds of CPU."""
    runner.look()
    began, longest = time.process_time(), 0.0
    while (running := runner.due()) is not None:
        before = time.process_time()
        slice_ = runner.step(running)
        longest = max(longest, time.process_time() - before)
        if slice_.slow is not None:
            running.answer = slice_.slow.work()
    return time.process_time() - began, longest * 1000


def table(rows: int) -> bytes:
    """The table that is imported."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows(("firm0", "firm1", f"{n}.00", "EUR") for n in range(1, rows + 1))
    return text.getvalue().encode()


def fill(desk: Desk, rows: int) -> None:
    """Put contracts into the vault as if they had been made."""
    template, me, notary = desk.engine.named("cash.Cash").id, Party(desk.me), desk.services.default_notary

    def stored(n: int) -> StoredContract:
        cash = Cash(issuer=me, owner=me, amount=Money(100 * n + 100, "EUR"))
        return StoredContract(
            ref=ContractRef(name("bulk", n), 0), template=template, payload=codec.plain(cash),
            payload_seed=name("seed", n), confirmers_salt=name("salt", n), entry=b"", notary=notary, status="active",
            consumer=None, signatories=(me.id,), observers=(), known_valid=True, time_ms=1_000_000 + n,
        )  # fmt: skip

    for start in range(0, rows, BATCH):
        with desk.vault.turn() as turn:
            for n in range(start, min(start + BATCH, rows)):
                turn.add_contract(stored(n))


def csv_alone(rows: int) -> float:
    """CPU seconds that Python's csv module takes to read and write the same table."""
    data = table(rows).decode()
    began = time.process_time()
    writer = csv.writer(io.StringIO())
    for row in csv.reader(io.StringIO(data)):
        writer.writerow(row)
    return time.process_time() - began


def apart(kind: str, rows: int) -> dict[str, float]:
    """`measure` in a process of its own."""
    program = "import json, sys; from benchmarks.bulk import measure; "
    program += "print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))"
    done = subprocess.run([sys.executable, "-c", program, kind, str(rows)], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).resolve().parents[1])  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure, and say whether the targets are met; JSON-ready."""
    rows = 2_000 if quick else 100_000
    figures: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    alone = csv_alone(rows)
    for kind in KINDS:
        whole, tenth = apart(kind, rows), apart(kind, rows // 10)
        figures |= {
            f"{kind} of {rows}: rows per CPU second": round(rows / whole["cpu_s"]),
            f"{kind} of {rows}: longest slice, CPU milliseconds": whole["slice_ms"],
            f"{kind} of {rows}: most memory, MiB": whole["kib"] / 1024,
        }
        ratios |= {
            f"{kind}: memory to that of a tenth": whole["kib"] / tenth["kib"],
            f"{kind}: CPU to csv alone": whole["cpu_s"] / alone,
        }
    memory = max(value for key, value in ratios.items() if "memory" in key)
    slices = max(value for key, value in figures.items() if "slice" in key)
    return result(
        "bulk", figures=figures, peers={f"csv alone, {rows} rows, CPU milliseconds": alone * 1000}, ratios=ratios,
        met=memory <= MEMORY_RATIO_MAX and slices <= SLICE_MS_MAX,
        limited_by="interpreting each row by itself; reading and encoding each contract",
    )  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(), indent=2) + "\n")
