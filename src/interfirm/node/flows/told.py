"""Flows about what a notary tells: asking to be told, catching up, and getting what was held back.

Where a contract binds an organisation that need not sign its exercise, the notary tells of its end, and keeps what was
sealed for it (02-ledger, "Nobody can hold a result back").
"""

from __future__ import annotations

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef
from interfirm.ledger.verification import Verified
from interfirm.node.books import Books
from interfirm.node.flows.context import Context
from interfirm.node.flows.finality import receipt_or_never
from interfirm.node.flows.respond import WatchedContracts, record
from interfirm.node.notices import CollectArguments, handled_to, note, set_handled, watch_notary
from interfirm.node.services import Services
from interfirm.node.vault.types import InboxItem
from interfirm.notary.types import Subscribe, ref_key
from interfirm.notary.wire import Collect, Collected, Heard, Listen, Told, expect, read_answer

DELIVERY_MS = 15_000
"""How long an ordinary delivery is waited for before what is sealed is collected."""


async def watch_contracts(ctx: Context, arguments: bytes) -> int:
    """Ask the notary to tell when these contracts end; returns how many."""
    asked = msgspec.msgpack.decode(arguments, type=WatchedContracts)
    with ctx.step("Subscribe"):
        await ctx.once("watch", lambda: watch_notary(ctx.turn, asked.notary), None)
        for ref in asked.refs:
            read_answer(await ctx.notary(asked.notary, Subscribe(kind="ref", subject=ref_key(ref))))
    return len(asked.refs)


class ListenArguments(Value, frozen=True):
    """Which notary to ask what there is to tell."""

    notary: bytes


async def listen(ctx: Context, arguments: bytes) -> int:
    """Catch up with what a notary had to tell while it could not be heard; returns how much that was."""
    asked = msgspec.msgpack.decode(arguments, type=ListenArguments)
    count = 0
    with ctx.step("Ask what there is to tell"):
        while True:
            after = await ctx.once("after", lambda: handled_to(ctx.turn, asked.notary), int)
            answered = read_answer(await ctx.notary(asked.notary, Listen(after=after)))
            tells = expect(answered, Heard).tells
            if not tells:
                return count
            await ctx.once("note", lambda tells=tells: _note(ctx, asked.notary, tells), None)  # type: ignore[misc]  # bound now
            count += len(tells)


def _note(ctx: Context, notary: bytes, tells: tuple[Told, ...]) -> None:
    services: Services = ctx.services
    for told in tells:
        flow = note(ctx.turn, notary, told, ctx.now_ms)
        if flow is not None:
            services.start_flow(flow)
    set_handled(ctx.turn, notary, tells[-1].number)


async def collect(ctx: Context, arguments: bytes) -> str:
    """Learn what ended a contract of ours: by delivery, or from the sealed views; returns `known` or `collected`."""
    asked = msgspec.msgpack.decode(arguments, type=CollectArguments)
    with ctx.step("Wait for delivery"):
        if await ctx.once("known", lambda: _is_known(ctx, asked.ref), bool):
            return "known"
        await ctx.sleep_until(await ctx.now() + DELIVERY_MS)
        if await ctx.once("known", lambda: _is_known(ctx, asked.ref), bool):
            return "known"
    try:
        with ctx.step("Collect what was sealed"):
            seals = expect(read_answer(await ctx.notary(asked.notary, Collect(asked.consumer))), Collected).seals
            verified = _opened(ctx, seals, asked.consumer)
            receipt = await receipt_or_never(ctx, verified.view.header, verified.id, signed=False)
        with ctx.step("Record"):
            await ctx.once("record", lambda: record(ctx, verified, receipt), None)
    except Refusal as refusal:
        rule = refusal.code
        await ctx.once("tell", lambda: _tell_person(ctx, asked, rule), None)
        raise
    return "collected"


def _is_known(ctx: Context, ref: ContractRef) -> bool:
    held = ctx.turn.contract(ref)
    return held is None or held.status == "consumed"


def _opened(ctx: Context, seals: bytes, consumer: bytes) -> Verified:
    books: Books = ctx.services.books
    found = books.opened(ctx.turn, seals, consumer)
    if found is None:
        raise Refusal("seals.none", "the notary keeps nothing that this organisation can read", consumer=consumer)
    return found


def _tell_person(ctx: Context, asked: CollectArguments, rule: str) -> None:
    """The contract has ended, and nobody says how: that is for a person."""
    held = ctx.turn.contract(asked.ref)
    summary = {
        "template": held.template.name if held else "", "transaction": (asked.ref.transaction or b"").hex(),
        "index": asked.ref.index, "rule": rule, "note": "a contract that binds you ended, and nobody told you how",
    }  # fmt: skip
    ctx.turn.put_inbox(
        InboxItem(
            id=f"unseen-{asked.consumer.hex()[:24]}-{asked.ref.index}", flow="", kind="ended-unseen", summary=summary,
            created_ms=ctx.now_ms, state="open", reason="",
        )
    )  # fmt: skip
