"""Comparing books: two organisations compare what they share, by hashes, and find where they differ.

What is compared are the contracts in use at one time of which both are stakeholders. Each is counted in one of 256
buckets by the first byte of the id of the transaction that made it, so that a vault finds a bucket by the index that it
has anyway. A bucket's commitment is the sum (modulo 2^256) of the hashes in it, which does not depend on the order in
which each side learned of them. Only buckets that differ are listed, until enough was found to look into. It finds what
was lost or missed between two that mean well; who means to deceive can always say what the other says.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.hashing import digest
from interfirm.base.values import Hash32, Value, Wire
from interfirm.contracts.types import ContractRef
from interfirm.node.flows.context import Context
from interfirm.node.flows.deliver import ask_peer
from interfirm.node.flows.messages import declined
from interfirm.node.flows.running import Opened
from interfirm.node.retention.store import ended_until_ms
from interfirm.node.services import Services
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import InboxItem

COMPARE, GIVE_SUMMARY, GIVE_LISTED = "compare-books", "give-summary", "give-listed"
BUCKETS_COUNT = 256
PAGE = 2_000
LISTED_COUNT_MAX = 2_000
"""Contracts that are named of one bucket, and after how many that differ no further bucket is listed."""
SLACK_MS = 5 * 60_000
"""How long ago the compared time lies at least: what was accepted since may be on its way."""
COMPARED = "compared-books"
"""Under a member's id: the last result."""
_ALL = 2**256


class SummaryWanted(Wire, frozen=True, tag="summary-wanted"):
    """Say what we share at this time."""

    until_ms: int


class SummaryGiven(Wire, frozen=True, tag="summary-given"):
    """How many contracts are shared, and the commitment of each bucket."""

    count: int
    buckets: tuple[Hash32, ...]


class ListedWanted(Wire, frozen=True, tag="listed-wanted"):
    """Name the contracts of this bucket."""

    until_ms: int
    bucket: int


class ListedGiven(Wire, frozen=True, tag="listed-given"):
    """The contracts of a bucket; `whole` is false where there are more than can be named."""

    refs: tuple[ContractRef, ...]
    whole: bool


class CompareArguments(Value, frozen=True):
    """With whom, and at which time; None for a little while ago."""

    peer: bytes
    until_ms: int | None = None


class Summary(Value, frozen=True):
    """A side's own count and commitments."""

    count: int
    buckets: tuple[bytes, ...]


class Compared(Value, frozen=True):
    """What came of it. Refs are (transaction, index)."""

    peer: bytes
    until_ms: int
    equal: bool
    ours: int
    theirs: int
    only_ours: tuple[tuple[bytes, int], ...]
    only_theirs: tuple[tuple[bytes, int], ...]
    whole: bool
    """Whether all that differs is listed."""


async def compare(ctx: Context, arguments: bytes) -> Compared:
    """Compare what is shared with a member; a difference is put into the inbox."""
    asked = msgspec.msgpack.decode(arguments, type=CompareArguments)
    services: Services = ctx.services
    now_ms = await ctx.now()
    until_ms = now_ms - SLACK_MS if asked.until_ms is None else asked.until_ms
    check(until_ms <= now_ms - SLACK_MS, "books.time", "books are compared at a time that lies a while ago",
          until_ms=until_ms, until_ms_max=now_ms - SLACK_MS)  # fmt: skip
    with ctx.step("Sum up our books"):
        ours = await _summary(ctx, asked.peer, until_ms)
    with ctx.step(f"Ask {services.name_of(asked.peer)} for theirs"):
        theirs = await ask_peer(ctx, asked.peer, GIVE_SUMMARY, SummaryWanted(until_ms), SummaryGiven)
        check(len(theirs.buckets) == BUCKETS_COUNT, "books.summary", "this is no summary", buckets=len(theirs.buckets))
    only_ours, only_theirs, whole = list[ContractRef](), list[ContractRef](), True
    with ctx.step("Find what differs"):
        for bucket in _differing(ours.buckets, theirs.buckets):
            if len(only_ours) + len(only_theirs) >= LISTED_COUNT_MAX:
                whole = False
                break
            listed = partial(_listed, ctx, asked.peer, until_ms, bucket)
            mine, all_mine = await ctx.once("list", listed, _LISTED)
            said = await ask_peer(ctx, asked.peer, GIVE_LISTED, ListedWanted(until_ms, bucket), ListedGiven)
            whole = whole and all_mine and said.whole
            named = {_plain(ref) for ref in said.refs}
            only_ours += [ContractRef(*each) for each in mine if each not in named]
            known = set(mine)
            only_theirs += [ref for ref in said.refs if _plain(ref) not in known]
    found = Compared(
        peer=asked.peer, until_ms=until_ms, equal=ours.buckets == theirs.buckets, ours=ours.count, theirs=theirs.count,
        only_ours=tuple(_plain(ref) for ref in only_ours), only_theirs=tuple(_plain(ref) for ref in only_theirs),
        whole=whole,
    )  # fmt: skip
    await ctx.once("keep", lambda: _keep(ctx, found), None)
    return found


_LISTED = tuple[tuple[tuple[bytes, int], ...], bool]


def _differing(ours: Sequence[bytes], theirs: Sequence[bytes]) -> list[int]:
    return [n for n in range(BUCKETS_COUNT) if ours[n] != theirs[n]]


def _keep(ctx: Context, found: Compared) -> None:
    """Remember the result; a difference is for a person to look into."""
    services: Services = ctx.services
    ctx.turn.blob_put(COMPARED, found.peer, msgspec.msgpack.encode(found))
    if not found.equal:
        summary = {
            "member": services.name_of(found.peer), "only ours": len(found.only_ours),
            "only theirs": len(found.only_theirs), "flow": ctx.flow,
        }  # fmt: skip
        ctx.turn.put_inbox(
            InboxItem(id=f"books-{ctx.flow}"[:100], flow="", kind="books-differ", summary=summary,
                      created_ms=ctx.now_ms, state="open", reason="")
        )  # fmt: skip


def last_compared(turn: Turn) -> list[Compared]:
    """The last result with each member."""
    return [msgspec.msgpack.decode(value, type=Compared) for _, value in turn.blobs(COMPARED, limit=1_000)]


# a side's own books -----------------------------------------------------------------------------------------------


async def _summary(ctx: Context, peer: bytes, until_ms: int) -> Summary:
    """Counted a page a turn, so that other work goes on."""
    count, sums, after = 0, [0] * BUCKETS_COUNT, 0
    while True:
        page = await ctx.once("page", partial(_page, ctx, peer, until_ms, after), _Page)
        count += page.count
        for bucket, added in page.sums.items():
            sums[bucket] = (sums[bucket] + int.from_bytes(added, "big")) % _ALL
        if not page.after:
            return Summary(count=count, buckets=tuple(each.to_bytes(32, "big") for each in sums))
        after = page.after
        await ctx.sleep_until(await ctx.now())


class _Page(Value, frozen=True):
    """A part of the books, summed up; `after` continues, 0 at the end."""

    count: int
    sums: dict[int, bytes]
    after: int


def _page(ctx: Context, peer: bytes, until_ms: int, after: int) -> _Page:
    ended_ms = ended_until_ms(ctx.turn)
    check(until_ms >= ended_ms, "books.archived", "what was in use then is in an archive; compare at a later time",
          until_ms=until_ms, until_ms_min=ended_ms)  # fmt: skip
    rows = ctx.turn.contracts_at(until_ms, after=after, limit=PAGE)
    refs = [ref for _, ref, parties in rows if _is_shared(ctx, parties, peer)]
    sums = dict[int, int]()
    for ref in refs:
        bucket = _transaction(ref)[0]
        sums[bucket] = (sums.get(bucket, 0) + int.from_bytes(_name(ref), "big")) % _ALL
    last = rows[-1][0] if len(rows) == PAGE else 0
    return _Page(count=len(refs), sums={n: each.to_bytes(32, "big") for n, each in sums.items()}, after=last)


def _listed(ctx: Context, peer: bytes, until_ms: int, bucket: int) -> tuple[tuple[tuple[bytes, int], ...], bool]:
    living = ctx.turn.contracts_beginning(bucket, until_ms=until_ms)
    shared = (_plain(ref) for ref, parties in living if _is_shared(ctx, parties, peer))
    found = tuple(islice(shared, LISTED_COUNT_MAX + 1))
    return found[:LISTED_COUNT_MAX], len(found) <= LISTED_COUNT_MAX


def _is_shared(ctx: Context, parties: set[bytes], peer: bytes) -> bool:
    return peer in parties and ctx.services.books.keys.identity in parties


def _name(ref: ContractRef) -> bytes:
    return digest("shared contract", _transaction(ref), ref.index)


def _plain(ref: ContractRef) -> tuple[bytes, int]:
    return (_transaction(ref), ref.index)


def _transaction(ref: ContractRef) -> bytes:
    assert ref.transaction is not None, "a contract that is in use names its transaction"
    return ref.transaction


# what others are asked --------------------------------------------------------------------------------------------


async def give_summary(ctx: Context, arguments: bytes) -> int:
    """Say how many contracts are shared with the peer that asks, and the commitments of the buckets."""
    opened = msgspec.msgpack.decode(arguments, type=Opened)
    talk = ctx.answering(opened.session, opened.peer)
    try:
        wanted = codec.decode(opened.body, SummaryWanted)
        found = await _summary(ctx, opened.peer, wanted.until_ms)
    except Refusal as refusal:
        await talk.send(declined(refusal))
        raise
    await talk.send(SummaryGiven(count=found.count, buckets=found.buckets))
    return found.count


async def give_listed(ctx: Context, arguments: bytes) -> int:
    """Name the contracts of one bucket that are shared with the peer that asks."""
    opened = msgspec.msgpack.decode(arguments, type=Opened)
    talk = ctx.answering(opened.session, opened.peer)
    try:
        wanted = codec.decode(opened.body, ListedWanted)
        check(0 <= wanted.bucket < BUCKETS_COUNT, "books.bucket", "there is no such bucket", bucket=wanted.bucket)
    except Refusal as refusal:
        await talk.send(declined(refusal))
        raise
    refs, whole = await ctx.once("list", lambda: _listed(ctx, opened.peer, wanted.until_ms, wanted.bucket), _LISTED)
    await talk.send(ListedGiven(refs=tuple(ContractRef(*each) for each in refs), whole=whole))
    return len(refs)
