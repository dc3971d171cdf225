"""The application at the engine's socket: ABCI 2.0, messages of protobuf with their length before them (uvarint).

The engine opens four connections. On each, requests are answered in their order; the connections take turns. All
answers are made in one thread, so the application sees one request at a time, while another goes on reading: an engine
whose requests are not read keeps a processor busy with trying to send them.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import structlog

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.notary.cometbft.application import Application, Finalized
from interfirm.notary.cometbft.proto import message
from interfirm.notary.cometbft.query import answer_query
from interfirm.notary.cometbft.types import Result, Snapshot
from interfirm.notary.evidence.types import Misconduct
from interfirm.notary.governance.epochs import LACKING
from interfirm.notary.types import Refused

FRAME_BYTES_MAX = 104_857_600
"""The largest message that the engine itself sends or takes."""
READ_AHEAD_BYTES_MAX = 32 * 1024 * 1024
"""How much of a connection's requests may wait for their answers before no more of them are read."""
TURN_BYTES = 64 * 1024
"""How much of a connection's requests is answered in one turn, if it is not a single one."""
VERSION = 1
"""The version of the application's rules; a new one changes answers or roots."""
CODESPACE = "interfirm"
OK, NOT_AN_ENVELOPE = 0, 1
RECHECK = 1
_MISCONDUCT = {1: "duplicate-vote", 2: "light-client-attack"}

Request, Response = message("tendermint.abci.Request"), message("tendermint.abci.Response")
_log = structlog.get_logger(__name__)


class Engine:
    """Answers an engine's requests from an application; `now` is this machine's time.

    `halt` is called where the application lacks the rules in force: the process is to end, and say why.
    """

    def __init__(
        self, application: Application, now: Callable[[], Instant], *, halt: Callable[[Refusal], None] | None = None
    ) -> None:
        self.application = application
        self._now, self._halt = now, halt
        self._handlers: dict[str, Callable[[Any, Any], None]] = {
            "echo": self._echo, "flush": self._flush, "info": self._info, "init_chain": self._init_chain,
            "query": self._query, "check_tx": self._check_tx, "commit": self._commit,
            "list_snapshots": self._list_snapshots, "offer_snapshot": self._offer_snapshot,
            "load_snapshot_chunk": self._load_snapshot_chunk, "apply_snapshot_chunk": self._apply_snapshot_chunk,
            "prepare_proposal": self._prepare_proposal, "process_proposal": self._process_proposal,
            "extend_vote": self._extend_vote, "verify_vote_extension": self._verify_vote_extension,
            "finalize_block": self._finalize_block,
        }  # fmt: skip

    def answer(self, data: bytes) -> Any:
        """The response to one request. An exception is an answer too: the engine stops, and says why."""
        request, response = Request.FromString(data), Response()
        name = request.WhichOneof("value") or ""
        handler = self._handlers.get(name)
        if handler is None:
            response.exception.error = f"cluster.request: this application does not know {name or 'the request'}"
            return response
        try:
            handler(getattr(request, name), response)
        except Exception as error:  # the engine must hear of it, or it would wait for ever
            if isinstance(error, Refusal) and error.code == LACKING and self._halt is not None:
                self._halt(error)
            else:
                _log.exception("cluster.failed", request=name)
            response = Response()
            response.exception.error = f"{name}: {error}"
        return response

    def _echo(self, request: Any, response: Any) -> None:
        response.echo.message = request.message

    def _flush(self, request: Any, response: Any) -> None:
        response.flush.SetInParent()

    def _info(self, request: Any, response: Any) -> None:
        store = self.application.store
        info = response.info
        info.data, info.version, info.app_version = CODESPACE, request.version, VERSION
        info.last_block_height, info.last_block_app_hash = store.height, store.app_hash

    def _init_chain(self, request: Any, response: Any) -> None:
        state = json.loads(request.app_state_bytes)
        validators = [(each.pub_key.ed25519, each.power) for each in request.validators]
        self.application.begin(request.chain_id, bytes.fromhex(state["genesis"]), validators)
        response.init_chain.SetInParent()

    def _check_tx(self, request: Any, response: Any) -> None:
        found = response.check_tx
        found.SetInParent()
        try:
            if request.type == RECHECK:
                self.application.check_again(request.tx)
            else:
                self.application.check(request.tx, self._now())
        except Refusal as refusal:
            found.code, found.codespace, found.log = NOT_AN_ENVELOPE, CODESPACE, json.dumps(refusal.as_plain())

    def _prepare_proposal(self, request: Any, response: Any) -> None:
        found = self.application.propose(request.txs, request.max_tx_bytes, _instant(request.time))
        response.prepare_proposal.txs.extend(found)
        response.prepare_proposal.SetInParent()

    def _process_proposal(self, request: Any, response: Any) -> None:
        found = response.process_proposal
        try:
            self.application.accepts(request.txs, _instant(request.time))
            found.status = found.ACCEPT
        except Refusal as refusal:
            _log.warning("cluster.proposal", height=request.height, **refusal.as_plain())
            found.status = found.REJECT

    def _extend_vote(self, request: Any, response: Any) -> None:
        response.extend_vote.SetInParent()

    def _verify_vote_extension(self, request: Any, response: Any) -> None:
        found = response.verify_vote_extension
        found.status = found.REJECT if request.vote_extension else found.ACCEPT

    def _finalize_block(self, request: Any, response: Any) -> None:
        misconduct = [_misconduct(each) for each in request.misbehavior]
        found = self.application.finalize(request.height, _instant(request.time), request.txs, misconduct)
        write_finalized(found, response.finalize_block)

    def _commit(self, request: Any, response: Any) -> None:
        self.application.commit()
        response.commit.SetInParent()

    def _query(self, request: Any, response: Any) -> None:
        found = response.query
        found.SetInParent()
        try:
            answer = answer_query(self.application, request.path, request.data, request.height)
        except Refusal as refusal:
            found.code, found.codespace, found.log = NOT_AN_ENVELOPE, CODESPACE, json.dumps(refusal.as_plain())
            return
        found.key, found.height = request.data, answer.height
        if answer.value is not None:
            found.value = answer.value
        for operation in answer.operations if request.prove else ():
            found.proof_ops.ops.add(type=operation.type, key=operation.key, data=operation.data)

    def _list_snapshots(self, request: Any, response: Any) -> None:
        found = response.list_snapshots
        found.SetInParent()
        for each in self.application.store.snapshots():
            found.snapshots.add(
                height=each.height, format=each.format, chunks=each.chunks, hash=each.hash, metadata=each.metadata
            )

    def _load_snapshot_chunk(self, request: Any, response: Any) -> None:
        found = response.load_snapshot_chunk
        found.SetInParent()
        try:
            found.chunk = self.application.store.chunk(request.height, request.format, request.chunk)
        except Refusal as refusal:
            _log.warning("cluster.snapshot", **refusal.as_plain())

    def _offer_snapshot(self, request: Any, response: Any) -> None:
        found, offered = response.offer_snapshot, request.snapshot
        snapshot = Snapshot(
            height=offered.height, format=offered.format, chunks=offered.chunks, hash=offered.hash,
            metadata=offered.metadata,
        )  # fmt: skip
        try:
            self.application.store.offer(snapshot, request.app_hash)
            found.result = found.ACCEPT
        except Refusal as refusal:
            _log.warning("cluster.snapshot", **refusal.as_plain())
            found.result = found.REJECT

    def _apply_snapshot_chunk(self, request: Any, response: Any) -> None:
        found = response.apply_snapshot_chunk
        try:
            self.application.store.restore(request.index, request.chunk)
            if self.application.store.height:
                self.application.restored()
            found.result = found.ACCEPT
        except Refusal as refusal:
            _log.warning("cluster.snapshot", sender=request.sender, **refusal.as_plain())
            found.result = found.REJECT_SNAPSHOT
            if refusal.code == "store.chunk":
                found.result = found.RETRY
                found.refetch_chunks.append(request.index)
                found.reject_senders.append(request.sender)


def write_finalized(finalized: Finalized, found: Any) -> None:
    """A judged block as the engine wants it: a result for each transaction, and one event to search by who asked.

    Acceptances are found in the state, by their ids; an event for each would cost the engine more than all else.
    """
    found.app_hash = finalized.app_hash
    for key, power in finalized.validators:
        found.validator_updates.add(power=power).pub_key.ed25519 = key
    if finalized.version:
        found.consensus_param_updates.version.app = finalized.version
    for result in finalized.results:
        _write_result(result, found.tx_results.add())


def _write_result(result: Result, found: Any) -> None:
    found.data = codec.encode(result.outcome)
    if result.refusal is not None:
        found.code, found.codespace, found.log = NOT_AN_ENVELOPE, CODESPACE, json.dumps(result.refusal.as_plain())
        return
    refused = {
        str(place): {"code": answer.code, "reason": answer.message, "values": answer.values}
        for place, answer in enumerate(result.answers) if isinstance(answer, Refused)
    }  # fmt: skip
    if refused:
        found.log = json.dumps(refused)
    if result.by:
        found.events.add(type="asked").attributes.add(key="by", value=result.by.hex(), index=True)


def _misconduct(found: Any) -> Misconduct:
    kind = _MISCONDUCT.get(found.type, "unknown")
    return Misconduct(address=found.validator.address, kind=kind, height=found.height)


def _instant(time: Any) -> Instant:
    return Instant(time.seconds * 1000 + time.nanos // 1_000_000)


class Connection(asyncio.Protocol):
    """One of the engine's connections: frames in, frames out; `worker` has the one thread that makes answers."""

    def __init__(self, engine: Engine, worker: Executor) -> None:
        self._engine, self._worker = engine, worker
        self._buffer = bytearray()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_answering = self._is_paused = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment] # uvloop's is one without being a subclass

    def data_received(self, data: bytes) -> None:
        """Have every whole request answered that has arrived."""
        self._buffer += data
        try:
            frames, used = split_frames(self._buffer)
        except Refusal as refusal:
            _log.warning("cluster.frame", **refusal.as_plain())
            self._close()
            return
        if frames:
            del self._buffer[:used]
            self._waiting += frames
            self._waiting_bytes += used
            self._read_or_not()
            self._take_turn()

    def _read_or_not(self) -> None:
        """Read no more while too much waits, until all of it is answered."""
        too_much = self._waiting_bytes > READ_AHEAD_BYTES_MAX
        if self._transport is not None and too_much != self._is_paused:
            self._is_paused = too_much
            (self._transport.pause_reading if too_much else self._transport.resume_reading)()

    def _take_turn(self) -> None:
        """Hand the next requests over, unless the last ones are still there: so every connection has its turn."""
        if self._is_answering or not self._waiting or self._transport is None:
            return
        turn, size = [self._waiting.popleft()], 0
        while self._waiting and (size := size + len(turn[-1])) < TURN_BYTES:
            turn.append(self._waiting.popleft())
        self._is_answering = True
        made = asyncio.get_running_loop().run_in_executor(self._worker, self._answer, turn)
        made.add_done_callback(self._answered)

    def _answer(self, turn: Sequence[bytes]) -> bytes:
        return b"".join(frame(self._engine.answer(each).SerializeToString()) for each in turn)

    def _answered(self, made: asyncio.Future[bytes]) -> None:
        self._is_answering = False
        if made.exception() is not None:
            _log.error("cluster.failed", exc_info=made.exception())
            self._close()
        elif self._transport is not None:
            self._transport.write(made.result())
            if not self._waiting:
                self._waiting_bytes = 0
                self._read_or_not()
            self._take_turn()

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._transport = None

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None


def split_frames(buffer: bytes | bytearray) -> tuple[list[bytes], int]:
    """The whole messages at the start of a buffer, and how many bytes they take; Refusal `cluster.frame`."""
    found, start, end = list[bytes](), 0, len(buffer)
    while True:
        size, shift, place = 0, 0, start
        while place < end:
            byte = buffer[place]
            place += 1
            size |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 28:
                raise Refusal("cluster.frame", "a length has at most five bytes")
        else:
            return found, start
        if size > FRAME_BYTES_MAX:
            raise Refusal("cluster.frame", "the message is too large", bytes=size, bytes_max=FRAME_BYTES_MAX)
        if place + size > end:
            return found, start
        found.append(bytes(buffer[place : place + size]))
        start = place + size


def frame(data: bytes) -> bytes:
    """A message with its length before it."""
    size, head = len(data), bytearray()
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + data


async def serve(engine: Engine, path: Path, worker: Executor) -> asyncio.AbstractServer:
    """Listen for an engine on a local socket, which only this user may open; `worker` has one thread."""
    path.unlink(missing_ok=True)
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: Connection(engine, worker), str(path))
    path.chmod(0o600)
    return server
