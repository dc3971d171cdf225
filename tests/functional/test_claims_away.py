"""Claims that are made away from their owner's home: held there first, then taken or free again, whatever fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from tests.support.flows import flow, result

from interfirm.contracts.types import Command, ContractRef, CreateCommand, ExerciseCommand
from interfirm.node.flows import respond
from interfirm.node.flows.claims import LookArguments
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.moves import MoveArguments
from interfirm.node.flows.reservations import END, HeldClaims
from interfirm.node.flows.types import AskedFlow, AskedKill
from interfirm.notary.claims.machine import RESERVATION, TAKEN, state_of
from interfirm.notary.solo.host import SoloHost
from interfirm.notary.state import Overlay
from interfirm.notary.types import Done, Notarise, Reserve, claim_key
from interfirm.notary.wire import decode_answer, decode_request
from interfirm.sim.firm import SimFirm
from interfirm.sim.notary import KILL_POINTS, SimNotary
from interfirm.sim.sqlite import AFTER, BEFORE
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import SIGN_ALL, WINDOW_MS, World

SOON_MS = 60_000
Make = Callable[..., tuple[SimFirm, str]]
"""Makes a bill with this number at the second notary; who asked for it, and by which flow."""


@pytest.fixture
def world() -> Iterator[World]:
    """A supplier, which owns its bills' numbers, and a debtor; everybody's home is the first of two notaries."""
    with World(11, trade_engine(), firms=2, notaries=2, policies=(SIGN_ALL,)) as made:
        yield made


def ask(firm: SimFirm, name: str, command: Command, **more: Any) -> None:
    arguments = msgspec.msgpack.encode(ExerciseArguments((command,), **more))
    firm.ask(AskedFlow(id=name, kind="exercise", arguments=arguments))


def done(world: World, firm: SimFirm, name: str, within_ms: int = SOON_MS) -> bytes:
    world.run(within_ms)
    assert flow(firm, name).state == "done", result(firm, name)
    transaction: bytes = result(firm, name)["transaction"]
    return transaction


def refusal(world: World, firm: SimFirm, name: str) -> str:
    world.run(10 * WINDOW_MS)
    assert flow(firm, name).state == "refused", result(firm, name)
    return str(result(firm, name)["code"])


def drafted(world: World, number: str) -> ContractRef:
    supplier, debtor = world.firms
    payload = [[supplier.identity], [debtor.identity], [700, "EUR"], number, "a-mark"]
    command = CreateCommand(template=world.engine.named("trade.Draft").id, payload=payload)
    name = f"draft-{len(supplier.ended)}"
    ask(supplier, name, command)
    return ContractRef(done(world, supplier, name), 0)


def accepting(world: World, draft: ContractRef) -> ExerciseCommand:
    return ExerciseCommand(ref=draft, template=world.engine.named("trade.Draft").id, choice="accept", arguments=[])


def accept_at_home(world: World, number: str) -> tuple[SimFirm, str]:
    debtor, name = world.firms[1], f"accept-{number}-at-home"
    ask(debtor, name, accepting(world, drafted(world, number)))
    return debtor, name


def accept_moved(world: World, number: str, **more: Any) -> tuple[SimFirm, str]:
    """The debtor accepts a draft that moved; the supplier signs last, submits, and owns the claim."""
    supplier, debtor = world.firms
    draft, name = drafted(world, number), f"accept-{number}"
    move = MoveArguments(ref=draft, to=world.notaries[1].notary.id)
    supplier.ask(AskedFlow(id=f"move-{number}", kind="change-notary", arguments=msgspec.msgpack.encode(move)))
    world.run(SOON_MS)
    moved = ContractRef(*result(supplier, f"move-{number}")["ref"])
    ask(debtor, name, accepting(world, moved), **more)
    return debtor, name


def propose_own(world: World, number: str, **more: Any) -> tuple[SimFirm, str]:
    """The supplier proposes a bill, so that it owns the claim and submits after the debtor has signed."""
    supplier, debtor = world.firms
    payload = [[supplier.identity], [debtor.identity], [supplier.identity], [700, "EUR"], number, 0]
    command = CreateCommand(template=world.engine.named("trade.Bill").id, payload=payload)
    ask(supplier, f"bill-{number}", command, notary=world.notaries[1].notary.id, **more)
    return supplier, f"bill-{number}"


def accept_left(world: World, number: str, **more: Any) -> tuple[SimFirm, str]:
    """The same, where the supplier leaves the submitting to the debtor and is asked to reserve."""
    return accept_moved(world, number, **more)


@pytest.fixture(params=[accept_moved, propose_own, accept_left])
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Each way in which an owner comes to reserve its claim."""
    if request.param is accept_left:
        monkeypatch.setattr(respond, "is_last", lambda *_: False)
    found: Make = request.param
    return found


def state(world: World) -> Any:
    """What the home notary keeps of the supplier's claim that was last reserved."""
    return _held(world)[0]


def _held(world: World) -> tuple[Any, str]:
    supplier, home = world.firms[0], world.notaries[0]
    with supplier.reading() as turn:
        flows = [each for each in turn.flows() if each.kind == END]
    (last,) = flows
    (claim,) = msgspec.msgpack.decode(last.arguments, type=HeldClaims).claims
    key = claim_key(supplier.identity, claim)
    return state_of(key, Overlay(home.solo._database)), last.id


def ended(world: World) -> str:
    """How the reservation ended, once it did."""
    return str(result(world.firms[0], _held(world)[1]))


def made_at(world: World, transaction: bytes) -> list[str]:
    return [notary.name for notary in world.notaries if transaction in notary.accepted]


def test_a_claim_away_from_home_is_held_for_the_transaction_and_taken_with_its_receipt(
    world: World, make: Make
) -> None:
    firm, name = make(world, "B-1")
    world.run(8_000)
    transaction = done(world, firm, name)
    assert made_at(world, transaction) == [world.notaries[1].name]
    assert state(world) == [TAKEN, transaction]
    assert ended(world) == "settled"
    for each in world.firms:
        with each.reading() as turn:
            (bill,) = [made for made in turn.contracts_created_by(transaction) if made.template.name == "Bill"]
        assert bill.status == "active"


def test_the_home_notary_holds_the_claim_for_that_transaction_alone(world: World, make: Make) -> None:
    firm, name = make(world, "B-1")
    with at_reservation(world, world.notaries[1].stop):
        world.run(8_000)
    assert flow(firm, name).state == "waiting"
    kind, notary, transaction, until_ms = state(world)
    assert (kind, notary) == (RESERVATION, world.notaries[1].notary.id)
    world.notaries[1].start()
    assert done(world, firm, name) == transaction
    assert until_ms <= world.agenda.now_ms + WINDOW_MS


def test_a_claim_that_is_taken_at_home_is_refused_with_the_homes_code(world: World, make: Make) -> None:
    done(world, *accept_at_home(world, "B-1"))
    firm, name = make(world, "B-1")
    assert refusal(world, firm, name) == "claim.taken"
    assert state(world)[0] == TAKEN
    assert ended(world) == "taken"
    done(world, *make(world, "B-2"))


def test_a_claim_that_is_held_elsewhere_is_refused_at_home(world: World, make: Make) -> None:
    firm, name = make(world, "B-1")
    with at_reservation(world, world.notaries[1].stop):
        world.run(8_000)
    debtor, at_home = accept_at_home(world, "B-1")
    world.run(8_000)
    world.notaries[1].start()
    assert refusal(world, debtor, at_home) == "claim.taken"
    assert flow(firm, name).state == "done"


@pytest.mark.parametrize(("statements", "code"), [((), "claim.reservation"), ((b"a word",), "codec.")])
def test_an_owner_that_does_not_bring_its_homes_word_ends_the_matter(
    world: World, monkeypatch: pytest.MonkeyPatch, statements: tuple[bytes, ...], code: str
) -> None:
    async def lying(*_: object) -> tuple[bytes, ...]:
        return statements

    monkeypatch.setattr(respond, "is_last", lambda *_: False)
    monkeypatch.setattr(respond, "reserve", lying)
    assert refusal(world, *accept_left(world, "B-1")).startswith(code)
    monkeypatch.undo()
    done(world, *accept_at_home(world, "B-1"))


def test_a_transaction_that_the_other_notary_refuses_frees_the_claim_when_its_window_has_ended(
    world: World, make: Make
) -> None:
    lower_ms = world.agenda.now_ms + 20 * SOON_MS
    firm, name = make(world, "B-1", lower_ms=lower_ms, upper_ms=lower_ms + WINDOW_MS)
    world.run(SOON_MS)
    assert flow(firm, name).state == "refused"
    assert result(firm, name)["code"] == "notary.too-early"
    assert state(world)[0] == RESERVATION, "a copy of the request could still be accepted"
    world.run(60 * SOON_MS)
    assert state(world) is None
    assert ended(world) == "freed"
    done(world, *accept_at_home(world, "B-1"))


def test_a_notary_that_is_down_past_the_window_frees_the_claim(world: World, make: Make) -> None:
    firm, name = make(world, "B-1")
    with at_reservation(world, world.notaries[1].stop):
        world.run(2 * WINDOW_MS)
    world.notaries[1].start()
    refusal(world, firm, name)
    assert state(world) is None
    assert ended(world) == "freed"


def test_an_owner_that_is_down_between_reserving_and_settling_settles_when_it_is_back(world: World, make: Make) -> None:
    supplier = world.firms[0]
    firm, name = make(world, "B-1")
    with at_acceptance(world, supplier.stop):
        world.run(10 * WINDOW_MS)
    assert state(world)[0] == RESERVATION
    supplier.start()
    transaction = done(world, firm, name)
    assert state(world) == [TAKEN, transaction]


def test_a_flow_that_an_operator_ended_leaves_no_claim_behind(world: World, make: Make) -> None:
    supplier = world.firms[0]
    make(world, "B-1")
    with at_reservation(world, world.notaries[1].stop):
        world.run(8_000)
        with supplier.reading() as turn:
            waiting = [each.id for each in turn.flows(state="waiting") if each.kind in ("exercise", "respond")]
        for each in waiting:
            supplier.hear(AskedKill(id=each, who="an operator", reason="it takes too long"))
        world.run(2 * WINDOW_MS)
    world.notaries[1].start()
    world.run(20 * SOON_MS)
    assert state(world) is None


KILLS = [(when, turn) for when in (BEFORE, AFTER) for turn in range(1, 12)]


@pytest.mark.parametrize(("when", "turn"), KILLS)
def test_an_owner_killed_at_any_commit_has_its_claim_taken_with_the_transaction(
    world: World, make: Make, when: str, turn: int
) -> None:
    supplier, left = world.firms[0], [turn]

    def fate() -> str:
        left[0] -= 1
        return when if left[0] == 0 else ""

    firm, name = make(world, "B-1")
    supplier._fate = fate  # type: ignore[method-assign]  # kept over its next life
    supplier.vault.fate = fate
    transaction = done(world, firm, name, 10 * WINDOW_MS)
    assert state(world) == [TAKEN, transaction]


@pytest.mark.parametrize("point", KILL_POINTS)
@pytest.mark.parametrize("which", [0, 1])
def test_a_notary_killed_in_a_batch_leaves_the_claim_taken(
    world: World, make: Make, which: int, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = (Reserve, Notarise)[which]
    handle, left = SimNotary.handle_batch, [1]

    def doomed(notary: SimNotary, requests: Any, now: Any) -> Any:
        if left[0] and any(isinstance(decode_request(data), kind) for _, data in requests):
            left[0], notary._doom = 0, point
        return handle(notary, requests, now)

    firm, name = make(world, "B-1")
    monkeypatch.setattr(SimNotary, "handle_batch", doomed)
    transaction = done(world, firm, name, 10 * WINDOW_MS)
    assert left == [0]
    assert state(world) == [TAKEN, transaction]


def test_look_at_claims_asks_the_owners_home(world: World) -> None:
    _, debtor = world.firms
    done(world, *accept_at_home(world, "B-1"))
    draft = drafted(world, "B-1")
    arguments = msgspec.msgpack.encode(LookArguments((accepting(world, draft),)))
    debtor.ask(AskedFlow(id="look", kind="look-at-claims", arguments=arguments))
    world.run(SOON_MS)
    (seen,) = result(debtor, "look")
    assert seen["free"] is False


@contextmanager
def _at(world: World, kind: type[Any], then: Callable[[], None]) -> Iterator[None]:
    judge, left = SoloHost.handle_batch, [1]

    def handled(host: SoloHost, requests: Any, now: Any) -> Any:
        found = judge(host, requests, now)
        asked = [isinstance(decode_request(data), kind) for _, data in requests]
        answers = [decode_answer(answer).answer for answer in found.answers]
        if left[0] and any(each and isinstance(answer, Done) for each, answer in zip(asked, answers, strict=True)):
            left[0] = 0
            then()
        return found

    SoloHost.handle_batch = handled  # type: ignore[method-assign]  # seen from outside
    yield
    SoloHost.handle_batch = judge  # type: ignore[method-assign]  # and left
    assert left == [0], "it never came to it"


def at_reservation(world: World, then: Callable[[], None]) -> Any:
    """Within, this happens at the moment when the home notary holds the claim."""
    return _at(world, Reserve, then)


def at_acceptance(world: World, then: Callable[[], None]) -> Any:
    """Within, this happens at the moment when the other notary accepts."""
    return _at(world, Notarise, then)
