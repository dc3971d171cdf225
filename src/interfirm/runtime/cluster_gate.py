"""A node's way to a notary cluster: requests out in envelopes, verified answers in, in a thread of its own.

What waits is sealed into one envelope and handed to whichever validator takes it. The blocks say what came of it; of
what they say, only that is passed on which a header of the chain, believed from the trust anchor, commits to. A request
that no block holds in time is left to the node, which asks again.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.signatures import Signer
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.ledger.receipts.types import ClusterAnchor
from interfirm.notary.cometbft.client import ClusterClient, Settled
from interfirm.notary.cometbft.envelope import open_envelope, seal_envelope
from interfirm.notary.cometbft.receipts import Chain
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.types import (
    Answer,
    Done,
    Finish,
    Import,
    Lock,
    Notarise,
    NotariseWhole,
    Refused,
    Register,
    Request,
    Said,
    Unlock,
    transaction_in,
)
from interfirm.notary.uniqueness.machine import transaction_of
from interfirm.notary.wire import (
    Answered,
    Collect,
    Collected,
    Heard,
    Listen,
    Told,
    decode_request,
    encode_answer,
    refused,
)
from interfirm.runtime.logs import log

POLL_S = 0.05
LISTEN_S = 1.0
LIFE_MS = 60_000
"""How long an envelope may wait for a block."""
HEIGHTS_BACK = 120
"""So many blocks are read again when a node starts: what it signed may have been accepted while it was down."""
TRIES_MAX = 200
"""A node asks by itself for what it is not told; so often its gate tries to prove a receipt that nobody asked for."""
_LATER = ("envelope.", "notary.rate", "cluster.", "rpc.")
"""Refusals of an envelope after which its requests are sent again, and nobody is told."""


class _Heard(Value, frozen=True):
    """A transaction that this organisation signed, in a block that was read."""

    height: int
    transaction: bytes
    tries: int = 0


class Gatekeeper(Value, frozen=True):
    """Whose gate it is, and what it does with what it learns; these are called in the gate's own thread."""

    identity: bytes
    signer: Signer
    introduction: Register
    random: Callable[[int], bytes]
    now_ms: Callable[[], int]
    """The network's time, by which envelopes expire."""
    answered: Callable[[bytes, bytes], None]
    """(the node's name for a request, the encoded answer)"""
    accepted: Callable[[bytes, bytes], None]
    """(transaction, receipt) of what others brought and this organisation signed"""
    told: Callable[[Told], None]


class ClusterGate:
    """See the module. `put` may be called from any thread."""

    def __init__(
        self, anchor: ClusterAnchor, addresses: Sequence[str], keeper: Gatekeeper, *, clock_ms: Callable[[], int]
    ) -> None:
        """`clock_ms` is the machine's clock, by which headers are judged."""
        self.anchor, self._keeper = anchor, keeper
        self._client = ClusterClient(addresses, heights_back=HEIGHTS_BACK)
        self._chain = Chain(anchor, [Rpc(address) for address in addresses], now_ms=clock_ms)
        self._waiting: OrderedDict[bytes, bytes] = OrderedDict()
        self._sent: dict[bytes, tuple[tuple[bytes, Request], ...]] = {}
        self._open: set[bytes] = set()
        self._settled: list[tuple[Settled, tuple[tuple[bytes, Request], ...]]] = []
        self._others: list[_Heard] = []
        self._told = 0
        self._change = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="cluster-gate", daemon=True)

    def start(self) -> None:
        """Begin; the organisation introduces itself first."""
        self._waiting[b"introduction"] = codec.encode(self._keeper.introduction)
        self._thread.start()

    def put(self, name: bytes, request: bytes) -> None:
        """Bring a request before the cluster; asking again what has not been answered changes nothing."""
        with self._change:
            if name not in self._open:
                self._waiting[name] = request
                self._change.notify()

    def stop(self) -> None:
        """End; what has no answer is asked for again by the node's next life."""
        with self._change:
            self._stopping = True
            self._change.notify()
        self._thread.join(timeout=15)
        self._client.close()

    # the thread -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        listened_s = time.monotonic() - LISTEN_S
        while not self._stopping:
            try:
                self._send()
                moved = self._client.read_block(self._block)
                self._answer()
                if time.monotonic() - listened_s >= LISTEN_S:
                    self._listen()
                    listened_s = time.monotonic()
            except Refusal as refusal:
                log.warning("cluster.trouble", **refusal.as_plain())
                moved = False
            except Exception:  # whatever it was, the next round begins anew
                log.exception("cluster.failed")
                moved = False
            if not moved:
                with self._change:
                    if not self._waiting and not self._stopping:
                        self._change.wait(POLL_S)

    def _send(self) -> None:
        with self._change:
            taken = list(self._waiting.items())[: LIMITS.envelope_requests_count_max]
            for name, _ in taken:
                del self._waiting[name]
                self._open.add(name)
        asked: list[tuple[bytes, Request]] = []
        for name, data in taken:
            request = decode_request(data)
            if isinstance(request, Collect | Listen):
                self._tell(name, self._beside(request))
            else:
                asked.append((name, request))
        if asked:
            self._submit(tuple(asked))

    def _submit(self, asked: tuple[tuple[bytes, Request], ...]) -> None:
        """One envelope; where a validator refuses it for one of several requests, each goes alone."""
        try:
            self._sent[self._client.submit(self._envelope([request for _, request in asked]))] = asked
        except Refusal as refusal:
            if refusal.code.startswith(_LATER):
                log.info("cluster.later", **refusal.as_plain())
                self._open.difference_update(name for name, _ in asked)
            elif len(asked) > 1:
                for each in asked:
                    self._submit((each,))
            else:
                self._tell(asked[0][0], refused(refusal))

    def _envelope(self, requests: Sequence[Any]) -> bytes:
        keeper = self._keeper
        return seal_envelope(
            requests, notary=self.anchor.notary, signer=keeper.signer, identity=keeper.identity,
            expires=Instant(keeper.now_ms() + LIFE_MS), nonce=keeper.random(32),
        )  # fmt: skip

    # blocks -----------------------------------------------------------------------------------------------------------

    def _block(self, height: int, index: int, data: bytes, settled: Settled) -> None:
        """One transaction of a block: an envelope of ours, or one in which somebody brought what we signed."""
        own = self._sent.pop(hashlib.sha256(data).digest(), None)
        if own is not None:
            self._settled.append((settled, own))
            return
        with suppress(Refusal):
            for asked, answer in zip(open_envelope(data).asked, settled.answers, strict=False):
                request = asked.request
                brought = transaction_in(request)
                if brought is not None and isinstance(answer, Done) and self._is_listed(brought):
                    self._others.append(_Heard(height, transaction_of(brought)))

    def _is_listed(self, request: Notarise) -> bool:
        return any(opening.line.identity == self._keeper.identity for opening in request.lines)

    def _answer(self) -> None:
        """Pass on what the next block's header commits to, once it is there."""
        here = self._client.height_read
        ready = [each for each in self._settled if each[0].height < here]
        self._settled = [each for each in self._settled if each[0].height >= here]
        for settled, asked in ready:
            try:
                self._pass_on(settled, asked)
            except Refusal as refusal:  # no validator shows it now
                if refusal.code == "receipt.conflict":
                    log.error("cluster.conflict", **refusal.as_plain())
                self._settled.append((settled, asked))
                raise
        others, self._others = self._others, []
        self._others = [left for each in others if (left := self._shown(each, here)) is not None]

    def _shown(self, heard: _Heard, here: int) -> _Heard | None:
        """Pass on the receipt of what somebody brought; what cannot be proved yet is left for the next round."""
        if heard.height >= here:
            return heard
        try:
            self._keeper.accepted(heard.transaction, self._chain.receipt_of(heard.transaction, height=heard.height))
        except Refusal as refusal:
            if heard.tries < TRIES_MAX:
                return heard.replace(tries=heard.tries + 1)
            log.warning("cluster.no-receipt", transaction=heard.transaction.hex(), **refusal.as_plain())
        return None

    def _pass_on(self, settled: Settled, asked: tuple[tuple[bytes, Request], ...]) -> None:
        outcome = self._chain.outcome_at(settled.height, settled.index)
        if outcome != settled.outcome:
            raise Refusal("cluster.no-proof", "a validator told another outcome than the chain", height=settled.height)
        if outcome.refused:
            self._open.difference_update(name for name, _ in asked)
            log.info("cluster.refused", code=outcome.refused, height=settled.height)
            return
        for (name, request), answer in zip(asked, settled.answers, strict=True):
            self._tell(name, self._proved(request, answer, settled.height))

    def _proved(self, request: Request, answer: Answer, height: int) -> Answered:
        if isinstance(answer, Refused) or isinstance(request, Register):
            return Answered(answer=answer)
        if isinstance(answer, Said):
            receipt = statement = b""
            if answer.kind == "accepted" and answer.answer is not None:
                receipt = self._chain.receipt_from_state(answer.subject)
            elif answer.kind in _SHOWN:
                statement = self._chain.proof_of(answer.kind, answer.subject)
            return Answered(answer=answer, receipt=receipt, statement=statement)
        recorded = isinstance(request, _RECORDED)
        return Answered(answer=answer, receipt=self._chain.receipt_of(answer.id, height=height) if recorded else b"")

    def _tell(self, name: bytes, answered: Answered) -> None:
        self._open.discard(name)
        self._keeper.answered(name, encode_answer(answered))

    # beside the chain -------------------------------------------------------------------------------------------------

    def _beside(self, request: Collect | Listen) -> Answered:
        """What one validator keeps beside the state; nothing of it is believed without proof by who asked."""
        try:
            if isinstance(request, Collect):
                return Answered(answer=Collected(seals=self._value("/seals", request.consumer)))
            return Answered(answer=self._heard(request))
        except Refusal as refusal:
            return refused(refusal)

    def _heard(self, request: Listen) -> Heard:
        return codec.decode(self._value("/tells", self._envelope([request])), Heard)

    def _listen(self) -> None:
        for told in self._heard(Listen(after=self._told)).tells:
            self._told = max(self._told, told.number)
            self._keeper.told(told)

    def _value(self, path: str, data: bytes) -> bytes:
        return base64.b64decode(self._client.query(path, data).get("value") or "")


_RECORDED = (Notarise, NotariseWhole, Lock, Import, Finish, Unlock)
"""Requests whose acceptance has a receipt."""
_SHOWN = ("unspent", "consumer", "claim", "imported", "accepted")
"""Questions whose answer others are shown: it comes with a proof of the state, which may be of another height."""
