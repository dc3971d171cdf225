"""Receipts and proofs of the state from validators' RPC. No validator is believed: all is verified from a trust anchor.

Of several validators, each is asked until one shows what verifies; the header that a proof stands on is compared with
what another one shows. Two headers of one height that both verify are evidence, and nothing is returned.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.time import Instant
from interfirm.ledger.receipts.chain import Header, LightBlock
from interfirm.ledger.receipts.cometbft import (
    SPACES,
    TIME,
    ClusterReceipt,
    InResult,
    InState,
    StateProof,
    check_committed,
    check_stored,
    rules_of,
    verify_state,
    without_known,
)
from interfirm.ledger.receipts.light import (
    check_current,
    check_not_ahead,
    conflict_of,
    lightened,
    trusted_block,
    verify_next,
    walk,
)
from interfirm.ledger.receipts.types import ClusterAnchor, Trusted
from interfirm.ledger.receipts.verify import verify_receipt_of
from interfirm.notary import questions
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.cometbft.shown import light_block_of, result_at, result_with, unreadable
from interfirm.notary.cometbft.types import Outcome
from interfirm.notary.state import Overlay
from interfirm.notary.types import Ask, Said

POLL_S = 0.1
PAGE = 100
BEHIND = "cluster.behind"
RESULT_BYTES_MAX = 2_048
"""Beyond this an envelope's outcome is longer than a proof of the state."""
T = TypeVar("T")


class Chain:
    """A cluster's chain as its validators show it and an anchor proves it; for one thread at a time."""

    def __init__(self, anchor: ClusterAnchor, validators: Sequence[Rpc], *, now_ms: Callable[[], int]) -> None:
        """`now_ms` is this machine's clock, in milliseconds since 1970; it judges what is new, not what is shown."""
        self.anchor, self._validators, self._now_ms = anchor, list(validators), now_ms
        self._rules = rules_of(anchor)
        self._spine: list[tuple[Trusted, LightBlock]] = []
        self._compared: dict[int, bytes] = {}
        self.doubted: dict[str, str] = {}
        """Why validators that answered were not believed, by their addresses."""

    def receipt_of(self, transaction: bytes, *, height: int) -> bytes:
        """The receipt of a transaction that the block at `height` accepted, in canonical bytes.

        Raises Refusal `receipt.conflict` with evidence where two headers are signed, and `cluster.no-proof` with what
        was wrong at each validator; the next block, which commits to it, may not be there yet.
        """
        return self._first(lambda rpc: self._receipt(rpc, transaction, height))

    def receipt_from_state(self, transaction: bytes) -> bytes:
        """A new receipt of whatever the cluster ever accepted, from its last state; raises as `receipt_of`."""
        return self._first(lambda rpc: self._receipt_from_state(rpc, transaction))

    def outcome_at(self, height: int, index: int) -> Outcome:
        """What came of the transaction at a place of a block, as the chain commits to it; raises as `receipt_of`."""
        return self._first(lambda rpc: self._outcome(rpc, height, index))

    def proof_of(self, kind: str, subject: bytes) -> bytes:
        """A proof of what the last state answers to a question (`questions.KINDS`); raises as `receipt_of`."""
        check(kind in SPACES, "receipt.question", "no such question", kind=kind[:20], kinds=sorted(SPACES))
        return self._first(lambda rpc: self._proof(rpc, kind, subject))

    def said(self, question: Ask, *, height_min: int = 0) -> Said:
        """What the notary answers to any question, worked out here from proven values of its last state.

        Raises as `receipt_of`, and Refusal `cluster.behind` where no validator shows the state of `height_min` yet.
        """
        return self._first(lambda rpc: self._said(rpc, question, height_min))

    def renewed(self) -> ClusterAnchor:
        """The anchor at the last header but one: as good as this one, and for longer; raises as `receipt_of`."""

        def found(rpc: Rpc) -> ClusterAnchor:
            blocks = self._verified(rpc, _last_height(rpc) - 1)
            return self.anchor.replace(trusted=trusted_block(blocks[-1]))

        return self._first(found)

    def walk(self) -> tuple[LightBlock, ...]:
        """Headers that carry trust from the anchor to the last header but one; raises as `receipt_of`."""

        def found(rpc: Rpc) -> tuple[LightBlock, ...]:
            blocks = self._verified(rpc, _last_height(rpc) - 1)
            return without_known(self._lightened(blocks), self.anchor.trusted)

        return self._first(found)

    def _first(self, ask: Callable[[Rpc], T]) -> T:
        """The first answer that holds; who gives none is asked last from then on."""
        if self.anchor.trusted.time_ns:
            check_current(self.anchor.trusted, now_ms=self._now_ms(), rules=self._rules)
        troubles, code = [], "cluster.no-proof"
        for validator in list(self._validators):
            try:
                return ask(validator)
            except Refusal as refusal:
                if refusal.code == "receipt.conflict":
                    raise
                code = BEHIND if refusal.code == BEHIND else code
                self._doubt(validator.address, refusal)
                troubles.append(f"{validator.address}: {refusal}"[:300])
                self._validators.remove(validator)
                self._validators.append(validator)
        raise Refusal(code, "no validator shows what verifies", troubles=troubles)

    def _doubt(self, address: str, refusal: Refusal) -> None:
        """Note who showed what does not verify; who shows nothing, or not yet, may be honest."""
        if refusal.code != BEHIND and not refusal.code.startswith("rpc."):
            self.doubted[address] = str(refusal)[:300]

    # what is shown ------------------------------------------------------------------------------------------------

    def _receipt(self, rpc: Rpc, transaction: bytes, height: int) -> bytes:
        results = rpc.call("block_results", height=height).get("txs_results") or []
        shown = result_with(transaction, results)
        if len(shown.data) > RESULT_BYTES_MAX:
            return self._receipt_from_state(rpc, transaction)
        return self._sealed(transaction, shown, self._verified(rpc, height + 1))

    def _outcome(self, rpc: Rpc, height: int, index: int) -> Outcome:
        shown = result_at(index, rpc.call("block_results", height=height).get("txs_results") or [])
        check_committed(shown, self._verified(rpc, height + 1)[-1].header)
        return codec.decode(shown.data, Outcome)

    def _receipt_from_state(self, rpc: Rpc, transaction: bytes) -> bytes:
        height = _last_height(rpc) - 1
        shown = _stored(rpc, SPACES["accepted"], transaction, height)
        return self._sealed(transaction, shown, self._verified(rpc, height + 1))

    def _sealed(self, transaction: bytes, shown: InResult | InState, blocks: tuple[LightBlock, ...]) -> bytes:
        way = without_known(self._lightened(blocks), self.anchor.trusted)
        receipt = codec.encode(ClusterReceipt(transaction=transaction, shown=shown, walk=way))
        verify_receipt_of(transaction, receipt, anchor=self.anchor)
        return receipt

    def _proof(self, rpc: Rpc, kind: str, subject: bytes) -> bytes:
        height = _last_height(rpc) - 1
        shown, time = _stored(rpc, SPACES[kind], subject, height), _stored(rpc, *TIME, height)
        way = without_known(self._lightened(self._verified(rpc, height + 1)), self.anchor.trusted)
        proof = codec.encode(StateProof(kind=kind, subject=subject, shown=shown, time=time, walk=way))
        verify_state(proof, anchor=self.anchor)
        return proof

    def _said(self, rpc: Rpc, question: Ask, height_min: int) -> Said:
        height = _last_height(rpc) - 1
        check(height >= height_min, BEHIND, "the validator does not show this height yet", height=height)
        state = _Proven(rpc, self._verified(rpc, height + 1)[-1].header)
        time = Instant(codec.decode(state.get(*TIME) or b"", int))
        return questions.answer(question, Overlay(state), height, time)

    def _lightened(self, blocks: tuple[LightBlock, ...]) -> tuple[LightBlock, ...]:
        before = [self.anchor.trusted, *(trusted_block(block) for block in blocks)]
        return tuple(lightened(trusted, block) for trusted, block in zip(before, blocks, strict=False))

    # the way there ------------------------------------------------------------------------------------------------

    def _verified(self, rpc: Rpc, height: int) -> tuple[LightBlock, ...]:
        """The whole blocks that carry trust from the anchor to a height, the last one compared with another's."""
        behind = [(trusted, block) for trusted, block in self._spine if trusted.height < height]
        trusted = behind[-1][0] if behind else self.anchor.trusted
        finding = walk(trusted, height, rules=self._rules)
        wanted = next(finding)
        while True:
            try:
                block = light_block(rpc, wanted)
                check_not_ahead(block.header, now_ms=self._now_ms())
                wanted = finding.send(block)
            except StopIteration as end:
                found: tuple[LightBlock, ...] = end.value
                break
        if len(behind) == len(self._spine):
            self._spine += [(trusted_block(block), block) for block in found[:-1]]
        blocks = (*(block for _, block in behind), *found)
        self._compare(rpc, blocks)
        return blocks

    def _compare(self, shower: Rpc, blocks: tuple[LightBlock, ...]) -> None:
        """Refuse (`receipt.conflict`, with the evidence) where another validator shows another header that holds."""
        last = blocks[-1]
        if self._compared.get(last.header.height) == last.header.hash:
            return
        trusted = trusted_block(blocks[-2]) if len(blocks) > 1 else self.anchor.trusted
        for other in self._validators:
            if other is shower:
                continue
            try:
                block = light_block(other, last.header.height)
                verify_next(trusted, block, rules=self._rules)
            except Refusal:
                continue  # who shows nothing, or nothing that holds, says nothing against what does
            conflict = conflict_of(last, block)
            if conflict is not None:
                raise Refusal("receipt.conflict", "two headers of one height are signed; validators lied",
                              height=last.header.height, evidence=codec.encode(conflict))  # fmt: skip
            break
        self._compared[last.header.height] = last.header.hash
        if len(self._compared) > PAGE:
            del self._compared[next(iter(self._compared))]


class _Proven:
    """The state below a header as one validator shows it; every value is proved."""

    def __init__(self, rpc: Rpc, header: Header) -> None:
        self._rpc, self._header = rpc, header

    def get(self, space: str, key: bytes) -> bytes | None:
        """See notary.types.Store; raises Refusal `proof.*`."""
        shown = _stored(self._rpc, space, key, self._header.height - 1)
        check_stored(shown, self._header, space, key)
        return shown.value


async def receipt_of(chain: Chain, transaction: bytes, *, height: int, timeout_s: float = 10.0) -> bytes:
    """As `Chain.receipt_of`, without blocking the loop, waiting for the block that commits to the result."""
    ends = asyncio.get_running_loop().time() + timeout_s
    while True:
        try:
            return await asyncio.to_thread(chain.receipt_of, transaction, height=height)
        except Refusal as refusal:
            if refusal.code != "cluster.no-proof" or asyncio.get_running_loop().time() > ends:
                raise
        await asyncio.sleep(POLL_S)


def light_block(rpc: Rpc, height: int) -> LightBlock:
    """A block as one validator shows it, nothing of it verified; Refusal `rpc.*`, `codec.shape`."""
    signed = rpc.call("commit", height=height).get("signed_header") or {}
    validators, more = list[Any](), True
    while more:
        page = rpc.call("validators", height=height, page=len(validators) // PAGE + 1, per_page=PAGE)
        some, total = page.get("validators"), _number(page, "total")
        if not isinstance(some, list) or not some or total > LIMITS.validators_count_max:
            raise unreadable("validators")
        validators += some
        more = len(validators) < total
    return light_block_of(signed, validators)


def _stored(rpc: Rpc, space: str, key: bytes, height: int) -> InState:
    """What the state after a height holds at a key, as one validator shows it; Refusal `rpc.*`."""
    answer = rpc.call("abci_query", path=f"/store/{space}/key", data=key.hex(), height=height, prove=True)
    try:
        found = answer["response"]
        check(not found.get("code"), "rpc.refused", "the validator refused", reason=str(found.get("log"))[:200])
        first, second = (base64.b64decode(each["data"]) for each in found["proofOps"]["ops"])
        value = base64.b64decode(found["value"]) if found.get("value") else None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise unreadable(repr(error)) from error
    return InState(value=value, proofs=(first, second))


def _last_height(rpc: Rpc) -> int:
    return _number(rpc.call("status"), "sync_info", "latest_block_height")


def _number(answer: Any, *names: str) -> int:
    try:
        for name in names:
            answer = answer[name]
        return int(answer)
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable(repr(error)) from error
