"""The scenario's figures: what each vault holds, what they must be by the invoice alone, and whether all agree.

`expected` computes every figure again from the document and the terms of the scenario, in integers, without the
contract code; for the reference invoice the figures of the specification are compared as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interfirm.base.money import CURRENCY_DIGITS, Money, Rate, decimal_text
from interfirm.base.time import Day
from interfirm.business.invoices.document import Document
from interfirm.cli.demo.papers import credit_note

if TYPE_CHECKING:
    from interfirm.cli.demo.play import Play

START = Day.of(2026, 8, 1).start()
HIDDEN = "not visible"
ADVANCE, FEE, INTEREST = Rate(850_000), Rate(15_000), Rate(72_000)
REFERENCE_NUMBER = "INV-2026-0001"
REFERENCE = {
    "payable": "136125.00",
    "credit": "983.13",
    "receivable": "135141.87",
    "advance": "114870.59",
    "reserve": "20271.28",
    "fee": "2027.13",
    "interest": "1079.78",
    "rebate": "17164.37",
    "supplier_cash": "132034.96",
    "cost": "3106.91",
}
"""Section 5 of the business specification, for the reference invoice."""

VISIBLE = {
    "supplier": (
        "payable",
        "credit",
        "receivable",
        "advance",
        "reserve",
        "fee",
        "interest",
        "rebate",
        "supplier_cash",
        "cost",
    ),
    "buyer": ("payable", "credit", "receivable"),
    "lender": ("receivable", "advance", "reserve", "fee", "interest", "rebate", "cost"),
    "second_lender": (),
    "carrier": ("receivable",),
}
"""Who may see which figure (04-business 1.10); the bank sees the amount that it booked."""


def expected(document: Document) -> dict[str, str]:
    """Every figure of the scenario, from the invoice alone."""
    payable = document.totals.payable
    credit = credit_note(document).totals.payable
    right = payable - credit
    advance = right.share(ADVANCE)
    fee = right.share(FEE)
    days = document.issued.plus(3).days_until(document.due_day().plus(5))
    interest = advance.interest(INTEREST, days=days, year_days=360)
    rebate = right - advance - fee - interest
    figures = {
        "payable": payable, "credit": credit, "receivable": right, "advance": advance, "reserve": right - advance,
        "fee": fee, "interest": interest, "rebate": rebate, "supplier_cash": advance + rebate, "cost": fee + interest,
    }  # fmt: skip
    return {name: _text(amount) for name, amount in figures.items()}


def _text(amount: Money) -> str:
    return decimal_text(amount.minor, CURRENCY_DIGITS[amount.currency])


def vaults(play: Play) -> dict[str, dict[str, str]]:
    """What each node's vault holds of each figure; the word HIDDEN where a party must not and does not see it."""
    return {role: _vault(play, role) for role in play.names}


def _vault(play: Play, role: str) -> dict[str, str]:
    contracts = play.ask(role, "contracts.list", status="all", limit=1000)["contracts"]
    number = play.document.number
    found: dict[str, str] = {}
    for contract in contracts:
        fields, template = contract["fields"], contract["template"]
        if template == "invoices.Invoice" and fields["number"] == number:
            found["payable"] = fields["document"]["totals"]["payable"]["amount"]
        elif template == "invoices.CreditNote" and fields["invoice"]["number"] == number:
            found["credit"] = fields["document"]["totals"]["payable"]["amount"]
        elif template == "receivables.Receivable" and fields["invoice"]["number"] == number:
            found["receivable"] = fields["face"]["amount"]
        elif template == "payments.BankEntry" and role == "carrier":
            found["receivable"] = fields["amount"]["amount"]
        elif template == "factoring.Advance" and contract["status"] == "active":
            found |= {name: fields["price"][name]["amount"] for name in ("advance", "reserve", "fee")}
            found["interest"] = fields["interest"]["amount"]
            found["rebate"] = fields["released"]["amount"]
            found["cost"] = _sum([found["fee"], found["interest"]])
    if role == "supplier":
        own = [c["fields"]["amount"]["amount"] for c in contracts if _owned(c, play.names[role])]
        found["supplier_cash"] = _sum(own)
    return {name: found.get(name, HIDDEN) for name in REFERENCE}


def _owned(contract: dict[str, Any], owner: str) -> bool:
    mine = contract["template"] == "cash.Cash" and contract["status"] == "active"
    return bool(mine and contract["fields"]["owner"] == owner)


def _sum(amounts: list[str]) -> str:
    scale = max((len(a.partition(".")[2]) for a in amounts), default=2)
    return decimal_text(sum(int(a.replace(".", "")) for a in amounts), scale)


def differences(held: dict[str, dict[str, str]], wanted: dict[str, str], document: Document) -> list[str]:
    """Where a vault holds another figure than it must, shows what it must not, or the reference is not met."""
    found = []
    for role, figures in held.items():
        for name, value in figures.items():
            right = wanted[name] if name in VISIBLE[role] else HIDDEN
            if value != right:
                found.append(f"{role} holds {value} as {name}; it must be {right}")
    if document.number == REFERENCE_NUMBER and _text(document.totals.payable) == REFERENCE["payable"]:
        found += [
            f"{name} is {wanted[name]}; the scenario says {REFERENCE[name]}"
            for name in REFERENCE
            if wanted[name] != REFERENCE[name]
        ]
    return found


def agree(held: dict[str, dict[str, str]]) -> bool:
    """Whether every figure is the same in every vault that holds it."""
    for name in REFERENCE:
        values = {figures[name] for figures in held.values() if figures[name] != HIDDEN}
        if len(values) != 1:
            return False
    return True
