"""What rules and holds say of a transaction and the contracts that it made: whether it stays, and why.

A transaction goes with all contracts that it made, or not at all. It may go when every contract that it made has ended,
and its rule lets that one and each that it ended go; no hold covers any of them; and none moved to another notary.
"""

from __future__ import annotations

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.time import DAY_MS
from interfirm.contracts.language import Ref
from interfirm.contracts.packages import TemplateCode
from interfirm.ledger.types import View
from interfirm.node.desk import Desk
from interfirm.node.reading import fields_of, within
from interfirm.node.retention import store
from interfirm.node.retention.types import EVERY, Hold, Why
from interfirm.node.vault.filters import read_where
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import StoredContract, StoredTransaction
from interfirm.node.vault.where import Where
from interfirm.node.vault.where import holds as fits

_UNKNOWN = ("contract.package", "contract.template", "vault.template")


class Policy:
    """The rules and holds of one moment."""

    def __init__(self, desk: Desk, turn: Turn, *, before_ms: int | None = None) -> None:
        """With `before_ms`, only what ended before then may go."""
        self._desk, self._turn = desk, turn
        self._now_ms = desk.now_ms()
        self._before_ms = self._now_ms if before_ms is None else min(before_ms, self._now_ms)
        self._rules = store.rules(turn)
        self.holds = store.holds_in_force(turn)
        self._filters: dict[tuple[str, bytes], Where | None] = {}

    def days_of(self, about: str) -> int | None:
        """How many days this stays after its end; None for ever."""
        rule = self._rules.get(about) or (self._rules.get(EVERY) if "." in about else None)
        return None if rule is None else rule.days

    def is_past(self, about: str, ended_ms: int) -> bool:
        """Whether what ended at a time may go."""
        days = self.days_of(about)
        return days is not None and ended_ms + days * DAY_MS <= self._now_ms and ended_ms < self._before_ms

    def hold_on(self, stored: StoredContract) -> Hold | None:
        """A hold in force that covers a contract."""
        return next((hold for hold in self.holds if self._covers(hold, stored)), None)

    def _covers(self, hold: Hold, stored: StoredContract) -> bool:
        if hold.refs and not {stored.ref, stored.created_as} & set(hold.refs):
            return False
        if hold.party and hold.party not in (*stored.signatories, *stored.observers):
            return False
        if not hold.template:
            return True
        code = self._desk.engine.template(stored.template)
        if self._desk.template_name(code) != hold.template:
            return False
        wanted = self._filter(hold, code)
        contract = code.read(stored.payload, stored.created_as.transaction)
        return wanted is None or fits(wanted, fields_of(contract), self._desk.related(self._turn))

    def _filter(self, hold: Hold, code: TemplateCode) -> Where | None:
        """A hold's filter; None where another version of the template lacks its fields: then all of that is held."""
        key = (hold.name, code.id.package)
        if key not in self._filters:
            try:
                self._filters[key] = filter_of(hold.where, code, self._desk)
            except Refusal:
                self._filters[key] = None
        return self._filters[key]

    def why_stays(self, number: int, stored: StoredTransaction) -> Why | None:
        """Why a transaction stays for its own sake; None where that does not hold it here."""
        if stored.status != "notarised":
            return "pending"
        made = self._turn.numbered_contracts(stored.id)
        last = self._turn.numbers
        if number >= last.transaction or any(place >= last.contract for place, _ in made):
            return "newest"  # numbers are given on from the last one, and none may be given twice
        try:
            return self._why([each for _, each in made], stored)
        except Refusal as refusal:
            if refusal.code not in _UNKNOWN:
                raise
            return "package"

    def _why(self, made: list[StoredContract], stored: StoredTransaction) -> Why | None:
        if any(each.status != "consumed" for each in made):
            return "active"
        ended = self._turn.contracts_consumed_by(stored.id)
        if any(each.origin or self._turn.moves_from(each.ref) for each in (*made, *ended)):
            return "moved"
        if any(self.hold_on(each) for each in (*made, *ended)) or any(hold.is_over_everything for hold in self.holds):
            return "hold"
        times = [(each, self._turn.accepted_ms(each.consumer or b"")) for each in made]
        times += [(each, stored.time_ms) for each in ended]
        past = [time is not None and self.is_past(self._path(each), time) for each, time in times]
        if not times:
            past = [EVERY in self._rules and self.is_past(EVERY, stored.time_ms)]
        return None if all(past) else "rule"

    def _path(self, stored: StoredContract) -> str:
        return self._desk.template_name(self._desk.engine.template(stored.template))

    def uses(self, stored: StoredTransaction) -> set[bytes]:
        """The transactions whose contracts a transaction used, or that contracts which it made name."""
        found = inputs_of(codec.decode(stored.view, View))
        for _, each in self._turn.numbered_contracts(stored.id):
            if each.template.package not in self._desk.engine.packages:
                continue
            code = self._desk.engine.template(each.template)
            contract = code.read(each.payload, each.created_as.transaction)
            found.update(ref.transaction for ref in within(fields_of(contract).values(), Ref) if ref.transaction)
        found.discard(stored.id)
        return found


def filter_of(where: str, code: TemplateCode, desk: Desk) -> Where:
    """A hold's filter over a template's fields; Refusal `filter.*`, `form.value`."""
    return read_where(code, msgspec.json.decode(where), desk.forms, desk.engine)


def inputs_of(view: View) -> set[bytes]:
    """The transactions that made what a view's transaction used, whatever notaries it has been at since."""
    return {origin for each in view.inputs if (origin := each.origin.transaction) is not None}
