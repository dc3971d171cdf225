"""What the builder refuses to build or to hand out."""

from __future__ import annotations

import pytest
from tests.support.ledger import create, exercise, who
from tests.support.parties import party
from tests.support.refusals import refused
from tests.support.scenes import ALICE, BANK, BOB, CAROL, LATER, TRUDY, c, cash, eur, iou, network

from interfirm.base.limits import LIMITS
from interfirm.contracts.types import Create
from interfirm.ledger import builder
from interfirm.ledger.authority import required_signers, tops_of


@refused("ledger.order")
def test_actions_out_of_number_are_not_built() -> None:
    net = network()
    (root,) = net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))).roots
    net.draft(actions=[root.action.replace(index=1)])


@refused("ledger.entries")
def test_too_many_actions_are_not_built() -> None:
    net = network()
    (root,) = net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))).roots
    parent = net.draft(exercise(iou(net), c.Iou.forgive)).roots[0].action
    children = tuple(root.action.replace(index=i + 1) for i in range(LIMITS.entries_count_max))
    net.draft(actions=[parent.replace(children=children)])


@refused("ledger.lines")
def test_too_many_signers_are_not_built() -> None:
    net = network()
    (root,) = net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))).roots
    action = root.action
    assert isinstance(action, Create)
    crowd = tuple(party(f"signer {i}").id for i in range(LIMITS.lines_count_max + 1))
    net.draft(actions=[action.replace(signatories=crowd)])


@refused("ledger.claim-owner")
def test_a_claim_of_somebody_who_does_not_see_the_contract_is_not_built() -> None:
    net = network()
    action = net.draft(create(c.Invoice(who(BOB), who(ALICE), "2026-1", eur(100), LATER))).roots[0].action
    assert isinstance(action, Create)
    (claim,) = action.claims
    net.draft(actions=[action.replace(claims=(claim.replace(owner=TRUDY.id),))])


@refused("ledger.informee")
def test_a_stranger_gets_no_view() -> None:
    net = network()
    net.view(net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))), TRUDY)


@refused("ledger.ref")
def test_only_what_is_made_can_be_disclosed() -> None:
    net = network()
    builder.own_disclosure(net.draft(exercise(iou(net), c.Iou.forgive)), 0)


def test_the_signers_are_those_whose_word_it_takes() -> None:
    net = network()
    draft = net.draft(exercise(cash(net, ALICE), c.Cash.pay, to=who(BOB), amount=eur(30)))
    assert draft.signers == (ALICE.id,)
    assert set(draft.informees) == {ALICE.id, BOB.id, BANK.id}
    handover = net.draft(exercise(iou(net), c.Iou.transfer, to=who(CAROL)))
    assert handover.signers == tuple(sorted((ALICE.id, BOB.id, CAROL.id)))


def test_the_header_commits_to_the_packages() -> None:
    net = network()
    draft = net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1))))
    assert draft.header.packages == builder.packages_commitment(draft.seed, draft.packages)
    assert draft.header.packages != builder.packages_commitment(draft.seed, [])


@pytest.mark.parametrize("someone", [ALICE, BOB, BANK], ids=str)
def test_a_view_is_raised_until_it_carries_its_own_authority(someone: object) -> None:
    """The cash that bob gets is made in the bank's name; he is shown the choice that gives it."""
    net = network()
    draft = net.draft(exercise(cash(net, ALICE), c.Cash.move, to=who(BOB)))
    actions = [root.action for root in draft.roots]
    signers = required_signers(actions, net.window)
    assert [top.action.index for top in tops_of(someone.id, draft.roots, signers)] == [0]  # type: ignore[attr-defined]  # a party
