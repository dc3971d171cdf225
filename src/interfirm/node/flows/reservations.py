"""Claims away from home: reserved by their owner before a transaction elsewhere, taken or free again after it.

A claim's owner signs the transaction that makes it, so it is always one of those at work: who submits asks it once all
have signed, because what is reserved stays so until the window ends, whatever becomes of the transaction. Before the
first request leaves, the owner's node starts the flow that ends the reservation; nobody else has to do anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.contracts.types import Create
from interfirm.ledger import signing
from interfirm.ledger.tree import Node
from interfirm.ledger.types import Header
from interfirm.node.flows.context import Context
from interfirm.node.flows.finality import POLL_MS_MAX, POLL_MS_MIN, accepted_now, said_in
from interfirm.node.flows.types import AskedFlow
from interfirm.node.services import Services
from interfirm.notary.claims.machine import RESERVATION, TAKEN, held_id
from interfirm.notary.types import Ask, Free, Request, Reserve, Said, Settle, claim_key
from interfirm.notary.wire import Answered, expect, read_answer

END = "end-reservations"
"""The name of the flow."""
LAG_MS = 1_000
"""How long to leave a home notary alone that does not show yet what it holds."""
NOT_HELD = ("claim.taken", "claim.freed")
"""Why a claim cannot be reserved again: it is not, or no longer, held for this transaction."""
OVER = ("", "claim.not-reserved")
"""What a home notary says where nothing is reserved any more."""


class HeldClaims(Value, frozen=True):
    """Claims of this organisation that are reserved for one transaction elsewhere; arguments of `end-reservations`."""

    notary: bytes
    transaction: bytes
    until_ms: int
    claims: tuple[bytes, ...]


def claims_away(nodes: Iterable[Node], notary: bytes, services: Services) -> tuple[tuple[bytes, bytes], ...]:
    """(owner, claim) of each claim made at a notary that is not its owner's home, in the order of entries."""
    return tuple(
        (key.owner, claim)
        for node in nodes
        if isinstance(node.action, Create)
        for key, claim in zip(node.action.claims, node.claims, strict=True)
        if services.home_of(key.owner) != notary
    )


async def reserve(ctx: Context, header: Header, transaction: bytes, nodes: Iterable[Node]) -> tuple[bytes, ...]:
    """The home notary's statements that it holds this organisation's claims for the transaction, in their order.

    Nothing is asked where no claim is away from home. Raises the home notary's refusal, as `claim.taken`.
    """
    services: Services = ctx.services
    me = services.books.keys.identity
    claims = tuple(claim for owner, claim in claims_away(nodes, header.notary, services) if owner == me)
    if not claims:
        return ()
    held = HeldClaims(notary=header.notary, transaction=transaction, until_ms=header.window.upper.ms, claims=claims)
    with ctx.step("Reserve claims at home"):
        await ctx.once("reserve", lambda: services.start_flow(_ending(held)), None)
        return tuple([await _reserved(ctx, held, claim) for claim in claims])


def _ending(held: HeldClaims) -> AskedFlow:
    return AskedFlow(id=f"claims-{held.transaction.hex()}", kind=END, arguments=msgspec.msgpack.encode(held))


async def _reserved(ctx: Context, held: HeldClaims, claim: bytes) -> bytes:
    """The home notary's word that it holds a claim, asked for again where what shows it lags behind."""
    services: Services = ctx.services
    home = services.home_of(services.books.keys.identity)
    read_answer(await ctx.notary(home, _reservation(ctx, held, claim)))
    kept, wait_ms = [RESERVATION, held.notary, held.transaction, held.until_ms], LAG_MS
    while True:
        state, statement = await _state(ctx, home, claim)
        if state == kept:
            return statement
        if await ctx.now() + wait_ms >= held.until_ms:
            raise Refusal("claim.home", "the home notary does not show in time that it holds the claim", home=home)
        await ctx.sleep_until(await ctx.now() + wait_ms)
        wait_ms = min(2 * wait_ms, POLL_MS_MAX)


async def _state(ctx: Context, home: bytes, claim: bytes) -> tuple[Any, bytes]:
    """How the home notary keeps a claim of this organisation, by its own dated word, and that; None where it does not.

    Raises the notary's refusal.
    """
    key = claim_key(ctx.services.books.keys.identity, claim)
    answered = read_answer(await ctx.notary(home, Ask(kind="claim", subject=key)))
    said = _said(ctx.services, home, "claim", key, answered)
    return None if said is None else said.answer, answered.statement


def _said(services: Services, notary: bytes, kind: str, subject: bytes, answered: Answered) -> Said | None:
    """A notary's signed or proven word, which alone is believed; None where it is not its word on this subject."""
    try:
        said = said_in(services.books, answered, notary)
    except Refusal:
        return None
    return said if (said.kind, said.subject) == (kind, subject) else None


def _reservation(ctx: Context, held: HeldClaims, claim: bytes) -> Reserve:
    keys = ctx.services.books.keys
    name = held_id(claim_key(keys.identity, claim), held.notary, held.transaction, held.until_ms)
    return Reserve(
        claim=claim, notary=held.notary, transaction=held.transaction, until=Instant(held.until_ms),
        signature=signing.sign(keys.signer, keys.identity, name, purpose=RESERVATION),
    )  # fmt: skip


async def end_reservations(ctx: Context, arguments: bytes) -> str:
    """Take claims for ever with the other notary's receipt, or free them by its word; returns `settled` or `freed`.

    Returns `taken` where nothing was held, because others made these claims. Every request is harmless when it comes
    twice; each is made until the home notary holds the claim no longer.
    """
    held = msgspec.msgpack.decode(arguments, type=HeldClaims)
    ctx.transaction = held.transaction
    with ctx.step("Wait for the outcome"):
        answered = await _outcome(ctx, held)
    if answered is None:
        return "taken"
    settled = _is_accepted(answered)
    left, wait_ms = list(held.claims), POLL_MS_MIN
    with ctx.step("Settle claims at home" if settled else "Free claims at home"):
        while True:
            end = _is_settled if settled else _is_freed
            left = [claim for claim in left if not await end(ctx, held, claim, answered)]
            if not left:
                return "settled" if settled else "freed"
            await ctx.sleep_until(await ctx.now() + wait_ms)
            wait_ms = min(2 * wait_ms, POLL_MS_MAX)


async def _outcome(ctx: Context, held: HeldClaims) -> Answered | None:
    """The other notary's word that ends the matter: a receipt, or that nothing was accepted by the window's end.

    None where the home notary will never hold the claims: it has refused to, and the transaction is not made.
    """
    wait_ms, looked = POLL_MS_MIN, False
    while True:
        await ctx.sleep_until(await ctx.now() + wait_ms)
        answered = await accepted_now(ctx, held.notary, held.transaction)
        if answered is not None and (_is_accepted(answered) or _is_over(ctx.services, held, answered)):
            return answered
        if not looked and await _are_taken(ctx, held):
            return None
        wait_ms, looked = min(2 * wait_ms, POLL_MS_MAX), True


async def _are_taken(ctx: Context, held: HeldClaims) -> bool:
    """Whether other transactions have made all of these claims for ever, by the home notary's own word."""
    home = ctx.services.home_of(ctx.services.books.keys.identity)
    for claim in held.claims:
        try:
            state, _ = await _state(ctx, home, claim)
        except Refusal:
            return False
        if state is None or state[0] != TAKEN or state[1] == held.transaction:
            return False
    return True


def _is_accepted(answered: Answered) -> bool:
    """Whether the notary accepted; the receipt was checked."""
    return expect(answered, Said).answer is not None


def _is_over(services: Services, held: HeldClaims, answered: Answered) -> bool:
    """Whether the notary's signed or proven word says that nothing was accepted, at the window's end or later."""
    said = _said(services, held.notary, "accepted", held.transaction, answered)
    return said is not None and said.answer is None and said.time.ms >= held.until_ms


async def _is_settled(ctx: Context, held: HeldClaims, claim: bytes, answered: Answered) -> bool:
    me = ctx.services.books.keys.identity
    return await _code(ctx, Settle(owner=me, claim=claim, receipt=answered.receipt)) in OVER


async def _is_freed(ctx: Context, held: HeldClaims, claim: bytes, answered: Answered) -> bool:
    """The request to reserve may still be under way: it is made again first, so that what is freed stays free."""
    if await _code(ctx, _reservation(ctx, held, claim)) in NOT_HELD:
        return True
    me = ctx.services.books.keys.identity
    return await _code(ctx, Free(owner=me, claim=claim, statement=answered.statement)) in OVER


async def _code(ctx: Context, request: Request) -> str:
    """What the home notary refuses a request with; empty where it does not."""
    services: Services = ctx.services
    try:
        read_answer(await ctx.notary(services.home_of(services.books.keys.identity), request))
    except Refusal as refusal:
        return refusal.code
    return ""
