"""From a whole transaction and its signatures to the request that the notary judges.

Whoever sees all of a transaction can make it: its builder from the draft, a signer from the view that shows everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interfirm.base.errors import Refusal
from interfirm.contracts.types import ContractRef
from interfirm.ledger.builder import Draft, claim_openings, confirmers_openings
from interfirm.ledger.types import LineOpening, TransactionSignature
from interfirm.ledger.verification import Verified
from interfirm.notary.types import Notarise

Salts = Callable[[bytes | None, int], bytes]


def request_of(
    whole: Draft | Verified,
    signatures: Sequence[TransactionSignature],
    *,
    salts: Salts | None = None,
    reservations: Sequence[bytes] = (),
    seals: bytes = b"",
) -> Notarise:
    """The request to accept a transaction; `salts` gives the confirmers' salt of an input by transaction id and index.

    A verified view brings the salts itself. Raises Refusal `ledger.partial` for a view that hides a part.
    """
    if isinstance(whole, Verified):
        return _request(whole, signatures, salts or _salts_of(whole), reservations, seals)
    assert salts is not None, "a draft does not hold its inputs"
    return _request(whole, signatures, salts, reservations, seals)


def shows_all(verified: Verified) -> bool:
    """Whether a view hides nothing of its transaction."""
    return all(entry is None for entry in verified.view.entries)


def _request(
    whole: Draft | Verified,
    signatures: Sequence[TransactionSignature],
    salts: Salts,
    reservations: Sequence[bytes],
    seals: bytes,
) -> Notarise:
    nodes, skeleton = whole.nodes, whole.skeleton
    lines = whole.view.lines if isinstance(whole, Verified) else whole.lines
    opened = tuple(line for line in lines if isinstance(line, LineOpening))
    if len(nodes) != len(skeleton.entries) or len(opened) != len(lines):
        raise Refusal("ledger.partial", "only who sees all of a transaction brings it to the notary", shown=len(nodes))
    return Notarise(
        header=skeleton.header,
        entries=tuple(node.entry for node in nodes),
        lines=opened,
        roots=skeleton.roots,
        components=skeleton.components,
        confirmers=confirmers_openings(nodes, salts),
        claims=claim_openings(nodes),
        signatures=tuple(signatures),
        reservations=tuple(reservations),
        seals=seals,
    )


def _salts_of(verified: Verified) -> Salts:
    return lambda transaction, index: verified.inputs[ContractRef(transaction, index)].confirmers_salt
