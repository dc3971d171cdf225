"""The demo, as a newcomer runs it: figures to the cent, on the reference invoice and on another one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.networks import EXAMPLES, command

PAYABLE = '<cbc:PayableAmount currencyID="EUR">136125.00<'
REFERENCE = EXAMPLES / "invoice-2026-0001.xml"


def played(folder: Path, *words: str) -> dict[str, Any]:
    out = folder / "out.json"
    done = command("demo", "--folder", str(folder / "network"), "--json", str(out), *words)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(out.read_text())
    return result


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return played(tmp_path_factory.mktemp("demo"))


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
