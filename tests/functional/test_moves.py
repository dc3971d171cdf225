"""Contracts move from one notary to another, and every stakeholder's books follow, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from tests.support.flows import flow, result

from interfirm.base import codec
from interfirm.base.limits import LIMITS
from interfirm.base.money import Money
from interfirm.business.cash.contract import Cash
from interfirm.contracts.language import Party
from interfirm.contracts.types import Command, ContractRef, CreateCommand, ExerciseCommand
from interfirm.node.flows.deliver import ShareArguments
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.moves import MoveArguments
from interfirm.node.flows.types import AskedFlow, AskedKill
from interfirm.node.policy import Rule, Verdict
from interfirm.node.vault.types import StoredContract
from interfirm.notary.solo.host import SoloHost
from interfirm.notary.state import REFS
from interfirm.notary.types import Done, Lock, ref_key
from interfirm.notary.uniqueness.machine import ACTIVE
from interfirm.notary.wire import decode_answer, decode_request
from interfirm.sim.firm import SimFirm
from interfirm.sim.notary import KILL_POINTS, SimNotary
from interfirm.sim.sqlite import AFTER, BEFORE
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import SIGN_ALL, WINDOW_MS, World

SOON_MS = 60_000


@pytest.fixture
def world() -> Iterator[World]:
    """Three firms that sign what holds, and three notaries."""
    with World(11, trade_engine(), firms=3, notaries=3, policies=(SIGN_ALL,)) as made:
        yield made


def held(firm: SimFirm, ref: ContractRef) -> StoredContract | None:
    with firm.reading() as turn:
        return turn.contract(ref)


def ask(firm: SimFirm, name: str, *commands: Command) -> None:
    firm.ask(AskedFlow(id=name, kind="exercise", arguments=msgspec.msgpack.encode(ExerciseArguments(commands))))


def done(world: World, firm: SimFirm, name: str, *commands: Command, within_ms: int = SOON_MS) -> bytes:
    """The id of the transaction that carries commands out."""
    ask(firm, name, *commands)
    world.run(within_ms)
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


def moved(
    world: World, firm: SimFirm, ref: ContractRef, to: SimNotary, name: str = "move", *, within_ms: int = SOON_MS
) -> ContractRef:
    """What the contract is called where it has moved to."""
    ask_move(firm, ref, to, name)
    world.run(within_ms)
    assert flow(firm, name).state == "done", result(firm, name)
    return ContractRef(*result(firm, name)["ref"])


def usable(world: World, *refs: ContractRef) -> list[str]:
    """The notaries that run and at which one of these refs can be consumed."""
    found = []
    for notary in [notary for notary in world.notaries if notary.up]:
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


def test_cash_moves_by_its_owner_alone_and_its_issuer_follows_it_there(world: World) -> None:
    """The issuer is bound and not asked: it is told of the move, and by the new notary of what happens there."""
    issuer, owner, other = world.firms
    _, second, _ = world.notaries
    ref = cash(world, issuer, owner)
    there = moved(world, owner, ref, second)
    kept = held(issuer, there)
    assert kept is not None
    assert kept.status == "active"
    template = world.engine.named("cash.Cash").id
    arguments = [[other.identity], [700, "EUR"]]
    with cut(world, owner, issuer):
        spent = done(world, owner, "pay", ExerciseCommand(there, template, "move", arguments))
        world.run(10 * SOON_MS)
        kept = held(issuer, there)
        assert kept is not None
        assert kept.consumer == spent, "what the owner does not say is collected at the new notary"
    got = held(other, ContractRef(spent, 1))
    assert got is not None
    assert got.known_valid


def test_a_contract_moves_on_and_back(world: World) -> None:
    supplier, debtor, lender = world.firms
    first, second, third = world.notaries
    refs = [bill(world)]
    for number, (firm, to) in enumerate([(supplier, second), (debtor, third), (supplier, first)]):
        refs.append(moved(world, firm, refs[-1], to, f"move-{number}"))
    assert usable(world, *refs) == [first.name]
    with supplier.reading() as turn:
        assert [move.lock for move in turn.moves_to(refs[-1])] == [ref.transaction for ref in refs[1:]]
    sold = done(world, supplier, "assign", assigned(world, refs[-1], lender))
    assert held(lender, ContractRef(sold, 1)) is not None


def test_an_observer_that_is_not_asked_is_told(world: World) -> None:
    supplier, _, lender = world.firms
    _, second, _ = world.notaries
    sold = ContractRef(done(world, supplier, "assign", assigned(world, bill(world), lender)), 1)
    there = moved(world, lender, sold, second)
    found = held(supplier, there)
    assert found is not None
    assert found.status == "active"


def test_who_hears_of_a_move_before_the_contract_follows_once_it_has_it(world: World) -> None:
    """The seller is cut off from the debtor, which submits; the buyer's word comes long before the debtor's."""
    supplier, debtor, lender = world.firms
    _, second, _ = world.notaries
    ref = cash(world, supplier, debtor)
    template = world.engine.named("cash.Cash").id
    with cut(world, debtor, supplier):
        paid = ExerciseCommand(ref, template, "move", [[lender.identity], [700, "EUR"]])
        got = ContractRef(done(world, debtor, "pay", paid, within_ms=4_000), 1)
        there = moved(world, lender, got, second, within_ms=4_000)
        on = ExerciseCommand(there, template, "move", [[debtor.identity], [700, "EUR"]])
        spent = done(world, lender, "pay-back", on, within_ms=4_000)
        assert held(supplier, there) is None, "the issuer knows nothing of the cash yet"
    world.run(SOON_MS)
    found = held(supplier, there)
    assert found is not None
    assert (found.status, found.consumer) == ("consumed", spent)


# what is refused ------------------------------------------------------------------------------------------------------


def refused(world: World, firm: SimFirm, name: str = "move") -> dict[str, Any]:
    world.run(10 * WINDOW_MS)
    assert flow(firm, name).state == "refused", result(firm, name)
    found: dict[str, Any] = result(firm, name)
    return found


def code_of(found: dict[str, Any]) -> str:
    return str(found["values"].get("rule", found["code"]))


def test_a_contract_does_not_move_to_where_it_is(world: World) -> None:
    ask_move(world.firms[0], bill(world), world.notaries[0])
    assert code_of(refused(world, world.firms[0])) == "move.same"


def test_a_contract_does_not_move_to_a_notary_that_is_not_known(world: World) -> None:
    arguments = msgspec.msgpack.encode(MoveArguments(ref=bill(world), to=bytes(32)))
    world.firms[0].ask(AskedFlow(id="move", kind="change-notary", arguments=arguments))
    assert code_of(refused(world, world.firms[0])) == "directory.notary"


@pytest.mark.parametrize("until_ms", [0, LIMITS.window_ms_max + SOON_MS])
def test_a_time_that_has_passed_or_is_too_far_ahead_is_refused(world: World, until_ms: int) -> None:
    ref = bill(world)
    ask_move(world.firms[0], ref, world.notaries[1], until_ms=world.agenda.now_ms + until_ms)
    assert code_of(refused(world, world.firms[0])) == "move.time"


def test_only_a_stakeholder_moves_a_contract(world: World) -> None:
    supplier, _, stranger = world.firms
    ref = bill(world)
    arguments = msgspec.msgpack.encode(ShareArguments(refs=(ref,), to=stranger.identity))
    supplier.ask(AskedFlow(id="share", kind="share", arguments=arguments))
    world.run(SOON_MS)
    ask_move(stranger, ref, world.notaries[1])
    assert code_of(refused(world, stranger)) == "move.stranger"


def test_what_was_consumed_does_not_move(world: World) -> None:
    supplier, _, lender = world.firms
    ref = bill(world)
    done(world, supplier, "assign", assigned(world, ref, lender))
    ask_move(supplier, ref, world.notaries[1])
    assert code_of(refused(world, supplier)) == "vault.not-active"


def test_what_a_flow_is_using_does_not_move(world: World) -> None:
    supplier, _, lender = world.firms
    ref = bill(world)
    lender.stop()
    ask(supplier, "assign", assigned(world, ref, lender))
    world.run(1_000)
    ask_move(supplier, ref, world.notaries[1])
    world.run(1_000)
    assert result(supplier, "move")["code"] == "vault.locked"
    lender.start()


def test_who_declines_says_so_and_the_contract_stays(world: World) -> None:
    supplier, debtor, _ = world.firms
    first, second, _ = world.notaries
    ref = bill(world)
    no = Rule(template="Bill", choice="change-notary", verdict=Verdict.DECLINE, name="bills stay here")
    debtor.services.policy.rules.insert(0, no)
    ask_move(supplier, ref, second)
    assert refused(world, supplier)["values"]["rule"] == "policy.declined"
    assert usable(world, ref) == [first.name]


def test_a_person_decides_where_a_rule_says_so(world: World) -> None:
    supplier, debtor, _ = world.firms
    _, second, _ = world.notaries
    ref = bill(world)
    rule = Rule(template="*", choice="change-notary", verdict=Verdict.ASK, name="ask a person")
    debtor.services.policy.rules.insert(0, rule)
    there = moved(world, supplier, ref, second)
    with debtor.reading() as turn:
        (item,) = turn.inbox(state="approved")
    assert item.summary["to"] == second.name
    assert item.summary["actions"] == [{"template": "Bill", "choice": "change-notary"}]
    assert usable(world, ref, there) == [second.name]


def test_an_organisations_own_notary_takes_only_what_others_have_named_it_for(world: World) -> None:
    supplier, debtor, _ = world.firms
    _, second, _ = world.notaries
    world.population.operators[second.notary.id] = supplier.identity
    ref = bill(world)
    ask_move(supplier, ref, second)
    assert code_of(refused(world, supplier)) == "move.own-notary"
    ask_move(debtor, ref, second, "by-the-other")
    assert code_of(refused(world, debtor, "by-the-other")) == "directory.own-notary"


def test_an_organisations_own_notary_is_good_for_those_that_name_it(world: World) -> None:
    supplier, debtor, _ = world.firms
    _, second, _ = world.notaries
    world.population.operators[second.notary.id] = supplier.identity
    ref = bill(world)
    for firm in (supplier, debtor):
        firm.services.books.named = frozenset({second.notary.id})
    assert usable(world, moved(world, supplier, ref, second)) == [second.name]


# when something fails -------------------------------------------------------------------------------------------------


def test_a_notary_that_is_down_too_long_takes_nothing_and_the_contract_stays(world: World) -> None:
    supplier, debtor, lender = world.firms
    first, second, _ = world.notaries
    ref = bill(world)
    with stopped_after_lock(second):
        ask_move(supplier, ref, second)
        world.run(SOON_MS)
        for firm in (supplier, debtor):
            found = held(firm, ref)
            assert found is not None
            assert (found.status, firm) == ("locked", firm)
        assert usable(world, ref) == []
        world.run(WINDOW_MS)
    second.start()
    assert code_of(refused(world, supplier)) == "move.undone"
    assert usable(world, ref) == [first.name]
    for firm in (supplier, debtor):
        found = held(firm, ref)
        assert found is not None
        assert found.status == "active"
    done(world, supplier, "assign", assigned(world, ref, lender))


def test_a_lock_that_its_asker_leaves_is_carried_on_by_who_signed_it(world: World) -> None:
    supplier, debtor, _ = world.firms
    first, second, _ = world.notaries
    ref = bill(world)
    with stopped_after_lock(supplier, first):
        ask_move(supplier, ref, second)
        world.run(10 * SOON_MS)
        assert flow(supplier, "move").state == "waiting"
    (there,) = [move_of(debtor, ref)]
    assert usable(world, ref, there) == [second.name]
    found = held(debtor, there)
    assert found is not None
    supplier.start()
    world.run(SOON_MS)
    assert flow(supplier, "move").state == "done"
    found = held(supplier, there)
    assert found is not None
    assert found.status == "active"


def test_a_move_that_an_operator_ended_is_carried_on_by_asking_again(world: World) -> None:
    issuer, owner, _ = world.firms
    _, second, _ = world.notaries
    ref = cash(world, issuer, owner)
    with stopped_after_lock(second):
        ask_move(owner, ref, second)
        world.run(SOON_MS // 10)
        owner.hear(AskedKill(id="move", who="an operator", reason="it takes too long"))
        world.run(SOON_MS // 10)
    second.start()
    assert usable(world, ref) == []
    there = moved(world, owner, ref, second, "again")
    assert usable(world, ref, there) == [second.name]


KILLS = [(who, when, turn) for who in ("asker", "signer") for when in (BEFORE, AFTER) for turn in range(1, 9)]


@pytest.mark.parametrize(("who", "when", "turn"), KILLS)
def test_a_kill_at_any_commit_leaves_the_contract_usable_at_one_notary(
    world: World, monkeypatch: pytest.MonkeyPatch, who: str, when: str, turn: int
) -> None:
    supplier, debtor, _ = world.firms
    _, second, _ = world.notaries
    ref = bill(world)
    victim = supplier if who == "asker" else debtor
    left = [turn]

    def fate(firm: SimFirm) -> str:
        if firm is not victim:
            return ""
        left[0] -= 1
        return when if left[0] == 0 else ""

    monkeypatch.setattr(SimFirm, "_fate", fate)
    supplier.vault.fate, debtor.vault.fate = supplier._fate, debtor._fate
    there = moved(world, supplier, ref, second)
    assert usable(world, ref, there) == [second.name]
    for firm in (supplier, debtor):
        found = held(firm, there)
        assert found is not None
        assert found.status == "active"


@pytest.mark.parametrize("point", KILL_POINTS)
@pytest.mark.parametrize("batch", range(1, 5))
@pytest.mark.parametrize("which", [0, 1])
def test_a_notary_killed_in_any_batch_leaves_the_contract_usable_at_one(
    world: World, monkeypatch: pytest.MonkeyPatch, which: int, batch: int, point: str
) -> None:
    supplier, _, _ = world.firms
    second = world.notaries[1]
    ref = bill(world)
    victim, handle, left = world.notaries[which], SimNotary.handle_batch, [batch]

    def doomed(notary: SimNotary, *given: Any) -> Any:
        if notary is victim:
            left[0] -= 1
            notary._doom = point if left[0] == 0 else ""
        return handle(notary, *given)

    monkeypatch.setattr(SimNotary, "handle_batch", doomed)
    there = moved(world, supplier, ref, second)
    assert usable(world, ref, there) == [second.name]


def move_of(firm: SimFirm, ref: ContractRef) -> ContractRef:
    """What a contract is called where it went, as a firm knows it."""
    with firm.reading() as turn:
        (move,) = turn.moves_from(ref)
    return ContractRef(move.lock, 0)


@contextmanager
def cut(world: World, one: SimFirm, other: SimFirm) -> Iterator[None]:
    """Nothing passes between these two."""
    network = world.around.network
    send, apart = network.send, {one.identity, other.identity}
    network.send = lambda sender, peer, frame: None if {sender, peer} == apart else send(sender, peer, frame)  # type: ignore[method-assign]  # a line that is cut
    yield
    network.send = send  # type: ignore[method-assign]  # and mended


@contextmanager
def stopped_after_lock(who: SimFirm | SimNotary, at: SimNotary | None = None) -> Iterator[None]:
    """Within, this process ends for good at the moment when a notary has locked a contract."""
    judge = SoloHost.handle_batch

    def handled(host: SoloHost, requests: Any, now: Any) -> Any:
        found = judge(host, requests, now)
        locked = [isinstance(decode_request(data), Lock) for _, data in requests]
        answers = [decode_answer(answer).answer for answer in found.answers]
        if any(each and isinstance(answer, Done) for each, answer in zip(locked, answers, strict=True)):
            who.stop()
        return found

    SoloHost.handle_batch = handled  # type: ignore[method-assign]  # seen from outside
    yield
    SoloHost.handle_batch = judge  # type: ignore[method-assign]  # and left
