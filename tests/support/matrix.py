"""What every host of a notary accepts and refuses: each non-empty subset of an input, a reference and a time window."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Protocol

from tests.unit.notary.notaries import HOUR_MS, A, B, Ledger, create, exercise, fetch

from interfirm.base.time import Instant, Window
from interfirm.contracts.types import Action, ContractRef
from interfirm.notary.types import Answer, Done, Notarise, Refused

INPUT, REFERENCE, WINDOW = "input", "reference", "window"
PARTS = (INPUT, REFERENCE, WINDOW)
SUBSETS = tuple(frozenset(some) for size in (1, 2, 3) for some in combinations(PARTS, size))
NAMES = tuple("+".join(sorted(subset)) for subset in SUBSETS)


class Host(Protocol):
    """A notary on whatever host, which knows A and B."""

    ledger: Ledger

    def now(self) -> Instant:
        """About the notary's time."""

    def put(self, *requests: Notarise) -> Sequence[Answer]:
        """The answers, in order."""


def carry_out(host: Host, subset: frozenset[str]) -> None:
    """A transaction of these parts is accepted, twice with one answer; with any one part spoilt it is refused."""
    good = _request(host, subset)
    done, again = *host.put(good), *host.put(good)
    assert isinstance(done, Done), done
    assert again == done
    for part, spoilt in ((INPUT, "consumed"), (REFERENCE, "consumed"), (WINDOW, "too-early"), (WINDOW, "too-late")):
        if part in subset:
            (refused,) = host.put(_request(host, subset, spoilt_part=part, spoilt=spoilt))
            assert isinstance(refused, Refused), (part, refused)
            assert refused.code == f"notary.{spoilt}"


def _request(host: Host, subset: frozenset[str], *, spoilt_part: str = "", spoilt: str = "") -> Notarise:
    actions: list[Action] = []
    if INPUT in subset:
        actions.append(exercise(len(actions), _made(host, consumed=spoilt_part == INPUT), A, B))
    if REFERENCE in subset:
        actions.append(fetch(len(actions), _made(host, consumed=spoilt_part == REFERENCE), A, B))
    now = host.now()
    window = Window(lower=None, upper=now.plus_ms(HOUR_MS))
    if WINDOW in subset:
        begin_ms = {"too-early": HOUR_MS // 2, "too-late": -HOUR_MS}.get(spoilt, -HOUR_MS)
        end_ms = -HOUR_MS // 2 if spoilt == "too-late" else HOUR_MS
        window = Window(lower=now.plus_ms(begin_ms), upper=now.plus_ms(end_ms))
    return host.ledger.request(*(actions or [create(0, A, B)]), at=window)


def _made(host: Host, *, consumed: bool) -> ContractRef:
    at = Window(lower=None, upper=host.now().plus_ms(HOUR_MS))
    (done,) = host.put(host.ledger.request(create(0, A, B), at=at))
    assert isinstance(done, Done), done
    ref = ContractRef(done.id, 0)
    if consumed:
        (ended,) = host.put(host.ledger.request(exercise(0, ref, A, B), at=at))
        assert isinstance(ended, Done), ended
    return ref
