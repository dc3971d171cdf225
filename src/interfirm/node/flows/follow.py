"""What a contract's stakeholders do when somebody moves it: confirmers sign and see to its end, the others follow."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.ledger.moves import Terms
from interfirm.ledger.types import TransactionSignature
from interfirm.node.books import Books
from interfirm.node.flows.context import Context, Session
from interfirm.node.flows.finality import GRACE_MS, POLL_MS_MAX, POLL_MS_MIN
from interfirm.node.flows.messages import Dropped, LockAsked, LockSigned, Moved, declined
from interfirm.node.flows.moves import CHANGE, Moving, check_terms, to_the_end, watch
from interfirm.node.flows.running import Opened
from interfirm.node.policy import Verdict
from interfirm.node.policy import declined as by_policy
from interfirm.node.services import Services


async def sign_lock(ctx: Context, arguments: bytes) -> str:
    """Sign a lock that a peer asks for, or decline; then see to it that the move ends. Returns how it did."""
    opened = msgspec.msgpack.decode(arguments, type=Opened)
    talk = ctx.answering(opened.session, opened.peer)
    services: Services = ctx.services
    try:
        asked = codec.decode(opened.body, LockAsked)
        with ctx.step("Check"):
            await ctx.once("check", lambda: _check_asked(ctx, asked, opened.peer), None)
        await _decide(ctx, asked, services.name_of(opened.peer))
        with ctx.step("Sign"):
            move = Moving(ctx, asked.terms)
            signature = await ctx.once("sign", move.signed, TransactionSignature)
    except Refusal as refusal:
        await talk.send(declined(refusal))
        raise
    await talk.send(LockSigned(signature=signature))
    with ctx.step("Wait for the outcome"):
        told, receipt = await _outcome(ctx, talk, move, services.name_of(opened.peer))
    if told:
        return "moved"
    if not receipt:
        receipt = await move.lock_or_never()
        if not receipt:
            return "dropped"
    await ctx.once("locked", lambda: move.books.moves.locked(ctx.turn, asked.terms, receipt, ctx.now_ms), None)
    try:
        await to_the_end(move, receipt, {})
    except Refusal as refusal:
        if refusal.code != "move.undone":
            raise
        return "undone"
    return "moved"


def _check_asked(ctx: Context, asked: LockAsked, asker: bytes) -> None:
    """What a confirmer demands of a lock: its own contract, where it lives, under terms that it would set itself."""
    books: Books = ctx.services.books
    terms = asked.terms
    if asked.way.moves:
        watch(ctx, books.moves.follow(ctx.turn, asked.way, ctx.now_ms, by=asker))
    disclosure, held = books.disclosure(ctx.turn, terms.ref), ctx.turn.contract(terms.ref)
    if held is None or books.keys.identity not in books.described(ctx.turn, terms.ref).confirmers.parties:
        raise Refusal("move.stranger", "this organisation does not confirm the contract", index=terms.ref.index)
    if held.status != "active":
        raise Refusal("vault.not-active", "the contract is no longer active", status=held.status)
    if (terms.origin, terms.commitment) != (held.notary, disclosure.entry.confirmers):
        raise Refusal("move.terms", "the terms are not those of the contract", notary=held.notary)
    check_terms(ctx, terms)


async def _decide(ctx: Context, asked: LockAsked, asker: str) -> None:
    """Return if this organisation lets its contract go; the refusal otherwise."""
    services: Services = ctx.services
    terms, books = asked.terms, services.books
    template = books.disclosure(ctx.turn, terms.ref).template
    own = books.directory.operator(terms.to) is not None
    ruling = services.policy.rule_on_move(template.name, own=own)
    if ruling.verdict is Verdict.DECLINE:
        raise by_policy(ruling)
    if ruling.verdict is Verdict.ASK:
        summary: dict[str, Any] = {
            "proposer": asker, "note": asked.note, "transaction": (terms.ref.transaction or b"").hex(),
            "index": terms.ref.index, "actions": [{"template": template.name, "choice": CHANGE}],
            "notary": services.name_of(terms.origin), "to": services.name_of(terms.to), "until": str(terms.until),
        }  # fmt: skip
        with ctx.step("Wait for a person"):
            decision = await ctx.ask_person("sign", summary)
        if not decision.approved:
            raise Refusal("policy.person", decision.reason or "declined by a person")


async def _outcome(ctx: Context, talk: Session, move: Moving, asker: str) -> tuple[bool, bytes]:
    """Whether the asker told of the arrival; else the receipt of a lock that was left, or nothing.

    The notary is asked where nothing comes for a while, so that nobody can leave a contract locked by silence.
    """
    terms, wait_ms = move.terms, POLL_MS_MIN
    while True:
        try:
            word = await talk.receive(Moved | Dropped, until_ms=await ctx.now() + wait_ms, who=asker)
            if isinstance(word, Dropped):
                return False, b""
            if word is not None and await ctx.once("take", partial(_takes, ctx, word, terms, talk.peer), bool):
                return True, b""
        except Refusal:
            continue  # what does not hold says nothing
        receipt = await move.lock_receipt()
        if receipt or await ctx.now() > terms.until.ms + GRACE_MS:
            return False, receipt
        wait_ms = min(2 * wait_ms, POLL_MS_MAX)


async def take_move(ctx: Context, arguments: bytes) -> str:
    """Record that a contract of ours lives at another notary, as a peer says and receipts prove."""
    opened = msgspec.msgpack.decode(arguments, type=Opened)
    with ctx.step("Verify and record"):
        moved = codec.decode(opened.body, Moved)
        await ctx.once("take", lambda: _take(ctx, moved, opened.peer), None)
    return (moved.way.made.transaction or b"").hex()


def _takes(ctx: Context, moved: Moved, terms: Terms, teller: bytes) -> bool:
    """Record what is told; whether it is the arrival under these terms."""
    _take(ctx, moved, teller)
    return ctx.turn.has_contract(terms.arrived)


def _take(ctx: Context, moved: Moved, teller: bytes) -> None:
    books: Books = ctx.services.books
    check(bool(moved.way.moves), "move.none", "a move has at least one step")
    watch(ctx, books.moves.follow(ctx.turn, moved.way, ctx.now_ms, by=teller))
