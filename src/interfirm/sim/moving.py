"""The generic business, spread over several notaries: contracts are moved while they are bought, sold and paid."""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base.money import Money
from interfirm.business.cash.contract import Cash
from interfirm.contracts.language import Party
from interfirm.contracts.types import Command, ContractRef
from interfirm.node.flows.moves import MoveArguments
from interfirm.node.flows.types import AskedFlow
from interfirm.node.vault.types import StoredContract
from interfirm.sim.firm import SimFirm
from interfirm.sim.people import Held, Try, party_of, ref_of
from interfirm.sim.trade.contract import Bill, Draft, Offer
from interfirm.sim.trade.people import Trade

ELSEWHERE = 0.3
"""How often a bill is drafted where its number is not decided, in the business `claiming`."""


class Moving(Trade):
    """Trade at several notaries: what is used together is used where it lives, and now and then somebody moves it."""

    weights = {**Trade.weights, "assign": 3, "relocate": 12}
    movable: tuple[type[Cash | Bill | Offer | Draft], ...] = (Cash, Bill, Offer)

    def _relocate(self) -> bool:
        """Somebody who holds a contract moves it to another notary."""
        kinds = list(self.movable)
        self.random.shuffle(kinds)
        for kind in kinds:
            found = self._pick(kind, lambda firm, contract: True, with_=self._confirmers)
            if found is not None:
                self._move_to(*found[:2])
                return True
        return False

    def _move_to(self, firm: SimFirm, stored: StoredContract) -> None:
        others = [each.id for each in self.world.population.notaries if each.id != stored.notary]
        name = f"relocate-{len(self.tries)}"
        arguments = msgspec.msgpack.encode(MoveArguments(ref=stored.ref, to=self.random.choice(others)))
        self.tries.append(Try(flow=name, firm=firm.name, action="relocate", attack=not firm.honest))
        firm.ask(AskedFlow(id=name, kind="change-notary", arguments=arguments))

    @staticmethod
    def _confirmers(contract: Cash | Bill | Offer | Draft) -> list[Party | None]:
        return list(contract.confirmers() or contract.signatories())

    def _assign(self) -> bool:
        """A bill is given away where it lives."""
        found = self._pick(Bill, lambda firm, bill: bill.holder.id == firm.identity, with_=lambda b: [b.debtor])
        if found is None:
            return False
        firm, stored, bill = found
        to = self._other(firm, without=(bill.debtor,))
        if to is None:
            return False
        self._exercise(firm, stored, "assign", to=party_of(to))
        return True

    def _pay(self) -> bool:
        """A debtor pays with cash that lives where the bill does."""
        for firm, stored, bill in self._owed():
            cash = self._cash_at(firm, stored.notary, bill.amount)
            if cash is not None and self._is_honest(bill.holder.id):
                self._used.update((cash.ref, stored.ref))
                self._exercise(firm, stored, "pay", cash=ref_of(cash))
                return True
        return False

    def _owed(self) -> list[Held]:
        free = [each for each in self._held(Bill) if each[0] in self._acting and each[1].ref not in self._used]
        return [each for each in free if each[2].debtor.id == each[0].identity]

    def _cash_at(self, firm: SimFirm, notary: bytes, amount: Money) -> StoredContract | None:
        for holder, stored, cash in self._held(Cash):
            mine = holder is firm and cash.owner.id == firm.identity and stored.ref not in self._used
            if mine and stored.notary == notary and cash.amount.currency == amount.currency and cash.amount >= amount:
                return stored
        return None

    def _take(self) -> bool:
        """An offer is taken where offer, bill and cash live together: at home, and as it was when it was made."""
        home = self.world.population.notaries[0].id
        at_home = {stored.ref for _, stored, _ in self._held(Bill) if stored.notary == home}
        held = self._held(Offer)
        self._looked_up[(Offer, "active")] = [
            each for each in held
            if each[1].notary == home and ContractRef(each[2].bill.transaction, each[2].bill.index) in at_home
        ]  # fmt: skip
        try:
            return super()._take()
        finally:
            self._looked_up[(Offer, "active")] = held


class Claiming(Moving):
    """The same, where drafts are made and moved elsewhere too: what becomes of them claims a number at home."""

    movable = (Cash, Bill, Offer, Draft)

    def _ask(self, firm: SimFirm, action: str, command: Command, **more: Any) -> None:
        if action == "draft" and self.random.random() < ELSEWHERE:
            more["notary"] = self.random.choice(self.world.population.notaries[1:]).id
        super()._ask(firm, action, command, **more)
