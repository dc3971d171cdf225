"""The flow that changes the ledger: interpret, prove claims, build, gather signatures, notarise, record, distribute."""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.time import Instant, Window
from interfirm.base.values import Value
from interfirm.contracts.types import Command, Create, Exercise
from interfirm.ledger import signing
from interfirm.ledger.builder import Draft
from interfirm.ledger.types import TransactionSignature
from interfirm.ledger.verification import Verified, check_signer
from interfirm.node.books import Books, Plan, consumed_by, inputs_of
from interfirm.node.flows.context import Cancelled, Context, Session
from interfirm.node.flows.finality import receipt_or_never
from interfirm.node.flows.messages import (
    ClaimsAsked,
    ClaimsProved,
    Declined,
    Delivery,
    Dropped,
    Given,
    Outcome,
    PrivateValue,
    Proposal,
    Reply,
    Wanted,
)
from interfirm.node.flows.respond import record, verified_view
from interfirm.node.services import Services
from interfirm.notary.wire import read_answer

LOCK_LEASE_MS = 10 * 60_000


class ExerciseArguments(Value, frozen=True):
    """What to do, and when it may be accepted: from `lower_ms` (None: any time) until `upper_ms` (None: the default).

    `unreachable` are confirmers not to wait for where a fallback is open. `note` is told to those who must sign.
    """

    commands: tuple[Command, ...]
    lower_ms: int | None = None
    upper_ms: int | None = None
    notary: bytes | None = None
    unreachable: tuple[bytes, ...] = ()
    note: str = ""


class Exercised(Value, frozen=True):
    """What came of it: the transaction's id, and the refs, templates and results of what it made."""

    transaction: bytes
    created: tuple[tuple[str, int], ...]
    result: Any


class _Start(Value, frozen=True):
    window: Window
    seed: bytes
    notary: bytes


async def exercise(ctx: Context, arguments: bytes) -> Exercised:
    """Carry commands out as one transaction; see ExerciseArguments. Raises the refusal of whoever said no."""
    asked = msgspec.msgpack.decode(arguments, type=ExerciseArguments)
    services: Services = ctx.services
    books = services.books
    with ctx.step("Interpret and lock"):
        planned: list[Plan] = []
        start = await ctx.once("start", lambda: _start(ctx, services, asked, planned), _Start)
        plan = planned[0] if planned else books.plan(ctx.turn, asked.commands, start.window)
    proofs = await claim_proofs(ctx, plan, asked.commands, start.window)
    with ctx.step("Build and sign"):
        draft = books.draft(
            plan, seed=start.seed, notary=start.notary, window=start.window, proofs=proofs,
            unreachable=asked.unreachable,
        )  # fmt: skip
        verified = _own_view(ctx, draft)
        own = await ctx.once("sign", lambda: _sign(books, draft), TransactionSignature | None)
    talks = {p: ctx.open(p, "respond") for p in draft.signers if p != books.keys.identity}
    try:
        # until the notary is asked, nobody but this node holds all signatures
        signatures = await _gather(ctx, draft, own, talks, asked.note)
    except Cancelled:
        await _drop(draft, talks, Refusal("flow.cancelled", "the proposer cancelled"))
        raise
    except Refusal as refusal:
        await _drop(draft, talks, refusal)
        raise
    receipt = await _notarise(ctx, draft, signatures, talks)
    with ctx.step("Record"):
        await ctx.once("record", lambda: _record(ctx, verified, receipt), None)
    with ctx.step("Distribute"):
        await _distribute(ctx, draft, talks, receipt)
    return _exercised(draft)


def _start(ctx: Context, services: Services, asked: ExerciseArguments, planned: list[Plan]) -> _Start:
    """Fix what must not change on replay, and lock the inputs softly; leaves the plan for who runs on at once."""
    upper = asked.upper_ms if asked.upper_ms is not None else ctx.now_ms + services.window_ms
    lower = None if asked.lower_ms is None else Instant(asked.lower_ms)
    window = Window(lower=lower, upper=Instant(upper))
    plan = services.books.plan(ctx.turn, asked.commands, window)
    planned.append(plan)
    for ref in consumed_by(plan.actions):
        stored = ctx.turn.contract(ref)
        if stored is not None and stored.status != "active":
            raise Refusal(
                "vault.not-active", "the contract is no longer active", template=stored.template.name,
                status=stored.status, consumer=stored.consumer,
            )  # fmt: skip
    ctx.turn.soft_lock(
        [ref for ref in consumed_by(plan.actions) if ctx.turn.contract(ref) is not None], ctx.flow,
        ctx.now_ms + LOCK_LEASE_MS, ctx.now_ms,
    )  # fmt: skip
    notary = asked.notary or services.books.notary_of(ctx.turn, plan, services.default_notary)
    services.books.directory.anchor(notary)
    return _Start(window=window, seed=services.random(32), notary=notary)


async def claim_proofs(
    ctx: Context, plan: Plan, commands: tuple[Command, ...], window: Window
) -> dict[bytes, dict[bytes, bytes]]:
    """Own claims are proved here; other owners are asked, who run the commands themselves first."""
    books: Books = ctx.services.books
    proofs: dict[bytes, dict[bytes, bytes]] = {}
    for owner, alphas in plan.claims.items():
        if owner == books.keys.identity:
            found = books.prove_claims(alphas)
        else:
            with ctx.step("Ask for proofs of claims"):
                found = await _ask_claims(ctx, owner, plan, commands, window)
        if len(found) != len(alphas):
            raise Refusal("ledger.claim-proof", "the claims' owner proved others", owner=owner)
        proofs[owner] = dict(zip(alphas, found, strict=True))
    return proofs


async def _ask_claims(
    ctx: Context, owner: bytes, plan: Plan, commands: tuple[Command, ...], window: Window
) -> tuple[bytes, ...]:
    """The owner's proofs; it is shown the inputs it will see anyway, and lacks, to run the commands itself."""
    books: Books = ctx.services.books
    if not all(owner in action.informees for action in plan.actions):
        raise Refusal("ledger.claim-proof", "the claims' owner does not see the whole of these commands", owner=owner)
    inputs = tuple(books.disclosure(ctx.turn, ref) for ref in inputs_of(plan.actions))
    talk = ctx.open(owner, "prove-claims")
    services: Services = ctx.services
    await talk.send(ClaimsAsked(commands=commands, window=window, inputs=inputs))
    reply = await talk.receive(ClaimsProved | Declined, until_ms=window.upper.ms, who=services.name_of(owner))
    if reply is None:
        raise Refusal("flow.no-answer", "the claims' owner did not answer in time", party=services.name_of(owner))
    if isinstance(reply, Declined):
        raise Refusal(reply.code, reply.reason, **reply.values)
    assert isinstance(reply, ClaimsProved)
    return reply.proofs


def _own_view(ctx: Context, draft: Draft) -> Verified | None:
    """What this organisation itself sees of the draft, verified like anybody's; None where it sees nothing."""
    books: Books = ctx.services.books
    me = books.keys.identity
    if me not in draft.tops:
        return None
    verified = verified_view(ctx, books.view(ctx.turn, draft, me), draft.id, ())
    if me in draft.signers:
        check_signer(verified, me)
        books.check_inputs_known(ctx.turn, verified)
    return verified


def _sign(books: Books, draft: Draft) -> TransactionSignature | None:
    """This organisation's own signature, where it is listed."""
    keys = books.keys
    return signing.sign(keys.signer, keys.identity, draft.id) if keys.identity in draft.signers else None


async def _gather(
    ctx: Context, draft: Draft, own: TransactionSignature | None, talks: dict[bytes, Session], note: str
) -> list[TransactionSignature]:
    """Propose to every other signer at once, then wait for each; the submitter of the request signs last by waiting."""
    services: Services = ctx.services
    signatures = [] if own is None else [own]
    with ctx.step("Gather signatures"), ctx.may_cancel():
        for party, talk in talks.items():
            await talk.send(_proposal(ctx, draft, party, note))
        for party, talk in talks.items():
            with ctx.step(f"Signature of {services.name_of(party)}"):
                signatures.append(await _signature(ctx, draft, party, talk))
    return signatures


def _proposal(ctx: Context, draft: Draft, party: bytes, note: str) -> Proposal:
    books: Books = ctx.services.books
    view = books.view(ctx.turn, draft, party)
    return Proposal(
        transaction=draft.id, view=view, history=books.history(ctx.turn, view, party),
        privates=privates_for(ctx, draft, party), note=note,
    )  # fmt: skip


async def _signature(ctx: Context, draft: Draft, party: bytes, talk: Session) -> TransactionSignature:
    services: Services = ctx.services
    until_ms = draft.header.window.upper.ms
    reply = await talk.receive(Reply, until_ms=until_ms, who=services.name_of(party))
    if isinstance(reply, Wanted):
        view = services.books.view(ctx.turn, draft, party)
        await talk.send(Given(history=services.books.history(ctx.turn, view, party, all_of_it=True)))
        reply = await talk.receive(Reply, until_ms=until_ms, who=services.name_of(party))
    if reply is None:
        raise Refusal("flow.no-answer", "a signer did not answer in time", party=services.name_of(party))
    if isinstance(reply, (Declined, Wanted)):
        code = reply.code if isinstance(reply, Declined) else "ledger.history"
        reason = reply.reason if isinstance(reply, Declined) else "the history given was not enough"
        raise Refusal("flow.declined", reason, party=services.name_of(party), rule=code)
    signature: TransactionSignature = reply.signature
    if signature.identity != party:
        raise Refusal("signature.identity", "signed as somebody else", party=services.name_of(party))
    signing.check_signature(signature, draft.id)
    return signature


async def _notarise(
    ctx: Context, draft: Draft, signatures: list[TransactionSignature], talks: dict[bytes, Session]
) -> bytes:
    """The receipt; the notary's refusal once it is sure that no copy of the request can still be accepted."""
    books: Books = ctx.services.books
    try:
        with ctx.step("Notarise"):
            request = books.request(ctx.turn, draft, signatures)
            answer = read_answer(await ctx.notary(draft.header.notary, request))
            books.check_receipt(answer.receipt, draft.id, draft.header.notary)
            return answer.receipt
    except Refusal as refusal:
        signed = books.keys.identity in draft.signers
        receipt = await receipt_or_never(ctx, draft.header, draft.id, signed=signed)
        if receipt:
            return receipt
        await _drop(draft, talks, refusal)
        raise


def _record(ctx: Context, verified: Verified | None, receipt: bytes) -> None:
    if verified is not None:
        record(ctx, verified, receipt)
    ctx.turn.release_locks(ctx.flow)


async def _distribute(ctx: Context, draft: Draft, talks: dict[bytes, Session], receipt: bytes) -> None:
    """Signers get the receipt; other informees get their view with it."""
    books: Books = ctx.services.books
    for talk in talks.values():
        await talk.send(Outcome(transaction=draft.id, receipt=receipt))
    for party in draft.informees:
        if party in talks or party == books.keys.identity:
            continue
        view = books.view(ctx.turn, draft, party)
        history = books.history(ctx.turn, view, party)
        privates = privates_for(ctx, draft, party)
        await ctx.open(party, "take-delivery").send(
            Delivery(transaction=draft.id, view=view, history=history, receipt=receipt, privates=privates)
        )


async def _drop(draft: Draft, talks: dict[bytes, Session], refusal: Refusal) -> None:
    for talk in talks.values():
        await talk.send(Dropped(transaction=draft.id, code=refusal.code, reason=refusal.message))


def privates_for(ctx: Context, draft: Draft, party: bytes) -> tuple[PrivateValue, ...]:
    """Values of private fields of the contracts made here of which the party is a stakeholder."""
    found = []
    for top in draft.tops.get(party, ()):
        for node in top.walk():
            if isinstance(node.action, Create) and party in node.action.informees:
                found.extend(ctx.services.privates_of(ctx.turn, node.action))
    return tuple(found)


def _exercised(draft: Draft) -> Exercised:
    """What a caller wants to know of its own transaction."""
    created = tuple((n.action.template.name, n.action.index) for n in draft.nodes if isinstance(n.action, Create))
    top = draft.roots[0].action
    return Exercised(transaction=draft.id, created=created, result=top.result if isinstance(top, Exercise) else None)
