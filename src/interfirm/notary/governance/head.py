"""What is in force: the head of governance in the state, the parameters and the epoch at a height (pure)."""

from __future__ import annotations

from functools import lru_cache

from interfirm.base import codec
from interfirm.notary.governance.parameters import Parameters, parameters_of
from interfirm.notary.governance.types import Head
from interfirm.notary.state import GOVERNANCE, Overlay
from interfirm.notary.types import Store

HEAD = b"head"
_BEGINNING = Head()


def head_of(state: Store) -> Head:
    """The head as the last change left it."""
    data = state.get(GOVERNANCE, HEAD)
    return _BEGINNING if data is None else _head(data)


@lru_cache(maxsize=64)
def _head(data: bytes) -> Head:
    return codec.decode(data, Head)


def put_head(head: Head, state: Overlay) -> None:
    """Keep a head."""
    state.put(GOVERNANCE, HEAD, codec.encode(head))


def parameters_at(head: Head, height: int) -> Parameters:
    """The parameters by which the block at a height, the next one, is judged."""
    return parameters_of(coming(head) if begins_epoch(head, height) else head.settings)


def coming(head: Head) -> dict[str, int]:
    """The settings of the next epoch."""
    return head.settings | head.pending


def begins_epoch(head: Head, height: int) -> bool:
    """Whether a new epoch begins at a height after the one that the head's own epoch began at."""
    passed = height - head.epoch_from
    return passed > 0 and passed % _heights(head) == 0


def epoch_at(head: Head, height: int) -> int:
    """The number of the epoch that a height belongs to."""
    return head.epoch + max(0, height - head.epoch_from) // _heights(head)


def next_epoch_from(head: Head, height: int) -> int:
    """The first height of the epoch after the one that a height belongs to."""
    return head.epoch_from + (max(0, height - head.epoch_from) // _heights(head) + 1) * _heights(head)


def _heights(head: Head) -> int:
    return parameters_of(head.settings)["epoch_heights"]
