"""What each action of an accepted proposal does to the state: all of them, or none (pure)."""

from __future__ import annotations

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.notary.fees import machine as fees
from interfirm.notary.governance import constitution
from interfirm.notary.governance.head import coming, epoch_at, head_of, next_epoch_from, parameters_at, put_head
from interfirm.notary.governance.parameters import BOUNDS, check_settings
from interfirm.notary.governance.types import (
    Action,
    AddVoter,
    ApprovePackage,
    CancelUpgrade,
    Change,
    Credit,
    ForgetNotary,
    PayOut,
    Planned,
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
)
from interfirm.notary.neighbours import machine as neighbours
from interfirm.notary.packages import machine as packages
from interfirm.notary.state import GOVERNANCE, Overlay
from interfirm.notary.types import Store
from interfirm.notary.validators import machine as validators

CHANGE = b"change"


class Decision(Value, frozen=True):
    """Where a decision comes from: notary, proposal, who proposed and who accepted it, and the height."""

    notary: bytes
    proposal: bytes
    proposer: bytes
    accepted: tuple[bytes, ...]
    height: int


def apply(actions: tuple[Action, ...], decision: Decision, state: Overlay) -> None:
    """Apply actions in their order; the first that is refused is raised, and whoever asked undoes the others."""
    for action in actions:
        _apply(action, decision, state)


def _apply(action: Action, decision: Decision, state: Overlay) -> None:
    match action:
        case SetParameter():
            _set(action, decision, state)
        case ApprovePackage():
            packages.approve(action, decision.proposal, state, decision.height)
        case RevokePackage():
            packages.revoke(action.package, state, decision.height)
        case SetValidator():
            parameters = parameters_at(head_of(state), decision.height)
            validators.enter(action, decision.proposal, state, parameters=parameters, height=decision.height)
        case RemoveValidator():
            validators.leave(action.key, state, until=bond_until(state, decision.height))
        case AddVoter():
            constitution.add_voter(action.key, state)
        case RemoveVoter():
            constitution.remove_voter(action.voter, state)
        case Threshold():
            constitution.set_threshold(action, state)
        case Upgrade() | CancelUpgrade():
            _upgrade(action, decision, state)
        case Stop() | Resume():
            _stop(action, decision, state)
        case Credit():
            fees.credit(action.organisation, action.units, state)
        case PayOut():
            fees.pay_out(action.organisation, action.units, state)
        case TrustNotary():
            neighbours.trust(action.neighbour, decision.proposal, state, notary=decision.notary, height=decision.height)
        case ForgetNotary():
            neighbours.forget(action.notary, decision.proposal, state, height=decision.height)


def bond_until(state: Store, height: int) -> int:
    """Until which epoch the bond of a validator stays locked that leaves at a height."""
    head = head_of(state)
    return epoch_at(head, height) + parameters_at(head, height)["bond_epochs"]


def _set(action: SetParameter, decision: Decision, state: Overlay) -> None:
    """Put a value down for the next epoch, and into the history."""
    head = head_of(state)
    settings = coming(head) | {action.name: action.value}
    check_settings(settings)
    before = coming(head).get(action.name, BOUNDS[action.name].default)
    record(
        Change(
            number=head.changes, name=action.name, before=before, after=action.value, proposal=decision.proposal,
            proposer=decision.proposer, accepted=decision.accepted, decided=decision.height,
            effective=next_epoch_from(head, decision.height),
        ), state,
    )  # fmt: skip
    pending = head.pending | {action.name: action.value}
    put_head(head.replace(pending=pending, changes=head.changes + 1), state)


def record(change: Change, state: Overlay) -> None:
    """Keep a change for ever."""
    state.put(GOVERNANCE, CHANGE + change.number.to_bytes(8, "big"), codec.encode(change))


def changes_of(first: int, count_max: int, state: Store) -> tuple[Change, ...]:
    """Changes of parameters in their order, from a number on."""
    found = []
    for number in range(first, min(head_of(state).changes, first + count_max)):
        value = state.get(GOVERNANCE, CHANGE + number.to_bytes(8, "big"))
        assert value is not None, "changes are numbered without gaps"
        found.append(codec.decode(value, Change))
    return tuple(found)


def _upgrade(action: Upgrade | CancelUpgrade, decision: Decision, state: Overlay) -> None:
    head = head_of(state)
    planned = head.upgrade
    if isinstance(action, CancelUpgrade):
        if planned is None or planned.name != action.name:
            raise Refusal("governance.upgrade", "no such upgrade was decided", name=action.name)
        put_head(head.replace(upgrade=None), state)
        return
    if planned is not None:
        raise Refusal("governance.upgrade", "another upgrade was decided, and not yet carried out", name=planned.name)
    if action.version != head.version + 1 or action.height <= decision.height:
        raise Refusal("governance.upgrade", "an upgrade leads to the next version at a later height",
                      version=action.version, known=head.version, height=action.height)  # fmt: skip
    found = Planned(name=action.name, version=action.version, height=action.height, proposal=decision.proposal)
    put_head(head.replace(upgrade=found), state)


def _stop(action: Stop | Resume, decision: Decision, state: Overlay) -> None:
    head = head_of(state)
    if isinstance(action, Stop) is (head.stopped is not None):
        raise Refusal("governance.stopped", "the notary is stopped already" if head.stopped else "nothing is stopped")
    put_head(head.replace(stopped=decision.proposal if isinstance(action, Stop) else None), state)
