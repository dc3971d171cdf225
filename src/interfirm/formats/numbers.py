"""Numbers and days as documents write them: exact, bounded, never a float."""

from __future__ import annotations

import re
from decimal import ROUND_FLOOR, Context, Decimal, Inexact, InvalidOperation

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.time import Day

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(Z|[+-][0-9]{2}:[0-9]{2})?")
_HALF = Decimal("0.5")

EXACT = Context(prec=400, traps=[Inexact, InvalidOperation])
"""Arithmetic on numbers of documents: sums and products of what `parse_number` gives are exact, or it raises."""


def parse_number(text: str) -> Decimal:
    """The number written as an XML Schema decimal, with its decimals kept (`1.50` is not `1.5`).

    Raises Refusal `number.malformed` for another spelling (also an exponent) and for more digits than allowed.
    """
    if len(text) > LIMITS.xml_number_chars_max or not _NUMBER.fullmatch(text):
        raise Refusal("number.malformed", "this is no decimal number", text=text[:40])
    return Decimal(text)


def parse_day(text: str) -> Day:
    """The day written as an XML Schema date; a time zone is dropped. Raises Refusal `day.invalid`."""
    match = _DAY.fullmatch(text)
    return Day.parse(match[1] if match else text)


def decimals(number: Decimal) -> int:
    """How many digits stand after the point."""
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "a parsed number is finite"
    return max(0, -exponent)


def round_half_up(number: Decimal, digits: int) -> Decimal:
    """The nearest number with so many decimals, halves towards plus infinity, as `fn:round` of XPath."""
    scaled = EXACT.add(number.scaleb(digits, EXACT), _HALF)
    return scaled.to_integral_value(ROUND_FLOOR, EXACT).scaleb(-digits, EXACT)


def scaled_integer(number: Decimal, digits: int) -> int | None:
    """number x 10**digits where that is whole, else None."""
    scaled = number.scaleb(digits, EXACT)
    whole = int(scaled)
    return whole if whole == scaled else None


def number_text(number: Decimal) -> str:
    """The number as XML Schema writes a decimal, never with an exponent."""
    return format(number, "f")
