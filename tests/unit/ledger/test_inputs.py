"""Lies about inputs: a payload, an output proof, a receipt, a notary or a move that is not what it says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.forgery import Forgery
from tests.support.ledger import NOW, Member, Network, create, disclosed, exercise, ref_of, who
from tests.support.parties import Party
from tests.support.refusals import refused
from tests.support.scenes import ALICE, BANK, BOB, CAROL, LATER, MALLORY, TRUDY, c, cash, eur, iou, network

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.contracts.types import Confirmers, ContractRef, Create, CreateCommand
from interfirm.ledger import tree
from interfirm.ledger.builder import Draft
from interfirm.ledger.moves import followed, import_id, lock_id
from interfirm.ledger.signing import sign
from interfirm.ledger.types import CreateEntry, Disclosure, Move, TransactionSignature, View, entry_hash
from interfirm.notary.moves import machine as moves


class Handover:
    """Bob hands alice's debt on to carol, who is shown it with an input that may be a lie."""

    def __init__(self) -> None:
        self.net = network()
        self.debt = iou(self.net)
        self.draft = self.net.draft(exercise(self.debt, c.Iou.transfer, to=who(CAROL)))
        self.view = self.net.view(self.draft, CAROL)
        self.carol = self.net.members[CAROL.id]

    def verify(self, *inputs: Disclosure) -> None:
        self.carol.verify(self.view.replace(inputs=inputs), history=())

    @property
    def input(self) -> Disclosure:
        return self.view.inputs[0]


@refused("ledger.input")
def test_an_input_that_is_not_shown_is_refused() -> None:
    Handover().verify()


@refused("ledger.input")
def test_an_input_shown_twice_is_refused() -> None:
    scene = Handover()
    scene.verify(scene.input, scene.input)


@refused("ledger.input")
def test_an_input_that_nothing_uses_is_refused() -> None:
    scene = Handover()
    scene.verify(scene.input, scene.net.disclosures[cash(scene.net, CAROL)])


@refused("ledger.payload")
def test_another_payload_is_refused() -> None:
    scene = Handover()
    debtor, creditor, _, watchers = scene.input.payload
    scene.verify(scene.input.replace(payload=[debtor, creditor, [1_000_000, "EUR"], watchers]))


@refused("ledger.payload")
def test_a_payload_that_is_no_list_is_refused() -> None:
    scene = Handover()
    scene.verify(scene.input.replace(payload=None))


@refused("ledger.payload")
def test_a_payload_with_a_field_too_few_is_refused() -> None:
    scene = Handover()
    scene.verify(scene.input.replace(payload=scene.input.payload[:-1]))


@refused("ledger.payload")
def test_another_seed_is_refused() -> None:
    scene = Handover()
    scene.verify(scene.input.replace(payload_seed=digest("other")))


@refused("ledger.payload")
def test_another_template_of_the_same_shape_is_refused() -> None:
    scene = Handover()
    note = scene.input.template.replace(name="Note")
    scene.verify(scene.input.replace(template=note))


@refused("contract.package")
def test_an_unknown_package_is_refused() -> None:
    scene = Handover()
    scene.verify(scene.input.replace(template=scene.input.template.replace(package=digest("other"))))


@refused("ledger.output-proof")
def test_an_entry_that_is_not_of_the_creating_transaction_is_refused() -> None:
    scene = Handover()
    scene.verify(scene.input.replace(entry=scene.input.entry.replace(claims=(digest("claim"),))))


@refused("ledger.output-proof")
def test_the_transaction_of_another_contract_is_refused() -> None:
    scene = Handover()
    other = scene.net.disclosures[iou(scene.net)]
    scene.verify(other.replace(ref=scene.input.ref))


@refused("ledger.output-proof")
def test_an_index_beyond_the_creating_transaction_is_refused() -> None:
    scene = Handover()
    scene.verify(scene.input.replace(ref=ContractRef(scene.debt.transaction, 9)))


@refused("ledger.output-proof")
def test_an_input_without_its_creating_transaction_is_refused() -> None:
    """The entry is one of this very transaction, and the ref names another one."""
    net = network()
    draft = net.draft(
        create(c.Iou(who(ALICE), who(BOB), eur(1))), exercise(ContractRef(None, 0), c.Iou.transfer, to=who(CAROL))
    )
    forgery = Forgery(net, [root.action for root in draft.roots]).build()
    forgery.show(CAROL.id, 1)
    forgery.disclose = lambda held: held.replace(ref=ContractRef(digest("another"), 0))
    net.members[CAROL.id].verify(forgery.view(CAROL.id), history=())


@refused("ledger.output-proof")
def test_an_entry_listed_twice_makes_no_second_contract() -> None:
    """Money doubled: the same create entry at two places, and the second one spent."""
    net = network()
    forgery = Forgery(net, [net.draft(create(c.Iou(who(MALLORY), who(TRUDY), eur(100)))).roots[0].action]).build()
    forgery.entries.append(forgery.entries[0])
    doubled = _accepted(net, forgery, place=1)
    _show_use(net, doubled)


@refused("ledger.output-proof")
def test_an_output_without_its_create_action_is_refused() -> None:
    """The entry is there, and what it names as its action is none that makes a contract."""
    net = network()
    forgery = Forgery(net, [net.draft(create(c.Iou(who(MALLORY), who(TRUDY), eur(100)))).roots[0].action]).build()
    entry = forgery.entries[0]
    assert isinstance(entry, CreateEntry)
    forgery.entries[0] = entry.replace(action=digest("no action"))
    _show_use(net, _accepted(net, forgery, place=0))


@refused("ledger.confirmers-commitment")
def test_an_output_that_commits_to_other_confirmers_is_refused() -> None:
    net = network()
    forgery = Forgery(net, [net.draft(create(c.Iou(who(MALLORY), who(TRUDY), eur(100)))).roots[0].action]).build()
    entry = forgery.entries[0]
    assert isinstance(entry, CreateEntry)
    planted = Confirmers(parties=(MALLORY.id,))
    salt = tree.confirmers_salt(forgery.roots[0].seed)
    forgery.entries[0] = entry.replace(confirmers=tree.confirmers_commitment(salt, planted))
    ref = _accepted(net, forgery, place=0)
    net.openings[ref] = salt, planted
    _show_use(net, ref)


def _accepted(net: Network, forgery: Forgery, *, place: int) -> ContractRef:
    """Have a forgery of mallory and trudy accepted; the contract said to be at `place` of it."""
    draft = forgery.draft()
    signers = [net.members[identity].party for identity in forgery.scopes]
    net.notary.done(forgery.request([_signature(signer, draft) for signer in signers]))
    node = forgery.roots[0]
    action = node.action
    assert isinstance(action, Create)
    entry = forgery.entries[place]
    assert isinstance(entry, CreateEntry)
    ref = ContractRef(draft.id, place)
    net.disclosures[ref] = Disclosure(
        ref=ref, template=action.template, payload=action.payload, payload_seed=tree.payload_seed(node.seed),
        confirmers_salt=tree.confirmers_salt(node.seed), entry=entry, skeleton=draft.skeleton,
        receipt=net.notary.receipt(draft.id),
    )  # fmt: skip
    return ref


def _signature(someone: Party, draft: Draft) -> TransactionSignature:
    return sign(someone.signer, someone.id, draft.id)


def _show_use(net: Network, ref: ContractRef) -> None:
    """Show carol that she gets the contract."""
    draft = net.draft(exercise(ref, c.Iou.transfer, to=who(CAROL)))
    net.members[CAROL.id].verify(net.view(draft, CAROL), history=())


# receipts and notaries --------------------------------------------------------------------------------------------


@refused("receipt.notary")
def test_an_input_that_was_never_notarised_is_refused() -> None:
    scene = Handover()
    draft = scene.net.draft(create(c.Iou(who(MALLORY), who(TRUDY), eur(1))))
    node = draft.nodes[0]
    ref = ContractRef(draft.id, 0)
    fake = disclosed(node, ref, draft.skeleton, b"receipt:" + scene.net.notary.id + draft.id)
    _show_disclosed(scene.net, scene.carol, fake)


def _show_disclosed(net: Network, member: Member, held: Disclosure) -> None:
    net.disclosures[held.ref] = held
    draft = net.draft(exercise(held.ref, c.Iou.transfer, to=who(CAROL)))
    member.verify(net.view(draft, CAROL), history=())


@refused("receipt.other")
def test_the_receipt_of_another_transaction_is_refused() -> None:
    scene = Handover()
    other = scene.net.disclosures[iou(scene.net)]
    scene.verify(scene.input.replace(receipt=other.receipt))


@refused("ledger.network")
def test_an_input_of_another_network_is_refused() -> None:
    scene = Handover()
    skeleton = scene.input.skeleton
    assert skeleton is not None
    other = skeleton.replace(header=skeleton.header.replace(network=digest("other network")))
    changed = scene.input.replace(ref=ContractRef(other.id, 0), skeleton=other)
    scene.net.disclosures[changed.ref] = changed
    _show_disclosed(scene.net, scene.carol, changed)


@refused("ledger.notary")
def test_an_input_that_lives_at_another_notary_is_refused() -> None:
    net = network()
    debt = iou(net)
    draft = net.draft(exercise(debt, c.Iou.transfer, to=who(CAROL)), notary=net.named("two"))
    net.members[CAROL.id].verify(net.view(draft, CAROL), history=())


@refused("notary.stranger")
def test_an_input_of_somebodys_own_notary_is_refused() -> None:
    net = network()
    made = net.draft(create(c.Iou(who(MALLORY), who(TRUDY), eur(1))), notary=net.named("own"))
    ref = net.force(made).ref("Iou")
    net.disclosures[ContractRef(ref.transaction, 0)] = net.disclosures[ref]
    _show_disclosed(net, net.members[CAROL.id], net.disclosures[ref])


# moves ------------------------------------------------------------------------------------------------------------


class Moved:
    """Alice's debt to bob, moved from the first notary to the second."""

    def __init__(self) -> None:
        self.net = network()
        self.two = self.net.named("two")
        self.debt = iou(self.net)
        self.moved = self.net.move(self.debt, self.two)
        self.carol = self.net.members[CAROL.id]

    def view(self, held: Disclosure | None = None) -> View:
        draft = self.net.draft(exercise(self.moved, c.Iou.transfer, to=who(CAROL)), notary=self.two)
        return self.net.view(draft, CAROL) if held is None else self.net.view(draft, CAROL).replace(inputs=(held,))

    def lie(self, change: Callable[[Disclosure], Disclosure]) -> None:
        self.carol.verify(self.view(change(self.net.disclosures[self.moved])), history=())


def test_a_moved_contract_is_used_where_it_lives() -> None:
    scene = Moved()
    done = scene.net.transact(exercise(scene.moved, c.Iou.transfer, to=who(CAROL)), notary=scene.two)
    assert scene.carol.known_valid(done.ref("Iou"))


def test_a_contract_moves_back_and_forth() -> None:
    scene = Moved()
    back = scene.net.move(scene.moved, scene.net.notary)
    again = scene.net.move(back, scene.two)
    assert len(scene.net.disclosures[again].moves) == 3
    scene.net.transact(exercise(again, c.Iou.transfer, to=who(CAROL)), notary=scene.two)


def test_local_refs_of_a_moved_contract_mean_the_transaction_that_made_it() -> None:
    net = network()
    pair = net.transact(create(c.Pair(who(ALICE))))
    filled = net.transact(exercise(pair.ref("Pair"), c.Pair.fill))
    there = net.move(filled.ref("Pair"), net.named("two"))
    code = net.lookup(there)
    assert code.created_in == filled.id
    with pytest.raises(Refusal) as caught:  # the baskets stayed behind
        net.transact(exercise(there, c.Pair.count), notary=net.named("two"))
    assert caught.value.code == "ledger.notary"


def test_cash_moves_with_its_history() -> None:
    net = network()
    paid = net.transact(exercise(cash(net, ALICE), c.Cash.move, to=who(BOB))).ref("Cash")
    there = net.move(paid, net.named("two"))
    done = net.transact(exercise(there, c.Cash.move, to=who(CAROL)), notary=net.named("two"))
    assert net.members[CAROL.id].known_valid(done.ref("Cash"))


@refused("ledger.output-proof")
def test_a_moved_contract_without_its_moves_is_refused() -> None:
    Moved().lie(lambda held: held.replace(moves=()))


@refused("ledger.move")
def test_a_move_of_another_contract_is_refused() -> None:
    scene = Moved()
    back = scene.net.move(scene.moved, scene.net.notary)
    first, second = scene.net.disclosures[back].moves
    draft = scene.net.draft(exercise(back, c.Iou.transfer, to=who(CAROL)))
    held = scene.net.disclosures[back].replace(moves=(first, second.replace(ref=scene.debt)))
    scene.carol.verify(scene.net.view(draft, CAROL).replace(inputs=(held,)), history=())


@refused("ledger.move")
def test_moves_that_lead_elsewhere_are_refused() -> None:
    scene = Moved()
    other = scene.net.move(iou(scene.net), scene.two)
    scene.lie(lambda held: scene.net.disclosures[other].replace(ref=held.ref))


@refused("ledger.move")
def test_a_local_contract_does_not_pass_for_a_moved_one() -> None:
    scene = Moved()
    move = scene.net.disclosures[scene.moved].moves[0]
    followed(
        ContractRef(None, 0), scene.net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))).header,
        [move.replace(ref=ContractRef(None, 0))], digest("c"), accepted=scene.carol.accepted,
    )  # fmt: skip


@refused("ledger.output-proof")
def test_moves_of_a_contract_of_this_transaction_are_refused() -> None:
    """A ref at will, with moves that nobody checked because there is no creating transaction to start from."""
    scene = Moved()
    draft = scene.net.draft(
        create(c.Iou(who(ALICE), who(BOB), eur(1))), exercise(ContractRef(None, 0), c.Iou.transfer, to=who(CAROL)),
        notary=scene.two,
    )  # fmt: skip
    forgery = Forgery(scene.net, [root.action for root in draft.roots], notary=scene.two).build()
    forgery.show(CAROL.id, 1)
    move = scene.net.disclosures[scene.moved].moves[0].replace(ref=ContractRef(None, 0))
    forgery.disclose = lambda held: held.replace(ref=scene.moved, moves=(move,))
    view = forgery.view(CAROL.id)
    top = view.roots[1]
    view = view.replace(roots=(view.roots[0], top.replace(command=top.command.replace(ref=scene.moved))))  # type: ignore[union-attr]  # shown
    scene.carol.verify(view, history=())


@refused("ledger.move")
def test_too_many_moves_are_refused() -> None:
    scene = Moved()
    scene.lie(lambda held: held.replace(moves=held.moves * (LIMITS.moves_count_max + 1)))


@refused("receipt.other")
def test_a_move_without_the_other_notarys_receipt_is_refused() -> None:
    def lie(held: Disclosure) -> Disclosure:
        move = held.moves[0]
        return held.replace(moves=(move.replace(lock_receipt=held.receipt),))

    Moved().lie(lie)


@refused("receipt.notary")
def test_a_lock_that_was_never_imported_is_refused() -> None:
    net = network()
    two = net.named("two")
    debt = iou(net)
    request = net.lock(debt, two)
    lock = net.notary.done(request).id
    move = Move(
        ref=debt, to=two.id, until=request.until, nonce=request.nonce, lock_receipt=net.notary.receipt(lock),
        import_receipt=b"receipt:" + two.id + import_id(lock),
    )  # fmt: skip
    held = net.disclosures[debt].replace(ref=ContractRef(lock, 0), moves=(move,))
    net.disclosures[held.ref] = held
    draft = net.draft(exercise(held.ref, c.Iou.transfer, to=who(CAROL)), notary=two)
    net.members[CAROL.id].verify(net.view(draft, CAROL), history=())


@refused("notary.stranger")
def test_a_move_through_somebodys_own_notary_is_refused() -> None:
    net = network()
    debt = iou(net, MALLORY, TRUDY)
    own = net.move(debt, net.named("own"))
    back = net.move(own, net.notary)
    draft = net.draft(exercise(back, c.Iou.transfer, to=who(CAROL)))
    net.members[CAROL.id].verify(net.view(draft, CAROL), history=())


@refused("move.too-late")
def test_an_import_after_its_time_is_refused() -> None:
    net = network()
    two = net.named("two")
    debt = iou(net)
    request = net.lock(debt, two, until_ms=1)
    lock = net.notary.done(request).id
    two.now = LATER
    net.bring(debt, two, request, lock)


@refused("notary.locked")
def test_a_locked_contract_can_be_neither_used_nor_read() -> None:
    net = network()
    money = cash(net, ALICE)
    debt = iou(net, ALICE, BOB)
    net.notary.done(net.lock(money, net.named("two")))
    net.transact(exercise(debt, c.Iou.settle, cash=ref_of(money)))


@refused("notary.consumed")
def test_a_contract_that_moved_away_is_not_used_at_the_old_place() -> None:
    scene = Moved()
    scene.net.transact(exercise(scene.debt, c.Iou.transfer, to=who(CAROL)))


def test_a_lock_comes_undone_by_the_other_notarys_word_alone() -> None:
    net = network()
    two = net.named("two")
    debt = iou(net)
    lock = net.notary.done(net.lock(debt, two, until_ms=1)).id
    with pytest.raises(Refusal) as caught:
        net.unlock(debt, two, lock)
    assert caught.value.code == "move.statement"
    two.now = LATER
    net.unlock(debt, two, lock)
    net.transact(exercise(debt, c.Iou.transfer, to=who(CAROL)))


def test_ledger_and_notary_mean_the_same_ids_of_a_move() -> None:
    parts = digest("a"), ContractRef(digest("t"), 3), digest("b"), NOW, digest("n"), digest("c")
    assert lock_id(*parts) == moves.lock_id(*parts)
    assert import_id(digest("l")) == moves.import_id(digest("l"))


def test_entries_need_no_salt_because_actions_have_one() -> None:
    net = network()
    one, other = (net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1)))) for _ in range(2))
    assert entry_hash(one.nodes[0].entry) != entry_hash(other.nodes[0].entry)
    assert isinstance(create(c.Iou(who(ALICE), who(BOB), eur(1))), CreateCommand)
    assert BANK.id not in one.skeleton.entries
