"""Whatever arrives is answered: a garbled view, history or proof is believed or refused, and crashes nobody."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

import pytest
from tests.support.ledger import NAMES, Network, Omniscient, create, exercise, who
from tests.support.scenes import ALICE, BOB, CAROL, LATER, c, cash, eur, network, sale

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.contracts.types import ContractRef
from interfirm.ledger.history import HistoryItem
from interfirm.ledger.proof import ProofBundle, prove_contract, verify_proof
from interfirm.ledger.types import View
from interfirm.notary.requests import request_of
from interfirm.notary.types import Notarise

COUNT = int(os.environ.get("INTERFIRM_GARBLED", "1500"))


@cache
def _scene() -> tuple[Network, dict[str, list[Any]]]:
    """Valid messages of every kind that a member or a notary reads."""
    net = network()
    _, taken = sale(net)
    paid = net.transact(exercise(cash(net, ALICE), c.Cash.pay, to=who(BOB), amount=eur(30)))
    billed = net.transact(create(c.Invoice(who(BOB), who(ALICE), "1", eur(9), LATER)))
    local = net.transact(
        create(c.Iou(who(ALICE), who(BOB), eur(1))), exercise(ContractRef(None, 0), c.Iou.transfer, to=who(CAROL))
    )  # fmt: skip
    moved = net.move(net.transact(create(c.Iou(who(ALICE), who(BOB), eur(2)))).ref("Iou"), net.named("two"))
    elsewhere = net.draft(exercise(moved, c.Iou.transfer, to=who(CAROL)), notary=net.named("two"))
    drafts = [taken.draft, paid.draft, billed.draft, local.draft, elsewhere]
    views = [net.view(draft, net.members[party].party) for draft in drafts for party in draft.informees]
    bundle = prove_contract(
        net.members[BOB.id].held[taken.id], 5, receipt=net.notary.receipt(taken.id), names=NAMES
    )  # fmt: skip
    requests = [request_of(draft, net.signatures(draft), salts=net.salts) for draft in drafts]
    items = [net.whole[taken.id], net.whole[paid.id]]
    return net, {"view": views, "proof": [bundle], "request": requests, "item": items}


def garbled(value: Any, rng: Random) -> Any:
    """The plain form of a message with a few parts changed, dropped, doubled or exchanged."""
    plain = codec.plain(value)
    for _ in range(rng.choice((1, 1, 2, 3))):
        places: list[tuple[Any, Any]] = []
        _collect(plain, places)
        if not places:
            break
        holder, key = rng.choice(places)
        other_holder, other_key = rng.choice(places)
        match rng.randrange(6):
            case 0:
                holder[key] = _another(holder[key], rng)
            case 1:
                holder[key] = deepcopy(other_holder[other_key])
            case 2:
                holder[key] = rng.choice((None, 0, -1, 2**32, 2**63, b"", bytes(32), "", [], {}, True))
            case 3 if isinstance(holder, list):
                del holder[key]
            case 4 if isinstance(holder, list):
                holder.insert(key, deepcopy(holder[key]))
            case _:
                one, other = deepcopy(holder[key]), deepcopy(other_holder[other_key])
                holder[key], other_holder[other_key] = other, one
    return plain


def _collect(plain: Any, places: list[tuple[Any, Any]]) -> None:
    keys = range(len(plain)) if isinstance(plain, list) else list(plain) if isinstance(plain, dict) else ()
    for key in keys:
        places.append((plain, key))
        _collect(plain[key], places)


def _another(value: Any, rng: Random) -> Any:
    if isinstance(value, bytes) and value:
        place = rng.randrange(len(value))
        return value[:place] + bytes([value[place] ^ 1 << rng.randrange(8)]) + value[place + 1 :]
    if isinstance(value, int):
        return value + rng.choice((-1, 1))
    return value[::-1] if isinstance(value, (str, list)) else value


def _view(net: Network, data: bytes) -> None:
    for world in (Omniscient(net), net.members[CAROL.id]):
        world.verify(codec.decode(data, View), history=())


def _item(net: Network, data: bytes) -> None:
    Omniscient(net).learn((codec.decode(data, HistoryItem),))


def _proof(net: Network, data: bytes) -> None:
    verify_proof(codec.decode(data, ProofBundle), accepted=net.members[CAROL.id].accepted, names=NAMES)


def _request(net: Network, data: bytes) -> None:
    copied = net.copied()
    request = codec.decode(data, Notarise)
    for notary in copied.notaries.values():
        notary.ask(request)


READERS: dict[str, Callable[[Network, bytes], None]] = {
    "view": _view, "item": _item, "proof": _proof, "request": _request,
}  # fmt: skip


@pytest.mark.parametrize("kind", READERS)
def test_a_garbled_message_is_answered(kind: str) -> None:
    net, messages = _scene()
    rng = Random(kind)
    refused = 0
    for _ in range(COUNT):
        try:
            data = codec.encode(garbled(rng.choice(messages[kind]), rng))
            READERS[kind](net, data)
        except Refusal:
            refused += 1
    assert refused > COUNT // 2
