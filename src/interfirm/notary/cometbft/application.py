"""A validator's application: the notary machine over an authenticated state, driven by a consensus engine (no socket).

What every validator must agree on (admission of envelopes, answers, root of the state) follows from the last committed
state and the block alone. What is a validator's own (rate limits, what was verified ahead) decides only what it lets in
and proposes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS, AgreedLimits
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.ledger.receipts.types import NotaryAnchor
from interfirm.notary import machine
from interfirm.notary.abroad import Anchors
from interfirm.notary.admission import admit, is_idle
from interfirm.notary.cometbft.beside import beside_of
from interfirm.notary.cometbft.envelope import Opened, check_place, check_requester, open_listening
from interfirm.notary.cometbft.known import Known, KnownOfBlock, Work
from interfirm.notary.cometbft.seen import Seen
from interfirm.notary.cometbft.types import ClusterGenesis, Outcome, Result, StateStore, chain_id
from interfirm.notary.evidence.types import Misconduct
from interfirm.notary.governance import epochs
from interfirm.notary.governance.epochs import SOFTWARE, Software
from interfirm.notary.state import META, Overlay
from interfirm.notary.types import Abroad, Answer, Asked, Block, Judged, Powers, Refused, SetTime
from interfirm.notary.wire import Heard

GENESIS = b"genesis"
"""Where the state keeps what the cluster started from."""
REQUESTERS_KEPT_MAX = 4_096
POINTS = ("begun", "judged", "staged", "committing", "committed")
"""The named steps of a block, between any two of which a validator may be killed."""


class Finalized(Value, frozen=True):
    """What a block led to: a result for each of its transactions, the state's new root, and news for the engine.

    `validators` are keys with their new power, 0 to remove; `version` is that of rules that came into force, or 0.
    """

    results: tuple[Result, ...]
    app_hash: bytes
    validators: Powers = ()
    version: int = 0


class _Staged(Value, frozen=True):
    height: int
    now: Instant
    envelopes: tuple[bytes, ...]
    transactions: tuple[bytes, ...]


def _nothing(_: str) -> None:
    """What happens at a point in ordinary life."""


class Application:
    """The application of one validator. Not to be used by two threads."""

    def __init__(
        self, genesis: ClusterGenesis, store: StateStore, *, abroad: Abroad | None = None,
        at: Callable[[str], None] = _nothing, software: Software = SOFTWARE,
    ) -> None:  # fmt: skip
        """Open a state, empty or the cluster's own; `at` is called at each of `POINTS`.

        Refusal `cluster.genesis`, and `governance.version` where the next block needs rules that `software` lacks.
        """
        self.genesis, self.store, self._software = genesis, store, software
        self.id = machine.notary_id(genesis)
        self.chain_id = chain_id(self.id)
        self._abroad = abroad or Anchors(_anchors(genesis))
        self._at = at
        self.limits: AgreedLimits = LIMITS
        self.known = Known()
        self._used: dict[bytes, int] = {}
        self._staged: _Staged | None = None
        self._open()

    def _open(self) -> None:
        """Read what is kept in memory of the committed state."""
        kept = self.store.get(META, GENESIS)
        if self.store.height and kept != codec.encode(self.genesis):
            raise Refusal("cluster.genesis", "the state belongs to another cluster", height=self.store.height)
        if machine.last_height(Overlay(self.store)) != self.store.height:
            raise Refusal("cluster.height", "state and store disagree about the height", height=self.store.height)
        self._seen = Seen(self.store)
        epochs.check_next(self.store, self.store.height + 1, self._software)
        self._look_ahead()

    def _look_ahead(self) -> None:
        """The limits by which the next block is judged; what was counted in another measure is forgotten."""
        limits = epochs.parameters_next(self.store, self.genesis, self.store.height + 1).limits
        if self._used and limits.requests_per_minute_max != self.limits.requests_per_minute_max:
            self._used.clear()
        self.limits = limits

    @property
    def now(self) -> Instant:
        """The time of the last judged block; 0 before the first."""
        value = self.store.get(META, machine.TIME)
        return Instant(0 if value is None else codec.decode_plain(value))

    def _time(self, block: Instant, asked: Sequence[Asked] = ()) -> Instant:
        """The machine's time in a block of this time; in a scenario, the latest that its registrar set."""
        if self.genesis.scenario is None:
            return max(block, self.now)
        registrar = self.genesis.registrar.identity
        told = [
            each.request.time for each in asked if isinstance(each.request, SetTime) and each.requester == registrar
        ]
        return max(self.now, self.genesis.scenario, *told)

    @property
    def judged_height(self) -> int:
        """The height of the last judged block, which is decided and all but committed."""
        return self.store.height if self._staged is None else self._staged.height

    def begin(self, chain: str, genesis: bytes, validators: Sequence[tuple[bytes, int]]) -> None:
        """The chain begins; Refusal `cluster.genesis` unless the engine starts from the same as this application."""
        if chain != self.chain_id or genesis != codec.encode(self.genesis):
            raise Refusal("cluster.genesis", "the engine starts from another genesis", chain=chain)
        if sorted(validators) != sorted((each.key, each.power) for each in self.genesis.validators):
            raise Refusal("cluster.genesis", "the engine starts with other validators", count=len(validators))

    # what comes in ------------------------------------------------------------------------------------------------

    def check(self, data: bytes, now: Instant) -> None:
        """Let an envelope in, or refuse it: it could be judged in the next block, and all its signatures are valid.

        `now` is this machine's time, for its own rate limits; the envelope is judged by the last block's.
        """
        work = self.known.work(data)
        try:
            last = self._time(now) if self.genesis.scenario else self.now if self.store.height else now
            self._admit(work, self._state(), last)
            self._count(work.opened, now)
            work.check_transactions(self.limits)
        except Refusal:
            self.known.forget(data)
            raise

    def check_again(self, data: bytes) -> None:
        """Whether an envelope that was let in still could be judged; costs a look-up."""
        work = self.known.work(data)
        try:
            self._seen.check(work.opened.id)
            check_place(work.opened, notary=self.id, now=self.now, limits=self.limits)
        except Refusal:
            self.known.forget(data)
            raise

    def _count(self, opened: Opened, now: Instant) -> None:
        requester, per_minute = opened.envelope.signature.identity, self.limits.requests_per_minute_max
        used = self._used.get(requester, 0)
        for _ in opened.asked:
            used = admit(used, now, per_minute=per_minute)
        self._used[requester] = used
        if len(self._used) > REQUESTERS_KEPT_MAX:
            self._used = {
                who: used for who, used in self._used.items() if not is_idle(used, now, per_minute=per_minute)
            }

    def _admit(self, work: Work, state: Overlay, now: Instant) -> None:
        """The rules that all validators agree on, on the state of the last block."""
        check_place(work.opened, notary=self.id, now=now, limits=self.limits)
        self._seen.check(work.opened.id)
        check_requester(work.opened, state, genesis=self.genesis, now=now)
        work.check_signed()

    def _state(self) -> Overlay:
        """The state of the last block, with the limits of the next."""
        return Overlay(self.store, self.limits)

    def listen(self, data: bytes) -> Heard:
        """What a requester, who proves by an envelope that it is who asks, is to be told; Refusal `envelope.*`."""
        opened, listening = open_listening(data)
        check_place(opened, notary=self.id, now=self.now, limits=self.limits)
        check_requester(opened, self._state(), genesis=self.genesis, now=self.now)
        Work(opened).check_signed()
        count_max = self.limits.tells_count_max
        return Heard(tells=self.store.tells(opened.envelope.signature.identity, listening.after, count_max))

    # proposals ----------------------------------------------------------------------------------------------------

    def propose(self, transactions: Sequence[bytes], bytes_max: int, time: Instant) -> list[bytes]:
        """Those of the waiting envelopes, in their order, that make a block every validator accepts."""
        found, size = list[bytes](), 0
        for data, refusal in self._in_block(transactions, time):
            after = size + bytes_in_block(data)
            if refusal is None and after <= bytes_max:
                found.append(data)
                size = after
        return found

    def accepts(self, transactions: Sequence[bytes], time: Instant) -> None:
        """Refuse a proposal that holds anything but envelopes that may be judged now."""
        for _, refusal in self._in_block(transactions, time):
            if refusal is not None:
                raise refusal

    def _in_block(self, transactions: Sequence[bytes], time: Instant) -> Iterator[tuple[bytes, Refusal | None]]:
        for data, found in zip(transactions, self._admitted(transactions, self._time(time)), strict=True):
            yield data, found if isinstance(found, Refusal) else None

    def _admitted(self, transactions: Sequence[bytes], now: Instant) -> Iterator[Work | Refusal]:
        """Each envelope of a block, or why it is none; one that comes twice counts once, and so does a full block."""
        state, names, requests = self._state(), set[bytes](), 0
        count_max = self.limits.block_requests_count_max
        for data in transactions:
            try:
                work = self.known.work(data)
                if work.opened.id in names:
                    raise Refusal("envelope.again", "the envelope is in the block already", envelope=work.opened.id)
                if requests + len(work.opened.asked) > count_max:
                    raise Refusal("envelope.full", "the block has no room", count_max=count_max)
                self._admit(work, state, now)
            except Refusal as refusal:
                yield refusal
                continue
            names.add(work.opened.id)
            requests += len(work.opened.asked)
            yield work

    # blocks -------------------------------------------------------------------------------------------------------

    def finalize(
        self, height: int, time: Instant, transactions: Sequence[bytes], misconduct: Sequence[Misconduct] = ()
    ) -> Finalized:
        """Judge a decided block and stage the state after it; nothing is durable before `commit`.

        Every transaction gets a result, also one that no validator should have let in. `misconduct` is what the engine
        has proved of validators. Raises Refusal `governance.version` where this software lacks the rules in force.
        """
        self._at("begun")
        if self._staged is not None:  # the engine was started again before it committed
            self.store.discard()
            self._staged = None
        found = list(self._admitted(transactions, self._time(time)))
        works = [each for each in found if isinstance(each, Work)]
        asked = tuple(each for work in works for each in work.opened.asked)
        block = Block(height=height, time=self._time(time, asked), requests=asked, misconduct=tuple(misconduct))
        judged = self._judge(block, works)
        self._at("judged")
        envelopes = tuple(work.opened.id for work in works)
        changes = judged.changes | self._seen.changes(height, judged.time, envelopes)
        if height == 1:
            changes[META, GENESIS] = codec.encode(self.genesis)
        app_hash = self.store.apply(height, changes)
        self.store.keep(beside_of(height, asked, judged))
        self._staged = _Staged(
            height=height, now=judged.time, envelopes=envelopes, transactions=tuple(transactions)
        )  # fmt: skip
        self._at("staged")
        answers = iter(judged.answers)
        results = tuple(_result(each, answers) for each in found)
        return Finalized(
            results=results, app_hash=app_hash, validators=judged.validators, version=judged.version
        )  # fmt: skip

    def _judge(self, block: Block, works: Sequence[Work]) -> Judged:
        known = KnownOfBlock(works, self.limits)
        return machine.judge(
            self.store, block, genesis=self.genesis, abroad=self._abroad, check=known.check, identify=known.identify,
            software=self._software,
        )  # fmt: skip

    def commit(self) -> None:
        """Make the block durable that was judged last."""
        staged = self._staged
        assert staged is not None, "a block is judged before it is committed"
        self._at("committing")
        self.store.commit()
        self._staged = None
        self._seen.advance(staged.height, staged.now, staged.envelopes)
        for data in staged.transactions:
            self.known.forget(data)
        self._look_ahead()
        self._at("committed")

    def restored(self) -> None:
        """The store took over another validator's state."""
        self._open()


def bytes_in_block(data: bytes) -> int:
    """What a transaction adds to a block: its bytes, their length as a varint, and a tag."""
    return 1 + max(1, -(-len(data).bit_length() // 7)) + len(data)


def _result(found: Work | Refusal, answers: Iterator[Answer]) -> Result:
    if isinstance(found, Refusal):
        return Result(outcome=Outcome(refused=found.code), answers=(), refusal=found)
    own = tuple(next(answers) for _ in found.opened.asked)
    requester = found.opened.envelope.signature.identity
    return Result(outcome=Outcome(answers=tuple(map(_committed, own))), answers=own, by=requester)


def _committed(answer: Answer) -> Answer:
    """What the chain commits to of an answer."""
    return answer.replace(message="", values={}) if isinstance(answer, Refused) else answer


def _anchors(genesis: ClusterGenesis) -> list[NotaryAnchor]:
    return [NotaryAnchor(notary=n.notary, network=n.network, key=n.key) for n in genesis.neighbours]
