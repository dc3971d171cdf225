"""Tables of a real node: the command imports and exports them while the node does its other work."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.networks import FIRMS, answer, asker, command, done, eventually, network

from interfirm.runtime import supervise
from interfirm.runtime.layout import Home, NetworkLayout

BANK, OWNER = FIRMS[0][0], FIRMS[1][0]
ROWS = 120


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    with network(tmp_path_factory.mktemp("bulk") / "network", FIRMS[:2]) as made:
        yield made


@pytest.fixture
def bank(layout: NetworkLayout) -> Home:
    return layout.firm(BANK)


def table(path: Path, rows: int, *, first: int = 1, bad: int = 0) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Owner", "Sum"])
        for number in range(first, first + rows):
            writer.writerow([OWNER if number != bad else "Nobody NV", f"{number}.00 EUR"])
    return path


def run(layout: NetworkLayout, *words: str) -> tuple[int, dict[str, object]]:
    finished = command("--network", str(layout.folder), "--as", BANK, "--json", *words)
    return finished.returncode, json.loads(finished.stdout)


def killed(home: Home) -> None:
    """End a home's process at once, in the middle of whatever it does."""
    pid = supervise.running(home)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


MAP = ("-t", "cash.Cash", "--map", "Owner=owner", "--map", "Sum=amount", "--set", f"issuer={BANK}")


def test_a_dry_run_then_an_import_then_an_export(layout: NetworkLayout, tmp_path: Path) -> None:
    file = table(tmp_path / "cash.csv", 6, first=1_000_001, bad=1_000_003)
    code, dry = run(layout, "bulk", "import", str(file), *MAP, "--dry-run")
    assert (code, dry["errors"], dry["done"]) == (3, 1, 6)
    [row] = dry["rows"]  # type: ignore[misc] # JSON
    assert (row["row"], row["code"]) == (4, "directory.unknown")

    code, imported = run(layout, "bulk", "import", str(file), *MAP, "--batch", "4", "--keep", "bank")
    assert (code, imported["state"], imported["errors"]) == (3, "done", 1)
    assert list(answer(command("--network", str(layout.folder), "--as", BANK, "--json", "bulk", "mappings"))
                ["mappings"]) == ["bank"]  # fmt: skip

    target = tmp_path / "out.csv"
    where = json.dumps({"amount": ["gt", "1000000.00 EUR"]})
    code, exported = run(layout, "bulk", "export", "-t", "cash.Cash", "-o", str(target), "--where", where)
    assert (code, exported["rows"]) == (0, 5)
    with target.open(newline="") as written:
        amounts = [row["amount.amount"] for row in csv.DictReader(written)]
    assert sorted(amounts) == [f"{n}.00" for n in (1_000_001, 1_000_002, 1_000_004, 1_000_005, 1_000_006)]


def test_a_firm_leaves_with_all_data_and_its_proofs_hold(layout: NetworkLayout, bank: Home, tmp_path: Path) -> None:
    done(bank, "create", template="cash.Cash", fields={"issuer": BANK, "owner": OWNER, "amount": "8888888.00 EUR"})
    folder = tmp_path / "left"
    code, left = run(layout, "export-all", str(folder))
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert (code, left["files"]) == (0, len(files) - len(["manifest.json"]))
    transaction = json.loads((folder / "transactions.jsonl").read_text().splitlines()[0])
    proof = tmp_path / "proof.bin"
    proof.write_bytes(bytes.fromhex(transaction["proofs"]["0"]))
    proved = answer(command("--json", "proof", "verify", str(proof), "--anchor", str(folder / "anchor.json")))
    assert (proved["transaction"], proved["index"]) == (transaction["id"], 0)
    code, again = run(layout, "export-all", str(folder))
    assert (code, again["refused"]["code"]) == (3, "leaving.folder")  # type: ignore[index] # JSON


def test_a_job_goes_on_after_the_node_was_killed_and_flows_go_on_beside_it(
    layout: NetworkLayout, bank: Home, tmp_path: Path
) -> None:
    file = table(tmp_path / "many.csv", ROWS)
    mapping = {"columns": {"Owner": "owner", "Sum": "amount"}, "constants": {"issuer": BANK}}
    job = asker(bank).call(
        "bulk.import", {"path": str(file), "template": "cash.Cash", "mapping": mapping, "batch": 5}
    )["job"]["id"]  # fmt: skip

    def rows_done() -> int | None:
        return asker(bank).call("jobs.show", {"id": job})["done"] or None

    eventually(rows_done, "some rows")
    money = {"amount": "7777777.00", "currency": "EUR"}
    done(bank, "create", template="cash.Cash", fields={"issuer": BANK, "owner": OWNER, "amount": money})
    killed(bank)
    supervise.start(layout, [bank])

    def ended() -> dict[str, object] | None:
        shown = asker(bank).call("jobs.show", {"id": job})
        return shown if shown["state"] != "running" else None

    shown = eventually(ended, "the end of the job")
    assert (shown["state"], shown["done"], shown["errors"]) == ("done", ROWS, 0)
    found = asker(bank).call("contracts.list", {"template": "cash.Cash", "limit": 1000})["contracts"]
    amounts = sorted(float(each["fields"]["amount"]["amount"]) for each in found)
    assert [each for each in amounts if each <= ROWS] == [float(n) for n in range(1, ROWS + 1)]
