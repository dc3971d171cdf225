"""Submitting to a cluster: envelopes to whichever validator takes them, outcomes from the blocks that hold them.

Nothing here is proof: what a validator says of a block is believed once it is verified against a trust anchor.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.cometbft.types import Outcome
from interfirm.notary.types import Answer, Refused

POLL_S = 0.05
PATIENCE_S = 4.0
"""A chain moves several times in so long: a validator that shows nothing new, or keeps something, is not relied on."""
CALLERS_PER_VALIDATOR = 16
_KNOWN = "tx already exists in cache"


class Settled(Value, frozen=True):
    """An envelope in a block: height, place in it, what the chain commits to, and the answers with all their words."""

    height: int
    index: int
    outcome: Outcome
    answers: tuple[Answer, ...]


class _Waiting(Value, frozen=True):
    """An envelope that no block holds yet, when it was handed over last, and to how many."""

    envelope: bytes
    handed_s: float
    times: int = 1


class ClusterClient:
    """Talks to several validators; for one thread at a time."""

    def __init__(self, addresses: Sequence[str], *, timeout_s: float = 10.0, heights_back: int = 0) -> None:
        """The first block read is the next to be made, or lies so many heights back."""
        self._addresses, self._timeout_s, self._back = list(addresses), timeout_s, heights_back
        self._validators = [Rpc(address, timeout_s=timeout_s) for address in addresses]
        self._height: int | None = None
        self._settled: dict[bytes, Settled] = {}
        self._waiting: dict[bytes, _Waiting] = {}
        self._moved_s = time.monotonic()

    def submit(self, envelope: bytes) -> bytes:
        """Hand an envelope to the first validator that takes it; returns its name, the hash of its bytes.

        Raises the validators' refusal where it is none that could be judged (`envelope.*`, `signature.*`,
        `notary.rate`), or `cluster.unreachable` where none of them answers. Twice is harmless.
        """
        name = self._expect(envelope)
        try:
            hand_over(envelope, self._validators)
        except Refusal:
            del self._waiting[name]
            raise
        return name

    def submit_many(self, envelopes: Sequence[bytes]) -> list[bytes | Refusal]:
        """Hand envelopes to all validators in turn, many at a time; the name of each, or why it was not taken.

        A validator answers one caller every 20 milliseconds or so, and hundreds of callers in the same time.
        """
        names = [self._expect(envelope) for envelope in envelopes]
        callers = max(1, min(len(envelopes), CALLERS_PER_VALIDATOR * len(self._validators)))
        with ThreadPoolExecutor(max_workers=callers) as pool:
            shares = [list(range(first, len(envelopes), callers)) for first in range(callers)]
            troubles = pool.map(lambda share: self._hand_over_share(share, envelopes), shares)
            refused = {place: refusal for some in troubles for place, refusal in some}
        for place in refused:
            self._waiting.pop(names[place], None)
        return [refused.get(place, name) for place, name in enumerate(names)]

    def _hand_over_share(self, share: Sequence[int], envelopes: Sequence[bytes]) -> list[tuple[int, Refusal]]:
        """One caller's part, over connections of its own; each caller begins with another validator."""
        turn = share[0] % len(self._addresses) if share else 0
        validators = [Rpc(each, timeout_s=self._timeout_s) for each in self._addresses[turn:] + self._addresses[:turn]]
        refused = []
        for place in share:
            try:
                hand_over(envelopes[place], validators)
            except Refusal as refusal:
                refused.append((place, refusal))
        for each in validators:
            each.close()
        return refused

    def _expect(self, envelope: bytes) -> bytes:
        """Look for an envelope in the blocks from now on."""
        if self._height is None:
            self._height = max(0, self.height() - self._back)
        name = hashlib.sha256(envelope).digest()
        self._waiting[name] = _Waiting(envelope, time.monotonic())
        return name

    def wait(self, name: bytes, *, timeout_s: float = 30.0) -> Settled:
        """What became of an envelope that was submitted here; Refusal `cluster.no-outcome` after so long.

        It may still be judged later, until it expires; submitting the same bytes again is harmless.
        """
        deadline = time.monotonic() + timeout_s
        while name not in self._settled:
            if time.monotonic() > deadline:
                raise Refusal("cluster.no-outcome", "no block holds it yet", envelope=name, height=self._height)
            if not self._read_block():
                time.sleep(POLL_S)
        return self._settled.pop(name)

    def ask(self, envelope: bytes, *, timeout_s: float = 30.0) -> tuple[Answer, ...]:
        """Submit, wait, and return the answers; raises the refusal of an envelope that was none."""
        settled = self.wait(self.submit(envelope), timeout_s=timeout_s)
        if settled.outcome.refused:
            raise Refusal(settled.outcome.refused, "the envelope was not admitted", height=settled.height)
        return settled.answers

    def height(self) -> int:
        """The last height that the validator asked knows."""
        return int(self._call("status")["sync_info"]["latest_block_height"])

    def query(self, path: str, data: bytes, *, height: int = 0, prove: bool = False) -> dict[str, Any]:
        """One validator's answer to a query of the state, as it came; raises the application's refusal."""
        found: dict[str, Any] = self._call("abci_query", path=path, data=data.hex(), height=height, prove=prove)
        response: dict[str, Any] = found["response"]
        if response.get("code"):
            raise refusal_in(response["log"])
        return response

    @property
    def height_read(self) -> int:
        """The last height whose outcomes were read here."""
        return self._height or 0

    def read_block(self, seen: Callable[[int, int, bytes, Settled], None]) -> bool:
        """Show the next block's transactions (height, place, bytes, what came of it); False where there is none yet."""
        if self._height is None:
            self._height = max(0, self.height() - self._back)
        return self._read_block(seen)

    def _read_block(self, seen: Callable[[int, int, bytes, Settled], None] | None = None) -> bool:
        """Take note of the next block's outcomes; False where there is no next block yet."""
        height = (self._height or 0) + 1
        try:
            block = self._call("block", height=height)["block"]
            results = self._call("block_results", height=height)
        except Refusal as refusal:
            if refusal.code != "rpc.refused":
                raise
            self._look_elsewhere()
            return False
        if int(results["height"]) != height:
            raise Refusal("rpc.answer", "the validator answered for another height", height=results["height"])
        for index, data in enumerate(block["data"]["txs"] or ()):
            transaction = base64.b64decode(data)
            name = hashlib.sha256(transaction).digest()
            if seen is not None:
                self._waiting.pop(name, None)
                seen(height, index, transaction, settled_of(height, index, results["txs_results"][index]))
            elif name in self._waiting:
                del self._waiting[name]
                self._settled[name] = settled_of(height, index, results["txs_results"][index])
        self._height, self._moved_s = height, time.monotonic()
        self._hand_on()
        return True

    def _look_elsewhere(self) -> None:
        """A validator that has shown no block for long may be cut off: the next question goes to another."""
        if time.monotonic() - self._moved_s > PATIENCE_S:
            self._moved_s = time.monotonic()
            _ask_last(self._validators[0], self._validators)
            self._hand_on()

    def _hand_on(self) -> None:
        """Give what no block holds after so long to one more validator: the one that took it may keep it to itself."""
        now_s = time.monotonic()
        for name, each in list(self._waiting.items()):
            if now_s - each.handed_s > PATIENCE_S:
                turn = each.times % len(self._validators)
                self._waiting[name] = each.replace(handed_s=now_s, times=each.times + 1)
                with suppress(Refusal):  # its expiry decides
                    _check_taken(self._validators[turn].call("broadcast_tx_sync", tx=each.envelope))

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        """The first answer; one that does not answer is asked last from then on."""
        for validator in list(self._validators):
            try:
                return validator.call(method, **params)
            except Refusal as refusal:
                if refusal.code == "rpc.refused":
                    raise
                _ask_last(validator, self._validators)
        raise Refusal("cluster.unreachable", "no validator answers", validators=[v.address for v in self._validators])

    def close(self) -> None:
        """Close all connections."""
        for validator in self._validators:
            validator.close()


def hand_over(envelope: bytes, validators: list[Rpc]) -> None:
    """Give an envelope to the first of these that takes it; one that does not answer is moved to the end.

    Raises the validator's refusal of the envelope, or `cluster.unreachable`.
    """
    troubles = []
    for validator in list(validators):
        try:
            _check_taken(validator.call("broadcast_tx_sync", tx=envelope))
            return
        except Refusal as refusal:
            if refusal.code == "rpc.refused" and _KNOWN in refusal.values["data"]:
                return
            if not refusal.code.startswith("rpc."):
                raise
            troubles.append(f"{validator.address}: {refusal}")
            _ask_last(validator, validators)
    raise Refusal("cluster.unreachable", "no validator took it", troubles=troubles)


def _ask_last(validator: Rpc, validators: list[Rpc]) -> None:
    validators.remove(validator)
    validators.append(validator)


def _check_taken(found: dict[str, Any]) -> None:
    if found["code"]:
        raise refusal_in(found["log"])


def refusal_in(text: str) -> Refusal:
    """The refusal that a validator wrote into a log."""
    plain = json.loads(text)
    return Refusal(plain["code"], plain["reason"], **plain["values"])


def settled_of(height: int, index: int, result: dict[str, Any]) -> Settled:
    """An outcome from a block's results; refusals get back the words that the chain does not commit to."""
    outcome = codec.decode(base64.b64decode(result["data"] or ""), Outcome)
    words = json.loads(result.get("log") or "{}") if not outcome.refused else {}
    answers = tuple(_with_words(answer, words.get(str(place))) for place, answer in enumerate(outcome.answers))
    return Settled(height=height, index=index, outcome=outcome, answers=answers)


def _with_words(answer: Answer, words: dict[str, Any] | None) -> Answer:
    if isinstance(answer, Refused) and words is not None and words["code"] == answer.code:
        return answer.replace(message=words["reason"], values=words["values"])
    return answer
