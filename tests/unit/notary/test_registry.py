"""Outputs name identities; the registry says which key speaks for one today."""

from __future__ import annotations

import pytest
from tests.unit.notary.notaries import (
    HOUR_MS,
    NETWORK,
    NOW,
    REGISTRAR,
    Ledger,
    Notary,
    Org,
    Words,
    create,
    window,
)

from interfirm.base import codec
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.base.signatures import Ed25519Signer
from interfirm.notary.registry.machine import Record, registration_bytes
from interfirm.notary.types import Follow, Notarise, Rotate


@pytest.fixture
def org() -> Org:
    return Org("rotating")


@pytest.fixture
def notary(org: Org) -> Notary:
    return Notary().with_orgs(org)


def signed(notary: Notary, org: Org) -> Notarise:
    """A transaction of the organisation, signed with the key it has at this moment."""
    ledger = Ledger(notary.id)
    ledger._count = notary.height
    draft = ledger.draft(create(0, org), at=window(None, notary.now.plus_ms(HOUR_MS)))
    bare = Notarise(
        header=draft.header, entries=tuple(node.entry for node in draft.nodes), lines=draft.lines,
        roots=draft.skeleton.roots, components=(), confirmers=(), claims=(), signatures=(),
    )  # fmt: skip
    return bare.replace(signatures=(org.sign(draft.id),))


def rotated(org: Org, salt: str = "") -> Rotate:
    request, org.signer = org.rotation(salt)
    org.rotations += 1
    return request


def record(notary: Notary, org: Org) -> Record:
    return codec.from_plain(notary.says("key", org.id).answer, Record)


def test_an_unknown_identity_signs_nothing(org: Org) -> None:
    notary = Notary()
    assert notary.refused(signed(notary, org)).code == "registry.unknown"


def test_a_registered_identity_signs_and_the_receipt_carries_the_registry_height(notary: Notary, org: Org) -> None:
    assert notary.done(signed(notary, org)).registry_height == 1
    notary.done(rotated(org))
    assert notary.done(signed(notary, org)).registry_height == 3


def test_a_registration_needs_the_registrar_and_the_organisation(org: Org) -> None:
    notary = Notary()
    request = org.registration(notary.id)
    message = registration_bytes(NETWORK, org.signer.public, org.vrf, notary.id)
    stranger = Ed25519Signer(digest("stranger")).sign(message)
    assert notary.refused(request.replace(registrar=stranger)).code == "signature.invalid"
    assert notary.refused(request.replace(own=stranger)).code == "signature.invalid"
    assert notary.refused(request.replace(home=digest("other"))).code == "signature.invalid"
    assert notary.refused(org.registration(notary.id, digest("other network"))).code == "signature.invalid"


def test_a_registration_again_is_harmless_and_another_home_or_vrf_key_is_refused(notary: Notary, org: Org) -> None:
    notary.done(rotated(org))
    before = record(notary, org)
    fresh = Org("rotating")
    notary.done(fresh.registration(notary.id))
    assert record(notary, org) == before, "the rotation stands"
    assert notary.refused(fresh.registration(digest("other home"))).code == "registry.known"
    fresh.vrf = digest("second vrf key")
    assert notary.refused(fresh.registration(notary.id)).code == "registry.known"


def test_the_vrf_key_is_not_the_signing_key(org: Org) -> None:
    notary = Notary()
    org.vrf = org.signer.public.key
    assert notary.refused(org.registration(notary.id)).code == "registry.vrf"


def test_a_rotated_key_is_accepted_and_the_older_one_refused(notary: Notary, org: Org) -> None:
    before = signed(notary, org)
    notary.done(rotated(org))
    assert notary.refused(before).code == "notary.key"
    notary.done(signed(notary, org))


def test_a_rotation_needs_the_old_key_and_the_new_one(notary: Notary, org: Org) -> None:
    request, _ = org.rotation()
    assert notary.refused(request.replace(old=request.new)).code == "signature.invalid"
    assert notary.refused(request.replace(new=request.old)).code == "signature.invalid"
    assert notary.refused(request.replace(key=REGISTRAR.public)).code == "signature.invalid"


def test_an_older_rotation_chain_is_refused(notary: Notary, org: Org) -> None:
    first, _ = org.rotation()
    fork, _ = org.rotation("fork")
    notary.done(rotated(org))
    notary.done(rotated(org))
    assert notary.refused(first).code == "registry.number"
    assert notary.refused(fork).code == "registry.number"
    assert record(notary, org).number == 2


def test_a_rotation_again_gets_the_same_answer(notary: Notary, org: Org) -> None:
    request = rotated(org)
    assert notary.done(request).id == notary.done(request).id


def test_a_rotation_cannot_skip_one(notary: Notary, org: Org) -> None:
    org.rotations = 1
    request, _ = org.rotation()
    assert notary.refused(request).code == "registry.number"


def test_an_identity_rotates_no_more_often_than_the_limit(notary: Notary, org: Org) -> None:
    for _ in range(LIMITS.rotations_count_max):
        notary.done(rotated(org))
    request, _ = org.rotation()
    assert notary.refused(request).code == "registry.number"


def test_a_revoked_identity_neither_signs_nor_rotates(notary: Notary, org: Org) -> None:
    before, rotation = signed(notary, org), org.rotation()[0]
    notary.done(org.revocation())
    assert notary.refused(before).code == "registry.revoked"
    assert notary.refused(rotation).code == "registry.revoked"
    notary.done(org.revocation())


def test_only_the_registrar_revokes(notary: Notary, org: Org) -> None:
    forged = org.revocation().replace(registrar=org.signer.sign(b"anything"))
    assert notary.refused(forged).code == "signature.invalid"
    notary.done(signed(notary, org))


class Following:
    """A notary that keeps the registry, and one that follows it."""

    def __init__(self, org: Org) -> None:
        words = Words()
        self.org = org
        self.registry = Notary("registry", words=words).with_orgs(org)
        self.notary = Notary("follower", words=words, registry=self.registry.id)

    def word(self) -> Follow:
        return Follow(identity=self.org.id, statement=self.registry.statement("key", self.org.id))


@pytest.fixture
def following(org: Org) -> Following:
    return Following(org)


def test_a_follower_copies_the_registrys_record(following: Following, org: Org) -> None:
    assert following.notary.refused(signed(following.notary, org)).code == "registry.unknown"
    following.notary.done(following.word())
    following.notary.done(signed(following.notary, org))


def test_a_follower_registers_nobody_and_a_registry_follows_nobody(following: Following, org: Org) -> None:
    assert following.notary.refused(org.registration(following.notary.id)).code == "registry.follows"
    assert following.registry.refused(following.word()).code == "registry.follows"


def test_a_registry_proof_older_than_the_limit_is_refused(following: Following) -> None:
    word = following.word()
    following.notary.now = NOW.plus_ms(LIMITS.registry_age_ms_max + 1)
    assert following.notary.refused(word).code == "registry.stale"
    following.notary.now = NOW
    following.registry.now = NOW.plus_ms(LIMITS.registry_age_ms_max + 1)
    following.notary.done(following.word())


def test_a_copy_that_has_grown_old_lets_nobody_sign(following: Following, org: Org) -> None:
    following.notary.done(following.word())
    following.notary.now = NOW.plus_ms(LIMITS.registry_age_ms_max)
    following.notary.done(signed(following.notary, org))
    following.notary.now = NOW.plus_ms(LIMITS.registry_age_ms_max + 1)
    assert following.notary.refused(signed(following.notary, org)).code == "registry.stale"
    following.registry.now = following.notary.now
    following.notary.done(following.word())
    following.notary.done(signed(following.notary, org))


def test_a_registry_whose_clock_runs_ahead_does_not_make_its_word_last_longer(following: Following, org: Org) -> None:
    following.registry.now = NOW.plus_ms(100 * LIMITS.registry_age_ms_max)
    following.notary.done(following.word())
    following.notary.now = NOW.plus_ms(LIMITS.registry_age_ms_max + 1)
    assert following.notary.refused(signed(following.notary, org)).code == "registry.stale"


def test_a_rotation_pushed_by_its_owner_counts_at_once_and_an_older_word_does_not_undo_it(
    following: Following, org: Org
) -> None:
    word = following.word()
    following.notary.done(word)
    following.notary.done(rotated(org))
    following.notary.done(word)
    following.registry.now = NOW.plus_ms(1)
    following.notary.done(following.word())
    assert record(following.notary, org).number == 1
    following.notary.done(signed(following.notary, org))


def test_where_two_rotations_have_one_number_the_registrys_later_word_decides(following: Following, org: Org) -> None:
    """A thief of the old key pushes a rotation of its own to a follower; the owner's is in the registry."""
    following.notary.done(following.word())
    theft, _ = org.rotation("thief")
    following.notary.done(theft)
    following.registry.done(rotated(org))
    following.registry.now = NOW.plus_ms(1)
    following.notary.now = NOW.plus_ms(1)
    following.notary.done(following.word())
    assert record(following.notary, org).key == org.signer.public
    following.notary.done(signed(following.notary, org))


def test_a_revocation_stays_whatever_older_word_follows(following: Following, org: Org) -> None:
    word = following.word()
    following.notary.done(word)
    following.notary.done(org.revocation())
    following.notary.done(word)
    assert following.notary.refused(signed(following.notary, org)).code == "registry.revoked"


def test_a_revocation_is_heard_from_the_registry(following: Following, org: Org) -> None:
    following.notary.done(following.word())
    following.registry.done(org.revocation())
    following.notary.done(following.word())
    assert following.notary.refused(signed(following.notary, org)).code == "registry.revoked"


def test_a_word_about_another_subject_or_of_another_notary_is_refused(following: Following, org: Org) -> None:
    word = following.word()
    assert following.notary.refused(word.replace(identity=digest("other"))).code == "registry.statement"
    other = following.registry.statement("accepted", org.id)
    assert following.notary.refused(word.replace(statement=other)).code == "registry.statement"
    unknown = Follow(identity=digest("x"), statement=following.registry.statement("key", digest("x")))
    assert following.notary.refused(unknown).code == "registry.statement"
    own = following.notary.statement("key", org.id)
    assert following.notary.refused(word.replace(statement=own)).code == "notary.other-notary"


def test_a_follower_passes_on_no_other_registrys_word(following: Following, org: Org) -> None:
    following.notary.done(following.word())
    words = following.notary.words
    third = Notary("third", words=words, registry=following.notary.id)
    second_hand = Follow(identity=org.id, statement=following.notary.statement("key", org.id))
    assert third.refused(second_hand).code == "registry.statement"
