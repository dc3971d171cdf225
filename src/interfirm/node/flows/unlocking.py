"""A lock whose terms were lost: the contract is usable again once the other notary's word is that it took nothing.

Only who knows the terms can have a contract imported. Where the one confirmer that knew them lost its database in
between, the notary of the lock still says for which notary and until when, and that is enough to undo it.
"""

from __future__ import annotations

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef
from interfirm.node.flows.context import Context
from interfirm.node.flows.finality import GRACE_MS, said_in
from interfirm.node.services import Services
from interfirm.notary.types import Ask, Said, Unlock, ref_key
from interfirm.notary.wire import expect, read_answer

UNLOCKED, ELSEWHERE, ENDED = "unlocked", "elsewhere", "ended"


class LockedContract(Value, frozen=True):
    """A contract that is locked at a notary; arguments of the flow `undo-lock`."""

    notary: bytes
    ref: ContractRef


async def undo_lock(ctx: Context, arguments: bytes) -> str:
    """Wait until nothing can be imported any more, and unlock; `elsewhere` where it was, `ended` without a lock."""
    locked = msgspec.msgpack.decode(arguments, type=LockedContract)
    services: Services = ctx.services
    asked = Ask(kind="lock", subject=ref_key(locked.ref))
    terms = expect(read_answer(await ctx.notary(locked.notary, asked)), Said).answer
    if terms is None:
        return ENDED
    name, to, until_ms = terms
    with ctx.step(f"Make sure that {services.name_of(to)} took nothing"):
        statement = await _never_imported(ctx, name, to, until_ms)
    if not statement:
        return ELSEWHERE
    with ctx.step(f"Unlock at {services.name_of(locked.notary)}"):
        read_answer(await ctx.notary(locked.notary, Unlock(lock=name, statement=statement)))
        await ctx.once("unlocked", lambda: _unlocked(ctx, locked.ref), None)
    return UNLOCKED


async def _never_imported(ctx: Context, lock: bytes, to: bytes, until_ms: int) -> bytes:
    """The other notary's word that it imported nothing and never will; empty where it did."""
    while True:
        try:
            answered = read_answer(await ctx.notary(to, Ask(kind="imported", subject=lock)))
            said = said_in(ctx.services.books, answered, to)
        except Refusal:  # it says nothing that holds now
            await ctx.sleep_until(await ctx.now() + GRACE_MS)
            continue
        if (said.kind, said.subject) == ("imported", lock):
            if said.answer is not None:
                return b""
            if said.time.ms >= until_ms:
                return answered.statement
        await ctx.sleep_until(max(until_ms, await ctx.now()) + GRACE_MS)


def _unlocked(ctx: Context, ref: ContractRef) -> None:
    held = ctx.turn.contract(ref)
    if held is not None and held.status == "locked":
        ctx.turn.set_contract_status(ref, "active")
