"""Worlds of seven validators, none of which may break a promise of a cluster (tests/support/replicas.py).

`INTERFIRM_CLUSTER_WORLDS` runs more or fewer of them; a seed that fails is all that is needed to see it again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest
from tests.support import replicas
from tests.support.replicas import Validator, World

from interfirm.base.errors import Refusal
from interfirm.notary.cometbft.application import Application, Finalized

WORLDS = int(os.environ.get("INTERFIRM_CLUSTER_WORLDS", "60"))
CHUNK = 5
ROUNDS = 60


def played(seed: int) -> World:
    world = World(seed)
    world.play(ROUNDS)
    world.heal()
    return world


def all_played(seeds: Iterable[int]) -> None:
    """Play these worlds; AssertionError with the seed and the reason of the first in which a promise is broken."""
    for seed in seeds:
        try:
            played(seed).check()
        except AssertionError as error:
            raise AssertionError(f"World({seed}): {error}") from error


@pytest.mark.parametrize("first", range(0, WORLDS, CHUNK))
def test_no_world_breaks_a_promise(first: int) -> None:
    all_played(range(first, min(first + CHUNK, WORLDS)))


def test_the_worlds_are_troubled_and_busy() -> None:
    worlds = [played(seed) for seed in range(6)]
    assert min(len(world.asked) for world in worlds) > ROUNDS // 2
    assert sum(world.kills for world in worlds) > 10
    assert sum(world.rejected for world in worlds) > 10
    assert sum(world.stood for world in worlds) > 5
    codes = {getattr(each.answers[0], "code", "") for world in worlds for each in world.asked}
    assert {"", "notary.consumed", "claim.taken"} <= codes


def test_a_validator_that_forgets_what_it_committed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Validator.kill

    def forget(self: Validator) -> None:
        honest(self)
        self.store.state = {k: v for k, v in self.store.state.items() if k[0] != "refs"}

    monkeypatch.setattr(Validator, "kill", forget)
    with pytest.raises(AssertionError, match=r"another root|disagree|was rejected|lost"):
        all_played(range(4))


def test_an_application_that_looks_at_its_own_clock_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    finalize, count = Application.finalize, iter(range(10**9))

    def skewed(self: Application, height: int, time: replicas.Instant, *more: object) -> Finalized:
        return finalize(self, height, time.plus_ms(next(count) % 2), *more)  # type: ignore[arg-type] # as they come

    monkeypatch.setattr(Application, "finalize", skewed)
    with pytest.raises(AssertionError, match="another root"):
        played(0).check()


def test_an_application_that_lets_an_envelope_in_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    check = replicas.Application.accepts

    def careless(self: Application, block: list[bytes], time: replicas.Instant) -> None:
        if len(set(block)) == len(block):
            check(self, block, time)
        elif not block:
            raise Refusal("never", "there is nothing in it")

    monkeypatch.setattr(Application, "accepts", careless)
    worlds = [played(seed) for seed in range(6)]
    assert any(len(set(block)) < len(block) for world in worlds for _, block in world.chain)
    for world in worlds:
        world.check()  # and it is judged once all the same
