"""Governance by any votes in any order: one result, never both accepted and rejected, nobody counted twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.notary.councils import VOTERS, Council

from interfirm.notary.governance.constitution import DEFAULTS, is_reached
from interfirm.notary.governance.types import Action, AddVoter, ApprovePackage, Stop, Upgrade
from interfirm.notary.types import Done, Refused

ACTIONS: dict[str, Action] = {
    "packages": ApprovePackage(package=bytes(32), name="p", version="1"),
    "constitution": AddVoter(key=Council("other").signer.public),
    "stop": Stop(reason="a test"),
    "upgrade": Upgrade(name="u", version=2, height=10_000),
}
_votes = st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=8)


@settings(max_examples=80, deadline=None)
@given(kind=st.sampled_from(sorted(ACTIONS)), votes=_votes)
def test_a_proposal_has_the_one_end_that_its_last_ballots_lead_to(kind: str, votes: list[tuple[int, bool]]) -> None:
    council = Council()
    name = council.proposed(ACTIONS[kind])
    last, ends = {0: True}, list[str]()
    for number, (voter, accepts) in enumerate(votes, start=1):
        answer = council.ask(council.ballot(name, VOTERS[voter], accepts=accepts, number=number))
        status = council.found(name).status
        if not ends:
            assert isinstance(answer, Done)
            last[voter] = accepts
        else:
            assert isinstance(answer, Refused)
            assert answer.code == "governance.closed" or (voter in last and answer.code == "governance.ballot")
        yes, no = sum(last.values()), len(last) - sum(last.values())
        if is_reached(yes, 5, DEFAULTS[kind]):
            expected = "applied"
        else:
            expected = "open" if is_reached(5 - no, 5, DEFAULTS[kind]) else "rejected"
        assert status == expected
        if status != "open":
            ends.append(status)
    assert len(set(ends)) <= 1


@settings(max_examples=40, deadline=None)
@given(
    ballots=st.lists(st.tuples(st.integers(1, 4), st.booleans()), unique_by=lambda each: each[0], max_size=4),
    order=st.permutations(range(4)),
)
def test_votes_in_any_order_give_one_result(ballots: list[tuple[int, bool]], order: list[int]) -> None:
    shuffled = [ballots[place] for place in order if place < len(ballots)]
    results = set()
    for each in (ballots, shuffled):
        council = Council()
        name = council.proposed(ACTIONS["packages"], nonce=bytes(32))
        for voter, accepts in each:
            council.ask(council.ballot(name, VOTERS[voter], accepts=accepts))
        results.add((council.found(name).status, council.says("package", bytes(32)).answer is None))
    assert len(results) == 1


@settings(max_examples=40, deadline=None)
@given(both=st.lists(st.tuples(st.integers(1, 4), st.sampled_from((0, 1)), st.booleans()), max_size=10))
def test_of_two_proposals_that_exclude_each_other_one_is_carried_out(both: list[tuple[int, int, bool]]) -> None:
    council = Council()
    pair = [council.proposed(ACTIONS["packages"]), council.proposed(ACTIONS["packages"])]
    for number, (voter, which, accepts) in enumerate(both, start=1):
        council.ask(council.ballot(pair[which], VOTERS[voter], accepts=accepts, number=number))
    ends = [council.found(name).status for name in pair]
    assert ends.count("applied") <= 1
    assert (council.says("package", bytes(32)).answer is not None) == ("applied" in ends)
