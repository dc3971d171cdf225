"""Bringing a transaction to its notary, and what became of it: a receipt, or never."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.ledger import signing
from interfirm.ledger.builder import Draft
from interfirm.ledger.types import Header, TransactionSignature
from interfirm.ledger.verification import Verified
from interfirm.node.books import Books
from interfirm.node.flows.context import Context, Session
from interfirm.node.flows.types import Outcome
from interfirm.node.services import Services
from interfirm.notary.abroad import Anchors
from interfirm.notary.types import Ask, NotariseWhole, Said, Withdraw
from interfirm.notary.wire import Answered, expect, read_answer

GRACE_MS = 30_000
"""How long after a window's end to leave the notary alone, and how long between two questions."""
POLL_MS_MIN, POLL_MS_MAX = 10_000, 10 * 60_000
"""How long to wait for a word before the notary is asked, at first and at last."""


async def accepted(
    ctx: Context,
    whole: Draft | Verified,
    signatures: Sequence[TransactionSignature],
    *,
    seals: bytes,
    reservations: Sequence[bytes] = (),
) -> bytes:
    """The notary's receipt for a transaction that this organisation sees all of; the refusal of who says no.

    A notary that re-executes is given the history of inputs only where it says that it lacks it.
    """
    books: Books = ctx.services.books
    header = whole.view.header if isinstance(whole, Verified) else whole.header
    request = books.request(ctx.turn, whole, signatures, seals=seals, reservations=reservations)
    try:
        answer = read_answer(await ctx.notary(header.notary, request))
    except Refusal as refusal:
        if refusal.code != "ledger.history" or not isinstance(request, NotariseWhole):
            raise
        full = request.replace(history=books.histories.behind(ctx.turn, whole))
        answer = read_answer(await ctx.notary(header.notary, full))
    books.check_receipt(answer.receipt, whole.id, header.notary)
    return answer.receipt


async def word_or_outcome(
    ctx: Context, talk: Session, kind: Any, header: Header, transaction: bytes, *, who: str
) -> Any:
    """The peer's next word (of `kind`), or an `Outcome` by the notary; None once it can never be accepted any more.

    The notary sends the receipt to every listed signer by itself; it is asked only where nothing comes for a while.
    """
    wait_ms = POLL_MS_MIN
    while True:
        word = await talk.receive(kind, until_ms=ctx.now_ms + wait_ms, who=who, transaction=transaction)
        if word is not None:
            return word
        answer = await accepted_now(ctx, header.notary, transaction)
        if answer is not None and isinstance(answer.answer, Said):
            if answer.answer.answer is not None:
                return Outcome(transaction=transaction, receipt=answer.receipt)
            if answer.answer.time >= header.window.upper:
                return None
        wait_ms = min(2 * wait_ms, POLL_MS_MAX)


async def receipt_or_never(ctx: Context, header: Header, transaction: bytes, *, signed: bool) -> bytes:
    """The receipt where the notary accepted the transaction; empty once it never can, whoever holds signatures.

    A peer's word is not enough for that, nor is one refusal by the notary: a copy of the request may come later and be
    accepted. A signer withdraws its signature; for anybody else the matter ends with the window.
    """
    with ctx.step("Make sure of the outcome"):
        if signed and not await _accepted_before_withdrawal(ctx, header, transaction):
            return b""
        while True:
            answer = await accepted_now(ctx, header.notary, transaction)
            if answer is not None:
                said = answer.answer
                assert isinstance(said, Said)
                if said.answer is not None:
                    return answer.receipt
                if said.time >= header.window.upper:
                    return b""
            wait_ms = max(header.window.upper.ms, await ctx.now()) + GRACE_MS
            await ctx.sleep_until(wait_ms)


async def _accepted_before_withdrawal(ctx: Context, header: Header, transaction: bytes) -> bool:
    """Take back one's own signature; False where that ended it, True where the notary had accepted, or would not."""
    services: Services = ctx.services
    keys = services.books.keys
    signature = signing.sign(keys.signer, keys.identity, transaction, purpose=signing.WITHDRAWAL)
    request = Withdraw(transaction=transaction, signature=signature)
    try:
        read_answer(await ctx.notary(header.notary, request))
    except Refusal:
        return True
    return False


async def accepted_now(ctx: Context, notary: bytes, transaction: bytes) -> Answered | None:
    """The notary's dated word on whether it accepted; None where it does not answer now."""
    try:
        answer = read_answer(await ctx.notary(notary, Ask(kind="accepted", subject=transaction)))
        if not isinstance(answer.answer, Said):
            raise Refusal("notary.answer", "the notary answered something else")
        if answer.answer.answer is not None:
            services: Services = ctx.services
            services.books.check_receipt(answer.receipt, transaction, notary)
    except Refusal:
        return None
    return answer


def said_in(books: Books, answered: Answered, notary: bytes) -> Said:
    """What a notary's signed or proven word says; raises its Refusal, and those of `Anchors.statement`."""
    expect(answered, Said)
    return Anchors([books.directory.anchor(notary)]).statement(notary, answered.statement)
