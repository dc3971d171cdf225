"""Change of notary: a contract is locked where it lives, imported elsewhere, and all stakeholders follow.

Whoever holds the terms that the confirmers signed can carry a move to its end: the notaries give their receipts to
whoever asks, and each request is harmless when it comes twice. So each confirmer does, where the one who asked does
not, and no crash or silence leaves a contract locked for longer than the other notary is silent.
"""

from __future__ import annotations

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef, Create
from interfirm.ledger import signing
from interfirm.ledger.moves import Terms, import_id
from interfirm.ledger.types import ConfirmersOpening, TransactionSignature
from interfirm.node.books import Books
from interfirm.node.flows.context import Cancelled, Context, Session
from interfirm.node.flows.finality import GRACE_MS, said_in
from interfirm.node.flows.messages import Declined, LockAsked, LockSigned, Moved, dropped
from interfirm.node.flows.respond import WatchedContracts
from interfirm.node.flows.types import AskedFlow
from interfirm.node.moves import terms_of
from interfirm.node.services import Services
from interfirm.notary.moves.machine import LOCK
from interfirm.notary.types import Ask, Finish, Import, Lock, Said, Unlock, Withdraw
from interfirm.notary.wire import expect, read_answer

CHANGE = "change-notary"
"""The name of the flow, and of the choice that a policy's rule decides about."""


class MoveArguments(Value, frozen=True):
    """Which contract to move to which notary, and until when the other notary may take it (None: the default)."""

    ref: ContractRef
    to: bytes
    until_ms: int | None = None
    note: str = ""


class HasMoved(Value, frozen=True):
    """Where the contract lives now and as what; `left` is why its lock was not ended at the old notary, or empty."""

    ref: tuple[bytes, int]
    notary: bytes
    lock: bytes
    left: str = ""


class _Begun(Value, frozen=True):
    """What must not change on replay: the terms as a block, and the receipt of the lock where it is locked already."""

    terms: bytes
    receipt: bytes = b""


async def change_notary(ctx: Context, arguments: bytes) -> HasMoved:
    """Move a contract to another notary; a move of it that was left locked is carried on.

    Raises Refusal `move.*`, the refusal of whoever said no, and `move.undone` where the other notary took nothing in
    time and the contract can be used again where it was.
    """
    asked = msgspec.msgpack.decode(arguments, type=MoveArguments)
    with ctx.step("Check the contract"):
        begun = await ctx.once("begin", lambda: _begin(ctx, asked), _Begun)
    terms, receipt = codec.decode(begun.terms, Terms), begun.receipt
    move = Moving(ctx, terms)
    talks: dict[bytes, Session] = {}
    if not receipt:
        await _ask_the_other(ctx, terms)
        talks = {party: ctx.open(party, "sign-lock") for party in move.others(move.described.confirmers.parties)}
        receipt = await _locked(move, talks, asked.note)
    return await to_the_end(move, receipt, talks)


def _begin(ctx: Context, asked: MoveArguments) -> _Begun:
    """Fix the terms and lock the contract softly, or find those under which it is locked already."""
    services: Services = ctx.services
    books, turn = services.books, ctx.turn
    disclosure, held = books.disclosure(turn, asked.ref), turn.contract(asked.ref)
    if held is None:
        raise Refusal("move.stranger", "only a stakeholder of a contract moves it", index=asked.ref.index)
    for known in turn.moves_from(asked.ref):
        if known.status == "locked" and known.target == asked.to:
            return _Begun(terms=codec.encode(terms_of(known, disclosure.entry.confirmers)), receipt=known.lock_receipt)
    if held.status != "active":
        raise Refusal(
            "vault.not-active", "the contract is no longer active", template=held.template.name, status=held.status,
            consumer=held.consumer,
        )  # fmt: skip
    check(len(disclosure.moves) < LIMITS.moves_count_max, "ledger.move", "too many moves",
          count_max=LIMITS.moves_count_max)  # fmt: skip
    until_ms = asked.until_ms if asked.until_ms is not None else ctx.now_ms + services.window_ms
    terms = Terms(
        origin=held.notary, ref=asked.ref, to=asked.to, until=Instant(until_ms), nonce=services.random(32),
        commitment=disclosure.entry.confirmers,
    )  # fmt: skip
    check_terms(ctx, terms)
    turn.soft_lock([asked.ref], ctx.flow, until_ms, ctx.now_ms)
    return _Begun(terms=codec.encode(terms))


def check_terms(ctx: Context, terms: Terms) -> None:
    """Refuse (`move.*`, `directory.*`) a target that cannot be or is not trusted, and a time that is past or too far.

    A notary of one organisation alone takes what binds nobody else, and what the others have named it for.
    """
    books: Books = ctx.services.books
    check(terms.to != terms.origin, "move.same", "a contract moves to another notary", notary=terms.to)
    books.check_trusted(terms.to)
    bound = set(books.described(ctx.turn, terms.ref).signatories) - {books.directory.operator(terms.to)}
    if books.directory.operator(terms.to) is not None and bound and terms.to not in books.named:
        raise Refusal(
            "move.own-notary", "an organisation's own notary is not for contracts that bind others",
            notary=terms.to, bound=sorted(bound),
        )  # fmt: skip
    left_ms = terms.until.ms - ctx.now_ms
    if not 0 < left_ms <= LIMITS.window_ms_max:
        raise Refusal("move.time", "the other notary's time to take it has passed, or ends too far ahead",
                      until=terms.until, now=Instant(ctx.now_ms), ms_max=LIMITS.window_ms_max)  # fmt: skip


async def _ask_the_other(ctx: Context, terms: Terms) -> None:
    """Refuse before anything is locked where the other notary's time, which alone counts, has passed."""
    services: Services = ctx.services
    with ctx.step(f"Ask {services.name_of(terms.to)}"), ctx.may_cancel():
        said = expect(read_answer(await ctx.notary(terms.to, Ask(kind="imported", subject=terms.lock))), Said)
    check(said.time < terms.until, "move.time", "the other notary's time to take it has passed", until=terms.until,
          now=said.time)  # fmt: skip


async def _locked(move: Moving, talks: dict[bytes, Session], note: str) -> bytes:
    """The receipt of the lock, or the refusal of who said no once the lock can no longer come to be."""
    ctx, terms = move.ctx, move.terms
    try:
        signatures = await _gather(move, talks, note)
    except (Cancelled, Refusal) as reason:
        await _drop(terms, talks, reason)
        raise
    try:
        with ctx.step(f"Lock at {move.name_of(terms.origin)}"):
            request = await ctx.once("lock", lambda: codec.encode(move.lock_request(signatures)), bytes)
            receipt = read_answer(await ctx.notary(terms.origin, codec.decode(request, Lock))).receipt
            move.books.check_receipt(receipt, terms.lock, terms.origin)
    except Refusal as refusal:  # a copy of the request may come later and be accepted
        receipt = await move.lock_or_never() if move.confirms else b""
        if not receipt:
            await _drop(terms, talks, refusal)
            raise
    await ctx.once("locked", lambda: move.books.moves.locked(ctx.turn, terms, receipt, ctx.now_ms), None)
    return receipt


async def _drop(terms: Terms, talks: dict[bytes, Session], reason: Cancelled | Refusal) -> None:
    """Tell who was asked that nothing comes of it; each takes its signature back."""
    refusal = reason if isinstance(reason, Refusal) else Refusal("flow.cancelled", "the asker cancelled")
    for talk in talks.values():
        await talk.send(dropped(terms.lock, refusal))


async def _gather(move: Moving, talks: dict[bytes, Session], note: str) -> list[TransactionSignature]:
    """The signatures of all confirmers over the lock; the refusal of the first that says no."""
    ctx, terms = move.ctx, move.terms
    with ctx.step("Gather signatures"), ctx.may_cancel():
        way = move.books.moves.way_of(ctx.turn, terms.ref)
        for talk in talks.values():
            await talk.send(LockAsked(terms=terms, way=way, note=note))
        signatures = [move.signed()] if move.confirms else []
        for party, talk in talks.items():
            with ctx.step(f"Signature of {move.name_of(party)}"):
                who = move.name_of(party)
                reply = await talk.receive(LockSigned | Declined, until_ms=terms.until.ms, who=who)
            if reply is None:
                raise Refusal("flow.no-answer", "a signer did not answer in time", party=who)
            if isinstance(reply, Declined):
                raise Refusal("flow.declined", reply.reason, party=who, rule=reply.code)
            check(reply.signature.identity == party, "signature.identity", "signed as somebody else", party=who)
            signing.check_signature(reply.signature, terms.lock, purpose=LOCK)
            signatures.append(reply.signature)
    return signatures


async def to_the_end(move: Moving, receipt: bytes, talks: dict[bytes, Session]) -> HasMoved:
    """From the lock to the arrival, which all stakeholders are told of, or back; see `change_notary`."""
    ctx, terms = move.ctx, move.terms
    arrival = await move.imported_or_never(receipt)
    if not arrival:
        await ctx.once("undone", lambda: move.books.moves.undone(ctx.turn, terms), None)
        refusal = Refusal("move.undone", "the other notary took nothing in time; the contract stays where it was",
                          notary=terms.to, until=terms.until)  # fmt: skip
        await _drop(terms, talks, refusal)
        raise refusal
    with ctx.step("Record"):
        await ctx.once("moved", lambda: _record(ctx, move, receipt, arrival), None)
    with ctx.step("Tell the stakeholders"):
        word = Moved(way=move.books.moves.way_of(ctx.turn, terms.arrived))
        for party in move.others(move.stakeholders):
            talk = talks.get(party) or ctx.open(party, "take-move")
            await talk.send(word)
    left = await move.finished(arrival)
    assert terms.arrived.transaction is not None
    return HasMoved(ref=(terms.arrived.transaction, 0), notary=terms.to, lock=terms.lock, left=left)


def _record(ctx: Context, move: Moving, receipt: bytes, arrival: bytes) -> None:
    ref = move.books.moves.moved(ctx.turn, move.terms, receipt, arrival, ctx.now_ms)
    watch(ctx, [ref])


def watch(ctx: Context, refs: list[ContractRef]) -> None:
    """Of contracts that arrived and bind this organisation without asking it, the new notary is asked to tell."""
    services: Services = ctx.services
    for ref in refs:
        if services.books.records.bound_unasked_there(ctx.turn, ref):
            held = ctx.turn.contract(ref)
            assert held is not None
            watched = msgspec.msgpack.encode(WatchedContracts(notary=held.notary, refs=(ref,)))
            name = f"watch-{(ref.transaction or b'').hex()}-moved"
            services.start_flow(AskedFlow(id=name, kind="watch-contracts", arguments=watched))


class Moving:
    """A move under way: what its terms mean to this organisation, and the requests that carry it on."""

    def __init__(self, ctx: Context, terms: Terms) -> None:
        self.ctx, self.terms = ctx, terms
        self.services: Services = ctx.services
        self.books = self.services.books
        self.me = self.books.keys.identity
        self.name_of = self.services.name_of
        self.described: Create = self.books.described(ctx.turn, terms.ref)

    @property
    def confirms(self) -> bool:
        """Whether this organisation is one of those that sign."""
        return self.me in self.described.confirmers.parties

    @property
    def stakeholders(self) -> tuple[bytes, ...]:
        """Who holds the contract."""
        described = self.described
        parties = (*described.signatories, *described.observers, *described.confirmers.parties)
        return tuple(dict.fromkeys(parties))

    def others(self, parties: tuple[bytes, ...]) -> list[bytes]:
        """These parties without this organisation."""
        return [party for party in parties if party != self.me]

    def signed(self) -> TransactionSignature:
        """This organisation's signature over the lock."""
        return signing.sign(self.books.keys.signer, self.me, self.terms.lock, purpose=LOCK)

    def lock_request(self, signatures: list[TransactionSignature]) -> Lock:
        """What locks the contract where it is."""
        terms, salt = self.terms, self.books.disclosure(self.ctx.turn, self.terms.ref).confirmers_salt
        opening = ConfirmersOpening(entry=0, salt=salt, confirmers=self.described.confirmers)
        return Lock(
            ref=terms.ref, to=terms.to, until=terms.until, nonce=terms.nonce, opening=opening,
            signatures=tuple(signatures),
        )  # fmt: skip

    async def lock_or_never(self) -> bytes:
        """The receipt of the lock; empty once there never will be one, because this organisation's signature is back.

        While the notary does neither, it is asked again: a refusal of one request says nothing of another.
        """
        keys, terms = self.books.keys, self.terms
        with self.ctx.step("Make sure of the lock"):
            while True:
                signature = signing.sign(keys.signer, self.me, terms.lock, purpose=signing.WITHDRAWAL)
                try:
                    read_answer(
                        await self.ctx.notary(terms.origin, Withdraw(transaction=terms.lock, signature=signature))
                    )
                except Refusal as refusal:
                    receipt = await self.lock_receipt()
                    if receipt:
                        return receipt
                    if refusal.code.startswith("registry."):
                        return b""  # whose key counts no longer has signed nothing that counts
                else:
                    return b""
                await self.ctx.sleep_until(await self.ctx.now() + GRACE_MS)

    async def lock_receipt(self) -> bytes:
        """The receipt of the lock where the notary shows one now."""
        return await self._receipt(self.terms.origin, self.terms.lock)

    async def imported_or_never(self, lock_receipt: bytes) -> bytes:
        """The receipt of the import, which others may have asked for too; empty once the lock is undone.

        Raises the refusal of the old notary where it does not believe the other's word: the contract stays locked.
        """
        ctx, terms = self.ctx, self.terms
        with ctx.step(f"Import at {self.name_of(terms.to)}"):
            request = Import(
                origin=terms.origin, ref=terms.ref, until=terms.until, nonce=terms.nonce,
                commitment=terms.commitment, receipt=lock_receipt,
            )  # fmt: skip
            try:
                receipt = read_answer(await ctx.notary(terms.to, request)).receipt
                self.books.check_receipt(receipt, import_id(terms.lock), terms.to)
                return receipt
            except Refusal:
                pass  # whether it was imported is for the notary's dated word to say
        with ctx.step("Make sure of the import"):
            while True:
                receipt = await self._receipt(terms.to, import_id(terms.lock))
                if receipt:
                    return receipt
                statement = await self._never_imported()
                if statement:
                    break
                await ctx.sleep_until(max(terms.until.ms, await ctx.now()) + GRACE_MS)
        with ctx.step(f"Unlock at {self.name_of(terms.origin)}"):
            read_answer(await ctx.notary(terms.origin, Unlock(lock=terms.lock, statement=statement)))
        return b""

    async def _never_imported(self) -> bytes:
        """The other notary's signed word that nothing was imported and never will be, where it gives it now."""
        terms = self.terms
        answered = read_answer(await self.ctx.notary(terms.to, Ask(kind="imported", subject=terms.lock)))
        said = said_in(self.books, answered, terms.to)
        asked = (said.kind, said.subject) == ("imported", terms.lock)
        return answered.statement if asked and said.answer is None and said.time >= terms.until else b""

    async def _receipt(self, notary: bytes, name: bytes) -> bytes:
        """The receipt of an id where the notary has accepted it and shows so now."""
        try:
            answered = read_answer(await self.ctx.notary(notary, Ask(kind="accepted", subject=name)))
            if expect(answered, Said).answer is None:
                return b""
            self.books.check_receipt(answered.receipt, name, notary)
        except Refusal:
            return b""
        return answered.receipt

    async def finished(self, import_receipt: bytes) -> str:
        """End the lock at the old notary; the code of its refusal, or empty. The contract is usable at the new one."""
        ctx, terms = self.ctx, self.terms
        with ctx.step(f"Finish at {self.name_of(terms.origin)}"):
            try:
                read_answer(await ctx.notary(terms.origin, Finish(lock=terms.lock, receipt=import_receipt)))
            except Refusal as refusal:
                return refusal.code
        return ""
