"""The command as people type it: answers, exit codes, and no traceback for a user's mistake."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.networks import EXAMPLES, FIRMS, answer, asker, command, eventually, network

from interfirm.runtime.layout import NetworkLayout

PAYABLE = '<cbc:PayableAmount currencyID="EUR">136125.00<'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    with network(tmp_path_factory.mktemp("command") / "network") as layout:
        yield layout


def test_a_dry_run_judges_a_file_without_any_network(tmp_path: Path) -> None:
    done = command("--json", "invoice", "import", "--dry-run", str(EXAMPLES / "invoice-2026-0001.xml"), cwd=tmp_path)
    assert answer(done)["valid"] is True


def test_a_dry_run_names_the_rules_that_fail(tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text(
        (EXAMPLES / "invoice-2026-0001.xml").read_text().replace(PAYABLE, PAYABLE.replace("136125", "136126"))
    )
    done = command("--json", "invoice", "import", "--dry-run", str(broken), cwd=tmp_path)
    assert done.returncode == 3
    assert "BR-CO-16" in [finding["rule"] for finding in json.loads(done.stdout)["fatal"]]


def test_without_a_network_the_user_is_told_how_to_make_one(tmp_path: Path) -> None:
    done = command("contracts", "list", cwd=tmp_path)
    assert done.returncode == 3
    assert "network.missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_word_is_a_usage_error() -> None:
    assert command("contracts", "dance").returncode == 2


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "xml."),
        (b"<a>" * 5000 + b"</a>" * 5000, "xml."),
        (b"not xml at all", "xml."),
        (b"<Order/>", "ubl.root"),
    ],
)
def test_hostile_files_are_refused_with_a_code(tmp_path: Path, data: bytes, code: str) -> None:
    file = tmp_path / "file.xml"
    file.write_bytes(data)
    done = command("invoice", "import", "--dry-run", str(file))
    assert done.returncode == 3
    assert code in done.stderr
    assert "Traceback" not in done.stderr


def test_an_invoice_is_imported_listed_exported_and_proved(running: NetworkLayout, tmp_path: Path) -> None:
    base = ("--network", str(running.folder), "--as", "nordmark", "--json")
    command(*base, "invoice", "import", str(EXAMPLES / "invoice-2026-0001.xml"))
    listed = answer(command(*base, "invoice", "list"))["invoices"]
    assert [(i["number"], i["payable"], i["status"]) for i in listed] == [("INV-2026-0001", "136125.00", "issued")]
    out = tmp_path / "out.xml"
    answer(command(*base, "invoice", "export", "INV-2026-0001", "--to", str(out)))
    assert answer(command("--json", "invoice", "import", "--dry-run", str(out)))["valid"] is True
    proof, anchor = tmp_path / "invoice.proof", tmp_path / "anchor.json"
    answer(
        command(
            *base, "proof", "export", listed[0]["ref"], "--to", str(proof), "--field", "number", "--anchor", str(anchor)
        )
    )
    checked = answer(command("--json", "proof", "verify", str(proof), "--anchor", str(anchor), cwd=tmp_path))
    assert checked["fields"] == {"number": "INV-2026-0001"}
    assert checked["signed_by"] == ["Nordmark Components NV"]
    whole = str(tmp_path / "whole.proof")
    answer(command(*base, "proof", "export", listed[0]["ref"], "--to", whole))
    checked = answer(command("--json", "proof", "verify", whole, "--anchor", str(anchor), cwd=tmp_path))
    shown = answer(command(*base, "contracts", "show", listed[0]["ref"]))
    assert checked["complete"] is True
    assert checked["fields"] == shown["fields"], "a stranger reads what the parties read"
    assert checked["fields"]["payable"] == {"amount": "136125.00", "currency": "EUR"}
    assert checked["identities"]["Halden Retail BV"] == running.firm("halden").member.identity.hex()
    damaged = bytearray(proof.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    proof.write_bytes(bytes(damaged))
    assert command("proof", "verify", str(proof), "--anchor", str(anchor)).returncode == 3


def test_a_list_is_filtered_searched_ordered_and_counted(running: NetworkLayout, tmp_path: Path) -> None:
    base = ("--network", str(running.folder), "--as", "nordmark", "--json")
    command(*base, "invoice", "import", str(EXAMPLES / "invoice-2026-0001.xml"))
    listed = (*base, "contracts", "list", "invoices.Invoice", "--total", "--order-by", "-number,buyer")
    numbered = ("--where", '{"number": {"_like": "INV-%"}}')
    found = answer(command(*listed, *numbered, "--search", "havenlaan antw*"))
    assert ([each["fields"]["number"] for each in found["contracts"]], found["total"]) == (
        ["INV-2026-0001"], {"count": 1, "exact": True},
    )  # fmt: skip
    assert answer(command(*listed, *numbered, "--search", "bolt"))["total"]["count"] == 0
    wrong = command(*listed, "--where", "number=1")
    assert (wrong.returncode, "filter.shape" in wrong.stderr) == (3, True)
    out = tmp_path / "found.jsonl"
    exported = (*base, "bulk", "export", "-t", "invoices.Invoice", "-o", str(out), "--search")
    assert [answer(command(*exported, words))["rows"] for words in ("havenlaan", "bolt")] == [1, 0]


def test_the_same_invoice_number_is_refused_a_second_time(running: NetworkLayout) -> None:
    base = ("--network", str(running.folder), "--as", "nordmark")
    command(*base, "invoice", "import", str(EXAMPLES / "invoice-2026-0001.xml"))
    again = command(*base, "invoice", "import", str(EXAMPLES / "invoice-2026-0001.xml"))
    assert again.returncode == 3
    assert "claim.taken" in again.stderr


def test_a_firm_joins_a_running_network_with_one_command(running: NetworkLayout) -> None:
    joined = answer(
        command("--network", str(running.folder), "--json", "network", "join", "Fifth Wheel BV", "BE0432109895")
    )
    running.reload()
    fifth, bank = running.firm(joined["firm"]), running.firm("kern")
    fields = {"issuer": bank.member.name, "owner": fifth.member.name, "amount": "5.00 EUR"}
    flow = asker(bank).call("create", {"template": "cash.Cash", "fields": fields})["flow"]
    assert flow["state"] == "done", flow
    eventually(lambda: asker(fifth).call("contracts.list", {"template": "cash.Cash"})["contracts"] or None, "its cash")


def test_a_second_process_on_the_same_folder_is_refused(running: NetworkLayout) -> None:
    done = command("--network", str(running.folder), "node", "run", "nordmark")
    assert done.returncode == 3
    assert "already-running" in done.stderr or "in-use" in done.stderr


def test_keys_of_another_node_are_refused_at_start(running: NetworkLayout, tmp_path: Path) -> None:
    copy = tmp_path / "network"
    shutil.copytree(running.folder, copy, ignore=shutil.ignore_patterns("*.sock"))
    shutil.copy(copy / "firms/halden/keys", copy / "firms/nordmark/keys")
    shutil.copy(copy / "firms/halden/passphrase", copy / "firms/nordmark/passphrase")
    done = command("--network", str(copy), "node", "run", "nordmark")
    assert done.returncode == 3
    assert "keystore.split" in done.stderr


def test_the_status_names_every_process(running: NetworkLayout) -> None:
    processes = answer(command("--network", str(running.folder), "--json", "network", "status"))["processes"]
    assert {p["name"] for p in processes} >= {name for name, _ in FIRMS}
    assert all(p["pid"] for p in processes)


def test_the_doctor_finds_nothing_wrong(running: NetworkLayout) -> None:
    findings = answer(command("--network", str(running.folder), "--json", "doctor"))["findings"]
    assert [f for f in findings if not f["ok"]] == []
