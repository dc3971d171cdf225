"""Unspent recovery: a node that lost its database makes its books again from its peers' words and the notaries'.

Peers give what they share with this organisation, every part of which is verified; the notaries say, dated and signed,
of each contract that was told whether it can still be consumed. What nobody says cannot be proved absent. The report
names the organisations that did not answer or whose words did not hold: what is shared with them alone can be lacking,
and so can what nobody else holds, or what the only other holder leaves out without a trace.
"""

from __future__ import annotations

from functools import partial
from typing import TypeVar

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef
from interfirm.node.books import Books
from interfirm.node.flows.context import Context, Session
from interfirm.node.flows.deliver import ANSWER_MS_MAX, PAGE, give_page, take_again
from interfirm.node.flows.finality import receipt_or_never, said_in
from interfirm.node.flows.messages import (
    Declined,
    Delivery,
    MovesGiven,
    MoveWanted,
    TransactionsGiven,
    TransactionWanted,
)
from interfirm.node.flows.moves import watch
from interfirm.node.flows.respond import record
from interfirm.node.flows.types import AskedFlow
from interfirm.node.flows.unlocking import LockedContract
from interfirm.node.moves import Way
from interfirm.node.services import Services
from interfirm.node.vault.types import StoredContract
from interfirm.notary.types import Ask, Said, ref_key
from interfirm.notary.uniqueness.machine import consumer_hash
from interfirm.notary.wire import Collect, Collected, expect, read_answer

T = TypeVar("T")
WORDS = "recovered-words"
"""Under a contract's ref: the notary's statement that it was unspent when the books were made again."""
HELD_MAX = 100_000


class RebuildArguments(Value, frozen=True):
    """Whom to ask, and how long a silent one is waited for."""

    peers: tuple[bytes, ...]
    wait_ms: int = 60_000


class Told(Value, frozen=True):
    """What came of asking one organisation: `answered`, `silent` or `refused`, and the codes of what did not hold."""

    peer: bytes
    answer: str
    recorded: int
    refused: dict[str, int]


class Lacking(Value, frozen=True):
    """A contract that is known to have ended, or to be locked, and not how; `ask` are those who know."""

    ref: tuple[bytes, int]
    template: str
    state: str
    ask: tuple[bytes, ...]


class Rebuilt(Value, frozen=True):
    """What was recovered. `unspent` contracts are each proved so by their notary's word, kept under `WORDS`.

    `complete` says that everybody answered, that all that was said held, and that of nothing that was told the end is
    lacking. Every contract with a holder that answered truthfully is there; see the module for what may not be.
    """

    told: tuple[Told, ...]
    unspent: int
    lacking: tuple[Lacking, ...]
    uncovered: tuple[bytes, ...]
    complete: bool


async def rebuild(ctx: Context, arguments: bytes) -> Rebuilt:
    """Ask everybody for what they share with this organisation, then the notaries what of it is unspent."""
    asked = msgspec.msgpack.decode(arguments, type=RebuildArguments)
    heard = {peer: _Heard() for peer in asked.peers}
    until_ms = await ctx.now() + asked.wait_ms
    await _pages(ctx, heard, until_ms)
    with ctx.step("Record what was lacking something"):
        for each in heard.values():
            await each.again(ctx)
    await _ways(ctx, heard, until_ms)
    unspent, lacking = await _judge(ctx, heard)
    told = tuple(each.told(peer) for peer, each in heard.items())
    uncovered = tuple(each.peer for each in told if each.answer != "answered" or each.refused)
    return Rebuilt(
        told=told, unspent=unspent, lacking=lacking, uncovered=uncovered, complete=not uncovered and not lacking
    )


class _Heard:
    """What one organisation has said so far."""

    def __init__(self) -> None:
        self.answer = "silent"
        self.recorded = 0
        self.refused: dict[str, int] = {}
        self.left: list[Delivery] = []

    async def take(self, ctx: Context, delivery: Delivery) -> None:
        """Record a delivery; one that lacks what another may tell is kept for later."""
        try:
            await ctx.once("record", partial(take_again, ctx, delivery), None)
            self.recorded += 1
        except Refusal:
            self.left.append(delivery)

    async def again(self, ctx: Context) -> None:
        """Record what was left, now that everybody has spoken; what still does not hold counts against who said it."""
        left, self.left = self.left, []
        for delivery in left:
            try:
                await ctx.once("record", partial(take_again, ctx, delivery), None)
                self.recorded += 1
            except Refusal as refusal:
                self.count(refusal)

    def count(self, refusal: Refusal) -> None:
        """Something that was said does not hold."""
        self.refused[refusal.code] = self.refused.get(refusal.code, 0) + 1

    def told(self, peer: bytes) -> Told:
        """The report."""
        return Told(peer=peer, answer=self.answer, recorded=self.recorded, refused=self.refused)


async def _pages(ctx: Context, heard: dict[bytes, _Heard], until_ms: int) -> None:
    """All transactions that each organisation shares with this one; all are asked before anybody is waited for."""
    services: Services = ctx.services
    talks = {peer: ctx.open(peer, "give-again") for peer in heard}
    for talk in talks.values():
        await talk.send(TransactionWanted(after=b""))
    for peer, talk in talks.items():
        with ctx.step(f"Recover from {services.name_of(peer)}"):
            said, who = heard[peer], services.name_of(peer)
            given = await _received(ctx, talk, TransactionsGiven, until_ms, said, who)
            while given is not None:
                said.answer = "answered"
                for delivery in given.deliveries:
                    await said.take(ctx, delivery)
                if not given.after:
                    break
                more = ctx.open(peer, "give-again")
                await more.send(TransactionWanted(after=given.after))
                given = await _received(ctx, more, TransactionsGiven, await ctx.now() + ANSWER_MS_MAX, said, who)
                if given is None:
                    said.answer = "silent"


async def _received(ctx: Context, talk: Session, kind: type[T], until_ms: int, said: _Heard, who: str) -> T | None:
    """The next page; None, with the reason counted, where there is none."""
    try:
        reply = await talk.receive(kind | Declined, until_ms=until_ms, who=who)
    except Refusal as refusal:  # a page that cannot be read
        said.count(refusal)
        return None
    if isinstance(reply, Declined):
        said.answer = "refused"
        said.count(Refusal(reply.code, reply.reason))
        return None
    assert reply is None or isinstance(reply, kind)
    return reply


async def _ways(ctx: Context, heard: dict[bytes, _Heard], until_ms: int) -> None:
    """Where the contracts have moved that each organisation that answered shares with this one."""
    services: Services = ctx.services
    talks = {peer: ctx.open(peer, "give-moves") for peer, said in heard.items() if said.answer == "answered"}
    for talk in talks.values():
        await talk.send(MoveWanted(after=b""))
    for peer, talk in talks.items():
        said, who = heard[peer], services.name_of(peer)
        with ctx.step(f"Follow moves as {who} knows them"):
            deadline_ms = max(until_ms, await ctx.now() + ANSWER_MS_MAX)
            given = await _received(ctx, talk, MovesGiven, deadline_ms, said, who)
            while given is not None:
                for way in given.ways:
                    try:
                        await ctx.once("follow", partial(_follow, ctx, way, peer), None)
                    except Refusal as refusal:
                        said.count(refusal)
                if not given.after:
                    break
                more = ctx.open(peer, "give-moves")
                await more.send(MoveWanted(after=given.after))
                given = await _received(ctx, more, MovesGiven, await ctx.now() + ANSWER_MS_MAX, said, who)
            else:
                said.answer = "silent"


def _follow(ctx: Context, way: Way, teller: bytes) -> None:
    watch(ctx, ctx.services.books.moves.follow(ctx.turn, way, ctx.now_ms, by=teller))


# what the notaries say ------------------------------------------------------------------------------------------------


async def _judge(ctx: Context, heard: dict[bytes, _Heard]) -> tuple[int, tuple[Lacking, ...]]:
    """How many contracts their notaries say are unspent, and those that are not and nobody said why."""
    unspent, lacking = 0, []
    asked = set[tuple[bytes, int]]()
    with ctx.step("Ask the notaries what is unspent"):
        while refs := [name for name in await _held_now(ctx) if name not in asked]:
            asked.update(refs)  # what is recorded on the way may have made others
            for name in refs:
                ref = ContractRef(*name)
                notary = await ctx.once("where", partial(_where, ctx, ref), bytes)
                if not notary:
                    continue  # what was recorded meanwhile has ended it
                state = await _state(ctx, notary, ref)
                if state == "unspent":
                    unspent += 1
                elif state:
                    lacking.append(await ctx.once("lacking", partial(_lacking, ctx, ref, state), Lacking))
    return unspent, tuple(lacking)


async def _held_now(ctx: Context) -> tuple[tuple[bytes, int], ...]:
    return await ctx.once("held", partial(_held, ctx), tuple[tuple[bytes, int], ...])


def _held(ctx: Context) -> tuple[tuple[bytes, int], ...]:
    """All contracts that may be unspent as far as anybody has said."""
    found: list[tuple[bytes, int]] = []
    for code in ctx.services.books.engine.templates():
        for status in ("active", "locked"):
            after: str | None = None
            while True:
                page = ctx.turn.select(code.id, status=status, after=after, limit=1_000)
                found.extend((row.ref.transaction or b"", row.ref.index) for row in page.rows)
                after = page.next_cursor
                if after is None or len(found) > HELD_MAX:
                    break
    return tuple(dict.fromkeys(found))


def _where(ctx: Context, ref: ContractRef) -> bytes:
    held = ctx.turn.contract(ref)
    return b"" if held is None or held.status == "consumed" else held.notary


async def _state(ctx: Context, notary: bytes, ref: ContractRef) -> str:
    """`unspent`, `locked`, `ended`, `unknown`; empty where what is sealed told how it ended, which was recorded."""
    key = ref_key(ref)
    said, statement = await _word(ctx, notary, "unspent", key)
    if said.answer is True:
        await ctx.once("word", partial(_proved, ctx, ref, statement), None)
        return "unspent"
    await ctx.once("unusable", partial(_unusable, ctx, ref), None)
    if said.answer is None:
        return "unknown"
    ended, _ = await _word(ctx, notary, "consumer", key)
    if ended.answer is None:
        await ctx.once("undo", partial(_undo, ctx, notary, ref), None)
        return "locked"
    return "" if await _collected(ctx, notary, bytes(ended.answer)) else "ended"


async def _word(ctx: Context, notary: bytes, kind: str, key: bytes) -> tuple[Said, bytes]:
    """What a notary says of a ref, signed or proved; Refusal `recovery.word` for a word of something else."""
    answered = read_answer(await ctx.notary(notary, Ask(kind=kind, subject=key)))
    said = said_in(ctx.services.books, answered, notary)
    if (said.kind, said.subject) != (kind, key):
        raise Refusal("recovery.word", "the notary's word is about something else", kind=said.kind)
    return said, answered.statement


def _undo(ctx: Context, notary: bytes, ref: ContractRef) -> None:
    """Have the lock undone in time, where nobody carries the move to its end."""
    services: Services = ctx.services
    arguments = msgspec.msgpack.encode(LockedContract(notary=notary, ref=ref))
    services.start_flow(AskedFlow(id=f"{ctx.flow}-{ref_key(ref).hex()}", kind="undo-lock", arguments=arguments))


def _proved(ctx: Context, ref: ContractRef, statement: bytes) -> None:
    ctx.turn.blob_put(WORDS, codec.encode(ref), statement)
    held = ctx.turn.contract(ref)
    if held is not None and held.status == "locked":
        ctx.turn.set_contract_status(ref, "active")


def _unusable(ctx: Context, ref: ContractRef) -> None:
    held = ctx.turn.contract(ref)
    if held is not None and held.status == "active":
        ctx.turn.set_contract_status(ref, "locked")


async def _collected(ctx: Context, notary: bytes, consumer: bytes) -> bool:
    """Whether what the notary keeps sealed for this organisation says how a contract ended; it is recorded."""
    books: Books = ctx.services.books
    try:
        seals = expect(read_answer(await ctx.notary(notary, Collect(consumer))), Collected).seals
        verified = books.opened(ctx.turn, seals, consumer)
        if verified is None:
            return False
        assert consumer_hash(verified.id) == consumer
        receipt = await receipt_or_never(ctx, verified.view.header, verified.id, signed=False)
        await ctx.once("record", lambda: record(ctx, verified, receipt), None)
    except Refusal:
        return False
    return True


def _lacking(ctx: Context, ref: ContractRef, state: str) -> Lacking:
    held = ctx.turn.contract(ref)
    assert held is not None
    books: Books = ctx.services.books
    described = books.described(ctx.turn, ref)
    known = dict.fromkeys((*described.signatories, *described.observers, *described.confirmers.parties))
    return Lacking(
        ref=(ref.transaction or b"", ref.index), template=held.template.name, state=state,
        ask=tuple(party for party in known if party != books.keys.identity),
    )  # fmt: skip


# what others are asked ------------------------------------------------------------------------------------------------


async def give_moves(ctx: Context, arguments: bytes) -> int:
    """Tell a peer again where the contracts went that it is a stakeholder of, a page at a time."""
    return len((await give_page(ctx, arguments, MoveWanted, _page)).ways)


def _page(ctx: Context, after: bytes, peer: bytes) -> MovesGiven:
    books: Books = ctx.services.books
    page = ctx.turn.moves(after=after, limit=PAGE)
    ways = []
    for move in page:
        held = ctx.turn.contract(ContractRef(move.lock, 0)) if move.status == "moved" else None
        if held is not None and _is_for(ctx, held, peer):
            ways.append(books.moves.way_of(ctx.turn, held.ref))
    return MovesGiven(ways=tuple(ways), after=page[-1].lock if len(page) == PAGE else b"")


def _is_for(ctx: Context, held: StoredContract, peer: bytes) -> bool:
    described = ctx.services.books.described(ctx.turn, held.ref)
    return peer in (*described.signatories, *described.observers, *described.confirmers.parties)
