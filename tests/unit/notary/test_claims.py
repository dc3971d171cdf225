"""A claim is taken once and for ever, by its owner alone, where its home notary says so."""

from __future__ import annotations

import pytest
from tests.unit.notary.notaries import (
    HOUR_MS,
    NOW,
    A,
    B,
    C,
    Ledger,
    Notary,
    Words,
    claim,
    claim_hash,
    create,
    exercise,
    made,
    reserve_request,
    window,
)

from interfirm.base.hashing import digest
from interfirm.base.signatures import Ed25519Signer
from interfirm.base.time import Instant
from interfirm.ledger import tree
from interfirm.ledger.builder import Draft
from interfirm.notary.claims.machine import reservation_id
from interfirm.notary.types import Free, Notarise, Settle, claim_key
from interfirm.notary.uniqueness.machine import transaction_of

UNTIL = NOW.plus_ms(HOUR_MS)
KEY = claim_key(A.id, claim_hash(A, "1"))


class Home:
    """A notary that is everybody's home."""

    def __init__(self) -> None:
        self.notary = Notary().with_orgs()
        self.ledger = Ledger(self.notary.id)
        self.request = self.ledger.request(create(0, A, claims=[claim(A, "1")]))

    def code(self, request: Notarise) -> str:
        return self.notary.refused(request).code


class Abroad:
    """A home notary of A, and another one where A makes a transaction with a claim."""

    def __init__(self) -> None:
        words = Words()
        self.home = Notary("home", words=words)
        self.there = Notary("there", words=words)
        for notary in (self.home, self.there):
            notary.with_orgs(home=self.home.id)
        self.ledger = Ledger(self.there.id)
        self.draft = self.ledger.draft(create(0, A, claims=[claim(A, "1")]), at=window(None, UNTIL))

    def reserve(self, *, until: Instant = UNTIL, transaction: bytes | None = None) -> None:
        self.home.done(
            reserve_request(
                A, "1", notary=self.there.id, transaction=transaction or self.draft.id, until=until
            )
        )  # fmt: skip

    def reserved(self, draft: Draft | None = None) -> Notarise:
        return self.ledger.signed(draft or self.draft, reservations=[self.home.statement("claim", KEY)])

    def free(self) -> Free:
        statement = self.there.statement("accepted", self.draft.id)
        return Free(owner=A.id, claim=claim_hash(A, "1"), statement=statement)


@pytest.fixture
def home() -> Home:
    return Home()


@pytest.fixture
def abroad() -> Abroad:
    return Abroad()


def test_a_claim_is_taken_with_the_contract_that_makes_it(home: Home) -> None:
    done = home.notary.done(home.request)
    assert home.notary.says("claim", KEY).answer == ["taken", done.id]


def test_a_taken_claim_is_refused(home: Home) -> None:
    home.notary.done(home.request)
    assert home.code(home.ledger.request(create(0, A, claims=[claim(A, "1")]))) == "claim.taken"


def test_a_claim_stays_taken_when_its_contract_is_consumed(home: Home) -> None:
    ref = made(home.notary, home.ledger, A, claims=[claim(A, "1")])
    home.notary.done(home.ledger.request(exercise(0, ref, A)))
    assert home.code(home.ledger.request(create(0, A, claims=[claim(A, "1")]))) == "claim.taken"


def test_one_transaction_makes_one_claim_once(home: Home) -> None:
    twice = home.ledger.request(create(0, A, claims=[claim(A, "1")]), create(1, A, claims=[claim(A, "1")]))
    assert home.code(twice) == "claim.twice"


def test_a_claim_whose_owner_does_not_sign_is_refused(home: Home) -> None:
    request = home.ledger.request(create(0, A, B, claims=[claim(A, "1")]))
    alone = request.replace(lines=tuple(line for line in request.lines if line.line.identity == B.id))
    assert home.code(alone.replace(signatures=(B.sign(transaction_of(alone)),))) == "claim.owner"


def test_a_claim_outside_its_owners_scope_is_refused(home: Home) -> None:
    request = home.ledger.request(create(0, A, B, claims=[claim(A, "1")]), create(1, A))
    lines = tuple(
        line.replace(line=line.line.replace(scope=(1,))) if line.line.identity == A.id else line
        for line in request.lines
    )
    narrowed = request.replace(lines=lines)
    name = transaction_of(narrowed)
    assert home.code(narrowed.replace(signatures=(A.sign(name), B.sign(name)))) == "claim.owner"


def test_a_claim_left_out_of_the_openings_is_refused(home: Home) -> None:
    assert home.code(home.request.replace(claims=())) == "claim.opening"


def test_a_claim_opened_as_another_is_refused(home: Home) -> None:
    opening = home.request.claims[0]
    assert home.code(home.request.replace(claims=(opening.replace(claim=digest("other")),))) == "claim.opening"
    assert home.code(home.request.replace(claims=(opening.replace(owner=B.id),))) == "claim.opening"


def test_an_opening_that_no_entry_makes_is_refused(home: Home) -> None:
    opening = home.request.claims[0]
    extra = opening.replace(position=1, claim=digest("other"))
    assert home.code(home.request.replace(claims=(opening, extra))) == "claim.opening"


def test_a_claim_dropped_from_its_entry_is_another_transaction(home: Home) -> None:
    bare = home.request.entries[0].replace(claims=())
    assert home.code(home.request.replace(entries=(bare,), claims=())) == "signature.invalid"


def test_a_stranger_who_learnt_a_claims_hash_cannot_squat_it(home: Home) -> None:
    """C names A's claim hash as its own; the notary takes it for C, and A's claim is as free as before."""
    draft = home.ledger.draft(create(0, C, claims=[claim(C, "junk")]))
    opening = home.ledger.signed(draft).claims[0].replace(claim=claim_hash(A, "1"))
    entry = draft.nodes[0].entry.replace(
        claims=(tree.claim_commitment(opening.salt, C.id, opening.claim),)
    )  # fmt: skip
    squat = home.ledger.signed(draft).replace(entries=(entry,), claims=(opening,))
    home.notary.done(squat.replace(signatures=(C.sign(transaction_of(squat)),)))
    assert home.notary.says("claim", KEY).answer is None
    home.notary.done(home.request)


def test_an_unregistered_owner_has_no_claims(home: Home) -> None:
    notary = Notary("empty")
    request = Ledger(notary.id).request(create(0, A, claims=[claim(A, "1")]))
    assert notary.refused(request).code == "registry.unknown"


def test_a_claim_is_not_decided_away_from_home(abroad: Abroad) -> None:
    assert abroad.there.refused(abroad.ledger.signed(abroad.draft)).code == "claim.home"


def test_a_reserved_claim_is_accepted_there_and_settled_at_home(abroad: Abroad) -> None:
    abroad.reserve()
    done = abroad.there.done(abroad.reserved())
    assert abroad.there.says("claim", KEY).answer is None, "only the home notary keeps it"
    settle = Settle(owner=A.id, claim=claim_hash(A, "1"), receipt=abroad.there.receipt(done))
    first = abroad.home.done(settle)
    assert abroad.home.says("claim", KEY).answer == ["taken", done.id]
    assert abroad.home.done(settle) == first


def test_a_reserved_claim_is_taken_for_everybody_else(abroad: Abroad) -> None:
    abroad.reserve()
    ledger = Ledger(abroad.home.id)
    assert abroad.home.refused(ledger.request(create(0, A, claims=[claim(A, "1")]))).code == "claim.taken"
    other = reserve_request(A, "1", notary=abroad.there.id, transaction=digest("other"), until=UNTIL)
    assert abroad.home.refused(other).code == "claim.taken"


def test_a_reservation_again_is_harmless(abroad: Abroad) -> None:
    abroad.reserve()
    abroad.reserve()
    abroad.there.done(abroad.reserved())


def test_a_reservation_for_another_transaction_is_refused(abroad: Abroad) -> None:
    abroad.reserve(transaction=digest("other"))
    assert abroad.there.refused(abroad.reserved()).code == "claim.home"


def test_a_reservation_for_another_notary_is_refused(abroad: Abroad) -> None:
    request = reserve_request(A, "1", notary=digest("elsewhere"), transaction=abroad.draft.id, until=UNTIL)
    abroad.home.done(request)
    assert abroad.there.refused(abroad.reserved()).code == "claim.home"


def test_a_reservation_of_another_claim_is_refused(abroad: Abroad) -> None:
    """Else one reserved number would let any other be taken here, which its home may have given away."""
    other = reserve_request(A, "2", notary=abroad.there.id, transaction=abroad.draft.id, until=UNTIL)
    abroad.home.done(other)
    word = abroad.home.statement("claim", claim_key(A.id, claim_hash(A, "2")))
    assert abroad.there.refused(abroad.ledger.signed(abroad.draft, reservations=[word])).code == "claim.home"


def test_a_free_claims_statement_is_no_reservation(abroad: Abroad) -> None:
    assert abroad.there.refused(abroad.reserved()).code == "claim.home"


def test_a_statement_that_the_home_notary_did_not_make_is_refused(abroad: Abroad) -> None:
    abroad.reserve()
    good = abroad.reserved()
    tampered = bytes([*good.reservations[0][:-1], good.reservations[0][-1] ^ 1])
    assert abroad.there.refused(good.replace(reservations=(tampered,))).code == "signature.invalid"
    assert abroad.there.refused(good.replace(reservations=(b"junk",))).code.startswith("codec.")
    own = abroad.there.statement("claim", KEY)
    assert abroad.there.refused(good.replace(reservations=(own,))).code == "notary.other-notary"


def test_a_reservation_that_nothing_needs_is_refused(abroad: Abroad) -> None:
    abroad.reserve()
    good = abroad.reserved()
    doubled = good.replace(reservations=good.reservations * 2)
    assert abroad.there.refused(doubled).code == "claim.reservation"


def test_a_reservation_that_ends_before_the_window_does_is_refused(abroad: Abroad) -> None:
    """Else the owner frees it by an honest "not accepted", takes the claim again, and has this accepted as well."""
    abroad.reserve(until=UNTIL.plus_ms(-1))
    early = abroad.reserved()
    abroad.there.now = UNTIL.plus_ms(-1)
    abroad.home.done(abroad.free())
    abroad.home.done(Ledger(abroad.home.id).request(create(0, A, claims=[claim(A, "1")])))
    assert abroad.there.refused(early).code == "claim.home"


def test_only_the_claims_owner_reserves_it(abroad: Abroad) -> None:
    request = reserve_request(A, "1", notary=abroad.there.id, transaction=abroad.draft.id, until=UNTIL)
    forged = request.replace(signature=B.sign(reservation_id(request), "reservation"))
    assert abroad.home.refused(forged).code == "signature.invalid"
    stolen = request.replace(signature=forged.signature.replace(identity=A.id))
    assert abroad.home.refused(stolen).code == "notary.key"
    assert abroad.home.says("claim", KEY).answer is None


def test_a_claim_is_reserved_at_the_owners_home_only(abroad: Abroad) -> None:
    request = reserve_request(A, "1", notary=abroad.home.id, transaction=abroad.draft.id, until=UNTIL)
    assert abroad.there.refused(request).code == "claim.home"
    assert abroad.home.refused(request).code == "claim.same"


def test_a_claim_is_settled_only_by_the_receipt_it_was_reserved_for(abroad: Abroad) -> None:
    abroad.reserve()
    other = abroad.there.done(abroad.ledger.request(create(0, A)))
    settle = Settle(owner=A.id, claim=claim_hash(A, "1"), receipt=abroad.there.receipt(other))
    assert abroad.home.refused(settle).code == "claim.receipt"
    homes = abroad.home.done(Ledger(abroad.home.id).request(create(0, A)))
    assert abroad.home.refused(settle.replace(receipt=abroad.home.receipt(homes))).code == "receipt.notary"
    assert abroad.home.refused(settle.replace(owner=B.id)).code == "claim.not-reserved"


def test_a_reservation_is_freed_by_not_accepted_past_the_window(abroad: Abroad) -> None:
    abroad.reserve()
    abroad.there.now = UNTIL.plus_ms(-1)
    assert abroad.home.refused(abroad.free()).code == "claim.statement"
    abroad.there.now = UNTIL
    abroad.home.done(abroad.free())
    abroad.home.done(Ledger(abroad.home.id).request(create(0, A, claims=[claim(A, "1")])))


def test_the_home_notarys_own_time_frees_nothing(abroad: Abroad) -> None:
    abroad.reserve()
    early = abroad.free()
    abroad.home.now = UNTIL.plus_ms(HOUR_MS)
    assert abroad.home.refused(early).code == "claim.statement"


def test_an_accepted_transactions_claim_is_never_freed(abroad: Abroad) -> None:
    abroad.reserve()
    abroad.there.done(abroad.reserved())
    abroad.there.now = UNTIL
    assert abroad.home.refused(abroad.free()).code == "claim.statement"


def test_a_word_about_something_else_frees_nothing(abroad: Abroad) -> None:
    abroad.reserve()
    abroad.there.now = UNTIL
    for kind, subject in (("accepted", digest("other")), ("imported", abroad.draft.id), ("claim", KEY)):
        free = abroad.free().replace(statement=abroad.there.statement(kind, subject))
        assert abroad.home.refused(free).code == "claim.statement"
    strangers = Ed25519Signer(digest("nobody"))
    assert strangers.public != abroad.there.signer.public
    homes = abroad.free().replace(statement=abroad.home.statement("accepted", abroad.draft.id))
    assert abroad.home.refused(homes).code == "notary.other-notary"


def test_a_freed_reservation_cannot_be_replayed_to_squat_the_owners_claim(abroad: Abroad) -> None:
    abroad.reserve()
    abroad.there.now = UNTIL
    abroad.home.done(abroad.free())
    replayed = reserve_request(A, "1", notary=abroad.there.id, transaction=abroad.draft.id, until=UNTIL)
    assert abroad.home.refused(replayed, C.id).code == "claim.freed"
    assert abroad.home.refused(abroad.free()).code == "claim.not-reserved"


def test_a_taken_claim_is_neither_reserved_nor_freed(abroad: Abroad) -> None:
    abroad.home.done(Ledger(abroad.home.id).request(create(0, A, claims=[claim(A, "1")])))
    request = reserve_request(A, "1", notary=abroad.there.id, transaction=abroad.draft.id, until=UNTIL)
    assert abroad.home.refused(request).code == "claim.taken"
    abroad.there.now = UNTIL
    assert abroad.home.refused(abroad.free()).code == "claim.not-reserved"
