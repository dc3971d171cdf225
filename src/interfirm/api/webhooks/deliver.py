"""Delivers changes to webhooks, each in order and at least once: tried again, later and later, until it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
import structlog

from interfirm.api.feed import Feed
from interfirm.api.ports import NodePort
from interfirm.api.webhooks.sending import Sender
from interfirm.api.webhooks.signing import signed_headers
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.vrf import VrfKey
from interfirm.node.vault.vault import Vault
from interfirm.node.webhooks import Hook, find_hook, hooks, put_hook, secret_of

RETRY_MS = 1_000
FAULT = Refusal("node.fault", "the node failed over this delivery")
_PAGE = 50
_log = structlog.get_logger("interfirm.webhooks")


class Deliverer:
    """Follows the log of changes once for each webhook; `run` until it is cancelled, or the node fails in it."""

    def __init__(self, port: NodePort, vault: Vault, key: VrfKey, *, feed: Feed, sender: Sender) -> None:
        self._port, self._vault, self._key, self._feed, self._sender = port, vault, key, feed, sender
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._called = asyncio.Event()

    def look(self) -> None:
        """Look at the list of webhooks again: one was made, taken away, or is to be tried again."""
        self._called.set()

    async def run(self) -> None:
        """Deliver until cancelled; raises what not even a failure could be noted for."""
        try:
            while True:
                self._called.clear()
                self._start(hook.id for hook in self._hooks() if not hook.stopped)
                await self._called.wait()
                self._check()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _start(self, wanted: Iterable[str]) -> None:
        for task in self._tasks.values():
            task.cancel()  # what was under way is sent again, under the same id
        self._tasks = {name: asyncio.ensure_future(self._follow(name)) for name in wanted}
        for task in self._tasks.values():
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._called.set()

    def _check(self) -> None:
        """Raise what a webhook's task died of: even its failure could not be noted."""
        for task in self._tasks.values():
            if task.done():
                task.result()

    def _hooks(self) -> list[Hook]:
        with self._vault.read() as turn:
            return hooks(turn)

    async def _follow(self, name: str) -> None:
        while True:
            moved = self._feed.next()
            with self._vault.read() as turn:
                hook = find_hook(turn, name)
            if hook is None or hook.stopped:
                return
            try:
                through = await self._delivered(hook)
            except Refusal as refusal:
                await asyncio.sleep(self._failed(name, refusal) / 1000)
            except Exception:  # one webhook's trouble is not to end the others'
                _log.exception("webhook.fault", id=name)
                await asyncio.sleep(self._failed(name, FAULT) / 1000)
            else:
                if through == hook.after:
                    await moved.wait()

    async def _delivered(self, hook: Hook) -> int:
        """Deliver the next page; the number of the last change that needs no more."""
        caller = self._port.known(hook.person, hook.scopes, hook.token)
        page = await self._port.ask(caller, "changes.list", {"after": hook.after, "limit": _PAGE})
        assert isinstance(page, dict)
        for change in page["changes"]:
            if _is_wanted(hook, change):
                self._port.known(hook.person, hook.scopes, hook.token)  # it may have ended since the last was sent
                await self._send(hook, change)
            self._done(hook.id, change["number"])
        last: int = page["last"]
        if last > hook.after:
            self._done(hook.id, last)
        return last

    async def _send(self, hook: Hook, change: dict[str, Any]) -> None:
        body = msgspec.json.encode({"type": "change", "data": change})
        message, at_s = f"{hook.id}-{change['number']}", self._port.now_ms() // 1000
        headers = signed_headers(secret_of(self._key, hook.id), message=message, at_s=at_s, body=body)
        await self._sender.send(hook.url, headers, body)

    def _done(self, name: str, number: int) -> None:
        with self._vault.turn() as turn:
            hook = find_hook(turn, name)
            if hook is not None:
                put_hook(turn, hook.replace(after=number, attempts=0, failing_since_ms=0, failure=""))

    def _failed(self, name: str, refusal: Refusal) -> int:
        """Note a failure; how long to wait, in ms."""
        now = self._port.now_ms()
        with self._vault.turn() as turn:
            hook = find_hook(turn, name)
            if hook is None:
                return 0
            since = hook.failing_since_ms or now
            gone = refusal.code.startswith("access.") or now - since >= LIMITS.webhook_give_up_ms
            failed = hook.replace(
                attempts=hook.attempts + 1, failing_since_ms=since, failure=refusal.code, stopped=gone
            )
            put_hook(turn, failed)
        _log.warning("webhook.failed", id=name, attempts=failed.attempts, stopped=gone, **refusal.as_plain())
        return min(RETRY_MS << min(hook.attempts, 30), LIMITS.webhook_retry_ms_max)


def _is_wanted(hook: Hook, change: dict[str, Any]) -> bool:
    about = (*change["made"], *change["ended"], *change["moved"])
    return not hook.template or any(each["template"] == hook.template for each in about)
