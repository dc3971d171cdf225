"""A node that lost its database makes its books again from its peers and the notaries, and says what it could not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from tests.functional.test_moves import ask_move, bill, cash, done, held, moved, stopped_after_lock

from interfirm.base import codec
from interfirm.contracts.types import ContractRef, ExerciseCommand
from interfirm.node.flows import deliver
from interfirm.node.flows.messages import TransactionsGiven
from interfirm.node.flows.recovery import WORDS, RebuildArguments, Rebuilt
from interfirm.node.flows.types import AskedFlow
from interfirm.notary.questions import check_statement
from interfirm.notary.types import ref_key
from interfirm.sim.firm import SimFirm
from interfirm.sim.sqlite import new_vault
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import SIGN_ALL, World

LONG_MS = 30 * 60_000


@pytest.fixture
def world() -> Iterator[World]:
    """Three firms that sign what holds, and two notaries."""
    with World(12, trade_engine(), firms=3, notaries=2, policies=(SIGN_ALL,)) as made:
        yield made


def lose(firm: SimFirm) -> None:
    """All that a firm's node knew is gone; its keys are not."""
    firm.stop()
    for left in firm._path.parent.glob(f"{firm._path.name}*"):
        if left.is_file():
            left.unlink()
    new_vault(firm._path, firm._engine)
    firm._asked.clear()
    firm.ended.clear()
    firm.start()


def rebuilt(
    world: World, firm: SimFirm, name: str = "rebuild", *, wait_ms: int = 60_000, within_ms: int = LONG_MS
) -> Rebuilt:
    peers = tuple(other.identity for other in world.firms if other is not firm)
    arguments = msgspec.msgpack.encode(RebuildArguments(peers=peers, wait_ms=wait_ms))
    firm.ask(AskedFlow(id=name, kind="rebuild", arguments=arguments))
    world.run(within_ms)
    with firm.reading() as turn:
        record = turn.flow(name)
    assert record is not None
    assert record.state == "done", msgspec.msgpack.decode(record.result)
    return msgspec.msgpack.decode(record.result, type=Rebuilt)


def answers(world: World, found: Rebuilt) -> dict[str, str]:
    return {world.population.name_of(each.peer): each.answer for each in found.told}


def names(world: World, parties: tuple[bytes, ...]) -> list[str]:
    return [world.population.name_of(party) for party in parties]


def active(firm: SimFirm, ref: ContractRef) -> bool:
    found = held(firm, ref)
    return found is not None and found.status == "active"


def test_all_that_others_share_is_there_again_and_proved_unspent(world: World) -> None:
    supplier, _, lender = world.firms
    _, second = world.notaries
    owed, money = bill(world), cash(world, lender, supplier)
    there = moved(world, supplier, money, second)
    lose(supplier)
    assert held(supplier, owed) is None
    found = rebuilt(world, supplier)
    assert (found.complete, found.unspent, found.lacking, found.uncovered) == (True, 2, (), ())
    assert active(supplier, owed)
    assert active(supplier, there)
    old = held(supplier, money)
    assert old is not None
    assert old.consumer == there.transaction
    with supplier.reading() as turn:
        word = turn.blob_get(WORDS, codec.encode(there))
    assert word is not None
    said = check_statement(word, second.notary.id, second.notary.genesis.key)
    assert (said.kind, said.subject, said.answer) == ("unspent", ref_key(there), True)


def test_what_was_recovered_can_be_used(world: World) -> None:
    supplier, _, lender = world.firms
    owed, money = bill(world), cash(world, lender, supplier)
    lose(supplier)
    rebuilt(world, supplier)
    bill_id, cash_id = (world.engine.named(f"{name}").id for name in ("trade.Bill", "cash.Cash"))
    done(world, supplier, "assign", ExerciseCommand(owed, bill_id, "assign", [[lender.identity]]))
    done(world, supplier, "pay", ExerciseCommand(money, cash_id, "move", [[lender.identity], [700, "EUR"]]))


def test_of_an_absent_one_the_report_says_so_and_others_make_up_for_it(world: World) -> None:
    supplier, debtor, lender = world.firms
    owed = bill(world)
    sold = ContractRef(
        done(world, supplier, "assign", ExerciseCommand(owed, _bill(world), "assign", [[lender.identity]])), 1
    )
    lose(supplier)
    debtor.stop()
    found = rebuilt(world, supplier)
    assert answers(world, found) == {debtor.name: "silent", lender.name: "answered"}
    assert names(world, found.uncovered) == [debtor.name]
    assert not found.complete
    assert active(supplier, sold), "the lender shares it too"


def test_with_one_that_lies_and_one_that_is_absent_nothing_false_is_believed(world: World) -> None:
    """The debtor keeps back how a bill ended and alters another; the lender does not answer at all."""
    supplier, debtor, lender = world.firms
    owed = bill(world)
    sold = done(world, supplier, "assign", ExerciseCommand(owed, _bill(world), "assign", [[lender.identity]]))
    money = cash(world, debtor, supplier)
    lose(supplier)
    lender.stop()
    with lying(debtor, without=sold, spoilt=money.transaction or b""):
        found = rebuilt(world, supplier)
    assert answers(world, found) == {debtor.name: "answered", lender.name: "silent"}
    assert names(world, found.uncovered) == [debtor.name, lender.name]
    assert not active(supplier, owed), "the notary says that it was consumed"
    (lacking,) = found.lacking
    assert (lacking.ref, lacking.state) == ((owed.transaction, owed.index), "ended")
    assert names(world, lacking.ask) == [debtor.name]
    assert held(supplier, money) is None
    assert not found.complete
    lender.start()
    again = rebuilt(world, supplier, "again")
    assert again.complete
    assert active(supplier, ContractRef(sold, 1))
    assert active(supplier, money)
    ended = held(supplier, owed)
    assert ended is not None
    assert ended.consumer == sold


def test_what_is_locked_for_a_move_is_told_to_be_so(world: World) -> None:
    supplier, debtor, _ = world.firms
    _, second = world.notaries
    owed = bill(world)
    with stopped_after_lock(second):
        ask_move(debtor, owed, second)
        world.run(10_000)
        lose(supplier)
        found = rebuilt(world, supplier, wait_ms=20_000, within_ms=60_000)
        (lacking,) = found.lacking
        assert (lacking.ref, lacking.state) == ((owed.transaction, owed.index), "locked")
        assert not active(supplier, owed)
    second.start()
    world.run(LONG_MS)
    assert rebuilt(world, supplier, "again").complete


def test_a_lock_whose_terms_nobody_knows_any_more_is_undone(world: World) -> None:
    owner, issuer, _ = world.firms
    first, second = world.notaries
    money = cash(world, issuer, owner)
    with stopped_after_lock(owner, first):
        ask_move(owner, money, second)
        world.run(10_000)
    lose(owner)
    found = rebuilt(world, owner, within_ms=60_000)
    (lacking,) = found.lacking
    assert (lacking.ref, lacking.state) == ((money.transaction, money.index), "locked")
    world.run(48 * 60 * 60_000)
    assert active(owner, money)
    assert rebuilt(world, owner, "again").complete


def _bill(world: World) -> Any:
    return world.engine.named("trade.Bill").id


@contextmanager
def lying(firm: SimFirm, *, without: bytes, spoilt: bytes) -> Iterator[None]:
    """Within, a firm leaves a transaction out of what it gives again, and gives another one that does not hold."""
    page = deliver._page

    def lie(ctx: Any, after: bytes, peer: bytes) -> TransactionsGiven:
        given = page(ctx, after, peer)
        if ctx.services.books.keys.identity != firm.identity:
            return given
        told = [each for each in given.deliveries if each.transaction != without]
        return given.replace(
            deliveries=tuple(
                each.replace(receipt=told[0].receipt) if each.transaction == spoilt else each for each in told
            )
        )

    deliver._page = lie
    yield
    deliver._page = page
