"""What happens before a block's first request: the beginning, upgrades, epochs, the end of proposals (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.notary.fees import machine as fees
from interfirm.notary.governance import constitution, machine
from interfirm.notary.governance.actions import record
from interfirm.notary.governance.head import HEAD, begins_epoch, coming, epoch_at, head_of, parameters_at, put_head
from interfirm.notary.governance.machine import Moment
from interfirm.notary.governance.parameters import BOUNDS, Parameters, check_settings, parameters_of
from interfirm.notary.governance.types import Change, Head
from interfirm.notary.neighbours import machine as neighbours
from interfirm.notary.state import GOVERNANCE, Overlay
from interfirm.notary.types import Origin, Store
from interfirm.notary.validators import machine as validators

Migration = Callable[[Overlay], None]
"""Changes the state from the version before into the form that a version of the rules expects."""


class Software(Value, frozen=True):
    """The versions of the rules that a machine can judge by, and how the state gets to each of them."""

    versions: tuple[int, ...]
    migrations: Mapping[int, Migration] = {}


LACKING = "governance.version"
"""The refusal to judge by rules that this software does not have."""
SOFTWARE = Software(versions=(1,))
"""This software. A version is added here with its migration; the one before stays until all have upgraded."""


def begin_block(state: Overlay, origin: Origin, moment: Moment, software: Software) -> Parameters:
    """Bring the state to where the block's first request finds it; the parameters in force from then on.

    Raises Refusal `governance.version` where this software cannot judge the block: it must not answer, but stop.
    """
    if state.get(GOVERNANCE, HEAD) is None:
        _begin(state, origin, moment)
    _upgrade(state, moment, software)
    if begins_epoch(head_of(state), moment.height):
        _begin_epoch(state, origin, moment)
    head = head_of(state)
    parameters = parameters_of(head.settings)
    state.limits = parameters.limits
    if any(each.expires <= moment.now for each in head.open):
        machine.expire(state, moment)
    return parameters


def parameters_next(state: Store, origin: Origin, height: int) -> Parameters:
    """The parameters by which the block at the next height will be judged, as the state stands before it."""
    if state.get(GOVERNANCE, HEAD) is None:
        return parameters_of({each.name: each.value for each in origin.founding.settings})
    return parameters_at(head_of(state), height)


def check_next(state: Store, height: int, software: Software) -> None:
    """Refuse (`governance.version`) a state whose next height this software cannot judge."""
    head = head_of(state)
    due = head.upgrade is not None and height >= head.upgrade.height
    version, name = (head.upgrade.version, head.upgrade.name) if due and head.upgrade else (head.version, "")
    check_version(version, height, software, name=name)


def _begin(state: Overlay, origin: Origin, moment: Moment) -> None:
    """Write down what the genesis says; the validators' bonds come out of their operators' deposits."""
    founding = origin.founding
    settings = {each.name: each.value for each in founding.settings}
    check_settings(settings)
    head = Head(version=founding.version, epoch_from=moment.height, settings=settings, changes=len(settings))
    put_head(head, state)
    parameters = parameters_of(settings)
    state.limits = parameters.limits
    for number, (name, value) in enumerate(sorted(settings.items())):
        record(
            Change(
                number=number, name=name, before=BOUNDS[name].default, after=value, proposal=moment.notary,
                proposer=moment.notary, accepted=(), decided=0, effective=moment.height,
            ), state,
        )  # fmt: skip
    for key in founding.voters:
        constitution.add_voter(key, state)
    for threshold in founding.thresholds:
        constitution.set_threshold(threshold, state)
    for deposit in founding.deposits:
        fees.credit(deposit.organisation, deposit.units, state)
    for each in founding.validators:
        validators.enter(
            each, moment.notary, state, parameters=parameters, height=moment.height, is_new=False
        )  # fmt: skip
    for neighbour in founding.neighbours:
        neighbours.trust(neighbour, moment.notary, state, notary=moment.notary, height=moment.height)


def _upgrade(state: Overlay, moment: Moment, software: Software) -> None:
    head = head_of(state)
    planned = head.upgrade
    if planned is not None and moment.height >= planned.height:
        check_version(planned.version, moment.height, software, name=planned.name)
        put_head(head.replace(version=planned.version, upgrade=None), state)
        software.migrations.get(planned.version, _as_it_is)(state)
    else:
        check_version(head.version, moment.height, software)


def check_version(version: int, height: int, software: Software, *, name: str = "") -> None:
    """Refuse (`governance.version`) to judge a height by rules that this software does not have."""
    if version not in software.versions:
        raise Refusal(
            "governance.version",
            f"from height {height} the rules of version {version} are in force, which this software does not have;"
            " install it and start again", upgrade=name, version=version, height=height, here=software.versions,
        )  # fmt: skip


def _as_it_is(_: Overlay) -> None:
    """The migration of a version whose state has the form of the one before."""


def _begin_epoch(state: Overlay, origin: Origin, moment: Moment) -> None:
    """Give out the fees of the epoch that ends, let go of bonds, and put changed parameters into force."""
    head = head_of(state)
    epoch = epoch_at(head, moment.height)
    fees.distribute(_shares(state, origin), parameters_of(head.settings)["fee_burned_ppm"], state)
    validators.release(epoch, state)
    if head.pending:
        settings = coming(head)
        put_head(head.replace(settings=settings, pending={}, epoch=epoch, epoch_from=moment.height), state)


def _shares(state: Store, origin: Origin) -> list[tuple[bytes, int]]:
    """Who gets the fees: the operators of the validators by their power, or the keeper of a notary without any."""
    members = [(each.operator, each.power) for each in validators.members_of(state) if each.power]
    return members or [(origin.founding.keeper, 1)]


def expelled(operator: bytes | None, state: Overlay) -> None:
    """An organisation, if any, lost a validator because it signed twice: without another one it votes no longer."""
    if operator is None or any(each.operator == operator and each.power for each in validators.members_of(state)):
        return
    with suppress(Refusal):  # it does not vote, or nobody else is left who could decide
        constitution.remove_voter(operator, state)
