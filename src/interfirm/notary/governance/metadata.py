"""What a notary says of itself: parameters with their bounds and history, proposals, voters, validators (pure).

Each kind of question has a subject, often empty; lists that grow are shown in pages, from the number in the subject's
eight bytes on. Answers are the plain form of the types named here, to be read with `codec.from_plain`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.values import Wire
from interfirm.notary.evidence import machine as evidence
from interfirm.notary.fees import machine as fees
from interfirm.notary.governance import actions, constitution, machine
from interfirm.notary.governance.head import coming, epoch_at, head_of, next_epoch_from
from interfirm.notary.governance.parameters import AT_NOTARY, BOUNDS, kind_of, parameters_of
from interfirm.notary.governance.types import Number, Planned, Threshold, Voter
from interfirm.notary.neighbours import machine as neighbours
from interfirm.notary.packages import machine as packages
from interfirm.notary.state import Overlay
from interfirm.notary.validators import machine as validators


class Parameter(Wire, frozen=True):
    """A parameter: its value, the next epoch's, the software's own, its bounds, and the decision that changes it.

    `judged` says whether the notary judges by it; the others bound what members do, each by its own software.
    """

    name: str
    value: Number
    coming: Number
    default: Number
    low: Number
    high: Number
    kind: str
    judged: bool


class Governed(Wire, frozen=True):
    """How things stand: rules' version, epoch and where the next begins, stop and upgrade, what there is to list."""

    version: Number
    epoch: Number
    next_epoch: Number
    stopped: bytes | None
    upgrade: Planned | None
    proposals: Number
    changes: Number
    packages: Number
    open: tuple[bytes, ...]


class Franchise(Wire, frozen=True):
    """Who votes, and the share of votes of which each kind of decision takes more."""

    voters: tuple[Voter, ...]
    thresholds: tuple[Threshold, ...]


def answer(kind: str, subject: bytes, state: Overlay, height: int) -> Any:
    """The plain answer to a question of one of `KINDS`; Refusal `notary.question` for a subject of another shape.

    - `governance`: `Governed`; `parameters`: a list of `Parameter`; `voters`: `Franchise`
    - `changes`, `proposals`, `packages`, `notaries` from a number on: pages of `Change`, `Proposal`, `Package`, `Kept`
    - `proposal`, `package` and `notary` of an id, or None
    - `validators`: a list of `Member`; `fees`: `Totals`; `account` of an organisation: its units
    - `conviction` of an accusation or a notary: `Conviction` or None
    """
    return codec.plain(KINDS[kind](subject, state, height))


def _governed(subject: bytes, state: Overlay, height: int) -> Governed:
    head = head_of(state)
    return Governed(
        version=head.version, epoch=epoch_at(head, height), next_epoch=next_epoch_from(head, height),
        stopped=head.stopped, upgrade=head.upgrade, proposals=head.proposals, changes=head.changes,
        packages=packages.count_of(state), open=tuple(each.id for each in head.open),
    )  # fmt: skip


def _parameters(subject: bytes, state: Overlay, height: int) -> list[Parameter]:
    head = head_of(state)
    now, later = parameters_of(head.settings), parameters_of(coming(head))
    return [
        Parameter(
            name=name, value=now[name], coming=later[name], default=bounds.default, low=bounds.low, high=bounds.high,
            kind=kind_of(name), judged=name in AT_NOTARY,
        )
        for name, bounds in sorted(BOUNDS.items())
    ]  # fmt: skip


def _franchise(subject: bytes, state: Overlay, height: int) -> Franchise:
    shares = constitution.thresholds_of(state)
    return Franchise(
        voters=constitution.voters_of(state),
        thresholds=tuple(Threshold(kind=kind, numerator=n, denominator=d) for kind, (n, d) in sorted(shares.items())),
    )


def _page(find: Callable[[int, int, Overlay], Any]) -> Callable[[bytes, Overlay, int], Any]:
    def shown(subject: bytes, state: Overlay, height: int) -> Any:
        if len(subject) != 8:
            raise Refusal("notary.question", "a page begins at a number of eight bytes", bytes=len(subject))
        return find(int.from_bytes(subject, "big"), state.limits.page_count_max, state)

    return shown


KINDS: dict[str, Callable[[bytes, Overlay, int], Any]] = {
    "governance": _governed,
    "parameters": _parameters,
    "voters": _franchise,
    "changes": _page(actions.changes_of),
    "proposals": _page(machine.proposals_of),
    "packages": _page(packages.page_of),
    "notaries": _page(neighbours.page_of),
    "proposal": lambda subject, state, _: machine.proposal_of(subject, state),
    "package": lambda subject, state, _: packages.package_of(subject, state),
    "notary": lambda subject, state, _: neighbours.kept_of(subject, state),
    "validators": lambda _, state, __: list(validators.members_of(state)),
    "fees": lambda _, state, __: fees.totals_of(state),
    "account": lambda subject, state, _: fees.account_of(subject, state),
    "conviction": lambda subject, state, _: evidence.conviction_of(subject, state),
}
"""The questions about the notary itself."""
