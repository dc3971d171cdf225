"""From a built transaction and its signatures to the request that the notary judges."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interfirm.ledger.builder import Draft, claim_openings, confirmers_openings
from interfirm.ledger.types import TransactionSignature
from interfirm.notary.types import Notarise


def request_of(
    draft: Draft,
    signatures: Sequence[TransactionSignature],
    *,
    salts: Callable[[bytes | None, int], bytes],
    reservations: Sequence[bytes] = (),
    seals: bytes = b"",
) -> Notarise:
    """The request to accept a draft; `salts` gives the confirmers' salt of an input by transaction id and index."""
    return Notarise(
        header=draft.header,
        entries=tuple(node.entry for node in draft.nodes),
        lines=draft.lines,
        roots=draft.skeleton.roots,
        components=draft.skeleton.components,
        confirmers=confirmers_openings(draft, salts),
        claims=claim_openings(draft),
        signatures=tuple(signatures),
        reservations=tuple(reservations),
        seals=seals,
    )
