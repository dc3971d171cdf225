"""The VAT categories: one table for BR-S, BR-Z, BR-E, BR-AE, BR-IC, BR-G, BR-O, BR-AF (IGIC) and BR-AG (IPSI).

Every category has the same ten questions, numbered alike: is it in the breakdown (01), are the parties identified for
lines, allowances and charges (02, 03, 04), which rates may these have (05, 06, 07), what is taxable (08), how much is
the tax (09), is there a reason for exemption (10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from interfirm.base.values import Value
from interfirm.formats.en16931.model import Party, TaxCategory
from interfirm.formats.en16931.places import ZERO, View, at, number
from interfirm.formats.en16931.rule import Rule, filled
from interfirm.formats.en16931.rules.sums import close_to_rate

Test = Callable[[Any, View], bool]


class Category(Value, frozen=True):
    """How the rules of one VAT category answer the ten questions."""

    rules: str
    """The beginning of its rule ids."""
    code: str
    """UNTDID 5305."""
    name: str
    groups: Literal["one", "some"] = "one"
    """01: how many groups of the breakdown it has when it is used."""
    seller: Literal["any tax number", "VAT number", "no VAT number"] = "any tax number"
    """02 to 04: what identifies the seller or its tax representative."""
    buyer: Literal["", "VAT number", "VAT or legal number", "no VAT number"] = ""
    rate: Literal["positive", "not negative", "zero", "absent"] = "zero"
    """05 to 07."""
    taxable: Literal["by category", "by rate"] = "by category"
    """08: exactly the sum of the category, or within one of the sum of the category and rate."""
    tax: Literal["nothing", "by rate"] = "nothing"
    """09."""
    exemption: Literal["required", "forbidden"] = "required"
    """10."""


_TAXED: dict[str, Any] = {"groups": "some", "taxable": "by rate", "tax": "by rate", "exemption": "forbidden"}
CATEGORIES: tuple[Category, ...] = (
    Category("BR-S", "S", "standard rate", rate="positive", **_TAXED),
    Category("BR-Z", "Z", "zero rate", exemption="forbidden"),
    Category("BR-E", "E", "exempt"),
    Category("BR-AE", "AE", "reverse charge", buyer="VAT or legal number"),
    Category("BR-IC", "K", "intra-community supply", seller="VAT number", buyer="VAT number"),
    Category("BR-G", "G", "export", seller="VAT number"),
    Category("BR-O", "O", "outside VAT", seller="no VAT number", buyer="no VAT number", rate="absent"),
    Category("BR-AF", "L", "IGIC (Canary Islands)", rate="not negative", **_TAXED),
    Category("BR-AG", "M", "IPSI (Ceuta, Melilla)", rate="not negative", **_TAXED),
)
_USED_IN = (
    # number of the rule about parties, of the rule about rates, context, rate's term
    (2, 5, "line_categories", "BT-152"),
    (3, 6, "allowance_categories", "BT-96"),
    (4, 7, "charge_categories", "BT-103"),
)


def _counts(category: Category, held: TaxCategory) -> bool:
    """Whether a tax category is this one; the published rules look for S also outside the scheme VAT."""
    return held.code == category.code and (held.is_vat or category.code == "S")


def _used(view: View, context: str, code: str) -> bool:
    return any(held.code == code and held.is_vat for held in view.values(context))


def _in_breakdown(category: Category) -> Test:
    def holds(_document: Any, view: View) -> bool:
        groups = sum(_counts(category, held) for held in view.values("breakdown_categories"))
        contexts = ("line_categories", "adjustment_categories")
        used = any(_counts(category, held) for context in contexts for held in view.values(context))
        if category.groups == "one":
            return groups == 1 or (groups == 0 and not used)
        return (groups > 0) == used

    return holds


def _parties_are_identified(category: Category, context: str) -> Test:
    if category.code == "O" and context != "line_categories":
        context = f"document_{context}"

    def holds(_document: Any, view: View) -> bool:
        if not _used(view, context, category.code):
            return context != "line_categories" or not any(_counts(category, held) for held in view.values(context))
        return _seller_is_identified(category, view) and _buyer_is_identified(category, view.invoice.buyer)

    return holds


def _seller_is_identified(category: Category, view: View) -> bool:
    seller, representative = view.invoice.seller, view.invoice.tax_representative
    has_vat = _has_vat(seller) or _has_vat(representative)
    match category.seller:
        case "any tax number":
            return has_vat or (seller is not None and seller.has_tax_id)
        case "VAT number":
            return has_vat
        case "no VAT number":
            return not has_vat


def _buyer_is_identified(category: Category, buyer: Party | None) -> bool:
    match category.buyer:
        case "":
            return True
        case "VAT number":
            return _has_vat(buyer)
        case "VAT or legal number":
            return _has_vat(buyer) or (buyer is not None and buyer.legal_id is not None)
        case "no VAT number":
            return not _has_vat(buyer)


def _has_vat(party: Party | None) -> bool:
    return party is not None and party.vat_id is not None


def _of_category(category: Category, test: Callable[[TaxCategory, View], bool]) -> Test:
    """A test that concerns only VAT of one category."""
    return lambda held, view: held.code != category.code or not held.is_vat or test(held, view)


def _rate_is_allowed(category: Category) -> Test:
    def holds(held: TaxCategory, _view: View) -> bool:
        match category.rate:
            case "positive":
                return held.rate is not None and held.rate > 0
            case "not negative":
                return held.rate is not None and held.rate >= 0
            case "zero":
                return held.rate == 0
            case "absent":
                return held.rate is None

    return _of_category(category, holds)


def _of_group(category: Category, test: Test) -> Test:
    """A test of the groups of the breakdown that are of one category."""

    def holds(group: Any, view: View) -> bool:
        held = group.category
        return held is None or held.code != category.code or not held.is_vat or test(group, view)

    return holds


def _taxable_is_the_sum(category: Category) -> Test:
    def by_category(group: Any, view: View) -> bool:
        sums = view.net_by_category
        return bool(view.invoice.lines) and number(group.taxable_amount) == sum(
            (held for (code, _rate), held in sums.items() if code == category.code), ZERO
        )

    def by_rate(group: Any, view: View) -> bool:
        rate, taxable = group.category.rate, number(group.taxable_amount)
        if rate is None:
            return True
        if not view.invoice.lines or taxable is None:
            return False
        expected = view.net_by_category.get((category.code, rate))
        if expected is None and category.code == "S":
            return False
        return abs(taxable - (expected or ZERO)) < 1

    return _of_group(category, by_rate if category.taxable == "by rate" else by_category)


def _tax_is_right(category: Category) -> Test:
    def holds(group: Any, _view: View) -> bool:
        if category.tax == "nothing":
            return number(group.tax_amount) == 0
        return close_to_rate(number(group.taxable_amount), number(group.tax_amount), group.category.rate)

    return _of_group(category, holds)


def _exemption_is_told(category: Category) -> Test:
    def holds(group: Any, _view: View) -> bool:
        held = group.category
        told = held.exemption_reason is not None or held.exemption_code is not None
        return told if category.exemption == "required" else not told

    return _of_group(category, holds)


def _category_rules(category: Category) -> Iterator[Rule]:
    def rule(number_: int, context: str, holds: Test, message: str, *terms: tuple[str, str]) -> Rule:
        return Rule(
            f"{category.rules}-{number_:02}", context, holds, f"{category.name} ({category.code}): {message}", terms
        )

    yield rule(1, "document", _in_breakdown(category), "what is used is in the VAT breakdown (BG-23), and the reverse")
    parties = f"seller or tax representative has {category.seller}"
    if category.buyer:
        parties += f", buyer has {category.buyer}"
    for about_parties, about_rate, context, term in _USED_IN:
        yield rule(about_parties, "document", _parties_are_identified(category, context), parties)
        rate_message = f"the rate ({term}) is {category.rate}"
        yield rule(about_rate, context, _rate_is_allowed(category), rate_message, (term, "rate"))
    taxable, tax = ("BT-116", "taxable_amount"), ("BT-117", "tax_amount")
    yield rule(
        8, "breakdown", _taxable_is_the_sum(category), "BT-116 is what lines, charges and allowances sum to", taxable
    )
    yield rule(9, "breakdown", _tax_is_right(category), f"the tax amount (BT-117) is {category.tax}", tax, taxable)
    yield rule(
        10,
        "breakdown",
        _exemption_is_told(category),
        f"a reason for exemption (BT-120, BT-121) is {category.exemption}",
    )


def _delivered_or_period(document: Any, view: View) -> bool:
    period = document.period
    told = filled(at(document, "delivery.date")) or (period is not None and period != type(period)())
    return told or not _used(view, "breakdown_categories", "K")


def _delivery_country(document: Any, view: View) -> bool:
    country = at(document, "delivery.address.country")
    return (country is not None and len(country) > 1) or not _used(view, "breakdown_categories", "K")


def _nothing_beside(context: str) -> Test:
    """With VAT category O in the breakdown there is no other category."""

    def holds(_document: Any, view: View) -> bool:
        others = any(held.code != "O" and held.is_vat for held in view.values(context))
        return not others or not _used(view, "breakdown_categories", "O")

    return holds


def _split_payment_in_italy(_document: Any, view: View) -> bool:
    countries = {*view.values("countries"), *view.values("origin_countries")}
    return countries <= {"IT"} or not any(held.code == "B" for held in view.values("all_categories"))


def _split_payment_alone(_document: Any, view: View) -> bool:
    contexts = (
        "breakdown_categories",
        "document_allowance_categories",
        "document_charge_categories",
        "line_categories",
    )
    codes = {held.code for context in contexts for held in view.values(context)}
    return not {"B", "S"} <= codes


def rules() -> Iterator[Rule]:
    """All rules of this file."""
    for category in CATEGORIES:
        yield from _category_rules(category)
    document = "document"
    yield Rule(
        "BR-IC-11", document, _delivered_or_period, "intra-community supply tells its date (BT-72) or period (BG-14)"
    )
    yield Rule("BR-IC-12", document, _delivery_country, "intra-community supply tells the country of delivery (BT-80)")
    for rule, context in (
        ("BR-O-11", "breakdown_categories"),
        ("BR-O-12", "line_categories"),
        ("BR-O-13", "allowance_categories"),
        ("BR-O-14", "charge_categories"),
    ):
        yield Rule(rule, document, _nothing_beside(context), "outside VAT (O) stands alone in a document")
    yield Rule("BR-B-01", document, _split_payment_in_italy, "split payment (B) is Italian only")
    yield Rule("BR-B-02", document, _split_payment_alone, "split payment (B) and standard rate (S) exclude each other")
