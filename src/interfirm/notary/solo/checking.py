"""What judging a batch needs of each request and nothing else: transaction ids, keys to read, valid signatures.

The judge asks for them while it decides. Where something was worked out ahead it is looked up; what was not, or did
not verify, is worked out when asked, so that no verdict depends on what was done ahead.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.ledger.signing import PARTY, check_signature
from interfirm.ledger.types import CreateEntry, TransactionSignature
from interfirm.notary.types import Asked, Notarise, ref_key, transaction_in
from interfirm.notary.uniqueness.machine import transaction_of


class Checked:
    """Remembers, for one batch, the ids of its requests, by object."""

    def __init__(self) -> None:
        self._ids: dict[int, tuple[Notarise, bytes]] = {}

    def identify(self, request: Notarise) -> bytes:
        """As `transaction_of`."""
        known = self._ids.get(id(request))
        if known is None:
            known = self._ids[id(request)] = (request, transaction_of(request))
        return known[1]

    def check(self, signature: TransactionSignature, transaction: bytes, purpose: str) -> None:
        """As `check_signature`."""
        check_signature(signature, transaction, purpose=purpose)

    def keys(self, requests: Iterable[Asked]) -> list[bytes]:
        """The keys of the state that judging these transactions will ask for: their ids and refs."""
        found = []
        for asked in requests:
            if (request := transaction_in(asked.request)) is not None:
                found.append(self.identify(request))
                found += [
                    ref_key(entry.ref)
                    for entry in request.entries
                    if not isinstance(entry, CreateEntry) and entry.ref.transaction is not None
                ]
        return found


class CheckedFirst(Checked):
    """A batch whose signatures are verified in one go before it is judged.

    Verifying and judging by turns costs a tenth more of both: each finds its code and tables pushed out of the caches.
    """

    def __init__(self, requests: Iterable[Asked]) -> None:
        super().__init__()
        self._valid: dict[int, tuple[TransactionSignature, bytes]] = {}
        transactions = [request for asked in requests if (request := transaction_in(asked.request)) is not None]
        ids = [self.identify(request) for request in transactions]
        for request, transaction in zip(transactions, ids, strict=True):
            for signature in request.signatures[: LIMITS.lines_count_max]:
                with suppress(Refusal):  # the judge meets it again, if it comes to that
                    check_signature(signature, transaction, purpose=PARTY)
                    self._valid[id(signature)] = (signature, transaction)

    def check(self, signature: TransactionSignature, transaction: bytes, purpose: str) -> None:
        """As `check_signature`."""
        known = self._valid.get(id(signature))
        if known is None or known[1] != transaction or purpose != PARTY:
            super().check(signature, transaction, purpose)
