"""Seven validators in one process, from a seed: the production application, with an engine's part played by chance.

What an engine promises is kept: one block a height, decided by more than two thirds, shown again to who missed it.
What it does not promise is left to the seed: who is up, who hears of an envelope, whose clock is wrong, where in a
block a validator is killed, and what the last validator proposes, which is not honest.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median_low
from typing import Any

from tests.unit.notary.clusters import GENESIS, NOTARY, MemoryStore, envelope, registrar_envelope
from tests.unit.notary.notaries import NOW, ORGS, A, B, Ledger, Org, claim, create, exercise

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.time import Instant, Window
from interfirm.contracts.types import ContractRef
from interfirm.ledger.types import CreateEntry
from interfirm.notary.cometbft.application import POINTS, Application, Finalized
from interfirm.notary.types import Answer, Done, Notarise

VALIDATORS, NEEDED = 7, 5
ROUND_MS, SKEW_MS_MAX = 900, 45_000
DAY_MS = 86_400_000
KEYS = 4
BLOCK_BYTES_MAX = 4_000_000


class Killed(BaseException):
    """A validator's process ends here."""


class Validator:
    """One validator: its state on disk, and a process that comes and goes."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.number, self.chance = number, chance
        self.store = MemoryStore()
        self.skew_ms = chance.randint(-SKEW_MS_MAX, SKEW_MS_MAX) if number in (1, 2) else chance.randint(-50, 50)
        self.dies_at: str | None = None
        self.waiting: dict[bytes, None] = {}
        self.application: Application | None = self._begun()

    def _begun(self) -> Application:
        return Application(GENESIS, self.store, at=self._at)

    def _at(self, point: str) -> None:
        if point == self.dies_at:
            raise Killed

    @property
    def up(self) -> bool:
        return self.application is not None

    def kill(self) -> None:
        """Nothing is left but what was committed."""
        self.application, self.dies_at, self.waiting = None, None, {}
        self.store.discard()

    def start(self) -> None:
        if self.application is None:
            self.application = self._begun()

    def clock(self, now: Instant) -> Instant:
        """What this machine takes for the time."""
        return now.plus_ms(self.skew_ms)

    def hear(self, data: bytes, now: Instant) -> str:
        """Somebody hands an envelope over; the code of the refusal, if it is refused."""
        if self.application is None:
            return "down"
        try:
            self.application.check(data, self.clock(now))
        except Refusal as refusal:
            return refusal.code
        self.waiting[data] = None
        return ""

    def propose(self, time: Instant) -> list[bytes]:
        assert self.application is not None
        return self.application.propose(list(self.waiting), BLOCK_BYTES_MAX, time)

    def accepts(self, block: Sequence[bytes], time: Instant) -> bool:
        assert self.application is not None
        try:
            self.application.accepts(block, time)
        except Refusal:
            return False
        return True

    def judge(self, height: int, time: Instant, block: Sequence[bytes]) -> Finalized | None:
        """Judge and commit a decided block; nothing where it was killed on the way."""
        assert self.application is not None
        try:
            found = self.application.finalize(height, time, block)
            self.application.commit()
        except Killed:
            self.kill()
            return None
        for data in list(self.waiting):
            try:
                self.application.check_again(data)
            except Refusal:
                del self.waiting[data]
        return found


@dataclass
class Asked:
    """A request that a firm wants an answer to, in an envelope that may have to be renewed."""

    request: Notarise
    by: Org
    data: bytes = b""
    expires: Instant = NOW
    answers: list[Answer] = field(default_factory=list)


class World:
    """A cluster and its clients; `play` runs it, `heal` lets everybody come back, `check` says what must be true."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = NOW
        self.validators = [Validator(number, self.random) for number in range(VALIDATORS)]
        self.chain: list[tuple[Instant, tuple[bytes, ...]]] = []
        self.told: list[tuple[bytes, tuple[Any, ...]]] = []
        self.cut: set[int] = set()
        self.ledger = Ledger(NOTARY)
        self.asked: list[Asked] = []
        self.refs: list[ContractRef] = []
        self.rounds = self.rejected = self.stood = self.kills = 0
        self._by_data: dict[bytes, Asked] = {}
        self._nonces = 0
        self._decide([registrar_envelope(*(org.registration(NOTARY) for org in ORGS), nonce=digest("first"))], NOW)

    # what happens -----------------------------------------------------------------------------------------------------

    def play(self, rounds: int) -> None:
        for _ in range(rounds):
            self._trouble()
            self._ask()
            self._round()

    def heal(self) -> None:
        """Everybody is up and reachable, and every request that is still open is asked until it is answered."""
        self.cut.clear()
        for each in self.validators:
            each.start()
            each.dies_at = None
        for _ in range(80):
            self._catch_up()
            if not self._open():
                return
            for each in self._open():
                self._hand_over(each)
            self._round()

    def _trouble(self) -> None:
        """Two validators at the most are down or cut off, but for a while that takes a third."""
        pick = self.random.random()
        bad = {each.number for each in self.validators if not each.up} | self.cut
        most = 3 if pick < 0.08 else 2
        if pick < 0.2 and len(bad) < most:
            victim = self.random.choice([each for each in self.validators if each.number not in bad])
            if self.random.random() < 0.6:
                victim.dies_at = self.random.choice(POINTS)
            else:
                self.cut.add(victim.number)
        elif pick > 0.85 and bad:
            back = self.random.choice(sorted(bad))
            self.cut.discard(back)
            self.validators[back].start()
            self._catch_up()

    def _ask(self) -> None:
        for _ in range(self.random.randint(0, 3)):
            by = self.random.choice((A, B))
            self.asked.append(Asked(request=self._request(), by=by))
        for each in self._open():
            if self.random.random() < 0.8:
                self._hand_over(each)
        if self.random.random() < 0.3:
            self._reached(self.random.randbytes(self.random.randint(0, 300)))

    def _request(self) -> Notarise:
        at = Window(lower=None, upper=self.now.plus_ms(DAY_MS))
        if self.refs and self.random.random() < 0.6:
            return self.ledger.request(exercise(0, self.random.choice(self.refs[-6:]), A, B), at=at)
        claims = [claim(A, str(self.random.randrange(KEYS)))] if self.random.random() < 0.3 else []
        return self.ledger.request(create(0, A, B, claims=claims), at=at)

    def _open(self) -> list[Asked]:
        return [each for each in self.asked if not each.answers]

    def _hand_over(self, asked: Asked) -> None:
        """As a client does: the same bytes again while they are good, a new envelope afterwards."""
        if asked.expires <= self.now.plus_ms(SKEW_MS_MAX):
            self._nonces += 1
            asked.data = envelope(asked.request, by=asked.by, now=self.now, nonce=digest("nonce", self._nonces))
            asked.expires = self.now.plus_ms(60_000)
            self._by_data[asked.data] = asked
        self._reached(asked.data)

    def _reached(self, data: bytes) -> None:
        """An envelope goes to one validator, and from there to those whom gossip reaches."""
        first = self.random.choice(self.validators)
        if first.number in self.cut or first.hear(data, self.now):
            return
        for each in self.validators:
            if each is not first and each.number not in self.cut and self.random.random() < 0.8:
                each.hear(data, self.now)

    # an engine's part -------------------------------------------------------------------------------------------------

    def _here(self) -> list[Validator]:
        """Those who take part in the next height."""
        return [v for v in self.validators if v.up and v.number not in self.cut and v.store.height == len(self.chain)]

    def _round(self) -> None:
        self.rounds += 1
        self.now = self.now.plus_ms(ROUND_MS)
        here = self._here()
        if len(here) < NEEDED:
            self.stood += 1
            return
        proposer = self.validators[self.rounds % VALIDATORS]
        if proposer not in here:
            return
        time = Instant(max(median_low([v.clock(self.now).ms for v in here]), self.chain[-1][0].ms + 1))
        block = proposer.propose(time)
        if proposer.number == VALIDATORS - 1:
            block = self._dishonest(block)
        votes = [each.accepts(block, time) for each in here[:-1]]
        assert len(set(votes)) == 1, "validators at one height disagree about a proposal"
        if not votes[0]:
            self.rejected += 1
            assert proposer.number == VALIDATORS - 1, "what an honest validator proposes was rejected"
            return
        self._decide(block, time)

    def _dishonest(self, block: list[bytes]) -> list[bytes]:
        """What the last validator proposes: nothing, something twice, what was judged before, or garbage."""
        before = [data for _, block in self.chain for data in block]
        again = self.random.choice(before)
        return self.random.choice([[], [*block, *block], [*block, again], [b"garbage", *block], block])

    def _decide(self, block: Sequence[bytes], time: Instant) -> None:
        here = self._here()
        self.chain.append((time, tuple(block)))
        for each in here:
            self._judged(each)

    def _judged(self, validator: Validator) -> None:
        """A validator judges the block after its last one; all who do must say the same of it."""
        height = validator.store.height + 1
        time, block = self.chain[height - 1]
        found = validator.judge(height, time, block)
        if found is None:
            self.kills += 1
            return
        said = (found.app_hash, tuple(result.outcome for result in found.results))
        if len(self.told) < height:
            self.told.append(said)
            self._learn(block, found)
        assert self.told[height - 1] == said, f"another root or outcome at height {height}"
        assert validator.store.app_hash == found.app_hash

    def _catch_up(self) -> None:
        for each in self.validators:
            while each.up and each.number not in self.cut and each.store.height < len(self.chain):
                self._judged(each)

    def _learn(self, block: Sequence[bytes], found: Finalized) -> None:
        for data, result in zip(block, found.results, strict=True):
            asked = self._by_data.get(data)
            if asked is None or result.refusal is not None:
                continue
            asked.answers.extend(result.answers)
            (answer,) = result.answers
            if isinstance(answer, Done) and isinstance(asked.request.entries[0], CreateEntry):
                self.refs.append(ContractRef(answer.id, 0))

    # what must be true ------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Everybody has every block and is answered; what was accepted stays; nothing was consumed or claimed twice."""
        assert {v.store.height for v in self.validators} == {len(self.chain)}
        assert len({v.store.app_hash for v in self.validators}) == 1
        assert not self._open(), "somebody was never answered"
        consumed, claimed = list[ContractRef](), list[bytes]()
        for each in self.asked:
            answer = each.answers[0]
            if isinstance(answer, Done):
                assert all(v.store.get("accepted", answer.id) for v in self.validators), "an acceptance was lost"
                for entry in each.request.entries:
                    if isinstance(entry, CreateEntry):
                        claimed.extend(entry.claims)
                    else:
                        consumed.append(entry.ref)
        assert len(consumed) == len(set(consumed)), "a ref was consumed twice"
        assert len(claimed) == len(set(claimed)), "a claim was taken twice"
