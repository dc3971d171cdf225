"""The control socket's client, for the command line and tests; blocking, one request at a time."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.node.control.frames import LENGTH_BYTES, body_length, pack, refusal_of, unpack


class ControlClient:
    """Talks to the node behind a socket path."""

    def __init__(self, path: Path, *, timeout_s: float = 90.0) -> None:
        self._path = path
        self._timeout_s = timeout_s

    def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The answer to one operation; raises the node's refusal, or `node.not-running`."""
        last: dict[str, Any] = {}
        for item in self.stream(name, arguments):
            last = item
        return last

    def stream(self, name: str, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Progress as it comes; the last item is the answer."""
        with self._connected() as connection:
            try:
                connection.sendall(pack({"name": name, "arguments": arguments}))
                while True:
                    message = unpack(_read(connection, body_length(_read(connection, LENGTH_BYTES))))
                    if "refused" in message:
                        raise refusal_of(message["refused"])
                    if "done" in message:
                        yield message["done"]
                        return
                    yield message["item"]
            except TimeoutError as error:
                raise Refusal("node.no-answer", "the node does not answer", path=str(self._path)) from error
            except OSError as error:
                raise Refusal("node.not-running", "the node went away", path=str(self._path)) from error

    def _connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._timeout_s)
        try:
            connection.connect(str(self._path))
        except OSError as error:
            connection.close()
            raise Refusal(
                "node.not-running", "no node answers here; `interfirm network up` starts it", path=str(self._path)
            ) from error
        return connection


def _read(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise ConnectionResetError("closed")
        parts += part
    return bytes(parts)
