"""Who votes, and how many of them a decision takes (pure)."""

from __future__ import annotations

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.signatures import PublicKey
from interfirm.base.values import Wire
from interfirm.notary.governance.parameters import kind_of
from interfirm.notary.governance.types import (
    ACCOUNTS,
    CONSTITUTION,
    FEE_SCHEDULE,
    NOTARIES,
    PACKAGE,
    PARAMETERS,
    RESUME,
    STOP,
    UPGRADE,
    VALIDATOR_SET,
    Action,
    AddVoter,
    ApprovePackage,
    CancelUpgrade,
    Credit,
    ForgetNotary,
    PayOut,
    RemoveValidator,
    RemoveVoter,
    Resume,
    RevokePackage,
    SetParameter,
    SetValidator,
    Stop,
    Threshold,
    TrustNotary,
    Upgrade,
    Voter,
)
from interfirm.notary.registry.machine import record_of
from interfirm.notary.state import GOVERNANCE, REGISTRY, Overlay
from interfirm.notary.types import Store

VOTERS, THRESHOLDS = b"voters", b"thresholds"
HALF, TWO_THIRDS, ONE_THIRD = (1, 2), (2, 3), (1, 3)
DEFAULTS = {
    PARAMETERS: HALF, FEE_SCHEDULE: HALF, PACKAGE: HALF, RESUME: HALF, STOP: ONE_THIRD, VALIDATOR_SET: TWO_THIRDS,
    UPGRADE: TWO_THIRDS, ACCOUNTS: TWO_THIRDS, CONSTITUTION: TWO_THIRDS, NOTARIES: TWO_THIRDS,
}  # fmt: skip
"""More than this share of the voters decides, by kind; a few may stop a notary, because it is more may resume it."""


class Voters(Wire, frozen=True):
    """Those who vote, in the order of their ids."""

    voters: tuple[Voter, ...] = ()


class Thresholds(Wire, frozen=True):
    """The thresholds that differ from `DEFAULTS`, by kind."""

    thresholds: tuple[Threshold, ...] = ()


def kind_of_action(action: Action) -> str:
    """The kind of decision that an action takes; Refusal `governance.parameter`."""
    match action:
        case SetParameter():
            return kind_of(action.name)
        case ApprovePackage() | RevokePackage():
            return PACKAGE
        case SetValidator() | RemoveValidator():
            return VALIDATOR_SET
        case AddVoter() | RemoveVoter() | Threshold():
            return CONSTITUTION
        case Upgrade() | CancelUpgrade():
            return UPGRADE
        case Stop():
            return STOP
        case Resume():
            return RESUME
        case Credit() | PayOut():
            return ACCOUNTS
        case TrustNotary() | ForgetNotary():
            return NOTARIES


def voters_of(state: Store) -> tuple[Voter, ...]:
    """Those who vote, also those whose identity was revoked."""
    value = state.get(GOVERNANCE, VOTERS)
    return () if value is None else codec.decode(value, Voters).voters


def keys_of(state: Overlay) -> dict[bytes, PublicKey]:
    """The key that each voter signs with today; those whose identity was revoked are no voters.

    A registered organisation signs with the key that the registry shows, however old a copy of another registry's is:
    who governs must not depend on another notary that may be gone.
    """
    found = {}
    for voter in voters_of(state):
        if state.get(REGISTRY, voter.id) is None:
            found[voter.id] = voter.key
        elif not (record := record_of(voter.id, state)).revoked:
            found[voter.id] = record.key
    return found


def is_voter(identity: bytes, state: Store) -> bool:
    """Whether an identity votes here."""
    return any(voter.id == identity for voter in voters_of(state))


def add_voter(key: PublicKey, state: Overlay) -> None:
    """Let an organisation vote; Refusal `governance.voter` where it does, `governance.voters` beyond the limit."""
    voters = voters_of(state)
    if any(voter.id == key.identity for voter in voters):
        raise Refusal("governance.voter", "the organisation votes already", voter=key.identity)
    if len(voters) >= state.limits.voters_count_max:
        raise Refusal("governance.voters", "too many voters", count_max=state.limits.voters_count_max)
    _put_voters((*voters, Voter(id=key.identity, key=key)), state)


def remove_voter(identity: bytes, state: Overlay) -> None:
    """Let an organisation vote no longer; Refusal `governance.voter`, `governance.last-voter`."""
    voters = voters_of(state)
    left = tuple(voter for voter in voters if voter.id != identity)
    if len(left) == len(voters):
        raise Refusal("governance.voter", "the organisation does not vote here", voter=identity)
    if not any(voter.id in keys_of(state) for voter in left):
        raise Refusal("governance.last-voter", "somebody must be able to decide", voter=identity)
    _put_voters(left, state)


def _put_voters(voters: tuple[Voter, ...], state: Overlay) -> None:
    ordered = tuple(sorted(voters, key=lambda voter: voter.id))
    state.put(GOVERNANCE, VOTERS, codec.encode(Voters(voters=ordered)))


def thresholds_of(state: Store) -> dict[str, tuple[int, int]]:
    """The share of voters, by kind of decision, of which more is needed."""
    value = state.get(GOVERNANCE, THRESHOLDS)
    changed = () if value is None else codec.decode(value, Thresholds).thresholds
    return DEFAULTS | {each.kind: (each.numerator, each.denominator) for each in changed}


def set_threshold(action: Threshold, state: Overlay) -> None:
    """Change the share that a kind of decision takes; Refusal `governance.threshold`.

    Never less than a half (a third for a stop), so that two sides cannot both decide; never all, so that one that is
    gone does not hold up the others.
    """
    if action.kind not in DEFAULTS:
        raise Refusal("governance.threshold", "there is no such kind of decision", kind=action.kind)
    low = ONE_THIRD if action.kind == STOP else HALF
    if action.numerator * low[1] < action.denominator * low[0] or action.numerator * 10 > action.denominator * 9:
        raise Refusal("governance.threshold", "a threshold lies between a half (a third for a stop) and nine tenths",
                      kind=action.kind, numerator=action.numerator, denominator=action.denominator)  # fmt: skip
    shares = thresholds_of(state) | {action.kind: (action.numerator, action.denominator)}
    changed = tuple(
        Threshold(kind=kind, numerator=share[0], denominator=share[1])
        for kind, share in sorted(shares.items()) if share != DEFAULTS[kind]
    )  # fmt: skip
    state.put(GOVERNANCE, THRESHOLDS, codec.encode(Thresholds(thresholds=changed)))


def is_reached(votes: int, voters: int, share: tuple[int, int]) -> bool:
    """Whether so many of the voters are more than a share of them."""
    return votes * share[1] > voters * share[0]
