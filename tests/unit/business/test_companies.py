"""Companies: identifiers with their check digits, a registrar's word, accounts that change slowly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.unit.business.ledger import Ledger, party, refused
from tests.unit.business.scenario import HALDEN, NORDMARK, S_ACCOUNT, B, S, day, iban

from interfirm.business.companies.accounts import account_of
from interfirm.business.companies.contract import AccountStatus, BankAccount, Company, CompanyStatus, require_firm
from interfirm.business.companies.identifiers import (
    require_enterprise_number,
    require_gln,
    require_iban,
    require_lei,
)
from interfirm.contracts.language import Hash, Ref

REGISTRAR = party("registrar")
ON = day(8, 1)


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (require_lei, "5493001KJTIIGC8Y1R12"),
        (require_iban, "DE89370400440532013000"),
        (require_iban, "GB82WEST12345698765432"),
        (require_gln, "4006381333931"),
        (require_enterprise_number, "0987654394"),
        (require_enterprise_number, "0812345603"),
        (require_enterprise_number, "0765432146"),
    ],
)
def test_a_valid_identifier_passes_and_with_one_digit_changed_is_refused(
    check: Callable[[str], None], text: str
) -> None:
    check(text)
    for place, character in enumerate(text):
        if character.isdigit():
            wrong = text[:place] + str((int(character) + 1) % 10) + text[place + 1 :]
            with refused("contract.require"):
                check(wrong)


def test_an_account_is_named_by_the_hash_of_its_number() -> None:
    spaced = account_of("de89 3704 0044 0532 0130 00")
    assert spaced.iban == "DE89370400440532013000"
    assert spaced.digest == account_of(spaced.iban).digest
    assert spaced.digest != account_of(iban("DE", "370400440532013001")).digest


def company(ledger: Ledger, firm: object = S) -> Ref[Company]:
    facts = NORDMARK if firm == S else HALDEN
    applied = Company(firm=firm, registrar=REGISTRAR, facts=facts)  # type: ignore[arg-type]  # a party
    return ledger.create(applied, signed=[firm], on=ON)  # type: ignore[list-item, no-any-return]  # a party


def active(ledger: Ledger) -> Ref[Company]:
    verified = ledger.exercise(company(ledger), Company.verify, signed=[S, REGISTRAR], on=ON)
    return ledger.exercise(verified, Company.activate, signed=[S, REGISTRAR], on=ON)


def test_a_company_goes_from_application_to_leaving() -> None:
    ledger = Ledger()
    suspended = ledger.exercise(active(ledger), Company.suspend, signed=[S, REGISTRAR], on=ON)
    again = ledger.exercise(suspended, Company.activate, signed=[S, REGISTRAR], on=ON)
    left = ledger.exercise(again, Company.leave, signed=[S, REGISTRAR], on=ON)
    assert ledger.get(Company, left).status == CompanyStatus.LEFT


def test_a_firm_does_not_verify_itself() -> None:
    ledger = Ledger()
    with refused("ledger.authority"):
        ledger.exercise(company(ledger), Company.verify, signed=[S], on=ON)


def test_an_applicant_is_not_active_before_it_is_verified() -> None:
    ledger = Ledger()
    with refused("the company's status does not allow this"):
        ledger.exercise(company(ledger), Company.activate, signed=[S, REGISTRAR], on=ON)


def test_a_tax_number_is_verified_once() -> None:
    ledger = Ledger()
    active(ledger)
    with refused("notary.claim-taken"):
        active(ledger)


def test_facts_are_corrected_but_not_the_tax_number() -> None:
    ledger = Ledger()
    ref = active(ledger)
    facts = NORDMARK.replace(name="Nordmark NV")
    ref = ledger.exercise(ref, Company.correct, signed=[S, REGISTRAR], on=ON, facts=facts)
    assert ledger.get(Company, ref).facts.name == "Nordmark NV"
    with refused("the tax number stays"):
        ledger.exercise(ref, Company.correct, signed=[S, REGISTRAR], on=ON, facts=HALDEN)


def test_facts_are_corrected_of_an_active_company_only() -> None:
    ledger = Ledger()
    with refused("the company's status does not allow this"):
        ledger.exercise(company(ledger), Company.correct, signed=[S, REGISTRAR], on=ON, facts=NORDMARK)


def test_wrong_check_digits_keep_a_company_out() -> None:
    wrong = NORDMARK.replace(registration="0987654395")
    with refused("the enterprise number's check digits are wrong"):
        Ledger().create(Company(firm=S, registrar=REGISTRAR, facts=wrong), signed=[S], on=ON)


def announced(ledger: Ledger) -> Ref[BankAccount]:
    account = BankAccount(firm=S, payer=B, account=S_ACCOUNT, announced=day(8, 3))
    return ledger.create(account, signed=[S], on=day(8, 3))  # type: ignore[no-any-return]


def test_an_account_is_confirmed_after_the_cooling_off_time_with_a_second_approval() -> None:
    ledger = Ledger()
    confirmed = ledger.exercise(
        announced(ledger), BankAccount.confirm, signed=[S, B], on=day(8, 6), approval=Hash(bytes(32))
    )
    assert ledger.get(BankAccount, confirmed).status == AccountStatus.CONFIRMED


def test_an_account_is_not_confirmed_on_the_day_it_changes() -> None:
    ledger = Ledger()
    with refused("contract.not-before"):
        ledger.exercise(announced(ledger), BankAccount.confirm, signed=[S, B], on=day(8, 5), approval=Hash(bytes(32)))


def test_a_firm_cannot_confirm_its_own_account_for_the_payer() -> None:
    ledger = Ledger()
    with refused("ledger.authority"):
        ledger.exercise(announced(ledger), BankAccount.confirm, signed=[S], on=day(8, 6), approval=Hash(bytes(32)))


def test_a_confirmed_account_shows_its_approval() -> None:
    account = BankAccount(firm=S, payer=B, account=S_ACCOUNT, announced=ON, status=AccountStatus.CONFIRMED)
    with refused("confirming shows a second approver's evidence"):
        Ledger().create(account, signed=[S, B], on=ON)


def test_an_account_is_withdrawn_once() -> None:
    ledger = Ledger()
    ref = ledger.exercise(announced(ledger), BankAccount.withdraw, signed=[S], on=ON)
    with refused("the account is withdrawn already"):
        ledger.exercise(ref, BankAccount.withdraw, signed=[S], on=ON)
    with refused("the account is not pending"):
        ledger.exercise(ref, BankAccount.confirm, signed=[S, B], on=day(8, 6), approval=Hash(bytes(32)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lei": "5493001KJTIIGC8Y1R13"}, "this is no LEI"),
        ({"gln": "4006381333932"}, "the GLN's check digit is wrong"),
        ({"name": ""}, "a firm has a name and a tax number"),
        ({"tax_id": ""}, "a firm has a name and a tax number"),
    ],
    ids=["lei", "gln", "name", "tax number"],
)
def test_a_firm_goes_by_valid_identifiers(changes: dict[str, str], reason: str) -> None:
    foreign = NORDMARK.replace(registration_scheme="0060", lei="5493001KJTIIGC8Y1R12", gln="4006381333931")
    require_firm(foreign)
    with refused(reason):
        require_firm(foreign.replace(**changes))


def test_a_firm_is_neither_its_own_registrar_nor_its_own_payer() -> None:
    with refused("a firm does not vouch for itself"):
        Ledger().create(Company(firm=S, registrar=S, facts=NORDMARK), signed=[S], on=ON)
    account = BankAccount(firm=S, payer=S, account=S_ACCOUNT, announced=ON)
    with refused("firm and payer differ"):
        Ledger().create(account, signed=[S], on=ON)
    with refused("days are counted forward"):
        Ledger().create(account.replace(payer=B, cool_off_days=-1), signed=[S], on=ON)


def test_an_announced_account_has_right_check_digits() -> None:
    wrong = S_ACCOUNT.replace(iban=S_ACCOUNT.iban[:-1] + str((int(S_ACCOUNT.iban[-1]) + 1) % 10))
    with refused("the IBAN's check digits are wrong"):
        Ledger().create(BankAccount(firm=S, payer=B, account=wrong, announced=ON), signed=[S], on=ON)


@pytest.mark.parametrize(
    ("check", "text", "reason"),
    [
        (require_iban, "DE893704004405", "an IBAN has 15 to 34 characters"),
        (require_iban, "de89370400440532013000", "only digits and capital letters are allowed"),
        (require_gln, "400638133393", "a GLN has 13 digits"),
        (require_gln, "400638133393X", "only digits are allowed"),
        (require_enterprise_number, "987654394", "an enterprise number has 10 digits"),
    ],
)
def test_a_misspelt_identifier_is_refused(check: Callable[[str], None], text: str, reason: str) -> None:
    with refused(reason):
        check(text)
