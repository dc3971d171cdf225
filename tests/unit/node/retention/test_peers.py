"""What a firm archives troubles nobody else: books agree, late messages are harmless, histories can still be given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from interfirm.base.errors import Refusal
from interfirm.base.time import DAY_MS
from interfirm.node.flows.comparing import COMPARE, SLACK_MS, CompareArguments, Compared
from interfirm.node.flows.deliver import RecoverArguments
from interfirm.node.flows.types import AskedFlow
from interfirm.node.retention import store
from interfirm.runtime.archives import DailyArchive

from .harness import Keeper, keepers


@pytest.fixture
def firms(tmp_path: Path) -> Iterator[list[Keeper]]:
    with keepers(tmp_path) as (one, other):
        for number in (1, 2):
            other.chooses(one.draft(number), "reject")
        one.draft(3)
        one.lets_go()
        yield [one, other]


def flow(keeper: Keeper, name: str, kind: str, arguments: object) -> tuple[str, object]:
    keeper.firm.ask(AskedFlow(id=name, kind=kind, arguments=msgspec.msgpack.encode(arguments)))
    keeper.world.run(10 * 60_000)
    with keeper.desk.vault.read() as turn:
        record = turn.flow(name)
    assert record is not None
    return record.state, msgspec.msgpack.decode(record.result)


def compared(keeper: Keeper, other: Keeper, name: str, *, until_ms: int | None = None) -> tuple[str, object]:
    return flow(keeper, name, COMPARE, CompareArguments(peer=other.firm.identity, until_ms=until_ms))


def pass_time(keeper: Keeper, ms: int) -> None:
    keeper.world.agenda.after(ms, lambda: None)
    keeper.world.run(ms)


def test_books_still_agree_from_both_sides(firms: list[Keeper]) -> None:
    one, other = firms
    pass_time(one, 2 * SLACK_MS)
    assert one.archived()["result"]["contracts"] == 2
    for mine, theirs in ((one, other), (other, one)):
        state, result = compared(mine, theirs, f"compare-{mine.firm.name}")
        found = msgspec.convert(result, Compared)
        assert (state, found.equal, found.ours, found.theirs) == ("done", True, 1, 1)


def test_books_are_not_compared_at_a_time_at_which_lived_what_is_in_an_archive(firms: list[Keeper]) -> None:
    one, other = firms
    pass_time(one, 2 * SLACK_MS)
    one.archived()
    with one.desk.vault.read() as turn:
        until_ms = store.ended_until_ms(turn) - 1
    state, result = compared(one, other, "ours", until_ms=until_ms)
    assert (state, result["code"]) == ("refused", "books.archived")  # type: ignore[index]
    state, result = compared(other, one, "theirs", until_ms=until_ms)
    assert state == "refused"
    assert "archive" in result["reason"]  # type: ignore[index]


def test_what_is_delivered_again_is_not_recorded_again(firms: list[Keeper]) -> None:
    one, other = firms
    one.archived()
    before = one.transactions(), one.every_ref()
    state, _ = flow(one, "recover", "recover", RecoverArguments(peer=other.firm.identity))
    assert state == "done"
    assert (one.transactions(), one.every_ref()) == before


def test_a_contract_that_is_in_an_archive_cannot_be_shared(firms: list[Keeper]) -> None:
    one, _ = firms
    ref = one.every_ref()[0]
    one.archived()
    with pytest.raises(AssertionError, match=r"vault\.archived"):
        one.does("share", refs=[ref], to="firm1")


def test_a_choice_on_what_is_in_an_archive_is_refused(firms: list[Keeper]) -> None:
    one, _ = firms
    ref = one.every_ref()[0]
    one.archived()
    with pytest.raises(Refusal) as found:
        one.chooses(ref, "reject")
    assert found.value.code == "vault.archived"


def test_both_firms_go_on_after_both_have_archived(firms: list[Keeper]) -> None:
    one, other = firms
    other.lets_go()
    one.archived()
    other.archived()
    accepted = other.chooses(one.every_ref()[0], "accept")
    assert accepted
    assert len(one.every_ref("trade.Bill")) == len(other.every_ref("trade.Bill")) == 1


def test_every_day_what_rules_let_go_is_archived_where_the_firm_says_so(firms: list[Keeper]) -> None:
    one, other = firms
    begun: list[bool] = []
    daily = DailyArchive(one.desk, str(one.archives), begun=lambda: begun.append(True))
    for day in (10, 10.5):
        daily.look(int(day * DAY_MS))
    assert begun == []  # it began in the middle of a day
    daily.look(11 * DAY_MS)
    daily.look(11 * DAY_MS + 1)
    assert begun == [True]
    one.runner.look()
    while one.step():
        pass
    assert len(one.files()) == 1
    nobody = DailyArchive(other.desk, str(other.archives), begun=lambda: begun.append(False))
    for day in (1, 2):
        nobody.look(day * DAY_MS)
    assert begun == [True]  # without rules there is nothing to do


def test_a_day_whose_run_is_refused_is_left_to_the_next(firms: list[Keeper]) -> None:
    one, _ = firms
    begun: list[bool] = []
    daily = DailyArchive(one.desk, "not from the root", begun=lambda: begun.append(True))
    for day in (1, 2, 3):
        daily.look(day * DAY_MS)
    assert begun == []
