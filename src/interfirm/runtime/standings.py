"""Tells those who stay (streams) when they are not any more who they were: by what is written, and by time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from interfirm.base.errors import Refusal
from interfirm.node import kept
from interfirm.node.access.people import KEPT_ROLES
from interfirm.node.access.staff import OF
from interfirm.node.access.standing import CHANGED, SPACES, ends_ms, rests_on, why_ended
from interfirm.node.access.types import Caller, Role
from interfirm.node.vault.blobs import Key
from interfirm.node.vault.vault import Vault

LOOK_S = 30.0
"""How often the node's clock is looked at, which is not the machine's in a demo; the database is not asked."""
Ended: TypeAlias = Callable[[Refusal], None]


class Standings:
    """Everybody who stays at one node. `caller` recognises who shows these headers, `shown` says what they show.

    Of `vaults` the first is the node's own; a group's host, whose people come in too, has the other.
    """

    def __init__(
        self, vaults: Sequence[Vault], caller: Callable[[Mapping[str, str]], Caller],
        shown: Callable[[Mapping[str, str]], Key], *, now_ms: Callable[[], int],
    ) -> None:  # fmt: skip
        self._vaults = vaults
        self._caller, self._shown, self._now_ms = caller, shown, now_ms
        self._watches: dict[Key, set[_Watch]] = {}
        self._stops: list[Callable[[], None]] = []

    def watch(self, headers: Mapping[str, str], ended: Ended) -> Callable[[], None]:
        """Tell once, with the reason, when who shows these headers is not any more who they are now.

        Until what is given back is called. Refusal `access.unknown-caller`.
        """
        caller = self._caller(headers)
        watch = _Watch(self, headers, caller, self._shown(headers), self._definitions(caller), ended)
        if not self._watches:
            self._stops = [vault.watch(SPACES, self._touched) for vault in self._vaults]
        for key in watch.keys:
            self._watches.setdefault(key, set()).add(watch)
        watch.until_ms = self._until_ms(watch.shown)
        watch.wait()
        return lambda: self._forget(watch)

    def _touched(self, keys: frozenset[Key]) -> None:
        for watch in set[_Watch]().union(*(self._watches.get(key, ()) for key in keys)):
            watch.loop.call_soon_threadsafe(self._judge, watch)

    def timed(self, watch: _Watch) -> None:
        """Some time has gone by."""
        if self._now_ms() >= watch.until_ms:
            self._judge(watch)
        else:
            watch.wait()

    def left_s(self, watch: _Watch) -> float:
        """How long until a watch is looked at."""
        return min(LOOK_S, max(0, watch.until_ms - self._now_ms()) / 1000)

    def _judge(self, watch: _Watch) -> None:
        if watch not in self._watches.get(watch.shown, ()):
            return  # it left meanwhile
        try:
            now = self._caller(watch.headers)
            same = (now, self._definitions(now)) == (watch.caller, watch.roles)
            refusal = None if same else CHANGED
        except Refusal as unknown:
            refusal = self._why(watch) if unknown.code == "access.unknown-caller" else unknown
        if refusal is None:
            watch.until_ms = self._until_ms(watch.shown)  # a session that is used ends later
            watch.wait()
            return
        self._forget(watch)
        watch.ended(refusal)

    def _definitions(self, caller: Caller) -> tuple[Role | None, ...]:
        """What the firm has put in place of the definitions of the beginning."""
        with self._vaults[0].read() as turn:
            return tuple(kept.get(turn, KEPT_ROLES, name.encode(), Role) for name in caller.roles)

    def _until_ms(self, shown: Key) -> int:
        for vault in self._vaults:
            with vault.read() as turn:
                found = ends_ms(turn, shown)
            if found is not None:
                return found
        return self._now_ms()

    def _why(self, watch: _Watch) -> Refusal:
        person = watch.caller.name
        home = self._vaults[-1] if OF in person else self._vaults[0]
        with home.read() as turn:
            return why_ended(turn, watch.shown, person.rpartition(OF)[2], now_ms=self._now_ms())

    def _forget(self, watch: _Watch) -> None:
        watch.timer.cancel()
        for key in watch.keys:
            self._watches.get(key, set()).discard(watch)
            if not self._watches.get(key, True):
                del self._watches[key]
        if not self._watches:
            for stop in self._stops:
                stop()
            self._stops = []


class _Watch:
    """Somebody who stays."""

    def __init__(
        self, standings: Standings, headers: Mapping[str, str], caller: Caller, shown: Key,
        roles: tuple[Role | None, ...], ended: Ended,
    ) -> None:  # fmt: skip
        self._standings = standings
        self.headers, self.caller, self.shown, self.roles, self.ended = headers, caller, shown, roles, ended
        self.keys = rests_on(shown, caller)
        self.until_ms = 0
        self.loop = asyncio.get_running_loop()
        self.timer = self.loop.call_later(LOOK_S, standings.timed, self)

    def wait(self) -> None:
        """Be looked at when it ends by its time, if nothing is written before."""
        self.timer.cancel()
        self.timer = self.loop.call_later(self._standings.left_s(self), self._standings.timed, self)
