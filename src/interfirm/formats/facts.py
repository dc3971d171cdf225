"""What a ledger keeps of an invoice: integers, days and codes, each by its business term (EN 16931).

The document model holds numbers as written; here they are minor units, parts per million and scaled integers. An absent
text is empty.
"""

from __future__ import annotations

from interfirm.base.money import Money, Quantity, Rate, UnitPrice
from interfirm.base.time import Day
from interfirm.base.values import Value


class AddressFacts(Value, frozen=True):
    """BG-5, BG-8."""

    street: str
    """BT-35, BT-50."""
    city: str
    """BT-37, BT-52."""
    postal_code: str
    """BT-38, BT-53."""
    country: str
    """BT-40, BT-55: ISO 3166-1 alpha-2."""
    region: str = ""
    """BT-39, BT-54."""
    additional: str = ""
    """BT-36, BT-51."""


class PartyFacts(Value, frozen=True):
    """BG-4, BG-7, BG-10."""

    name: str
    """BT-27, BT-44, BT-59."""
    tax_id: str = ""
    """BT-31 or BT-48; where there is none BT-32."""
    tax_scheme: str = "VAT"
    """The scheme of the tax number; VAT, but for BT-32."""
    registration: str = ""
    """BT-30, BT-47, BT-61."""
    registration_scheme: str = ""
    """ISO 6523 code."""
    endpoint: str = ""
    """BT-34, BT-49."""
    endpoint_scheme: str = ""
    """EAS code."""
    address: AddressFacts | None = None


class AccountFacts(Value, frozen=True):
    """BG-17."""

    id: str
    """BT-84, without spaces."""
    name: str = ""
    """BT-85."""
    bic: str = ""
    """BT-86."""


class AdjustmentFacts(Value, frozen=True):
    """BG-20, BG-21 on a document, BG-27, BG-28 on a line."""

    charge: bool
    """Whether it adds (a charge) or takes off (an allowance)."""
    amount: Money
    """BT-92, BT-99, BT-136, BT-141."""
    reason: str
    """BT-97, BT-104, BT-139, BT-144."""
    category: str
    """BT-95, BT-102; on a line the line's."""
    rate: Rate
    """BT-96, BT-103; 0 where a category has none."""
    reason_code: str = ""
    """BT-98, BT-105, BT-140, BT-145."""


class LineFacts(Value, frozen=True):
    """BG-25."""

    id: str
    """BT-126."""
    name: str
    """BT-153."""
    quantity: Quantity
    """BT-129, BT-130."""
    price: UnitPrice
    """BT-146."""
    net: Money
    """BT-131."""
    category: str
    """BT-151."""
    rate: Rate
    """BT-152; 0 where a category has none."""
    item: str = ""
    """BT-155, the seller's number of the item."""
    order_line: str = ""
    """BT-132."""
    base_quantity: Quantity | None = None
    """BT-149, BT-150; absent for one unit."""
    adjustments: tuple[AdjustmentFacts, ...] = ()


class TaxGroupFacts(Value, frozen=True):
    """BG-23."""

    category: str
    """BT-118."""
    rate: Rate
    """BT-119; 0 where a category has none."""
    base: Money
    """BT-116."""
    tax: Money
    """BT-117."""
    exemption: str = ""
    """BT-120."""
    exemption_code: str = ""
    """BT-121."""


class TotalsFacts(Value, frozen=True):
    """BG-22; what a document does not state is nothing."""

    lines: Money
    """BT-106."""
    allowances: Money
    """BT-107."""
    charges: Money
    """BT-108."""
    net: Money
    """BT-109."""
    tax: Money
    """BT-110."""
    gross: Money
    """BT-112."""
    prepaid: Money
    """BT-113."""
    rounding: Money
    """BT-114."""
    payable: Money
    """BT-115."""


class PrecedingFacts(Value, frozen=True):
    """BG-3."""

    number: str
    """BT-25."""
    issued: Day | None = None
    """BT-26."""


class InvoiceFacts(Value, frozen=True):
    """An invoice or credit note."""

    number: str
    """BT-1."""
    is_credit_note: bool
    """Whether it is a UBL CreditNote."""
    kind: str
    """BT-3, UNTDID 1001."""
    issued: Day
    """BT-2."""
    currency: str
    """BT-5."""
    seller: PartyFacts
    buyer: PartyFacts
    lines: tuple[LineFacts, ...]
    groups: tuple[TaxGroupFacts, ...]
    totals: TotalsFacts
    adjustments: tuple[AdjustmentFacts, ...] = ()
    payee: PartyFacts | None = None
    """BG-10, where it is not the seller."""
    due: Day | None = None
    """BT-9."""
    delivered: Day | None = None
    """BT-72."""
    terms: str = ""
    """BT-20."""
    note: str = ""
    """BT-22, the first."""
    buyer_reference: str = ""
    """BT-10."""
    order: str = ""
    """BT-13."""
    preceding: tuple[PrecedingFacts, ...] = ()
    means: str = ""
    """BT-81."""
    account: AccountFacts | None = None
    remittance: str = ""
    """BT-83."""
