"""Ancestors of contracts: what others need to believe a contract, and what they gave to have one believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.contracts.types import ContractRef
from interfirm.ledger.authority import history_needed
from interfirm.ledger.builder import Draft
from interfirm.ledger.history import (
    Find,
    History,
    HistoryItem,
    history_of,
    history_to,
    lowest_view,
    needed,
    verify_history,
)
from interfirm.ledger.tree import Node
from interfirm.ledger.types import View
from interfirm.ledger.verification import Verified
from interfirm.node.vault.turn import Turn

if TYPE_CHECKING:
    from interfirm.node.books import Books

_GIVEN = "history-given"
_ITEMS, _ITEM_OF = "history-items", "history-item-of"


class Histories:
    """The histories of one organisation's books. All methods take the turn they read and write in."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def holds(self, turn: Turn, ref: ContractRef) -> bool:
        """Whether somebody gave the history of a contract, which was verified."""
        return turn.blob_get(_ITEM_OF, codec.encode(ref)) is not None

    def given(
        self, turn: Turn, *, after: bytes | None, limit: int
    ) -> tuple[list[tuple[bytes, HistoryItem]], bytes | None]:
        """(transaction, how it came about) of contracts whose history somebody gave; and where the next page begins."""
        rows = turn.blobs(_ITEM_OF, after=after, limit=limit)
        held = [(codec.decode(key, ContractRef), turn.blob_get(_ITEMS, name)) for key, name in rows]
        found = [(ref.transaction or b"", codec.decode(data, HistoryItem)) for ref, data in held if data is not None]
        return found, rows[-1][0] if len(rows) == limit else None

    def behind(self, turn: Turn, whole: Draft | Verified) -> History:
        """How the inputs of a transaction were made whose signatories do not sign it, for who knows nothing of it."""
        wanted = needed(whole, whole.tops) if isinstance(whole, Verified) else self._needed(turn, whole, whole.roots)
        return self._to(turn, wanted, lambda ref: self._item(turn, ref))

    def for_draft(self, turn: Turn, draft: Draft, party: bytes, *, all_of_it: bool = False) -> History:
        """The ancestors that the party needs for its view of a draft and lacks; remembers what was given to whom."""
        return self._given(turn, self._needed(turn, draft, draft.tops[party]), party, all_of_it=all_of_it)

    def _needed(self, turn: Turn, draft: Draft, tops: Sequence[Node]) -> list[ContractRef]:
        scopes = {opening.line.identity: frozenset(opening.line.scope) for opening in draft.lines}
        return [self._books.disclosure(turn, ref).origin for ref in history_needed(tops, scopes)]

    def for_view(self, turn: Turn, view: View, party: bytes) -> History:
        """All ancestors that the party needs for a view."""
        shown = self._books.verified(turn, view)
        return self._given(turn, needed(shown, shown.tops), party, all_of_it=True)

    def _given(self, turn: Turn, wanted: Sequence[ContractRef], party: bytes, *, all_of_it: bool) -> History:
        given: set[ContractRef] = set()

        def find(ref: ContractRef) -> HistoryItem | None:
            if not all_of_it and turn.blob_get(_GIVEN, party + codec.encode(ref)) is not None:
                return None
            given.add(ref)
            return self._item(turn, ref)

        found = self._to(turn, wanted, find)
        for ref in given:
            turn.blob_put(_GIVEN, party + codec.encode(ref), b"")
        return found

    def of_contract(self, turn: Turn, ref: ContractRef) -> History:
        """How a contract was made, and what that rests on, for somebody without it; empty where it is not held here."""
        if not self._holds(turn, ref):
            return ()
        item = self._item(turn, ref)
        books = self._books
        made = HistoryItem(view=lowest_view(books.verified(turn, item.view), ref.index), receipt=item.receipt)
        earlier = history_of(
            made.view, find=lambda each: self._item(turn, each), engine=books.engine, world=books.world(turn),
            network=books.network,
        )  # fmt: skip
        return (*earlier, made)

    def _to(self, turn: Turn, wanted: Sequence[ContractRef], find: Find) -> History:
        books = self._books
        return history_to(wanted, find=find, engine=books.engine, world=books.world(turn), network=books.network)

    def _holds(self, turn: Turn, ref: ContractRef) -> bool:
        return self.holds(turn, ref) or turn.contract(ref) is not None

    def _item(self, turn: Turn, ref: ContractRef) -> HistoryItem:
        name = turn.blob_get(_ITEM_OF, codec.encode(ref))
        data = None if name is None else turn.blob_get(_ITEMS, name)
        if data is not None:
            return codec.decode(data, HistoryItem)
        stored = turn.transaction(ref.transaction or b"")
        if stored is None or not stored.receipt:
            raise Refusal("ledger.history", "the history of an input is not in the vault", index=ref.index)
        return HistoryItem(view=codec.decode(stored.view, View), receipt=stored.receipt)

    def keep(self, turn: Turn, history: History) -> None:
        """Verify ancestors that somebody gave, and keep them: for later views, and to be given on.

        Raises Refusal as `verify_history` does; what was verified before that stays.
        """
        books = self._books
        for item in history:
            made = verify_history((item,), engine=books.engine, world=books.world(turn), network=books.network)
            data = codec.encode(item)
            name = digest("history item", data)
            turn.blob_put(_ITEMS, name, data)
            for ref in sorted(made):
                turn.blob_put(_ITEM_OF, codec.encode(ref), name)
