"""Headers before CometBFT's own light client: it and ours agree on hashes, on what to believe, and on what not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from tests.support.chains import (
    KEYS,
    PERIOD_MS,
    RULES,
    SECOND_NS,
    MadeChain,
    hashed,
    in_json,
    members,
    outcome,
    result_leaf,
    rfc3339,
    shown,
    sign,
)
from tests.support.judges import LightJudge

from interfirm.base.errors import Refusal
from interfirm.ledger.receipts.chain import LightBlock, merkle_root, result_bytes, validators_hash
from interfirm.ledger.receipts.light import check_current, check_not_ahead, trusted_block, verify_next
from interfirm.notary.cometbft.shown import light_block_of, result_with

Pair = tuple[LightBlock, LightBlock]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> LightJudge:
    return LightJudge(tmp_path_factory.mktemp("judge"))


def asked(trusted: LightBlock, block: LightBlock, now_ns: int) -> dict[str, Any]:
    return {
        "kind": "verify", "trusted": in_json(trusted), "block": in_json(block), "now": rfc3339(now_ns),
        "period_ms": PERIOD_MS,
    }  # fmt: skip


def we_accept(trusted: LightBlock, block: LightBlock, now_ns: int) -> bool:
    """Our verdict with a clock, as the engine's client has one."""
    try:
        check_current(trusted_block(trusted), now_ms=now_ns // 1_000_000, rules=RULES)
        check_not_ahead(block.header, now_ms=now_ns // 1_000_000)
        verify_next(trusted_block(trusted), block, rules=RULES)
    except Refusal:
        return False
    return True


def agreed(judge: LightJudge, pairs: Sequence[Pair], *, after_s: int = 1) -> list[bool]:
    """The verdicts some time after each second block, on which both agree, as on all hashes."""
    times = [block.header.time_ns + after_s * SECOND_NS for _, block in pairs]
    questions = [asked(*pair, now_ns) for pair, now_ns in zip(pairs, times, strict=True)]
    answers = judge.answers(questions)
    for (_, block), found in zip(pairs, answers, strict=True):
        assert found["hash"] == block.header.hash.hex()
        if "validators" in found:
            assert found["validators"] == validators_hash(block.validators).hex()
    ours = [we_accept(*pair, now_ns) for pair, now_ns in zip(pairs, times, strict=True)]
    assert [found["accepted"] for found in answers] == ours, [found.get("why") for found in answers]
    return ours


def changing(seed: int) -> MadeChain:
    """A chain whose validators and their powers change at random, with gaps in time and missing votes."""
    chance = random.Random(seed)
    chain = MadeChain(members(range(chance.randint(4, 7))))
    for _ in range(12):
        numbers = chance.sample(range(10), chance.randint(4, 7)) if chance.random() < 0.4 else None
        powers = None if numbers is None else [chance.randint(1, 40) for _ in numbers]
        then = None if numbers is None or powers is None else members(numbers, powers)
        signers = [each.key for each in chain.validators if chance.random() < 0.9]
        chain.grow(then=then, signers=signers, seconds=chance.choice((1, 2, 600)))
    return chain


def test_chains_with_changing_validators_are_judged_alike(judge: LightJudge) -> None:
    pairs = [
        (one, other)
        for seed in range(12)
        for chain in [changing(seed)]
        for one in chain.blocks
        for other in chain.blocks
        if one is not other
    ]
    verdicts = agreed(judge, pairs)
    assert verdicts.count(True) > 100
    assert verdicts.count(False) > 100


def forgeries(chain: MadeChain) -> list[LightBlock]:
    """Blocks of the chain's heights that nobody should believe from block 2."""
    five, next_one, later = chain.validators, chain.at(3), chain.at(6)
    strangers = members(range(10, 15))
    found = []
    for block in (next_one, later):
        first, second, *rest = block.commit.votes
        assert first is not None
        header, commit = block.header, block.commit
        found += [
            sign(header, five, signers=KEYS[:3]),
            sign(header.replace(chain_id="n-other"), five),
            sign(header.replace(validators=validators_hash(strangers)), strangers),
            sign(header.replace(time_ns=chain.at(2).header.time_ns), five),
            block.replace(header=header.replace(application=hashed("lie"))),
            block.replace(commit=commit.replace(round=3)),
            block.replace(commit=commit.replace(parts_count=9)),
            block.replace(commit=commit.replace(votes=(second, first, *rest))),
            block.replace(commit=commit.replace(votes=(first.replace(time_ns=first.time_ns + 1), second, *rest))),
            block.replace(commit=commit.replace(votes=commit.votes[:-1])),
            block.replace(validators=strangers),
        ]
    return found


def test_forged_blocks_are_refused_by_both(judge: LightJudge) -> None:
    chain = MadeChain(members(range(5))).grown(6)
    pairs = [(chain.at(2), forged) for forged in forgeries(chain)]
    assert set(agreed(judge, pairs)) == {False}
    assert agreed(judge, [(chain.at(2), chain.at(3)), (chain.at(2), chain.at(6))]) == [True, True]


def test_both_stop_trusting_at_the_same_moment(judge: LightJudge) -> None:
    chain = MadeChain(members(range(4))).grown(3)
    pair = [(chain.at(1), chain.at(3))]
    ends_s = PERIOD_MS // 1000 - 2  # the second block came two seconds later
    assert agreed(judge, pair, after_s=ends_s - 1) == [True]
    assert agreed(judge, pair, after_s=ends_s) == [False]


def test_both_refuse_a_header_of_a_time_to_come(judge: LightJudge) -> None:
    chain = MadeChain(members(range(4))).grown(3)
    pair = [(chain.at(1), chain.at(3))]
    assert agreed(judge, pair, after_s=-9) == [True]
    assert agreed(judge, pair, after_s=-10) == [False]


def test_a_vote_beyond_two_thirds_that_is_not_valid_is_refused_by_ours_alone(judge: LightJudge) -> None:
    chain = MadeChain(members(range(7))).grown(3)
    *most, last = chain.at(2).commit.votes
    assert last is not None
    spoiled = chain.at(2).commit.replace(votes=(*most, last.replace(signature=bytes(64))))
    block = chain.at(2).replace(commit=spoiled)
    now_ns = block.header.time_ns + SECOND_NS
    assert [each["accepted"] for each in judge.answers([asked(chain.at(1), block, now_ns)])] == [True]
    assert not we_accept(chain.at(1), block, now_ns)


def test_results_have_the_root_and_the_paths_that_the_engine_gives_them(judge: LightJudge) -> None:
    chance = random.Random(5)
    for count in (1, 2, 3, 5, 8, 13):
        results = [
            shown(outcome(hashed(count, n), height=9)) | {"gas_wanted": str(chance.randrange(300)), "gas_used": str(n)}
            for n in range(count)
        ]
        (found,) = judge.answers([{"kind": "results", "results": results}])
        proven = [result_with(hashed(count, n), results) for n in range(count)]
        leaves = [
            result_bytes(code=each.code, data=each.data, gas_wanted=each.gas_wanted, gas_used=each.gas_used)
            for each in proven
        ]
        assert merkle_root(leaves).hex() == found["root"]
        assert [[step.hex() for step in each.path] for each in proven] == found["paths"]
    refused = [shown(b"", code=1), shown(b"data", code=2**31)]
    (found,) = judge.answers([{"kind": "results", "results": refused}])
    assert merkle_root([result_leaf(b"", 1), result_leaf(b"data", 2**31)]).hex() == found["root"]


def test_a_block_survives_the_engines_json() -> None:
    chain = changing(3)
    for block in chain.blocks:
        plain = in_json(block)
        assert light_block_of(plain["signed_header"], plain["validators"]) == block
