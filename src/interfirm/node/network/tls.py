"""The transport between machines: asyncio, TLS 1.3 with certificates on both sides, one identity on each end.

A node keeps at most one connection it dialled and one it accepted with each peer; frames leave on the newest. Two,
because both may dial at once, and because a peer that crashed dials again before its old connection is known to be
dead.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS, Limits
from interfirm.base.values import Value
from interfirm.node.identity.checks import verify_trusted
from interfirm.node.identity.types import CertifiedIdentity, Purpose
from interfirm.node.network.connection import Connection
from interfirm.node.network.contexts import PROTOCOL, TlsIdentity, client_context, server_context
from interfirm.node.network.frames import SessionFrame
from interfirm.node.network.port import Listener, Trouble

_ORDINARY = {"network.stopping", "network.replaced", "network.lost"}
_TOLD_SECONDS, _TOLD_COUNT_MAX = 1.0, 1024
_PAUSE_SECONDS = 0.1


class Surroundings(Value):
    """What the transport asks its owner, each time anew."""

    endpoints: Callable[[bytes], Sequence[tuple[str, int]]]
    """Where a peer listens (host, port), best first; may raise a Refusal for an unknown one."""
    now_ms: Callable[[], int]
    """The node's clock, by which certificates are judged."""
    revoked: Callable[[], Collection[int]]
    """Serial numbers of revoked certificates."""


class TlsNetwork:
    """Implements `port.Transport`; a certificate of its own that is not good is refused at once (`certificate.*`)."""

    def __init__(
        self, identity: TlsIdentity, listener: Listener, surroundings: Surroundings, *, limits: Limits = LIMITS
    ) -> None:
        self._trust, self._listener, self._around, self._limits = identity.trust, listener, surroundings, limits
        for purpose in Purpose:
            self.own = self._judged(identity.chain[0], purpose)
        self._server_context, self._client_context = server_context(identity), client_context(identity)
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._unverified: set[asyncio.Task[None]] = set()
        self._dialling: set[bytes] = set()
        self._connections: dict[bytes, list[Connection]] = {}
        self._still: dict[Connection, Callable[[], object]] = {}
        self._hosts: Counter[str] = Counter()
        self._told: dict[tuple[str, str], tuple[float, int]] = {}

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """See `port.Transport`."""
        loop = asyncio.get_running_loop()
        try:
            family, _, _, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
            self._socket = socket.create_server(address[:2], family=family, backlog=128)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Refusal("network.address", "cannot listen here", host=host, port=port, reason=reason) from error
        self._socket.setblocking(False)
        self._spawn(self._accept(self._socket))
        bound = self._socket.getsockname()
        return str(bound[0]), int(bound[1])

    async def stop(self) -> None:
        """See `port.Transport`."""
        if self._socket is not None:
            self._socket.close()
        for task in self._unverified:
            task.cancel()
        for connections in list(self._connections.values()):
            for connection in connections:
                connection.close(Refusal("network.stopping", "the node stops"))
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, peer: bytes, frame: SessionFrame) -> None:
        """See `port.Transport`."""
        if connections := self._connections.get(peer):
            connections[-1].send(frame)

    def connect(self, peer: bytes) -> None:
        """See `port.Transport`."""
        if peer not in self._dialling and not self._connections.get(peer):
            self._dialling.add(peer)
            self._spawn(self._dial(peer))

    def close(self, peer: bytes, code: str, reason: str) -> None:
        """See `port.Transport`."""
        for connection in list(self._connections.get(peer, ())):
            connection.close(Refusal(code, reason))

    def judge_again(self) -> None:
        """Close the connections of peers that are no longer to be trusted now; else that is seen with a heartbeat."""
        for connection, still in list(self._still.items()):
            try:
                still()
            except Refusal as refusal:
                connection.close(refusal)

    def peers(self) -> list[bytes]:
        """The identities there is a verified connection with."""
        return [peer for peer, connections in self._connections.items() if connections]

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:  # too many open files: those that are open come first
                self._tell("network.accept", _shown(error), host="")
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            host, limits = str(address[0]), self._limits
            alone = self._hosts[host] < limits.connections_per_host_count_max
            if alone and self._hosts.total() < limits.connections_count_max:
                self._hosts[host] += 1
                self._spawn(self._serve(accepted, host))
            else:
                accepted.close()
                self._tell("network.crowded", "too many connections", host=host)

    async def _serve(self, accepted: socket.socket, host: str) -> None:
        try:
            async with asyncio.timeout(self._limits.handshake_ms_max / 1000):
                reader, writer = await self._secured(accepted)
            await self._keep(reader, writer, host, expected=None)
        except OSError as error:
            self._tell("network.handshake", _shown(error), host=host)
        finally:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]

    async def _secured(self, accepted: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Streams over a TLS server connection; unlike a listening server, this tells why a handshake failed."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=self._limits.frame_chunk_bytes, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=self._server_context)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _dial(self, peer: bytes) -> None:
        try:
            endpoints = self._around.endpoints(peer)
            check(bool(endpoints), "network.unreachable", "no address of the peer is known")
            for host, port in endpoints:
                if await self._reached(peer, host, port):
                    break
        except Refusal as refusal:
            self._tell(refusal.code, refusal.message, host="", peer=peer)
        finally:
            self._dialling.discard(peer)

    async def _reached(self, peer: bytes, host: str, port: int) -> bool:
        """False when there was no verified connection with `peer` at this address; else True, once it has ended."""
        try:
            async with asyncio.timeout(self._limits.handshake_ms_max / 1000):
                reader, writer = await asyncio.open_connection(
                    host, port, ssl=self._client_context, limit=self._limits.frame_chunk_bytes
                )
        except OSError as error:
            self._tell("network.unreachable", _shown(error), host=f"{host}:{port}", peer=peer)
            return False
        return await self._keep(reader, writer, f"{host}:{port}", expected=peer)

    async def _keep(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, *, expected: bytes | None
    ) -> bool:
        """Verify the other end, then carry its frames until the end; False if it was not verified."""
        connection = Connection(reader, writer, limits=self._limits, dialled=expected is not None)
        try:
            certificate, purpose = _certificate(writer), Purpose.CLIENT if expected is None else Purpose.SERVER
            peer = self._proven(certificate, purpose, expected)
            async with asyncio.timeout(self._limits.handshake_ms_max / 1000):
                await connection.greet(self._trust.network)
        except Refusal as refusal:
            connection.close(refusal)
            self._tell(refusal.code, refusal.message, host=host, peer=expected or b"")
            return False
        except (OSError, EOFError) as error:
            connection.close(Refusal("network.handshake", "no greeting came in time"))
            self._tell("network.handshake", _shown(error), host=host, peer=expected or b"")
            return False
        await self._live(connection, peer, host, lambda: self._judged(certificate, purpose))
        return True

    async def _live(self, connection: Connection, peer: bytes, host: str, still: Callable[[], object]) -> None:
        """The verified part of a connection's life."""
        task = asyncio.current_task()
        assert task is not None
        self._unverified.discard(task)
        self._dialling.discard(peer)
        for older in [c for c in self._connections.get(peer, ()) if c.dialled == connection.dialled]:
            self._connections[peer].remove(older)
            older.close(Refusal("network.replaced", "a newer connection takes the place of this one"))
        self._connections.setdefault(peer, []).append(connection)
        self._still[connection] = still
        self._listener.on_connected(peer)
        why = Refusal("network.fault", "the node cannot go on with this connection")
        try:
            await connection.run(lambda frame: self._listener.on_frame(peer, frame), still)
        except Refusal as refusal:
            why = refusal
            if not {why.code, why.values.get("peer_code")} & _ORDINARY:
                self._tell(why.code, why.message, host=host, peer=peer)
        finally:
            connection.close(why)
            del self._still[connection]
            self._forget(connection, peer)

    def _forget(self, connection: Connection, peer: bytes) -> None:
        connections = self._connections.get(peer, [])
        if connection in connections:
            connections.remove(connection)
            if not connections:
                del self._connections[peer]
                self._listener.on_disconnected(peer)

    def _proven(self, certificate: bytes, purpose: Purpose, expected: bytes | None) -> bytes:
        peer = self._judged(certificate, purpose).identity
        right = peer == expected if expected is not None else peer != self.own.identity
        check(right, "network.wrong-peer", "the certificate is not of the peer that was expected", found=peer)
        return peer

    def _judged(self, certificate: bytes, purpose: Purpose) -> CertifiedIdentity:
        now_ms, revoked = self._around.now_ms(), self._around.revoked()
        return verify_trusted(certificate, self._trust, at_ms=now_ms, purpose=purpose, revoked=revoked)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        self._unverified.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._unverified.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler({"message": "a connection failed", "exception": error})

    def _tell(self, code: str, reason: str, *, host: str, peer: bytes = b"") -> None:
        """Report at most once a second for each host and code, with the count of those that were left out."""
        now = asyncio.get_running_loop().time()
        told_at, times = self._told.get((host, code), (-_TOLD_SECONDS, 0))
        if now - told_at < _TOLD_SECONDS:
            self._told[host, code] = (told_at, times + 1)
            return
        if len(self._told) >= _TOLD_COUNT_MAX:
            self._told.clear()
        self._told[host, code] = (now, 0)
        self._listener.on_trouble(Trouble(code=code, reason=reason, host=host, peer=peer, times=times + 1))


def _certificate(writer: asyncio.StreamWriter) -> bytes:
    """The other end's own certificate; Refusal `network.protocol` if it came here for something else."""
    secured = writer.get_extra_info("ssl_object")
    protocol = secured.selected_alpn_protocol()
    check(protocol == PROTOCOL, "network.protocol", "the other end speaks another protocol", protocol=protocol)
    certificate = secured.getpeercert(binary_form=True)
    assert isinstance(certificate, bytes), "the contexts demand a certificate"
    return certificate


def _shown(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error) or type(error).__name__
