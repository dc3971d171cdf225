"""Factoring: one sale of one right under limits, fingerprints taken once, every cent accounted for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.business.ledger import refused, seen_by, shown
from tests.unit.business.scenario import (
    BANK,
    CN_1,
    INV_1,
    L2,
    L2_ACCOUNT,
    L_ACCOUNT,
    S_ACCOUNT,
    TERMS,
    B,
    K,
    L,
    Play,
    S,
    day,
    eur,
)

from interfirm.business.agreements.contract import Notice
from interfirm.business.cash.contract import Cash
from interfirm.business.factoring.advance import Advance, AdvanceStatus
from interfirm.business.factoring.contract import Offer, Taken
from interfirm.business.factoring.facility import DebtorExposure, Exposure, Facility, FacilityStatus
from interfirm.business.factoring.fingerprints import Financing
from interfirm.business.factoring.silence import TrustCollection
from interfirm.business.factoring.terms import (
    DayCount,
    DebtorLimit,
    FacilityTerms,
    FeeBasis,
    Recourse,
    ReleaseRule,
    price_of,
)
from interfirm.business.factoring.trust import TrustMoney
from interfirm.business.invoices.contract import Invoice
from interfirm.business.payments.contract import BankEntry, Obligation, Payment
from interfirm.business.receivables.contract import Receivable
from interfirm.contracts.language import Hash, Money, Party, Rate, Ref

ON = day(10, 8)
RECOURSE_DAY = day(1, 18, 2027)
"""Due 2026-11-19 and 60 days."""


class Deal(Play):
    """Everything ready for a purchase, which tests then vary."""

    def __init__(self, terms: FacilityTerms = TERMS) -> None:
        super().__init__(terms)
        self.opened = self.facility()
        right = self.to_acceptance().receivable
        assert right is not None
        self.right = right

    def money(self, owner: Party = L) -> Ref[Cash]:
        return self.cash(owner, "200000.00", ON)

    def buy(self, **changes: Any) -> Taken:
        """Take an offer of the right, verified and paid in cash, but for the changes."""
        offer = changes.pop("offer", None) or self.offer(self.right, self.opened)
        exposure = changes.pop("exposure", self.opened.exposure)
        verification = changes.pop("verification") if "verification" in changes else self.verify(self.right)
        cash = changes.pop("cash") if "cash" in changes else self.money()
        return self.take(offer, exposure, verification, cash, **changes)

    def advance(self, ref: Ref[Advance]) -> Advance:
        return self.ledger.get(Advance, ref)


@pytest.fixture
def deal() -> Deal:
    return Deal()


def limited(**changes: Any) -> Deal:
    return Deal(TERMS.replace(**changes))


# facility ---------------------------------------------------------------------------------------------------------


def test_a_facility_is_proposed_by_the_lender_and_accepted_by_the_seller(deal: Deal) -> None:
    facility = deal.ledger.get(Facility, deal.opened.facility)
    assert facility.status == FacilityStatus.IN_EFFECT
    assert deal.ledger.get(Exposure, deal.opened.exposure).advanced == eur("0")


def test_a_facility_binds_no_seller_that_has_not_accepted(deal: Deal) -> None:
    facility = deal.ledger.get(Facility, deal.opened.facility)
    with refused("ledger.authority"):
        deal.ledger.create(facility.replace(number="F-9"), signed=[L], on=ON)


def test_a_facility_number_is_taken_once(deal: Deal) -> None:
    with refused("notary.claim-taken"):
        deal.facility()


def test_a_proposal_is_rejected_or_withdrawn(deal: Deal) -> None:
    facility = deal.ledger.get(Facility, deal.opened.facility)
    for number, choice, signed in (("F-8", Facility.reject, [S, L]), ("F-9", Facility.withdraw, [L])):
        proposal = facility.replace(number=number, status=FacilityStatus.PROPOSED)
        ref = deal.ledger.create(proposal, signed=[L], on=ON)
        ended = deal.ledger.exercise(ref, choice, signed=signed, on=ON)
        with refused("the facility's status does not allow this"):
            deal.ledger.exercise(ended, Facility.accept, signed=[S, L], on=ON)


def test_nothing_is_bought_while_the_facility_is_suspended(deal: Deal) -> None:
    suspended = deal.ledger.exercise(deal.opened.facility, Facility.suspend, signed=[S, L], on=ON)
    with refused("the facility is not in effect"):
        deal.buy(offer=deal.offer(deal.right, deal.opened.replace(facility=suspended)))
    resumed = deal.ledger.exercise(suspended, Facility.resume, signed=[S, L], on=ON)
    deal.buy(offer=deal.offer(deal.right, deal.opened.replace(facility=resumed)))


def test_nothing_is_bought_after_the_facility_ended(deal: Deal) -> None:
    ended = deal.ledger.exercise(deal.opened.facility, Facility.terminate, signed=[S, L], on=ON)
    with refused("the facility is not in effect"):
        deal.buy(offer=deal.offer(deal.right, deal.opened.replace(facility=ended)))


def test_a_notice_by_one_side_ends_new_purchases_after_its_days(deal: Deal) -> None:
    notice = deal.ledger.create(Notice(giver=S, others=(L,), agreement="F-1", given=ON), signed=[S], on=ON)
    arguments = {"party": S, "notice": notice}
    with refused("contract.not-before"):
        deal.ledger.exercise(
            deal.opened.facility, Facility.terminate_on_notice, signed=[S, L], on=day(11, 6), **arguments
        )
    ended = deal.ledger.exercise(
        deal.opened.facility, Facility.terminate_on_notice, signed=[S, L], on=day(11, 7), **arguments
    )
    assert deal.ledger.get(Facility, ended).status == FacilityStatus.ENDED


def test_an_amendment_needs_both(deal: Deal) -> None:
    arguments = {"terms": TERMS, "document": Hash(bytes(32)), "end": day(12, 31, 2027)}
    with refused("ledger.authority"):
        deal.ledger.exercise(deal.opened.facility, Facility.amend, signed=[L], on=ON, **arguments)
    ref = deal.ledger.exercise(deal.opened.facility, Facility.amend, signed=[S, L], on=ON, **arguments)
    assert deal.ledger.get(Facility, ref).version == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"advance": Rate(1_000_001)}, "a part is not more than the whole"),
        ({"fee": Rate(-1)}, "a rate is not negative"),
        ({"limit": eur("0")}, "a facility has a limit"),
        ({"recourse_days": -1}, "days are counted forward"),
        ({"debtor_limits": (DebtorLimit(B, eur("250000.01")),)}, "a debtor's limit is within the facility's"),
        ({"debtor_limits": (DebtorLimit(B, eur("1")), DebtorLimit(B, eur("2")))}, "each debtor is named once"),
    ],
    ids=["advance", "fee", "limit", "days", "debtor", "twice"],
)
def test_terms_that_make_no_sense_are_refused(changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        Play(TERMS.replace(**changes)).facility()


# price ------------------------------------------------------------------------------------------------------------


def test_a_fee_may_be_for_every_thirty_days_begun() -> None:
    terms = TERMS.replace(fee_basis=FeeBasis.PER_30_DAYS)
    amount = eur("135141.87")
    assert price_of(terms, amount, ON, ON.plus(30)).fee == eur("2027.13")
    assert price_of(terms, amount, ON, ON.plus(31)).fee == eur("4054.26")
    assert price_of(terms, amount, ON, ON).fee == eur("2027.13")


def test_an_offer_is_at_the_facilitys_price(deal: Deal) -> None:
    offer = deal.ledger.get(Offer, deal.offer(deal.right, deal.opened))
    cheaper = offer.price.replace(fee=eur("0.00"))
    with refused("the price is not that of the facility"):
        deal.buy(offer=deal.offer(deal.right, deal.opened, price=cheaper))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lender": B}, "debtor and lender differ"),
        ({"lender": S}, "seller and lender differ"),
    ],
)
def test_an_offer_is_between_three_parties(deal: Deal, changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        deal.offer(deal.right, deal.opened, **changes)


def test_the_price_of_an_offer_adds_up(deal: Deal) -> None:
    price = deal.ledger.get(Offer, deal.offer(deal.right, deal.opened)).price
    for changes, reason in (
        ({"reserve": price.reserve + eur("0.01")}, "advance and reserve make up what is bought"),
        ({"purchased": price.purchased + eur("0.01")}, "the price is for what is outstanding"),
    ):
        with refused(reason):
            deal.offer(deal.right, deal.opened, price=price.replace(**changes))


# the purchase -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "code"), [(S, "ledger.confirmer"), (B, "ledger.confirmer"), (L, "ledger.authority")]
)
def test_no_sale_without_seller_debtor_and_lender(deal: Deal, missing: Party, code: str) -> None:
    with refused(code):
        deal.buy(signed=tuple(one for one in (S, B, L) if one != missing))


def test_the_lender_does_not_take_for_nothing_what_costs_an_advance(deal: Deal) -> None:
    bought = deal.buy(cash=None)
    advance = deal.advance(bought.advance)
    assert advance.status == AdvanceStatus.PURCHASED
    with refused("the advance's status does not allow this"):
        deal.collect(bought)


def test_too_little_cash_buys_nothing(deal: Deal) -> None:
    with refused("this cash does not cover the amount"):
        deal.buy(cash=deal.cash(L, "114870.58", ON))
    assert deal.ledger.active(Financing) == []
    assert deal.ledger.get(Receivable, deal.right).holder == S


def test_anothers_cash_buys_nothing(deal: Deal) -> None:
    with refused("contract.authority-exercise"):
        deal.buy(cash=deal.money(K), signed=(S, B, L, K))


def test_the_debtor_pays_the_lender_after_the_sale(deal: Deal) -> None:
    right = deal.ledger.get(Receivable, deal.buy().receivable)  # type: ignore[arg-type]  # there is one
    assert (right.payee, right.account) == (L, L_ACCOUNT)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"limit": eur("114870.58"), "debtor_limits": (DebtorLimit(B, eur("100000")),),
          "concentration": Rate(1_000_000)}, "the facility's limit is exceeded"),
        ({"debtor_limits": (DebtorLimit(B, eur("114870.58")),)}, "the debtor's limit is exceeded"),
        ({"debtor_limits": (DebtorLimit(K, eur("150000")),)}, "the debtor's limit is exceeded"),
        ({"concentration": Rate(459_482)}, "the debtor's limit is exceeded"),
    ],
    ids=["limit", "debtor", "other debtor", "concentration"],
)  # fmt: skip
def test_no_purchase_over_a_limit(terms: dict[str, Any], reason: str) -> None:
    with refused(reason):
        limited(**terms).buy()


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"days_to_due_max": 41}, "the due day is too far off"),
        ({"amount_min": eur("135141.88")}, "the amount is too small"),
        ({"currencies": ("USD",)}, "this currency is not financed"),
    ],
    ids=["days", "amount", "currency"],
)
def test_only_eligible_receivables_are_bought(terms: dict[str, Any], reason: str) -> None:
    with refused(reason):
        limited(eligibility=TERMS.eligibility.replace(**terms)).buy()


def test_what_is_overdue_is_not_bought(deal: Deal) -> None:
    offer = deal.offer(deal.right, deal.opened, valid_until=day(12, 31))
    with refused("what is overdue is not financed"):
        deal.buy(offer=offer, verification=deal.verify(deal.right, valid_until=day(12, 31)), on=day(11, 20))


def test_what_is_disputed_is_not_bought(deal: Deal) -> None:
    disputed = deal.ledger.exercise(deal.right, Receivable.dispute, signed=[S, B], on=ON, amount=eur("1.00"), on_=ON)
    deal.right = disputed
    with refused("what is disputed is not financed"):
        deal.buy()


def test_a_receivable_other_than_offered_is_not_bought(deal: Deal) -> None:
    offered = deal.ledger.get(Offer, deal.offer(deal.right, deal.opened)).offered
    for changes in ({"order": "PO-9"}, {"round": 1}, {"gross": eur("1")}, {"due": day(11, 18)}):
        with refused("the receivable is not as offered"):
            deal.buy(offer=deal.offer(deal.right, deal.opened, offered=offered.replace(**changes)))


def test_an_offer_runs_out(deal: Deal) -> None:
    with refused("the offer has run out"):
        deal.buy(
            offer=deal.offer(deal.right, deal.opened, valid_until=day(10, 8)),
            verification=deal.verify(deal.right),
            on=day(10, 9),
        )


def test_a_purchase_is_dated_by_the_notarys_time(deal: Deal) -> None:
    with refused("contract.not-before"):
        deal.ledger.exercise(
            deal.offer(deal.right, deal.opened), Offer.take, signed=[S, B, L], on=ON, exposure=deal.opened.exposure,
            verification=deal.verify(deal.right), cash=deal.money(), account=L_ACCOUNT, parties_number=1,
            order_number=1, on_=ON.plus(1),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outstanding": eur("135141.86")}, "the debtor verified other figures"),
        ({"due": day(11, 20)}, "the debtor verified other figures"),
        ({"no_set_off": False}, "the debtor has not waived set-off"),
        ({"valid_until": day(10, 7)}, "the verification has run out"),
    ],
    ids=["amount", "due", "set-off", "expired"],
)
def test_a_verification_of_something_else_does_not_count(deal: Deal, changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        deal.buy(verification=deal.verify(deal.right, **changes))


def test_a_verification_of_another_invoice_does_not_count(deal: Deal) -> None:
    other = deal.ledger.get(Receivable, deal.right).invoice.replace(number="INV-9")
    with refused("the verification is of something else"):
        deal.buy(verification=deal.verify(deal.right, invoice=other))


def test_the_debtors_own_word_is_needed_where_the_terms_say_so(deal: Deal) -> None:
    with refused("the debtor's own word is needed"):
        deal.buy(verification=None)


def test_a_waiver_at_acceptance_stands_for_a_verification_where_the_terms_allow_it() -> None:
    terms = TERMS.replace(eligibility=TERMS.eligibility.replace(verified=False))
    with refused("the debtor has not waived set-off"):
        Deal(terms).buy(verification=None)
    deal = Deal(terms)
    accepted = deal.ledger.exercise(
        deal.issue(INV_1.replace(number="INV-2")), Invoice.accept, signed=[S, B], on=ON, set_off_waived=True
    )
    assert accepted.receivable is not None
    deal.right = accepted.receivable
    assert deal.buy(verification=None).receivable is not None


def test_the_facility_of_another_lender_is_not_used(deal: Deal) -> None:
    other = deal.facility(L2, number="F-2")
    # L is no stakeholder there, but S is, so that the rule of the offer itself must refuse
    with refused("the facility is between others"):
        deal.buy(offer=deal.offer(deal.right, other))


def test_exposure_of_another_facility_is_not_used(deal: Deal) -> None:
    other = deal.facility(L, number="F-2")
    with refused("this is another facility's exposure"):
        deal.buy(exposure=other.exposure)


def test_only_the_lender_takes_and_declines_and_only_the_seller_withdraws(deal: Deal) -> None:
    offer = deal.offer(deal.right, deal.opened)
    for choice, arguments, wrong in ((Offer.decline, {"reason": "r"}, S), (Offer.withdraw, {}, L)):
        with refused("ledger.authority"):
            deal.ledger.exercise(offer, choice, signed=[wrong], on=ON, **arguments)
    deal.ledger.exercise(offer, Offer.decline, signed=[S, L], on=ON, reason="near hit")
    assert deal.ledger.get(Receivable, deal.right).holder == S
    other = deal.offer(deal.right, deal.opened)
    deal.ledger.exercise(other, Offer.withdraw, signed=[S], on=ON)
    assert deal.ledger.active(Offer) == []


def test_an_offer_that_ran_out_is_declined_without_the_seller(deal: Deal) -> None:
    offer = deal.offer(deal.right, deal.opened)
    with refused("ledger.confirmer"):
        deal.ledger.exercise(offer, Offer.decline, signed=[L], on=day(10, 31), reason="late")
    deal.ledger.exercise(offer, Offer.decline, signed=[L], on=day(11, 1), reason="late")


# double financing -------------------------------------------------------------------------------------------------


def second(deal: Deal) -> Any:
    return deal.facility(L2, number="F-2")


def take_second(deal: Deal, offer: Ref[Offer], opened: Any, numbers: tuple[int, int], right: Ref[Receivable]) -> Taken:
    return deal.take(
        offer, opened.exposure, deal.verify(right), deal.money(L2), lender=L2, account=L2_ACCOUNT, numbers=numbers
    )


def test_the_same_receivable_is_not_sold_to_a_second_lender(deal: Deal) -> None:
    opened = second(deal)
    offer = deal.offer(deal.right, opened, lender=L2)
    word = deal.verify(deal.right)
    deal.buy()
    with refused("notary.consumed"):
        deal.take(offer, opened.exposure, word, deal.money(L2), lender=L2, account=L2_ACCOUNT)


def twin(deal: Deal, **changes: Any) -> Ref[Receivable]:
    """A receivable of S and B that looks like the sold one."""
    right = deal.ledger.active(Receivable)[0].replace(holder=S, payee=S, account=S_ACCOUNT, **changes)
    return deal.ledger.create(right, signed=[S, B], on=ON)  # type: ignore[no-any-return]


def test_a_copy_of_the_receivable_is_stopped_by_the_exact_fingerprint(deal: Deal) -> None:
    deal.buy()
    opened, copy = second(deal), twin(deal)
    with refused("notary.claim-taken"):
        take_second(deal, deal.offer(copy, opened, lender=L2), opened, (2, 2), copy)


def test_an_altered_number_is_a_near_hit_that_shows_in_the_number_behind_the_fingerprint(deal: Deal) -> None:
    deal.buy()
    opened = second(deal)
    invoice = deal.ledger.active(Receivable)[0].invoice.replace(number="INV-2026-0001A")
    altered = twin(deal, invoice=invoice)
    offer = deal.offer(altered, opened, lender=L2)
    for numbers in ((1, 2), (2, 1)):
        with refused("notary.claim-taken"):
            take_second(deal, offer, opened, numbers, altered)
    deal.ledger.exercise(offer, Offer.decline, signed=[S, L2], on=ON, reason="financed before by another")
    assert deal.ledger.get(Receivable, altered).holder == S


def test_a_lender_that_does_not_mind_the_warning_may_take_the_next_number(deal: Deal) -> None:
    deal.buy()
    opened = second(deal)
    invoice = deal.ledger.active(Receivable)[0].invoice.replace(number="INV-2026-0001A")
    altered = twin(deal, invoice=invoice)
    taken = take_second(deal, deal.offer(altered, opened, lender=L2), opened, (2, 2), altered)
    assert taken.receivable is not None


def test_fingerprints_belong_to_the_seller_who_signs(deal: Deal) -> None:
    offered = deal.ledger.get(Offer, deal.offer(deal.right, deal.opened)).offered
    mark = Financing(seller=S, lender=L2, offered=offered, parties_number=1, order_number=1)
    with refused("ledger.authority"):
        deal.ledger.create(mark, signed=[L2], on=ON)
    with refused("fingerprints are numbered from 1"):
        deal.ledger.create(mark.replace(parties_number=0), signed=[S, L2], on=ON)


def test_an_invoice_without_order_has_no_fingerprint_of_one(deal: Deal) -> None:
    offered = deal.ledger.get(Offer, deal.offer(deal.right, deal.opened)).offered
    mark = Financing(seller=S, lender=L, offered=offered, parties_number=1, order_number=1)
    assert [claim.family for claim in mark.claims()] == ["factoring.invoice", "factoring.parties", "factoring.order"]
    assert len(mark.replace(offered=offered.replace(order="")).claims()) == 2


def test_after_recourse_the_receivable_is_sold_again_in_a_new_round() -> None:
    deal = Deal(TERMS.replace(eligibility=TERMS.eligibility.replace(verified=True)))
    taken = deal.buy()
    recoursed(deal, taken)
    (right,) = deal.ledger.refs(Receivable)
    offered = deal.ledger.get(Offer, deal.offer(right, deal.opened)).offered
    mark = Financing(seller=S, lender=L2, offered=offered, parties_number=2, order_number=2)
    deal.ledger.create(mark, signed=[S, L2], on=RECOURSE_DAY)
    assert offered.round == 1


# funding by bank --------------------------------------------------------------------------------------------------


def advance_entry(deal: Deal, amount: str = "114870.59", **changes: Any) -> Ref[BankEntry]:
    return deal.entry(
        amount, day(10, 9), **{"payer": L, "payee": S, "end_to_end_id": "ADV-1", "creditor_account": S_ACCOUNT.digest}
        | changes,
    )  # fmt: skip


def test_the_advance_may_be_paid_by_bank_and_bears_interest_from_then(deal: Deal) -> None:
    bought = deal.buy(cash=None)
    funded = deal.ledger.exercise(bought.advance, Advance.fund, signed=[S, L], on=day(10, 9), entry=advance_entry(deal))
    advance = deal.advance(funded)
    assert (advance.status, advance.accrued_to) == (AdvanceStatus.FUNDED, day(10, 9))
    with refused("the advance was paid already"):
        deal.ledger.exercise(funded, Advance.fund, signed=[S, L], on=day(10, 9), entry=advance_entry(deal))
    assert deal.ledger.only(Payment).payee == S


@pytest.mark.parametrize(
    ("amount", "changes", "reason"),
    [
        ("114870.58", {}, "another amount was paid"),
        ("114870.59", {"payee": K}, "the entry is of money paid to someone else"),
        ("114870.59", {"payer": K}, "the entry is of money paid by someone else"),
    ],
    ids=["amount", "payee", "payer"],
)
def test_an_advance_is_shown_to_be_paid_by_an_entry_of_it(
    deal: Deal, amount: str, changes: dict[str, Any], reason: str
) -> None:
    bought = deal.buy(cash=None)
    entry = advance_entry(deal, amount, **changes)
    with refused(reason):
        deal.ledger.exercise(bought.advance, Advance.fund, signed=[S, L], on=day(10, 9), entry=entry)


# collection -------------------------------------------------------------------------------------------------------


def test_a_collection_is_applied_once(deal: Deal) -> None:
    taken = deal.collect(deal.buy(), "1000.00")
    with refused("no payment has arrived since"):
        deal.ledger.exercise(
            taken.advance, Advance.collect, signed=[S, L], on=day(11, 24), receivable=taken.receivable,
            exposure=taken.exposure,
        )  # fmt: skip


def test_nothing_is_applied_that_has_not_arrived(deal: Deal) -> None:
    taken = deal.buy()
    with refused("no payment has arrived since"):
        deal.ledger.exercise(
            taken.advance, Advance.collect, signed=[S, L], on=day(11, 24), receivable=taken.receivable,
            exposure=taken.exposure,
        )  # fmt: skip


def test_a_payment_of_another_receivable_is_not_applied(deal: Deal) -> None:
    taken = deal.buy()
    other = twin(deal, invoice=deal.ledger.active(Receivable)[0].invoice.replace(number="INV-9"))
    with refused("this is another receivable"):
        deal.ledger.exercise(
            taken.advance, Advance.collect, signed=[S, L], on=ON, receivable=other, exposure=taken.exposure
        )


def test_the_seller_confirms_how_a_collection_is_applied(deal: Deal) -> None:
    taken = deal.buy()
    paid = deal.ledger.exercise(
        taken.receivable, Receivable.pay_down, signed=[B, L], on=ON, entry=deal.entry("1000.00", ON),  # type: ignore[arg-type]  # there is one
        amount=eur("1000.00"),
    )  # fmt: skip
    with refused("ledger.confirmer"):
        deal.ledger.exercise(
            taken.advance, Advance.collect, signed=[L], on=ON, receivable=paid, exposure=taken.exposure
        )


def test_fee_and_interest_come_first_then_the_advance_then_the_reserve(deal: Deal) -> None:
    taken = deal.collect(deal.buy(), "3000.00")
    advance = deal.advance(taken.advance)
    assert (advance.fee_open, advance.interest_open) == (eur("0"), eur("106.91"))
    assert advance.principal == eur("114870.59")
    taken = deal.collect(taken, "100106.91", day(11, 24), end_to_end_id="E2E-2")
    advance = deal.advance(taken.advance)
    assert (advance.interest_open, advance.principal, advance.surplus) == (eur("0"), eur("14870.59"), eur("0"))
    assert deal.ledger.get(Exposure, taken.exposure).advanced == eur("14870.59")


def test_a_part_payment_stops_interest_on_its_part(deal: Deal) -> None:
    taken = deal.collect(deal.buy(), "50000.00", day(10, 18))
    taken = deal.collect(taken, "85141.87", day(11, 24), end_to_end_id="E2E-2")
    advance = deal.advance(taken.advance)
    first = eur("114870.59").interest(Rate(72_000), days=10, year_days=360)
    open_part = eur("114870.59") + eur("2027.13") + first - eur("50000.00")
    second_part = open_part.interest(Rate(72_000), days=37, year_days=360)
    assert advance.interest == first + second_part
    assert advance.surplus == eur("135141.87") - eur("114870.59") - eur("2027.13") - advance.interest


def test_interest_may_count_a_year_of_365_days() -> None:
    deal = limited(day_count=DayCount.ACT_365)
    advance = deal.advance(deal.collect(deal.buy()).advance)
    assert advance.interest == eur("1064.99")


# release ----------------------------------------------------------------------------------------------------------


def test_the_rebate_is_not_paid_before_the_debtor_has_paid_all() -> None:
    for rule, reason in ((ReleaseRule.WHEN_PAID, "the debtor has not paid all"), (ReleaseRule.WHEN_COVERED, None)):
        deal = limited(release=rule)
        taken = deal.collect(deal.buy(), "120000.00")
        if reason is None:
            deal.release(taken)
        else:
            with refused(reason):
                deal.release(taken)


def test_no_rebate_while_the_lender_is_owed(deal: Deal) -> None:
    with refused("the lender is still owed"):
        deal.release(deal.collect(deal.buy(), "1000.00"))


def test_no_rebate_before_anything_was_collected(deal: Deal) -> None:
    with refused("nothing was collected"):
        deal.release(deal.buy())


def test_the_rebate_is_paid_once_and_in_full(deal: Deal) -> None:
    taken = deal.collect(deal.buy())
    with refused("this cash does not cover the amount"):
        deal.ledger.exercise(
            taken.advance, Advance.release, signed=[S, L], on=ON, cash=deal.cash(L, "17164.36", ON), on_=ON
        )
    closed = deal.release(taken)
    with refused("nothing was collected"):
        deal.ledger.exercise(closed, Advance.release, signed=[S, L], on=ON, cash=deal.money(), on_=ON)


def test_the_rebate_may_be_paid_by_bank(deal: Deal) -> None:
    taken = deal.collect(deal.buy())
    wrong = advance_entry(deal, "17164.36", end_to_end_id="REB-0")
    with refused("another amount was paid"):
        deal.ledger.exercise(taken.advance, Advance.release_by_bank, signed=[S, L], on=day(11, 25), entry=wrong)
    right = advance_entry(deal, "17164.37", end_to_end_id="REB-1")
    released = deal.ledger.exercise(taken.advance, Advance.release_by_bank, signed=[S, L], on=day(11, 25), entry=right)
    assert deal.advance(released).status == AdvanceStatus.RESERVE_RELEASED


def test_a_purchase_is_closed_by_the_seller_when_all_is_paid(deal: Deal) -> None:
    taken = deal.collect(deal.buy())
    with refused("a rebate is due"):
        deal.ledger.exercise(taken.advance, Advance.close, signed=[S, L], on=ON)
    with refused("the lender is still owed"):
        other = Deal()
        other.ledger.exercise(other.collect(other.buy(), "1.00").advance, Advance.close, signed=[S, L], on=ON)


# dilution ---------------------------------------------------------------------------------------------------------


def credited(deal: Deal, taken: Taken, amount: str) -> Ref[Receivable]:
    return deal.ledger.exercise(
        taken.receivable, Receivable.reduce, signed=[S, L, B], on=ON, amount=eur(amount)  # type: ignore[arg-type]  # there is one
    )  # fmt: skip


def dilute(deal: Deal, taken: Taken, right: Ref[Receivable]) -> Advance:
    applied = deal.ledger.exercise(
        taken.advance, Advance.dilute, signed=[S, L], on=ON, receivable=right, exposure=taken.exposure, due=ON
    )
    return deal.advance(applied.advance)


def test_the_reserve_absorbs_a_credit_note(deal: Deal) -> None:
    taken = deal.buy()
    advance = dilute(deal, taken, credited(deal, taken, "20000.00"))
    assert (advance.purchased, advance.reserve) == (eur("115141.87"), eur("271.28"))
    assert advance.principal == eur("114870.59")
    assert deal.ledger.active(Obligation) == []


def test_what_exceeds_the_reserve_is_the_sellers_debt(deal: Deal) -> None:
    taken = deal.buy()
    advance = dilute(deal, taken, credited(deal, taken, "30271.28"))
    debt = deal.ledger.only(Obligation)
    assert (debt.obligor, debt.obligee, debt.face) == (S, L, eur("10000.00"))
    assert (advance.reserve, advance.principal, advance.relieved) == (eur("0"), eur("104870.59"), eur("10000.00"))
    assert deal.ledger.only(Exposure).advanced == eur("104870.59")


def test_a_credit_note_is_counted_once(deal: Deal) -> None:
    taken = deal.buy()
    right = credited(deal, taken, "1.00")
    dilute(deal, taken, right)
    (advance,) = deal.ledger.refs(Advance)
    with refused("nothing was credited since"):
        dilute(deal, taken.replace(advance=advance), right)


# disputes and interest --------------------------------------------------------------------------------------------


def dispute_all(deal: Deal, right: Ref[Receivable] | None, on: Any) -> Ref[Receivable]:
    assert right is not None
    amount = deal.ledger.get(Receivable, right).outstanding
    return deal.ledger.exercise(right, Receivable.dispute, signed=[B, L], on=on, amount=amount, on_=on)


def test_part_payment_and_a_dispute_over_the_rest_leave_the_recourse_claim(deal: Deal) -> None:
    on = day(11, 24)
    taken = deal.buy()
    due = deal.advance(taken.advance).accrued(on).owed()
    assert due == eur("117977.50")
    taken = deal.collect(taken, "100000.00")
    right = dispute_all(deal, taken.receivable, on)
    stopped = deal.ledger.exercise(
        taken.advance, Advance.stop_interest, signed=[S, L], on=on, party=S, receivable=right
    )
    later = deal.advance(stopped).accrued(RECOURSE_DAY)
    assert later.owed() == eur("17977.50")


def test_a_dispute_of_all_before_the_collection_stops_interest_too(deal: Deal) -> None:
    taken = deal.buy()
    right = dispute_all(deal, taken.receivable, day(11, 1))
    taken = deal.collect(taken.replace(receivable=right), "100000.00")
    assert deal.advance(taken.advance).stopped == day(11, 1)
    assert deal.advance(taken.advance).interest == eur("551.38")


def test_interest_runs_on_where_the_terms_say_so_or_only_a_part_is_disputed(deal: Deal) -> None:
    hard = limited(dispute_stops_interest=False)
    taken = hard.buy()
    right = dispute_all(hard, taken.receivable, ON)
    with refused("nothing stops the interest"):
        hard.ledger.exercise(taken.advance, Advance.stop_interest, signed=[S, L], on=ON, party=S, receivable=right)
    taken = deal.buy()
    right = deal.ledger.exercise(
        taken.receivable, Receivable.dispute, signed=[B, L], on=ON, amount=eur("1.00"), on_=ON  # type: ignore[arg-type]  # there is one
    )  # fmt: skip
    with refused("nothing stops the interest"):
        deal.ledger.exercise(taken.advance, Advance.stop_interest, signed=[S, L], on=ON, party=S, receivable=right)


def test_interest_resumes_when_the_dispute_is_over(deal: Deal) -> None:
    taken = deal.buy()
    right = dispute_all(deal, taken.receivable, day(10, 18))
    stopped = deal.ledger.exercise(
        taken.advance, Advance.stop_interest, signed=[S, L], on=day(10, 20), party=L, receivable=right
    )
    with refused("the dispute goes on"):
        deal.ledger.exercise(
            stopped, Advance.resume_interest, signed=[S, L], on=day(10, 28), receivable=right, on_=day(10, 28)
        )
    over = deal.ledger.exercise(right, Receivable.end_dispute, signed=[B, L], on=day(10, 28), amount=eur("135141.87"))
    resumed = deal.ledger.exercise(
        stopped, Advance.resume_interest, signed=[S, L], on=day(10, 28), receivable=over, on_=day(10, 28)
    )
    advance = deal.advance(resumed).accrued(day(11, 7))
    ten_days = eur("114870.59").interest(Rate(72_000), days=10, year_days=360)
    assert advance.interest == ten_days + ten_days


# recourse and loss ------------------------------------------------------------------------------------------------


def recoursed(deal: Deal, taken: Taken, on: Any = RECOURSE_DAY, **changes: Any) -> Any:
    arguments = {
        "receivable": taken.receivable, "exposure": taken.exposure, "cash": deal.money(S), "account": S_ACCOUNT,
        "on_": on, "signed": [S, L, B],
    } | changes  # fmt: skip
    return deal.ledger.exercise(taken.advance, Advance.recourse, on=on, **arguments)


def test_recourse_gives_the_right_back_against_what_is_owed(deal: Deal) -> None:
    taken = deal.buy()
    owed = deal.advance(taken.advance).accrued(RECOURSE_DAY).owed()
    applied = recoursed(deal, taken)
    assert deal.advance(applied.advance).status == AdvanceStatus.RECOURSED
    assert deal.ledger.only(Receivable).holder == S
    assert deal.ledger.get(Exposure, applied.exposure).advanced == eur("0")
    paid = [one.amount for one in deal.ledger.active(Cash) if one.owner == L]
    assert owed in paid


def test_recourse_does_not_wait_for_a_debtor_that_is_gone(deal: Deal) -> None:
    recoursed(deal, deal.buy(), signed=[S, L])


def test_recourse_waits_for_the_recourse_days(deal: Deal) -> None:
    with refused("contract.not-before"):
        recoursed(deal, deal.buy(), RECOURSE_DAY.plus(-1))


def test_recourse_needs_the_seller(deal: Deal) -> None:
    with refused("ledger.authority"):
        recoursed(deal, deal.buy(), signed=[L, B])


def test_no_recourse_where_it_was_not_agreed() -> None:
    deal = limited(recourse=Recourse.NONE)
    with refused("the lender bought without recourse"):
        recoursed(deal, deal.buy())


def test_limited_recourse_costs_the_seller_its_share() -> None:
    deal = limited(recourse=Recourse.LIMITED, recourse_share=Rate(500_000))
    taken = deal.buy()
    owed = deal.advance(taken.advance).accrued(RECOURSE_DAY).owed()
    recoursed(deal, taken)
    assert owed.part(1, 2) in [one.amount for one in deal.ledger.active(Cash) if one.owner == L]


def written_off(deal: Deal, taken: Taken) -> Any:
    return deal.ledger.exercise(
        taken.advance, Advance.write_off, signed=[S, L], on=RECOURSE_DAY, receivable=taken.receivable,
        exposure=taken.exposure, insolvency=Hash(bytes(32)),
    )  # fmt: skip


def test_the_lender_bears_the_debtors_insolvency_without_recourse() -> None:
    deal = limited(recourse=Recourse.NONE)
    applied = written_off(deal, deal.buy())
    advance = deal.advance(applied.advance)
    assert (advance.status, advance.owed()) == (AdvanceStatus.WRITTEN_OFF, eur("0"))
    assert advance.relieved == eur("116897.72")
    assert deal.ledger.get(Exposure, applied.exposure).advanced == eur("0")
    assert deal.ledger.only(Receivable).written_off == eur("135141.87")


def test_the_lender_does_not_bear_a_dispute() -> None:
    deal = limited(recourse=Recourse.NONE)
    taken = deal.buy()
    disputed = deal.ledger.exercise(
        taken.receivable, Receivable.dispute, signed=[B, L], on=ON, amount=eur("1.00"), on_=ON  # type: ignore[arg-type]  # there is one
    )  # fmt: skip
    with refused("a dispute is not the lender's risk"):
        written_off(deal, taken.replace(receivable=disputed))


def test_a_lender_with_recourse_does_not_write_off(deal: Deal) -> None:
    with refused("the lender has recourse"):
        written_off(deal, deal.buy())


# paid to the wrong party ------------------------------------------------------------------------------------------


def misdirected(deal: Deal, amount: str = "135141.87", **changes: Any) -> Ref[BankEntry]:
    return deal.entry(
        amount, day(11, 24), **{"payee": S, "end_to_end_id": "WRONG-1", "creditor_account": S_ACCOUNT.digest} | changes
    )  # fmt: skip


def held(deal: Deal, taken: Taken, entry: Ref[BankEntry]) -> Ref[TrustMoney]:
    return deal.ledger.exercise(taken.advance, Advance.hold_in_trust, signed=[S, L], on=day(11, 24), entry=entry)


def test_payment_to_the_seller_after_notice_is_held_in_trust_and_still_owed(deal: Deal) -> None:
    taken = deal.buy()
    entry = misdirected(deal)
    for signed in ([B, L], [B, L, S]):
        with refused("contract.require"):
            deal.ledger.exercise(
                taken.receivable, Receivable.pay_down, signed=signed, on=day(11, 24), entry=entry,  # type: ignore[arg-type]  # there is one
                amount=eur("135141.87"),
            )  # fmt: skip
    money = deal.ledger.get(TrustMoney, held(deal, taken, entry))
    assert (money.amount, money.lender) == (eur("135141.87"), L)
    assert deal.ledger.only(Receivable).outstanding == eur("135141.87")


def test_what_is_held_in_trust_is_recorded_once(deal: Deal) -> None:
    taken = deal.buy()
    held(deal, taken, misdirected(deal))
    with refused("notary.claim-taken"):
        held(deal, taken, misdirected(deal))


def test_only_money_of_the_debtor_is_held_in_trust(deal: Deal) -> None:
    taken = deal.buy()
    with refused("the money was paid by someone else"):
        held(deal, taken, misdirected(deal, payer=K))
    with refused("the money was paid to someone else"):
        held(deal, taken, deal.entry("1.00", ON))


def test_handing_trust_money_over_pays_the_debt(deal: Deal) -> None:
    taken = deal.buy()
    money = held(deal, taken, misdirected(deal))
    on = day(11, 25)
    paid = deal.ledger.exercise(
        money, TrustMoney.hand_over, signed=[S, L, B], on=on, cash=deal.money(S), receivable=taken.receivable, on_=on
    )
    assert deal.ledger.get(Receivable, paid).outstanding == eur("0")
    assert deal.ledger.active(TrustMoney) == []
    applied = deal.ledger.exercise(
        taken.advance, Advance.collect, signed=[S, L], on=on, receivable=paid, exposure=taken.exposure
    )
    assert deal.advance(applied.advance).owed() == eur("0")


# silent factoring -------------------------------------------------------------------------------------------------


@pytest.fixture
def silent() -> Deal:
    return limited(disclosed=False)


def test_in_silence_the_seller_stays_the_holder_and_the_fingerprints_are_taken(silent: Deal) -> None:
    taken = silent.buy(signed=(S, L))
    assert taken.receivable is None
    assert silent.ledger.get(Receivable, silent.right).holder == S
    assert len(silent.ledger.active(Financing)) == 1


def test_the_seller_passes_on_what_it_collected(silent: Deal) -> None:
    taken = silent.buy(signed=(S, L))
    on = day(11, 24)
    applied = silent.ledger.exercise(
        taken.advance, Advance.remit, signed=[S, L], on=on, exposure=taken.exposure, cash=silent.money(S),
        amount=eur("135141.87"), booked=on, on_=on,
    )  # fmt: skip
    assert silent.advance(applied.advance).surplus == eur("17164.37")
    assert [shown(action) for action in seen_by(silent.ledger.history[-1], B)] == []


def test_where_the_debtor_pays_the_lender_there_is_nothing_to_pass_on(deal: Deal) -> None:
    taken = deal.buy()
    with refused("the debtor pays the lender"):
        deal.ledger.exercise(
            taken.advance, Advance.remit, signed=[S, L], on=ON, exposure=taken.exposure, cash=deal.money(S),
            amount=eur("1.00"), booked=ON, on_=ON,
        )  # fmt: skip


def disclose(deal: Deal, taken: Taken, right: Ref[Receivable], *signed: Party, on: Any = ON) -> Any:
    assert taken.trust is not None
    return deal.ledger.exercise(
        taken.trust, TrustCollection.disclose, signed=signed or (S, B, L), on=on, receivable=right,
        advance=taken.advance, exposure=taken.exposure, account=L_ACCOUNT, on_=on,
    )  # fmt: skip


def test_the_lender_alone_ends_the_silence(silent: Deal) -> None:
    taken = silent.buy(signed=(S, L))
    with refused("ledger.authority"):
        disclose(silent, taken, silent.right, S, B)
    applied = disclose(silent, taken, silent.right)
    right = silent.ledger.only(Receivable)
    assert (right.holder, right.payee) == (L, L)
    assert silent.advance(applied.advance).terms.disclosed
    assert [shown(action) for action in seen_by(silent.ledger.history[-1], B)] == [
        "fetch Receivable", "Receivable.assign", "create Receivable", "Receivable.notify", "create Receivable",
        "fetch Receivable",
    ]  # fmt: skip


def test_what_the_seller_kept_becomes_its_debt_when_the_silence_ends(silent: Deal) -> None:
    taken = silent.buy(signed=(S, L))
    on = day(11, 1)
    entry = silent.entry("50000.00", on, payee=S, creditor_account=S_ACCOUNT.digest)
    right = silent.ledger.exercise(
        silent.right, Receivable.pay_down, signed=[S, B], on=on, entry=entry, amount=eur("50000.00")
    )
    applied = disclose(silent, taken, right, on=on)
    debt = silent.ledger.only(Obligation)
    assert (debt.obligor, debt.obligee, debt.face) == (S, L, eur("50000.00"))
    assert silent.advance(applied.advance).collected == eur("50000.00")
    rest = silent.collect(taken.replace(
        advance=applied.advance, exposure=applied.exposure, receivable=silent.ledger.refs(Receivable)[0]
    ), "85141.87", end_to_end_id="E2E-2")  # fmt: skip
    assert silent.advance(rest.advance).collected == eur("135141.87")


def test_the_end_of_silence_is_for_the_right_receivable(silent: Deal) -> None:
    taken = silent.buy(signed=(S, L))
    other = twin(silent, invoice=silent.ledger.get(Receivable, silent.right).invoice.replace(number="INV-9"))
    with refused("this is another receivable"):
        disclose(silent, taken, other)


def test_a_trust_is_finished_by_the_lender(silent: Deal) -> None:
    taken = silent.buy(signed=(S, L))
    assert taken.trust is not None
    silent.ledger.exercise(taken.trust, TrustCollection.finish, signed=[L], on=ON)
    assert silent.ledger.active(TrustCollection) == []


# the books --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"collected": eur("1.00")}, "what came in is what was applied"),
        ({"principal": eur("-1.00")}, "no amount of an advance is negative"),
        ({"released": eur("1.00")}, "no more is released than the rebate"),
    ],
    ids=["collected", "principal", "released"],
)
def test_books_that_do_not_add_up_are_refused(deal: Deal, changes: dict[str, Any], reason: str) -> None:
    advance = deal.advance(deal.buy().advance).replace(**changes)
    with refused(reason):
        deal.ledger.create(advance, signed=[S, L], on=ON)


def test_an_exposure_that_does_not_add_up_is_refused(deal: Deal) -> None:
    exposure = deal.ledger.get(Exposure, deal.buy().exposure).replace(advanced=Money(1, "EUR"))
    with refused("exposure is the sum over debtors"):
        deal.ledger.create(exposure, signed=[S, L], on=ON)


def test_exposure_is_not_raised_by_the_lender_or_lowered_by_the_seller_alone(deal: Deal) -> None:
    taken = deal.buy()
    add = {"facility": deal.opened.facility, "debtor": B, "amount": eur("1"), "purchased": eur("1")}
    with refused("ledger.authority"):
        deal.ledger.exercise(taken.exposure, Exposure.add, signed=[L], on=ON, **add)
    with refused("ledger.authority"):
        deal.ledger.exercise(taken.exposure, Exposure.lower, signed=[S], on=ON, debtor=B, amount=eur("1"))
    with refused("no more is repaid than advanced"):
        deal.ledger.exercise(taken.exposure, Exposure.lower, signed=[S, L], on=ON, debtor=B, amount=eur("114870.60"))


def test_the_scenarios_documents_are_the_ones_bought(deal: Deal) -> None:
    offered = deal.ledger.get(Offer, deal.offer(deal.right, deal.opened)).offered
    assert offered.gross == INV_1.totals.gross
    assert offered.outstanding == INV_1.totals.gross - CN_1.totals.gross
    assert BANK != L


# what an advance allows in each status, and where --------------------------------------------------------------------


def ready(deal: Deal, status: AdvanceStatus) -> tuple[Ref[Advance], Taken]:
    """A purchase in a status, with books that add up, and a payment on the receivable that is not counted yet."""
    taken = deal.buy()
    paid = deal.ledger.exercise(
        taken.receivable, Receivable.pay_down, signed=[B, L], on=ON, entry=deal.entry("1000.00", ON),  # type: ignore[arg-type]  # there is one
        amount=eur("1000.00"),
    )  # fmt: skip
    less = deal.ledger.exercise(paid, Receivable.reduce, signed=[S, B, L], on=ON, amount=eur("1.00"))
    advance = deal.advance(taken.advance).replace(status=status)
    return deal.ledger.create(advance, signed=[S, L], on=ON), taken.replace(receivable=less)


ENDED = [one for one in AdvanceStatus if one not in (AdvanceStatus.FUNDED, AdvanceStatus.COLLECTED)]


@pytest.mark.parametrize("status", ENDED)
@pytest.mark.parametrize(
    "name", ["collect", "stop_interest", "resume_interest", "dilute", "recourse", "write_off", "remit"]
)
def test_a_purchase_that_is_over_or_unpaid_changes_no_more(name: str, status: AdvanceStatus) -> None:
    deal = limited(recourse=Recourse.LIMITED)
    ref, taken = ready(deal, status)
    right, exposure = {"receivable": taken.receivable}, {"exposure": taken.exposure}
    arguments: dict[str, dict[str, Any]] = {
        "collect": right | exposure,
        "stop_interest": right | {"party": S},
        "resume_interest": right | {"on_": ON},
        "dilute": right | exposure | {"due": ON},
        "recourse": right | exposure | {"cash": deal.money(S), "account": S_ACCOUNT, "on_": ON},
        "write_off": right | exposure | {"insolvency": Hash(bytes(32))},
        "remit": exposure | {"cash": deal.money(S), "amount": eur("1.00"), "booked": ON, "on_": ON},
    }
    with refused("the advance's status does not allow this"):
        deal.ledger.exercise(ref, getattr(Advance, name), signed=[S, B, L], on=ON, **arguments[name])


@pytest.mark.parametrize("status", [AdvanceStatus.PURCHASED, AdvanceStatus.FUNDED, AdvanceStatus.CLOSED])
def test_only_what_was_collected_or_released_is_closed(deal: Deal, status: AdvanceStatus) -> None:
    ref, _ = ready(deal, status)
    with refused("the advance's status does not allow this"):
        deal.ledger.exercise(ref, Advance.close, signed=[S, L], on=ON)


@pytest.mark.parametrize("name", ["resume_interest", "release", "recourse"])
@pytest.mark.parametrize("days", [1, -1])
def test_a_choice_that_counts_days_is_made_on_the_day_it_says(deal: Deal, name: str, days: int) -> None:
    taken = deal.buy()
    if name == "release":
        taken = deal.collect(taken)
    if name == "resume_interest":
        right = dispute_all(deal, taken.receivable, ON)
        stopped = deal.ledger.exercise(
            taken.advance, Advance.stop_interest, signed=[S, L], on=ON, party=S, receivable=right
        )
        over = deal.ledger.exercise(right, Receivable.end_dispute, signed=[B, L], on=ON, amount=eur("135141.87"))
        taken = taken.replace(advance=stopped, receivable=over)
    arguments: dict[str, dict[str, Any]] = {
        "resume_interest": {"receivable": taken.receivable},
        "release": {"cash": deal.money()},
        "recourse": {
            "receivable": taken.receivable, "exposure": taken.exposure, "cash": deal.money(S), "account": S_ACCOUNT,
        },
    }  # fmt: skip
    with refused("contract.not-before" if days > 0 else "contract.before"):
        deal.ledger.exercise(
            taken.advance, getattr(Advance, name), signed=[S, B, L], on=RECOURSE_DAY,
            on_=RECOURSE_DAY.plus(days), **arguments[name],
        )  # fmt: skip


@pytest.mark.parametrize("days", [1, -1])
def test_silence_is_ended_and_money_passed_on_on_the_day_it_says(silent: Deal, days: int) -> None:
    taken = silent.buy(signed=(S, L))
    reason = "contract.not-before" if days > 0 else "contract.before"
    with refused(reason):
        silent.ledger.exercise(
            taken.advance, Advance.remit, signed=[S, L], on=ON, exposure=taken.exposure, cash=silent.money(S),
            amount=eur("1.00"), booked=ON.plus(-2), on_=ON.plus(days),
        )  # fmt: skip
    assert taken.trust is not None
    with refused(reason):
        silent.ledger.exercise(
            taken.trust, TrustCollection.disclose, signed=[S, B, L], on=ON, receivable=silent.right,
            advance=taken.advance, exposure=taken.exposure, account=L_ACCOUNT, on_=ON.plus(days),
        )  # fmt: skip


def test_money_that_has_not_arrived_is_not_passed_on(silent: Deal) -> None:
    taken = silent.buy(signed=(S, L))
    with refused("the money has not arrived"):
        silent.ledger.exercise(
            taken.advance, Advance.remit, signed=[S, L], on=ON, exposure=taken.exposure, cash=silent.money(S),
            amount=eur("1.00"), booked=ON.plus(1), on_=ON,
        )  # fmt: skip


def test_what_is_disclosed_is_not_disclosed_again_nor_by_another_holder(deal: Deal, silent: Deal) -> None:
    taken = deal.buy()
    arguments: dict[str, Any] = {"paid_before": eur("0.00"), "on_": ON}
    with refused("the debtor pays the lender already"):
        deal.ledger.exercise(
            taken.advance, Advance.disclosed, signed=[S, L], on=ON, receivable=taken.receivable,
            exposure=taken.exposure, **arguments,
        )  # fmt: skip
    quiet = silent.buy(signed=(S, L))
    with refused("the right is someone else's"):
        silent.ledger.exercise(
            quiet.advance, Advance.disclosed, signed=[S, L], on=ON, receivable=silent.right,
            exposure=quiet.exposure, **arguments,
        )  # fmt: skip


def test_only_seller_and_lender_stop_interest_and_only_what_stopped_resumes(deal: Deal) -> None:
    taken = deal.buy()
    right = dispute_all(deal, taken.receivable, ON)
    with refused("this is no party to the advance"):
        deal.ledger.exercise(taken.advance, Advance.stop_interest, signed=[S, L, K], on=ON, party=K, receivable=right)
    with refused("interest was not stopped"):
        deal.ledger.exercise(taken.advance, Advance.resume_interest, signed=[S, L], on=ON, receivable=right, on_=ON)


def test_where_nothing_is_owed_there_is_no_recourse_and_no_loss() -> None:
    deal = limited(recourse=Recourse.LIMITED)
    taken = deal.collect(deal.buy(), "120000.00")
    with refused("the lender is owed nothing"):
        recoursed(deal, taken)
    with refused("the lender is owed nothing"):
        written_off(deal, taken)


def test_a_collection_belongs_to_who_holds_the_right(silent: Deal) -> None:
    taken = silent.buy(signed=(S, L))
    with refused("the right is someone else's"):
        silent.ledger.exercise(
            taken.advance, Advance.collect, signed=[S, L], on=ON, receivable=silent.right, exposure=taken.exposure
        )


def test_where_the_reserve_is_used_up_exactly_there_is_no_rebate(deal: Deal) -> None:
    taken = deal.buy()
    owed = deal.advance(taken.advance).accrued(day(11, 24)).owed()
    less = credited(deal, taken, str(eur("135141.87") - owed))
    applied = deal.ledger.exercise(
        taken.advance, Advance.dilute, signed=[S, L], on=ON, receivable=less, exposure=taken.exposure, due=ON
    )
    taken = taken.replace(advance=applied.advance, exposure=applied.exposure, receivable=less)
    taken = deal.collect(taken, str(owed))
    with refused("there is no rebate"):
        deal.release(taken)
    closed = deal.ledger.exercise(taken.advance, Advance.close, signed=[S, L], on=day(11, 25))
    assert deal.advance(closed).status == AdvanceStatus.CLOSED


def test_trust_money_goes_to_the_right_receivable_on_the_day_it_says(deal: Deal) -> None:
    taken = deal.buy()
    money = held(deal, taken, misdirected(deal))
    other = twin(deal, invoice=deal.ledger.active(Receivable)[0].invoice.replace(number="INV-9"))
    back = twin(deal)
    on = day(11, 25)
    for right, day_said, reason in (
        (other, on, "this is another receivable"),
        (back, on, "the right is someone else's"),
        (taken.receivable, on.plus(1), "contract.not-before"),
        (taken.receivable, on.plus(-1), "contract.before"),
    ):
        with refused(reason):
            deal.ledger.exercise(
                money, TrustMoney.hand_over, signed=[S, L, B], on=on, cash=deal.money(S), receivable=right,
                on_=day_said,
            )  # fmt: skip


def test_there_is_something_to_hold_in_trust(deal: Deal) -> None:
    money = deal.ledger.get(TrustMoney, held(deal, deal.buy(), misdirected(deal)))
    with refused("money is more than nothing"):
        deal.ledger.create(money.replace(amount=eur("0.00"), end_to_end_id="WRONG-2"), signed=[S, L], on=ON)


def test_a_trust_counts_no_negative_payments(silent: Deal) -> None:
    taken = silent.buy(signed=(S, L))
    assert taken.trust is not None
    trust = silent.ledger.get(TrustCollection, taken.trust)
    with refused("a sum of payments is not negative"):
        silent.ledger.create(trust.replace(paid_before=eur("-1.00")), signed=[S, L], on=ON)


def test_the_silence_over_another_receivable_is_not_ended(silent: Deal) -> None:
    taken = silent.buy(signed=(S, L))
    assert taken.trust is not None
    trust = silent.ledger.get(TrustCollection, taken.trust)
    wrong = silent.ledger.create(trust.replace(invoice=trust.invoice.replace(number="INV-9")), signed=[S, L], on=ON)
    with refused("this is another receivable"):
        disclose(silent, taken.replace(trust=wrong), silent.right)


def test_nothing_outstanding_is_not_offered(deal: Deal) -> None:
    made = deal.ledger.get(Offer, deal.offer(deal.right, deal.opened))
    nothing = made.offered.replace(outstanding=eur("0.00"))
    with refused("nothing is outstanding"):
        deal.offer(deal.right, deal.opened, offered=nothing)


def test_a_seller_sells_only_what_it_holds(deal: Deal) -> None:
    moved = deal.ledger.exercise(deal.right, Receivable.assign, signed=[S, B, K], on=ON, to=K)
    offer = deal.offer(moved, deal.opened)
    with refused("the seller does not hold the right"):
        deal.buy(offer=offer, verification=deal.verify(moved))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"volume": eur("-1.00")}, "volume is not negative"),
        ({"debtors": (DebtorExposure(B, eur("0.00")),)}, "a debtor without open advance is not listed"),
    ],
    ids=["volume", "debtor"],
)
def test_a_malformed_exposure_is_refused(deal: Deal, changes: dict[str, Any], reason: str) -> None:
    exposure = deal.ledger.get(Exposure, deal.opened.exposure)
    with refused(reason):
        deal.ledger.create(exposure.replace(**changes), signed=[S, L], on=ON)


def test_exposure_changes_by_more_than_nothing(deal: Deal) -> None:
    taken = deal.buy()
    with refused("an advance is more than nothing"):
        deal.ledger.exercise(
            taken.exposure, Exposure.add, signed=[S, L], on=ON, facility=deal.opened.facility, debtor=B,
            amount=eur("0.00"), purchased=eur("1.00"),
        )  # fmt: skip
    with refused("a repayment is more than nothing"):
        deal.ledger.exercise(taken.exposure, Exposure.lower, signed=[S, L], on=ON, debtor=B, amount=eur("0.00"))
