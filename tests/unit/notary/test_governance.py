"""Governance: proposals are validated, ballots counted again at each vote, decisions applied whole and recorded."""

from __future__ import annotations

import pytest

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS, AgreedLimits, Limits
from interfirm.notary.cometbft.types import ClusterGenesis, Validator
from interfirm.notary.governance import metadata
from interfirm.notary.governance.constitution import DEFAULTS
from interfirm.notary.governance.epochs import Software
from interfirm.notary.governance.types import (
    AddVoter,
    ApprovePackage,
    CancelUpgrade,
    Change,
    Deposit,
    RemoveVoter,
    Resume,
    SetParameter,
    Setting,
    Stop,
    Threshold,
    Upgrade,
)
from interfirm.notary.packages.machine import Package
from interfirm.notary.state import GOVERNANCE, META, Overlay
from interfirm.notary.types import Ask, Done, Refused

from .councils import KEYS, STRANGER_ORG, VOTERS, Council, D, E, founding
from .notaries import HOUR_MS, NETWORK, NOW, REGISTRAR, A, B, C, Ledger, Notary, create

WINDOW = SetParameter(name="window_ms_max", value=HOUR_MS)
HEIGHTS = SetParameter(name="epoch_heights", value=40)


@pytest.fixture
def council() -> Council:
    return Council()


# proposals and ballots ---------------------------------------------------------------------------------------------


def test_a_proposal_is_applied_by_the_ballot_that_makes_it_enough(council: Council) -> None:
    name = council.proposed(WINDOW)
    council.done(council.ballot(name, B))
    assert council.found(name).status == "open"
    council.done(council.ballot(name, C))
    found = council.found(name)
    assert (found.status, found.ended) == ("applied", council.height - 1)
    assert council.parameter("window_ms_max").coming == HOUR_MS


def test_a_proposal_that_cannot_be_reached_any_more_is_rejected(council: Council) -> None:
    name = council.proposed(WINDOW)
    for voter in (B, C, D):
        council.done(council.ballot(name, voter, accepts=False))
    assert council.found(name).status == "rejected"
    assert council.refused(council.ballot(name, E)).code == "governance.closed"
    assert council.governed().open == ()


def test_a_later_ballot_takes_the_place_of_the_one_before(council: Council) -> None:
    name = council.proposed(WINDOW)
    council.done(council.ballot(name, B))
    council.done(council.ballot(name, B, accepts=False, number=2))
    council.done(council.ballot(name, C))
    assert council.found(name).status == "open"
    assert council.refused(council.ballot(name, B)).code == "governance.ballot"
    council.done(council.ballot(name, B, number=3))
    assert council.found(name).status == "applied"


def test_the_same_again_changes_nothing(council: Council) -> None:
    request = council.proposal(WINDOW)
    name = council.done(request).id
    vote = council.ballot(name, B)
    first = council.done(vote)
    before = council.found(name)
    assert council.done(request).id == name
    assert council.done(vote).id == first.id
    assert council.found(name) == before


def test_who_does_not_vote_here_decides_nothing(council: Council) -> None:
    assert council.refused(council.proposal(WINDOW, by=STRANGER_ORG)).code == "governance.voter"
    name = council.proposed(WINDOW)
    assert council.refused(council.ballot(name, STRANGER_ORG)).code == "governance.voter"


def test_nothing_signed_for_one_thing_serves_for_another(council: Council) -> None:
    name, other = council.proposed(WINDOW), council.proposed(HEIGHTS)
    good = council.ballot(name, B)
    elsewhere = Council("another").ballot(name, B)
    for forged in (
        good.replace(proposal=other),
        good.replace(accepts=False),
        good.replace(number=2),
        good.replace(signature=elsewhere.signature),
        good.replace(signature=council.proposal(WINDOW, by=B).signature),
    ):
        assert council.refused(forged).code in ("signature.invalid", "signature.purpose")
    widened = council.proposal(WINDOW).replace(actions=(HEIGHTS,))
    assert council.refused(widened).code == "signature.invalid"


def test_a_ballot_of_somebody_elses_key_is_refused(council: Council) -> None:
    name = council.proposed(WINDOW)
    vote = council.ballot(name, B)
    forged = vote.replace(signature=vote.signature.replace(key=C.signer.public))
    assert council.refused(forged).code == "governance.key"


def test_an_unknown_proposal_is_voted_on_by_nobody(council: Council) -> None:
    assert council.refused(council.ballot(digest("nothing"), B)).code == "governance.unknown"


def test_a_proposals_time_ends(council: Council) -> None:
    name = council.proposed(WINDOW)
    council.now = council.now.plus_ms(HOUR_MS)
    late = council.ask(council.ballot(name, B))
    assert isinstance(late, Refused)
    assert late.code == "governance.closed"
    assert (council.found(name).status, council.governed().open) == ("expired", ())


def test_only_its_proposer_takes_a_proposal_back(council: Council) -> None:
    name = council.proposed(WINDOW)
    assert council.refused(council.retraction(name, B)).code == "governance.proposer"
    council.done(council.retraction(name))
    assert council.done(council.retraction(name)).id
    assert council.found(name).status == "retracted"
    assert council.refused(council.ballot(name, B)).code == "governance.closed"


def test_what_was_decided_cannot_be_taken_back(council: Council) -> None:
    found = council.decided(WINDOW)
    assert council.refused(council.retraction(found.id)).code == "governance.closed"


@pytest.mark.parametrize("life_ms", [0, LIMITS.proposal_life_ms_max + 1])
def test_a_proposal_ends_later_than_now_and_not_too_late(council: Council, life_ms: int) -> None:
    request = council.proposal(WINDOW, expires=NOW.plus_ms(life_ms))
    assert council.refused(request).code == "governance.expires"


def test_a_proposal_has_some_actions_not_too_many(council: Council) -> None:
    assert council.refused(council.proposal()).code == "governance.actions"
    many = [WINDOW] * (LIMITS.proposal_actions_count_max + 1)
    assert council.refused(council.proposal(*many)).code == "governance.actions"


def test_not_too_many_proposals_are_voted_on_at_once(council: Council) -> None:
    for _ in range(LIMITS.proposals_open_count_max):
        council.proposed(WINDOW)
    assert council.refused(council.proposal(WINDOW)).code == "governance.open"


def test_a_proposal_that_could_not_be_applied_is_refused_at_once(council: Council) -> None:
    good, bad = AddVoter(key=STRANGER_ORG.signer.public), AddVoter(key=A.signer.public)
    assert council.refused(council.proposal(good, bad)).code == "governance.voter"


def test_what_can_no_longer_be_applied_fails_and_leaves_nothing(council: Council) -> None:
    add = AddVoter(key=STRANGER_ORG.signer.public)
    late = council.proposed(WINDOW, add)
    council.applied(add)
    for voter in (B, C, D):
        council.done(council.ballot(late, voter))
    found = council.found(late)
    assert (found.status, found.why) == ("open", "")  # six vote now, and more than two thirds of them are five
    council.done(council.ballot(late, E))
    found = council.found(late)
    assert (found.status, found.why) == ("failed", "governance.voter")
    assert council.parameter("window_ms_max").coming == LIMITS.window_ms_max


def test_a_proposal_of_several_kinds_takes_the_votes_of_each(council: Council) -> None:
    name = council.proposed(WINDOW, AddVoter(key=STRANGER_ORG.signer.public))
    council.done(council.ballot(name, B))
    council.done(council.ballot(name, C))
    assert council.found(name).status == "open"
    council.done(council.ballot(name, D))
    assert council.found(name).status == "applied"


def test_ballots_count_by_the_key_that_a_voter_has_today(council: Council) -> None:
    from .notaries import Org

    voter = Org("rotating voter")
    council.done(voter.registration(council.id))
    council.applied(AddVoter(key=voter.signer.public))
    name = council.proposed(WINDOW)
    council.done(council.ballot(name, voter))
    rotation, after = voter.rotation()
    council.done(rotation)
    council.done(council.ballot(name, B))
    council.done(council.ballot(name, C))
    assert council.found(name).status == "open", "a ballot of a key that is no longer the voter's counted"
    assert council.refused(council.ballot(name, voter, number=2)).code == "governance.key"
    voter.signer = after
    council.done(council.ballot(name, voter, number=2))
    assert council.found(name).status == "applied"


def test_the_revoked_vote_no_longer_and_are_not_counted_on(council: Council) -> None:
    for org in (C, D):
        council.done(org.registration(council.id))
    name = council.proposed(WINDOW)
    council.done(council.ballot(name, C))
    council.done(C.revocation())
    council.done(D.revocation())
    assert council.refused(council.ballot(name, D)).code == "governance.voter"
    council.done(council.ballot(name, B))
    assert council.found(name).status == "applied"  # two of the three that are left


# parameters and epochs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("window_ms_max", 59_999, "governance.bounds"),
        ("window_ms_max", LIMITS.window_ms_max * 16 + 1, "governance.bounds"),
        ("message_bytes_max", LIMITS.message_bytes_max + 1, "governance.bounds"),
        ("nothing", 1, "governance.parameter"),
        ("retry_ms_min", LIMITS.retry_ms_min * 16, None),
        ("retry_ms_max", LIMITS.retry_ms_max // 16, None),
    ],
)
def test_a_parameter_has_bounds(council: Council, name: str, value: int, code: str | None) -> None:
    request = council.proposal(SetParameter(name=name, value=value))
    if code is None:
        council.done(request)
    else:
        assert council.refused(request).code == code


def test_parameters_that_do_not_go_together_are_refused(council: Council) -> None:
    lower = SetParameter(name="depth_max", value=24)
    higher = SetParameter(name="payload_depth_max", value=25)
    assert council.refused(council.proposal(lower, higher)).code == "governance.bounds"


def test_a_changed_parameter_holds_from_the_next_epoch_on(council: Council) -> None:
    ledger = Ledger(council.id)
    council.applied(HEIGHTS)
    council.pass_to(256)
    council.applied(WINDOW)
    assert council.parameter("window_ms_max").value == LIMITS.window_ms_max
    council.pass_to(council.governed().next_epoch - 1)
    council.done(A.registration(council.id))
    assert council.parameter("window_ms_max").value == HOUR_MS
    council.done(ledger.request(create(0, A)))
    council.now = council.now.plus_ms(1)
    assert council.governed().epoch == 2


def test_a_window_beyond_the_limit_in_force_is_refused() -> None:
    council = Council(settings=(Setting(name="window_ms_max", value=HOUR_MS - 1),))
    council.done(A.registration(council.id))
    assert council.refused(Ledger(council.id).request(create(0, A))).code == "notary.window"


def test_what_is_a_nodes_own_affair_is_neither_shown_nor_decided(council: Council) -> None:
    shown = codec.from_plain(council.says("parameters", b"").answer, list[metadata.Parameter])
    names, own = {each.name for each in shown}, set(Limits.__struct_fields__) - set(AgreedLimits.__struct_fields__)
    assert own > {"http_body_bytes_max", "webhooks_count_max", "session_lifetime_ms_max", "jobs_running_count_max"}
    assert own.isdisjoint(names)
    change = council.proposal(SetParameter(name="http_body_bytes_max", value=1024))
    assert council.refused(change).code == "governance.parameter"


def test_the_limits_of_sizes_and_counts_in_force_are_those_judged_by() -> None:
    council = Council(settings=(Setting(name="entries_count_max", value=64), Setting(name="lines_count_max", value=4)))
    council.done(A.registration(council.id))
    assert council.refused(Ledger(council.id).request(*[create(n, A) for n in range(65)])).code == "notary.limit"


def test_the_history_says_who_proposed_and_who_accepted_a_change(council: Council) -> None:
    found = council.decided(WINDOW)
    change = codec.from_plain(council.says("changes", bytes(8)).answer, list[Change])[0]
    assert (change.name, change.before, change.after) == ("window_ms_max", LIMITS.window_ms_max, HOUR_MS)
    assert (change.proposal, change.proposer) == (found.id, A.id)
    assert set(change.accepted) == {A.id, B.id, C.id}
    assert change.effective == 257


def test_what_a_notary_began_with_is_in_its_history() -> None:
    council = Council(settings=(Setting(name="epoch_heights", value=7),))
    change = codec.from_plain(council.says("changes", bytes(8)).answer, list[Change])[0]
    assert (change.name, change.after, change.decided, change.proposal) == ("epoch_heights", 7, 0, council.id)
    assert council.governed().next_epoch == 8


# voters and thresholds ---------------------------------------------------------------------------------------------


def test_voters_come_and_go(council: Council) -> None:
    council.applied(AddVoter(key=STRANGER_ORG.signer.public), RemoveVoter(voter=E.id))
    council.proposed(WINDOW, by=STRANGER_ORG)
    assert council.refused(council.proposal(WINDOW, by=E)).code == "governance.voter"
    assert council.refused(council.proposal(RemoveVoter(voter=E.id))).code == "governance.voter"


def test_somebody_who_can_decide_is_left(council: Council) -> None:
    assert council.refused(council.proposal(*[RemoveVoter(voter=v.id) for v in VOTERS])).code == "governance.last-voter"


def test_there_are_not_too_many_voters() -> None:
    council = Council(settings=(Setting(name="voters_count_max", value=5),))
    assert council.refused(council.proposal(AddVoter(key=STRANGER_ORG.signer.public))).code == "governance.voters"


def test_a_threshold_can_be_changed(council: Council) -> None:
    council.applied(Threshold(kind="parameters", numerator=3, denominator=4))
    name = council.proposed(WINDOW)
    for voter in (B, C):
        council.done(council.ballot(name, voter))
    assert council.found(name).status == "open"
    shown = codec.from_plain(council.says("voters", b"").answer, metadata.Franchise)
    assert {each.kind for each in shown.thresholds} == set(DEFAULTS)
    assert len(shown.voters) == 5


@pytest.mark.parametrize(
    ("kind", "numerator", "denominator"), [("parameters", 49, 100), ("stop", 1, 4), ("stop", 91, 100), ("no", 1, 2)]
)
def test_a_threshold_lets_neither_few_decide_nor_one_stand_in_the_way(
    council: Council, kind: str, numerator: int, denominator: int
) -> None:
    action = Threshold(kind=kind, numerator=numerator, denominator=denominator)
    assert council.refused(council.proposal(action)).code == "governance.threshold"


# stop and resume ---------------------------------------------------------------------------------------------------


def test_a_stopped_notary_takes_governance_and_questions_only(council: Council) -> None:
    request = Ledger(council.id).request(create(0, A))
    for org in (A, E):
        council.done(org.registration(council.id))
    council.applied(Stop(reason="a bug was found"))
    assert council.refused(request).code == "notary.stopped"
    assert council.refused(B.registration(council.id)).code == "notary.stopped"
    council.says("accepted", digest("any"))
    council.done(E.revocation())
    council.applied(Resume())
    council.done(request)


def test_a_few_can_stop_and_more_must_resume(council: Council) -> None:
    name = council.proposed(Stop(reason=""))
    council.done(council.ballot(name, B))
    assert council.governed().stopped == name
    again = council.proposed(Resume())
    council.done(council.ballot(again, B))
    assert council.governed().stopped is not None
    council.done(council.ballot(again, C))
    assert council.governed().stopped is None


def test_a_stop_takes_effect_with_the_next_request_of_its_block(council: Council) -> None:
    name = council.proposed(Stop(reason=""))
    council.done(A.registration(council.id))
    request = Ledger(council.id).request(create(0, A))
    vote = council.ballot(name, B)
    first, second, third = council.block(request, vote, Ledger(council.id).request(create(0, A), create(1, A)))
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert isinstance(third, Refused)
    assert third.code == "notary.stopped"


def test_what_is_stopped_is_not_stopped_again_nor_resumed_when_it_runs(council: Council) -> None:
    assert council.refused(council.proposal(Resume())).code == "governance.stopped"
    council.applied(Stop(reason=""))
    assert council.refused(council.proposal(Stop(reason=""))).code == "governance.stopped"


# upgrades ----------------------------------------------------------------------------------------------------------


def planned(council: Council, after: int = 10) -> int:
    height = council.height + after
    council.applied(Upgrade(name="better", version=2, height=height))
    return height


def test_software_without_the_rules_in_force_does_not_answer(council: Council) -> None:
    height = planned(council)
    council.pass_to(height - 1)
    for _ in range(2):
        with pytest.raises(Refusal) as refusal:
            council.block(Ask(kind="accepted", subject=digest("any")))
        assert refusal.value.code == "governance.version"
        assert refusal.value.values["version"] == 2
    assert council.height == height - 1


def test_software_with_the_new_rules_brings_the_state_over_and_goes_on(council: Council) -> None:
    def migrate(state: Overlay) -> None:
        state.put(META, b"new", b"\x01")

    height = planned(council)
    council.software = Software(versions=(1, 2), migrations={2: migrate})
    council.pass_to(height - 1)
    assert council.get(META, b"new") is None
    council.block()
    assert council.last is not None
    assert council.last.version == 2
    assert council.get(META, b"new") == b"\x01"
    assert (council.governed().version, council.governed().upgrade) == (2, None)
    council.software = Software(versions=(1,))
    with pytest.raises(Refusal, match="version 2"):
        council.block()


def test_an_upgrade_that_was_cancelled_does_not_come(council: Council) -> None:
    height = planned(council, after=20)
    assert council.refused(council.proposal(CancelUpgrade(name="another"))).code == "governance.upgrade"
    council.applied(CancelUpgrade(name="better"))
    council.pass_to(height + 1)
    assert council.governed().version == 1


def test_an_upgrade_leads_to_the_next_version_at_a_later_height_one_at_a_time(council: Council) -> None:
    for version, height in ((1, 100), (3, 100), (2, 1)):
        request = council.proposal(Upgrade(name="x", version=version, height=height))
        assert council.refused(request).code == "governance.upgrade"
    planned(council, after=50)
    assert council.refused(council.proposal(Upgrade(name="x", version=2, height=99))).code == "governance.upgrade"


# packages ----------------------------------------------------------------------------------------------------------

PACKAGE = ApprovePackage(package=digest("a package"), name="trade", version="1", about="Receivables")


def test_packages_are_approved_and_revoked_by_votes(council: Council) -> None:
    from interfirm.notary.governance.types import RevokePackage
    from interfirm.notary.packages.machine import check_approved

    assert council.refused(council.proposal(RevokePackage(package=PACKAGE.package))).code == "package.unknown"
    council.applied(PACKAGE)
    assert council.refused(council.proposal(PACKAGE)).code == "package.approved"
    page = codec.from_plain(council.says("packages", bytes(8)).answer, list[Package])
    assert [(each.name, each.approved > 0, each.revoked) for each in page] == [("trade", True, 0)]
    assert check_approved(PACKAGE.package, council) == page[0]
    council.applied(RevokePackage(package=PACKAGE.package))
    with pytest.raises(Refusal) as refusal:
        check_approved(PACKAGE.package, council)
    assert refusal.value.code == "package.unknown"
    council.applied(PACKAGE)
    assert len(council.says("packages", bytes(8)).answer) == 1
    assert council.says("package", PACKAGE.package).answer is not None
    assert council.says("package", digest("none")).answer is None


# what can be asked, and other beginnings ---------------------------------------------------------------------------


def test_every_parameter_is_shown_with_its_bounds(council: Council) -> None:
    shown = codec.from_plain(council.says("parameters", b"").answer, list[metadata.Parameter])
    assert {*AgreedLimits.__struct_fields__} <= {each.name for each in shown}
    assert all(each.low <= each.value == each.default <= each.high for each in shown)


def test_a_page_begins_at_a_number(council: Council) -> None:
    refused = council.refused(Ask(kind="changes", subject=b""))
    assert refused.code == "notary.question"
    for _ in range(3):
        council.proposed(WINDOW)
    assert len(council.says("proposals", (1).to_bytes(8, "big")).answer) == 2
    assert council.says("proposals", (3).to_bytes(8, "big")).answer == []
    assert council.says("proposal", digest("none")).answer is None


def test_the_registrar_of_a_solo_notary_decides_alone() -> None:
    from interfirm.notary.governance.machine import PROPOSAL, proposal_id
    from interfirm.notary.governance.types import Propose

    notary = Notary()
    expires, nonce = NOW.plus_ms(HOUR_MS), digest("n")
    name = proposal_id(notary.id, (HEIGHTS,), expires, nonce, REGISTRAR.public.identity)
    from interfirm.ledger.signing import sign

    signature = sign(REGISTRAR, REGISTRAR.public.identity, name, purpose=PROPOSAL)
    notary.done(Propose(actions=(HEIGHTS,), expires=expires, nonce=nonce, signature=signature))
    assert notary.says("proposal", name).answer[7] == "applied"
    assert notary.says("validators", b"").answer == []


def test_a_notary_that_was_running_before_it_was_governed_goes_on() -> None:
    notary = Notary().with_orgs()
    for name in [name for name in notary.state if name[0] == GOVERNANCE]:
        del notary.state[name]
    notary.done(Ledger(notary.id).request(create(0, A)))
    assert codec.from_plain(notary.says("governance", b"").answer, metadata.Governed).next_epoch > 256


def test_a_founding_that_contradicts_itself_is_refused() -> None:
    genesis = ClusterGenesis(
        network=NETWORK, registrar=REGISTRAR.public, validators=(Validator(key=KEYS[0], power=1),), label="x",
        constitution=founding(),
    )  # fmt: skip
    with pytest.raises(Refusal) as refusal:
        _ = genesis.founding
    assert refusal.value.code == "cluster.constitution"
    council = Council(settings=(Setting(name="epoch_heights", value=0),), deposits=(Deposit(A.id, 5),))
    with pytest.raises(Refusal) as refusal:
        council.block()
    assert refusal.value.code == "governance.bounds"


def test_thresholds_of_the_founding_hold() -> None:
    council = Council(thresholds=(Threshold(kind="parameters", numerator=4, denominator=5),))
    name = council.proposed(WINDOW)
    for voter in (B, C, D):
        council.done(council.ballot(name, voter))
    assert council.found(name).status == "open"
