"""The report of near hits: what looks as if it were financed twice, as far as one firm can see it.

A seller sees what it offers that is like something it has financed. A lender sees what its look at the fingerprints
found, and what the notary told about those it holds: that somebody asked, not who.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.business.factoring.contract import Offer
from interfirm.business.factoring.desk import TakeArguments
from interfirm.business.factoring.fingerprints import Financing
from interfirm.business.factoring.terms import Offered
from interfirm.node.arguments import Nothing, takes
from interfirm.node.desk import Answer, Desk
from interfirm.node.vault.turn import Turn

EXACT, PARTIES, ORDER = "factoring.invoice", "factoring.parties", "factoring.order"
ALIKE = {
    EXACT: "the same invoice",
    PARTIES: "the same buyer, amount and day of issue",
    ORDER: "the same order",
}
"""What two financings have in common whose fingerprints of a family meet."""


class NearHit(Value, frozen=True):
    """Something like what was financed before. `how`: `offered`, `financed`, `warned` (this firm looked) or `asked`."""

    how: str
    family: str
    invoice: str
    like: str
    """Number of the invoice that was financed before, where this firm knows it."""
    seller: str
    lender: str
    at_ms: int | None = None


def loose(offered: Offered) -> dict[str, tuple[object, ...]]:
    """The looser fingerprints of what is offered, without their numbers."""
    keys: dict[str, tuple[object, ...]] = {
        PARTIES: (offered.obligor.id, offered.gross.minor, offered.gross.currency, offered.issued.number)
    }
    return keys if offered.order == "" else {**keys, ORDER: (offered.obligor.id, offered.order)}


def meeting(offers: Iterable[Offer], financed: Iterable[Financing]) -> Iterator[tuple[Offer, Financing, str]]:
    """Offers that are like another invoice's financing by the same seller, with the family in which they meet."""
    known = list(financed)
    for made in offers:
        for earlier in known:
            if earlier.seller != made.seller or earlier.offered.invoice == made.offered.invoice:
                continue
            theirs = loose(earlier.offered)
            for family, key in loose(made.offered).items():
                if theirs.get(family) == key:
                    yield made, earlier, family


@takes(Nothing)
def report_near_hits(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """What looks as if it were financed twice: offered, financed, found by a look, or asked about at the notary."""
    with desk.vault.read() as turn:
        found = [*_offered(desk, turn), *_financed(desk, turn), *_warned(desk, turn), *_asked(turn)]
    rows = [{**msgspec.structs.asdict(hit), "alike": ALIKE[hit.family]} for hit in found]
    for row in rows:
        at_ms = row.pop("at_ms")
        row["at"] = None if at_ms is None else str(Instant(at_ms))
    return {"near_hits": rows}


def _offered(desk: Desk, turn: Turn) -> Iterator[NearHit]:
    offers = (made for _, made in desk.every_as(turn, Offer, status=None))
    financed = [made for _, made in desk.every_as(turn, Financing, status=None)]
    for made, earlier, family in meeting(offers, financed):
        yield _hit(desk, "offered", family, made).replace(like=earlier.offered.invoice.number)


def _financed(desk: Desk, turn: Turn) -> Iterator[NearHit]:
    for _, made in desk.every_as(turn, Financing, status=None):
        for family, number in ((PARTIES, made.parties_number), (ORDER, made.order_number)):
            if number > 1:
                yield _hit(desk, "financed", family, made)


def _warned(desk: Desk, turn: Turn) -> Iterator[NearHit]:
    """What a look before a purchase found."""
    for flow in turn.flows(state="refused"):
        result = msgspec.msgpack.decode(flow.result)
        if flow.kind != "factoring-take" or result["code"] != "factoring.near-hit" or not flow.arguments:
            continue
        made = desk.read_as(turn, msgspec.msgpack.decode(flow.arguments, type=TakeArguments).offer, Offer)
        for family, name in ((PARTIES, "same_amount"), (ORDER, "same_order")):
            if result["values"][name]:
                yield _hit(desk, "warned", family, made).replace(at_ms=flow.changed_ms)


def _asked(turn: Turn) -> Iterator[NearHit]:
    """What the notary told of fingerprints that this firm holds."""
    for item in turn.inbox(state=None):
        about = item.summary
        if item.kind == "claim-asked" and about.get("family") in ALIKE:
            yield NearHit(
                how="asked", family=about["family"], invoice="", like=about["invoice"], seller=about["seller"],
                lender="", at_ms=item.created_ms,
            )  # fmt: skip


def _hit(desk: Desk, how: str, family: str, made: Offer | Financing) -> NearHit:
    return NearHit(
        how=how, family=family, invoice=made.offered.invoice.number, like="",
        seller=desk.names.name_of(made.seller.id), lender=desk.names.name_of(made.lender.id),
    )  # fmt: skip
