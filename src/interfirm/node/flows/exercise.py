"""The flow that changes the ledger: interpret, prove claims, build, gather signatures, notarise, record, distribute."""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.time import Instant, Window
from interfirm.base.values import Value
from interfirm.contracts.types import Command, Create, Exercise
from interfirm.ledger import signing
from interfirm.ledger.authority import scope_of
from interfirm.ledger.builder import Draft
from interfirm.ledger.seals import needs_seals
from interfirm.ledger.types import TransactionSignature
from interfirm.ledger.verification import Verified, check_signer
from interfirm.node.books import Books, Plan, consumed_by, inputs_of
from interfirm.node.flows.context import Cancelled, Context
from interfirm.node.flows.finality import accepted, receipt_or_never, word_or_outcome
from interfirm.node.flows.messages import (
    ClaimsAsked,
    ClaimsProved,
    Declined,
    Delivery,
    Dropped,
    Given,
    PrivateValue,
    Proposal,
    Reply,
    ReservationsAsked,
    Reserved,
    SignedReply,
    Wanted,
    Word,
    dropped,
)
from interfirm.node.flows.reservations import claims_away, reserve
from interfirm.node.flows.respond import record
from interfirm.node.flows.types import Outcome
from interfirm.node.services import Services

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
        seals = b""
        if needs_seals(draft):
            bare = draft
            seals = await ctx.once("seal", lambda: books.seals(ctx.turn, bare), bytes)
            draft = books.sealed(draft, seals)
        verified = _own_view(ctx, draft)
        own = await ctx.once("sign", lambda: _sign(books, draft), TransactionSignature | None)
    ctx.transaction = draft.id
    deal = Deal(ctx, draft, seals, own, asked.note)
    receipt = await deal.receipt()
    with ctx.step("Record"):
        await ctx.once("record", lambda: _record(ctx, verified, receipt), None)
    with ctx.step("Distribute"):
        await _distribute(ctx, draft, seals, receipt)
    return _exercised(draft)


def _start(ctx: Context, services: Services, asked: ExerciseArguments, planned: list[Plan]) -> _Start:
    """Fix what must not change on replay, and lock the inputs softly; leaves the plan for who runs on at once."""
    upper = asked.upper_ms if asked.upper_ms is not None else ctx.now_ms + services.window_ms
    lower = None if asked.lower_ms is None else Instant(asked.lower_ms)
    window = Window(lower=lower, upper=Instant(upper))
    plan = services.books.plan(ctx.turn, asked.commands, window)
    planned.append(plan)
    held = {ref: ctx.turn.contract(ref) for ref in consumed_by(plan.actions)}
    for stored in held.values():
        if stored is not None and stored.status != "active":
            raise Refusal(
                "vault.not-active", "the contract is no longer active", template=stored.template.name,
                status=stored.status, consumer=stored.consumer,
            )  # fmt: skip
    ctx.turn.soft_lock(
        [ref for ref, stored in held.items() if stored is not None], ctx.flow,
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
    verified = books.own_view(ctx.turn, draft)
    if me in draft.signers:
        check_signer(verified, me)
    return verified


def _sign(books: Books, draft: Draft) -> TransactionSignature | None:
    """This organisation's own signature, where it is listed."""
    keys = books.keys
    return signing.sign(keys.signer, keys.identity, draft.id) if keys.identity in draft.signers else None


class Deal:
    """Getting a draft signed by all and accepted: two ways, one receipt.

    Where one other signs and sees everything, it is the last signer: it gets this organisation's signature with the
    proposal and brings all to the notary, which tells both. Else the signatures are gathered here, and until the notary
    is asked nobody but this node holds all of them.
    """

    def __init__(self, ctx: Context, draft: Draft, seals: bytes, own: TransactionSignature | None, note: str) -> None:
        self.ctx, self.draft, self.seals, self.own, self.note = ctx, draft, seals, own, note
        self.services: Services = ctx.services
        self.books = self.services.books
        others = [party for party in draft.signers if party != self.books.keys.identity]
        self.talks = {party: ctx.open(party, "respond") for party in others}

    async def receipt(self) -> bytes:
        """The receipt, or the refusal of who said no once it is sure that the draft is never accepted."""
        last = self._last()
        if last is not None:
            return await self._through(last)
        try:
            signatures = await self._gather()
        except Cancelled:
            await self._drop(Refusal("flow.cancelled", "the proposer cancelled"))
            raise
        except Refusal as refusal:
            await self._drop(refusal)
            raise
        return await self._notarise(signatures)

    def _last(self) -> bytes | None:
        """The one other signer, where it sees all of the draft."""
        if self.own is None or len(self.talks) != 1:
            return None
        (party,) = self.talks
        return party if len(scope_of(self.draft.tops[party])) == len(self.draft.nodes) else None

    # the last signer submits ----------------------------------------------------------------------------------------

    async def _through(self, party: bytes) -> bytes:
        """Let the other sign and submit; from the proposal on, only the notary's word ends the matter."""
        assert self.own is not None
        try:
            with self.ctx.step("Gather signatures"), self.ctx.may_cancel():
                await self.talks[party].send(self._proposal(party, (self.own,)))
                with self.ctx.step(f"Signature of {self.services.name_of(party)}"):
                    word = await self._word(party)
            if isinstance(word, SignedReply):
                return await self._notarise([self.own, self._checked(word.signature, party)])
            return word.receipt
        except (Cancelled, Refusal) as reason:
            receipt = await receipt_or_never(self.ctx, self.draft.header, self.draft.id, signed=True)
            if receipt:
                return receipt
            cancelled = Refusal("flow.cancelled", "the proposer cancelled")
            await self._drop(reason if isinstance(reason, Refusal) else cancelled)
            raise

    async def _word(self, party: bytes) -> SignedReply | Outcome:
        """The receipt, or a signature from who leaves the submitting to this node; a refusal for everything else."""
        draft, who = self.draft, self.services.name_of(party)
        word = await word_or_outcome(self.ctx, self.talks[party], Word, draft.header, draft.id, who=who)
        if isinstance(word, Wanted):
            await self.talks[party].send(self._given(party))
            word = await word_or_outcome(self.ctx, self.talks[party], Word, draft.header, draft.id, who=who)
        if isinstance(word, Outcome):
            self.books.check_receipt(word.receipt, draft.id, draft.header.notary)
            return word
        if isinstance(word, Dropped):  # the notary's no to the last signer
            raise Refusal(word.code, word.reason, **word.values)
        if not isinstance(word, SignedReply):
            raise self._no(word, party)
        return word

    # signatures gathered here ---------------------------------------------------------------------------------------

    async def _gather(self) -> list[TransactionSignature]:
        """Propose to every other signer at once, then wait for each."""
        signatures = [] if self.own is None else [self.own]
        with self.ctx.step("Gather signatures"), self.ctx.may_cancel():
            for party, talk in self.talks.items():
                await talk.send(self._proposal(party))
            for party in self.talks:
                with self.ctx.step(f"Signature of {self.services.name_of(party)}"):
                    signatures.append(await self._signature(party))
        return signatures

    async def _signature(self, party: bytes) -> TransactionSignature:
        talk, who = self.talks[party], self.services.name_of(party)
        until_ms = self.draft.header.window.upper.ms
        reply = await talk.receive(Reply, until_ms=until_ms, who=who)
        if isinstance(reply, Wanted):
            await talk.send(self._given(party))
            reply = await talk.receive(Reply, until_ms=until_ms, who=who)
        if not isinstance(reply, SignedReply):
            raise self._no(reply, party)
        return self._checked(reply.signature, party)

    async def _notarise(self, signatures: list[TransactionSignature]) -> bytes:
        """The receipt; the notary's refusal once it is sure that no copy of the request can still be accepted."""
        ctx, draft = self.ctx, self.draft
        try:
            reservations = await self._reserved()
            with ctx.step("Notarise"):
                return await accepted(ctx, draft, signatures, seals=self.seals, reservations=reservations)
        except Refusal as refusal:
            receipt = await receipt_or_never(ctx, draft.header, draft.id, signed=self.own is not None)
            if receipt:
                return receipt
            await self._drop(refusal)
            raise

    async def _reserved(self) -> list[bytes]:
        """The statement of its home notary for each claim away from home, in their order; each owner gets its own."""
        away = claims_away(self.draft.nodes, self.draft.header.notary, self.services)
        found = {owner: iter(await self._reserved_by(owner)) for owner in dict.fromkeys(owner for owner, _ in away)}
        statements = [statement for owner, _ in away if (statement := next(found[owner], None)) is not None]
        if len(statements) != len(away):
            raise Refusal("claim.reservation", "a claims' owner has not reserved all of its claims", count=len(away))
        return statements

    async def _reserved_by(self, owner: bytes) -> tuple[bytes, ...]:
        if owner == self.books.keys.identity:
            return await reserve(self.ctx, self.draft.header, self.draft.id, self.draft.nodes)
        talk, who = self.talks[owner], self.services.name_of(owner)
        with self.ctx.step(f"Reservations of {who}"):
            await talk.send(ReservationsAsked())
            until_ms = self.draft.header.window.upper.ms
            reply = await talk.receive(Reserved | Declined, until_ms=until_ms, who=who)
        if reply is None:
            raise Refusal("flow.no-answer", "a claims' owner did not answer in time", party=who)
        if isinstance(reply, Declined):
            raise Refusal(reply.code, reply.reason, **reply.values)
        assert isinstance(reply, Reserved)
        return reply.statements

    # words ----------------------------------------------------------------------------------------------------------

    def _proposal(self, party: bytes, signatures: tuple[TransactionSignature, ...] = ()) -> Proposal:
        view = self.books.view(self.ctx.turn, self.draft, party)
        history = self.books.histories.for_draft(self.ctx.turn, self.draft, party)
        return Proposal(
            transaction=self.draft.id, view=view, history=history,
            privates=privates_for(self.ctx, self.draft, party), note=self.note, seals=self.seals,
            signatures=signatures,
        )  # fmt: skip

    def _given(self, party: bytes) -> Given:
        return Given(history=self.books.histories.for_draft(self.ctx.turn, self.draft, party, all_of_it=True))

    def _checked(self, signature: TransactionSignature, party: bytes) -> TransactionSignature:
        if signature.identity != party:
            raise Refusal("signature.identity", "signed as somebody else", party=self.services.name_of(party))
        signing.check_signature(signature, self.draft.id)
        return signature

    def _no(self, word: Declined | Wanted | None, party: bytes) -> Refusal:
        """What no signature means."""
        who = self.services.name_of(party)
        if word is None:
            return Refusal("flow.no-answer", "a signer did not answer in time", party=who)
        if isinstance(word, Wanted):
            return Refusal("flow.declined", "the history given was not enough", party=who, rule="ledger.history")
        return Refusal("flow.declined", word.reason, party=who, rule=word.code)

    async def _drop(self, refusal: Refusal) -> None:
        for talk in self.talks.values():
            await talk.send(dropped(self.draft.id, refusal))


def _record(ctx: Context, verified: Verified | None, receipt: bytes) -> None:
    if verified is not None:
        record(ctx, verified, receipt)


async def _distribute(ctx: Context, draft: Draft, seals: bytes, receipt: bytes) -> None:
    """Informees that did not sign get their view with the receipt; the notary sends it to those who did."""
    books: Books = ctx.services.books
    for party in draft.informees:
        if party in draft.signers or party == books.keys.identity:
            continue
        view = books.view(ctx.turn, draft, party)
        delivery = Delivery(
            transaction=draft.id, view=view, history=books.histories.for_draft(ctx.turn, draft, party), receipt=receipt,
            privates=privates_for(ctx, draft, party), seals=seals,
        )  # fmt: skip
        await ctx.open(party, "take-delivery").send(delivery)


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
