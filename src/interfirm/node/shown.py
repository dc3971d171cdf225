"""Which transactions an organisation shows to which notary whole: those that touch templates it named.

A notary that re-executes needs all of a transaction. To show that is the organisation's own choice, because a notary
otherwise sees no business content; without a word nothing is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from interfirm.base import codec

if TYPE_CHECKING:
    from interfirm.node.vault.turn import Turn

ALL = "*"
"""In the place of templates: every transaction."""
_SHOWN = "shown-whole"


def shown_to(turn: Turn, notary: bytes) -> tuple[str, ...]:
    """The templates (`folder.Name`, or ALL) whose transactions this notary is shown whole."""
    data = turn.blob_get(_SHOWN, notary)
    return () if data is None else tuple(codec.decode_plain(data))


def show_to(turn: Turn, notary: bytes, templates: Iterable[str]) -> None:
    """Show this notary from now on the transactions that touch these templates whole, and no others."""
    turn.blob_put(_SHOWN, notary, codec.encode_plain(sorted(set(templates))))


def is_shown(turn: Turn, notary: bytes, templates: Iterable[str]) -> bool:
    """Whether a transaction that touches these templates is brought whole to this notary.

    They are looked at only where the notary is shown anything.
    """
    shown = shown_to(turn, notary)
    return bool(shown) and (ALL in shown or any(template in shown for template in templates))
