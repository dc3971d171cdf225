"""The engine's socket: frames cut anywhere, answers in order, each kind of request as the engine means it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.notary.cometbft.abci import FRAME_BYTES_MAX, Connection, Engine, Request, Response, frame, split_frames
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
    """What a connection writes to."""

    def __init__(self) -> None:
        self.written, self.closed = b"", False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True


def test_a_connection_answers_in_order_however_requests_arrive(engine: Engine) -> None:
    wire, connection = Wire(), Connection(engine)
    connection.connection_made(wire)  # type: ignore[arg-type] # it has what is used
    requests = [Request() for _ in range(3)]
    requests[0].echo.message, requests[1].echo.message = "one", "two"
    requests[2].flush.SetInParent()
    stream = b"".join(frame(each.SerializeToString()) for each in requests)
    for place in range(len(stream)):
        connection.data_received(stream[place : place + 1])
    answers = [Response.FromString(each) for each in split_frames(wire.written)[0]]
    assert [each.WhichOneof("value") for each in answers] == ["echo", "echo", "flush"]
    assert [each.echo.message for each in answers[:2]] == ["one", "two"]


def test_a_connection_that_sends_no_frames_is_closed(engine: Engine) -> None:
    wire, connection = Wire(), Connection(engine)
    connection.connection_made(wire)  # type: ignore[arg-type] # as above
    connection.data_received(b"\xff" * 8)
    assert wire.closed


def test_an_engine_with_the_same_genesis_may_begin_and_no_other(engine: Engine) -> None:
    state = json.dumps({"genesis": codec.encode(GENESIS).hex()}).encode()
    request = Request()
    request.init_chain.chain_id, request.init_chain.app_state_bytes = engine.application.chain_id, state
    for validator in GENESIS.validators:
        request.init_chain.validators.add(power=validator.power).pub_key.ed25519 = validator.key
    assert engine.answer(request.SerializeToString()).WhichOneof("value") == "init_chain"
    request.init_chain.validators[0].power += 1
    assert "cluster.genesis" in engine.answer(request.SerializeToString()).exception.error


def test_a_block_gives_results_events_and_the_root_that_info_tells_after_its_commit(engine: Engine) -> None:
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
    assert events == [("asked", ORG.id.hex()), ("accepted", done.id.hex())]
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
