"""What a notary can check of other notaries' words, from their anchors: receipts and statements, offline.

A host knows some anchors beforehand; what voters decided, which the state keeps, goes before them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from interfirm.base.errors import Refusal
from interfirm.ledger.receipts.types import Anchor, ClusterAnchor, NotaryAnchor
from interfirm.ledger.receipts.verify import verify_receipt
from interfirm.notary.cometbft.anchors import said_of
from interfirm.notary.evidence import machine as evidence
from interfirm.notary.neighbours import machine as neighbours
from interfirm.notary.questions import check_statement
from interfirm.notary.types import Abroad, Genesis, Said, Store, notary_id

T = TypeVar("T")


def anchor_of(genesis: Genesis) -> NotaryAnchor:
    """What others trust of the solo notary with this genesis."""
    return NotaryAnchor(notary=notary_id(genesis), network=genesis.network, key=genesis.key)


class Anchors:
    """Other notaries' words, believed by the anchors given; Refusal `notary.stranger` for a notary without one."""

    def __init__(self, anchors: Iterable[Anchor] = (), *, now_ms: int | None = None) -> None:
        """With a time, clusters' headers are judged by it too, as in `ledger.receipts.cometbft.verify_walk`."""
        self._anchors = {anchor.notary: anchor for anchor in anchors}
        self._now_ms = now_ms

    def check_known(self, notary: bytes) -> None:
        """Refuse (`notary.stranger`) a notary without an anchor."""
        self._anchor(notary)

    def receipt(self, notary: bytes, receipt: bytes) -> bytes:
        """The id that a receipt of `notary` proves accepted; Refusal `receipt.*` where it proves nothing."""
        return verify_receipt(receipt, anchor=self._anchor(notary), now_ms=self._now_ms).transaction

    def statement(self, notary: bytes, statement: bytes) -> Said:
        """What `notary` said, signed by its key or shown by a cluster's state.

        Refusal `signature.invalid` or `notary.other-notary` where it is not its word; of a cluster, those of `said_of`.
        """
        anchor = self._anchor(notary)
        if isinstance(anchor, ClusterAnchor):
            return said_of(statement, anchor=anchor, now_ms=self._now_ms)
        return check_statement(statement, notary, anchor.key)

    def _anchor(self, notary: bytes) -> Anchor:
        anchor = self._anchors.get(notary)
        if anchor is None:
            raise Refusal("notary.stranger", "this notary's key is not known here", notary=notary)
        return anchor


class Believing:
    """Other notaries' words by the votes that a state keeps, and where there were none, as a host takes them.

    Not of one that was convicted (Refusal `notary.two-faced`), nor of one that was forgotten (`notary.stranger`).
    `now_ms` is the time of the block that is judged; without it, headers are not judged by any.
    """

    def __init__(self, abroad: Abroad, state: Store, *, now_ms: int | None) -> None:
        self._abroad, self._state, self._now_ms = abroad, state, now_ms

    def check_known(self, notary: bytes) -> None:
        """See `Abroad`."""
        self._judged(notary, lambda abroad: abroad.check_known(notary))

    def receipt(self, notary: bytes, receipt: bytes) -> bytes:
        """See `Abroad`."""
        return self._judged(notary, lambda abroad: abroad.receipt(notary, receipt))

    def statement(self, notary: bytes, statement: bytes) -> Said:
        """See `Abroad`."""
        return self._judged(notary, lambda abroad: abroad.statement(notary, statement))

    def _judged(self, notary: bytes, judge: Callable[[Abroad], T]) -> T:
        evidence.check_honest(notary, self._state)
        kept = neighbours.kept_of(notary, self._state)
        if kept is None:
            return judge(self._abroad)
        return neighbours.believing(kept, lambda anchor: judge(Anchors((anchor,), now_ms=self._now_ms)))
