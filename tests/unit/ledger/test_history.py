"""History: needed where authority was delegated, given as the lowest views that carry it, believed item by item."""

from __future__ import annotations

import pytest
from tests.support.forgery import Forgery
from tests.support.ledger import (
    ENGINE,
    Member,
    Network,
    Omniscient,
    Transacted,
    create,
    disclosed,
    exercise,
    ref_of,
    who,
)
from tests.support.refusals import refused
from tests.support.scenes import ALICE, BANK, BOB, CAROL, MALLORY, TRUDY, c, cash, eur, iou, network, sale

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.contracts.types import ContractRef, Create
from interfirm.ledger import history as history_module
from interfirm.ledger.history import History, HistoryItem, lowest_view, narrowed, verify_history
from interfirm.ledger.signing import sign
from interfirm.ledger.types import LineOpening, Passed, Shown
from interfirm.ledger.verification import Verified


def verify(net: Network, member: Member, history: History) -> frozenset[ContractRef]:
    return verify_history(history, engine=ENGINE, world=member, network=net.id)


def chain(net: Network, length: int) -> ContractRef:
    """Cash that went to and fro between alice and mallory, and is mallory's or alice's in the end."""
    piece = cash(net, ALICE)
    for i in range(length):
        piece = net.transact(exercise(piece, c.Cash.move, to=who((MALLORY, ALICE)[i % 2]))).ref("Cash")
    return piece


def payment(net: Network, piece: ContractRef, *, to: object = BOB) -> Transacted:
    return net.transact(exercise(piece, c.Cash.move, to=who(to)))  # type: ignore[arg-type]  # a party


# when ----------------------------------------------------------------------------------------------------------------


def test_where_all_signatories_sign_no_history_is_needed() -> None:
    net = network()
    draft = net.draft(exercise(iou(net), c.Iou.transfer, to=who(CAROL)))
    verified = net.members[CAROL.id].verify(net.view(draft, CAROL), history=())
    assert verified.vouched == {verified.nodes[0].action.ref}  # type: ignore[union-attr]  # an exercise


@refused("ledger.history")
def test_where_a_signatory_does_not_sign_history_is_needed() -> None:
    net = network()
    draft = net.draft(exercise(cash(net, ALICE), c.Cash.move, to=who(BOB)))
    net.members[BOB.id].verify(net.view(draft, BOB), history=())


@refused("ledger.history")
def test_a_contract_that_is_only_read_needs_history_where_a_signatory_does_not_sign() -> None:
    net = network()
    draft = net.draft(exercise(iou(net), c.Iou.settle, cash=ref_of(cash(net, ALICE))))
    net.members[BOB.id].verify(net.view(draft, BOB), history=())


@refused("ledger.history")
def test_two_colluding_parties_cannot_turn_a_hundred_of_cash_into_a_million() -> None:
    """The cash is entered and never validly made; its next use looks right in itself."""
    net = network()
    million = create(c.Cash(who(BANK), who(MALLORY), eur(1_000_000)))
    forged = Forgery(net, [net.draft(million).roots[0].action]).build()
    forged.scopes = {MALLORY.id: frozenset({0})}
    draft = forged.draft()
    net.notary.done(forged.request([sign(MALLORY.signer, MALLORY.id, draft.id)]))
    ref = ContractRef(draft.id, 0)
    net.disclosures[ref] = disclosed(forged.roots[0], ref, draft.skeleton, net.notary.receipt(draft.id))
    spent = net.draft(exercise(ref, c.Cash.move, to=who(BOB)))
    net.members[BOB.id].verify(net.view(spent, BOB), history=())


@refused("ledger.history")
def test_a_contract_of_the_same_transaction_that_nobody_vouches_for_is_shown_made() -> None:
    net = network()
    draft = net.draft(exercise(cash(net, ALICE), c.Cash.pay, to=who(BOB), amount=eur(30)))
    moved = next(n.action.index for n in draft.nodes if getattr(n.action, "choice", "") == "move")
    forgery = Forgery(net, [draft.roots[0].action]).build()
    forgery.show(BOB.id, moved)
    net.members[BOB.id].verify(forgery.view(BOB.id), history=())


@refused("ledger.history")
def test_a_local_contract_disclosed_beside_is_not_believed_on_anothers_word() -> None:
    """Cash is made at one root without the bank, and spent at the next; only the spending is shown."""
    net = network()
    draft = net.draft(
        create(c.Cash(who(BANK), who(MALLORY), eur(1_000))), exercise(ContractRef(None, 0), c.Cash.move, to=who(BOB))
    )
    forgery = Forgery(net, [root.action for root in draft.roots]).build()
    del forgery.scopes[BANK.id]
    forgery.show(BOB.id, 1)
    net.members[BOB.id].verify(forgery.view(BOB.id), history=())


# what is given ----------------------------------------------------------------------------------------------------


def test_a_chain_is_given_oldest_first_and_makes_all_of_it_known() -> None:
    net = network()
    piece = chain(net, 3)
    bob = net.members[BOB.id]
    draft = net.draft(exercise(piece, c.Cash.move, to=who(BOB)))
    given = net.members[MALLORY.id].give(net.view(draft, BOB), bob)
    assert len(given) == 4
    assert piece in verify(net, bob, given)
    bob.verify(net.view(draft, BOB), history=given)


def test_only_what_the_receiver_lacks_is_given() -> None:
    net = network()
    bob = net.members[BOB.id]
    paid = payment(net, chain(net, 2)).ref("Cash")
    onwards = payment(net, payment(net, paid, to=ALICE).ref("Cash"), to=MALLORY)
    draft = net.draft(exercise(onwards.ref("Cash"), c.Cash.move, to=who(BOB)))
    assert len(net.members[MALLORY.id].give(net.view(draft, BOB), bob)) == 1


def test_the_giver_passes_on_what_it_was_given() -> None:
    """Bob never was a party to the first steps; he hands on their views as he got them."""
    net = network()
    paid = payment(net, chain(net, 2)).ref("Cash")
    draft = net.draft(exercise(paid, c.Cash.move, to=who(CAROL)))
    carol = net.members[CAROL.id]
    carol.verify(net.view(draft, CAROL), history=net.members[BOB.id].give(net.view(draft, CAROL), carol))


def test_a_long_chain_needs_no_recursion() -> None:
    net = network()
    piece = chain(net, 60)
    bob = net.members[BOB.id]
    draft = net.draft(exercise(piece, c.Cash.move, to=who(BOB)))
    bob.verify(net.view(draft, BOB))
    assert bob.known_valid(piece)


def test_an_item_shows_the_lowest_node_that_carries_the_creation() -> None:
    """Of a sale, whoever gets the cash later sees the cash move, and nothing of what was sold."""
    net = network()
    _, taken = sale(net)
    held = net.members[BOB.id].held[taken.id]
    assert [top.action.index for top in held.tops] == [0]
    view = lowest_view(held, 3)
    assert isinstance(view.roots[0], Passed)
    shown = [branch for branch in view.roots[0].children if isinstance(branch, Shown)]
    assert [branch.index for branch in shown] == [2]
    world = Omniscient(net)
    assert world.verify(view, history=(), transaction=taken.id).created.keys() == {3}


def test_an_item_opens_no_line_and_no_input_that_it_does_not_need() -> None:
    net = network()
    _, taken = sale(net)
    held = net.members[BOB.id].held[taken.id]
    view = lowest_view(held, 3)
    assert {line.line.identity for line in view.lines if isinstance(line, LineOpening)} == {BOB.id, CAROL.id}
    assert [disclosure.template.name for disclosure in view.inputs] == ["Cash"]


def test_an_item_brings_along_what_it_uses_of_its_own_transaction() -> None:
    net = network()
    piece = cash(net, ALICE)
    paid = net.transact(exercise(piece, c.Cash.pay, to=who(BOB), amount=eur(30)))
    held = net.members[ALICE.id].held[paid.id]
    last = max(held.created)
    view = lowest_view(held, last)
    assert Omniscient(net).verify(view, history=(), transaction=paid.id).id == paid.id


@refused("ledger.entry")
def test_a_creation_that_is_not_held_has_no_lowest_view() -> None:
    net = network()
    _, taken = sale(net)
    lowest_view(net.members[ALICE.id].held[taken.id], 3)


def test_narrowing_to_everything_changes_nothing() -> None:
    net = network()
    _, taken = sale(net)
    for someone in (ALICE, BOB, CAROL, BANK):
        held: Verified = net.members[someone.id].held[taken.id]
        assert narrowed(held, held.tops) == held.view


# lies -------------------------------------------------------------------------------------------------------------


def given_for(net: Network, piece: ContractRef) -> History:
    draft = net.draft(exercise(piece, c.Cash.move, to=who(BOB)))
    return net.history(net.view(draft, BOB), net.members[BOB.id])


@refused("ledger.history")
def test_a_history_with_a_step_left_out_is_refused() -> None:
    net = network()
    verify(net, net.members[BOB.id], given_for(net, chain(net, 3))[1:])


@refused("ledger.history")
def test_a_history_out_of_order_is_refused() -> None:
    net = network()
    verify(net, net.members[BOB.id], given_for(net, chain(net, 3))[::-1])


@refused("receipt.notary")
def test_a_step_that_was_never_accepted_is_refused() -> None:
    net = network()
    draft = net.draft(exercise(chain(net, 1), c.Cash.move, to=who(TRUDY)))
    *before, _ = given_for(net, chain(net, 1))
    before = list(given_for(net, draft.nodes[0].action.ref))  # type: ignore[union-attr]  # an exercise
    item = HistoryItem(view=net.whole_view(draft), receipt=b"receipt:" + net.notary.id + draft.id)
    verify(net, net.members[BOB.id], (*before, item))


@refused("receipt.other")
def test_a_step_with_the_receipt_of_another_is_refused() -> None:
    net = network()
    *before, last = given_for(net, chain(net, 1))
    verify(net, net.members[BOB.id], (*before, last.replace(receipt=before[0].receipt)))


@refused("ledger.authority")
def test_a_step_without_authority_is_refused() -> None:
    net = network()
    million = create(c.Cash(who(BANK), who(MALLORY), eur(1_000_000)))
    forged = Forgery(net, [net.draft(million).roots[0].action]).build()
    forged.scopes = {MALLORY.id: frozenset({0})}
    draft = forged.draft()
    net.notary.done(forged.request([sign(MALLORY.signer, MALLORY.id, draft.id)]))
    item = HistoryItem(view=forged.view(BANK.id), receipt=net.notary.receipt(draft.id))
    verify(net, net.members[BOB.id], (item,))


def test_what_a_refused_history_began_with_is_not_kept() -> None:
    net = network()
    bob = net.members[BOB.id]
    good = given_for(net, chain(net, 1))
    with pytest.raises(Refusal):
        bob.learn((*good, good[-1].replace(receipt=b"")))
    assert not bob.known


@refused("ledger.history-limit")
def test_too_long_a_history_is_refused_before_any_work() -> None:
    net = network()
    verify(net, net.members[BOB.id], given_for(net, chain(net, 0)) * (LIMITS.history_count_max + 1))


def test_too_long_a_history_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network()
    piece = chain(net, 3)
    monkeypatch.setattr(history_module, "LIMITS", _Few())
    with pytest.raises(Refusal) as caught:
        given_for(net, piece)
    assert caught.value.code == "ledger.history-limit"


class _Few:
    history_count_max = 2


def test_an_item_makes_known_only_what_it_shows_made() -> None:
    net = network()
    _, taken = sale(net)
    held = net.members[BOB.id].held[taken.id]
    item = HistoryItem(view=lowest_view(held, 5), receipt=net.notary.receipt(taken.id))
    assert verify(net, net.members[TRUDY.id], (item,)) == {ContractRef(taken.id, 5)}
    made = taken.draft.nodes[5].action
    assert isinstance(made, Create)
    assert made.template.name == "Receivable"
