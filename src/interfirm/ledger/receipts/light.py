"""The light client: trust in one header of a chain carried to a later one, by who signed it (pure).

A header is believed when validators of more than two thirds of its height's power signed it, and those validators are
believed: adjacent headers name the next set; over a gap, signers need more than a third of the trusted set's power,
so that one honest validator at least is among them. Source: CometBFT's light client (spec/light-client, v0.38). This
one is stricter in two ways: every vote that is shown must be valid, by libsodium's rule; no key stands in a set twice.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from functools import lru_cache

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.signatures import PublicKey, Scheme, verify
from interfirm.base.values import Value, Wire
from interfirm.ledger.receipts.chain import Header, LightBlock, in_order, validators_hash, vote_bytes
from interfirm.ledger.receipts.types import Trusted, Validator

MS_NS = 1_000_000
NOT_TRUSTED = "receipt.trust"
"""Too few of the trusted validators signed: headers between may lead there."""


class Rules(Value, frozen=True):
    """What a chain's headers are judged by: its id, and how long a header vouches for the next one."""

    chain_id: str
    trusting_period_ms: int


def trusted_genesis(validators: Iterable[Validator], *, time_ns: int = 0) -> Trusted:
    """Trust in what a chain begins with: its first validators."""
    ordered = in_order(tuple(validators))
    return Trusted(
        height=0, hash=b"", time_ns=time_ns, validators=ordered, next_validators=validators_hash(ordered)
    )  # fmt: skip


def trusted_block(block: LightBlock) -> Trusted:
    """A block as one that is believed, without any check but that the validators are its own (`receipt.validators`)."""
    _check_validators(block)
    header = block.header
    return Trusted(
        height=header.height, hash=header.hash, time_ns=header.time_ns, validators=block.validators,
        next_validators=header.next_validators,
    )  # fmt: skip


def verify_next(trusted: Trusted, block: LightBlock, *, rules: Rules) -> Trusted:
    """Trust carried to a later block, adjacent or not; raises as `verify_adjacent` and `verify_skipping`."""
    adjacent = block.header.height == trusted.height + 1
    return (verify_adjacent if adjacent else verify_skipping)(trusted, block, rules=rules)


@lru_cache(maxsize=256)  # receipts of one block share it, and those of one walk its beginning
def verify_adjacent(trusted: Trusted, block: LightBlock, *, rules: Rules) -> Trusted:
    """Trust carried to the next block.

    Raises Refusal `receipt.chain` for another chain, `receipt.order` for another height or a time that is not later,
    `receipt.expired` where the trusted header was too old when this one was made, `receipt.validators` for another
    set, `receipt.commit` and `receipt.power` for a commit of another set or of too few, `signature.invalid`.
    """
    _check_header(trusted, block.header, rules)
    next_height = block.header.height == trusted.height + 1
    check(next_height, "receipt.order", "not the next height", height=block.header.height, trusted=trusted.height)
    check(block.header.validators == trusted.next_validators, "receipt.validators", "not the validators to come",
          expected=trusted.next_validators, found=block.header.validators)  # fmt: skip
    _check_signed(block)
    return trusted_block(block)


@lru_cache(maxsize=256)
def verify_skipping(trusted: Trusted, block: LightBlock, *, rules: Rules) -> Trusted:
    """Trust carried over a gap; raises as `verify_adjacent`, and `receipt.trust` where too few trusted signed."""
    _check_header(trusted, block.header, rules)
    _check_validators(block)
    _check_votes_counted(block)
    signers = {each.key for each in signing(block)}
    own = sum(each.power for each in trusted.validators if each.key in signers)
    total = sum(each.power for each in trusted.validators)
    check(3 * own > total, NOT_TRUSTED, "too few of the trusted validators signed", height=block.header.height,
          power=own, of=total)  # fmt: skip
    _check_signed(block)
    return trusted_block(block)


def check_current(trusted: Trusted, *, now_ms: int, rules: Rules) -> None:
    """Refuse (`receipt.expired`) trust in a header that is too old now, or whose time is not known."""
    ends_ms = trusted.time_ns // MS_NS + rules.trusting_period_ms
    check(
        bool(trusted.time_ns) and now_ms < ends_ms, "receipt.expired",
        "the trusted header is too old to vouch for others; renew the trust anchor", height=trusted.height,
        ended_ms=ends_ms, now_ms=now_ms,
    )  # fmt: skip


def check_not_ahead(header: Header, *, now_ms: int) -> None:
    """Refuse (`receipt.future`) a header whose time lies ahead of the clock by more than the drift allowed."""
    time_ms, drift_ms_max = header.time_ns // MS_NS, LIMITS.clock_drift_ms_max
    check(time_ms < now_ms + drift_ms_max, "receipt.future", "the header is of a time to come", time_ms=time_ms,
          now_ms=now_ms, drift_ms_max=drift_ms_max)  # fmt: skip


def _check_header(trusted: Trusted, header: Header, rules: Rules) -> None:
    check(header.chain_id == rules.chain_id, "receipt.chain", "a header of another chain", expected=rules.chain_id,
          found=header.chain_id)  # fmt: skip
    later = header.height > trusted.height and header.time_ns > trusted.time_ns
    check(later, "receipt.order", "a header that is not later than the trusted one", height=header.height,
          trusted=trusted.height, time_ns=header.time_ns, trusted_ns=trusted.time_ns)  # fmt: skip
    ends_ns = trusted.time_ns + rules.trusting_period_ms * MS_NS
    in_time = not trusted.time_ns or header.time_ns < ends_ns
    check(in_time, "receipt.expired", "the trusted header was too old when this one was made", height=header.height,
          trusted=trusted.height)  # fmt: skip


def _check_validators(block: LightBlock) -> None:
    found = validators_hash(block.validators)
    check(found == block.header.validators, "receipt.validators", "not the validators of this height",
          height=block.header.height, expected=block.header.validators, found=found)  # fmt: skip


def _check_votes_counted(block: LightBlock) -> None:
    votes, validators = len(block.commit.votes), len(block.validators)
    check(votes == validators, "receipt.commit", "the commit is of another set", votes=votes, validators=validators)


def signing(block: LightBlock) -> list[Validator]:
    """The validators whose votes are shown; the votes are not verified here."""
    votes = zip(block.validators, block.commit.votes, strict=True)
    return [validator for validator, vote in votes if vote is not None]


def _check_signed(block: LightBlock) -> None:
    """More than two thirds of the power signed, and every vote is valid."""
    _check_validators(block)
    _check_votes_counted(block)
    power, total = sum(each.power for each in signing(block)), sum(each.power for each in block.validators)
    check(3 * power > 2 * total, "receipt.power", "no more than two thirds of the power signed",
          height=block.header.height, power=power, of=total)  # fmt: skip
    for validator, vote in zip(block.validators, block.commit.votes, strict=True):
        if vote is not None:
            message = vote_bytes(block.header, block.commit, vote.time_ns)
            verify(PublicKey(Scheme.ED25519, validator.key), message, vote.signature)


# finding the way ------------------------------------------------------------------------------------------------------


def walk(trusted: Trusted, height: int, *, rules: Rules) -> Generator[int, LightBlock, tuple[LightBlock, ...]]:
    """The blocks that carry trust to a later height: yields the heights it wants to see, takes their blocks.

    Few are needed: the middle is only asked for where too few of the trusted validators signed, or the gap is too
    long in time. Returns the blocks in ascending order; raises as `verify_next`, and `receipt.order` for a block of
    another height than was asked for.
    """
    done: list[LightBlock] = []
    waiting = [(yield from _asked(height))]
    while waiting:
        block = waiting[-1]
        try:
            trusted = verify_next(trusted, block, rules=rules)
        except Refusal as refusal:
            middle = (trusted.height + block.header.height) // 2
            if refusal.code not in (NOT_TRUSTED, "receipt.expired") or middle == trusted.height:
                raise
            waiting.append((yield from _asked(middle)))
        else:
            done.append(waiting.pop())
    return tuple(done)


def _asked(height: int) -> Generator[int, LightBlock, LightBlock]:
    block = yield height
    check(block.header.height == height, "receipt.order", "not the height that was asked for", expected=height,
          found=block.header.height)  # fmt: skip
    return block


def lightened(trusted: Trusted, block: LightBlock) -> LightBlock:
    """The block with only as many votes as one who trusts this header needs, the first ones in the set's order."""
    keys = {each.key for each in trusted.validators}
    old_total, new_total = (sum(v.power for v in some) for some in (trusted.validators, block.validators))
    old_power = {each.key: each.power for each in trusted.validators}
    old = new = 0
    votes = []
    for validator, vote in zip(block.validators, block.commit.votes, strict=True):
        enough = 3 * new > 2 * new_total
        needed = vote is not None and not (enough and (3 * old > old_total or validator.key not in keys))
        votes.append(vote if needed else None)
        if needed:
            new += validator.power
            old += old_power.get(validator.key, 0)
    return block.replace(commit=block.commit.replace(votes=tuple(votes)))


# two headers of one height --------------------------------------------------------------------------------------------

EQUIVOCATION, LUNATIC, AMNESIA = "equivocation", "lunatic", "amnesia"


class Conflict(Wire, frozen=True, tag="conflict"):
    """Evidence that validators lied: two signed blocks of one height, both believed from the same trusted header."""

    one: LightBlock
    other: LightBlock


class Guilt(Value, frozen=True):
    """What a conflict shows: its kind, and the keys of the validators that it convicts.

    - `equivocation`: both blocks in one round; who voted for both
    - `lunatic`: `other` tells of another state than `one`; who signed `other` of those that were trusted
    - `amnesia`: in different rounds; nobody is convicted by these two alone
    """

    kind: str
    validators: tuple[bytes, ...]


def conflict_of(one: LightBlock, other: LightBlock) -> Conflict | None:
    """The conflict between two blocks of one height, or None where they are the same block."""
    return None if one.header.hash == other.header.hash else Conflict(one, other)


def judge_conflict(conflict: Conflict, trusted: Trusted, *, rules: Rules) -> Guilt:
    """Whom a conflict convicts, where `one` is the block that the chain went on from.

    Raises Refusal `receipt.no-conflict` for what is none, and as `verify_next` where one of the blocks would not have
    been believed.
    """
    one, other = conflict.one.header, conflict.other.header
    differ = one.height == other.height and one.hash != other.hash
    check(differ, "receipt.no-conflict", "these are not two blocks of one height", heights=[one.height, other.height])
    for block in (conflict.one, conflict.other):
        verify_next(trusted, block, rules=rules)
    if _state_of(one) != _state_of(other):
        return Guilt(LUNATIC, _both(trusted.validators, signing(conflict.other)))
    if conflict.one.commit.round != conflict.other.commit.round:
        return Guilt(AMNESIA, ())
    return Guilt(EQUIVOCATION, _both(signing(conflict.one), signing(conflict.other)))


def _state_of(header: Header) -> tuple[bytes, ...]:
    """The fields that follow from the blocks before."""
    return (header.validators, header.next_validators, header.consensus, header.application, header.last_results)


def _both(some: Sequence[Validator], others: Sequence[Validator]) -> tuple[bytes, ...]:
    keys = {each.key for each in others}
    return tuple(each.key for each in some if each.key in keys)
