"""Who is bound hears of it: seals that every viewer can make again, and that open for exactly the informees."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support import ledger as support
from tests.support.contracts.iou.contract import Cash, Iou, Offer, Receivable
from tests.support.ledger import NOW, Network, Omniscient, create, exercise, ref_of, who
from tests.support.parties import Party, party

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.base.money import Money
from interfirm.base.signatures import PublicKey, Scheme
from interfirm.contracts.types import ContractRef
from interfirm.ledger import builder, seals
from interfirm.ledger.builder import Draft
from interfirm.ledger.seals import Seals, agreement, check_seals, merged, needs_seals, open_seals, with_seals
from interfirm.ledger.types import Component, Disclosure, View
from interfirm.ledger.verification import Verified
from interfirm.notary.requests import request_of
from interfirm.notary.uniqueness.machine import consumer_hash, transaction_of

BANK, ANN, BEN, CAT = (party(name) for name in ("bank", "ann", "ben", "cat"))
TEN = Money(1000, "EUR")


class Case:
    """Cash of the bank in Ann's hands, and a debt of Ann to Ben that she pays with it: the bank signs nothing."""

    def __init__(self) -> None:
        self.network = Network("bank ann ben cat")
        self.cash = self.network.transact(create(Cash(issuer=who(BANK), owner=who(ANN), amount=TEN))).ref("Cash")
        self.debt = self.network.transact(
            create(Iou(debtor=who(ANN), creditor=who(BEN), amount=TEN))
        ).ref("Iou")  # fmt: skip
        self.bare = self.network.draft(exercise(self.debt, Iou.settle, cash=ref_of(self.cash)))
        self.draft, self.block = with_seals(self.bare, self.keys, self.input)

    def keys(self, identity: bytes) -> PublicKey:
        return self.network.members[identity].party.signer.public

    def input(self, ref: ContractRef) -> Disclosure:
        if ref.transaction is None:
            return builder.own_disclosure(self.bare, ref.index)
        return self.network.disclosures[ref]

    def verified(self, someone: Party, draft: Draft | None = None) -> Verified:
        view = self.network.view(draft or self.draft, someone)
        return Omniscient(self.network).verify(view, history=())

    def opened(self, someone: Party, block: bytes | None = None) -> list[View]:
        seed = digest("test signing key", someone.name)
        return open_seals(block or self.block, someone.signer.public, agreement(seed))

    def reading(self, view: View) -> Verified:
        return Omniscient(self.network).verify(view, history=(), transaction=self.draft.id)

    def refused(self, someone: Party, block: bytes, draft: Draft | None = None) -> str:
        with pytest.raises(Refusal) as refusal:
            check_seals(self.verified(someone, draft), block, self.keys)
        return refusal.value.code

    def resealed(self, change: Callable[[Seals], Seals]) -> tuple[Draft, bytes]:
        """The dishonest builder's draft, which commits to seals that it changed."""
        block = codec.encode(change(codec.decode(self.block, Seals)))
        return self.committing(block), block

    def committing(self, block: bytes) -> Draft:
        component = Component(name=seals.SEALS, hash=digest(seals.SEALS, block))
        return self.bare.replace(skeleton=self.bare.skeleton.replace(components=(component,)))


@pytest.fixture
def case() -> Case:
    return Case()


def test_seals_are_needed_where_a_signatory_does_not_sign(case: Case) -> None:
    assert needs_seals(case.bare)
    assert not needs_seals(case.network.draft(exercise(case.debt, Iou.forgive)))
    issue = create(Cash(issuer=who(BANK), owner=who(ANN), amount=TEN))
    assert not needs_seals(case.network.draft(issue)), "the bank signs it itself"


def test_seals_are_needed_where_a_fallback_signs_for_a_confirmer(case: Case) -> None:
    due = NOW.plus_ms(-support.HOUR_MS)
    overdue = case.network.transact(
        create(Receivable(obligor=who(ANN), holder=who(BEN), outstanding=TEN, due=due))
    ).ref("Receivable")  # fmt: skip
    draft = case.network.draft(exercise(overdue, Receivable.write_off), unreachable=[ANN])
    assert ANN.id not in draft.signers
    assert needs_seals(draft)


def test_a_signatory_that_was_not_asked_opens_its_view_with_its_own_key_alone(case: Case) -> None:
    assert BANK.id not in case.draft.signers
    view, sent = merged(case.opened(BANK)), case.network.view(case.draft, BANK)
    assert view.replace(inputs=()) == sent.replace(inputs=())
    assert {disclosure.ref for disclosure in view.inputs} == {disclosure.ref for disclosure in sent.inputs}
    assert [type(action).__name__ for action in case.reading(view).actions] == ["Fetch", "Exercise"]


def test_every_informee_opens_what_the_builder_would_have_sent_it(case: Case) -> None:
    for someone in (BANK, ANN, BEN):
        found = case.reading(merged(case.opened(someone)))
        wanted = case.verified(someone)
        assert {n.action.index for n in found.nodes} >= {n.action.index for n in wanted.nodes}
        assert found.id == case.draft.id


def test_what_opens_leads_to_the_id_that_the_notary_tells_the_hash_of(case: Case) -> None:
    request = request_of(case.draft, case.network.signatures(case.draft), salts=case.network.salts)
    request = request.replace(seals=case.block)
    assert transaction_of(request) == case.draft.id
    assert case.network.notary.done(request).id == case.draft.id
    told = case.network.notary.say("consumer", case.cash.transaction + bytes(4))  # type: ignore[operator] # not local
    assert consumer_hash(case.reading(case.opened(BANK)[0]).id) in told


def test_nobody_else_opens_anything(case: Case) -> None:
    assert case.opened(CAT) == []


def test_nobody_sees_who_the_readers_are(case: Case) -> None:
    for someone in (BANK, ANN, BEN):
        assert someone.signer.public.key not in case.block
        assert someone.id not in case.block


def test_an_informee_of_a_lower_node_opens_nothing_above_it(case: Case) -> None:
    indexes = {node.action.index for view in case.opened(BANK) for node in case.reading(view).nodes}
    whole = {node.action.index for node in case.draft.nodes}
    assert indexes < whole
    assert 0 not in indexes


def test_every_viewer_makes_the_same_seals_again(case: Case) -> None:
    for someone in (BANK, ANN, BEN):
        check_seals(case.verified(someone), case.block, case.keys)


def test_missing_seals_are_refused_by_whoever_sees_that_they_are_needed(case: Case) -> None:
    assert case.refused(ANN, b"", case.bare) == "seals.missing"
    forgiven = case.network.draft(exercise(case.debt, Iou.forgive))
    check_seals(case.verified(ANN, forgiven), b"", case.keys)
    assert case.refused(ANN, case.block, forgiven) == "seals.other"


def test_other_seals_than_the_transaction_committed_to_are_refused(case: Case) -> None:
    other = codec.encode(codec.decode(case.block, Seals).replace(seals=()))
    assert case.refused(ANN, other) == "seals.other"
    assert case.refused(ANN, b"") == "seals.other"


def test_seals_that_speak_of_another_transaction_are_refused(case: Case) -> None:
    def elsewhere(given: Seals) -> Seals:
        return given.replace(skeleton=given.skeleton.replace(roots=(digest("another root"),)))

    draft, block = case.resealed(elsewhere)
    assert case.refused(ANN, block, draft) == "seals.other"


def test_a_node_that_is_not_sealed_is_refused(case: Case) -> None:
    for gone in range(len(codec.decode(case.block, Seals).seals)):
        draft, block = case.resealed(
            lambda given, gone=gone: given.replace(seals=given.seals[:gone] + given.seals[gone + 1 :])  # type: ignore[misc] # bound now
        )
        assert case.refused(ANN, block, draft) == "seals.wrong"


@pytest.mark.parametrize("part", ["text", "nonce", "ephemeral"])
def test_a_seal_that_holds_something_else_is_refused(case: Case, part: str) -> None:
    def spoilt(given: Seals) -> Seals:
        changed = tuple(seal.replace(**{part: bytes(len(getattr(seal, part)))}) for seal in given.seals)
        return given.replace(seals=changed)

    draft, block = case.resealed(spoilt)
    for someone in (ANN, BEN, BANK):
        assert case.refused(someone, block, draft) == "seals.wrong"


def test_an_informee_left_out_is_found_by_every_viewer_of_its_node(case: Case) -> None:
    def without_bank(given: Seals) -> Seals:
        kept = []
        for seal in given.seals:
            open_to_bank = case.opened(BANK, codec.encode(given.replace(seals=(seal,))))
            tags = {wrap.tag for wrap in seal.wraps}
            for wrap in seal.wraps:
                left = seal.replace(wraps=tuple(w for w in seal.wraps if w != wrap))
                if open_to_bank and not case.opened(BANK, codec.encode(given.replace(seals=(left,)))):
                    tags.discard(wrap.tag)
            kept.append(seal.replace(wraps=tuple(w for w in seal.wraps if w.tag in tags)))
        return given.replace(seals=tuple(kept))

    draft, block = case.resealed(without_bank)
    assert case.opened(BANK, block) == []
    for someone in (ANN, BEN):
        assert case.refused(someone, block, draft) == "seals.informee"


def test_a_key_wrapped_wrongly_is_found(case: Case) -> None:
    def garbled(given: Seals) -> Seals:
        return given.replace(
            seals=tuple(
                seal.replace(wraps=tuple(wrap.replace(key=bytes(len(wrap.key))) for wrap in seal.wraps))
                for seal in given.seals
            )
        )

    draft, block = case.resealed(garbled)
    assert case.opened(BANK, block) == []
    assert case.refused(BEN, block, draft) == "seals.informee"


def test_a_junk_seal_beside_the_true_one_keeps_nobody_from_reading(case: Case) -> None:
    def with_junk(given: Seals) -> Seals:
        junk = [
            seal.replace(text=bytes(len(seal.text)), nonce=bytes(24)) for seal in given.seals
        ]  # fmt: skip
        places = seals.Sealed(root=9, branch=digest("x"), first=2**31, count=2**31, lines=(), inputs=())
        assert not seals._fits(places, given.skeleton)
        return given.replace(seals=(*junk, *given.seals))

    _, block = case.resealed(with_junk)
    assert len(case.opened(BANK, block)) == len(case.opened(BANK))


def test_a_junk_wrap_under_the_readers_own_tag_keeps_it_from_nothing(case: Case) -> None:
    def with_junk(given: Seals) -> Seals:
        return given.replace(
            seals=tuple(
                seal.replace(wraps=tuple(w for wrap in seal.wraps for w in (wrap.replace(key=bytes(48)), wrap)))
                for seal in given.seals
            )
        )

    _, block = case.resealed(with_junk)
    assert len(case.opened(BANK, block)) == len(case.opened(BANK))


def test_an_ephemeral_key_of_low_order_opens_nothing(case: Case) -> None:
    _, block = case.resealed(
        lambda given: given.replace(seals=tuple(seal.replace(ephemeral=bytes(32)) for seal in given.seals))
    )
    assert case.opened(BANK, block) == []


def test_garbage_is_no_block_of_seals(case: Case) -> None:
    for data in (b"", b"junk", codec.encode_plain([]), bytes(LIMITS.sealed_bytes_max + 1)):
        with pytest.raises(Refusal, match=r"codec\."):
            case.opened(BANK, data or b"\x00")


def test_a_rotated_key_makes_other_seals(case: Case) -> None:
    with pytest.raises(Refusal) as refusal:
        check_seals(case.verified(ANN), case.block, lambda identity: CAT.signer.public)
    assert refusal.value.code == "seals.informee"


def test_an_identity_key_of_another_scheme_reads_no_seals(case: Case) -> None:
    odd = PublicKey(scheme=Scheme.P256, key=b"\x02" + bytes(32))
    for key in (odd, PublicKey(scheme=Scheme.ED25519, key=bytes(32)), PublicKey(scheme=Scheme.ED25519, key=b"short")):
        with pytest.raises(Refusal) as refusal:
            with_seals(case.bare, lambda _, key=key: key, case.input)  # type: ignore[misc] # bound now
        assert refusal.value.code == "seals.scheme"


def test_seals_over_the_limit_are_refused(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "LIMITS", _Small())
    with pytest.raises(Refusal) as refusal:
        with_seals(case.bare, case.keys, case.input)
    assert refusal.value.code == "seals.size"


class _Small:
    sealed_bytes_max = 1000


def test_views_of_different_transactions_are_not_merged(case: Case) -> None:
    other, block = with_seals(
        case.network.draft(exercise(case.debt, Iou.settle, cash=ref_of(case.cash))), case.keys, case.input
    )
    assert other.id != case.draft.id
    with pytest.raises(Refusal) as refusal:
        merged([*case.opened(BANK), *case.opened(BANK, block)])
    assert refusal.value.code == "seals.merge"


class Sale(Case):
    """Ben sells what Ann owes him to Cat for cash: Ann sees the assignment, the bank the cash, neither the price."""

    def __init__(self) -> None:
        self.network = network = Network("bank ann ben cat")
        due = NOW.plus_ms(support.HOUR_MS)
        self.cash = network.transact(create(Cash(issuer=who(BANK), owner=who(CAT), amount=TEN))).ref("Cash")
        right = network.transact(
            create(Receivable(obligor=who(ANN), holder=who(BEN), outstanding=TEN, due=due))
        ).ref("Receivable")  # fmt: skip
        offer = network.transact(
            create(Offer(seller=who(BEN), lender=who(CAT), receivable=ref_of(right), price=TEN))
        ).ref("Offer")  # fmt: skip
        self.bare = network.draft(exercise(offer, Offer.take, cash=ref_of(self.cash)))
        self.draft, self.block = with_seals(self.bare, self.keys, self.input)


def test_in_a_sale_each_opens_its_part_and_nobody_the_price_but_buyer_and_seller() -> None:
    sale = Sale()
    for someone in (BANK, ANN, BEN, CAT):
        check_seals(sale.verified(someone), sale.block, sale.keys)
        found = sale.reading(merged(sale.opened(someone)))
        assert {n.action.index for n in found.nodes} == {n.action.index for n in sale.verified(someone).nodes}
    top = sale.draft.roots[0].action.index
    for someone in (BANK, ANN):
        assert all(node.action.index != top for view in sale.opened(someone) for node in sale.reading(view).nodes)


def test_an_informee_with_several_nodes_opens_them_apart_and_as_one() -> None:
    case = Case()
    more = case.network.transact(create(Cash(issuer=who(BANK), owner=who(ANN), amount=TEN))).ref("Cash")
    case.bare = case.network.draft(
        exercise(case.cash, Cash.move, to=who(BEN)), exercise(more, Cash.pay, to=who(CAT), amount=Money(1, "EUR"))
    )
    case.draft, case.block = with_seals(case.bare, case.keys, case.input)
    views = case.opened(BANK)
    assert len(views) > 1
    whole = case.reading(merged(views))
    assert {n.action.index for n in whole.nodes} == {n.action.index for n in case.draft.nodes}
    case.reading(views[0])
    with pytest.raises(Refusal) as refusal:
        case.reading(views[-1])
    assert refusal.value.code == "ledger.history", "it uses what another one of them makes"


def test_a_chain_of_local_cash_opens_for_its_issuer() -> None:
    """Ann splits and moves a piece in two top actions: the second uses what the first makes."""
    case = Case()
    case.bare = case.network.draft(exercise(case.cash, Cash.pay, to=who(BEN), amount=Money(400, "EUR")))
    case.draft, case.block = with_seals(case.bare, case.keys, case.input)
    check_seals(case.verified(BEN), case.block, case.keys)
    assert case.reading(merged(case.opened(BANK))).id == case.draft.id
    assert case.reading(merged(case.opened(BEN))).id == case.draft.id
