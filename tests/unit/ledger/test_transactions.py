"""The honest course: what is built is believed, signed, accepted and recorded; who sees what; what the id covers."""

from __future__ import annotations

import pytest
from tests.support.ledger import HOUR_MS, NOW, create, exercise, ref_of, who
from tests.support.refusals import refused
from tests.support.scenes import (
    ALICE,
    BANK,
    BOB,
    CAROL,
    EARLIER,
    LATER,
    c,
    cash,
    decoded,
    eur,
    iou,
    network,
    receivable,
    sale,
)

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.time import Window
from interfirm.contracts.types import ContractRef, Create, Exercise
from interfirm.ledger.types import Component, LineOpening, Passed, Shown, View, transaction_id


def indexes(draft: object, someone: object) -> list[int]:
    return [top.action.index for top in draft.tops.get(someone.id, ())]  # type: ignore[attr-defined]  # a draft, a party


def test_a_debt_is_made_handed_on_and_paid() -> None:
    net = network()
    debt = iou(net)
    moved = net.transact(exercise(debt, c.Iou.transfer, to=who(CAROL))).ref("Iou")
    paid = net.transact(exercise(moved, c.Iou.settle, cash=ref_of(cash(net, ALICE)))).ref("Cash")
    carol = net.members[CAROL.id]
    assert carol.held[paid.transaction].created[paid.index].action.payload == [[BANK.id], [CAROL.id], [100, "EUR"]]


def test_the_debtor_sees_the_assignment_and_not_the_price() -> None:
    _, taken = sale(network())
    choices = {
        someone: [getattr(taken.draft.nodes[i].action, "choice", "read") for i in indexes(taken.draft, someone)]
        for someone in (ALICE, BOB, CAROL, BANK)
    }
    assert choices == {ALICE: ["assign"], BOB: ["take"], CAROL: ["take"], BANK: ["read", "move"]}


def test_nothing_of_a_hidden_parent_is_in_the_view_of_its_child() -> None:
    net = network()
    _, taken = sale(net)
    view = net.view(taken.draft, ALICE)
    assert isinstance(view.roots[0], Passed)
    sent = codec.encode(view)
    for secret in (taken.draft.roots[0].seed, taken.draft.seed, codec.encode([70, "EUR"]), BANK.id):
        assert secret not in sent


def test_a_view_opens_only_the_lines_that_it_needs() -> None:
    net = network()
    _, taken = sale(net)
    opened = {line.line.identity for line in net.view(taken.draft, BANK).lines if isinstance(line, LineOpening)}
    assert opened == {BOB.id, CAROL.id}
    assert {line.line.identity for line in taken.draft.lines} == {ALICE.id, BOB.id, CAROL.id}


def test_every_view_of_a_transaction_leads_to_its_id_over_the_wire() -> None:
    net = network()
    _, taken = sale(net)
    for someone in (ALICE, BOB, CAROL, BANK):
        view = decoded(net.view(taken.draft, someone))
        assert net.members[someone.id].verify(view, transaction=taken.id).id == taken.id


def test_who_sees_more_than_its_own_is_told_to_the_submitter() -> None:
    net = network()
    paid = net.transact(exercise(cash(net, ALICE), c.Cash.pay, to=who(BOB), amount=eur(30)))
    assert paid.draft.more_seen == {BOB.id: (0,)}
    assert indexes(paid.draft, BOB) == [0]


def test_what_one_command_makes_the_next_may_use() -> None:
    net = network()
    made = net.transact(
        create(c.Iou(who(ALICE), who(BOB), eur(100))),
        exercise(ContractRef(None, 0), c.Iou.transfer, to=who(CAROL)),
    )  # fmt: skip
    assert [type(node.action) for node in made.draft.nodes] == [Create, Exercise, Create]
    assert indexes(made.draft, ALICE) == [0, 1]


def test_a_contract_names_those_made_beside_it_for_ever_after() -> None:
    net = network()
    pair = net.transact(create(c.Pair(who(ALICE))))
    filled = net.transact(exercise(pair.ref("Pair"), c.Pair.fill))
    counted = net.transact(exercise(filled.ref("Pair"), c.Pair.count))
    action = counted.draft.nodes[0].action
    assert isinstance(action, Exercise)
    assert action.result == 2
    assert [child.ref.transaction for child in action.children] == [filled.id, filled.id]  # type: ignore[union-attr]  # fetches


def test_a_map_is_unpacked_alike_by_builder_and_viewer() -> None:
    net = network()
    basket = net.transact(create(c.Basket(who(ALICE), {"aa": 1, "b": 2, "c": 3}))).ref("Basket")
    made = net.transact(exercise(basket, c.Basket.unpack))
    assert [node.action.payload[1] for node in made.draft.nodes[1:]] == [{"b": 2}, {"c": 3}, {"aa": 1}]  # type: ignore[union-attr]  # creates
    assert decoded(net.view(made.draft, ALICE)) == net.view(made.draft, ALICE)
    net.transact(
        exercise(
            net.transact(create(c.Basket(who(ALICE), {}))).ref("Basket"), c.Basket.repack, counts={"zz": 1, "y": 2}
        )
    )


def test_an_unknown_later_component_is_hashed_and_relayed() -> None:
    net = network()
    draft = net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1))))
    later = (Component(name="later", hash=digest("later")),)
    skeleton = draft.skeleton.replace(components=later)
    view = decoded(net.view(draft, ALICE).replace(components=later))
    assert net.members[ALICE.id].verify(view).id == skeleton.id != draft.id


def test_the_id_covers_every_part() -> None:
    _, taken = sale(network())
    skeleton = taken.draft.skeleton
    other = digest("other")
    changed = [
        skeleton.replace(header=skeleton.header.replace(window=Window(lower=None, upper=LATER))),
        skeleton.replace(header=skeleton.header.replace(packages=other)),
        skeleton.replace(entries=skeleton.entries[::-1]),
        skeleton.replace(entries=skeleton.entries[:-1]),
        skeleton.replace(lines=(other, *skeleton.lines[1:])),
        skeleton.replace(lines=skeleton.lines[:-1], entries=(*skeleton.entries, skeleton.lines[-1])),
        skeleton.replace(roots=(other,)),
        skeleton.replace(components=(Component(name="a", hash=other),)),
    ]
    assert len({each.id for each in [skeleton, *changed]}) == len(changed) + 1
    assert skeleton.id == transaction_id(skeleton.header.hash, skeleton.entries, skeleton.lines, skeleton.roots)
    assert skeleton.cid.startswith("bafyrei")


@refused("codec.not-canonical")
def test_a_view_in_a_second_spelling_is_refused() -> None:
    net = network()
    data = codec.encode(net.view(net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))), ALICE))
    assert data[:1] == b"\x86" or data[:1] == b"\x87"
    codec.decode(b"\x98" + bytes([data[0] & 0x1F]) + data[1:], View)


@refused("codec.shape")
def test_a_seed_of_another_length_is_refused() -> None:
    net = network()
    view = net.view(net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))), ALICE)
    top = view.roots[0]
    assert isinstance(top, Shown)
    decoded(view.replace(roots=(top.replace(seed=b"short"),)))


# the window -------------------------------------------------------------------------------------------------------


@refused("contract.not-before")
def test_a_choice_that_must_wait_is_refused_without_a_lower_bound() -> None:
    net = network()
    net.draft(exercise(receivable(net), c.Receivable.write_off), window=Window(lower=None, upper=LATER))


@refused("contract.not-before")
def test_a_viewer_judges_by_the_window_it_is_shown() -> None:
    net = network()
    right = receivable(net, due=NOW.plus_ms(-2 * HOUR_MS))
    draft = net.draft(exercise(right, c.Receivable.write_off))
    view = net.view(draft, BOB)
    earlier = Window(lower=EARLIER, upper=view.header.window.upper)
    net.members[BOB.id].verify(view.replace(header=view.header.replace(window=earlier)))


@refused("contract.before")
def test_a_choice_that_must_come_in_time_is_refused_with_too_late_a_bound() -> None:
    net = network()
    net.draft(exercise(receivable(net, due=NOW), c.Receivable.pay_early))


@refused("window.empty")
def test_an_empty_window_is_refused() -> None:
    Window(lower=NOW, upper=NOW)


def test_the_upper_bound_is_mandatory() -> None:
    with pytest.raises(Refusal) as caught:
        codec.decode(codec.encode([None, None]), Window)
    assert caught.value.code == "codec.shape"


@refused("ledger.version")
def test_an_unknown_format_is_refused() -> None:
    net = network()
    view = net.view(net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))), ALICE)
    net.members[ALICE.id].verify(view.replace(header=view.header.replace(version=2)), history=())


@refused("ledger.network")
def test_a_transaction_of_another_network_is_refused() -> None:
    net = network()
    view = net.view(net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))), ALICE)
    net.members[ALICE.id].verify(view.replace(header=view.header.replace(network=digest("other"))), history=())


@refused("notary.stranger")
def test_a_party_signs_nothing_at_a_notary_that_it_does_not_trust() -> None:
    net = network()
    draft = net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1))), notary=net.named("own"))
    net.members[ALICE.id].sign(net.view(draft, ALICE), draft.id, history=())
