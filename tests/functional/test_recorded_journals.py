"""Journals as running nodes have them on their disks, replayed through the flows of today.

If one of these fails, a node with flows under way cannot be brought up to date: either keep the order in which the flow
asks, or raise JOURNAL_VERSION and record again (`make journals`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.support.journals import (
    FORMAT,
    Journal,
    described,
    journals,
    recorded_engine,
    recorded_services,
    recording,
    unpack_vault,
    watched,
)

from interfirm.node.flows.catalogue import FLOWS, OPENED_BY_PEERS
from interfirm.node.flows.machine import FlowEngine
from interfirm.node.flows.types import JOURNAL_VERSION, JOURNAL_VERSIONS, Awaited, Effect, SendMessage, SubmitNotary
from interfirm.node.vault.types import FlowRecord
from interfirm.node.vault.vault import Vault

RECORDED = {journal.kind: journal for journal in journals()}
WAITS = ("receive", "ask notary", "sleep", "ask person")
PLACES = [
    (kind, place)
    for kind, journal in RECORDED.items()
    for place, request in enumerate(journal.requests, start=1)
    if request.startswith(WAITS)
]
"""Where a node may have stopped: how much of a journal there is, and the next request waits."""


class Replay:
    """A firm's node, started with one flow under way."""

    def __init__(self, path: Path, journal: Journal) -> None:
        unpack_vault(journal, path)
        engine = recorded_engine(journal.world)
        self.recorded = journal
        self.vault = Vault.open(path, contracts_engine=engine, durable=False)
        self.asked: list[str] = []
        code = {kind: watched(flow, self._shown, replayed=True) for kind, flow in FLOWS.items()}
        services = recorded_services(recording(journal.world), engine, journal.firm)
        self.engine = FlowEngine(code, services, opened_by_peers=OPENED_BY_PEERS)

    def _shown(self, flow: str, request: Awaited) -> None:
        assert flow == self.recorded.flow
        self.asked.append(described(request))

    def start(self, entries: list[bytes], *, kind: str = "") -> tuple[FlowRecord, list[Effect]]:
        """What becomes of the flow, and what would leave the node, with these entries in its journal."""
        recorded = self.recorded
        record = FlowRecord(
            id=recorded.flow, kind=kind or recorded.kind, arguments=bytes.fromhex(recorded.arguments), state="waiting",
            progress=b"", result=b"", started_ms=recorded.started_ms, changed_ms=recorded.started_ms, parent="",
        )  # fmt: skip
        with self.vault.turn() as turn:
            turn.delete_journal(recorded.flow)
            turn.put_flow(record)
            turn.journal_append([(recorded.flow, n, entry) for n, entry in enumerate(entries)])
        with self.vault.turn() as turn:
            effects = self.engine.start(turn, recorded.ended_ms)
            self.engine.flush(turn)
            found = turn.flow(recorded.flow)
        assert found is not None
        return found, effects

    def close(self) -> None:
        self.engine.forget()
        self.vault.close()


@pytest.fixture
def replay(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Replay]:
    made = Replay(tmp_path / "vault.db", RECORDED[request.param])
    yield made
    made.close()


def every_kind() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("replay", sorted(RECORDED), indirect=True)


def one_kind(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("replay", [kind], indirect=True)


def leaving(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, (SendMessage, SubmitNotary))]


def test_every_stock_flow_is_recorded_in_a_version_that_is_replayed() -> None:
    assert sorted(RECORDED) == sorted(FLOWS)
    assert {j.format for j in RECORDED.values()} == {FORMAT}
    assert {j.journal_version for j in RECORDED.values()} == set(JOURNAL_VERSIONS)
    asked = {request.split()[0] for journal in RECORDED.values() for request in journal.requests}
    assert asked == {"once", "send", "receive", "ask", "sleep"}
    assert any("ask person" in request for request in RECORDED["respond"].requests)


@every_kind()
def test_a_journal_leads_to_the_recorded_end_and_nothing_is_done_again(replay: Replay) -> None:
    record, effects = replay.start(replay.recorded.entries())
    assert record.state == replay.recorded.state, msgspec.msgpack.decode(record.result)
    assert record.result.hex() == replay.recorded.result
    assert replay.asked == replay.recorded.requests
    assert leaving(effects) == []


@pytest.mark.parametrize(("replay", "place"), PLACES, indirect=["replay"], ids=str)
def test_a_flow_that_was_stopped_while_it_waited_waits_again_for_the_same(replay: Replay, place: int) -> None:
    record, effects = replay.start(replay.recorded.entries()[:place])
    assert record.state == "waiting", msgspec.msgpack.decode(record.result)
    assert replay.asked == replay.recorded.requests[:place]
    again = [type(effect) for effect in leaving(effects)]
    assert again == ([SubmitNotary] if replay.asked[-1].startswith("ask notary") else []), "asking a notary is harmless"


@every_kind()
def test_a_journal_of_another_version_is_reported_and_not_replayed(replay: Replay) -> None:
    entries = [msgspec.msgpack.encode(["version", JOURNAL_VERSION + 1]), *replay.recorded.entries()[1:]]
    record, effects = replay.start(entries)
    assert record.state == "failed"
    assert msgspec.msgpack.decode(record.result) == "the journal is of another version"
    assert (replay.asked, leaving(effects)) == ([], [])


@one_kind("exercise")
def test_a_journal_of_a_flow_that_is_not_known_is_reported_and_not_replayed(replay: Replay) -> None:
    record, effects = replay.start(replay.recorded.entries(), kind="flow-of-a-module-that-is-gone")
    assert record.state == "failed"
    assert (replay.asked, leaving(effects)) == ([], [])


@pytest.mark.parametrize("replay", sorted(k for k, j in RECORDED.items() if len(j.journal) > 2), indirect=True)
def test_a_journal_in_another_order_is_reported_and_not_replayed(replay: Replay) -> None:
    entries = replay.recorded.entries()
    names = [msgspec.msgpack.decode(entry)[0] for entry in entries]
    place = next(n for n in range(1, len(names)) if names[n] != names[1])
    entries[1], entries[place] = entries[place], entries[1]
    record, effects = replay.start(entries)
    assert record.state == "failed"
    reason = msgspec.msgpack.decode(record.result)
    assert f"the journal says {names[place]}, the flow's code asks for {names[1]}" in reason
    assert replay.asked == replay.recorded.requests[:1]
    assert leaving(effects) == []


@one_kind("exercise")
def test_a_flow_whose_journal_was_not_replayed_keeps_it(replay: Replay) -> None:
    entries = replay.recorded.entries()
    entries[1], entries[2] = entries[2], entries[1]
    replay.start(entries)
    with replay.vault.read() as turn:
        assert turn.journal(replay.recorded.flow) == entries
