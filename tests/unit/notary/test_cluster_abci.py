"""The engine's socket: frames cut anywhere, answers in order, each kind of request as the engine means it."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.notary.cometbft import abci
from interfirm.notary.cometbft.abci import (
    FRAME_BYTES_MAX,
    TURN_BYTES,
    Connection,
    Engine,
    Request,
    Response,
    frame,
    split_frames,
)
from interfirm.notary.cometbft.application import Application
from interfirm.notary.cometbft.types import Outcome
from interfirm.notary.types import Ask, Done, Said

from .clusters import GENESIS, NOTARY, MemoryStore, envelope, registrar_envelope
from .notaries import NOW, ORGS, Ledger, create
from .notaries import A as ORG


@pytest.fixture
def engine() -> Engine:
    return Engine(Application(GENESIS, MemoryStore()), lambda: NOW)


def ask(engine: Engine, kind: str, **fields: Any) -> Any:
    """The answer to one request, by way of bytes."""
    request = Request()
    getattr(request, kind).SetInParent()
    for name, value in fields.items():
        part = getattr(request, kind)
        if isinstance(value, list):
            getattr(part, name).extend(value)
        else:
            setattr(part, name, value)
    if kind in ("finalize_block", "prepare_proposal", "process_proposal"):
        part = getattr(request, kind)
        part.time.seconds, part.time.nanos = NOW.ms // 1000, NOW.ms % 1000 * 1_000_000
    response = Response.FromString(engine.answer(request.SerializeToString()).SerializeToString())
    if response.WhichOneof("value") == "exception":
        return response.exception
    assert response.WhichOneof("value") == kind
    return getattr(response, kind)


def registered(engine: Engine) -> Engine:
    registrations = [org.registration(NOTARY) for org in ORGS]
    ask(engine, "finalize_block", height=1, txs=[registrar_envelope(*registrations)])
    ask(engine, "commit")
    return engine


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(min_value=0, max_value=2_000))
def test_frames_are_found_wherever_a_read_ends(messages: list[bytes], cut: int) -> None:
    stream = b"".join(map(frame, messages))
    first, used = split_frames(stream[:cut])
    second, rest = split_frames(stream[:cut][used:] + stream[cut:])
    assert first + second == messages
    assert used + rest == len(stream)


@pytest.mark.parametrize("head", [b"\xff\xff\xff\xff\xff\x01", b"\xff\xff\xff\xff\x0f"])
def test_a_frame_without_end_is_refused(head: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        split_frames(head)
    assert refusal.value.code == "cluster.frame"
    assert FRAME_BYTES_MAX < 2**32


class Wire:
    """What a connection writes to, and whether it reads."""

    def __init__(self) -> None:
        self.written, self.closed, self.paused = b"", False, list[bool]()

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.paused.append(True)

    def resume_reading(self) -> None:
        self.paused.append(False)

    @property
    def answers(self) -> list[Any]:
        return [Response.FromString(each) for each in split_frames(self.written)[0]]


def echoes(*messages: str) -> bytes:
    """The frames of so many requests."""
    requests = [Request() for _ in messages]
    for request, message in zip(requests, messages, strict=True):
        request.echo.message = message
    return b"".join(frame(each.SerializeToString()) for each in requests)


def talk(engine: Engine, *reads: bytes) -> list[Wire]:
    """Connections that each read these bytes, piece after piece, until all is answered."""

    async def talking() -> list[Wire]:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(max_workers=1) as worker:
            wires = [Wire() for _ in range(2)]
            connections = [Connection(engine, worker) for _ in wires]
            for connection, wire in zip(connections, wires, strict=True):
                connection.connection_made(wire)  # type: ignore[arg-type] # it has what is used
            for read in reads:
                for connection in connections:
                    connection.data_received(read)
            while any(each._is_answering for each in connections):
                await loop.run_in_executor(worker, lambda: None)
        return wires

    return asyncio.run(talking())


def test_a_connection_answers_in_order_however_requests_arrive(engine: Engine) -> None:
    request = Request()
    request.flush.SetInParent()
    stream = echoes("one", "two") + frame(request.SerializeToString())
    for wire in talk(engine, *(stream[place : place + 1] for place in range(len(stream)))):
        assert [each.WhichOneof("value") for each in wire.answers] == ["echo", "echo", "flush"]
        assert [each.echo.message for each in wire.answers[:2]] == ["one", "two"]


def test_connections_take_turns(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = list[str]()
    monkeypatch.setattr(Engine, "_echo", lambda _, request, response: heard.append(request.message))
    engine = Engine(engine.application, lambda: NOW)
    size = TURN_BYTES // 2
    messages = [letter * size for letter in "abcdef"]
    talk(engine, echoes(*messages))
    assert [each[0] for each in heard] == list("ababcdcdefef")


def test_no_more_is_read_while_too_much_waits(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abci, "READ_AHEAD_BYTES_MAX", 100)
    first, second = talk(engine, echoes(*["x" * 20] * 10))
    assert first.paused == second.paused == [True, False]
    assert len(first.answers) == len(second.answers) == 10


def test_a_request_that_is_none_closes_its_connection(engine: Engine) -> None:
    assert all(wire.closed for wire in talk(engine, frame(b"\xff\xff")))


def test_a_connection_that_sends_no_frames_is_closed(engine: Engine) -> None:
    assert all(wire.closed for wire in talk(engine, b"\xff" * 8))


def test_an_engine_with_the_same_genesis_may_begin_and_no_other(engine: Engine) -> None:
    state = json.dumps({"genesis": codec.encode(GENESIS).hex()}).encode()
    request = Request()
    request.init_chain.chain_id, request.init_chain.app_state_bytes = engine.application.chain_id, state
    for validator in GENESIS.validators:
        request.init_chain.validators.add(power=validator.power).pub_key.ed25519 = validator.key
    assert engine.answer(request.SerializeToString()).WhichOneof("value") == "init_chain"
    request.init_chain.validators[0].power += 1
    assert "cluster.genesis" in engine.answer(request.SerializeToString()).exception.error


def test_a_block_gives_results_an_event_and_the_root_that_info_tells_after_its_commit(engine: Engine) -> None:
    registered(engine)
    ledger = Ledger(NOTARY)
    transactions = [envelope(ledger.request(create(0, ORG)), Ask(kind="unspent", subject=bytes(36))), b"garbage"]
    found = ask(engine, "finalize_block", height=2, txs=transactions)
    assert ask(engine, "info").last_block_height == 1
    ask(engine, "commit")
    info = ask(engine, "info")
    assert (info.last_block_height, info.last_block_app_hash) == (2, found.app_hash)
    good, bad = found.tx_results
    done, said = codec.decode(good.data, Outcome).answers
    assert isinstance(done, Done)
    assert isinstance(said, Said)
    events = [(e.type, e.attributes[0].value) for e in good.events]
    assert events == [("asked", ORG.id.hex())]
    assert (bad.code, codec.decode(bad.data, Outcome)) == (1, Outcome(refused="codec.malformed"))
    assert json.loads(bad.log)["code"] == "codec.malformed"


def test_checks_and_proposals_follow_the_application(engine: Engine) -> None:
    registered(engine)
    good = envelope(Ask(kind="unspent", subject=bytes(36)))
    assert ask(engine, "check_tx", tx=good).code == 0
    assert ask(engine, "check_tx", tx=good, type=1).code == 0
    assert json.loads(ask(engine, "check_tx", tx=b"garbage").log)["code"] == "codec.malformed"
    assert list(ask(engine, "prepare_proposal", txs=[b"garbage", good], max_tx_bytes=10_000).txs) == [good]
    assert ask(engine, "process_proposal", txs=[good]).status == 1
    assert ask(engine, "process_proposal", txs=[good, good]).status == 2


def test_a_query_gives_a_value_or_says_why_not(engine: Engine) -> None:
    registered(engine)
    found = ask(engine, "query", path="/store/registry/key", data=ORG.id)
    assert (found.code, found.height, found.key) == (0, 1, ORG.id)
    assert found.value
    assert json.loads(ask(engine, "query", path="/nothing", data=b"").log)["code"] == "query.path"
    assert json.loads(ask(engine, "query", path="/ask", data=b"x").log)["code"] == "codec.malformed"


def test_votes_carry_nothing_of_ours(engine: Engine) -> None:
    assert ask(engine, "extend_vote").vote_extension == b""
    assert ask(engine, "verify_vote_extension").status == 1
    assert ask(engine, "verify_vote_extension", vote_extension=b"x").status == 2


def test_an_unknown_request_and_a_fault_are_answered_as_exceptions(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "does not know" in engine.answer(b"").exception.error

    def broken() -> None:
        raise OSError("disk full")

    monkeypatch.setattr(engine.application, "commit", broken)
    assert ask(engine, "commit").error == "commit: disk full"
