"""A firm leaves with all data: everything is there once, its hashes hold, and its proofs convince a stranger."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.ledger.proof import ProofBundle, ReceiptBundle, verify_proof
from interfirm.ledger.receipts.verify import verify_receipt
from interfirm.node.access.people import Person, caller_of, put_person
from interfirm.node.jobs import sections

from .harness import Bench, bench, lines_of, rows_of

CASH = "issuer,owner,amount.amount,amount.currency\n" + "".join(f"firm0,firm1,{n}.00,EUR\n" for n in range(1, 8))


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path / "jobs") as made:
        made.imported(CASH, batch=3)
        with made.desk.vault.turn() as turn:
            put_person(turn, Person(name="anna", roles=("auditor",), created_ms=1))
            turn.put_private(b"c" * 32, "person-1", codec.encode("why"), bytes(32))
        yield made


def left(firm: Bench, folder: Path) -> dict[str, Any]:
    job = firm.ask("bulk.export-all", folder=str(folder), anchor="{}")["job"]
    return firm.until_done(job["id"])


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    return lines_of((folder / f"{name}.jsonl").read_bytes())


def test_everything_is_there(firm: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "left"
    assert left(firm, folder)["state"] == "done"
    assert [each["amount"]["amount"] for each in lines(folder, "contracts/cash.Cash")] == [
        f"{n}.00" for n in range(1, 8)
    ]
    header, *rows = rows_of((folder / "contracts/cash.Cash.csv").read_bytes())
    assert "amount.amount" in header
    assert len(rows) == 7
    assert len(lines(folder, "transactions")) == 3
    assert {each["state"] for each in lines(folder, "flows")} == {"done"}
    assert [each["name"] for each in lines(folder, "people")] == ["anna"]
    assert [(each["subject"], each["value"]) for each in lines(folder, "private-values")] == [("person-1", "why")]
    assert [path.name for path in (folder / "attachments").iterdir()] == [hashlib.sha256(CASH.encode()).hexdigest()]


def test_the_manifest_has_the_hash_of_every_file(firm: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "left"
    left(firm, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {*manifest["files"], "manifest.json"}
    for name, told in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (told["sha256"], told["bytes"])


def test_only_its_owner_reads_the_folder(firm: Bench, tmp_path: Path) -> None:
    left(firm, tmp_path / "left")
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "left").rglob("*.jsonl")}
    assert ((tmp_path / "left").stat().st_mode & 0o077, modes) == (0, {0})


def test_the_readme_names_every_file_of_lines(firm: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "left"
    left(firm, folder)
    text = (folder / "README.md").read_text()
    names = [str(path.relative_to(folder)) for path in folder.rglob("*.jsonl")]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_proofs_convince_a_stranger(firm: Bench, tmp_path: Path) -> None:
    left(firm, tmp_path / "left")
    population = firm.world.population

    def accepted(receipt: bytes, transaction: bytes, network: bytes, notary: bytes) -> None:
        assert network == population.network
        assert verify_receipt(receipt, anchor=population.anchor(notary)).transaction == transaction

    amounts = []
    for each in lines(tmp_path / "left", "transactions"):
        receipt = codec.decode(bytes.fromhex(each["receipt_proof"]), ReceiptBundle)
        assert receipt.skeleton.id.hex() == each["id"]
        for proof in each["proofs"].values():
            proved = verify_proof(codec.decode(bytes.fromhex(proof), ProofBundle), accepted=accepted)
            assert proved.complete
            amounts.append(proved.fields["amount"])
    assert sorted(amounts) == [[n * 100, "EUR"] for n in range(1, 8)]


def test_a_folder_that_holds_something_is_refused(firm: Bench, tmp_path: Path) -> None:
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "mine.txt").write_text("mine")
    with pytest.raises(Refusal, match=r"^leaving\.folder: "):
        left(firm, tmp_path / "left")
    assert [path.name for path in (tmp_path / "left").iterdir()] == ["mine.txt"]


def test_two_exports_do_not_share_a_folder(firm: Bench, tmp_path: Path) -> None:
    firm.ask("bulk.export-all", folder=str(tmp_path / "left"))
    with pytest.raises(Refusal, match=r"^leaving\.folder: "):
        firm.ask("bulk.export-all", folder=str(tmp_path / "left"))


def test_it_is_for_the_user_who_runs_the_node(firm: Bench, tmp_path: Path) -> None:
    with firm.desk.vault.turn() as turn:
        put_person(turn, Person(name="bert", roles=("clerk", "auditor", "administrator"), created_ms=1))
        bert = caller_of(turn, "bert", door="token")
    with pytest.raises(Refusal, match=r"^access\.operation: "):
        firm.ask("bulk.export-all", caller=bert, folder=str(tmp_path / "left"))


@pytest.mark.parametrize("steps", [1, 3, 5, 9, 14, 20])
def test_a_restart_at_any_step_writes_everything_once(
    firm: Bench, tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "PAGE_ROWS", 2)
    monkeypatch.setattr(sections, "TRANSACTIONS_PAGE_ROWS", 2)
    folder = tmp_path / "left"
    job = firm.ask("bulk.export-all", folder=str(folder))["job"]
    for _ in range(steps):
        firm.step()
    firm.restarted()
    assert firm.until_done(job["id"])["state"] == "done"
    assert len(lines(folder, "contracts/cash.Cash")) == 7
    assert len(lines(folder, "transactions")) == 3
    flows = [each["id"] for each in lines(folder, "flows")]
    assert len(flows) == len(set(flows))
    assert set(firm.asked) <= set(flows)
    assert not (folder / "UNFINISHED").exists()
