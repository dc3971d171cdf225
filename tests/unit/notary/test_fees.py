"""Fees and deposits: who pays what when, where it goes, and that not one unit is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.ledger.signing import WITHDRAWAL
from interfirm.notary.evidence.types import Misconduct
from interfirm.notary.fees import machine as fees
from interfirm.notary.governance.parameters import CHARGED, parameters_of
from interfirm.notary.governance.types import Credit, Deposit, PayOut, Setting
from interfirm.notary.state import FEES, Overlay
from interfirm.notary.types import Ask, Request, Subscribe, Withdraw
from interfirm.notary.validators.machine import address_of, members_of

from .councils import KEYS, VOTERS, Council
from .notaries import A, B, Ledger, Notary, create, lock_request, made

REQUESTER, FIRST_SIGNER = 1, 2


def charging(payer: int = REQUESTER, **prices: int) -> Council:
    """A notary at which notarising costs 10, and both organisations have paid in 25."""
    values = {"fee_notarise_units": 10, "fee_payer": payer, "epoch_heights": 20, **prices}
    council = Council(
        settings=tuple(Setting(name=name, value=value) for name, value in values.items()),
        deposits=tuple(Deposit(organisation=org.id, units=25) for org in (A, B)),
    )  # fmt: skip
    for org in (A, B):
        council.done(org.registration(council.id))
    return council


def totals(council: Council) -> fees.Totals:
    return fees.totals_of(council)


def test_whoever_asks_pays_the_fee() -> None:
    council = charging()
    council.done(Ledger(council.id).request(create(0, A)), B.id)
    assert (council.balance(A), council.balance(B), totals(council).pot) == (25, 15, 10)


def test_the_first_listed_signer_pays_where_the_voters_want_it() -> None:
    council = charging(FIRST_SIGNER)
    request = Ledger(council.id).request(create(0, A))
    council.done(request, B.id)
    assert (council.balance(A), council.balance(B)) == (15, 25)


def test_the_same_request_again_costs_nothing() -> None:
    council = charging()
    request = Ledger(council.id).request(create(0, A))
    council.done(request)
    council.done(request)
    assert council.balance(A) == 15


def test_without_the_fee_in_the_account_nothing_happens() -> None:
    council = charging()
    ledger = Ledger(council.id)
    for _ in range(2):
        council.done(ledger.request(create(0, A)))
    assert council.refused(ledger.request(create(0, A))).code == "fee.unpaid"
    assert council.balance(A) == 5


def test_a_refused_request_costs_nothing() -> None:
    council = charging()
    assert council.refused(Ledger(digest("other")).request(create(0, A))).code == "notary.other-notary"
    assert council.balance(A) == 25


def test_a_refused_request_costs_its_requester_something_where_the_voters_want_it() -> None:
    council = charging(FIRST_SIGNER, fee_refused_units=20)
    wrong = Ledger(digest("other")).request(create(0, A))
    for left in (5, 0, 0):
        council.ask(wrong, B.id)
        assert council.balance(B) == left
    assert (council.balance(A), totals(council).pot) == (25, 25)


def test_what_decides_about_the_notary_is_free() -> None:
    council = charging(**{f"fee_{kind}_units": 1 for kind in CHARGED})
    before = fees.account_of(A.id, council)
    council.proposed(Credit(organisation=A.id, units=1))
    assert fees.account_of(A.id, council) == before


def test_questions_can_cost_something() -> None:
    council = charging(fee_ask_units=2)
    council.ask(Ask(kind="accepted", subject=digest("x")), A.id)
    assert fees.account_of(A.id, council) == 23


def test_every_kind_of_request_has_its_own_price() -> None:
    tags = {kind.__struct_config__.tag for kind in Request.__args__}
    assert set(CHARGED) | {"propose", "vote", "retract", "accuse", "set-time"} == tags


def test_a_lock_and_a_withdrawal_are_paid_by_who_signed_them() -> None:
    council = charging(
        FIRST_SIGNER, fee_notarise_units=1, fee_lock_units=5, fee_withdraw_units=3, fee_subscribe_units=2
    )
    ledger = Ledger(council.id)
    ref = made(council, ledger, A)
    until, elsewhere = council.now.plus_ms(1000), Notary("elsewhere", words=council.words)
    council.done(lock_request(council, ledger, ref, A, to=elsewhere.id, until=until), B.id)
    assert council.balance(A) == 19
    name = digest("a transaction")
    council.done(Withdraw(transaction=name, signature=A.sign(name, WITHDRAWAL)), B.id)
    assert council.balance(A) == 16
    council.done(Subscribe(kind="claim", subject=digest("claim")), B.id)
    assert council.balance(B) == 23


def test_an_epochs_fees_go_to_the_validators_by_power_and_a_part_is_burned() -> None:
    council = charging(fee_burned_ppm=500_000, fee_notarise_units=22)
    council.done(Ledger(council.id).request(create(0, A)))
    council.pass_to(21)
    found = totals(council)
    assert (found.burned, found.pot) == (11, 3)
    assert [council.balance(org) for org in VOTERS[:4]] == [3 + 2, 25 + 2, 2, 2]


def test_the_fees_of_a_notary_without_validators_are_its_own() -> None:
    found = Overlay(Notary())
    fees.put(A.id, 10, found)
    parameters = parameters_of({"fee_payer": 1, "fee_ask_units": 10})
    fees.charge(Ask(kind="accepted", subject=b""), A.id, parameters, found)
    fees.distribute([(B.id, 1)], 0, found)
    assert fees.account_of(B.id, found) == 10


def test_accounts_are_filled_and_emptied_by_votes() -> None:
    council = charging()
    council.applied(Credit(organisation=A.id, units=75))
    assert council.balance(A) == 100
    assert council.refused(council.proposal(PayOut(organisation=A.id, units=101))).code == "fee.unpaid"
    council.applied(PayOut(organisation=A.id, units=60))
    assert (council.balance(A), totals(council).paid_out) == (40, 60)


def test_more_than_can_be_counted_is_not_paid_in() -> None:
    state = Overlay(Notary())
    state.put(FEES, fees.TOTALS, codec.encode(fees.Totals(issued=fees.ISSUED_MAX)))
    with pytest.raises(Refusal) as refusal:
        fees.credit(A.id, 1, state)
    assert refusal.value.code == "fee.issued"


@settings(max_examples=60, deadline=None)
@given(
    deposits=st.lists(st.integers(0, 1000), min_size=5, max_size=5),
    payments=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 400)), max_size=12),
    powers=st.lists(st.integers(1, 2**40), min_size=1, max_size=7),
    burned_ppm=st.integers(0, 1_000_000),
)
def test_no_unit_is_lost_or_made(
    deposits: list[int], payments: list[tuple[int, int]], powers: list[int], burned_ppm: int
) -> None:
    state = Overlay(Notary())
    orgs = [digest("org", n) for n in range(7)]
    for org, units in zip(orgs, deposits, strict=False):
        fees.credit(org, units, state)
    for place, units in payments:
        parameters = parameters_of({"fee_payer": 1, "fee_refused_units": units})
        fees.charge_refused(Ask(kind="accepted", subject=b""), orgs[place], parameters, state)
    fees.distribute(list(zip(orgs, powers, strict=False)), burned_ppm, state)
    found = fees.totals_of(state)
    assert found.pot < len(powers)
    assert found.issued == found.burned + found.paid_out + found.pot + sum(fees.account_of(org, state) for org in orgs)


def test_not_even_misconduct_loses_a_unit() -> None:
    council = Council(
        settings=(Setting(name="bond_units_min", value=7),),
        deposits=tuple(Deposit(organisation=each.id, units=9) for each in VOTERS),
    )  # fmt: skip
    council.misconduct = (Misconduct(address=address_of(KEYS[0]), kind="duplicate-vote", height=1),)
    council.block()
    council.misconduct = ()
    found, bonds = totals(council), sum(each.bond for each in members_of(council))
    accounts = sum(council.balance(org) for org in VOTERS)
    assert (found.issued, found.burned) == (45, 7)
    assert found.issued == found.burned + found.paid_out + found.pot + accounts + bonds
