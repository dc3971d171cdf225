"""What was worked out about envelopes before they are judged: decoded requests, ids, signatures that verified (pure).

An envelope is verified when it comes in; the block that holds it then costs no signature. No verdict depends on that:
what is not known here is worked out when the judge asks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS, AgreedLimits
from interfirm.ledger.signing import PARTY, check_signature
from interfirm.ledger.types import TransactionSignature
from interfirm.notary.cometbft.envelope import ENVELOPE, Opened, open_envelope
from interfirm.notary.types import Notarise, transaction_in
from interfirm.notary.uniqueness.machine import check_sizes, transaction_of

KNOWN_BYTES_MAX = 128 * 1024 * 1024
"""Envelopes kept, by their encoded size."""


class Work:
    """One envelope, and what was found out about it; objects are told apart by identity, and kept alive here."""

    __slots__ = ("_checked", "_is_signed", "ids", "opened", "valid")

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self._checked: AgreedLimits | None = None
        self.ids: dict[int, bytes] = {}
        self.valid: dict[int, bytes] = {}
        self._is_signed = False

    def check_signed(self) -> None:
        """Refuse an envelope that its requester did not sign."""
        if not self._is_signed:
            check_signature(self.opened.envelope.signature, self.opened.id, purpose=ENVELOPE)
            self._is_signed = True

    def check_transactions(self, limits: AgreedLimits) -> None:
        """Refuse an envelope with a transaction that is over a limit or not signed by whom it says (each once)."""
        if self._checked == limits:
            return
        for asked in self.opened.asked:
            if (request := transaction_in(asked.request)) is not None:
                self._check(request, limits)
        self._checked = limits

    def _check(self, request: Notarise, limits: AgreedLimits) -> None:
        check_sizes(request, limits)
        transaction = self.ids.get(id(request))
        if transaction is None:
            transaction = self.ids[id(request)] = transaction_of(request)
        for signature in request.signatures[: limits.lines_count_max]:
            if id(signature) not in self.valid:
                check_signature(signature, transaction, purpose=PARTY)
                self.valid[id(signature)] = transaction


class Known:
    """The envelopes that came in last, by their bytes; the oldest are forgotten beyond limits of count and bytes."""

    def __init__(self, count_max: int = LIMITS.envelopes_known_count_max, bytes_max: int = KNOWN_BYTES_MAX) -> None:
        self._works: OrderedDict[bytes, Work] = OrderedDict()
        self._count_max, self._bytes_max = count_max, bytes_max
        self._bytes = 0

    def work(self, data: bytes) -> Work:
        """What is known of an envelope, decoded if it was not; Refusal `codec.*`, `envelope.*`."""
        found = self._works.get(data)
        if found is None:
            found = self._works[data] = Work(open_envelope(data))
            self._bytes += len(data)
            while len(self._works) > self._count_max or self._bytes > self._bytes_max:
                _, old = self._works.popitem(last=False)
                self._bytes -= old.opened.size_bytes
        return found

    def forget(self, data: bytes) -> None:
        """An envelope was judged, or will not be."""
        found = self._works.pop(data, None)
        if found is not None:
            self._bytes -= found.opened.size_bytes


class KnownOfBlock:
    """The same for all envelopes of a block, in the form that the judge asks in."""

    def __init__(self, works: Iterable[Work], limits: AgreedLimits) -> None:
        self._ids: dict[int, bytes] = {}
        self._valid: dict[int, bytes] = {}
        for work in works:
            with suppress(Refusal):  # the judge meets it again
                work.check_transactions(limits)
            self._ids |= work.ids
            self._valid |= work.valid

    def identify(self, request: Notarise) -> bytes:
        """As `transaction_of`."""
        return self._ids.get(id(request)) or transaction_of(request)

    def check(self, signature: TransactionSignature, transaction: bytes, purpose: str) -> None:
        """As `check_signature`."""
        if purpose != PARTY or self._valid.get(id(signature)) != transaction:
            check_signature(signature, transaction, purpose=purpose)
