"""What a notary can check of other notaries' words, from their anchors: receipts and statements, offline."""

from __future__ import annotations

from collections.abc import Iterable

from interfirm.base.errors import Refusal
from interfirm.ledger.receipts.types import Anchor, ClusterAnchor, NotaryAnchor
from interfirm.ledger.receipts.verify import verify_receipt
from interfirm.notary.cometbft.anchors import said_of
from interfirm.notary.machine import notary_id
from interfirm.notary.questions import check_statement
from interfirm.notary.types import Genesis, Said


def anchor_of(genesis: Genesis) -> NotaryAnchor:
    """What others trust of the solo notary with this genesis."""
    return NotaryAnchor(notary=notary_id(genesis), network=genesis.network, key=genesis.key)


class Anchors:
    """Other notaries' words, believed by the anchors given; Refusal `notary.stranger` for a notary without one."""

    def __init__(self, anchors: Iterable[Anchor] = ()) -> None:
        self._anchors = {anchor.notary: anchor for anchor in anchors}

    def receipt(self, notary: bytes, receipt: bytes) -> bytes:
        """The id that a receipt of `notary` proves accepted; Refusal `receipt.*` where it proves nothing."""
        return verify_receipt(receipt, anchor=self._anchor(notary)).transaction

    def statement(self, notary: bytes, statement: bytes) -> Said:
        """What `notary` said, signed by its key or shown by a cluster's state.

        Refusal `signature.invalid` or `notary.other-notary` where it is not its word; of a cluster, those of `said_of`.
        """
        anchor = self._anchor(notary)
        if isinstance(anchor, ClusterAnchor):
            return said_of(statement, anchor=anchor)
        return check_statement(statement, notary, anchor.key)

    def _anchor(self, notary: bytes) -> Anchor:
        anchor = self._anchors.get(notary)
        if anchor is None:
            raise Refusal("notary.stranger", "this notary's key is not known here", notary=notary)
        return anchor
