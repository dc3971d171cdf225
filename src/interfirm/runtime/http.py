"""The HTTP door of a node: uvicorn on the node's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.runtime.configuration import ApiSettings
from interfirm.runtime.logs import log

GRACE_S = 5
"""How long requests that are being answered are waited for when the node stops."""


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handling: the node's process decides when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


class HttpServer:
    """Serves an ASGI application where the settings say; nowhere with port 0."""

    def __init__(self, application: Any, settings: ApiSettings) -> None:
        self._settings = settings
        config = uvicorn.Config(
            application, host=settings.host, port=settings.port, http="h11", lifespan="off", server_header=False,
            log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_S,
            ws_max_size=LIMITS.http_body_bytes_max, limit_concurrency=LIMITS.http_connections_count_max,
            h11_max_incomplete_event_size=LIMITS.http_head_bytes_max,
            ssl_certfile=settings.certificate or None, ssl_keyfile=settings.key or None,
            proxy_headers=bool(settings.proxies), forwarded_allow_ips=",".join(settings.proxies) or None,
            root_path=settings.path,
        )  # fmt: skip
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; Refusal `http.address` where somebody else does, or there is no such address."""
        if not self._settings.port:
            return
        family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        # a socket that does not say TCP is not told to send at once, and answers in two parts wait for each other
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self._settings.host, self._settings.port))
        except OSError as error:
            listening.close()
            raise Refusal("http.address", "the node cannot listen here", host=self._settings.host,
                          port=self._settings.port, reason=error.strerror or "") from error  # fmt: skip
        self._task = asyncio.ensure_future(self._server.serve(sockets=[listening]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.005)
        log.info("http.started", host=self._settings.host, port=self._settings.port)

    async def stop(self) -> None:
        """Answer what is being answered, and end."""
        if self._task is not None:
            self._server.should_exit = True
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
