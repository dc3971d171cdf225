"""Who wants to know is told after each commit of which templates contracts came or changed."""

from __future__ import annotations

from collections.abc import Callable

from interfirm.api.feed import Changed
from interfirm.contracts.packages import Engine
from interfirm.contracts.types import ContractRef, TemplateId, walk
from interfirm.ledger.verification import Verified
from interfirm.node.services import Services
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import StoredMove


class Changing:
    """Notes what a turn records, and tells of it once the turn is committed.

    What a turn that is rolled back noted is told with the next: whoever looks finds nothing new, and no harm is done.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._noted: set[TemplateId] = set()
        self._told: list[Changed] = []

    def note(self, services: Services, turn: Turn, verified: Verified, now_ms: int) -> None:
        """A transaction is recorded (see services.Recorded)."""
        self._noted.update(action.template for action in walk(verified.actions))

    def note_move(self, turn: Turn, move: StoredMove, arrived: ContractRef, now_ms: int) -> None:
        """A contract has come to another notary (see node.moves.Moved)."""
        there = turn.contract(arrived)
        if there is not None:
            self._noted.add(there.template)

    def subscribe(self, changed: Changed) -> Callable[[], None]:
        """Tell of every commit that brings or changes contracts, until what is given back is called."""
        self._told.append(changed)

        def end() -> None:
            if changed in self._told:
                self._told.remove(changed)

        return end

    def tell(self) -> None:
        """The turn is committed."""
        if not self._noted:
            return
        noted, self._noted = self._noted, set()
        paths = frozenset(self._engine.path_of(template) for template in noted)
        for changed in list(self._told):
            changed(paths)
