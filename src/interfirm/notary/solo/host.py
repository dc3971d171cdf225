"""The solo notary at the end of a wire: blocks of bytes from authenticated identities in, blocks out.

What arrived since the last turn is judged in batches, each one commit. Garbage, too much of it from one identity, and
more than can wait are refusals in the answer; nothing that a requester sends raises.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import structlog

from interfirm.base.errors import Refusal
from interfirm.base.limits import AgreedLimits
from interfirm.base.time import Instant
from interfirm.notary.admission import admit, is_idle
from interfirm.notary.solo.checking import CheckedFirst
from interfirm.notary.solo.notary import SoloNotary
from interfirm.notary.solo.verifiers import Verifiers
from interfirm.notary.types import Asked, Done, Tell, transaction_in
from interfirm.notary.wire import (
    Accepted,
    Answered,
    Collect,
    Collected,
    Handled,
    Heard,
    Listen,
    Told,
    Wanted,
    decode_request,
    encode_answer,
    refused,
)

REQUESTERS_KEPT_MAX = 4_096
"""Requesters whose rate is remembered before those that have been silent are forgotten."""

_log = structlog.get_logger(__name__)


class SoloHost:
    """A notary with its rate limits and, where there are cores for it, verifiers. Not to be used by two threads."""

    def __init__(self, notary: SoloNotary, *, verifiers: Verifiers | None = None) -> None:
        self.notary = notary
        self._verifiers = verifiers
        self._used: dict[bytes, int] = {}
        self._per_minute = notary.limits.requests_per_minute_max

    def handle(self, requester: bytes, data: bytes, now: Instant) -> bytes:
        """The answer to one request."""
        return self.handle_batch([(requester, data)], now).answers[0]

    def handle_batch(self, requests: Sequence[tuple[bytes, bytes]], now: Instant) -> Handled:
        """Answers to (requester, request block) pairs; what is beyond the queue's limit is refused (`notary.busy`)."""
        limits = self._limits()
        wanted = [
            self._read(requester, data, now, waits=place, limits=limits)
            for place, (requester, data) in enumerate(requests)
        ]  # fmt: skip
        answers: list[Answered | None] = [w if isinstance(w, Answered) else None for w in wanted]
        tells: list[tuple[Tell, Told]] = []
        asked = [(place, w) for place, w in enumerate(wanted) if isinstance(w, Asked)]
        for start in range(0, len(asked), limits.notary_batch_count_max):
            batch = asked[start : start + limits.notary_batch_count_max]
            told, answered = self._judge([request for _, request in batch], now)
            tells.extend(told)
            for (place, _), answer in zip(batch, answered, strict=True):
                answers[place] = answer
        for place, request in enumerate(wanted):
            if isinstance(request, Collect | Listen):
                answers[place] = self._look(requests[place][0], request)
        return Handled(
            answers=tuple(encode_answer(answer) for answer in answers if answer is not None), tells=tuple(tells),
            accepted=tuple(filter(None, (_accepted(request, answers[place]) for place, request in asked))),
        )  # fmt: skip

    def _limits(self) -> AgreedLimits:
        """Those in force now; what was counted in another measure is forgotten."""
        limits = self.notary.limits
        if limits.requests_per_minute_max != self._per_minute:
            self._used.clear()
            self._per_minute = limits.requests_per_minute_max
        return limits

    def _read(
        self, requester: bytes, data: bytes, now: Instant, *, waits: int, limits: AgreedLimits
    ) -> Asked | Collect | Listen | Answered:
        try:
            if waits >= limits.notary_queue_count_max:
                raise Refusal("notary.busy", "too many requests wait", count_max=limits.notary_queue_count_max)
            self._admit(requester, now)
            request: Wanted = decode_request(data)
            if len(data) > limits.transaction_bytes_max + limits.sealed_bytes_max:
                raise Refusal("notary.limit", "the request is too large", bytes=len(data))
        except Refusal as refusal:
            return refused(refusal)
        return request if isinstance(request, Collect | Listen) else Asked(requester=requester, request=request)

    def _admit(self, requester: bytes, now: Instant) -> None:
        self._used[requester] = admit(self._used.get(requester, 0), now, per_minute=self._per_minute)
        if len(self._used) > REQUESTERS_KEPT_MAX:
            self._used = {
                who: used for who, used in self._used.items() if not is_idle(used, now, per_minute=self._per_minute)
            }

    def _judge(self, batch: Sequence[Asked], now: Instant) -> tuple[Sequence[tuple[Tell, Told]], Sequence[Answered]]:
        checked = CheckedFirst(batch) if self._verifiers is None else self._verifiers.ahead(batch)
        outcome = self.notary.submit_batch(batch, now, checked=checked)
        if self._verifiers is not None:
            self._verifiers.drain()
        if outcome.fault is not None:
            _log.error("notary.storage", fault=outcome.fault)
        return outcome.tells, outcome.answers

    def _look(self, requester: bytes, request: Collect | Listen) -> Answered:
        try:
            if isinstance(request, Collect):
                return Answered(answer=Collected(seals=self.notary.seals(request.consumer)))
            return Answered(answer=Heard(tells=self.notary.listen(requester, request.after)))
        except sqlite3.Error as error:
            _log.error("notary.storage", fault=str(error))
            return refused(Refusal("notary.storage", "the notary could not read"))

    def close(self) -> None:
        """End the verifiers and close the notary."""
        if self._verifiers is not None:
            self._verifiers.close()
        self.notary.close()


def _accepted(asked: Asked, answered: Answered | None) -> Accepted | None:
    """What the other signers of an accepted transaction are to have."""
    request = transaction_in(asked.request)
    if request is None or answered is None or not isinstance(answered.answer, Done):
        return None
    signers = tuple(o.line.identity for o in request.lines if o.line.identity != asked.requester)
    return Accepted(transaction=answered.answer.id, receipt=answered.receipt, signers=signers) if signers else None
