"""Two organisations compare what they share, by hashes, and find the contract that one of them lacks."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from tests.functional.test_moves import assigned, bill, cash, done, flow

from interfirm.contracts.types import ContractRef
from interfirm.node.flows import comparing
from interfirm.node.flows.comparing import SLACK_MS, CompareArguments, Compared, last_compared
from interfirm.node.flows.types import AskedFlow
from interfirm.node.vault.contracts import Contracts
from interfirm.sim.firm import SimFirm
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import SIGN_ALL, World


@pytest.fixture
def world() -> Iterator[World]:
    with World(7, trade_engine(), firms=3, policies=(SIGN_ALL,)) as made:
        yield made


def compare(world: World, firm: SimFirm, peer: SimFirm, name: str = "compare", until_ms: int | None = None) -> Compared:
    arguments = msgspec.msgpack.encode(CompareArguments(peer=peer.identity, until_ms=until_ms))
    firm.ask(AskedFlow(id=name, kind=comparing.COMPARE, arguments=arguments))
    world.run(10 * 60_000)
    record = flow(firm, name)
    assert record.state == "done", msgspec.msgpack.decode(record.result)
    return msgspec.msgpack.decode(record.result, type=Compared)


def pass_time(world: World) -> None:
    """Let a while pass in which nothing happens."""
    world.agenda.after(2 * SLACK_MS, lambda: None)
    world.run(2 * SLACK_MS)


def shared(world: World, count: int) -> list[ContractRef]:
    """Contracts of the first two firms; another one of the first and the third is none of them."""
    issuer, owner, other = world.firms
    made = [cash(world, issuer, owner, f"cash-{number}") for number in range(count)]
    cash(world, issuer, other, "apart")
    pass_time(world)
    return made


def test_books_that_agree_are_equal_from_both_sides(world: World) -> None:
    shared(world, 3)
    issuer, owner, other = world.firms
    for one, peer, count in ((issuer, owner, 3), (owner, issuer, 3), (issuer, other, 1), (owner, other, 0)):
        found = compare(world, one, peer, f"compare-{one.name}-{peer.name}")
        assert found.equal
        assert (found.ours, found.theirs, found.whole) == (count, count, True)


def test_what_one_side_lost_is_found_by_both(world: World) -> None:
    _, lost, _ = shared(world, 3)
    issuer, owner, _ = world.firms
    with owner.vault.turn() as turn:
        turn.consume(lost, bytes(32))
    plain = (lost.transaction or b"", lost.index)
    mine = compare(world, issuer, owner)
    assert not mine.equal
    assert (mine.only_ours, mine.only_theirs, mine.ours, mine.theirs) == ((plain,), (), 3, 2)
    theirs = compare(world, owner, issuer)
    assert (theirs.only_ours, theirs.only_theirs) == ((), (plain,))
    with owner.vault.read() as turn:
        assert [item.kind for item in turn.inbox()] == ["books-differ"]
        assert last_compared(turn) == [theirs]


def test_what_ended_since_was_in_use_at_that_time(world: World) -> None:
    issuer, owner, other = world.firms
    ref = bill(world)
    pass_time(world)
    before_ms = issuer.clock_ms() - SLACK_MS
    done(world, issuer, "assign", assigned(world, ref, other))
    pass_time(world)
    before = compare(world, issuer, owner, "before", before_ms)
    after = compare(world, issuer, owner, "after")
    assert (before.equal, after.equal) == (True, True)
    assert before.ours == before.theirs == 1
    assert before.until_ms < after.until_ms
    with issuer.reading() as turn:
        named = {each[1] for each in turn.contracts_at(before_ms, after=0, limit=10)}
        assert ref in named
        assert ref not in {each[1] for each in turn.contracts_at(after.until_ms, after=0, limit=10)}


def test_pages_add_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shared(world, 5)
    issuer, owner, _ = world.firms
    whole = compare(world, issuer, owner, "whole")
    monkeypatch.setattr(comparing, "PAGE", 2)
    paged = compare(world, issuer, owner, "paged", whole.until_ms)
    assert (paged.ours, paged.equal) == (whole.ours, True) == (5, True)


def test_finding_what_differs_reads_the_buckets_that_differ_and_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = shared(world, 12)
    issuer, owner, _ = world.firms
    lost = made[0]
    with owner.vault.turn() as turn:
        turn.consume(lost, bytes(32))
    read = {"pages": 0, "buckets": 0}
    page, bucket = Contracts.contracts_beginning, Contracts.contracts_at

    def counted_bucket(self: Contracts, byte: int, *, until_ms: int) -> Iterator[tuple[ContractRef, set[bytes]]]:
        for each in page(self, byte, until_ms=until_ms):
            read["buckets"] += 1
            yield each

    def counted_page(self: Contracts, until_ms: int, **more: int) -> list[tuple[int, ContractRef, set[bytes]]]:
        found = bucket(self, until_ms, **more)
        read["pages"] += len(found)
        return found

    monkeypatch.setattr(Contracts, "contracts_beginning", counted_bucket)
    monkeypatch.setattr(Contracts, "contracts_at", counted_page)
    found = compare(world, issuer, owner)
    assert found.only_ours == ((lost.transaction, 0),)
    here = sum(ref.transaction is not None and lost.transaction is not None
               and ref.transaction[0] == lost.transaction[0] for ref in made)  # fmt: skip
    assert read["pages"] == 13 + 11, "each side sums its books up once: the issuer has one more, with another firm"
    assert here + here - 1 <= read["buckets"] <= here + here, "both sides read one bucket, where one lacks a contract"


def test_enough_to_look_into_is_enough(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = shared(world, 6)
    issuer, owner, _ = world.firms
    with owner.vault.turn() as turn:
        for each in made:
            turn.consume(each, bytes(32))
    monkeypatch.setattr(comparing, "LISTED_COUNT_MAX", 3)
    found = compare(world, issuer, owner)
    assert not found.whole
    assert 3 <= len(found.only_ours) < 6
    assert (found.ours, found.theirs) == (6, 0)


def test_books_of_this_moment_are_not_compared(world: World) -> None:
    issuer, owner, _ = world.firms
    arguments = msgspec.msgpack.encode(CompareArguments(peer=owner.identity, until_ms=issuer.clock_ms()))
    issuer.ask(AskedFlow(id="now", kind=comparing.COMPARE, arguments=arguments))
    world.run(60_000)
    assert msgspec.msgpack.decode(flow(issuer, "now").result)["code"] == "books.time"
