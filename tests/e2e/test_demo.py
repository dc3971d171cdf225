"""The demo, as a newcomer runs it: figures to the cent, on the reference invoice and on another one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.networks import EXAMPLES, answer, command

from interfirm.runtime import supervise
from interfirm.runtime.layout import NetworkLayout

PAYABLE = '<cbc:PayableAmount currencyID="EUR">136125.00<'
REFERENCE = EXAMPLES / "invoice-2026-0001.xml"


def played(folder: Path, *words: str) -> dict[str, Any]:
    out = folder / "out.json"
    done = command("demo", "--folder", str(folder / "network"), "--json", str(out), *words)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(out.read_text())
    return result


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the result of the reference scenario, and its network, which goes on running."""
    folder = tmp_path_factory.mktemp("demo")
    played(folder, "--keep")
    yield folder
    supervise.stop(NetworkLayout.open(folder / "network").homes()[::-1])


@pytest.fixture(scope="module")
def reference(kept: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((kept / "out.json").read_text())
    return result


def near_hits(kept: Path, firm: str) -> list[tuple[str, ...]]:
    done = command("--network", str(kept / "network"), "--as", firm, "--json", "report", "near-hits")
    names = ("how", "alike", "invoice", "like", "seller")
    return sorted(tuple(hit[name] for name in names) for hit in answer(done)["near_hits"])


def test_every_amount_of_the_scenario_comes_out_in_every_vault_entitled_to_it(reference: dict[str, Any]) -> None:
    supplier, buyer, lender = (reference["vaults"][role] for role in ("supplier", "buyer", "lender"))
    assert supplier == {
        "payable": "136125.00", "credit": "983.13", "receivable": "135141.87", "advance": "114870.59",
        "reserve": "20271.28", "fee": "2027.13", "interest": "1079.78", "rebate": "17164.37",
        "supplier_cash": "132034.96", "cost": "3106.91",
    }  # fmt: skip
    assert (buyer["payable"], buyer["credit"], buyer["receivable"]) == ("136125.00", "983.13", "135141.87")
    assert (lender["advance"], lender["interest"], lender["rebate"]) == ("114870.59", "1079.78", "17164.37")
    assert reference["vaults_agree"] is True


def test_what_a_party_may_not_see_is_not_in_its_vault(reference: dict[str, Any]) -> None:
    buyer, second, carrier = (reference["vaults"][role] for role in ("buyer", "second_lender", "carrier"))
    assert {buyer[name] for name in ("advance", "reserve", "fee", "interest", "rebate", "cost")} == {"not visible"}
    assert set(second.values()) == {"not visible"}
    assert {value for name, value in carrier.items() if name != "receivable"} == {"not visible"}


def test_both_attempts_to_finance_it_again_are_refused(reference: dict[str, Any]) -> None:
    assert [(r["step"], r["code"]) for r in reference["refusals"]] == [
        (11, "notary.consumed"),
        (11, "factoring.near-hit"),
    ]


PARTIES, ORDER = "the same buyer, amount and day of issue", "the same order"
SELLER = "Nordmark Components NV"


def test_the_seller_sees_what_it_offers_that_is_like_what_it_financed(kept: Path) -> None:
    assert near_hits(kept, "nordmark") == [
        ("offered", alike, "INV-2026-0001-A", "INV-2026-0001", SELLER) for alike in (PARTIES, ORDER)
    ]


def test_the_second_lender_sees_what_its_look_found(kept: Path) -> None:
    assert near_hits(kept, "sable") == [("warned", alike, "INV-2026-0001-A", "", SELLER) for alike in (PARTIES, ORDER)]


def test_the_first_lender_sees_that_somebody_asked_in_its_report_and_its_inbox(kept: Path) -> None:
    found = near_hits(kept, "lumen")
    assert {("asked", alike, "", "INV-2026-0001", SELLER) for alike in (PARTIES, ORDER)} <= set(found)
    assert {how for how, *_ in found} == {"asked"}
    base = ("--network", str(kept / "network"), "--as", "lumen")
    listed = command(*base, "inbox", "list").stdout
    assert "claim-asked" in listed
    assert "factoring.parties" in " ".join(listed.split())
    (item, *_) = [i for i in answer(command(*base, "--json", "inbox", "list"))["inbox"] if i["kind"] == "claim-asked"]
    shown = command(*base, "inbox", "show", item["id"])
    assert shown.returncode == 0, shown.stderr
    assert "INV-2026-0001" in shown.stdout


@pytest.mark.parametrize("firm", ["halden", "kern"])
def test_who_has_no_part_in_the_financing_sees_nothing_of_it(kept: Path, firm: str) -> None:
    assert near_hits(kept, firm) == []
    printed = command("--network", str(kept / "network"), "--as", firm, "report", "near-hits").stdout
    assert "nothing here looks as if it were financed twice" in printed


def test_every_transaction_has_a_receipt_that_verifies_offline(reference: dict[str, Any]) -> None:
    assert {step["step"] for step in reference["steps"]} >= {8, 9, 10, 11, 12, 13}
    assert all(step["receipt_verified"] for step in reference["steps"])
    assert len({step["transaction"] for step in reference["steps"]}) == len(reference["steps"])


def test_another_invoice_gives_other_figures_that_can_be_computed_again(tmp_path: Path) -> None:
    text = REFERENCE.read_text()
    # the first line's price falls from 62.50 to 50.00: 12,500.00 less, with its tax 15,125.00 less
    for old, new in (
        (">62.50<", ">50.00<"), (">62500.00<", ">50000.00<"), (">111250.00<", ">98750.00<"),
        (">112500.00<", ">100000.00<"), (">23625.00<", ">21000.00<"), (">136125.00<", ">121000.00<"),
    ):  # fmt: skip
        assert old in text, old
        text = text.replace(old, new)
    other = tmp_path / "other.xml"
    other.write_text(text)
    result = played(tmp_path, "--invoice", str(other))
    supplier = result["vaults"]["supplier"]
    right = 12_100_000 - 98_313
    advance = (right * 85 * 2 + 100) // 200
    fee = (right * 15 * 2 + 1000) // 2000
    interest = (advance * 72 * 47 * 2 + 360_000) // 720_000
    expected = {
        "receivable": right,
        "advance": advance,
        "fee": fee,
        "interest": interest,
        "rebate": right - advance - fee - interest,
    }
    assert {name: int(supplier[name].replace(".", "")) for name in expected} == expected
    assert result["vaults_agree"] is True


def test_an_invoice_that_breaks_the_rules_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text(REFERENCE.read_text().replace(PAYABLE, PAYABLE.replace("136125", "136126")))
    done = command("demo", "--folder", str(tmp_path / "network"), "--invoice", str(broken))
    assert done.returncode == 3
    assert "BR-CO-16" in done.stdout + done.stderr
    assert not (tmp_path / "network").exists()
