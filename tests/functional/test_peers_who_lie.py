"""What a peer withholds, repeats or makes up leaves the honest side with the truth, which it gets from the notary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.money import Money
from interfirm.business.cash.contract import Cash
from interfirm.contracts.language import Party
from interfirm.contracts.types import ContractRef, CreateCommand, ExerciseCommand
from interfirm.ledger.types import TransactionSignature
from interfirm.node.flows import messages
from interfirm.node.flows.exercise import ExerciseArguments, Exercised
from interfirm.node.flows.finality import GRACE_MS
from interfirm.node.flows.messages import SignedReply
from interfirm.node.flows.types import AskedFlow, Effect, FlowMessage, HeardMessage, Outcome, SendMessage, SubmitNotary
from interfirm.notary.types import Notarise, Withdraw
from interfirm.notary.wire import Handled, decode_request, encode_answer, refused
from interfirm.sim.firm import SimFirm
from interfirm.sim.trade.people import trade_engine
from interfirm.sim.world import WINDOW_MS, World

Tamper = Callable[[SendMessage, Any], list[Effect]]
BODIES: Any = (
    messages.Proposal | messages.SignedReply | messages.Declined | Outcome | messages.Dropped
    | messages.Delivery | messages.ClaimsAsked | messages.ClaimsProved | messages.Given | messages.HistoryWanted
)  # fmt: skip
PAST_WINDOW_MS = WINDOW_MS + 3 * GRACE_MS


@pytest.fixture
def world() -> Iterator[World]:
    with World(3, trade_engine(), firms=3, keep_trace=True) as made:
        yield made


def tampers(firm: SimFirm, tamper: Tamper) -> None:
    """From now on all that the firm's flows say passes through `tamper`."""
    step = firm.node.flows.step

    def lying(*arguments: Any) -> list[Effect]:
        found: list[Effect] = []
        for effect in step(*arguments):
            found += tamper(effect, said(effect)) if isinstance(effect, SendMessage) else [effect]
        return found

    firm.node.flows.step = lying  # type: ignore[method-assign]  # a liar's engine


def said(effect: SendMessage) -> Any:
    return codec.decode(effect.message.body, BODIES)


def instead(effect: SendMessage, body: Any) -> SendMessage:
    return SendMessage(peer=effect.peer, message=msgspec.structs.replace(effect.message, body=codec.encode(body)))


def ask(firm: SimFirm, name: str, *commands: CreateCommand | ExerciseCommand) -> None:
    firm.ask(
        AskedFlow(id=name, kind="exercise", arguments=msgspec.msgpack.encode(ExerciseArguments(commands=commands)))
    )


def outcome(firm: SimFirm, name: str) -> tuple[str, Any]:
    with firm.reading() as turn:
        record = turn.flow(name)
    assert record is not None
    return record.state, msgspec.msgpack.decode(record.result) if record.result else None


def done(firm: SimFirm, name: str) -> bytes:
    state, result = outcome(firm, name)
    assert state == "done", result
    return msgspec.convert(result, Exercised).transaction


def status(firm: SimFirm, ref: ContractRef) -> str | None:
    with firm.reading() as turn:
        contract = turn.contract(ref)
    return None if contract is None else contract.status


def drafted(world: World, supplier: SimFirm, debtor: SimFirm) -> ContractRef:
    payload = [[supplier.identity], [debtor.identity], [700, "EUR"], "B-1", "a-mark"]
    ask(supplier, "draft", CreateCommand(template=world.engine.named("trade.Draft").id, payload=payload))
    assert world.run(60_000)
    return ContractRef(done(supplier, "draft"), 0)


def accepts(world: World, debtor: SimFirm, draft: ContractRef) -> None:
    template = world.engine.named("trade.Draft").id
    ask(debtor, "accept", ExerciseCommand(ref=draft, template=template, choice="accept", arguments=[]))


def issued(world: World, bank: SimFirm, owner: SimFirm) -> ContractRef:
    cash = Cash(issuer=Party(bank.identity), owner=Party(owner.identity), amount=Money(500, "EUR"))
    ask(bank, "issue", CreateCommand(template=world.engine.named("cash.Cash").id, payload=codec.plain(cash)))
    assert world.run(60_000)
    return ContractRef(done(bank, "issue"), 0)


def moves(world: World, owner: SimFirm, ref: ContractRef, to: SimFirm, name: str) -> None:
    template = world.engine.named("cash.Cash").id
    arguments = [[to.identity], [500, "EUR"]]
    ask(owner, name, ExerciseCommand(ref=ref, template=template, choice="move", arguments=arguments))


def submits(firm: SimFirm, tamper: Callable[[SubmitNotary], list[Effect]]) -> None:
    """From now on every transaction that the firm brings to a notary passes through `tamper`."""
    step = firm.node.flows.step

    def lying(*arguments: Any) -> list[Effect]:
        found: list[Effect] = []
        for effect in step(*arguments):
            is_one = isinstance(effect, SubmitNotary) and isinstance(decode_request(effect.request), Notarise)
            found += tamper(effect) if is_one else [effect]
        return found

    firm.node.flows.step = lying  # type: ignore[method-assign]  # a liar's engine


def reply(to: SendMessage, sender: SimFirm, body: Any) -> SendMessage:
    """The first answer in a talk."""
    message = FlowMessage(session=to.message.session, number=0, flow="", body=codec.encode(body))
    return SendMessage(peer=sender.identity, message=message)


def proposals(firm: SimFirm) -> list[SendMessage]:
    """The proposals that the firm sends from now on."""
    found: list[SendMessage] = []

    def keep(effect: SendMessage, body: Any) -> list[Effect]:
        if isinstance(body, messages.Proposal):
            found.append(effect)
        return [effect]

    tampers(firm, keep)
    return found


@pytest.mark.parametrize("lie", ["dropped", "garbage", "forged"])
def test_a_last_signer_who_lies_about_the_outcome_changes_nothing_of_it(world: World, lie: str) -> None:
    _, supplier, debtor = world.firms
    draft = drafted(world, supplier, debtor)
    sent = proposals(debtor)

    def tamper(effect: SubmitNotary) -> list[Effect]:
        name = said(sent[0]).transaction
        told = {
            "dropped": messages.Dropped(transaction=name, code="x.y", reason="not so", values={}),
            "garbage": messages.HistoryWanted(transaction=name),
            "forged": Outcome(transaction=name, receipt=b"no receipt"),
        }
        return [effect, reply(sent[0], debtor, told[lie])]

    submits(supplier, tamper)
    accepts(world, debtor, draft)
    assert world.run(PAST_WINDOW_MS)
    accepted = world.notaries[0].accepted
    state, _ = outcome(debtor, "accept")
    assert (state == "done") == (said(sent[0]).transaction in accepted)
    assert status(supplier, draft) == status(debtor, draft) == ("consumed" if state == "done" else "active")


def test_a_proposer_that_the_notary_does_not_tell_asks_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _, supplier, debtor = world.firms
    draft = drafted(world, supplier, debtor)
    notary = world.notaries[0]
    honest = notary.handle_batch
    monkeypatch.setattr(notary, "handle_batch", lambda *arguments: honest(*arguments).replace(accepted=()))
    accepts(world, debtor, draft)
    assert world.run(PAST_WINDOW_MS)
    accepted = done(debtor, "accept")
    assert status(supplier, draft) == "consumed"
    assert status(debtor, ContractRef(accepted, 1)) == "active"


def test_a_signer_is_not_bound_by_what_was_never_accepted(world: World) -> None:
    _, supplier, debtor = world.firms
    draft = drafted(world, supplier, debtor)
    world.notaries[0].stop()
    accepts(world, debtor, draft)
    world.run(1_000)
    with supplier.reading() as turn:
        (signed,) = [stored for stored in turn.transactions() if stored.status == "signed"]
    world.run(PAST_WINDOW_MS)
    world.notaries[0].start()
    assert world.run(2 * PAST_WINDOW_MS)
    assert outcome(debtor, "accept")[1]["code"] in ("notary.too-late", "flow.no-answer")
    assert status(supplier, draft) == "active"
    with supplier.reading() as turn:
        stored = turn.transaction(signed.id)
    assert stored is not None
    assert stored.status == "dropped"


def test_a_proposer_whose_signer_is_silent_gets_its_contract_back(world: World) -> None:
    _, supplier, debtor = world.firms
    draft = drafted(world, supplier, debtor)
    submits(supplier, lambda effect: [])
    accepts(world, debtor, draft)
    world.run(2 * PAST_WINDOW_MS)
    assert outcome(debtor, "accept")[1]["code"] == "flow.no-answer"
    assert status(debtor, draft) == "active"
    with debtor.reading() as turn:
        assert turn.locked_by(draft, debtor.clock_ms()) is None


def test_a_last_signer_may_leave_the_submitting_to_the_proposer(world: World) -> None:
    _, supplier, debtor = world.firms
    draft = drafted(world, supplier, debtor)
    sent = proposals(debtor)
    submits(supplier, lambda effect: [reply(sent[0], debtor, SignedReply(signature=_own(effect, supplier)))])
    accepts(world, debtor, draft)
    world.run(PAST_WINDOW_MS)
    done(debtor, "accept")
    assert status(debtor, draft) == "consumed"


def _own(effect: SubmitNotary, signer: SimFirm) -> TransactionSignature:
    request = decode_request(effect.request)
    assert isinstance(request, Notarise)
    return next(s for s in request.signatures if s.identity == signer.identity)


def test_a_false_signature_is_refused_by_the_proposer(world: World) -> None:
    _, supplier, debtor = world.firms
    draft = drafted(world, supplier, debtor)
    sent = proposals(debtor)

    def tamper(effect: SubmitNotary) -> list[Effect]:
        return [reply(sent[0], debtor, SignedReply(signature=_own(effect, supplier).replace(signature=bytes(64))))]

    submits(supplier, tamper)
    accepts(world, debtor, draft)
    world.run(PAST_WINDOW_MS)
    assert outcome(debtor, "accept")[1]["code"] == "signature.invalid"
    assert status(debtor, draft) == "active"


def test_what_is_said_twice_is_heard_once(world: World) -> None:
    _, supplier, debtor = world.firms
    draft = drafted(world, supplier, debtor)

    def twice(effect: SendMessage, body: Any) -> list[Effect]:
        again = msgspec.structs.replace(effect.message, body=effect.message.body)
        return [effect, SendMessage(peer=effect.peer, message=again)]

    tampers(debtor, twice)
    accepts(world, debtor, draft)
    assert world.run(PAST_WINDOW_MS)
    done(debtor, "accept")
    with supplier.reading() as turn:
        assert sum(flow.kind == "respond" for flow in turn.flows()) == 1


def test_nobody_speaks_in_the_talk_of_others(world: World) -> None:
    stranger, supplier, debtor = world.firms
    draft = drafted(world, supplier, debtor)
    talks: list[FlowMessage] = []

    def listen(effect: SendMessage, body: Any) -> list[Effect]:
        talks.append(effect.message)
        return [effect]

    tampers(debtor, listen)
    accepts(world, debtor, draft)
    world.run(1_000)
    (proposal,) = [message for message in talks if message.flow == "respond"]
    body = codec.encode(
        messages.Dropped(transaction=draft.transaction or b"", code="x.y", reason="so I say", values={})
    )
    forged = FlowMessage(session=proposal.session, number=1, flow="", body=body)
    with supplier.vault.turn() as turn, pytest.raises(Refusal, match=r"flow\.peer"):
        supplier.node.flows.step(turn, HeardMessage(peer=stranger.identity, message=forged), supplier.clock_ms())


def test_a_proposer_killed_over_the_end_of_the_window_still_learns_the_outcome(world: World) -> None:
    _, supplier, debtor = world.firms
    draft = drafted(world, supplier, debtor)
    world.notaries[0].stop()
    accepts(world, debtor, draft)
    world.run(1_000)
    debtor.stop()
    world.notaries[0].start()
    world.run(PAST_WINDOW_MS)
    assert status(supplier, draft) == "consumed"
    debtor.start()
    assert world.run(PAST_WINDOW_MS)
    done(debtor, "accept")
    assert status(debtor, draft) == "consumed"


def test_a_no_from_the_notary_is_not_taken_for_the_end_while_a_copy_may_be_accepted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, supplier, debtor = world.firms
    draft = drafted(world, supplier, debtor)
    notary = world.notaries[0]
    honest, held = notary.handle_batch, []  # type: ignore[var-annotated]  # requests as they came

    def late(requests: Any, now: Any) -> Any:
        """Refuse the request, and judge it after all as soon as its sender wants to withdraw."""
        if len(requests) > 1:
            return Handled(answers=tuple(late([each], now).answers[0] for each in requests))
        ((requester, data),) = requests
        request = decode_request(data)
        if isinstance(request, Notarise) and not held:
            held.append((requester, data))
            return Handled(answers=(encode_answer(refused(Refusal("notary.storage", "not now"))),))
        if isinstance(request, Withdraw):
            honest(held, now)
        return honest(requests, now)

    monkeypatch.setattr(notary, "handle_batch", late)
    accepts(world, debtor, draft)
    assert world.run(PAST_WINDOW_MS)
    done(debtor, "accept")
    assert status(supplier, draft) == "consumed"


def test_an_end_that_is_told_before_the_beginning_is_remembered(world: World) -> None:
    bank, first, second = world.firms
    cash = issued(world, bank, first)
    kept: list[Effect] = []

    def hold(effect: SendMessage, body: Any) -> list[Effect]:
        if effect.peer == bank.identity and isinstance(body, messages.Delivery):
            kept.append(effect)
            return []
        return [effect]

    tampers(first, hold)
    moves(world, first, cash, second, "move-1")
    world.run(5_000)
    middle = ContractRef(done(first, "move-1"), 1)
    moves(world, second, middle, first, "move-2")
    world.run(5_000)
    assert status(bank, middle) is None
    (late,) = kept
    assert isinstance(late, SendMessage)
    bank.hear(HeardMessage(peer=first.identity, message=late.message))
    assert world.run(60_000)
    assert status(bank, middle) == "consumed"
    assert status(bank, ContractRef(done(second, "move-2"), 1)) == "active"


@pytest.mark.parametrize("lie", ["silence", "a delivery of something else"])
def test_who_is_bound_and_not_told_finds_what_was_sealed_for_it(world: World, lie: str) -> None:
    bank, first, second = world.firms
    cash = issued(world, bank, first)

    def hide(effect: SendMessage, body: Any) -> list[Effect]:
        if effect.peer != bank.identity or not isinstance(body, messages.Delivery):
            return [effect]
        return [] if lie == "silence" else [instead(effect, msgspec.structs.replace(body, receipt=b"none"))]

    tampers(first, hide)
    moves(world, first, cash, second, "move")
    assert world.run(60_000)
    moved = done(first, "move")
    assert status(bank, cash) == "consumed"
    assert status(bank, ContractRef(moved, 1)) == "active"
    with bank.reading() as turn:
        assert {flow.result for flow in turn.flows() if flow.kind == "collect"} == {msgspec.msgpack.encode("collected")}
        assert not turn.inbox()


def test_who_is_bound_and_cannot_read_what_was_sealed_is_told_that_its_contract_ended(world: World) -> None:
    bank, first, second = world.firms
    cash = issued(world, bank, first)
    tampers(first, lambda effect, body: [] if isinstance(body, messages.Delivery) else [effect])
    first.services.books.seals = lambda turn, draft: b"junk"  # type: ignore[method-assign]
    moves(world, first, cash, second, "move")
    assert world.run(60_000)
    done(first, "move")
    with bank.reading() as turn:
        (item,) = turn.inbox()
    assert (item.kind, item.summary["template"]) == ("ended-unseen", "Cash")
    assert str(item.summary["rule"]).startswith("codec.")


def test_a_signer_refuses_a_transaction_that_leaves_one_who_is_bound_unaware(world: World) -> None:
    bank, first, second = world.firms
    cash = issued(world, bank, first)
    sealed = first.services.books.seals
    first.services.books.seals = lambda turn, draft: sealed(turn, draft)[:-1] + b"x"  # type: ignore[method-assign]
    moves(world, first, cash, second, "move")
    assert world.run(60_000)
    done(first, "move")
    with second.reading() as turn:
        (delivery,) = [flow for flow in turn.flows() if flow.kind == "take-delivery"]
    assert delivery.state == "refused"
    assert status(second, ContractRef(done(first, "move"), 1)) is None


def test_a_delivery_without_the_history_it_needs_is_completed_by_asking(world: World) -> None:
    bank, first, second = world.firms
    cash = issued(world, bank, first)

    def bare(effect: SendMessage, body: Any) -> list[Effect]:
        if not isinstance(body, messages.Delivery):
            return [effect]
        return [instead(effect, msgspec.structs.replace(body, history=()))]

    tampers(first, bare)
    moves(world, first, cash, second, "move")
    assert world.run(60_000)
    assert status(second, ContractRef(done(first, "move"), 1)) == "active"
    with second.reading() as turn:
        (delivery,) = [flow for flow in turn.flows() if flow.kind == "take-delivery"]
    assert delivery.state == "done"


def test_a_node_killed_between_commit_and_release_says_again_what_it_had_decided(world: World) -> None:
    _, supplier, debtor = world.firms
    draft = drafted(world, supplier, debtor)
    fates = iter(["", "killed after commit", "", "killed before commit"])
    supplier.vault.fate = lambda: next(fates, "")
    accepts(world, debtor, draft)
    assert world.run(PAST_WINDOW_MS)
    assert supplier.life > 1
    done(debtor, "accept")
    assert status(supplier, draft) == "consumed"
