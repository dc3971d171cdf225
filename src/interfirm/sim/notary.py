"""A notary of a world: the production post over the solo host, on a simulated disk, killed between any two steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interfirm.base.time import Instant
from interfirm.base.turn import TurnLoop
from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef
from interfirm.ledger.moves import lock_id
from interfirm.node.network import types as net
from interfirm.node.notary_post import NotaryPost
from interfirm.notary.abroad import Anchors
from interfirm.notary.moves.machine import id_of
from interfirm.notary.solo.host import SoloHost
from interfirm.notary.solo.notary import SoloNotary
from interfirm.notary.types import (
    Ask,
    Asked,
    Done,
    Finish,
    Import,
    Lock,
    Notarise,
    Register,
    Said,
    Unlock,
    ref_key,
    transaction_in,
)
from interfirm.notary.uniqueness.machine import transaction_of
from interfirm.notary.wire import Handled, decode_answer, decode_request, expect
from interfirm.sim.parties import Notary, Population
from interfirm.sim.process import Killed, Process, Surroundings

KILL_POINTS = ("judged", "written", "committed")


class Acceptance(Value, frozen=True):
    """What a notary said yes to: the request, and who brought it first."""

    notary: bytes
    transaction: bytes
    requester: bytes
    request: Notarise


class Passage(Value, frozen=True):
    """A request of a move that a notary said yes to, and who brought it first."""

    notary: bytes
    lock: bytes
    requester: bytes
    request: Lock | Import | Finish | Unlock


class SimNotary(Process):
    """See the module. `accepted` and `passages` are what it said yes to, as seen from outside, for the checkers."""

    solo: SoloNotary

    def __init__(self, notary: Notary, around: Surroundings, *, population: Population, path: Path) -> None:
        super().__init__(notary.name, notary.identity, around)
        self.notary = notary
        self.accepted: dict[bytes, Acceptance] = {}
        self.passages: dict[bytes, Passage] = {}
        self._population = population
        self._path = path
        self._doom = ""

    def register(self, registrations: Sequence[Register]) -> None:
        """Enter the firms into the registry, before the world begins."""
        solo = self._open()
        asked = [Asked(requester=r.key.identity, request=r) for r in registrations]
        solo.submit_batch(asked, Instant(self.clock_ms()))
        solo.close()

    def _open(self) -> SoloNotary:
        others = Anchors(self._population.anchor(each.id) for each in self._population.notaries)
        return SoloNotary(self._path, self.notary.signer, self.notary.genesis, others, at=self._point)

    def _start(self) -> None:
        self.solo = self._open()
        self._host = SoloHost(self.solo)
        self.post = NotaryPost(self)
        self.loop = TurnLoop(self._judge, self._release)

    def _judge(self, events: Sequence[net.Event], now_ms: int) -> Sequence[Any]:
        return self.post.turn(events, now_ms)

    def _die(self) -> None:
        self._doom = ""
        self.solo.close()

    def _point(self, point: str) -> None:
        if point == self._doom:
            raise Killed(f"notary killed when {point}")

    def handle_batch(self, requests: Sequence[tuple[bytes, bytes]], now: Instant) -> Handled:
        """See notary_post.Host; remembers what was accepted."""
        if self.happens(self.around.faults.notary_crash_ppm):
            self._doom = self.random.choice(KILL_POINTS)
        handled = self._host.handle_batch(requests, now)
        for (requester, data), answer in zip(requests, handled.answers, strict=True):
            self._remember(requester, data, answer)
        return handled

    def _remember(self, requester: bytes, data: bytes, answer: bytes) -> None:
        answered = decode_answer(answer).answer
        if not isinstance(answered, Done):
            return
        request = decode_request(data)
        brought = transaction_in(request)
        if brought is not None:
            name = transaction_of(brought)
            kept = Acceptance(notary=self.notary.id, transaction=name, requester=requester, request=brought)
            self.accepted.setdefault(name, kept)
        elif isinstance(request, Lock | Import | Finish | Unlock):
            lock = self._lock_of(request)
            passage = Passage(notary=self.notary.id, lock=lock, requester=requester, request=request)
            self.passages.setdefault(answered.id, passage)

    def _lock_of(self, request: Lock | Import | Finish | Unlock) -> bytes:
        match request:
            case Lock():
                return id_of(request, self.notary.id)
            case Import():
                return lock_id(
                    request.origin, request.ref, self.notary.id, request.until, request.nonce, request.commitment
                )
            case Finish() | Unlock():
                return request.lock

    def is_usable(self, ref: ContractRef) -> bool:
        """Whether a contract can be consumed here now, by the notary's own word."""
        return self._said("unspent", ref_key(ref)) is True

    def claim(self, key: bytes) -> Any:
        """How this notary keeps the claim at a `claim_key`, by its own word."""
        return self._said("claim", key)

    def _said(self, kind: str, subject: bytes) -> Any:
        """The answer to a question; nobody is killed by being asked."""
        self._doom = ""
        question = Asked(requester=self.identity, request=Ask(kind=kind, subject=subject))
        (answered,) = self.solo.submit_batch([question], Instant(self.clock_ms())).answers
        return expect(answered, Said).answer

    def _release(self, effect: Any) -> None:
        if isinstance(effect, net.Wake):
            self.wake_at(effect.at_ms)
        elif not self.carry_out(effect):
            raise AssertionError(effect)
