"""Check digits of the identifiers that documents carry; each check returns the identifier in plain form or refuses."""

from __future__ import annotations

import re

from interfirm.base.errors import Refusal

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_LEI = re.compile(r"[A-Z0-9]{18}[0-9]{2}")
_ENTERPRISE = re.compile(r"(?:BE)?([01][0-9]{9})")
_MOD_97 = 97
_GTIN_DIGITS = (8, 12, 13, 14)
_GLN_DIGITS = 13


def check_iban(text: str) -> str:
    """An international bank account number without spaces; Refusal `iban.invalid` (ISO 13616, ISO 7064 mod 97-10)."""
    plain = text.replace(" ", "").upper()
    if not _IBAN.fullmatch(plain) or _mod_97(plain[4:] + plain[:4]) != 1:
        raise Refusal("iban.invalid", "this is no IBAN", text=text[:40])
    return plain


def check_lei(text: str) -> str:
    """A legal entity identifier; Refusal `lei.invalid` (ISO 17442, ISO 7064 mod 97-10)."""
    plain = text.strip().upper()
    if not _LEI.fullmatch(plain) or _mod_97(plain) != 1:
        raise Refusal("lei.invalid", "this is no legal entity identifier", text=text[:40])
    return plain


def check_belgian_enterprise(text: str) -> str:
    """A Belgian enterprise number as ten digits, also written as VAT number; Refusal `enterprise.invalid`.

    The last two digits are 97 less the rest of the first eight by 97 (Peppol rule PEPPOL-COMMON-R043, scheme 0208).
    """
    match = _ENTERPRISE.fullmatch(re.sub(r"[ .]", "", text).upper())
    if match is None or _MOD_97 - int(match[1][:8]) % _MOD_97 != int(match[1][8:]):
        raise Refusal("enterprise.invalid", "this is no Belgian enterprise number", text=text[:40])
    return match[1]


def check_gtin(text: str) -> str:
    """A global trade item number of 8, 12, 13 or 14 digits; Refusal `gtin.invalid` (GS1 General Specifications 7.9)."""
    if len(text) not in _GTIN_DIGITS or not _gs1_digit_holds(text):
        raise Refusal("gtin.invalid", "this is no global trade item number", text=text[:40])
    return text


def check_gln(text: str) -> str:
    """A global location number of 13 digits; Refusal `gln.invalid` (GS1 General Specifications 7.9)."""
    if len(text) != _GLN_DIGITS or not _gs1_digit_holds(text):
        raise Refusal("gln.invalid", "this is no global location number", text=text[:40])
    return text


def check_norwegian_organisation(text: str) -> str:
    """A Norwegian organisation number of nine digits; Refusal `organisation.invalid` (mod 11)."""
    weights = (3, 2, 7, 6, 5, 4, 3, 2, 1)
    if not re.fullmatch(r"[0-9]{9}", text) or sum(int(d) * w for d, w in zip(text, weights, strict=True)) % 11:
        raise Refusal("organisation.invalid", "this is no Norwegian organisation number", text=text[:40])
    return text


def _mod_97(text: str) -> int:
    """The rest by 97 of the number that letters and digits stand for (A is 10, Z is 35)."""
    return int("".join(str(int(character, 36)) for character in text)) % _MOD_97


def _gs1_digit_holds(text: str) -> bool:
    """Whether weights 1 and 3 in turn, from the right, sum to a multiple of ten."""
    if not re.fullmatch(r"[0-9]+", text):
        return False
    return sum(int(digit) * (1 + 2 * (place % 2)) for place, digit in enumerate(reversed(text))) % 10 == 0
