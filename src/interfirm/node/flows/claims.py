"""Flows about claims: what a notary knows of the claims that commands would make, and being told when one is asked for.

A claim's hash is its owner's verifiable random output, so who is not the owner asks the owner first; the owner runs the
commands itself before it answers (see deliver.prove_claims).
"""

from __future__ import annotations

import msgspec

from interfirm.base import codec
from interfirm.base.time import Instant, Window
from interfirm.base.values import Value
from interfirm.contracts.types import Command, Create, walk
from interfirm.ledger import tree
from interfirm.node.books import Books
from interfirm.node.flows.context import Context
from interfirm.node.flows.exercise import claim_proofs
from interfirm.node.notices import watch_notary
from interfirm.node.services import Services
from interfirm.notary.types import Ask, Said, Subscribe, claim_key
from interfirm.notary.wire import read_answer


class LookArguments(Value, frozen=True):
    """The commands whose claims to look at."""

    commands: tuple[Command, ...]


class ClaimSeen(Value, frozen=True):
    """What the notary says of one claim: free or not, at a time; `statement` is its signed word."""

    family: str
    claim: bytes
    free: bool
    at_ms: int
    statement: bytes


async def look_at_claims(ctx: Context, arguments: bytes) -> tuple[ClaimSeen, ...]:
    """The state of every claim that commands would make, by its home notary's dated statement; nothing is changed."""
    asked = msgspec.msgpack.decode(arguments, type=LookArguments)
    return await claims_seen(ctx, asked.commands)


async def claims_seen(
    ctx: Context, commands: tuple[Command, ...], *, lower_ms: int | None = None, upper_ms: int | None = None
) -> tuple[ClaimSeen, ...]:
    """See look_at_claims; the commands are run in the window given."""
    services: Services = ctx.services
    books: Books = services.books
    upper = Instant(await ctx.now() + services.window_ms) if upper_ms is None else Instant(upper_ms)
    window = Window(lower=None if lower_ms is None else Instant(lower_ms), upper=upper)
    plan = books.plan(ctx.turn, commands, window)
    proofs = await claim_proofs(ctx, plan, commands, window)
    found = []
    with ctx.step("Ask the notary"):
        for action in walk(plan.actions):
            for key in action.claims if isinstance(action, Create) else ():
                beta = books.claim_output(key.owner, key.alpha, proofs[key.owner][key.alpha])
                claim = claim_key(key.owner, tree.claim_hash(key.owner, beta))
                said = read_answer(await ctx.notary(services.home_of(key.owner), Ask(kind="claim", subject=claim)))
                answer = said.answer
                assert isinstance(answer, Said)
                found.append(
                    ClaimSeen(
                        family=key.family, claim=claim, free=answer.answer is None, at_ms=answer.time.ms,
                        statement=codec.encode(said),
                    )
                )  # fmt: skip
    return tuple(found)


class WatchArguments(Value, frozen=True):
    """Claim hashes to be told about."""

    claims: tuple[bytes, ...]


async def watch_claims(ctx: Context, arguments: bytes) -> int:
    """Subscribe at the notary: from now on it tells when a proof of one of these taken claims is asked for."""
    asked = msgspec.msgpack.decode(arguments, type=WatchArguments)
    services: Services = ctx.services
    with ctx.step("Subscribe"):
        await ctx.once("watch", lambda: watch_notary(ctx.turn, services.default_notary), None)
        for claim in asked.claims:
            read_answer(await ctx.notary(services.default_notary, Subscribe(kind="claim", subject=claim)))
    return len(asked.claims)
