"""Validators: who is in the set by whose decision, what the engine is told, and bonds that are lost or given back."""

from __future__ import annotations

import pytest

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.notary.evidence.types import Misconduct
from interfirm.notary.governance.parameters import parameters_of
from interfirm.notary.governance.types import Deposit, RemoveValidator, Setting, SetValidator
from interfirm.notary.state import VALIDATORS, Overlay
from interfirm.notary.validators.machine import POWER_SUM_MAX, SET, Member, Members, address_of, changes, enter

from .councils import KEYS, Council, D, E
from .notaries import A, B, C, Notary, Org

NEW = digest("a new machine")
BOND = 100
DEPOSITS = tuple(Deposit(organisation=each.id, units=150) for each in (A, B, C, D, E))
BONDED = {
    "settings": (Setting(name="bond_units_min", value=BOND), Setting(name="bond_epochs", value=2),
                 Setting(name="epoch_heights", value=50)),
    "deposits": DEPOSITS,
}  # fmt: skip


@pytest.fixture
def council() -> Council:
    council = Council(**BONDED)
    council.block()
    return council


def members(council: Council) -> dict[bytes, Member]:
    return {each.key: each for each in codec.from_plain(council.says("validators", b"").answer, list[Member])}


def told(council: Council) -> tuple[tuple[bytes, int], ...]:
    assert council.last is not None
    return council.last.validators


def added(council: Council, key: bytes = NEW, power: int = 10, by: Org = E) -> tuple[tuple[bytes, int], ...]:
    """What the engine hears in the block that adds a validator."""
    name = council.proposed(SetValidator(key=key, power=power, operator=by.id))
    for voter in (B, C):
        council.done(council.ballot(name, voter))
    assert told(council) == ()
    council.done(council.ballot(name, D))
    return told(council)


def test_the_first_block_tells_the_engine_nothing_it_does_not_know(council: Council) -> None:
    assert told(council) == ()
    assert {key: each.power for key, each in members(council).items()} == dict.fromkeys(KEYS, 10)


def test_a_validator_is_added_by_votes_and_its_operator_pays_the_bond(council: Council) -> None:
    assert added(council) == ((NEW, 10),)
    assert (members(council)[NEW].operator, members(council)[NEW].bond) == (E.id, BOND)
    assert council.balance(E) == 50
    council.block()
    assert told(council) == ()


def test_an_operator_that_cannot_pay_the_bond_gets_no_validator(council: Council) -> None:
    request = council.proposal(SetValidator(key=NEW, power=10, operator=A.id))
    assert council.refused(request).code == "fee.unpaid"


def test_a_validator_that_leaves_gets_its_bond_back_after_some_epochs(council: Council) -> None:
    council.applied(RemoveValidator(key=KEYS[0]))
    assert members(council)[KEYS[0]].power == 0
    assert council.balance(A) == 50
    assert council.refused(council.proposal(RemoveValidator(key=KEYS[0]))).code == "validator.unknown"
    council.pass_to(99)
    assert council.balance(A) == 50
    assert council.balance(A) == 150
    assert KEYS[0] not in members(council)


def test_the_engine_hears_of_a_removal(council: Council) -> None:
    name = council.proposed(RemoveValidator(key=KEYS[0]))
    for voter in (B, C, D):
        council.done(council.ballot(name, voter))
    assert told(council) == ((KEYS[0], 0),)


def test_one_that_left_can_come_back_with_the_bond_it_has(council: Council) -> None:
    council.applied(RemoveValidator(key=KEYS[0]))
    assert added(council, KEYS[0], 5, A) == ((KEYS[0], 5),)
    assert (members(council)[KEYS[0]].bond, council.balance(A)) == (BOND, 50)


def test_a_key_is_replaced_in_one_decision(council: Council) -> None:
    """Rotation: the new key enters and the old one leaves in one block, so that power is never missing."""
    change = (SetValidator(key=NEW, power=10, operator=E.id), RemoveValidator(key=KEYS[3]))
    name = council.proposed(*change)
    for voter in (B, C, D):
        council.done(council.ballot(name, voter))
    assert told(council) == tuple(sorted(((NEW, 10), (KEYS[3], 0))))


def test_nobody_gets_more_than_twice_the_power_of_any_other(council: Council) -> None:
    request = council.proposal(SetValidator(key=NEW, power=21, operator=E.id))
    assert council.refused(request).code == "validator.power"
    assert added(council, power=20) == ((NEW, 20),)


def test_a_machine_stays_its_operators(council: Council) -> None:
    request = council.proposal(SetValidator(key=KEYS[0], power=10, operator=B.id))
    assert council.refused(request).code == "validator.operator"


def test_one_validator_is_left(council: Council) -> None:
    request = council.proposal(*[RemoveValidator(key=key) for key in KEYS])
    assert council.refused(request).code == "validator.last"


def test_there_are_not_too_many_validators() -> None:
    council = Council(settings=(Setting(name="validators_count_max", value=4),))
    request = council.proposal(SetValidator(key=NEW, power=10, operator=E.id))
    assert council.refused(request).code == "validator.count"


def test_the_power_of_all_has_a_limit(council: Council) -> None:
    state = Overlay(council)
    state.put(VALIDATORS, SET, codec.encode(Members(members=tuple(
        Member(key=key, power=POWER_SUM_MAX // 4, operator=A.id, bond=0, proposal=digest("p"), since=1)
        for key in KEYS
    ))))  # fmt: skip
    action = SetValidator(key=NEW, power=1, operator=E.id)
    with pytest.raises(Refusal) as refusal:
        enter(action, digest("p"), state, parameters=parameters_of({}), height=2)
    assert refusal.value.code == "validator.power"


def test_a_solo_notary_has_no_validators() -> None:
    state = Overlay(Notary())
    action = SetValidator(key=NEW, power=1, operator=A.id)
    with pytest.raises(Refusal) as refusal:
        enter(action, digest("p"), state, parameters=parameters_of({}), height=2)
    assert refusal.value.code == "validator.none"


# double signing ----------------------------------------------------------------------------------------------------


def misbehaves(council: Council, key: bytes) -> None:
    council.misconduct = (Misconduct(address=address_of(key), kind="duplicate-vote", height=1),)
    council.block()


def test_who_signs_twice_loses_its_validator_its_bond_and_its_vote(council: Council) -> None:
    misbehaves(council, KEYS[0])
    assert told(council) == ((KEYS[0], 0),)
    council.misconduct = ()
    assert KEYS[0] not in members(council)
    assert (council.balance(A), council.says("fees", b"").answer[1]) == (50, BOND)
    assert council.refused(council.proposal(RemoveValidator(key=KEYS[1]), by=A)).code == "governance.voter"


def test_the_same_misconduct_again_changes_nothing(council: Council) -> None:
    misbehaves(council, KEYS[0])
    misbehaves(council, KEYS[0])
    assert told(council) == ()
    assert council.says("fees", b"").answer[1] == BOND


def test_who_has_another_validator_keeps_its_vote() -> None:
    council = Council(operators=(A.id, A.id, B.id, C.id))
    council.block()
    misbehaves(council, KEYS[0])
    council.misconduct = ()
    council.proposed(RemoveValidator(key=KEYS[1]), by=A)


def test_who_left_is_still_punished_until_its_bond_is_free(council: Council) -> None:
    council.applied(RemoveValidator(key=KEYS[0]))
    misbehaves(council, KEYS[0])
    assert told(council) == ()
    council.misconduct = ()
    council.pass_to(160)
    assert council.balance(A) == 50


def test_the_last_validator_loses_its_bond_and_stays() -> None:
    council = Council(**BONDED)
    council.applied(*[RemoveValidator(key=key) for key in KEYS[1:]])
    misbehaves(council, KEYS[0])
    assert told(council) == ()
    council.misconduct = ()
    assert (members(council)[KEYS[0]].power, members(council)[KEYS[0]].bond) == (10, 0)


def test_what_a_set_becomes_another_by() -> None:
    before, after = ((b"a", 1), (b"b", 2), (b"c", 3)), ((b"b", 2), (b"c", 4), (b"d", 5))
    assert changes(before, after) == ((b"a", 0), (b"c", 4), (b"d", 5))
