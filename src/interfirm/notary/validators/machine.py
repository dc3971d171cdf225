"""The validators of a cluster: who has how many votes, who operates it, and the bond it loses when it signs twice.

A machine that leaves the set keeps its bond locked for some epochs, in which evidence against it is still heard. What
the engine is to know is the difference between two sets; the engine lets it count two heights later.
"""

from __future__ import annotations

from hashlib import sha256

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.values import Hash32, Wire
from interfirm.notary.fees import machine as fees
from interfirm.notary.governance.parameters import Parameters
from interfirm.notary.governance.types import Number, Powers, SetValidator, Units
from interfirm.notary.state import VALIDATORS, Overlay
from interfirm.notary.types import Store

SET = b"set"
ADDRESS_BYTES = 20
POWER_SUM_MAX = 2**60 // 8
"""The most power of all validators together that an engine takes."""


class Member(Wire, frozen=True):
    """A validator, or (power 0) one that has left and whose bond is locked until the epoch `until`.

    `proposal` is what gave it its power last, at the height `since`; the notary's id stands for its genesis.
    """

    key: Hash32
    power: Number
    operator: Hash32
    bond: Units
    proposal: Hash32
    since: Number
    until: Number = 0

    @property
    def address(self) -> bytes:
        """The 20 bytes by which the engine names the validator."""
        return address_of(self.key)


def address_of(key: bytes) -> bytes:
    """The address of an Ed25519 key: the start of its SHA-256 (CometBFT, spec/core)."""
    return sha256(key).digest()[:ADDRESS_BYTES]


class Members(Wire, frozen=True):
    """All of them, in the order of their keys."""

    members: tuple[Member, ...] = ()


def members_of(state: Store) -> tuple[Member, ...]:
    """Validators and those who have left."""
    value = state.get(VALIDATORS, SET)
    return () if value is None else codec.decode(value, Members).members


def powers_of(state: Store) -> Powers:
    """The validators in the order of their keys."""
    return tuple((each.key, each.power) for each in members_of(state) if each.power)


def changes(before: Powers, after: Powers) -> Powers:
    """What an engine that knows one set has to hear to come to the other; power 0 removes."""
    old, new = dict(before), dict(after)
    gone = {key: 0 for key in old if key not in new}
    return tuple(sorted((gone | {key: power for key, power in new.items() if old.get(key) != power}).items()))


def enter(
    action: SetValidator, proposal: bytes, state: Overlay, *, parameters: Parameters, height: int, is_new: bool = True
) -> None:
    """Add a validator, whose operator's account gives the bond, or change its power.

    Nobody gets more than twice the power of the strongest of the others, so that one vote cannot make the set depend
    on a machine that may not run; `is_new` is false for what the cluster begins with. Refusals `validator.power`,
    `.count`, `.operator`, `.key`, `fee.unpaid`.
    """
    members = {each.key: each for each in members_of(state)}
    known = members.get(action.key)
    if is_new:
        _check_power(action, members)
    if known is None:
        bond = parameters["bond_units_min"]
        fees.take(action.operator, bond, state)
    elif known.operator != action.operator:
        raise Refusal("validator.operator", "the machine is another organisation's", operator=known.operator)
    else:
        bond = known.bond
    members[action.key] = Member(
        key=action.key, power=action.power, operator=action.operator, bond=bond, proposal=proposal, since=height
    )  # fmt: skip
    _check_set(members, parameters)
    _put(members, state)


def _check_power(action: SetValidator, members: dict[bytes, Member]) -> None:
    others = [each.power for each in members.values() if each.power and each.key != action.key]
    if not any(each.power for each in members.values()):
        raise Refusal("validator.none", "this notary has no validators")
    if others and action.power > 2 * max(others):
        raise Refusal("validator.power", "more than twice the power of any other validator", power=action.power,
                      power_max=2 * max(others))  # fmt: skip


def _check_set(members: dict[bytes, Member], parameters: Parameters) -> None:
    active = [each for each in members.values() if each.power]
    if len(active) > parameters.limits.validators_count_max:
        raise Refusal("validator.count", "too many validators", count=len(active))
    if sum(each.power for each in active) > POWER_SUM_MAX:
        raise Refusal("validator.power", "the validators have too much power together", power_max=POWER_SUM_MAX)


def leave(key: bytes, state: Overlay, *, until: int) -> Member:
    """Take a validator out of the set; its bond stays locked until an epoch.

    Refusal `validator.unknown`, and `validator.last` for the last one, without which there would be no next block.
    """
    members = {each.key: each for each in members_of(state)}
    known = members.get(key)
    if known is None or not known.power:
        raise Refusal("validator.unknown", "there is no such validator", key=key)
    if sum(1 for each in members.values() if each.power) == 1:
        raise Refusal("validator.last", "a cluster keeps one validator", key=key)
    members[key] = known.replace(power=0, until=until)
    _put(members, state)
    return known


def punish(address: bytes, state: Overlay) -> Member | None:
    """Remove a validator that signed twice, and burn its bond; None for one that is not known, or no longer.

    The last validator stays in the set: without it nobody could replace it.
    """
    members = {each.key: each for each in members_of(state)}
    known = next((each for each in members.values() if each.address == address), None)
    if known is None:
        return None
    fees.burn(known.bond, state)
    if known.power and sum(1 for each in members.values() if each.power) == 1:
        members[known.key] = known.replace(bond=0)
    else:
        del members[known.key]
    _put(members, state)
    return known


def release(epoch: int, state: Overlay) -> None:
    """Give back, as an epoch begins, the bonds of those who left long enough ago."""
    members = members_of(state)
    due = [each for each in members if not each.power and each.until <= epoch]
    for each in due:
        fees.put(each.operator, each.bond, state)
    if due:
        _put({each.key: each for each in members if each not in due}, state)


def _put(members: dict[bytes, Member], state: Overlay) -> None:
    ordered = tuple(members[key] for key in sorted(members))
    state.put(VALIDATORS, SET, codec.encode(Members(members=ordered)))
