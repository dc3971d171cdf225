"""What a notary's voters decide about, how they say so, and what is kept of it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from interfirm.base.signatures import PublicKey
from interfirm.base.time import Instant
from interfirm.base.values import Hash32, Value, Wire
from interfirm.ledger.types import TransactionSignature
from interfirm.notary.neighbours.types import Neighbour

UNITS_MAX = 2**53
"""The most units that one fee, deposit or credit may be."""
Units = Annotated[int, msgspec.Meta(ge=0, le=UNITS_MAX)]
"""An amount in the network's unit of account, such as cents."""
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Votes = Annotated[int, msgspec.Meta(ge=1, le=2**60 // 8)]
"""A validator's voting power, as far as an engine takes it."""
Powers = tuple[tuple[bytes, int], ...]
"""Keys of validators, and their power."""
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Words = Annotated[str, msgspec.Meta(max_length=256)]


# kinds of decision -------------------------------------------------------------------------------------------------

PARAMETERS, FEE_SCHEDULE, PACKAGE, VALIDATOR_SET, UPGRADE, STOP, RESUME, ACCOUNTS, CONSTITUTION, NOTARIES = (
    "parameters", "fees", "packages", "validators", "upgrade", "stop", "resume", "accounts", "constitution", "notaries",
)  # fmt: skip


class SetParameter(Wire, frozen=True, tag="set-parameter"):
    """Give a parameter another value, from the next epoch on."""

    name: Name
    value: Number


class ApprovePackage(Wire, frozen=True, tag="approve-package"):
    """Approve a package by its id; name, version and words are what people read.

    Contracts of the templates named in `validated` are used in transactions that the notary re-executes, and no other.
    """

    package: Hash32
    name: Name
    version: Name
    about: Words = ""
    validated: Annotated[tuple[Name, ...], msgspec.Meta(max_length=64)] = ()


class RevokePackage(Wire, frozen=True, tag="revoke-package"):
    """Approve a package no longer."""

    package: Hash32


class SetValidator(Wire, frozen=True, tag="set-validator"):
    """Add a validator, by its Ed25519 key and the organisation that operates it, or give it another power."""

    key: Hash32
    power: Votes
    operator: Hash32


class RemoveValidator(Wire, frozen=True, tag="remove-validator"):
    """Take a validator out of the set."""

    key: Hash32


class AddVoter(Wire, frozen=True, tag="add-voter"):
    """Let an organisation vote, by its first key."""

    key: PublicKey


class RemoveVoter(Wire, frozen=True, tag="remove-voter"):
    """Let an organisation vote no longer."""

    voter: Hash32


class Threshold(Wire, frozen=True, tag="set-threshold"):
    """A decision of this kind takes more than `numerator / denominator` of the voters."""

    kind: Name
    numerator: Number
    denominator: Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Upgrade(Wire, frozen=True, tag="upgrade"):
    """From a height on, judge by the rules of another version of the software."""

    name: Name
    version: Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
    height: Number


class CancelUpgrade(Wire, frozen=True, tag="cancel-upgrade"):
    """Stay with the rules in force; the upgrade that was decided does not come."""

    name: Name


class Stop(Wire, frozen=True, tag="stop"):
    """Refuse everything but governance and questions."""

    reason: Words


class Resume(Wire, frozen=True, tag="resume"):
    """End an emergency stop."""


class Credit(Wire, frozen=True, tag="credit"):
    """An organisation paid in so many units."""

    organisation: Hash32
    units: Annotated[int, msgspec.Meta(ge=1, le=UNITS_MAX)]


class PayOut(Wire, frozen=True, tag="pay-out"):
    """So many units are paid out to an organisation."""

    organisation: Hash32
    units: Annotated[int, msgspec.Meta(ge=1, le=UNITS_MAX)]


class TrustNotary(Wire, frozen=True, tag="trust-notary"):
    """Take another notary's word, by this anchor alone: contracts may come from it and go to it."""

    neighbour: Neighbour


class ForgetNotary(Wire, frozen=True, tag="forget-notary"):
    """Take a notary's word no longer; what is locked for it stays locked until it is trusted again."""

    notary: Hash32


Action = (
    SetParameter
    | ApprovePackage
    | RevokePackage
    | SetValidator
    | RemoveValidator
    | AddVoter
    | RemoveVoter
    | Threshold
    | Upgrade
    | CancelUpgrade
    | Stop
    | Resume
    | Credit
    | PayOut
    | TrustNotary
    | ForgetNotary
)


# requests ----------------------------------------------------------------------------------------------------------


class Propose(Wire, frozen=True, tag="propose"):
    """Propose actions, all or none, to be decided before `expires`; the proposer's signature is its first ballot."""

    actions: tuple[Action, ...]
    expires: Instant
    nonce: Hash32
    signature: TransactionSignature


class Vote(Wire, frozen=True, tag="vote"):
    """A voter's ballot on a proposal; a later one has a higher number and takes the place of the one before."""

    proposal: Hash32
    accepts: bool
    number: Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
    signature: TransactionSignature


class Retract(Wire, frozen=True, tag="retract"):
    """The proposer takes a proposal back that is not decided."""

    proposal: Hash32
    signature: TransactionSignature


GovernanceRequest = Propose | Vote | Retract


# what is kept ------------------------------------------------------------------------------------------------------

OPEN, APPLIED, REJECTED, RETRACTED, EXPIRED, FAILED = "open", "applied", "rejected", "retracted", "expired", "failed"


class Ballot(Wire, frozen=True):
    """A ballot, with the key that signed it: it counts as long as that is the voter's."""

    voter: Hash32
    accepts: bool
    number: Number
    key: PublicKey


class Proposal(Wire, frozen=True):
    """A proposal and what became of it; `why` is the code of the refusal that made it fail."""

    id: Hash32
    number: Number
    actions: tuple[Action, ...]
    proposer: Hash32
    expires: Instant
    height: Number
    ballots: tuple[Ballot, ...] = ()
    status: str = OPEN
    ended: Number = 0
    why: str = ""


class Change(Wire, frozen=True):
    """One change of a parameter: who proposed it, who accepted it, when it was decided and since when it holds.

    What a notary began with was changed by its genesis: the proposal is the notary's id, decided at height 0.
    """

    number: Number
    name: str
    before: Number
    after: Number
    proposal: Hash32
    proposer: Hash32
    accepted: tuple[Hash32, ...]
    decided: Number
    effective: Number


class Voter(Wire, frozen=True):
    """An organisation that votes, by its first key; the registry's key for it counts where it is registered."""

    id: Hash32
    key: PublicKey


class Planned(Wire, frozen=True):
    """An upgrade that was decided."""

    name: str
    version: Number
    height: Number
    proposal: Hash32


class Open(Wire, frozen=True):
    """A proposal that is voted on, and its end."""

    id: Hash32
    expires: Instant


class Head(Wire, frozen=True):
    """What every block needs to know of governance, in one value of the state.

    `settings` are the parameters in force that differ from the software's own, `pending` those of the next epoch.
    Epoch `epoch` began at height `epoch_from`; later ones follow from the parameter `epoch_heights`.
    """

    version: Number = 1
    epoch: Number = 0
    epoch_from: Number = 1
    settings: dict[str, Number] = {}
    pending: dict[str, Number] = {}
    stopped: Hash32 | None = None
    upgrade: Planned | None = None
    open: tuple[Open, ...] = ()
    proposals: Number = 0
    changes: Number = 0


# what a notary begins with -----------------------------------------------------------------------------------------


class Deposit(Wire, frozen=True):
    """What an organisation had paid in before the notary began."""

    organisation: Hash32
    units: Units


class Setting(Wire, frozen=True):
    """A parameter's value from the first height on."""

    name: Name
    value: Number


class Constitution(Wire, frozen=True):
    """How a cluster governs itself at first: who votes, by their first keys, and the operators of its validators.

    `operators` follow the order of the genesis' validators.
    """

    voters: tuple[PublicKey, ...]
    operators: tuple[Hash32, ...]
    thresholds: tuple[Threshold, ...] = ()
    deposits: tuple[Deposit, ...] = ()
    settings: tuple[Setting, ...] = ()
    version: Annotated[int, msgspec.Meta(ge=1, lt=2**31)] = 1


class Founding(Value, frozen=True):
    """The same for any notary: voters, validators with their operators, who is paid where there are no validators.

    `chain` is how the engine names the chain in what validators sign; `neighbours` are notaries whose word is taken.
    In a `scenario` the notary's time is none by which other notaries could be judged.
    """

    voters: tuple[PublicKey, ...]
    keeper: bytes
    validators: tuple[SetValidator, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    deposits: tuple[Deposit, ...] = ()
    settings: tuple[Setting, ...] = ()
    version: int = 1
    chain: str = ""
    neighbours: tuple[Neighbour, ...] = ()
    scenario: bool = False
