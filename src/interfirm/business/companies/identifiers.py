"""Check digits of the identifiers that firms go by."""

from __future__ import annotations

from interfirm.contracts.language import require

VALUES = {c: i for i, c in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
"""A letter counts 10 (A) to 35 (Z), as ISO 7064 has it."""


def digits(text: str, what: str) -> list[int]:
    """The digits of a text of digits."""
    for c in text:
        require(c in VALUES and VALUES[c] < 10, "only digits are allowed", what=what, text=text)
    return [VALUES[c] for c in text]


def remainder_97(text: str, what: str) -> int:
    """The number that a text of digits and capital letters spells, modulo 97 (ISO 7064 MOD 97-10)."""
    rest = 0
    for c in text:
        require(c in VALUES, "only digits and capital letters are allowed", what=what, text=text)
        value = VALUES[c]
        rest = (rest * (10 if value < 10 else 100) + value) % 97
    return rest


def require_lei(text: str) -> None:
    """Refuse what is no Legal Entity Identifier (ISO 17442)."""
    require(len(text) == 20 and remainder_97(text, "LEI") == 1, "this is no LEI", lei=text)


def require_iban(text: str) -> None:
    """Refuse what is no IBAN in electronic form (ISO 13616)."""
    require(len(text) >= 15 and len(text) <= 34, "an IBAN has 15 to 34 characters", iban=text)
    require(remainder_97(text[4:] + text[:4], "IBAN") == 1, "the IBAN's check digits are wrong", iban=text)


def require_gln(text: str) -> None:
    """Refuse what is no Global Location Number (GS1 General Specifications 7.9)."""
    require(len(text) == 13, "a GLN has 13 digits", gln=text)
    weighted = 0
    for place, digit in enumerate(digits(text, "GLN")):
        weighted = weighted + digit * (3 if place % 2 else 1)
    require(weighted % 10 == 0, "the GLN's check digit is wrong", gln=text)


def require_enterprise_number(text: str) -> None:
    """Refuse what is no Belgian enterprise number (10 digits, modulo 97)."""
    require(len(text) == 10, "an enterprise number has 10 digits", number=text)
    number = 0
    for digit in digits(text, "enterprise number"):
        number = number * 10 + digit
    require(97 - number // 100 % 97 == number % 100, "the enterprise number's check digits are wrong", number=text)
