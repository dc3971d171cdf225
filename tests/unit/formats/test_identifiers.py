"""Check digits hold for real identifiers, and break with any digit changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfirm.base.errors import Refusal
from interfirm.formats.identifiers import (
    check_belgian_enterprise,
    check_gln,
    check_gtin,
    check_iban,
    check_lei,
    check_norwegian_organisation,
)

KNOWN: list[tuple[Callable[[str], str], str, str]] = [
    (check_iban, "iban.invalid", "BE68539007547034"),
    (check_iban, "iban.invalid", "GB82WEST12345698765432"),
    (check_lei, "lei.invalid", "529900T8BM49AURSDO55"),
    (check_belgian_enterprise, "enterprise.invalid", "0987654394"),
    (check_belgian_enterprise, "enterprise.invalid", "0812345603"),
    (check_belgian_enterprise, "enterprise.invalid", "0765432146"),
    (check_gln, "gln.invalid", "7300010000001"),
    (check_gtin, "gtin.invalid", "4006381333931"),
    (check_gtin, "gtin.invalid", "96385074"),
    (check_norwegian_organisation, "organisation.invalid", "923609016"),
]


@pytest.mark.parametrize(("check", "code", "known"), KNOWN)
def test_a_valid_identifier_is_returned(check: Callable[[str], str], code: str, known: str) -> None:
    assert check(known) == known


@pytest.mark.parametrize(("check", "code", "known"), KNOWN)
def test_any_changed_digit_is_refused(check: Callable[[str], str], code: str, known: str) -> None:
    for place, character in enumerate(known):
        if character.isdigit():
            changed = known[:place] + str((int(character) + 1) % 10) + known[place + 1 :]
            with pytest.raises(Refusal) as refusal:
                check(changed)
            assert refusal.value.code == code


@pytest.mark.parametrize(("check", "code", "known"), KNOWN)
@pytest.mark.parametrize("change", [lambda known: known[:-1], lambda known: known + "0", lambda _: "", lambda _: "Ω"])
def test_another_length_or_alphabet_is_refused(
    check: Callable[[str], str], code: str, known: str, change: Callable[[str], str]
) -> None:
    with pytest.raises(Refusal) as refusal:
        check(change(known))
    assert refusal.value.code == code


def test_spaces_and_prefixes_of_people_are_read() -> None:
    assert check_iban("be68 5390 0754 7034") == "BE68539007547034"
    assert check_belgian_enterprise("BE 0987.654.394") == "0987654394"


@given(st.text(max_size=40))
def test_any_text_is_checked_or_refused(text: str) -> None:
    for check, code, _ in KNOWN:
        try:
            assert check(text)
        except Refusal as refusal:
            if refusal.code != code:
                raise
