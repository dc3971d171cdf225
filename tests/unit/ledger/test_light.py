"""The light client: trust goes from one header to a later one by who signed it, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.chains import (
    KEYS,
    PERIOD_MS,
    RULES,
    SECOND_NS,
    START_NS,
    MadeChain,
    hashed,
    members,
    sign,
)

from interfirm.base.errors import Refusal
from interfirm.ledger.receipts.chain import Header, LightBlock, Vote, in_order, validators_hash
from interfirm.ledger.receipts.light import (
    AMNESIA,
    EQUIVOCATION,
    LUNATIC,
    Rules,
    check_current,
    check_not_ahead,
    conflict_of,
    judge_conflict,
    lightened,
    signing,
    trusted_block,
    trusted_genesis,
    verify_adjacent,
    verify_next,
    verify_skipping,
    walk,
)
from interfirm.ledger.receipts.types import Trusted, Validator

FIVE = members(range(5))


def code(call: Callable[..., object], *arguments: object, **named: object) -> str:
    with pytest.raises(Refusal) as refusal:
        call(*arguments, **named)
    return refusal.value.code


def refused(trusted: Trusted, block: LightBlock, rules: Rules = RULES) -> str:
    return code(verify_next, trusted, block, rules=rules)


@pytest.fixture
def chain() -> MadeChain:
    return MadeChain(FIVE).grown(6)


@pytest.fixture
def trusted(chain: MadeChain) -> Trusted:
    return trusted_block(chain.at(2))


def resigned(block: LightBlock, **changes: object) -> LightBlock:
    """The block with another header, signed again by the same validators."""
    return sign(block.header.replace(**changes), block.validators)


def test_trust_goes_to_the_next_block_and_over_a_gap(chain: MadeChain, trusted: Trusted) -> None:
    assert verify_next(trusted, chain.at(3), rules=RULES) == trusted_block(chain.at(3))
    assert verify_next(trusted, chain.at(6), rules=RULES) == trusted_block(chain.at(6))


def test_trust_begins_with_the_first_validators_alone(chain: MadeChain) -> None:
    genesis = trusted_genesis(reversed(FIVE))
    for height in (1, 2, 6):
        assert verify_next(genesis, chain.at(height), rules=RULES).hash == chain.at(height).header.hash
    assert refused(trusted_genesis(members(range(5, 10))), chain.at(1)) == "receipt.validators"
    assert refused(trusted_genesis(members(range(5, 10))), chain.at(2)) == "receipt.trust"


def test_a_block_of_another_chain_is_refused(chain: MadeChain, trusted: Trusted) -> None:
    assert refused(trusted, resigned(chain.at(3), chain_id="n-other")) == "receipt.chain"
    assert refused(trusted, chain.at(3), Rules("n-other", PERIOD_MS)) == "receipt.chain"


def test_a_block_that_is_not_later_is_refused(chain: MadeChain, trusted: Trusted) -> None:
    assert refused(trusted, chain.at(2)) == refused(trusted, chain.at(1)) == "receipt.order"
    assert refused(trusted, resigned(chain.at(5), time_ns=trusted.time_ns)) == "receipt.order"
    assert code(verify_adjacent, trusted, chain.at(4), rules=RULES) == "receipt.order"


def test_a_header_that_was_changed_is_not_the_one_that_was_signed(chain: MadeChain, trusted: Trusted) -> None:
    block = chain.at(4)
    for changes in (
        {"application": hashed("lie")}, {"last_results": hashed("lie")}, {"height": 5}, {"data": b""},
        {"time_ns": block.header.time_ns + 1}, {"proposer": b"", "version_application": 2}, {"evidence": hashed(1)},
        {"next_validators": hashed("lie")}, {"consensus": hashed("lie")}, {"last_commit": hashed("lie")},
        {"last_block": block.header.last_block.replace(parts_count=2)}, {"version_block": 12},
    ):  # fmt: skip
        forged = block.replace(header=block.header.replace(**changes))
        assert refused(trusted, forged) == "signature.invalid", changes


def test_a_commit_for_another_round_or_other_parts_is_not_the_one_that_was_signed(
    chain: MadeChain, trusted: Trusted
) -> None:
    block = chain.at(4)
    for changes in ({"round": 1}, {"parts_count": 2}, {"parts_hash": hashed("other")}):
        assert refused(trusted, block.replace(commit=block.commit.replace(**changes))) == "signature.invalid"


def voting(block: LightBlock, votes: tuple[Vote | None, ...]) -> LightBlock:
    return block.replace(commit=block.commit.replace(votes=votes))


def test_a_vote_of_another_validator_time_or_block_is_refused(chain: MadeChain, trusted: Trusted) -> None:
    block, other = chain.at(4), chain.at(5)
    first, second, *rest = block.commit.votes
    assert first is not None
    for votes in (
        (second, first, *rest), (other.commit.votes[0], second, *rest),
        (first.replace(time_ns=first.time_ns + 1), second, *rest),
        (first.replace(signature=first.signature[:-1] + bytes((first.signature[-1] ^ 1,))), second, *rest),
    ):  # fmt: skip
        assert refused(trusted, voting(block, votes)) == "signature.invalid"


def test_one_invalid_vote_spoils_a_commit_that_would_do_without_it(chain: MadeChain, trusted: Trusted) -> None:
    *most, last = chain.at(4).commit.votes
    assert last is not None
    spoiled = voting(chain.at(4), (*most, last.replace(signature=bytes(64))))
    assert refused(trusted, spoiled) == "signature.invalid"
    verify_next(trusted, voting(chain.at(4), (*most, None)), rules=RULES)


@pytest.mark.parametrize(("count", "needed"), [(3, 3), (4, 3), (5, 4), (6, 5), (7, 5)])
def test_more_than_two_thirds_of_the_power_must_sign(count: int, needed: int) -> None:
    chain = MadeChain(members(range(count))).grown(2)
    trusted, header = trusted_block(chain.at(1)), chain.at(2).header
    enough = sign(header, chain.validators, signers=KEYS[:needed])
    verify_next(trusted, enough, rules=RULES)
    assert refused(trusted, sign(header, chain.validators, signers=KEYS[: needed - 1])) == "receipt.power"


def test_power_counts_and_not_heads() -> None:
    chain = MadeChain(members(range(4), (70, 10, 10, 10))).grown(2)
    trusted, header = trusted_block(chain.at(1)), chain.at(2).header
    verify_next(trusted, sign(header, chain.validators, signers=KEYS[:1]), rules=RULES)
    assert refused(trusted, sign(header, chain.validators, signers=KEYS[1:4])) == "receipt.power"


def test_a_commit_of_another_set_is_refused(chain: MadeChain, trusted: Trusted) -> None:
    block = chain.at(4)
    assert refused(trusted, voting(block, block.commit.votes[:-1])) == "receipt.commit"
    assert refused(trusted, voting(block, (*block.commit.votes, None))) == "receipt.commit"


@pytest.mark.parametrize("height", [3, 5])
def test_validators_that_the_header_does_not_name_are_refused(chain: MadeChain, trusted: Trusted, height: int) -> None:
    for others in (members(range(7)), tuple(reversed(FIVE)), members(range(5), (10, 10, 10, 10, 11))):
        forged = chain.at(height).replace(validators=others)
        assert refused(trusted, forged) == "receipt.validators"


def test_a_set_is_not_empty_not_too_large_and_has_no_key_twice() -> None:
    many = tuple(Validator(key=hashed(n), power=1) for n in range(129))
    validators_hash(many[:128])
    for some in ((), (FIVE[0], FIVE[0]), (FIVE[0], FIVE[0].replace(power=1)), many):
        assert code(validators_hash, some) == "receipt.validators"


def test_the_order_of_a_set_is_by_power_and_address() -> None:
    assert in_order([*FIVE, Validator(key=KEYS[7], power=11)])[0].key == KEYS[7]
    assert in_order(FIVE[::-1]) == FIVE


# sets that change -----------------------------------------------------------------------------------------------------


def changing(*sets: tuple[Validator, ...]) -> MadeChain:
    """Each block of this chain is signed by the next one of these sets."""
    chain = MadeChain(sets[0])
    for then in (*sets[1:], sets[-1]):
        chain.grow(then=then)
    return chain


def test_the_next_block_is_signed_by_whom_the_last_one_named() -> None:
    chain = changing(members(range(4)), members(range(10, 14)))
    verify_next(trusted_block(chain.at(1)), chain.at(2), rules=RULES)
    usurped = sign(chain.at(2).header.replace(validators=validators_hash(FIVE)), FIVE)
    assert refused(trusted_block(chain.at(1)), usurped) == "receipt.validators"


def test_over_a_gap_more_than_a_third_of_the_trusted_power_must_sign() -> None:
    for kept, expected in ((3, True), (2, False)):
        numbers = [*range(kept), *range(10, 16 - kept)]
        chain = changing(members(range(6)), members(range(6)), members(numbers))
        trusted, block = trusted_block(chain.at(1)), chain.at(3)
        if expected:
            verify_next(trusted, block, rules=RULES)
        else:
            assert refused(trusted, block) == "receipt.trust"


def test_over_a_gap_two_thirds_of_the_new_power_must_sign_too() -> None:
    new = members((0, 1, 2, 10, 11, 12))
    chain = changing(members(range(4)), members(range(4)), new)
    header = chain.at(3).header
    assert refused(trusted_block(chain.at(1)), sign(header, new, signers=KEYS[:3])) == "receipt.power"


def test_a_third_is_counted_of_what_was_trusted_and_by_its_own_power() -> None:
    old, new = members(range(3), (1, 1, 10)), members((0, 1, 10, 11), (100, 100, 1, 1))
    chain = changing(old, old, new)
    assert refused(trusted_block(chain.at(1)), chain.at(3)) == "receipt.trust"


def found_way(trusted: Trusted, chain: MadeChain, height: int, rules: Rules = RULES) -> tuple[list[int], list[int]]:
    """The heights that a walk asks for, and those that it ends up with."""
    asked, steps = list[int](), walk(trusted, height, rules=rules)
    wanted = next(steps)
    while True:
        asked.append(wanted)
        try:
            wanted = steps.send(chain.at(wanted))
        except StopIteration as end:
            return asked, [block.header.height for block in end.value]


def test_a_walk_over_one_set_is_one_step() -> None:
    chain = MadeChain(FIVE).grown(40)
    assert found_way(trusted_block(chain.at(1)), chain, 40) == ([40], [40])


def test_a_walk_asks_for_few_headers_between() -> None:
    sets = [members(range(n, n + 4)) for n in range(12)]
    chain = changing(*(each for each in sets for _ in range(4)))
    trusted = trusted_block(chain.at(1))
    asked, way = found_way(trusted, chain, 48)
    assert way[-1] == 48
    assert way == sorted(set(way))
    assert len(way) < 12 < len(chain.blocks)
    assert set(asked) == set(way)
    for height in way:
        trusted = verify_next(trusted, chain.at(height), rules=RULES)


def test_a_walk_goes_on_where_a_gap_is_too_long_in_time() -> None:
    chain = MadeChain(FIVE).grown(16, seconds=PERIOD_MS // 8000)
    _, way = found_way(trusted_block(chain.at(1)), chain, 16)
    assert way == [8, 12, 16]
    assert refused(trusted_block(chain.at(1)), chain.at(16)) == "receipt.expired"


def test_a_walk_ends_where_no_header_between_would_help(chain: MadeChain, trusted: Trusted) -> None:
    steps = walk(trusted, 6, rules=RULES)
    next(steps)
    strangers = members(range(10, 15))
    forged = sign(chain.at(6).header.replace(validators=validators_hash(strangers)), strangers)
    assert steps.send(forged) == 4
    assert steps.send(chain.at(4)) == 5
    assert code(steps.send, chain.at(5)) == "receipt.validators"


def test_a_walk_wants_the_height_it_asked_for(chain: MadeChain, trusted: Trusted) -> None:
    steps = walk(trusted, 6, rules=RULES)
    next(steps)
    assert code(steps.send, chain.at(5)) == "receipt.order"


# time -----------------------------------------------------------------------------------------------------------------


def test_a_header_made_after_the_trusting_period_is_refused(trusted: Trusted, chain: MadeChain) -> None:
    ends = trusted.time_ns + PERIOD_MS * 1_000_000
    verify_next(trusted, resigned(chain.at(4), time_ns=ends - 1), rules=RULES)
    assert refused(trusted, resigned(chain.at(4), time_ns=ends)) == "receipt.expired"


def test_trust_expires_by_the_clock(trusted: Trusted) -> None:
    ends_ms = trusted.time_ns // 1_000_000 + PERIOD_MS
    check_current(trusted, now_ms=ends_ms - 1, rules=RULES)
    assert code(check_current, trusted, now_ms=ends_ms, rules=RULES) == "receipt.expired"
    assert code(check_current, trusted.replace(time_ns=0), now_ms=0, rules=RULES) == "receipt.expired"


def test_a_header_of_a_time_to_come_is_refused_beyond_the_drift(chain: MadeChain) -> None:
    header: Header = chain.at(3).header
    now_ms = header.time_ns // 1_000_000
    check_not_ahead(header, now_ms=now_ms - 9_999)
    assert code(check_not_ahead, header, now_ms=now_ms - 10_000) == "receipt.future"


def test_blocks_begin_after_the_chain(chain: MadeChain) -> None:
    late = trusted_genesis(FIVE, time_ns=START_NS + 100 * SECOND_NS)
    assert refused(late, chain.at(1)) == "receipt.order"


# less than all votes --------------------------------------------------------------------------------------------------


def test_votes_that_nobody_needs_are_left_out(chain: MadeChain, trusted: Trusted) -> None:
    light = lightened(trusted, chain.at(5))
    assert len(signing(light)) == 4
    assert verify_next(trusted, light, rules=RULES).hash == chain.at(5).header.hash


def test_votes_of_the_trusted_are_kept_where_new_ones_alone_would_do() -> None:
    old, new = members(range(3)), members((*range(3), 10, 11), (1, 1, 1, 50, 50))
    chain = changing(old, old, new)
    trusted = trusted_block(chain.at(1))
    light = lightened(trusted, chain.at(3))
    assert {each.power for each in signing(light)} == {50, 1}
    assert len(signing(light)) == 4
    verify_skipping(trusted, light, rules=RULES)


# conflicts ------------------------------------------------------------------------------------------------------------


def test_the_same_block_is_no_conflict(chain: MadeChain, trusted: Trusted) -> None:
    other = sign(chain.at(4).header, FIVE, signers=KEYS[:4])
    assert conflict_of(chain.at(4), other) is None


def guilt(chain: MadeChain, trusted: Trusted, other: LightBlock) -> tuple[str, set[bytes]]:
    conflict = conflict_of(chain.at(other.header.height), other)
    assert conflict is not None
    found = judge_conflict(conflict, trusted, rules=RULES)
    return found.kind, set(found.validators)


def test_who_votes_for_two_blocks_in_one_round_is_convicted(chain: MadeChain, trusted: Trusted) -> None:
    other = sign(chain.at(4).header.replace(data=hashed("other")), FIVE, signers=KEYS[1:5])
    assert guilt(chain, trusted, other) == (EQUIVOCATION, set(KEYS[1:5]))


def test_who_tells_of_another_state_is_convicted(chain: MadeChain, trusted: Trusted) -> None:
    for height in (3, 5):
        other = sign(chain.at(height).header.replace(application=hashed("lie")), FIVE, signers=KEYS[:4])
        assert guilt(chain, trusted, other) == (LUNATIC, set(KEYS[:4]))


def test_of_a_forged_set_only_those_who_were_trusted_are_convicted(chain: MadeChain, trusted: Trusted) -> None:
    usurpers = members((0, 1, 10, 11))
    header = chain.at(5).header.replace(validators=validators_hash(usurpers))
    assert guilt(chain, trusted, sign(header, usurpers)) == (LUNATIC, set(KEYS[:2]))


def test_two_rounds_alone_convict_nobody(chain: MadeChain, trusted: Trusted) -> None:
    other = sign(chain.at(4).header.replace(data=hashed("other")), FIVE, round_=1)
    assert guilt(chain, trusted, other) == (AMNESIA, set())


def test_what_would_not_have_been_believed_is_no_evidence(chain: MadeChain, trusted: Trusted) -> None:
    weak = sign(chain.at(4).header.replace(data=hashed("other")), FIVE, signers=KEYS[:3])
    conflict = conflict_of(chain.at(4), weak)
    assert code(judge_conflict, conflict, trusted, rules=RULES) == "receipt.power"
    two_heights = conflict_of(chain.at(4), chain.at(5))
    assert code(judge_conflict, two_heights, trusted, rules=RULES) == "receipt.no-conflict"


def test_the_chain_id_is_part_of_what_is_signed(chain: MadeChain) -> None:
    other = chain.at(3).header.replace(chain_id="n-other")
    assert refused(trusted_block(chain.at(2)), chain.at(3).replace(header=other), Rules("n-other", PERIOD_MS)) == (
        "signature.invalid"
    )
