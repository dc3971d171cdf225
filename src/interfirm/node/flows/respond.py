"""The flow of who is asked to sign: re-execute, decide, sign or decline with a reason, then record the outcome."""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef, Create, Exercise
from interfirm.ledger import signing
from interfirm.ledger.types import Notarised, TransactionSignature, View
from interfirm.ledger.verification import Verified, check_signer
from interfirm.node.books import Books, check_not_archived
from interfirm.node.flows.context import Context, Session
from interfirm.node.flows.finality import accepted, receipt_or_never, word_or_outcome
from interfirm.node.flows.messages import (
    Dropped,
    Given,
    GivenOrDropped,
    OutcomeOrDropped,
    Proposal,
    ReservationsAsked,
    Reserved,
    SignedReply,
    Wanted,
    dropped,
)
from interfirm.node.flows.messages import declined as refused
from interfirm.node.flows.reservations import claims_away, reserve
from interfirm.node.flows.running import Opened
from interfirm.node.flows.types import AskedFlow, Outcome
from interfirm.node.policy import Verdict, declined
from interfirm.node.services import Services
from interfirm.notary.requests import shows_all


class WatchedContracts(Value, frozen=True):
    """Contracts at a notary to be told of; arguments of the flow `watch-contracts`."""

    notary: bytes
    refs: tuple[ContractRef, ...]


WORDS_COUNT_MAX = 8
"""Messages in the place of an outcome that are read before the notary is asked instead."""
NEVER = "flow.no-answer"
"""The window ended, and the notary says that nothing was accepted."""


async def respond(ctx: Context, arguments: bytes) -> str:
    """Answer a proposal; returns how it ended: `notarised`, `dropped` or `declined`."""
    opened = msgspec.msgpack.decode(arguments, type=Opened)
    talk = ctx.answering(opened.session, opened.peer)
    services: Services = ctx.services
    try:
        proposal = codec.decode(opened.body, Proposal)
        with ctx.step("Re-execute"):
            verified = await _verified(ctx, talk, proposal)
            ctx.transaction = verified.id
            await ctx.once("check", lambda: _check_mine(ctx, verified, proposal), None)
        await _decide(ctx, verified, proposal, services.name_of(opened.peer))
    except Refusal as refusal:
        await talk.send(refused(refusal))
        raise
    with ctx.step("Sign"):
        signature = await ctx.once("sign", lambda: _sign(ctx, services, verified, proposal), TransactionSignature)
    if is_last(verified, proposal, services):
        return await _submit(ctx, talk, verified, proposal, signature)
    await talk.send(SignedReply(signature=signature))
    return await _outcome(ctx, talk, verified, services.name_of(opened.peer))


def is_last(verified: Verified, proposal: Proposal, services: Services) -> bool:
    """Whether this organisation holds all signatures once it has signed, and all else that the notary asks for.

    Where the proposer's claims are away from home it does not: the proposer reserves them once all have signed.
    """
    me = services.books.keys.identity
    signed = {signature.identity for signature in proposal.signatures}
    if not signed or not shows_all(verified) or {*signed, me} != verified.scopes.keys():
        return False
    away = claims_away(verified.nodes, verified.view.header.notary, services)
    return all(owner == me for owner, _ in away)


async def _verified(ctx: Context, talk: Session, proposal: Proposal) -> Verified:
    """The proposed view verified, with all of its history where what came with the proposal leaves a gap."""
    view, transaction = proposal.view, proposal.transaction
    found: list[Verified] = []

    def lacking() -> bool:
        try:
            found.append(verified_view(ctx, view, transaction, proposal.history))
        except Refusal as refusal:
            if refusal.code != "ledger.history":
                raise
            return True
        return False

    if not await ctx.once("history", lacking, bool):
        return found[0] if found else verified_view(ctx, view, transaction, proposal.history)
    await talk.send(Wanted(refs=tuple(d.ref for d in view.inputs)))
    given = await talk.receive(GivenOrDropped, until_ms=view.header.window.upper.ms)
    if not isinstance(given, Given):
        raise Refusal("flow.message", "the history was not given")
    return verified_view(ctx, view, transaction, given.history)


def verified_view(ctx: Context, view: View, transaction: bytes, history: tuple[Notarised, ...]) -> Verified:
    """A view verified with the history that came with it, which is kept: it will not be sent again."""
    books: Books = ctx.services.books
    books.histories.keep(ctx.turn, history)
    return books.verified(ctx.turn, view, transaction)


def _check_mine(ctx: Context, verified: Verified, proposal: Proposal) -> None:
    """What a signer demands beyond what any viewer does; asked once, because keys and time go on."""
    books: Books = ctx.services.books
    check_signer(verified, books.keys.identity)
    books.check_seals(verified, proposal.seals)
    upper = verified.view.header.window.upper.ms
    if ctx.now_ms >= upper:
        raise Refusal("ledger.window", "the window has ended", upper_ms=upper)


async def _decide(ctx: Context, verified: Verified, proposal: Proposal, proposer: str) -> None:
    """Return if this organisation signs; the refusal otherwise."""
    services: Services = ctx.services
    ruling = services.policy.rule_on(verified, services.books.keys.identity)
    if ruling.verdict is Verdict.DECLINE:
        raise declined(ruling)
    if ruling.verdict is Verdict.ASK:
        with ctx.step("Wait for a person"):
            decision = await ctx.ask_person("sign", summary_of(ctx, verified, proposal.note, proposer))
        if not decision.approved:
            raise Refusal("policy.person", decision.reason or "declined by a person")


def summary_of(ctx: Context, verified: Verified, note: str, proposer: str) -> dict[str, Any]:
    """What a person is shown before deciding: who proposes what, on what, with what result."""
    services: Services = ctx.services
    shown = []
    for action in verified.actions:
        name = action.choice if isinstance(action, Exercise) else type(action).__name__.lower()
        shown.append({"template": action.template.name, "choice": name})
    made = [
        [n.action.template.package, n.action.template.name, n.action.payload]
        for n in verified.nodes
        if isinstance(n.action, Create)
    ]
    return {
        "proposer": proposer, "note": note, "transaction": verified.id.hex(), "actions": shown, "creates": made,
        "notary": services.name_of(verified.view.header.notary),
    }  # fmt: skip


def _sign(ctx: Context, services: Services, verified: Verified, proposal: Proposal) -> TransactionSignature:
    """Remember what is signed before the signature leaves."""
    books = services.books
    check_not_archived(ctx.turn, verified.id)
    services.keep_privates(ctx.turn, proposal.privates)
    if ctx.turn.transaction(verified.id) is None:
        stored = books.records.stored(verified, receipt=b"", status="signed", flow=ctx.flow, now_ms=ctx.now_ms)
        ctx.turn.add_transaction(stored)
    return signing.sign(books.keys.signer, books.keys.identity, verified.id)


async def _submit(
    ctx: Context, talk: Session, verified: Verified, proposal: Proposal, signature: TransactionSignature
) -> str:
    """Bring all signatures to the notary, as the one who holds them first; the notary tells the others."""
    header = verified.view.header
    reason = None
    with ctx.step("Notarise"):
        try:
            reservations = await reserve(ctx, header, verified.id, verified.nodes)
            receipt = await accepted(
                ctx, verified, (*proposal.signatures, signature), seals=proposal.seals, reservations=reservations
            )  # fmt: skip
        except Refusal as refusal:
            reason = refusal
    if reason is not None:
        receipt = await receipt_or_never(ctx, header, verified.id, signed=True)
        if not receipt:
            await talk.send(dropped(verified.id, reason))
    return await _recorded(ctx, verified, receipt, "" if reason is None else reason.code)


async def _outcome(ctx: Context, talk: Session, verified: Verified, proposer: str) -> str:
    """Wait for a receipt; without one from the proposer the notary decides, so that nobody can hold a result back."""
    with ctx.step("Wait for the outcome"):
        receipt, reason = await _word(ctx, talk, verified, proposer)
    if not receipt and reason != NEVER:
        receipt = await receipt_or_never(ctx, verified.view.header, verified.id, signed=True)
    return await _recorded(ctx, verified, receipt, reason)


async def _recorded(ctx: Context, verified: Verified, receipt: bytes, reason: str) -> str:
    with ctx.step("Record"):
        if not receipt:
            await ctx.once("drop", lambda: ctx.turn.set_transaction_status(verified.id, "dropped"), None)
            return f"dropped: {reason}"
        await ctx.once("record", lambda: record(ctx, verified, receipt), None)
    return "notarised"


async def _word(ctx: Context, talk: Session, verified: Verified, proposer: str) -> tuple[bytes, str]:
    """The receipt, or none and why; what is neither receipt nor end says nothing."""
    books: Books = ctx.services.books
    header = verified.view.header
    for _ in range(WORDS_COUNT_MAX):
        try:
            word = await word_or_outcome(ctx, talk, OutcomeOrDropped, header, verified.id, who=proposer)
            if isinstance(word, Outcome):
                books.check_receipt(word.receipt, verified.id, header.notary)
                return word.receipt, ""
        except Refusal:
            continue
        if isinstance(word, ReservationsAsked):
            await _reserve(ctx, talk, verified)
        if word is None or isinstance(word, Dropped):
            return b"", NEVER if word is None else word.code
    return b"", "flow.message"


async def _reserve(ctx: Context, talk: Session, verified: Verified) -> None:
    """Reserve this organisation's claims for what it signed, and say so; the home notary's no is told as it is."""
    try:
        statements = await reserve(ctx, verified.view.header, verified.id, verified.nodes)
    except Refusal as refusal:
        await talk.send(refused(refusal))
        return
    await talk.send(Reserved(statements=statements))


def record(ctx: Context, verified: Verified, receipt: bytes) -> None:
    """Record a notarised view and tell whoever watches.

    Of a contract that binds this organisation and can be exercised without its signature, the notary is asked to tell.
    """
    services: Services = ctx.services
    books: Books = services.books
    made = books.records.add(ctx.turn, verified, receipt, flow=ctx.flow, now_ms=ctx.now_ms)
    services.recorded(ctx.turn, verified, made, ctx.now_ms)
    unasked = tuple(ref for ref in made if books.records.bound_unasked(ctx.turn, verified, ref))
    if unasked:
        watched = msgspec.msgpack.encode(WatchedContracts(notary=verified.view.header.notary, refs=unasked))
        services.start_flow(AskedFlow(id=f"watch-{verified.id.hex()}", kind="watch-contracts", arguments=watched))
