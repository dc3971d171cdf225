"""What factoring adds to a node: operations of its desk, flows, and what happens when something is recorded."""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base import codec
from interfirm.base.hashing import digest
from interfirm.business.factoring import desk
from interfirm.business.factoring.contract import Offer
from interfirm.business.factoring.fingerprints import Financing
from interfirm.business.factoring.near_hits import report_near_hits
from interfirm.business.invoices.contract import Invoice
from interfirm.business.receivables.contract import Verification
from interfirm.contracts.types import ContractRef, Create
from interfirm.ledger.verification import Verified
from interfirm.node.flows.claims import WatchArguments
from interfirm.node.flows.deliver import ShareArguments
from interfirm.node.flows.types import AskedFlow
from interfirm.node.notices import watch_claim
from interfirm.node.services import Services
from interfirm.node.vault.turn import Turn
from interfirm.notary.types import claim_key

OPERATIONS: dict[str, Any] = {
    "factoring.offer": desk.offer,
    "factoring.verify": desk.verify,
    "factoring.look": desk.look,
    "factoring.take": desk.take,
    "report.near-hits": report_near_hits,
}
FLOWS: dict[str, Any] = {"factoring-look": desk.look_flow, desk.TAKE: desk.take_flow}


def share_what_is_offered(services: Services, turn: Turn, verified: Verified, now_ms: int) -> None:
    """A seller's offer goes out with the receivable; the debtor's word follows to every lender it is offered to."""
    me = services.books.keys.identity
    for node in verified.nodes:
        action = node.action
        if not isinstance(action, Create) or action.template.name not in ("Offer", "Verification"):
            continue
        ref = ContractRef(verified.id, action.index)
        if action.template == services.books.engine.named("factoring.Offer").id:
            made = codec.from_plain(action.payload, Offer)
            if made.seller.id == me:
                right = ContractRef(made.receivable.transaction, made.receivable.index)
                about = (right, *_invoices(services, turn, made), *_words(services, turn, made))
                _share(services, about, made.lender.id, ref)
        elif action.template == services.books.engine.named("receivables.Verification").id:
            word = codec.from_plain(action.payload, Verification)
            if word.holder.id == me:
                for made in _offers(services, turn, word):
                    _share(services, (ref,), made.lender.id, ref)


def _invoices(services: Services, turn: Turn, made: Offer) -> list[ContractRef]:
    """The offered invoice: a lender sees it after the offer, all but the seller's own notes (which are private)."""
    found = turn.select(services.books.engine.named("invoices.Invoice").id, status="active", limit=500)
    return [row.ref for row in found.rows if codec.from_plain(row.payload, Invoice).key() == made.offered.invoice]


def _words(services: Services, turn: Turn, made: Offer) -> list[ContractRef]:
    found = turn.select(services.books.engine.named("receivables.Verification").id, status="active", limit=500)
    return [
        row.ref for row in found.rows if codec.from_plain(row.payload, Verification).invoice == made.offered.invoice
    ]


def _offers(services: Services, turn: Turn, word: Verification) -> list[Offer]:
    found = turn.select(services.books.engine.named("factoring.Offer").id, status="active", limit=500)
    offers = [codec.from_plain(row.payload, Offer) for row in found.rows]
    return [made for made in offers if made.offered.invoice == word.invoice]


def _share(services: Services, refs: tuple[ContractRef, ...], to: bytes, about: ContractRef) -> None:
    arguments = msgspec.msgpack.encode(ShareArguments(refs=refs, to=to))
    name = digest("share", codec.plain(about), to, codec.plain(refs)).hex()[:32]
    services.start_flow(AskedFlow(id=name, kind="share", arguments=arguments))


def watch_what_is_financed(services: Services, turn: Turn, verified: Verified, now_ms: int) -> None:
    """A lender is told from now on when anybody asks about the fingerprints of what it financed."""
    me = services.books.keys.identity
    template = services.books.engine.named("factoring.Financing").id
    for node in verified.nodes:
        action = node.action
        if not isinstance(action, Create) or action.template != template:
            continue
        made = codec.from_plain(action.payload, Financing)
        if made.lender.id != me:
            continue
        keys = [claim_key(key.owner, claim) for key, claim in zip(action.claims, node.claims, strict=True)]
        for key, claim in zip(action.claims, keys, strict=True):
            about = {"family": key.family, "invoice": made.offered.invoice.number}
            watch_claim(turn, claim, {**about, "seller": services.name_of(key.owner)})
        arguments = msgspec.msgpack.encode(WatchArguments(claims=tuple(keys)))
        name = digest("watch", verified.id, action.index).hex()[:32]
        services.start_flow(AskedFlow(id=name, kind="watch-claims", arguments=arguments))


WATCHERS = (share_what_is_offered, watch_what_is_financed)
