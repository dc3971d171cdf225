"""Proof bundles: what an outsider may believe of one contract, or of one field, with nothing but a file."""

from __future__ import annotations

from tests.support.forgery import Forgery
from tests.support.ledger import NAMES, Omniscient, create, who
from tests.support.refusals import refused
from tests.support.scenes import ALICE, BANK, BOB, CAROL, LATER, TRUDY, c, eur, network, sale

from interfirm.base import codec
from interfirm.base.hashing import digest
from interfirm.contracts.types import ContractRef, Create
from interfirm.ledger import tree
from interfirm.ledger.proof import FieldOpening, ProofBundle, prove_contract, prove_field, prove_fields, verify_proof
from interfirm.ledger.signing import sign
from interfirm.ledger.types import CreateEntry


class Debt:
    """A debt of alice to bob among other things, and trudy who knows nothing and reads a proof of it."""

    def __init__(self) -> None:
        self.net = network()
        self.made = self.net.transact(
            create(c.Note(who(BOB), (who(CAROL),), "secret")), create(c.Iou(who(ALICE), who(BOB), eur(77)))
        )
        self.held = self.net.members[BOB.id].held[self.made.id]
        self.receipt = self.net.notary.receipt(self.made.id)
        self.reader = self.net.members[TRUDY.id]

    def whole(self) -> ProofBundle:
        return prove_contract(self.held, 1, receipt=self.receipt, names=NAMES)

    def amount(self) -> ProofBundle:
        return prove_field(self.held, 1, "amount", receipt=self.receipt, names=NAMES)

    def verify(self, bundle: ProofBundle) -> object:
        return verify_proof(bundle, accepted=self.reader.accepted, names=NAMES)


def test_a_contract_is_proved_with_who_signed_it() -> None:
    scene = Debt()
    proved = verify_proof(scene.whole(), accepted=scene.reader.accepted, names=NAMES)
    assert proved.fields == {
        "debtor": [ALICE.id], "creditor": [BOB.id], "amount": [77, "EUR"], "watchers": [],
    }  # fmt: skip
    assert proved.complete
    assert proved.signers == tuple(sorted((ALICE.id, BOB.id)))
    assert proved.ref == ContractRef(scene.made.id, 1)
    assert proved.notary == scene.net.notary.id


def test_a_proof_survives_the_wire() -> None:
    scene = Debt()
    bundle = scene.amount()
    assert codec.decode(codec.encode(bundle), ProofBundle) == bundle


def test_a_proof_of_one_field_shows_nothing_else() -> None:
    scene = Debt()
    bundle = scene.amount()
    proved = verify_proof(bundle, accepted=scene.reader.accepted, names=NAMES)
    assert proved.fields == {"amount": [77, "EUR"]}
    assert not proved.complete
    sent = codec.encode(bundle)
    contract = scene.held.created[1]
    assert contract.payload_seed not in sent
    assert contract.confirmers_salt not in sent
    assert b"secret" not in sent


def test_a_proof_says_who_signed_and_not_who_is_bound_by_delegation() -> None:
    net = network()
    _, taken = sale(net)
    held = net.members[BOB.id].held[taken.id]
    bundle = prove_contract(held, 3, receipt=net.notary.receipt(taken.id), names=NAMES)
    proved = verify_proof(bundle, accepted=net.members[TRUDY.id].accepted)
    assert proved.template.name == "Cash"
    assert BANK.id not in proved.signers


def test_a_moved_contract_is_proved_where_it_lives() -> None:
    scene = Debt()
    there = scene.net.move(scene.made.ref("Iou"), scene.net.named("two"))
    moves = scene.net.disclosures[there].moves
    bundle = prove_contract(scene.held, 1, receipt=scene.receipt, names=NAMES, moves=moves)
    proved = verify_proof(bundle, accepted=scene.reader.accepted)
    assert (proved.ref, proved.notary) == (there, scene.net.named("two").id)


@refused("proof.fields")
def test_another_value_is_refused() -> None:
    scene = Debt()
    bundle = scene.amount()
    fields = tuple(f.replace(value=[78, "EUR"]) if isinstance(f, FieldOpening) else f for f in bundle.fields)
    scene.verify(bundle.replace(fields=fields))


@refused("proof.fields")
def test_another_template_is_refused() -> None:
    scene = Debt()
    bundle = scene.amount()
    scene.verify(bundle.replace(template=bundle.template.replace(name="Cash")))


@refused("proof.fields")
def test_fields_beyond_the_template_are_refused() -> None:
    """A contract with a field too many was never made by an honest node; the reader's package says so."""
    scene = Debt()
    bundle = scene.whole()
    verify_proof(bundle, accepted=scene.reader.accepted, names=lambda template: NAMES(template)[:-1])


@refused("proof.field")
def test_a_field_under_another_name_is_refused() -> None:
    scene = Debt()
    bundle = scene.whole()
    verify_proof(bundle, accepted=scene.reader.accepted, names=lambda template: list(NAMES(template))[::-1])


@refused("proof.action")
def test_an_entry_that_no_action_made_is_refused() -> None:
    scene = Debt()
    bundle = scene.amount()
    scene.verify(bundle.replace(index=0))


@refused("proof.action")
def test_another_body_is_refused() -> None:
    scene = Debt()
    scene.verify(scene.amount().replace(body_salt=digest("other")))


@refused("proof.entry")
def test_an_entry_of_another_transaction_is_refused() -> None:
    scene = Debt()
    other = scene.net.transact(create(c.Iou(who(ALICE), who(BOB), eur(1))))
    scene.verify(scene.amount().replace(skeleton=other.draft.skeleton))


@refused("receipt.other")
def test_the_receipt_of_another_transaction_is_refused() -> None:
    scene = Debt()
    other = scene.net.transact(create(c.Iou(who(ALICE), who(BOB), eur(1))))
    scene.verify(scene.amount().replace(receipt=scene.net.notary.receipt(other.id)))


@refused("notary.stranger")
def test_a_proof_by_a_notary_that_the_reader_does_not_trust_is_refused() -> None:
    net = network()
    draft = net.draft(create(c.Iou(who(ALICE), who(BOB), eur(1))), notary=net.named("own"))
    made = net.force(draft)
    held = _trusting(net, draft)
    bundle = prove_contract(held, 0, receipt=net.named("own").receipt(made.id), names=NAMES)
    verify_proof(bundle, accepted=net.members[TRUDY.id].accepted)


def _trusting(net: object, draft: object) -> object:
    world = Omniscient(net)  # type: ignore[arg-type]  # a network
    world.trusted = lambda notary: None  # type: ignore[method-assign]  # mallory's own friend
    return world.verify(net.whole_view(draft), history=())  # type: ignore[attr-defined]  # a network


@refused("proof.line")
def test_a_signature_that_the_transaction_does_not_list_is_refused() -> None:
    scene = Debt()
    bundle = scene.amount()
    line = bundle.lines[0]
    scene.verify(bundle.replace(lines=(line.replace(line=line.line.replace(identity=TRUDY.id)),)))


@refused("proof.line")
def test_a_signature_on_another_part_is_refused() -> None:
    scene = Debt()
    net = scene.net
    made = net.transact(
        create(c.Iou(who(ALICE), who(CAROL), eur(1))), create(c.Iou(who(BOB), who(CAROL), eur(2)))
    )  # fmt: skip
    held = net.members[CAROL.id].held[made.id]
    bundle = prove_contract(held, 0, receipt=net.notary.receipt(made.id), names=NAMES)
    elsewhere = next(line for line in made.draft.lines if line.line.identity == BOB.id)
    scene.verify(bundle.replace(lines=(*bundle.lines, elsewhere)))


@refused("proof.contract")
def test_what_a_view_does_not_show_made_cannot_be_proved() -> None:
    scene = Debt()
    prove_contract(scene.held, 7, receipt=scene.receipt, names=NAMES)


@refused("proof.field")
def test_a_field_that_is_not_there_cannot_be_proved() -> None:
    scene = Debt()
    prove_fields(scene.held, 1, ("colour",), receipt=scene.receipt, names=NAMES)


@refused("ledger.move")
def test_moves_of_another_contract_are_refused() -> None:
    scene = Debt()
    other = scene.net.transact(create(c.Iou(who(ALICE), who(BOB), eur(1)))).ref("Iou")
    moves = scene.net.disclosures[scene.net.move(other, scene.net.named("two"))].moves
    scene.verify(scene.amount().replace(moves=moves))


def test_a_proof_of_what_was_entered_without_its_signatory_names_who_really_signed() -> None:
    """Trudy enters a debt of alice's that alice never signed; the proof verifies and says that only trudy signed."""
    net = network()
    forged = Forgery(net, [net.draft(create(c.Receivable(who(ALICE), who(TRUDY), eur(9), LATER))).roots[0].action])
    forged.build().scopes = {TRUDY.id: frozenset({0})}
    draft, node = forged.draft(), forged.roots[0]
    net.notary.done(forged.request([sign(TRUDY.signer, TRUDY.id, draft.id)]))
    action, entry, seed = node.action, node.entry, tree.payload_seed(node.seed)
    assert isinstance(action, Create)
    assert isinstance(entry, CreateEntry)
    bundle = ProofBundle(
        index=0,
        template=action.template,
        fields=tuple(
            FieldOpening(salt=tree.salt(seed, i), name=name, value=action.payload[i])
            for i, name in enumerate(NAMES(action.template))
        ),
        body_salt=tree.create_body_salt(seed),
        entry=entry,
        skeleton=draft.skeleton,
        receipt=net.notary.receipt(draft.id),
        lines=draft.lines,
    )
    proved = verify_proof(bundle, accepted=net.members[BOB.id].accepted, names=NAMES)
    assert proved.fields["obligor"] == [ALICE.id]
    assert proved.signers == (TRUDY.id,)
