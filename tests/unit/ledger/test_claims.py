"""Claims: taken once and for ever, by their owner alone, with a hash that only the owner can make and make once."""

from __future__ import annotations

import pytest
from tests.support.forgery import Forgery
from tests.support.ledger import NOW, Network, create, exercise, who
from tests.support.parties import party
from tests.support.refusals import refused
from tests.support.scenes import ALICE, BANK, BOB, CAROL, LATER, MALLORY, c, eur, network

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.contracts.types import Create
from interfirm.ledger import tree
from interfirm.ledger.signing import sign
from interfirm.ledger.types import CreateEntry, Shown


def invoice(net: Network, number: str = "2026-1", *, seller: object = BOB, buyer: object = ALICE) -> Forgery:
    """An invoice of bob's to alice, ready to be lied about."""
    command = create(c.Invoice(who(seller), who(buyer), number, eur(100), LATER))  # type: ignore[arg-type]  # parties
    return Forgery(net, [net.draft(command).roots[0].action]).build()


def submit(net: Network, forgery: Forgery) -> None:
    draft = forgery.draft()
    net.notary.done(forgery.request([sign(net.members[i].party.signer, i, draft.id) for i in forgery.scopes]))


def test_an_invoice_number_is_claimed_by_its_seller() -> None:
    net = network()
    made = net.transact(create(c.Invoice(who(BOB), who(ALICE), "2026-1", eur(100), LATER)))
    action, entry = made.draft.nodes[0].action, made.draft.nodes[0].entry
    assert isinstance(action, Create)
    assert isinstance(entry, CreateEntry)
    assert [(key.family, key.owner) for key in action.claims] == [("invoice", BOB.id)]
    assert len(entry.claims) == 1


@refused("claim.taken")
def test_a_taken_claim_is_refused() -> None:
    net = network()
    submit(net, invoice(net))
    submit(net, invoice(net))


def test_the_same_number_is_free_for_another_seller() -> None:
    net = network()
    submit(net, invoice(net))
    submit(net, invoice(net, seller=CAROL))


def test_a_claim_that_is_known_to_others_cannot_be_squatted() -> None:
    """Mallory was shown bob's claim before it was accepted, and takes its hash in her own name."""
    net = network()
    wanted, squatting = invoice(net), invoice(net, seller=MALLORY)
    entry, node = squatting.entries[0], wanted.roots[0]
    assert isinstance(entry, CreateEntry)
    salt = tree.claim_salt(squatting.roots[0].seed, 0)
    squatting.entries[0] = entry.replace(claims=(tree.claim_commitment(salt, MALLORY.id, node.claims[0]),))
    opening = wanted.request([]).claims[0].replace(salt=salt, owner=MALLORY.id)
    draft = squatting.draft()
    signed = squatting.request([sign(MALLORY.signer, MALLORY.id, draft.id)]).replace(claims=(opening,))
    net.notary.done(signed)
    submit(net, wanted)


@refused("claim.owner")
def test_a_claim_that_its_owner_does_not_sign_is_refused() -> None:
    net = network()
    forgery = invoice(net)
    forgery.scopes = {MALLORY.id: frozenset({0})}
    submit(net, forgery)


def billed(net: Network) -> Forgery:
    """Mallory, who keeps a vault of the bank's, writes an invoice in the bank's name and leaves the bank out."""
    vault = net.transact(create(c.Vault(who(BANK), who(MALLORY), eur(100)))).ref("Vault")
    draft = net.draft(exercise(vault, c.Vault.bill, buyer=who(ALICE), number="1", amount=eur(5), due=LATER))
    assert BANK.id in draft.signers
    forgery = Forgery(net, [draft.roots[0].action]).build()
    del forgery.scopes[BANK.id]
    forgery.show(ALICE.id, 0)
    return forgery


@refused("ledger.claim-owner")
def test_a_viewer_wants_the_owners_signature_on_a_claim_made_in_its_name() -> None:
    net = network()
    net.members[ALICE.id].verify(billed(net).view(ALICE.id))


@refused("claim.owner")
def test_the_notary_wants_the_owners_signature_on_a_claim_made_in_its_name() -> None:
    net = network()
    submit(net, billed(net))


@refused("ledger.id")
def test_a_dropped_claim_is_noticed_by_who_sees_the_contract() -> None:
    net = network()
    honest, forgery = invoice(net), invoice(net)
    action = forgery.actions[0]
    assert isinstance(action, Create)
    forgery.actions = [action.replace(claims=())]
    forgery.build()
    view = forgery.view(ALICE.id)
    top = view.roots[0]
    assert isinstance(top, Shown)
    shown = top.replace(proofs=honest.view(ALICE.id).roots[0].proofs)  # type: ignore[union-attr]  # shown
    net.members[ALICE.id].verify(view.replace(roots=(shown,)), history=(), transaction=forgery.draft().id)


@refused("ledger.claim-proof")
def test_a_claim_without_its_proof_is_refused() -> None:
    net = network()
    view = invoice(net).view(ALICE.id)
    top = view.roots[0]
    assert isinstance(top, Shown)
    net.members[ALICE.id].verify(view.replace(roots=(top.replace(proofs=()),)), history=())


@refused("ledger.claim-proof")
def test_a_proof_of_no_claim_is_refused() -> None:
    net = network()
    view = invoice(net).view(ALICE.id)
    top = view.roots[0]
    assert isinstance(top, Shown)
    net.members[ALICE.id].verify(view.replace(roots=(top.replace(proofs=top.proofs * 2),)), history=())


@refused("vrf.invalid")
def test_a_proof_of_another_key_is_refused() -> None:
    """The claim would be on another hash, and its real one free for a second invoice."""
    net = network()
    forgery = invoice(net)
    view = forgery.view(ALICE.id)
    top = view.roots[0]
    assert isinstance(top, Shown)
    action = forgery.actions[0]
    assert isinstance(action, Create)
    proof = MALLORY.vrf.prove(action.claims[0].alpha)
    net.members[ALICE.id].verify(view.replace(roots=(top.replace(proofs=(proof,)),)), history=())


def test_strangers_learn_nothing_from_a_claims_hash() -> None:
    """The hash of a guessed number under anybody else's key is another one."""
    alpha = b"2026-1"
    hashes = {tree.claim_hash(BOB.id, digest("guess", party(name).vrf.prove(alpha))) for name in ("bob", "mallory")}
    assert len(hashes) == 2


# claims elsewhere -------------------------------------------------------------------------------------------------


def at_two(net: Network) -> Forgery:
    """Bob's invoice at the second notary, while his claims are decided at the first."""
    command = create(c.Invoice(who(BOB), who(ALICE), "2026-1", eur(100), LATER))
    return Forgery(net, [net.draft(command).roots[0].action], notary=net.named("two")).build()


def reserved(net: Network, forgery: Forgery, *, until: object = None) -> list[bytes]:
    draft = forgery.draft()
    end = until or forgery.window.upper
    return [
        net.reservation(draft, BOB, opening.claim, end, home=net.notary)  # type: ignore[arg-type]  # an instant
        for opening in forgery.request([]).claims
    ]


def submit_elsewhere(net: Network, forgery: Forgery, reservations: list[bytes]) -> None:
    draft = forgery.draft()
    signatures = [sign(net.members[i].party.signer, i, draft.id) for i in forgery.scopes]
    forgery.notary.done(forgery.request(signatures, reservations=reservations))


def test_a_claim_is_reserved_at_home_for_a_transaction_elsewhere() -> None:
    net = network()
    forgery = at_two(net)
    submit_elsewhere(net, forgery, reserved(net, forgery))
    with pytest.raises(Refusal) as caught:
        submit(net, invoice(net))
    assert caught.value.code == "claim.taken"


@refused("claim.home")
def test_a_claim_elsewhere_without_a_reservation_is_refused() -> None:
    net = network()
    submit_elsewhere(net, at_two(net), [])


@refused("claim.home")
def test_a_reservation_for_another_transaction_is_refused() -> None:
    net = network()
    forgery, other = at_two(net), at_two(net)
    submit_elsewhere(net, forgery, reserved(net, other))


@refused("claim.home")
def test_a_reservation_that_ends_before_the_window_is_refused() -> None:
    """It could be freed by an honest "not accepted", and the claim taken again before this is accepted after all."""
    net = network()
    forgery = at_two(net)
    submit_elsewhere(net, forgery, reserved(net, forgery, until=NOW))


@refused("claim.home")
def test_a_claim_is_reserved_at_its_owners_home_alone() -> None:
    net = network()
    forgery = invoice(net)
    claim = forgery.request([]).claims[0].claim
    net.reservation(forgery.draft(), BOB, claim, forgery.window.upper, home=net.named("two"))
