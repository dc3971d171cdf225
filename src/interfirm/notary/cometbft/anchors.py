"""What others trust of a cluster, from what it started with; and answers from proofs of its state (pure)."""

from __future__ import annotations

from interfirm.base.time import Instant
from interfirm.ledger.receipts.cometbft import SPACES, Shown, verify_state
from interfirm.ledger.receipts.light import trusted_genesis
from interfirm.ledger.receipts.types import ClusterAnchor
from interfirm.notary import questions
from interfirm.notary.cometbft.types import ClusterGenesis, chain_id
from interfirm.notary.state import Overlay
from interfirm.notary.types import Ask, Said, notary_id

DAY_MS = 24 * 3_600_000
TRUSTING_PERIOD_MS = 365 * DAY_MS
"""Validators are organisations known by name, which guard a key for a year after it was replaced."""


def cluster_anchor(
    genesis: ClusterGenesis, *, time_ns: int = 0, trusting_period_ms: int = TRUSTING_PERIOD_MS
) -> ClusterAnchor:
    """What others trust of the cluster with this genesis: its first validators, whose hash is part of its id.

    `time_ns` is when the chain began, in nanoseconds since 1970; without it, readers with a clock need a later anchor.
    """
    notary = notary_id(genesis)
    return ClusterAnchor(
        notary=notary, network=genesis.network, chain_id=chain_id(notary),
        trusted=trusted_genesis(genesis.validators, time_ns=time_ns), trusting_period_ms=trusting_period_ms,
    )  # fmt: skip


class _Known:
    """A state of which one key is known."""

    def __init__(self, shown: Shown) -> None:
        self._name, self._value = (SPACES[shown.kind], shown.subject), shown.value

    def get(self, space: str, key: bytes) -> bytes | None:
        assert (space, key) == self._name, "a question looks at its own subject"
        return self._value


def said_of(proof: bytes, *, anchor: ClusterAnchor, now_ms: int | None = None) -> Said:
    """What a cluster says, from a proof of its state: the answer to a question at the notary's height and time.

    Raises Refusal as `ledger.receipts.cometbft.verify_state`.
    """
    shown = verify_state(proof, anchor=anchor, now_ms=now_ms)
    question = Ask(kind=shown.kind, subject=shown.subject)
    return questions.answer(question, Overlay(_Known(shown)), shown.height, Instant(shown.time_ms))
