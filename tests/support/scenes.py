"""What directed tests begin with: a network of well-known parties, and shorthand for its contracts."""

from __future__ import annotations

from interfirm.base.money import Money
from interfirm.contracts.types import ContractRef
from interfirm.ledger.types import View

from .contracts.iou import contract
from .ledger import HOUR_MS, NOW, Network, Transacted, create, exercise, who
from .parties import parties

ALICE, BOB, CAROL, BANK, MALLORY, TRUDY = parties("alice bob carol bank mallory trudy")
NAMES = "alice bob carol bank mallory trudy"
LATER = NOW.plus_ms(24 * HOUR_MS)
EARLIER = NOW.plus_ms(-24 * HOUR_MS)

c = contract


def eur(minor: int) -> Money:
    """Euro cents."""
    return Money(minor, "EUR")


def network(*, notaries: str = "one two own") -> Network:
    """All parties at three notaries, of which `own` is mallory's and nobody trusts it."""
    made = Network(NAMES, notaries=notaries)
    for notary in made.notaries.values():
        notary.trusted = notary.label != "own"
    return made


def iou(net: Network, debtor: object = None, creditor: object = None, minor: int = 100) -> ContractRef:
    """A debt of alice to bob, or of others, honestly made."""
    one, other = debtor or ALICE, creditor or BOB
    return net.transact(create(c.Iou(who(one), who(other), eur(minor)))).ref("Iou")  # type: ignore[arg-type]  # parties


def cash(net: Network, owner: object, minor: int = 100) -> ContractRef:
    """Cash of the bank."""
    return net.transact(create(c.Cash(who(BANK), who(owner), eur(minor)))).ref("Cash")  # type: ignore[arg-type]  # a party


def receivable(net: Network, *, due: object = LATER) -> ContractRef:
    """What alice owes bob for an invoice."""
    return net.transact(create(c.Receivable(who(ALICE), who(BOB), eur(100), due))).ref("Receivable")  # type: ignore[arg-type]  # an instant


def sale(net: Network) -> tuple[Transacted, Transacted]:
    """Bob's offer to sell a receivable of alice's to carol, and carol's taking it."""
    right = receivable(net)
    money = cash(net, CAROL, 70)
    offer = net.transact(
        create(c.Offer(who(BOB), who(CAROL), contract.Ref(right.transaction, right.index), eur(70)))
    )  # fmt: skip
    taken = net.transact(
        exercise(offer.ref("Offer"), c.Offer.take, cash=contract.Ref(money.transaction, money.index))
    )  # fmt: skip
    return offer, taken


def decoded(view: View) -> View:
    """The view as it arrives at the other end of a wire."""
    from interfirm.base import codec

    return codec.decode(codec.encode(view), View)
