"""The business of the scenario: invoices, receivables, facilities, their sale for cash, and attempts to sell twice."""

from __future__ import annotations

from functools import cache
from typing import Any

from interfirm.base.hashing import sha256
from interfirm.base.money import Money, Quantity, Rate, UnitPrice
from interfirm.base.time import Day, Instant
from interfirm.business.cash.contract import Cash
from interfirm.business.companies.accounts import account_of
from interfirm.business.companies.contract import Account, Address, Firm
from interfirm.business.factoring import contract as factoring
from interfirm.business.factoring.contract import Offer
from interfirm.business.factoring.facility import Exposure, Facility, FacilityStatus
from interfirm.business.factoring.terms import (
    DayCount,
    DebtorLimit,
    Eligibility,
    FacilityTerms,
    FeeBasis,
    Recourse,
    ReleaseRule,
    offered_of,
    price_of,
)
from interfirm.business.invoices import contract as invoices
from interfirm.business.invoices.answers import OPEN, Reason
from interfirm.business.invoices.contract import Invoice
from interfirm.business.invoices.document import Document, Line, TaxGroup, Totals
from interfirm.business.receivables.contract import Receivable, Verification
from interfirm.contracts.language import Hash
from interfirm.contracts.packages import Engine, bundle
from interfirm.node.vault.types import StoredContract
from interfirm.sim.firm import SimFirm
from interfirm.sim.people import Held, People, party_of, ref_of

VAT = Rate(210_000)
TERM_DAYS = 45
FINANCED_RATE = 0.7
"""How often an invoice is one of a seller that has a lender."""
OFFERS_MAX = 2
"""How often a seller offers one right: the second time to finance it twice, if it was sold."""


def _eur(minor: int) -> Money:
    return Money(minor, "EUR")


TERMS = FacilityTerms(
    limit=_eur(100_000_000), debtor_limits=(), concentration=Rate(1_000_000), advance=Rate(850_000), fee=Rate(15_000),
    fee_basis=FeeBasis.FLAT, interest=Rate(72_000), day_count=DayCount.ACT_360, recourse=Recourse.FULL,
    recourse_share=Rate(1_000_000), recourse_days=60, disclosed=True, release=ReleaseRule.WHEN_PAID,
    dispute_stops_interest=True, volume_min=_eur(0),
    eligibility=Eligibility(days_to_due_max=120, amount_min=_eur(100), currencies=("EUR",), verified=True),
)  # fmt: skip


@cache
def factoring_engine() -> Engine:
    """The packages of this business, loaded once for each process."""
    engine = Engine()
    for module in (invoices, factoring):
        for package in bundle(module):
            engine.load(package)
    return engine


class Factoring(People):
    """Sellers invoice buyers, who accept; holders sell their rights to lenders; buyers pay whoever is owed."""

    weights = {
        "issue": 4, "move": 1, "facility": 8, "agree": 30, "invoice": 3, "accept": 20, "reject": 1, "verify": 30,
        "offer": 30, "take": 60, "pay": 2,
    }  # fmt: skip

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._financed: dict[tuple[bytes, bytes, int], int] = {}
        self._verified: set[object] = set()
        self._offered: dict[object, int] = {}

    # facilities -----------------------------------------------------------------------------------------------------

    def _facility(self) -> bool:
        sellers = [self.world.firm_of(right.seller.id) for _, _, right in self._held(Receivable)]
        seller = self._one_of(sellers)
        lender = self._one_of([firm for firm, _, cash in self._held(Cash) if cash.owner.id == firm.identity])
        if lender is None or seller is None or lender is seller or lender not in self._acting:
            return False
        wanted = (lender.identity, seller.identity)
        if any((facility.lender.id, facility.seller.id) == wanted for _, _, facility in self._held(Facility)):
            return False
        today = self._today()
        limits = tuple(DebtorLimit(debtor=party_of(firm), limit=TERMS.limit) for firm in self.world.firms)
        facility = Facility(
            number=self._mark(), seller=party_of(seller), lender=party_of(lender),
            terms=TERMS.replace(debtor_limits=limits), document=Hash(sha256(b"terms")), start=today.plus(-1),
            end=today.plus(365),
        )  # fmt: skip
        self._ask(lender, "facility", self._create("factoring.Facility", facility))
        return True

    def _one_of(self, firms: list[SimFirm | None] | list[SimFirm]) -> SimFirm | None:
        found = [firm for firm in firms if firm is not None and firm.up]
        return self.random.choice(found) if found else None

    def _agree(self) -> bool:
        def may(firm: SimFirm, facility: Facility) -> bool:
            return facility.seller.id == firm.identity and facility.status == FacilityStatus.PROPOSED

        found = self._pick(Facility, may, with_=lambda facility: [facility.lender])
        if found is None:
            return False
        self._exercise(found[0], found[1], "accept")
        return True

    # invoices -------------------------------------------------------------------------------------------------------

    def _invoice(self) -> bool:
        served = [self.world.firm_of(facility.seller.id) for _, _, facility in self._held(Facility)]
        seller = self._one_of(served) if self.random.random() < FINANCED_RATE else None
        seller = self._somebody() if seller not in self._acting else seller
        buyer = self._other(seller) if seller else None
        if seller is None or buyer is None:
            return False
        document = self._document(seller, buyer)
        invoice = Invoice(
            seller=party_of(seller), buyer=party_of(buyer), document=document, number=document.number,
            payable=document.totals.payable, due=document.due_day(), account=_account(self, seller),
            late_rate=Rate(101_500),
        )  # fmt: skip
        self._ask(seller, "invoice", self._create("invoices.Invoice", invoice))
        return True

    def _document(self, seller: SimFirm, buyer: SimFirm) -> Document:
        price = self.random.randint(100, 3_000)
        units = self.random.randint(1, 10)
        net = _eur(price * units)
        tax = net.share(VAT)
        line = Line(
            id="1", name="Goods", item="G", quantity=Quantity(units, 0, "C62"), price=UnitPrice.of(_eur(price)),
            net=net, category="S", rate=VAT,
        )  # fmt: skip
        totals = Totals(
            lines=net, allowances=_eur(0), charges=_eur(0), net=net, tax=tax, gross=net + tax, prepaid=_eur(0),
            rounding=_eur(0), payable=net + tax,
        )  # fmt: skip
        today = self._today()
        return Document(
            number=self._number(seller), kind="380", issued=today, currency="EUR", seller=_firm(self, seller),
            buyer=_firm(self, buyer), lines=(line,), groups=(TaxGroup(category="S", rate=VAT, base=net, tax=tax),),
            totals=totals, allowances=(), due=today.plus(TERM_DAYS), means="30", account=_account(self, seller),
        )  # fmt: skip

    def _accept(self) -> bool:
        return self._answer("accept", set_off_waived=True)

    def _reject(self) -> bool:
        return self._answer("reject", reason=Reason.QUALITY)

    def _answer(self, choice: str, **arguments: Any) -> bool:
        def may(firm: SimFirm, invoice: Invoice) -> bool:
            return invoice.buyer.id == firm.identity and invoice.status in OPEN

        found = self._pick(Invoice, may, with_=lambda invoice: [invoice.seller])
        if found is None:
            return False
        self._exercise(found[0], found[1], choice, **arguments)
        return True

    # receivables ----------------------------------------------------------------------------------------------------

    def _verify(self) -> bool:
        def may(firm: SimFirm, right: Receivable) -> bool:
            return (
                right.obligor.id == firm.identity
                and right.holder == right.seller
                and right.invoice not in self._verified
            )

        found = self._pick(Receivable, may, keep=True)
        if found is None:
            return False
        firm, _, right = found
        self._verified.add(right.invoice)
        word = Verification(
            obligor=right.obligor, holder=right.holder, invoice=right.invoice, outstanding=right.outstanding,
            due=right.due, no_set_off=True, valid_until=self._today().plus(30),
        )  # fmt: skip
        self._ask(firm, "verify", self._create("receivables.Verification", word))
        return True

    def _word(self, firm: SimFirm, right: Receivable) -> Held | None:
        """The obligor's word on a right, as a firm holds it."""
        words = [held for held in self._held(Verification) if held[0] is firm and held[2].invoice == right.invoice]
        return words[0] if words else None

    def _offer(self) -> bool:
        def may(firm: SimFirm, right: Receivable) -> bool:
            mine = right.holder.id == firm.identity and right.holder == right.seller and right.outstanding.minor > 0
            again = self._offered.get(right.invoice, 0)
            return mine and again < OFFERS_MAX and bool(self._word(firm, right)) and bool(self._facilities(firm, right))

        found = self._pick(Receivable, may, with_=lambda right: [right.obligor], keep=True)
        if found is None:
            return False
        firm, stored, right = found
        self._offered[right.invoice] = self._offered.get(right.invoice, 0) + 1
        _, agreed, facility = self.random.choice(self._facilities(firm, right))
        lender, word = self.world.firm_of(facility.lender.id), self._word(firm, right)
        assert lender is not None
        assert word is not None
        offered = offered_of(right)
        price = price_of(facility.terms, offered.outstanding, self._today(), offered.due)
        offer = Offer(
            seller=party_of(firm), lender=facility.lender, facility=ref_of(agreed), receivable=ref_of(stored),
            offered=offered, price=price, valid_until=self._today().plus(10),
        )  # fmt: skip
        self._ask(firm, "offer", self._create("factoring.Offer", offer))
        self._share(firm, stored.ref, lender)
        self._share(firm, word[1].ref, lender)
        return True

    def _facilities(self, firm: SimFirm, right: Receivable) -> list[Held]:
        return [
            held
            for held in self._held(Facility)
            if held[0] is firm and held[2].seller.id == firm.identity and held[2].lender != right.obligor
            and held[2].status == FacilityStatus.IN_EFFECT
        ]  # fmt: skip

    def _take(self) -> bool:
        def may(firm: SimFirm, offer: Offer) -> bool:
            mine = offer.lender.id == firm.identity and self._knows(firm, offer.receivable)
            return mine and self._cash_for(firm, offer.price.advance) is not None and bool(self._exposure(firm, offer))

        found = self._pick(Offer, may, with_=lambda offer: [offer.seller, offer.offered.obligor], keep=True)
        if found is None:
            return False
        firm, stored, offer = found
        cash, exposure = self._cash_for(firm, offer.price.advance), self._exposure(firm, offer)
        word = self._shared_word(firm, offer)
        if cash is None or exposure is None or word is None:
            return False
        fingerprint = (offer.seller.id, offer.offered.obligor.id, offer.offered.gross.minor)
        number = self._financed[fingerprint] = self._financed.get(fingerprint, 0) + 1
        self._used.update((cash.ref, stored.ref, exposure.ref))
        today = self._today()
        self._exercise(
            firm, stored, "take", lower_ms=today.start().ms, exposure=ref_of(exposure), verification=ref_of(word),
            cash=ref_of(cash), account=_account(self, firm), parties_number=number, order_number=1, on=today,
        )  # fmt: skip
        return True

    def _exposure(self, firm: SimFirm, offer: Offer) -> StoredContract | None:
        for holder, stored, exposure in self._held(Exposure):
            same = (exposure.seller, exposure.lender) == (offer.seller, offer.lender)
            if holder is firm and same and stored.ref not in self._used:
                return stored
        return None

    def _shared_word(self, firm: SimFirm, offer: Offer) -> StoredContract | None:
        """The obligor's word that the seller has shared with a lender."""
        for holder, stored, word in self._held(Verification):
            shared = holder.identity == offer.seller.id and word.invoice == offer.offered.invoice
            if shared and self._knows(firm, ref_of(stored)):
                return stored
        return None

    def _pay(self) -> bool:
        def may(firm: SimFirm, right: Receivable) -> bool:
            mine = right.obligor.id == firm.identity and right.outstanding.minor > 0 and right.payee.id != firm.identity
            return mine and self._cash_for(firm, right.outstanding) is not None

        found = self._pick(Receivable, may, with_=lambda right: [right.holder], keep=True)
        if found is None:
            return False
        firm, stored, right = found
        cash = self._cash_for(firm, right.outstanding)
        if cash is None:
            return False
        self._used.update((cash.ref, stored.ref))
        today = self._today()
        self._exercise(
            firm, stored, "pay_in_cash", lower_ms=today.start().ms, cash=ref_of(cash), amount=right.outstanding,
            end_to_end_id=self._mark(), on=today,
        )  # fmt: skip
        return True

    def _today(self) -> Day:
        return Instant(self.world.agenda.now_ms).day()


def _account(people: People, firm: SimFirm) -> Account:
    number = people.world.firms.index(firm)
    bban = f"5390075{number:05d}"
    check = 98 - int(f"{bban}111400") % 97
    return account_of(f"BE{check:02d}{bban}", name=firm.name)


def _firm(people: People, firm: SimFirm) -> Firm:
    number = f"{people.world.firms.index(firm):010d}"
    address = Address(street="Market 1", city="Gent", postal_code="9000", country="BE")
    return Firm(
        name=firm.name, tax_id=f"BE{number}", registration=number, registration_scheme="0208", endpoint=number,
        endpoint_scheme="0208", address=address,
    )  # fmt: skip
