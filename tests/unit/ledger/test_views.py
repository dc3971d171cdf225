"""Lies about the forest and about views: nobody believes what it cannot rebuild, or what carries no authority."""

from __future__ import annotations

import pytest
from tests.support.forgery import Forgery, changed, fetch_of, made_of
from tests.support.ledger import Network, create, exercise, ref_of, shown, who
from tests.support.parties import Party
from tests.support.refusals import refused
from tests.support.scenes import ALICE, BANK, BOB, CAROL, MALLORY, TRUDY, c, cash, eur, iou, network, sale

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS, Limits
from interfirm.contracts.types import ContractRef, CreateCommand, Exercise
from interfirm.ledger import tree, verification
from interfirm.ledger.types import Component, FetchCommand, Passed, Shown, View


def verify(net: Network, someone: Party, view: View, transaction: bytes | None = None) -> None:
    net.members[someone.id].verify(view, history=(), transaction=transaction)


def handover(net: Network) -> Forgery:
    """Bob hands alice's debt on to carol; not yet hashed."""
    draft = net.draft(exercise(iou(net), c.Iou.transfer, to=who(CAROL)))
    return Forgery(net, [draft.roots[0].action])


# the forest -------------------------------------------------------------------------------------------------------


@refused("ledger.id")
def test_another_payload_than_the_choice_makes_is_refused() -> None:
    net = network()
    forgery = handover(net)
    forgery.actions = changed(forgery.actions, 1, lambda old: [made_of(old, 1, amount=eur(1))])
    forgery.build()
    verify(net, ALICE, forgery.view(ALICE.id), forgery.draft().id)


@refused("ledger.id")
def test_another_result_is_refused() -> None:
    net = network()
    forgery = handover(net)
    forgery.actions = changed(forgery.actions, 0, lambda old: [old.replace(result="other")])
    forgery.build()
    verify(net, ALICE, forgery.view(ALICE.id), forgery.draft().id)


@refused("ledger.id")
def test_an_entry_of_another_kind_than_the_action_is_refused() -> None:
    net = network()
    forgery = handover(net)
    forgery.actions = changed(forgery.actions, 0, lambda old: [old.replace(consuming=False)])
    forgery.build()
    verify(net, ALICE, forgery.view(ALICE.id), forgery.draft().id)


@refused("ledger.entry")
def test_a_dropped_child_leaves_an_entry_too_few() -> None:
    net = network()
    forgery = handover(net)
    forgery.actions = changed(forgery.actions, 0, lambda old: [old.replace(children=())])
    forgery.build()
    # its place is kept open, or the viewer would find an entry too many
    view = forgery.view(ALICE.id)
    verify(net, ALICE, view.replace(entries=(*view.entries, None, None)))


@refused("ledger.order")
def test_a_choice_that_does_more_than_is_entered_is_refused() -> None:
    net = network()
    forgery = handover(net)
    forgery.actions = changed(forgery.actions, 0, lambda old: [old.replace(children=())])
    verify(net, ALICE, forgery.build().view(ALICE.id))


@refused("ledger.order")
def test_two_actions_of_one_index_are_refused() -> None:
    net = network()
    draft = net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1))), create(c.Iou(who(ALICE), who(BOB), eur(2))))
    view = net.view(draft, ALICE)
    first, second = view.roots
    assert isinstance(second, Shown)
    verify(net, ALICE, view.replace(roots=(first, second.replace(index=0))))


@refused("ledger.order")
def test_actions_out_of_the_order_of_the_forest_are_refused() -> None:
    net = network()
    draft = net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1))), create(c.Iou(who(ALICE), who(BOB), eur(2))))
    view = net.view(draft, ALICE)
    verify(net, ALICE, view.replace(roots=view.roots[::-1]))


@refused("ledger.order")
def test_an_index_beyond_the_entries_is_refused() -> None:
    net = network()
    view = net.view(net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))), ALICE)
    top = view.roots[0]
    assert isinstance(top, Shown)
    verify(net, ALICE, view.replace(roots=(top.replace(index=7),)))


@refused("ledger.nothing")
def test_a_view_that_shows_no_action_is_refused() -> None:
    net = network()
    draft = net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1))))
    verify(net, CAROL, shown(net, draft).replace(lines=tuple(line.hash for line in draft.lines)))


@refused("ledger.depth")
def test_a_forest_without_a_bottom_is_refused() -> None:
    net = network()
    view = net.view(net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))), ALICE)
    branch = view.roots[0]
    for _ in range(LIMITS.action_depth_max + 1):
        branch = Passed(body=digest("junk"), children=(branch,))
    verify(net, ALICE, view.replace(roots=(branch,)))


@refused("ledger.limit")
def test_too_many_entries_are_refused_before_any_work() -> None:
    net = network()
    view = net.view(net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))), ALICE)
    verify(net, ALICE, view.replace(entries=(None, *[digest("entry", i) for i in range(LIMITS.entries_count_max)])))


@refused("ledger.limit")
def test_too_many_components_are_refused() -> None:
    net = network()
    view = net.view(net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))), ALICE)
    many = tuple(Component(name=str(i), hash=digest("c", i)) for i in range(LIMITS.components_count_max + 1))
    verify(net, ALICE, view.replace(components=many))


def test_all_sub_trees_of_a_view_share_one_measure_of_fuel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a view of a thousand roots could make its reader work a thousand times as long as its builder may."""
    net = network()
    debts = [iou(net), iou(net)]
    roots = [net.draft(exercise(debt, c.Iou.burn, steps=500)).roots[0].action for debt in debts]
    one, both = Forgery(net, roots[:1]).build(), Forgery(net, roots).build()
    monkeypatch.setattr(verification, "LIMITS", Limits(fuel_steps_max=4_000))
    verify(net, ALICE, one.view(ALICE.id))
    with pytest.raises(Refusal) as caught:
        verify(net, ALICE, both.view(ALICE.id))
    assert caught.value.code == "contract.fuel"


def test_all_inputs_of_a_view_share_one_measure_of_fuel(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network()
    debts = [iou(net) for _ in range(8)]
    draft = net.draft(*[exercise(debt, c.Iou.forgive) for debt in debts])
    monkeypatch.setattr(verification, "LIMITS", Limits(fuel_steps_max=100))
    with pytest.raises(Refusal) as caught:
        verify(net, ALICE, net.view(draft, ALICE))
    assert caught.value.code == "contract.fuel"


# local refs -------------------------------------------------------------------------------------------------------


@refused("ledger.local-ref")
def test_a_local_ref_to_a_later_contract_is_refused() -> None:
    """A cycle: the use comes first, and what it uses is disclosed out of the same transaction."""
    net = network()
    forgery = _used_before_made(net)
    forgery.show(ALICE.id, 0)
    forgery.scopes = {ALICE.id: frozenset({0, 1}), BOB.id: frozenset({0, 1}), CAROL.id: frozenset({0, 1})}
    verify(net, ALICE, forgery.view(ALICE.id))


def _used_before_made(net: Network) -> Forgery:
    draft = net.draft(
        create(c.Iou(who(ALICE), who(BOB), eur(1))), exercise(ContractRef(None, 0), c.Iou.transfer, to=who(CAROL))
    )
    made, used = (root.action for root in draft.roots)
    return Forgery(net, [used, made]).build()


@refused("ledger.input")
def test_a_contract_shown_made_later_is_not_there_for_an_earlier_use() -> None:
    net = network()
    forgery = _used_before_made(net)
    forgery.show(ALICE.id, 0, 2)
    view = forgery.view(ALICE.id)
    verify(net, ALICE, view.replace(inputs=()))


@refused("ledger.consumed-twice")
def test_a_contract_consumed_twice_in_one_view_is_refused() -> None:
    net = network()
    debt = iou(net)
    one = net.draft(exercise(debt, c.Iou.transfer, to=who(CAROL))).roots[0].action
    other = net.draft(exercise(debt, c.Iou.forgive)).roots[0].action
    forgery = Forgery(net, [one, other]).build()
    view = forgery.view(ALICE.id)
    verify(net, ALICE, view.replace(inputs=view.inputs[:1]))


# authority --------------------------------------------------------------------------------------------------------


@refused("ledger.authority")
def test_an_extra_root_that_nobody_authorised_is_not_believed() -> None:
    net = network()
    extra = net.draft(create(c.Cash(who(BANK), who(ALICE), eur(1_000_000)))).roots[0].action
    forgery = Forgery(net, [net.draft(create(c.Iou(who(MALLORY), who(ALICE), eur(1)))).roots[0].action, extra]).build()
    del forgery.scopes[BANK.id]
    verify(net, ALICE, forgery.view(ALICE.id))


@refused("ledger.id")
def test_an_extra_child_is_not_believed() -> None:
    net = network()
    money = cash(net, MALLORY)
    action = net.draft(exercise(money, c.Cash.move, to=who(ALICE))).roots[0].action
    assert isinstance(action, Exercise)
    forgery = Forgery(net, [action.replace(children=(*action.children, action.children[0]))]).build()
    view = forgery.view(ALICE.id)
    member = net.members[ALICE.id]
    member.learn(net.history(shown(net, net.draft(exercise(money, c.Cash.move, to=who(ALICE))), 0), member))
    # alice is given room for the entry that her own run does not make
    entries = (*view.entries[:2], forgery.draft().skeleton.entries[2])
    member.verify(view.replace(entries=entries), history=(), transaction=forgery.draft().id)


@refused("ledger.authority")
def test_a_lowered_view_that_hides_where_its_authority_comes_from_is_refused() -> None:
    net = network()
    _, taken = sale(net)
    member = net.members[BOB.id]
    member.verify(shown(net, taken.draft, 3), history=())


@refused("ledger.authority")
def test_a_junk_parent_gives_no_authority() -> None:
    net = network()
    money = net.draft(create(c.Cash(who(BANK), who(ALICE), eur(1_000_000)))).roots[0].action
    own = iou(net, MALLORY, TRUDY)
    parent = net.draft(exercise(own, c.Iou.forgive)).roots[0].action
    assert isinstance(parent, Exercise)
    forgery = Forgery(net, [parent.replace(children=(money,), signatories=(BANK.id,))]).build()
    forgery.show(ALICE.id, 1)
    verify(net, ALICE, forgery.view(ALICE.id))


@refused("ledger.authority")
def test_a_choice_of_the_issuers_own_needs_the_issuer_even_where_the_owner_confirms() -> None:
    """Otherwise whoever owns cash could top it up: the issuer left the confirming to the owner, not its own choices."""
    net = network()
    draft = net.draft(exercise(cash(net, MALLORY), c.Cash.top_up, amount=eur(1_000_000)))
    forgery = Forgery(net, [draft.roots[0].action]).build()
    del forgery.scopes[BANK.id]
    forgery.show(ALICE.id, 0)
    net.members[ALICE.id].learn(net.history(forgery.view(ALICE.id), net.members[ALICE.id]))
    verify(net, ALICE, forgery.view(ALICE.id))


@refused("ledger.authority")
def test_the_issuers_authority_over_one_contract_is_shown_where_another_uses_it() -> None:
    """A vault may top up cash in the issuer's name; without the vault in view nobody needs to believe it."""
    net = network()
    vault = net.transact(create(c.Vault(who(BANK), who(MALLORY), eur(100)))).ref("Vault")
    money = cash(net, MALLORY)
    draft = net.draft(exercise(vault, c.Vault.raise_cash, cash=ref_of(money), amount=eur(50)))
    low = next(n.action.index for n in draft.nodes if getattr(n.action, "choice", "") == "top_up")
    assert [top.action.index for top in draft.tops[BANK.id]] == [0]
    net.settle(draft)
    view = shown(net, draft, low)
    net.members[ALICE.id].learn(net.history(view, net.members[ALICE.id]))
    verify(net, ALICE, view)


@refused("ledger.confirmers")
def test_a_choice_without_a_confirmer_is_refused() -> None:
    net = network()
    forgery = handover(net).build()
    del forgery.scopes[ALICE.id]
    verify(net, CAROL, forgery.view(CAROL.id))


@refused("ledger.confirmers")
def test_a_non_consuming_choice_needs_confirmers_too() -> None:
    net = network()
    forgery = Forgery(net, [net.draft(exercise(iou(net), c.Iou.remind, text="pay")).roots[0].action]).build()
    del forgery.scopes[ALICE.id]
    verify(net, BOB, forgery.view(BOB.id))


def test_a_read_needs_no_confirmer() -> None:
    net = network()
    note = net.transact(exercise(iou(net), c.Iou.remind, text="pay")).ref("Note")
    read = net.transact(exercise(note, c.Note.read))
    assert read.draft.signers == (BOB.id,)


@refused("ledger.authority")
def test_a_read_by_somebody_who_is_no_stakeholder_is_refused() -> None:
    net = network()
    view, member = _read_of_cash(net)
    top = view.roots[0]
    assert isinstance(top, Shown)
    assert isinstance(top.command, FetchCommand)
    member.verify(
        view.replace(roots=(top.replace(command=top.command.replace(controllers=(MALLORY.id,))),)), history=()
    )


@refused("ledger.authority")
def test_the_readers_of_a_read_have_one_spelling() -> None:
    net = network()
    view, member = _read_of_cash(net)
    top = view.roots[0]
    assert isinstance(top, Shown)
    assert isinstance(top.command, FetchCommand)
    twice = (*top.command.controllers, *top.command.controllers)
    member.verify(view.replace(roots=(top.replace(command=top.command.replace(controllers=twice)),)), history=())


@refused("ledger.template")
def test_a_read_of_another_template_is_refused() -> None:
    net = network()
    view, member = _read_of_cash(net)
    top = view.roots[0]
    assert isinstance(top, Shown)
    assert isinstance(top.command, FetchCommand)
    other = top.command.replace(template=top.command.template.replace(name="Iou"))
    member.verify(view.replace(roots=(top.replace(command=other),)), history=())


def _read_of_cash(net: Network) -> tuple[View, object]:
    """Cash of alice's read at the top of a view, and bank to whom it is shown."""
    money = cash(net, ALICE)
    paying = net.draft(exercise(iou(net), c.Iou.settle, cash=ref_of(money))).roots[0].action
    assert isinstance(paying, Exercise)
    forgery = Forgery(net, [paying.children[0]]).build()
    return forgery.view(BANK.id), net.members[BANK.id]


@refused("ledger.id")
def test_a_choice_entered_as_a_read_is_refused() -> None:
    net = network()
    forgery = handover(net)
    forgery.actions = [fetch_of(forgery.actions[0])]  # type: ignore[arg-type]  # an exercise
    forgery.build()
    honest = handover(net).build()
    view = honest.view(ALICE.id)
    verify(net, ALICE, view, forgery.draft().id)


def test_a_read_of_a_contract_of_the_same_transaction_may_be_shown_alone() -> None:
    """What is read is disclosed out of the transaction itself, where its signatories sign the read too."""
    net = network()
    draft = net.draft(
        create(c.Iou(who(ALICE), who(BOB), eur(1))),
        create(c.Note(who(BOB), (who(ALICE),), "n", ref_of(ContractRef(None, 0)))),
        exercise(ContractRef(None, 1), c.Note.read),
    )  # fmt: skip
    forgery = Forgery(net, [*[root.action for root in draft.roots[:2]], draft.roots[2].action.children[0]]).build()
    forgery.scopes = {ALICE.id: frozenset({0, 2}), BOB.id: frozenset({0, 1, 2})}
    forgery.show(ALICE.id, 2)
    verify(net, ALICE, forgery.view(ALICE.id))


def test_a_seed_opens_its_own_sub_tree_and_nothing_above_or_beside_it() -> None:
    net = network()
    _, taken = sale(net)
    root = taken.draft.roots[0]
    seeds = {node.action.index: node.seed for node in root.walk()}
    below = {tree.child_seed(seeds[2], 0)}
    assert below == {seeds[3]}
    derived = {tree.child_seed(seed, i) for seed in (seeds[4], seeds[5]) for i in range(8)}
    assert not derived & {seeds[0], seeds[1], seeds[2], seeds[3], seeds[4]}


def test_two_equal_contracts_have_unlike_hashes() -> None:
    net = network()
    same = create(c.Iou(who(ALICE), who(BOB), eur(1)))
    draft = net.draft(same, same)
    one, other = draft.nodes
    assert one.action.payload == other.action.payload  # type: ignore[union-attr]  # creates
    for part in ("payload", "confirmers", "action"):
        assert getattr(one.entry, part) != getattr(other.entry, part)
    assert isinstance(create(c.Iou(who(ALICE), who(BOB), eur(1))), CreateCommand)
