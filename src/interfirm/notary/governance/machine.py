"""Proposals and ballots, in the manner of CCF: each ballot has all of them counted again, and enough of them apply it.

A proposal is named by the hash of what was proposed, so that it exists once, is applied once at most, and stays on
record with what became of it. Nothing a voter signed can be used for another notary, proposal or ballot.
"""

from __future__ import annotations

from collections.abc import Iterable

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.ledger.signing import check_signature
from interfirm.ledger.types import TransactionSignature
from interfirm.notary.governance import actions, constitution
from interfirm.notary.governance.actions import Decision
from interfirm.notary.governance.head import head_of, put_head
from interfirm.notary.governance.types import (
    APPLIED,
    EXPIRED,
    FAILED,
    OPEN,
    REJECTED,
    RETRACTED,
    Action,
    Ballot,
    Open,
    Proposal,
    Propose,
    Retract,
    Vote,
)
from interfirm.notary.state import GOVERNANCE, Overlay
from interfirm.notary.types import Store

PROPOSAL, BALLOT, RETRACTION = "proposal", "ballot", "retraction"
"""The purposes that voters sign for."""
_PROPOSAL, _NUMBER = b"proposal", b"number"


class Moment(Value, frozen=True):
    """At which notary, height and time something is decided."""

    notary: bytes
    height: int
    now: Instant


def proposal_id(notary: bytes, acts: Iterable[Action], expires: Instant, nonce: bytes, proposer: bytes) -> bytes:
    """The id of a proposal, which its proposer signs for the purpose `proposal`."""
    return digest("proposal", notary, codec.plain(tuple(acts)), expires.ms, nonce, proposer)


def ballot_id(notary: bytes, proposal: bytes, accepts: bool, number: int) -> bytes:
    """What a voter signs for the purpose `ballot`."""
    return digest("ballot", notary, proposal, accepts, number)


def retraction_id(notary: bytes, proposal: bytes) -> bytes:
    """What a proposer signs for the purpose `retraction`."""
    return digest("retraction", notary, proposal)


def propose(request: Propose, state: Overlay, moment: Moment) -> bytes:
    """Put actions to the vote, with the proposer's as the first ballot. Again is harmless; returns the proposal's id.

    Refusals: `governance.voter`, `.key`, `.expires`, `.open`, `.actions`, `signature.*`, and of any action as things
    stand.
    """
    proposer = request.signature.identity
    name = proposal_id(moment.notary, request.actions, request.expires, request.nonce, proposer)
    if proposal_of(name, state) is not None:
        return name
    _check_signed(request.signature, name, PROPOSAL, state)
    _check_room(request, state, moment)
    head = head_of(state)
    first = Ballot(voter=proposer, accepts=True, number=0, key=request.signature.key)
    proposal = Proposal(
        id=name, number=head.proposals, actions=request.actions, proposer=proposer, expires=request.expires,
        height=moment.height, ballots=(first,),
    )  # fmt: skip
    _check_actions(proposal, state, moment)
    state.put(GOVERNANCE, _NUMBER + head.proposals.to_bytes(8, "big"), name)
    opened = (*head.open, Open(id=name, expires=request.expires))
    put_head(head.replace(open=opened, proposals=head.proposals + 1), state)
    _count(proposal, state, moment)
    return name


def _check_room(request: Propose, state: Overlay, moment: Moment) -> None:
    limits, count, now = state.limits, len(request.actions), moment.now
    if not 0 < count <= limits.proposal_actions_count_max:
        raise Refusal("governance.actions", "a proposal has some actions, not too many", count=count)
    if not now < request.expires <= now.plus_ms(limits.proposal_life_ms_max):
        raise Refusal("governance.expires", "a proposal ends later than now, and not too late", now=now,
                      expires=request.expires, life_ms_max=limits.proposal_life_ms_max)  # fmt: skip
    if len(head_of(state).open) >= limits.proposals_open_count_max:
        raise Refusal("governance.open", "too many proposals are voted on", count_max=limits.proposals_open_count_max)


def _check_actions(proposal: Proposal, state: Overlay, moment: Moment) -> None:
    """Refuse a proposal that could not be applied as things stand."""
    for action in proposal.actions:
        constitution.kind_of_action(action)
    point = state.point()
    actions.apply(proposal.actions, _decision(proposal, (), moment), state)
    state.back(point)


def vote(request: Vote, state: Overlay, moment: Moment) -> bytes:
    """Take a ballot and count all again. The same ballot again is harmless; returns the ballot's id.

    Refusals: `governance.unknown`, `.closed`, `.expired`, `.ballot`, `.voter`, `.key`, `signature.*`.
    """
    voter = request.signature.identity
    proposal = _needed(request.proposal, state)
    name = ballot_id(moment.notary, request.proposal, request.accepts, request.number)
    known = next((each for each in proposal.ballots if each.voter == voter), None)
    ballot = Ballot(voter=voter, accepts=request.accepts, number=request.number, key=request.signature.key)
    if known == ballot:
        return name
    _check_open(proposal, moment)
    _check_signed(request.signature, name, BALLOT, state)
    if known is not None and request.number <= known.number:
        raise Refusal("governance.ballot", "the voter has cast a later ballot", number=request.number,
                      known=known.number)  # fmt: skip
    others = tuple(each for each in proposal.ballots if each.voter != voter)
    _count(proposal.replace(ballots=(*others, ballot)), state, moment)
    return name


def retract(request: Retract, state: Overlay, moment: Moment) -> bytes:
    """The proposer takes a proposal back. Again is harmless; returns the retraction's id.

    Refusals: `governance.unknown`, `.closed`, `.expired`, `.proposer`, `.voter`, `.key`, `signature.*`.
    """
    proposal = _needed(request.proposal, state)
    name = retraction_id(moment.notary, request.proposal)
    if proposal.status == RETRACTED and request.signature.identity == proposal.proposer:
        return name
    _check_open(proposal, moment)
    if request.signature.identity != proposal.proposer:
        raise Refusal("governance.proposer", "only its proposer takes a proposal back", proposer=proposal.proposer)
    _check_signed(request.signature, name, RETRACTION, state)
    _close(proposal, RETRACTED, state, moment)
    return name


def _check_signed(signature: TransactionSignature, name: bytes, purpose: str, state: Overlay) -> None:
    """Refuse a signature that is not a voter's, by the key it has today."""
    key = constitution.keys_of(state).get(signature.identity)
    if key is None:
        raise Refusal("governance.voter", "who signs does not vote here", identity=signature.identity)
    if key != signature.key:
        raise Refusal("governance.key", "signed with another key than the voter has now", identity=signature.identity)
    check_signature(signature, name, purpose=purpose)


def _check_open(proposal: Proposal, moment: Moment) -> None:
    if proposal.status != OPEN:
        raise Refusal("governance.closed", "the proposal is not voted on any more", status=proposal.status)
    if moment.now >= proposal.expires:
        raise Refusal("governance.expired", "the proposal's time is over", expires=proposal.expires, now=moment.now)


def _count(proposal: Proposal, state: Overlay, moment: Moment) -> None:
    """Count the ballots that count today; apply the proposal, reject it, or go on."""
    keys = constitution.keys_of(state)
    counted = [each for each in proposal.ballots if keys.get(each.voter) == each.key]
    accepted = tuple(sorted(each.voter for each in counted if each.accepts))
    shares = constitution.thresholds_of(state)
    needed = [shares[kind] for kind in sorted({constitution.kind_of_action(each) for each in proposal.actions})]
    possible = len(keys) - (len(counted) - len(accepted))
    if all(constitution.is_reached(len(accepted), len(keys), share) for share in needed):
        _carry_out(proposal, accepted, state, moment)
    elif all(constitution.is_reached(possible, len(keys), share) for share in needed):
        _put(proposal, state)
    else:
        _close(proposal, REJECTED, state, moment)


def _carry_out(proposal: Proposal, accepted: tuple[bytes, ...], state: Overlay, moment: Moment) -> None:
    point = state.point()
    try:
        actions.apply(proposal.actions, _decision(proposal, accepted, moment), state)
    except Refusal as refusal:
        state.back(point)
        _close(proposal, FAILED, state, moment, why=refusal.code)
        return
    _close(proposal, APPLIED, state, moment)


def _decision(proposal: Proposal, accepted: tuple[bytes, ...], moment: Moment) -> Decision:
    return Decision(
        notary=moment.notary, proposal=proposal.id, proposer=proposal.proposer, accepted=accepted, height=moment.height
    )  # fmt: skip


def expire(state: Overlay, moment: Moment) -> None:
    """Close the proposals whose time is over."""
    for each in head_of(state).open:
        if each.expires <= moment.now:
            _close(_needed(each.id, state), EXPIRED, state, moment)


def _close(proposal: Proposal, status: str, state: Overlay, moment: Moment, *, why: str = "") -> None:
    _put(proposal.replace(status=status, ended=moment.height, why=why), state)
    head = head_of(state)
    put_head(head.replace(open=tuple(each for each in head.open if each.id != proposal.id)), state)


def _put(proposal: Proposal, state: Overlay) -> None:
    state.put(GOVERNANCE, _PROPOSAL + proposal.id, codec.encode(proposal))


def _needed(name: bytes, state: Store) -> Proposal:
    found = proposal_of(name, state)
    if found is None:
        raise Refusal("governance.unknown", "there is no such proposal", proposal=name)
    return found


def proposal_of(name: bytes, state: Store) -> Proposal | None:
    """A proposal and what became of it."""
    value = state.get(GOVERNANCE, _PROPOSAL + name)
    return None if value is None else codec.decode(value, Proposal)


def proposals_of(first: int, count_max: int, state: Store) -> tuple[Proposal, ...]:
    """Proposals in their order, from a number on."""
    found = []
    for number in range(first, min(head_of(state).proposals, first + count_max)):
        name = state.get(GOVERNANCE, _NUMBER + number.to_bytes(8, "big"))
        assert name is not None, "proposals are numbered without gaps"
        found.append(_needed(name, state))
    return tuple(found)
