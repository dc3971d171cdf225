"""Two firms and a notary carry one exercise through on the production code, step by step, on a network in memory."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from interfirm.base import codec
from interfirm.base.money import Money
from interfirm.business.cash.contract import Cash
from interfirm.contracts.language import Party
from interfirm.contracts.types import ContractRef, CreateCommand, ExerciseCommand
from interfirm.node.flows.exercise import ExerciseArguments, Exercised
from interfirm.node.flows.types import AskedFlow
from interfirm.sim.firm import SimFirm
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import World


@pytest.fixture
def world() -> Iterator[World]:
    with World(1, trade_engine(), firms=2, keep_trace=True) as made:
        yield made


def ask(firm: SimFirm, name: str, *commands: CreateCommand | ExerciseCommand) -> None:
    arguments = msgspec.msgpack.encode(ExerciseArguments(commands=commands))
    firm.ask(AskedFlow(id=name, kind="exercise", arguments=arguments))


def result(firm: SimFirm, name: str) -> Exercised:
    with firm.vault.read() as turn:
        record = turn.flow(name)
    assert record is not None
    assert record.state == "done", msgspec.msgpack.decode(record.result)
    return msgspec.msgpack.decode(record.result, type=Exercised)


def cash_of(world: World, issuer: SimFirm, owner: SimFirm, minor: int) -> CreateCommand:
    code = world.engine.named("cash.Cash")
    cash = Cash(issuer=Party(issuer.identity), owner=Party(owner.identity), amount=Money(minor, "EUR"))
    return CreateCommand(template=code.id, payload=codec.plain(cash))


def test_cash_that_is_issued_is_in_both_vaults(world: World) -> None:
    bank, owner = world.firms
    ask(bank, "issue", cash_of(world, bank, owner, 500))
    assert world.run(60_000), "the world comes to rest"
    done = result(bank, "issue")
    for firm in world.firms:
        with firm.vault.read() as turn:
            contract = turn.contract(ContractRef(done.transaction, 0))
        assert contract is not None
        assert contract.status == "active"


def test_a_choice_that_both_sign_is_confirmed_notarised_and_recorded_by_both(world: World) -> None:
    supplier, debtor = world.firms
    draft = world.engine.named("trade.Draft")
    payload = [[supplier.identity], [debtor.identity], [700, "EUR"], "B-1", "a-mark"]
    ask(supplier, "draft", CreateCommand(template=draft.id, payload=payload))
    assert world.run(60_000)
    made = result(supplier, "draft")
    ref = ContractRef(made.transaction, 0)
    ask(debtor, "accept", ExerciseCommand(ref=ref, template=draft.id, choice="accept", arguments=[]))
    assert world.run(60_000)
    accepted = result(debtor, "accept")
    for firm in world.firms:
        with firm.vault.read() as turn:
            old, new = turn.contract(ref), turn.contract(ContractRef(accepted.transaction, 1))
        assert old is not None
        assert old.consumer == accepted.transaction
        assert new is not None
        assert new.status == "active"
        assert new.template.name == "Bill"


def test_two_firms_that_choose_one_name_for_what_they_ask_each_other_both_get_it_done(world: World) -> None:
    one, other = world.firms
    for firm, peer in ((one, other), (other, one)):
        draft = world.engine.named("trade.Draft")
        payload = [[firm.identity], [peer.identity], [700, "EUR"], f"B-{firm.name}", "a-mark"]
        ask(firm, f"draft-{firm.name}", CreateCommand(template=draft.id, payload=payload))
        assert world.run(60_000)
        made = ContractRef(result(firm, f"draft-{firm.name}").transaction, 0)
        ask(peer, "accept", ExerciseCommand(ref=made, template=draft.id, choice="accept", arguments=[]))
    assert world.run(60_000)
    assert result(one, "accept").transaction != result(other, "accept").transaction
