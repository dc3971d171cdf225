"""In a scenario a cluster's time goes on by its registrar's word alone; elsewhere nobody sets it."""

from __future__ import annotations

from interfirm.base.hashing import digest
from interfirm.base.time import Instant
from interfirm.notary.cometbft.application import Application
from interfirm.notary.cometbft.envelope import seal_envelope
from interfirm.notary.cometbft.types import ClusterGenesis
from interfirm.notary.machine import notary_id
from interfirm.notary.types import Ask, Done, Refused, Request, Said, SetTime

from .clusters import GENESIS, MINUTE_MS, Cluster, MemoryStore, registrar_envelope
from .notaries import HOUR_MS, NOW, REGISTRAR, A

START = NOW.plus_ms(-400 * 24 * HOUR_MS)
SCENARIO: ClusterGenesis = GENESIS.replace(scenario=START)
ASK = Ask(kind="unspent", subject=bytes(36))


class Play:
    """A cluster of a scenario that began long before its blocks."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.application = Application(SCENARIO, self.store)
        self.count = 0

    def answer(self, request: Request, *, at: Instant) -> Done | Said | Refused:
        """The registrar's request in a block of its own; `at` is what the registrar takes for the time."""
        self.count += 1
        data = seal_envelope(
            (request,), notary=notary_id(SCENARIO), signer=REGISTRAR, identity=REGISTRAR.public.identity,
            expires=at.plus_ms(MINUTE_MS), nonce=digest("nonce", self.count),
        )  # fmt: skip
        self.application.check(data, NOW)
        self.application.accepts([data], NOW)
        (result,) = self.application.finalize(self.store.height + 1, NOW, [data]).results
        self.application.commit()
        assert result.refusal is None, result.refusal
        return result.answers[0]


def test_a_scenario_begins_when_it_says_whatever_the_blocks_say() -> None:
    said = Play().answer(ASK, at=START)
    assert isinstance(said, Said)
    assert said.time == START


def test_its_time_stands_until_the_registrar_moves_it() -> None:
    play = Play()
    later = START.plus_ms(30 * 24 * HOUR_MS)
    play.answer(ASK, at=START)
    assert isinstance(play.answer(SetTime(later), at=START), Done)
    said = play.answer(ASK, at=later)
    assert isinstance(said, Said)
    assert said.time == later


def test_its_time_never_goes_back() -> None:
    play = Play()
    later = START.plus_ms(HOUR_MS)
    play.answer(SetTime(later), at=START)
    play.answer(SetTime(START), at=later)
    said = play.answer(ASK, at=later)
    assert isinstance(said, Said)
    assert said.time == later


def test_nobody_else_sets_a_clock() -> None:
    cluster = Cluster().with_orgs()
    (answer,) = cluster.answers(SetTime(cluster.now.plus_ms(HOUR_MS)), by=A)
    assert isinstance(answer, Refused)
    assert answer.code == "notary.clock"


def test_the_registrar_sets_no_clock_where_there_is_no_scenario() -> None:
    cluster = Cluster().with_orgs()
    (result,) = cluster.block(registrar_envelope(SetTime(cluster.now.plus_ms(HOUR_MS)))).results
    (answer,) = result.answers
    assert isinstance(answer, Refused)
    assert answer.code == "notary.clock"
