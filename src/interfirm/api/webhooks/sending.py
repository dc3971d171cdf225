"""Sending one delivery by HTTP: never to a private address, never along a redirect, never for long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import httpx

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.node.webhooks import check_url, is_public

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""(host, port) -> its IP addresses."""


class Sender(Protocol):
    """Takes a delivery to its receiver."""

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """Done when the receiver has taken it (2xx); Refusal `webhook.*` otherwise."""


async def resolved(host: str, port: int) -> list[str]:
    """The IP addresses of a host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class HttpSender:
    """See Sender. `private`: whether receivers may lie in private networks, and be spoken to without TLS."""

    def __init__(self, *, private: bool = False, resolve: Resolve = resolved) -> None:
        self._private, self._resolve = private, resolve

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """See Sender; Refusal `webhook.url`, `webhook.address`, `webhook.unreachable`, `webhook.answer`."""
        check_url(url)
        target = httpx.URL(url)
        check(target.scheme == "https" or self._private, "webhook.url", "beyond this network only by HTTPS")
        try:
            async with asyncio.timeout(LIMITS.webhook_wait_ms_max / 1000):
                await self._sent(target, await self._address(target), headers, body)
        except (OSError, httpx.HTTPError, TimeoutError) as error:
            kind = type(error).__name__
            raise Refusal("webhook.unreachable", "the receiver could not be reached", reason=kind) from error

    async def _address(self, target: httpx.URL) -> str:
        """One address, after all were judged: the name could stand for another one at the next look."""
        port = target.port or (443 if target.scheme == "https" else 80)
        found = await self._resolve(target.host, port)
        allowed = bool(found) and (self._private or all(is_public(each) for each in found))
        check(allowed, "webhook.address", "the receiver does not lie in the public internet", host=target.host)
        return found[0]

    async def _sent(self, target: httpx.URL, address: str, headers: Mapping[str, str], body: bytes) -> None:
        at = target.copy_with(host=address)
        given = {**headers, "Host": target.netloc.decode(), "User-Agent": "interfirm"}
        name = {"sni_hostname": target.host}
        async with (
            httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=None) as client,  # noqa: S113 - above
            client.stream("POST", at, headers=given, content=body, extensions=name) as answer,
        ):
            check(answer.is_success, "webhook.answer", "the receiver did not take it", status=answer.status_code)
