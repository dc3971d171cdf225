"""Listed signatures: nobody is bound by what it did not run, nobody's signature can be left out or used elsewhere."""

from __future__ import annotations

import pytest
from tests.support.forgery import Forgery
from tests.support.ledger import HOUR_MS, NOW, Network, create, disclosed, exercise, ref_of, shown, who
from tests.support.refusals import refused
from tests.support.scenes import ALICE, BANK, BOB, CAROL, MALLORY, TRUDY, c, cash, eur, iou, network, receivable, sale

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.time import Window
from interfirm.contracts.types import ContractRef
from interfirm.ledger.signing import NOTARY, PARTY, check_signature, sign
from interfirm.ledger.types import Line, LineOpening, TransactionSignature


def handover(net: Network) -> Forgery:
    """Bob hands alice's debt on to carol."""
    draft = net.draft(exercise(iou(net), c.Iou.transfer, to=who(CAROL)))
    return Forgery(net, [draft.roots[0].action]).build()


def two_debts(net: Network) -> Forgery:
    """Two debts in one transaction, of alice and of bob."""
    draft = net.draft(create(c.Iou(who(ALICE), who(CAROL), eur(1))), create(c.Iou(who(BOB), who(CAROL), eur(2))))
    return Forgery(net, [root.action for root in draft.roots]).build()


def sign_as(net: Network, forgery: Forgery, someone: object) -> TransactionSignature:
    member = net.members[someone.id]  # type: ignore[attr-defined]  # a party
    view = forgery.view(member.party.id)
    return member.sign(view, forgery.draft().id, history=())


def all_signed(net: Network, forgery: Forgery) -> list[TransactionSignature]:
    draft = forgery.draft()
    return [sign(net.members[i].party.signer, i, draft.id) for i in forgery.scopes]


# the signer's own checks ------------------------------------------------------------------------------------------


@refused("ledger.scope")
def test_a_signer_refuses_a_line_for_more_than_it_ran() -> None:
    net = network()
    forgery = two_debts(net)
    forgery.scopes[ALICE.id] = frozenset({0, 1})
    sign_as(net, forgery, ALICE)


@refused("ledger.scope")
def test_a_signer_refuses_a_line_for_less_than_it_ran() -> None:
    net = network()
    draft = net.draft(create(c.Note(who(ALICE), (who(CAROL),), "a")), create(c.Note(who(ALICE), (who(CAROL),), "b")))
    forgery = Forgery(net, [root.action for root in draft.roots]).build()
    forgery.scopes[CAROL.id] = frozenset({0})
    sign_as(net, forgery, CAROL)


@refused("ledger.scope")
def test_a_signer_that_is_not_listed_does_not_sign() -> None:
    net = network()
    draft = net.draft(create(c.Note(who(ALICE), (who(CAROL),), "a")))
    net.members[CAROL.id].sign(net.view(draft, CAROL), draft.id, history=())


@refused("ledger.scope")
def test_a_scope_in_a_second_spelling_is_refused() -> None:
    net = network()
    forgery = two_debts(net)
    view = forgery.view(CAROL.id)
    lines = tuple(
        line.replace(line=line.line.replace(scope=line.line.scope[::-1])) if isinstance(line, LineOpening) else line
        for line in view.lines
    )
    net.members[CAROL.id].verify(view.replace(lines=lines), history=())


@refused("ledger.line-twice")
def test_an_identity_listed_twice_is_refused_where_both_lines_are_shown() -> None:
    net = network()
    forgery = two_debts(net)
    forgery.extra_lines.append(Line(identity=ALICE.id, scope=(0, 1)))
    sign_as(net, forgery, ALICE)


@refused("notary.line-twice")
def test_an_identity_listed_twice_is_refused_by_the_notary_where_one_line_is_hidden() -> None:
    net = network()
    forgery = two_debts(net)
    forgery.extra_lines.append(Line(identity=ALICE.id, scope=(0, 1)))
    net.notary.done(forgery.request(all_signed(net, forgery)))


@refused("ledger.authority")
def test_a_signer_insists_on_the_lines_that_its_view_needs() -> None:
    """Bob's line is hidden from carol, so she cannot know that he is bound."""
    net = network()
    forgery = two_debts(net)
    forgery.hide_lines = {BOB.id}
    sign_as(net, forgery, CAROL)


@refused("ledger.id")
def test_a_signer_signs_only_the_id_that_its_view_leads_to() -> None:
    net = network()
    forgery, other = two_debts(net), two_debts(net)
    net.members[ALICE.id].sign(forgery.view(ALICE.id), other.draft().id, history=())


@refused("ledger.unverified")
def test_a_signatory_never_vouches_for_a_contract_that_it_has_not_verified() -> None:
    """A debt of alice's that alice never saw made is used, with her as a confirmer."""
    net = network()
    forged = Forgery(net, [net.draft(create(c.Iou(who(ALICE), who(MALLORY), eur(1_000)))).roots[0].action]).build()
    del forged.scopes[ALICE.id]
    net.notary.done(forged.request(all_signed(net, forged)))
    draft = forged.draft()
    ref = ContractRef(draft.id, 0)
    net.disclosures[ref] = disclosed(forged.roots[0], ref, draft.skeleton, net.notary.receipt(draft.id))
    used = net.draft(exercise(ref, c.Iou.transfer, to=who(CAROL)))
    net.members[ALICE.id].sign(net.view(used, ALICE), used.id, history=())


def test_a_signatory_that_has_lost_its_books_is_given_the_history_of_its_own_contract() -> None:
    net = network()
    debt = iou(net)
    bob, alice = net.members[BOB.id], net.members[ALICE.id]
    alice.known.clear()
    draft = net.draft(exercise(debt, c.Iou.transfer, to=who(CAROL)))
    view = net.view(draft, ALICE)
    alice.sign(view, draft.id, history=bob.give(view, alice))


# the notary's -----------------------------------------------------------------------------------------------------


@refused("notary.signature")
def test_a_listed_signature_that_is_missing_is_refused() -> None:
    net = network()
    forgery = two_debts(net)
    net.notary.done(forgery.request(all_signed(net, forgery)[:-1]))


@refused("notary.confirmers")
def test_a_confirmer_that_is_left_out_is_missed_by_the_notary() -> None:
    net = network()
    forgery = handover(net)
    del forgery.scopes[ALICE.id]
    net.notary.done(forgery.request(all_signed(net, forgery)))


@refused("notary.confirmers")
def test_a_confirmer_whose_scope_lacks_the_entry_is_missed_by_the_notary() -> None:
    net = network()
    forgery = handover(net)
    forgery.scopes[ALICE.id] = frozenset({1})
    net.notary.done(forgery.request(all_signed(net, forgery)))


def test_an_incomplete_submission_first_does_not_spoil_the_complete_one() -> None:
    net = network()
    forgery = two_debts(net)
    signatures = all_signed(net, forgery)
    with pytest.raises(Refusal):
        net.notary.done(forgery.request(signatures[:-1]))
    assert net.notary.done(forgery.request(signatures)) == net.notary.done(forgery.request(signatures))


# signatures -------------------------------------------------------------------------------------------------------


def test_a_signature_covers_id_identity_scheme_platform_and_purpose() -> None:
    name = digest("transaction")
    signature = sign(ALICE.signer, ALICE.id, name)
    check_signature(signature, name)
    for change in (
        signature.replace(identity=BOB.id),
        signature.replace(key=BOB.signer.public),
        signature.replace(signature=bytes(64)),
    ):
        with pytest.raises(Refusal) as caught:
            check_signature(change, name)
        assert caught.value.code == "signature.invalid"
    with pytest.raises(Refusal):
        check_signature(signature, digest("another"))


@refused("signature.purpose")
def test_a_signature_for_another_purpose_is_refused() -> None:
    check_signature(sign(ALICE.signer, ALICE.id, digest("t"), purpose=NOTARY), digest("t"), purpose=PARTY)


@refused("signature.invalid")
def test_a_purpose_cannot_be_relabelled() -> None:
    made = sign(ALICE.signer, ALICE.id, digest("t"), purpose=NOTARY)
    check_signature(made.replace(purpose=PARTY), digest("t"))


@refused("signature.platform")
def test_an_unknown_platform_is_refused() -> None:
    check_signature(sign(ALICE.signer, ALICE.id, digest("t")).replace(platform_version=2), digest("t"))


# deadlines --------------------------------------------------------------------------------------------------------


def overdue(net: Network) -> Window:
    return Window(lower=NOW.plus_ms(-HOUR_MS), upper=NOW.plus_ms(HOUR_MS))


def test_the_fallback_suffices_once_the_deadline_has_passed() -> None:
    net = network()
    right = receivable(net, due=NOW.plus_ms(-2 * HOUR_MS))
    draft = net.draft(exercise(right, c.Receivable.write_off), window=overdue(net), unreachable=[ALICE])
    assert draft.signers == (BOB.id,)
    net.settle(draft)


@refused("notary.confirmers")
def test_the_fallback_does_not_suffice_before_the_deadline() -> None:
    net = network()
    right = receivable(net, due=NOW)
    window = Window(lower=NOW, upper=NOW.plus_ms(HOUR_MS))
    draft = net.draft(exercise(right, c.Receivable.write_off), window=window, unreachable=[ALICE])
    forgery = Forgery(net, [draft.roots[0].action], window=overdue(net)).build()
    forgery.scopes = {BOB.id: frozenset({0})}
    net.notary.done(forgery.request(all_signed(net, forgery)))


@refused("ledger.confirmers")
def test_a_viewer_knows_when_the_fallback_suffices() -> None:
    net = network()
    right = receivable(net)
    draft = net.draft(exercise(right, c.Receivable.assign, to=who(CAROL)))
    forgery = Forgery(net, [draft.roots[0].action]).build()
    del forgery.scopes[ALICE.id]
    sign_as(net, forgery, CAROL)


def test_a_fallback_used_calls_for_history() -> None:
    net = network()
    right = receivable(net, due=NOW.plus_ms(-2 * HOUR_MS))
    draft = net.draft(exercise(right, c.Receivable.assign, to=who(CAROL)), window=overdue(net), unreachable=[ALICE])
    assert draft.signers == tuple(sorted((BOB.id, CAROL.id)))
    view = net.view(draft, CAROL)
    with pytest.raises(Refusal) as caught:
        net.members[CAROL.id].verify(view, history=())
    assert caught.value.code == "ledger.history"
    net.members[CAROL.id].verify(view)


# what lines tell --------------------------------------------------------------------------------------------------


def test_hidden_lines_tell_nothing_of_who_signs() -> None:
    net = network()
    _, taken = sale(net)
    view = net.view(taken.draft, BANK)
    assert ALICE.id not in codec.encode(view)
    assert sum(isinstance(line, bytes) for line in view.lines) == 1


def test_a_party_to_two_parts_is_listed_once_for_both() -> None:
    net = network()
    forgery = two_debts(net)
    assert forgery.scopes[CAROL.id] == frozenset({0, 1})
    assert sign_as(net, forgery, CAROL).identity == CAROL.id


def test_the_same_view_may_be_shown_to_somebody_who_only_looks() -> None:
    net = network()
    money = cash(net, ALICE)
    draft = net.draft(exercise(iou(net), c.Iou.settle, cash=ref_of(money)))
    net.members[TRUDY.id].verify(shown(net, draft, 0))
