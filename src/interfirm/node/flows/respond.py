"""The flow of who is asked to sign: re-execute, decide, sign or decline with a reason, then record the outcome."""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.contracts.types import ContractRef, Create, Exercise
from interfirm.ledger import signing
from interfirm.ledger.history import verify_history
from interfirm.ledger.types import Notarised, TransactionSignature, View
from interfirm.ledger.verification import Verified, check_signer, verify_view
from interfirm.node.books import Books
from interfirm.node.flows.context import Context, Session
from interfirm.node.flows.machine import Opened
from interfirm.node.flows.messages import (
    Declined,
    Dropped,
    Given,
    Outcome,
    OutcomeOrDropped,
    Proposal,
    SignedReply,
    Wanted,
)
from interfirm.node.policy import Verdict, declined
from interfirm.node.services import Services
from interfirm.notary.answers import read_answer
from interfirm.notary.types import Ask, Said

GRACE_MS = 30_000
"""How long after a window's end to wait for the proposer before asking the notary."""


async def respond(ctx: Context, arguments: bytes) -> str:
    """Answer a proposal; returns how it ended: `notarised`, `dropped` or `declined`."""
    opened = msgspec.msgpack.decode(arguments, type=Opened)
    talk = ctx.answering(opened.session, opened.peer)
    services: Services = ctx.services
    try:
        proposal = codec.decode(opened.body, Proposal)
        with ctx.step("Re-execute"):
            history = await _complete_history(ctx, talk, proposal)
            verified = verified_view(ctx, proposal.view, proposal.transaction, history)
            _check_mine(ctx, verified)
        await _decide(ctx, verified, proposal, services.name_of(opened.peer))
    except Refusal as refusal:
        plain = refusal.as_plain()
        await talk.send(Declined(code=refusal.code, reason=refusal.message, values=plain["values"]))
        raise
    with ctx.step("Sign"):
        signature = await ctx.once("sign", lambda: _sign(ctx, services, verified, proposal), TransactionSignature)
        await talk.send(SignedReply(signature=signature))
    return await _outcome(ctx, talk, verified, services.name_of(opened.peer))


async def _complete_history(ctx: Context, talk: Session, proposal: Proposal) -> tuple[Notarised, ...]:
    """The history that came with the proposal, or all of it where that leaves a gap."""

    def lacking() -> bool:
        try:
            verified_view(ctx, proposal.view, proposal.transaction, proposal.history)
        except Refusal as refusal:
            if refusal.code != "ledger.history":
                raise
            return True
        return False

    if not await ctx.once("history", lacking, bool):
        return proposal.history
    await talk.send(Wanted(refs=tuple(d.ref for d in proposal.view.inputs)))
    given = await talk.receive(OutcomeOrDropped)
    if not isinstance(given, Given):
        raise Refusal("flow.message", "the history was not given")
    return given.history


def verified_view(ctx: Context, view: View, transaction: bytes, history: tuple[Notarised, ...]) -> Verified:
    """A view verified with the history that came with it."""
    books: Books = ctx.services.books
    known: set[ContractRef] = set()
    if history:
        known = verify_history(history, engine=books.engine, world=books.world(ctx.turn), network=books.network)
    return verify_view(
        view, engine=books.engine, world=books.world(ctx.turn, known), network=books.network, transaction=transaction
    )


def _check_mine(ctx: Context, verified: Verified) -> None:
    books: Books = ctx.services.books
    check_signer(verified, books.keys.identity)
    books.check_inputs_known(ctx.turn, verified)
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
        made = [n.action.template.name for n in verified.nodes if isinstance(n.action, Create)]
        shown.append({"template": action.template.name, "choice": name, "creates": made})
    return {
        "proposer": proposer, "note": note, "transaction": verified.id.hex(), "actions": shown,
        "notary": services.name_of(verified.view.header.notary),
    }  # fmt: skip


def _sign(ctx: Context, services: Services, verified: Verified, proposal: Proposal) -> TransactionSignature:
    """Remember what is signed before the signature leaves."""
    books = services.books
    services.keep_privates(ctx.turn, proposal.privates)
    if ctx.turn.transaction(verified.id) is None:
        stored = books.stored(verified, receipt=b"", status="signed", flow=ctx.flow, now_ms=ctx.now_ms)
        ctx.turn.add_transaction(stored)
    return signing.sign(books.keys.signer, books.keys.identity, verified.id)


async def _outcome(ctx: Context, talk: Session, verified: Verified, proposer: str) -> str:
    """Wait for the proposer's word; past the window the notary is asked, so that nobody can hold a result back."""
    services: Services = ctx.services
    with ctx.step("Wait for the outcome"):
        until_ms = verified.view.header.window.upper.ms + GRACE_MS
        outcome = await talk.receive(OutcomeOrDropped, until_ms=until_ms, who=proposer)
        receipt = outcome.receipt if isinstance(outcome, Outcome) else b""
        if outcome is None:
            receipt = await _ask_notary(ctx, verified)
    with ctx.step("Record"):
        if not receipt:
            reason = outcome.code if isinstance(outcome, Dropped) else "flow.no-answer"
            await ctx.once("drop", lambda: ctx.turn.set_transaction_status(verified.id, "dropped"), None)
            return f"dropped: {reason}"
        await ctx.once("record", lambda: record(ctx, services, verified, receipt), None)
    return "notarised"


async def _ask_notary(ctx: Context, verified: Verified) -> bytes:
    answer = read_answer(await ctx.notary(verified.view.header.notary, Ask(kind="accepted", subject=verified.id)))
    return answer.receipt if isinstance(answer.answer, Said) and answer.answer.answer is not None else b""


def record(ctx: Context, services: Services, verified: Verified, receipt: bytes) -> None:
    """Record a notarised view and tell whoever watches."""
    made = services.books.record(ctx.turn, verified, receipt, flow=ctx.flow, now_ms=ctx.now_ms)
    services.recorded(ctx.turn, verified, made, ctx.now_ms)
