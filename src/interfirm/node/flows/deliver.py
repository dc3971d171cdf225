"""Flows that only pass facts on: deliveries, disclosures, claim proofs, and recovery after a loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.contracts.types import Action, ContractRef, Create, Exercise, walk
from interfirm.ledger.history import History
from interfirm.ledger.types import View
from interfirm.node.books import Books
from interfirm.node.flows.context import Context
from interfirm.node.flows.messages import (
    ClaimsAsked,
    ClaimsProved,
    Declined,
    Delivery,
    Given,
    HistoryWanted,
    MoveWanted,
    Shared,
    Taken,
    TransactionsGiven,
    TransactionWanted,
    declined,
)
from interfirm.node.flows.respond import record, verified_view
from interfirm.node.flows.running import Opened
from interfirm.node.services import Services

T = TypeVar("T")
Paged = TypeVar("Paged", TransactionWanted, MoveWanted)
PAGE = 50
ANSWER_MS_MAX = 5 * 60_000
"""How long a peer is waited for that owes one answer; what it sends later is not read."""


async def take_delivery(ctx: Context, arguments: bytes) -> str:
    """Record a notarised transaction that this organisation did not have to sign."""
    opened = msgspec.msgpack.decode(arguments, type=Opened)
    delivery = codec.decode(opened.body, Delivery)
    ctx.transaction = delivery.transaction
    with ctx.step("Verify and record"):
        if await ctx.once("record", lambda: _takes(ctx, delivery), bool):
            return delivery.transaction.hex()
    with ctx.step("Ask for history"):
        wanted = HistoryWanted(transaction=delivery.transaction)
        given = await ask_peer(ctx, opened.peer, "give-history", wanted, Given)
    with ctx.step("Verify and record with its history"):
        await ctx.once("record", lambda: _take(ctx, replace(delivery, history=given.history)), None)
    return delivery.transaction.hex()


def _takes(ctx: Context, delivery: Delivery) -> bool:
    """Record what is delivered; False where history is lacking."""
    try:
        _take(ctx, delivery)
    except Refusal as refusal:
        if refusal.code != "ledger.history":
            raise
        return False
    return True


def _take(ctx: Context, delivery: Delivery, *, again: bool = False) -> None:
    """Record what is delivered.

    Who leaves another unaware of what binds it is not dealt with, so the seals are checked; not where it is delivered
    again, long after, when keys may be others.
    """
    books: Books = ctx.services.books
    verified = verified_view(ctx, delivery.view, delivery.transaction, delivery.history)
    if not again:
        books.check_seals(verified, delivery.seals)
    books.check_receipt(delivery.receipt, verified.id, verified.view.header.notary)
    ctx.services.keep_privates(ctx.turn, delivery.privates)
    record(ctx, verified, delivery.receipt)


def take_again(ctx: Context, delivery: Delivery) -> None:
    """Record what is delivered again, long after; see `_take`."""
    _take(ctx, delivery, again=True)


async def give_history(ctx: Context, arguments: bytes) -> int:
    """Give all the history of a transaction's inputs to a peer that may see the transaction."""
    opened = msgspec.msgpack.decode(arguments, type=Opened)
    talk = ctx.answering(opened.session, opened.peer)
    try:
        history = _history(ctx, codec.decode(opened.body, HistoryWanted).transaction, opened.peer)
    except Refusal as refusal:
        await talk.send(declined(refusal))
        raise
    await talk.send(Given(history=history))
    return len(history)


def _history(ctx: Context, transaction: bytes, peer: bytes) -> History:
    books: Books = ctx.services.books
    stored = ctx.turn.transaction(transaction)
    view = None if stored is None else books.view_for(ctx.turn, codec.decode(stored.view, View), peer)
    if view is None:
        raise Refusal("flow.not-entitled", "the peer sees nothing of such a transaction")
    return books.histories.for_view(ctx.turn, view, peer)


async def ask_peer(ctx: Context, peer: bytes, flow: str, question: Any, kind: type[T]) -> T:
    """What a peer's flow answers to one question; Refusal `flow.declined`, or `flow.no-answer` after a while."""
    services: Services = ctx.services
    talk = ctx.open(peer, flow)
    await talk.send(question)
    until_ms = await ctx.now() + ANSWER_MS_MAX
    reply = await talk.receive(kind | Declined, until_ms=until_ms, who=services.name_of(peer))
    if reply is None:
        raise Refusal("flow.no-answer", "the peer did not answer in time", party=services.name_of(peer))
    if isinstance(reply, Declined):
        raise Refusal("flow.declined", reply.reason, party=services.name_of(peer), rule=reply.code)
    assert isinstance(reply, kind)
    return reply


class ShareArguments(Value, frozen=True):
    """Which contracts to disclose to whom."""

    refs: tuple[ContractRef, ...]
    to: bytes


async def share(ctx: Context, arguments: bytes) -> int:
    """Disclose contracts to somebody who is no stakeholder, for use as inputs; returns how many."""
    asked = msgspec.msgpack.decode(arguments, type=ShareArguments)
    services: Services = ctx.services
    books = services.books
    disclosures = tuple(books.disclosure(ctx.turn, ref) for ref in asked.refs)
    history = tuple(item for ref in asked.refs for item in books.histories.of_contract(ctx.turn, ref))
    with ctx.step(f"Share with {services.name_of(asked.to)}"):
        await ask_peer(ctx, asked.to, "take-shared", Shared(disclosures=disclosures, history=history), Taken)
    return len(disclosures)


async def take_shared(ctx: Context, arguments: bytes) -> int:
    """Keep contracts that somebody disclosed; they are checked whenever they are used."""
    opened = msgspec.msgpack.decode(arguments, type=Opened)
    talk = ctx.answering(opened.session, opened.peer)
    try:
        shared = codec.decode(opened.body, Shared)
        with ctx.step("Keep"):
            await ctx.once("keep", lambda: _keep(ctx, shared), None)
    except Refusal as refusal:
        await talk.send(declined(refusal))
        raise
    await talk.send(Taken())
    return len(shared.disclosures)


def _keep(ctx: Context, shared: Shared) -> None:
    books: Books = ctx.services.books
    books.histories.keep(ctx.turn, shared.history)
    for disclosure in shared.disclosures:
        books.check_disclosed(disclosure)
        books.keep_disclosed(ctx.turn, disclosure)


async def prove_claims(ctx: Context, arguments: bytes) -> int:
    """Prove the claims of ours that a peer's commands would make, after running the commands ourselves.

    What we cannot run (inputs we do not know) or what makes no claim of ours is declined, so nobody can enumerate.
    """
    opened = msgspec.msgpack.decode(arguments, type=Opened)
    talk = ctx.answering(opened.session, opened.peer)
    try:
        asked = codec.decode(opened.body, ClaimsAsked)
        proofs = await ctx.once("prove", lambda: _prove(ctx, asked, opened.peer), tuple[bytes, ...])
    except Refusal as refusal:
        await talk.send(declined(refusal))
        raise
    await talk.send(ClaimsProved(proofs=proofs))
    return len(proofs)


def _prove(ctx: Context, asked: ClaimsAsked, peer: bytes) -> tuple[bytes, ...]:
    books: Books = ctx.services.books
    me = books.keys.identity
    for disclosure in asked.inputs:
        books.check_disclosed(disclosure)
    plan = books.plan(ctx.turn, asked.commands, asked.window, asked.inputs)
    mine = plan.claims.get(me, ())
    informed = {party for action in walk(plan.actions) if isinstance(action, Create) for party in action.informees}
    if not mine or peer not in informed or not all(_delegated(ctx, action, peer) for action in plan.actions):
        raise Refusal("claim.not-entitled", "these commands make no claim of ours that concerns you")
    return books.prove_claims(mine)


def _delegated(ctx: Context, action: Action, peer: bytes) -> bool:
    """Whether the action is the peer's own choice on a contract that binds us: what we let it do by signing that."""
    if not isinstance(action, Exercise) or action.controllers != (peer,):
        return False
    held = ctx.turn.contract(action.ref)
    return held is not None and ctx.services.books.keys.identity in held.signatories


async def give_again(ctx: Context, arguments: bytes) -> int:
    """Deliver again what a peer that lost its database is entitled to, a page at a time."""
    return len((await give_page(ctx, arguments, TransactionWanted, _page)).deliveries)


async def give_page(
    ctx: Context, arguments: bytes, wanted: type[Paged], page: Callable[[Context, bytes, bytes], T]
) -> T:
    """Send the page of a list that a peer asks for by where the one before ended; or the refusal of what was asked."""
    opened = msgspec.msgpack.decode(arguments, type=Opened)
    talk = ctx.answering(opened.session, opened.peer)
    try:
        given = page(ctx, codec.decode(opened.body, wanted).after, opened.peer)
    except Refusal as refusal:
        await talk.send(declined(refusal))
        raise
    await talk.send(given)
    return given


def _page(ctx: Context, after: bytes, peer: bytes) -> TransactionsGiven:
    """Notarised transactions of which the peer is an informee, each in the part that it may see."""
    books: Books = ctx.services.books
    deliveries = []
    page = ctx.turn.transactions(after=after, limit=PAGE)
    for stored in page:
        if stored.status != "notarised":
            continue
        view = books.view_for(ctx.turn, codec.decode(stored.view, View), peer)
        if view is not None:
            history = books.histories.for_view(ctx.turn, view, peer)
            deliveries.append(Delivery(transaction=stored.id, view=view, history=history, receipt=stored.receipt))
    return TransactionsGiven(deliveries=tuple(deliveries), after=page[-1].id if len(page) == PAGE else b"")


class RecoverArguments(Value, frozen=True):
    """Whom to ask."""

    peer: bytes


async def recover(ctx: Context, arguments: bytes) -> int:
    """Ask a peer for everything it holds that this organisation is entitled to; returns how much was recorded."""
    asked = msgspec.msgpack.decode(arguments, type=RecoverArguments)
    services: Services = ctx.services
    count, after = 0, b""
    with ctx.step(f"Recover from {services.name_of(asked.peer)}"):
        while True:
            given = await ask_peer(ctx, asked.peer, "give-again", TransactionWanted(after=after), TransactionsGiven)
            for delivery in given.deliveries:
                await ctx.once("record", partial(_take, ctx, delivery, again=True), None)
                count += 1
            if not given.after:
                return count
            after = given.after
