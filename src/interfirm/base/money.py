"""Money, prices, quantities and rates as integers; every rounding has a name.

Rounding is half away from zero (EN 16931 section 6.4 and its BR-CO-17 use it for amounts), done once at the end of a
formula, with integers of any size in between.
"""

from __future__ import annotations

from typing import Self

from interfirm.base.errors import Refusal
from interfirm.base.values import Wire

INTEGER_MAX = 2**63 - 1
PARTS_PER_MILLION = 1_000_000

_TWO_DIGITS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP "
    "CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES "
    "KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK "
    "NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB "
    "TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
CURRENCY_DIGITS: dict[str, int] = (
    dict.fromkeys(_TWO_DIGITS.split(), 2)
    | dict.fromkeys(_NO_DIGITS.split(), 0)
    | dict.fromkeys(_THREE_DIGITS.split(), 3)
)
"""ISO 4217 alphabetic code -> digits of its minor unit."""


def round_half_away(numerator: int, denominator: int) -> int:
    """The integer nearest to numerator / denominator (denominator > 0), halves away from zero."""
    magnitude: int = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def _check_integer(value: int) -> None:
    if not -INTEGER_MAX <= value <= INTEGER_MAX:
        raise Refusal("value.range", "a stored integer has 64 bits", bits=value.bit_length())


def _check_kind(value: object, kind: type) -> None:
    """Contract code may hand over anything; what only looks like a value could make the arithmetic run for ever."""
    if type(value) is not kind:
        raise Refusal("value.kind", "a value of another kind", expected=kind.__name__, found=type(value).__name__)


def _check_whole(*values: object) -> None:
    for value in values:
        if type(value) is not int:
            raise Refusal("value.kind", "a whole number is expected", found=type(value).__name__)


class Money(Wire, frozen=True):
    """An amount in minor units (cents for EUR) of an ISO 4217 currency."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in CURRENCY_DIGITS:
            raise Refusal("money.currency", "this is no ISO 4217 currency", currency=self.currency[:8])
        _check_integer(self.minor)

    def _same(self, other: Money) -> None:
        _check_kind(other, Money)
        if self.currency != other.currency:
            raise Refusal("money.mixed", "amounts of two currencies", one=self.currency, other=other.currency)

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.minor <= other.minor

    def __gt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor > other.minor

    def __ge__(self, other: Money) -> bool:
        self._same(other)
        return self.minor >= other.minor

    def zero(self) -> Money:
        """Nothing, in the same currency."""
        return Money(0, self.currency)

    def part(self, numerator: int, denominator: int) -> Money:
        """This amount times numerator / denominator, rounded half away from zero."""
        _check_whole(numerator, denominator)
        if denominator <= 0:
            raise Refusal("money.denominator", "a denominator is positive", denominator=denominator)
        return Money(round_half_away(self.minor * numerator, denominator), self.currency)

    def share(self, rate: Rate) -> Money:
        """This amount times a rate, rounded half away from zero."""
        _check_kind(rate, Rate)
        return self.part(rate.parts_per_million, PARTS_PER_MILLION)

    def interest(self, rate: Rate, *, days: int, year_days: int) -> Money:
        """Simple interest for `days` at a yearly rate on a year of `year_days` (360 or 365), rounded once."""
        _check_kind(rate, Rate)
        _check_whole(days, year_days)
        if days < 0 or year_days <= 0:
            raise Refusal("money.days", "days are counted forward", days=days, year_days=year_days)
        return self.part(rate.parts_per_million * days, PARTS_PER_MILLION * year_days)

    def __str__(self) -> str:
        return decimal_text(self.minor, CURRENCY_DIGITS[self.currency])


def decimal_text(value: int, scale: int) -> str:
    """`value` x 10**-scale as a decimal string: decimal_text(13612500, 2) == "136125.00"."""
    sign = "-" if value < 0 else ""
    digits = str(abs(value)).rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else sign + digits


class Rate(Wire, frozen=True, order=True):
    """A ratio in parts per million: 85 % is Rate(850000)."""

    parts_per_million: int

    def __post_init__(self) -> None:
        _check_integer(self.parts_per_million)


class Quantity(Wire, frozen=True):
    """value x 10**-scale units of a UN/ECE Recommendation 20 code."""

    value: int
    scale: int
    unit: str

    def __post_init__(self) -> None:
        _check_integer(self.value)
        if not 0 <= self.scale <= 9 or not 1 <= len(self.unit) <= 3:
            raise Refusal(
                "quantity.shape", "scale is 0..9, unit a code of 2 or 3", scale=self.scale, unit=self.unit[:8]
            )

    def compare(self, other: Quantity) -> int:
        """-1, 0 or 1 as this quantity is less than, equal to or more than another of the same unit."""
        _check_kind(other, Quantity)
        if self.unit != other.unit:
            raise Refusal("quantity.mixed", "quantities of two units", one=self.unit, other=other.unit)
        mine: int = self.value * 10**other.scale
        theirs: int = other.value * 10**self.scale
        return (mine > theirs) - (mine < theirs)


class UnitPrice(Wire, frozen=True):
    """value x 10**-scale of a currency for one unit; finer than the minor unit (0.00880 exists in real invoices)."""

    value: int
    scale: int
    currency: str

    def __post_init__(self) -> None:
        _check_integer(self.value)
        if not 0 <= self.scale <= 9 or self.currency not in CURRENCY_DIGITS:
            raise Refusal(
                "price.shape", "scale is 0..9, currency ISO 4217", scale=self.scale, currency=self.currency[:8]
            )

    def total(self, quantity: Quantity, *, base_quantity: int = 1) -> Money:
        """Price x quantity / base quantity as money, rounded half away from zero."""
        _check_kind(quantity, Quantity)
        _check_whole(base_quantity)
        if base_quantity <= 0:
            raise Refusal("price.base", "a base quantity is positive", base_quantity=base_quantity)
        digits = CURRENCY_DIGITS[self.currency]
        numerator = self.value * quantity.value * 10**digits
        return Money(
            round_half_away(numerator, int(10 ** (self.scale + quantity.scale)) * base_quantity), self.currency
        )

    @classmethod
    def of(cls, amount: Money) -> Self:
        """A whole amount as the price of one unit."""
        return cls(amount.minor, CURRENCY_DIGITS[amount.currency], amount.currency)
