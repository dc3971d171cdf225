"""The scenario, step by step, as its people would type it: operations of the firms' nodes and nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.money import CURRENCY_DIGITS, decimal_text
from interfirm.base.time import Day
from interfirm.business.invoices.commands import judged_file
from interfirm.business.invoices.document import Document
from interfirm.cli.demo import papers, tables
from interfirm.cli.waiting import ended
from interfirm.runtime import notaries
from interfirm.runtime.asking import Asker
from interfirm.runtime.layout import NetworkLayout

LENDER_IBAN, SECOND_IBAN = "BE41539007547035", "BE80653012001838"
HOUR_MS = 3_600_000


@dataclasses.dataclass
class Done:
    """One transaction that was made: its id and what its result names."""

    transaction: str
    result: Any


class Play:
    """One run of the scenario on a running network."""

    def __init__(self, layout: NetworkLayout, names: dict[str, str], source: Path, progress: tables.Progress) -> None:
        self.layout = layout
        self.names = names
        self.progress = progress
        self.nodes = {role: Asker(layout.firm(name).control_path) for role, name in names.items()}
        self.papers = papers.Papers(layout.folder / "papers", source)
        self.document: Document = judged_file(source)[0]
        self.steps: list[dict[str, Any]] = []
        self.refusals: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []
        self.made_by: dict[str, str] = {}
        self.collected_on = self.document.due_day().plus(5)

    def run(self) -> None:
        """Steps 8 to 13, after what they presuppose."""
        self.progress.title("Before: an agreement, two facilities, cash on the ledger")
        self._agreement()
        self._facility("lender", "F-2026-01")
        self._facility("second_lender", "F-2026-02")
        issued = self.document.issued
        self._day(issued.plus(-4))
        self._cash()
        self._day(issued)
        self.progress.title("Step 8: the supplier's invoice, from its UBL file")
        self._issue()
        self._day(issued.plus(2))
        self.progress.title("Step 9: the buyer queries the quality; the supplier gives a credit note")
        self._credit()
        self._day(issued.plus(3))
        self.progress.title("Step 10: accepted, offered, verified, bought and paid, in one transaction at the end")
        offers = self._sell()
        self.progress.title("Step 11: two attempts to finance it again")
        self._second_financing(offers["second_lender"])
        self._altered_invoice()
        self._day(self.collected_on)
        self.progress.title("Step 12: the buyer pays five days late; the bank's statement is the evidence")
        self._collect()
        self._day(self.collected_on.plus(1))
        self.progress.title("Step 13: the reserve is released and the books close")
        self._release()

    # what people do -------------------------------------------------------------------------------------------------

    def ask(self, role: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """One operation of a firm's node."""
        return self.nodes[role].call(operation, arguments)

    def do(self, role: str, step: int, what: str, operation: str, **arguments: Any) -> Done:
        """An operation that makes a transaction: watched, remembered as a step, its refusal raised."""
        with self.progress.doing(self.names[role], what):
            flow = ended(self.ask(role, operation, **arguments)["flow"])
        result = flow["result"]
        self.steps.append({"step": step, "what": what, "by": role, "amounts": {}, "transaction": result["transaction"]})
        self.made_by[result["transaction"]] = role
        return Done(transaction=result["transaction"], result=result)

    def amounts(self, **amounts: str) -> None:
        """Note amounts of the last step."""
        self.steps[-1]["amounts"].update(amounts)

    def exercise(self, role: str, step: int, what: str, ref: str, choice: str, **arguments: Any) -> Done:
        """A choice by a firm."""
        return self.do(role, step, what, "exercise", ref=ref, choice=choice, arguments=arguments)

    def only(self, role: str, template: str, **fields: Any) -> dict[str, Any]:
        """The one active contract of a template in a firm's vault whose fields are these; waits until it is there."""
        return self.progress.until(lambda: self._match(role, template, fields), f"{template} at {self.names[role]}")

    def _match(self, role: str, template: str, fields: dict[str, Any]) -> dict[str, Any] | None:
        found = [
            contract
            for contract in self.ask(role, "contracts.list", template=template, limit=500)["contracts"]
            if all(_field(contract["fields"], name) == value for name, value in fields.items())
        ]
        return found[0] if len(found) == 1 else None

    def _day(self, day: Day) -> None:
        """Nine in the morning of a day, on every clock of the network."""
        ms = day.start().ms + 9 * HOUR_MS
        notaries.set_clock(self.layout, ms)
        self.progress.day(str(day))

    # before ---------------------------------------------------------------------------------------------------------

    def _agreement(self) -> None:
        lines = {line.item or line.name: line for line in self.document.lines}
        prices = [
            {"item": item, "price": f"{_price(line)} {self.document.currency}", "unit": line.quantity.unit}
            for item, line in lines.items()
        ]
        issued, due = self.document.issued, self.document.due_day()
        start, end = issued.plus(-56), issued.plus(300)
        self._day(start)
        terms = {"prices": prices, "payment_days": issued.days_until(due), "tolerance": "2 %", "governing_law": "BE"}
        supplier, buyer = self.names["supplier"], self.names["buyer"]
        self.do(
            "supplier", 2, "propose the master agreement with its price list", "create",
            template="agreements.Agreement", fields={
                "number": "MSA-2026-01", "kind": "msa", "parties": [supplier, buyer], "signed": [supplier],
                "document": "11" * 32, "terms": terms, "start": str(start), "end": str(end),
            },
        )  # fmt: skip
        ref = self.only("buyer", "agreements.Agreement")["ref"]
        self.exercise("buyer", 2, "sign it", ref, "sign", party=buyer)
        ref = self.only("buyer", "agreements.Agreement", status="signed")["ref"]
        self.exercise("buyer", 2, "put it into effect", ref, "activate", party=buyer)

    def _facility(self, lender: str, number: str) -> None:
        limit = max(250_000_00, 2 * self.document.totals.payable.minor)
        day = self.document.issued.plus(-46)
        if lender == "lender":
            self._day(day)
        terms = {
            "limit": self._money(limit),
            "debtor_limits": [{"debtor": self.names["buyer"], "limit": self._money(limit)}],
            "concentration": "100 %", "advance": "85 %", "fee": "1.5 %", "fee_basis": "flat", "interest": "7.2 %",
            "day_count": "act/360", "recourse": "full", "recourse_share": "100 %", "recourse_days": 60,
            "disclosed": True, "release": "when-paid", "dispute_stops_interest": True,
            "eligibility": {
                "days_to_due_max": 120, "amount_min": self._money(100_00), "currencies": [self.document.currency],
                "verified": True,
            },
            "volume_min": self._money(0),
        }  # fmt: skip
        self.do(
            lender, 3, "propose a factoring facility", "create", template="factoring.Facility",
            fields={
                "number": number, "seller": self.names["supplier"], "lender": self.names[lender], "terms": terms,
                "document": "22" * 32, "start": str(day), "end": str(day.plus(364)),
            },
        )  # fmt: skip
        ref = self.only("supplier", "factoring.Facility", lender=self.names[lender])["ref"]
        self.exercise("supplier", 3, "accept it", ref, "accept")

    def _cash(self) -> None:
        amount = (
            2 * self.document.totals.payable.minor // 100_000_00 * 100_000_00 or 2 * self.document.totals.payable.minor
        )
        fields = {"issuer": self.names["carrier"], "owner": self.names["lender"], "amount": self._money(amount)}
        self.do("carrier", 10, "issue cash to the lender", "create", template="cash.Cash", fields=fields)
        self.only("lender", "cash.Cash")

    # the steps ------------------------------------------------------------------------------------------------------

    def _issue(self) -> None:
        self.do("supplier", 8, "import the invoice", "invoice.import", path=str(self.papers.invoice), exact=True)
        self.amounts(payable=str(self.document.totals.payable))
        self.only("buyer", "invoices.Invoice", number=self.document.number)

    def _credit(self) -> None:
        ref = self.only("buyer", "invoices.Invoice", number=self.document.number)["ref"]
        self.exercise("buyer", 9, "query: quality", ref, "query", reason="QUA", action="CNA", note=None)
        self.only("supplier", "invoices.Invoice", number=self.document.number, status="queried")
        self.do("supplier", 9, "give the credit note", "invoice.credit", path=str(self.papers.credit_note), exact=True)
        note = judged_file(self.papers.credit_note)[0].totals
        self.amounts(net=str(note.net), tax=str(note.tax), credit=str(note.payable))

    def _sell(self) -> dict[str, str]:
        number = self.document.number
        right = self._accepted(number)
        self.amounts(receivable=right["fields"]["outstanding"]["amount"])
        offers = {}
        for lender in ("lender", "second_lender"):
            self._offer(lender, right["ref"], step=10 if lender == "lender" else 11)
            offers[lender] = self.only(lender, "factoring.Offer")["ref"]
        self.do("buyer", 10, "verify it to its holder", "factoring.verify", receivable=right["ref"])
        for lender in offers:
            self._shared(lender, 3)
        self.do(
            "lender",
            10,
            "buy it: right, fingerprints and cash together",
            "factoring.take",
            offer=offers["lender"],
            iban=LENDER_IBAN,
        )
        advance = self.only("lender", "factoring.Advance")["fields"]
        price = advance["price"]
        self.amounts(**{name: price[name]["amount"] for name in ("advance", "reserve", "fee")})
        return offers

    def _accepted(self, number: str) -> dict[str, Any]:
        """The buyer accepts an invoice; the receivable it makes."""
        step = 10 if number == self.document.number else 11
        ref = self.only("buyer", "invoices.Invoice", number=number)["ref"]
        self.exercise("buyer", step, f"accept {number}", ref, "accept", set_off_waived=False)
        return self.progress.until(lambda: self._right(number), "the receivable")

    def _right(self, number: str) -> dict[str, Any] | None:
        found = self.ask("supplier", "contracts.list", template="receivables.Receivable", limit=500)["contracts"]
        return next((c for c in found if c["fields"]["invoice"]["number"] == number), None)

    def _offer(self, lender: str, receivable: str, *, step: int) -> None:
        name = self.names[lender]
        self.do(
            "supplier",
            step,
            f"offer it to {name}",
            "factoring.offer",
            receivable=receivable,
            lender=name,
            valid_days=30,
        )

    def _shared(self, lender: str, count: int) -> None:
        """Wait until the lender holds what the seller shared: right, invoice and the debtor's word."""
        self.progress.until(
            lambda: self.ask(lender, "disclosed.count")["count"] >= count or None,
            f"disclosures at {self.names[lender]}",
        )

    def _second_financing(self, offer: str) -> None:
        """The same right, sold twice: everyone signs what is in order, and the notary refuses the second."""
        self._refused(
            "notary.consumed",
            "second_lender",
            "buy the same receivable",
            "factoring.take",
            offer=offer,
            iban=SECOND_IBAN,
            cash=False,
        )
        self.exercise("second_lender", 11, "decline the offer", offer, "decline", reason="the receivable is gone")

    def _altered_invoice(self) -> None:
        """Another number on the same delivery: accepted by the buyer, but too like what was financed."""
        self.do(
            "supplier",
            11,
            "import the invoice again under another number",
            "invoice.import",
            path=str(self.papers.altered),
        )
        number = judged_file(self.papers.altered)[0].number
        self.only("buyer", "invoices.Invoice", number=number)
        right = self._accepted(number)
        self._offer("second_lender", right["ref"], step=11)
        offer = self.only("second_lender", "factoring.Offer")["ref"]
        self.do("buyer", 11, "verify it too", "factoring.verify", receivable=right["ref"])
        self._shared("second_lender", 6)
        self._refused(
            "factoring.near-hit",
            "second_lender",
            "look before buying",
            "factoring.take",
            offer=offer,
            iban=SECOND_IBAN,
            cash=False,
        )
        notice = self.progress.until(self._notice, "the first lender's notice")
        self.notices.append(
            {"to": "lender", "code": notice["kind"], "family": notice.get("family"), "invoice": notice.get("invoice")}
        )
        self.progress.note(
            self.names["lender"], f"is told that someone asked about {notice.get('invoice')} ({notice.get('family')})"
        )
        self.exercise("second_lender", 11, "decline", offer, "decline", reason="something like it was financed before")

    def _notice(self) -> dict[str, Any] | None:
        items = self.ask("lender", "inbox.list")["inbox"]
        return next((i for i in items if i["kind"] == "claim-asked" and i.get("family") != "factoring.invoice"), None)

    def _refused(self, code: str, role: str, what: str, operation: str, **arguments: Any) -> None:
        """An operation that must be refused with this code; anything else fails the demo."""
        try:
            with self.progress.doing(self.names[role], what, may_refuse=True):
                ended(self.ask(role, operation, **arguments)["flow"])
        except Refusal as refusal:
            if refusal.code != code:
                raise
            self.refusals.append({"step": 11, "code": refusal.code, "reason": refusal.message})
            self.progress.refused(refusal)
            return
        raise Refusal("demo.accepted", "what had to be refused was accepted", what=what)

    def _collect(self) -> None:
        right = self.only("lender", "receivables.Receivable")
        amount = right["fields"]["outstanding"]
        statement = self.papers.statement(
            amount["amount"], amount["currency"], self.collected_on, LENDER_IBAN, self.names
        )
        self.do("carrier", 12, "sign the bank's statement entry (camt.053)", "payment.statement", path=str(statement))
        self.amounts(paid=amount["amount"])
        entry = self.only("lender", "payments.BankEntry")["ref"]
        self.exercise(
            "lender", 12, "pay the receivable down by it", right["ref"], "pay_down", entry=entry, amount=amount
        )
        paid = self.only("lender", "receivables.Receivable")["ref"]
        advance = self.only("lender", "factoring.Advance")["ref"]
        exposure = self.only("lender", "factoring.Exposure")["ref"]
        self.exercise("lender", 12, "apply it to the advance", advance, "collect", receivable=paid, exposure=exposure)
        fields = self.only("lender", "factoring.Advance", status="collected")["fields"]
        self.amounts(interest=fields["interest"]["amount"], fee=fields["price"]["fee"]["amount"])

    def _release(self) -> None:
        advance = self.only("lender", "factoring.Advance")
        cash = self.only("lender", "cash.Cash")["ref"]
        self.exercise("lender", 13, "pay the rebate out in cash", advance["ref"], "release", cash=cash)
        fields = self.only("lender", "factoring.Advance", status="reserve-released")
        self.amounts(rebate=fields["fields"]["released"]["amount"])
        ref = self.only("supplier", "factoring.Advance", status="reserve-released")["ref"]
        self.exercise("supplier", 13, "confirm and close", ref, "close")
        self.only("lender", "factoring.Advance", status="closed")

    def _money(self, minor: int) -> str:
        currency = self.document.currency
        return f"{decimal_text(minor, CURRENCY_DIGITS[currency])} {currency}"


def _price(line: Any) -> str:
    return decimal_text(line.price.value, line.price.scale)


def _field(fields: dict[str, Any], name: str) -> Any:
    return fields.get(name)
