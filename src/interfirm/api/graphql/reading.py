"""What fields of a query show: contracts as the caller may read them, and what they refer to, level by level.

The rows of one level are a `Group`: whatever one of them refers to is read for all of them at once, so that a query
asks the database once for each level and not once for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from interfirm.api.graphql.documents import DEFAULT_LIMIT
from interfirm.api.graphql.ports import GraphPort
from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.contracts.types import ContractRef
from interfirm.node.access.types import Caller
from interfirm.node.forms import Names, ref_of, ref_text
from interfirm.node.reading import Reading, fields_of
from interfirm.node.vault.filters import read_where
from interfirm.node.vault.queries import Aggregate, Total
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import StoredContract
from interfirm.node.vault.where import EVERYTHING, AllOf, Where

LIST, SHOW = "contracts.list", "contracts.show"
"""The operations that somebody must be allowed to ask for."""


class Row:
    """One contract; its fields are typed when the first one is asked for."""

    __slots__ = ("contract", "group", "stored", "write")
    contract: Any
    """The typed contract; of an older version of its template it may lack fields."""

    def __init__(self, stored: StoredContract, group: Group) -> None:
        self.stored = stored
        self.group = group
        self.write = group.write

    def __getattr__(self, name: str) -> Any:
        # called for what is not set yet, once: each field of each row asks for the contract
        if name != "contract":
            raise AttributeError(name)
        code = self.group.view.reading.engine.template(self.stored.template)
        self.contract = code.read(self.stored.payload, self.stored.created_as.transaction)
        return self.contract


class Group:
    """The rows of one level, and what was read for all of them."""

    def __init__(self, view: View, stored: Iterable[StoredContract]) -> None:
        self.view = view
        self.write = view.reading.forms.write
        self.rows = [Row(each, self) for each in stored]
        self._read: dict[Any, Any] = {}

    def once(self, key: Any, read: Callable[[], Any]) -> Any:
        """What is read for all rows, once."""
        if key not in self._read:
            self._read[key] = read()
        return self._read[key]


class View:
    """The contracts that one caller may read, in one committed state of the vault."""

    def __init__(self, port: GraphPort, caller: Caller, turn: Turn) -> None:
        self.port = port
        self.caller = caller
        self.turn = turn
        self.reading: Reading = port.reading(caller)
        self.cursor: int | None = None
        """Where a stream goes on; see `arrivals`."""
        self.arrived = 0
        """How many contracts the last answer of a stream had."""
        self.full = False
        """Whether it had as many as it may, so that there may be more."""
        self._rules: dict[str, Where] = {}

    def rule(self, path: str) -> Where:
        """Which contracts of a template may be read; Refusal `access.template` where none may."""
        if path not in self._rules:
            rule = self.reading.permission.readable(path)
            if rule is None:
                raise Refusal("access.template", "your roles do not let you read these contracts", template=path)
            self._rules[path] = rule
        return self._rules[path]

    def where(self, path: str, given: Mapping[str, Any] | None) -> Where:
        """The rule of the caller's roles and the caller's own filter."""
        self.reading.permission.check_operation(LIST)
        rule = self.rule(path)
        if not given:
            return rule
        reading = self.reading
        code = reading.engine.named(path)
        return AllOf((rule, read_where(code, given, reading.forms, reading.engine, seen=reading.permission)))

    def order(self, path: str, order_by: Sequence[Mapping[str, str]] | None) -> list[str]:
        """The names of fields, those with `-` descending."""
        named = [(name, sign) for each in order_by or () for name, sign in each.items()]
        self.reading.permission.check_fields(path, [name for name, _ in named])
        return [f"{sign}{name.removeprefix('_')}" for name, sign in named]

    def page(
        self,
        path: str,
        *,
        where: Any = None,
        order_by: Any = None,
        distinct_on: Any = None,
        status: str = "active",
        limit: int = DEFAULT_LIMIT,
        after: str | None = None,
    ) -> dict[str, Any]:
        """A page of contracts, the cursor of the next, and what its total is made of."""
        wanted, among = self.where(path, where), None if status == "all" else status
        self.reading.permission.check_fields(path, distinct_on or ())
        found = self.turn.select(
            path, where=wanted, status=among, order_by=self.order(path, order_by), distinct_on=distinct_on,
            after=after, limit=limit,
        )  # fmt: skip
        return {
            "rows": Group(self, found.rows).rows, "next": found.next_cursor,
            "total": lambda _: self._total(path, wanted, among),
        }  # fmt: skip

    def _total(self, path: str, where: Where, status: str | None) -> Total:
        return self.turn.total(path, where=where, status=status)

    def one(self, path: str, ref: str) -> Row | None:
        """The contract at a ref; None where it is unknown, of another template or not for the caller."""
        self.reading.permission.check_operation(SHOW)
        found = self._readable(path, self.turn.contracts_named([ref_of(ref)]).values())
        return found.rows[0] if found.rows else None

    def aggregate(self, path: str, where: Where, status: str | None, fields: Sequence[str]) -> Aggregate:
        """How many contracts there are, and what some fields come to."""
        self.reading.permission.check_fields(path, fields)
        return self.turn.aggregate(path, where=where, status=status, fields=fields)

    def referred(self, row: Row, field: str, path: str) -> Row | None:
        """The contract that a field names, if it is known here and for the caller."""
        found: dict[ContractRef, Row] = row.group.once(("to", field), lambda: self._referred(row.group, field, path))
        ref = getattr(row.contract, field, None)
        return None if ref is None else found.get(ContractRef(ref.transaction, ref.index))

    def _referred(self, group: Group, field: str, path: str) -> dict[ContractRef, Row]:
        named = [getattr(row.contract, field, None) for row in group.rows]
        stored = self.turn.contracts_named(ContractRef(ref.transaction, ref.index) for ref in named if ref is not None)
        return {row.stored.ref: row for row in self._readable(path, stored.values()).rows}

    def naming(self, row: Row, path: str, field: str, *, where: Any = None, order_by: Any = None,
               status: str = "active", limit: int = DEFAULT_LIMIT) -> list[Row]:  # fmt: skip
        """The first contracts whose field names this one."""
        key = ("from", path, field, repr((where, order_by, status, limit)))
        read = {"where": where, "order_by": order_by, "status": status, "limit": limit}
        found: dict[ContractRef, list[Row]] = row.group.once(key, lambda: self._naming(row.group, path, field, **read))
        return found[row.stored.ref]

    def _naming(self, group: Group, path: str, field: str, *, where: Any, order_by: Any, status: str, limit: int
                ) -> dict[ContractRef, list[Row]]:  # fmt: skip
        found = self.turn.naming(
            path, field, [row.stored.ref for row in group.rows], where=self.where(path, where),
            status=None if status == "all" else status, order_by=self.order(path, order_by), limit=limit,
        )  # fmt: skip
        rows = iter(Group(self, (each for held in found.values() for each in held)).rows)
        return {ref: [next(rows) for _ in held] for ref, held in found.items()}

    def _readable(self, path: str, stored: Iterable[StoredContract]) -> Group:
        """Those contracts that are of the template and for the caller."""
        reading, rule = self.reading, self.rule(path)
        group = Group(self, (each for each in stored if reading.engine.path_of(each.template) == path))
        if rule != EVERYTHING:
            related = reading.related(self.turn)
            group.rows = [
                row for row in group.rows
                if reading.permission.is_readable(path, fields_of(row.contract), related)
            ]  # fmt: skip
        return group

    def arrivals(self, path: str, *, where: Any = None, after: str | None = None, batch_size: int = DEFAULT_LIMIT
                 ) -> dict[str, Any]:  # fmt: skip
        """The contracts that came after a place, and the place after them; without a place none yet."""
        wanted = self.where(path, where)
        if self.cursor is None:
            self.cursor = self.turn.last_arrival() if after is None else place_of(after)
        found = self.turn.arrivals(path, after=self.cursor, where=wanted, limit=batch_size)
        self.cursor, self.arrived = (found[-1].number if found else self.cursor), len(found)
        self.full = self.arrived == batch_size
        return {"rows": Group(self, (each.contract for each in found)).rows, "cursor": str(self.cursor)}


def place_of(cursor: str) -> int:
    """The place that the cursor of a stream stands for; Refusal `vault.cursor`."""
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise Refusal("vault.cursor", "this is not the cursor of a stream", cursor=cursor[:80])
    return int(cursor)


def _names(row: Row) -> Names:
    return row.group.view.reading.names


def _parties(row: Row, parties: Sequence[bytes]) -> list[str]:
    """The names of those of a contract's parties that the caller sees."""
    reading = row.group.view.reading
    code = reading.engine.template(row.stored.template)
    return [reading.names.name_of(party) for party in reading.parties(code, row.contract, parties)]


ABOUT: Mapping[str, Callable[[Row], Any]] = {
    "_ref": lambda row: ref_text(row.stored.ref),
    "_status": lambda row: row.stored.status,
    "_notary": lambda row: _names(row).name_of(row.stored.notary),
    "_accepted": lambda row: str(Instant(row.stored.time_ms)),
    "_consumer": lambda row: row.stored.consumer.hex() if row.stored.consumer else None,
    "_signatories": lambda row: _parties(row, row.stored.signatories),
    "_observers": lambda row: _parties(row, row.stored.observers),
}
"""What is known of a contract beside its fields, as JSON."""
