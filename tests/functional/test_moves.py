"""Contracts move from one notary to another, and every stakeholder's books follow, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from interfirm.base import codec
from interfirm.base.money import Money
from interfirm.business.cash.contract import Cash
from interfirm.contracts.language import Party
from interfirm.contracts.types import Command, ContractRef, CreateCommand, ExerciseCommand
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.moves import MoveArguments
from interfirm.node.flows.types import AskedFlow
from interfirm.node.vault.types import FlowRecord, StoredContract
from interfirm.notary.state import REFS
from interfirm.notary.types import ref_key
from interfirm.notary.uniqueness.machine import ACTIVE
from interfirm.sim.firm import SimFirm
from interfirm.sim.notary import SimNotary
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import SIGN_ALL, World

SOON_MS = 60_000


@pytest.fixture
def world() -> Iterator[World]:
    """Three firms that sign what holds, and three notaries."""
    with World(11, trade_engine(), firms=3, notaries=3, policies=(SIGN_ALL,)) as made:
        yield made


def flow(firm: SimFirm, name: str) -> FlowRecord:
    with firm.reading() as turn:
        record = turn.flow(name)
    assert record is not None
    return record


def result(firm: SimFirm, name: str) -> Any:
    return msgspec.msgpack.decode(flow(firm, name).result)


def held(firm: SimFirm, ref: ContractRef) -> StoredContract | None:
    with firm.reading() as turn:
        return turn.contract(ref)


def ask(firm: SimFirm, name: str, *commands: Command) -> None:
    firm.ask(AskedFlow(id=name, kind="exercise", arguments=msgspec.msgpack.encode(ExerciseArguments(commands))))


def done(world: World, firm: SimFirm, name: str, *commands: Command) -> bytes:
    """The id of the transaction that carries commands out."""
    ask(firm, name, *commands)
    world.run(SOON_MS)
    assert flow(firm, name).state == "done", result(firm, name)
    transaction: bytes = result(firm, name)["transaction"]
    return transaction


def bill(world: World) -> ContractRef:
    """A bill of the first firm that the second accepted; both sign for it, and both must agree to what is done."""
    supplier, debtor, _ = world.firms
    template = world.engine.named("trade.Draft").id
    payload = [[supplier.identity], [debtor.identity], [700, "EUR"], "B-1", "a-mark"]
    draft = ContractRef(done(world, supplier, "draft", CreateCommand(template=template, payload=payload)), 0)
    accept = ExerciseCommand(ref=draft, template=template, choice="accept", arguments=[])
    return ContractRef(done(world, debtor, "accept", accept), 1)


def cash(world: World, issuer: SimFirm, owner: SimFirm, name: str = "issue") -> ContractRef:
    """Cash that the issuer is bound by and the owner alone confirms."""
    made = Cash(issuer=Party(issuer.identity), owner=Party(owner.identity), amount=Money(700, "EUR"))
    command = CreateCommand(template=world.engine.named("cash.Cash").id, payload=codec.plain(made))
    return ContractRef(done(world, issuer, name, command), 0)


def assigned(world: World, ref: ContractRef, to: SimFirm) -> ExerciseCommand:
    """Give a bill to somebody else."""
    template = world.engine.named("trade.Bill").id
    return ExerciseCommand(ref=ref, template=template, choice="assign", arguments=[[to.identity]])


def ask_move(firm: SimFirm, ref: ContractRef, to: SimNotary, name: str = "move", **more: Any) -> None:
    arguments = msgspec.msgpack.encode(MoveArguments(ref=ref, to=to.notary.id, **more))
    firm.ask(AskedFlow(id=name, kind="change-notary", arguments=arguments))


def moved(world: World, firm: SimFirm, ref: ContractRef, to: SimNotary, name: str = "move") -> ContractRef:
    """What the contract is called where it has moved to."""
    ask_move(firm, ref, to, name)
    world.run(SOON_MS)
    assert flow(firm, name).state == "done", result(firm, name)
    return ContractRef(*result(firm, name)["ref"])


def usable(world: World, *refs: ContractRef) -> list[str]:
    """The notaries at which one of these refs can be consumed."""
    found = []
    for notary in world.notaries:
        for ref in refs:
            value = notary.solo._database.get(REFS, ref_key(ref))
            if value is not None and value[:1] == ACTIVE:
                found.append(notary.name)
    return found


def test_a_contract_of_two_moves_and_both_follow(world: World) -> None:
    supplier, debtor, stranger = world.firms
    first, second, _ = world.notaries
    ref = bill(world)
    there = moved(world, supplier, ref, second)
    assert usable(world, ref, there) == [second.name]
    for firm in (supplier, debtor):
        old, new = held(firm, ref), held(firm, there)
        assert old is not None
        assert new is not None
        assert (old.status, old.consumer, old.notary) == ("consumed", there.transaction, first.notary.id)
        assert (new.status, new.notary, new.created_as) == ("active", second.notary.id, ref)
        assert new.payload == old.payload
    assert held(stranger, there) is None
    assert result(supplier, "move")["left"] == ""
    with pytest.raises(AssertionError):
        done(world, supplier, "again", assigned(world, ref, stranger))
    assert result(supplier, "again")["code"] == "vault.not-active"


def test_what_has_moved_can_be_used_where_it_lives_and_by_whom_it_is_given_to(world: World) -> None:
    supplier, debtor, lender = world.firms
    _, second, _ = world.notaries
    there = moved(world, supplier, bill(world), second)
    sold = ContractRef(done(world, supplier, "assign", assigned(world, there, lender)), 1)
    for firm in world.firms:
        found = held(firm, sold)
        assert found is not None
        assert (found.status, found.notary) == ("active", second.notary.id)
    ended = held(debtor, there)
    assert ended is not None
    assert ended.consumer == sold.transaction
