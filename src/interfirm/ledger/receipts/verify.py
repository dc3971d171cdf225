"""One door for receipts of every kind of notary: what a receipt proves under a trust anchor."""

from __future__ import annotations

from interfirm.base.errors import check
from interfirm.ledger.receipts import cose
from interfirm.ledger.receipts.cometbft import verify_cluster_receipt
from interfirm.ledger.receipts.types import Accepted, Anchor, ClusterAnchor


def verify_receipt(receipt: bytes, *, anchor: Anchor, now_ms: int | None = None) -> Accepted:
    """What the notary of `anchor` accepted, if this is a receipt of it; Refusal `receipt.*`, `codec.*`, `signature.*`.

    With a clock (`now_ms`, milliseconds since 1970), a cluster's anchor must still be within its trusting period, and
    nothing may be of a time to come; a solo notary's key has no such period.
    """
    if isinstance(anchor, ClusterAnchor):
        return verify_cluster_receipt(receipt, anchor=anchor, now_ms=now_ms)
    return cose.verify_receipt(receipt, anchor=anchor)


def verify_receipt_of(transaction: bytes, receipt: bytes, *, anchor: Anchor, now_ms: int | None = None) -> Accepted:
    """As `verify_receipt`, and Refusal `receipt.other` for another transaction's receipt."""
    accepted = verify_receipt(receipt, anchor=anchor, now_ms=now_ms)
    check(accepted.transaction == transaction, "receipt.other", "a receipt of another transaction",
          expected=transaction, found=accepted.transaction)  # fmt: skip
    return accepted
