"""Work done ahead of judging, on other cores: transaction ids and signatures, which depend on nothing but the request.

The judge asks for them while it decides. What was not worked out ahead, or did not verify, is worked out again there,
so that no verdict depends on what was done ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.ledger.signing import PARTY, check_signature
from interfirm.ledger.types import TransactionSignature
from interfirm.notary.types import Asked, Notarise
from interfirm.notary.uniqueness.machine import transaction_of


class Checked:
    """What is known of some requests and signatures, as objects: equal ones are worked out again."""

    def __init__(self) -> None:
        self._ids: dict[int, tuple[Notarise, bytes]] = {}
        self._valid: dict[int, tuple[TransactionSignature, bytes, str]] = {}

    def identify(self, request: Notarise) -> bytes:
        """The transaction id of a request."""
        known = self._ids.get(id(request))
        return transaction_of(request) if known is None else known[1]

    def check(self, signature: TransactionSignature, transaction: bytes, purpose: str) -> None:
        """As `check_signature`."""
        known = self._valid.get(id(signature))
        if known is None or known[1] != transaction or known[2] != purpose:
            check_signature(signature, transaction, purpose=purpose)

    def learn(self, request: Notarise) -> None:
        """Work out a request's id and which of its signatures are valid."""
        transaction = transaction_of(request)
        self._ids[id(request)] = (request, transaction)
        for signature in request.signatures[: LIMITS.lines_count_max]:
            with suppress(Refusal):  # the judge meets it again, when it matters
                check_signature(signature, transaction, purpose=PARTY)
                self._valid[id(signature)] = (signature, transaction, PARTY)

    def join(self, other: Checked) -> None:
        """Take over what another has worked out."""
        self._ids.update(other._ids)
        self._valid.update(other._valid)


def check_ahead(requests: Iterable[Asked]) -> Checked:
    """Work out what can be of these requests."""
    checked = Checked()
    for asked in requests:
        if isinstance(asked.request, Notarise):
            checked.learn(asked.request)
    return checked


def joined(parts: Sequence[Checked]) -> Checked:
    """All that the parts know."""
    whole = Checked()
    for part in parts:
        whole.join(part)
    return whole
