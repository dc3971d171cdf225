"""The generic business: bills with numbers, private offers to buy them, and cash."""

from __future__ import annotations

from functools import cache

from interfirm.base.money import Money
from interfirm.contracts.language import Party, Private
from interfirm.contracts.packages import Engine, bundle
from interfirm.contracts.types import ContractRef
from interfirm.ledger.private import commit_private
from interfirm.node.flows.messages import PrivateValue
from interfirm.sim.firm import SimFirm
from interfirm.sim.people import People, party_of, ref_of
from interfirm.sim.trade import contract
from interfirm.sim.trade.contract import Bill, Draft, Offer


@cache
def trade_engine() -> Engine:
    """The packages of this business, loaded once for each process."""
    return Engine(bundle(contract))


class Trade(People):
    """Suppliers draft bills, debtors accept them, holders sell them to lenders, debtors pay in cash."""

    weights = {**People.weights, "draft": 4, "accept": 6, "reject": 1, "offer": 4, "take": 6, "pay": 4}

    def _draft(self) -> bool:
        supplier = self._somebody()
        debtor = self._other(supplier) if supplier else None
        if supplier is None or debtor is None:
            return False
        amount = Money(self.random.randint(100, 20_000), "EUR")
        draft = Draft(
            supplier=party_of(supplier), debtor=party_of(debtor), amount=amount, number=self._number(supplier),
            mark=self._mark(),
        )  # fmt: skip
        self._ask(supplier, "draft", self._create("trade.Draft", draft))
        return True

    def _accept(self) -> bool:
        return self._of_draft("accept")

    def _reject(self) -> bool:
        return self._of_draft("reject")

    def _of_draft(self, choice: str) -> bool:
        found = self._pick(Draft, lambda firm, draft: draft.debtor.id == firm.identity, with_=lambda d: [d.supplier])
        if found is None:
            return False
        firm, stored, _ = found
        self._exercise(firm, stored, choice)
        return True

    def _offer(self) -> bool:
        found = self._pick(Bill, lambda firm, bill: bill.holder.id == firm.identity, keep=True)
        if found is None:
            return False
        firm, stored, bill = found
        lender = self._other(firm, without=(bill.debtor,))
        if lender is None:
            return False
        price = Money(max(1, bill.amount.minor * self.random.randint(80, 99) // 100), bill.amount.currency)
        value, salt = f"because {self._mark()}", self.random.randbytes(32)
        private = PrivateValue(commitment=commit_private(salt, value), subject=firm.name, value=value, salt=salt)
        offer = Offer(
            seller=party_of(firm), lender=party_of(lender), bill=ref_of(stored), price=price, mark=self._mark(),
            remark=Private(private.commitment),
        )  # fmt: skip
        self._ask(firm, "offer", self._create("trade.Offer", offer), privates=(private,))
        self._share(firm, stored.ref, lender)
        return True

    def _take(self) -> bool:
        def may(firm: SimFirm, offer: Offer) -> bool:
            return offer.lender.id == firm.identity and self._cash_for(firm, offer.price) is not None

        found = self._pick(Offer, may, with_=lambda offer: [offer.seller, self._debtor_of(offer)], keep=True)
        if found is None:
            return False
        firm, stored, offer = found
        cash = self._cash_for(firm, offer.price)
        if cash is None or not self._knows(firm, offer.bill):
            return False
        self._used.update((cash.ref, stored.ref))
        self._exercise(firm, stored, "take", cash=ref_of(cash))
        return True

    def _pay(self) -> bool:
        def may(firm: SimFirm, bill: Bill) -> bool:
            return bill.debtor.id == firm.identity and self._cash_for(firm, bill.amount) is not None

        found = self._pick(Bill, may, with_=lambda bill: [bill.holder], keep=True)
        if found is None:
            return False
        firm, stored, bill = found
        cash = self._cash_for(firm, bill.amount)
        if cash is None:
            return False
        self._used.update((cash.ref, stored.ref))
        self._exercise(firm, stored, "pay", cash=ref_of(cash))
        return True

    def _debtor_of(self, offer: Offer) -> Party | None:
        for firm, stored, bill in self._held(Bill):
            if firm.honest and stored.ref == ContractRef(offer.bill.transaction, offer.bill.index):
                return Party(bill.debtor.id)
        return None
