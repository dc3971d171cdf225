"""The part of a turn that keeps flows: records, journals, timers, requests to notaries, questions to people."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from interfirm.base.errors import Refusal, check
from interfirm.node.vault.statements import Row, put
from interfirm.node.vault.tables import flows, inbox, journal, notary_requests, timers
from interfirm.node.vault.types import FlowRecord, FlowState, InboxItem, InboxState, NotaryRequest, Timer
from interfirm.node.vault.work import VaultWork

_pack = msgspec.msgpack.encode
_unpack = msgspec.msgpack.decode
DUE_COUNT = 1024
"""How many due timers or requests are taken at once; the rest stays due."""
ALL = 2**31 - 1

_PUT_FLOW, _PUT_TIMER, _PUT_REQUEST, _PUT_INBOX = put(flows), put(timers), put(notary_requests), put(inbox)
_FLOW = sa.select(flows).where(flows.c.id == sa.bindparam("of"))
_APPEND = sa.insert(journal)
_JOURNAL = sa.select(journal.c.entry).where(journal.c.flow == sa.bindparam("of")).order_by(journal.c.n)
_DELETE_JOURNAL = sa.delete(journal).where(journal.c.flow == sa.bindparam("of"))
_CLEAR_TIMER = sa.delete(timers).where(timers.c.flow == sa.bindparam("of"), timers.c.key == sa.bindparam("at"))
_TIMERS_DUE = (
    sa.select(timers.c.flow, timers.c.at_ms, timers.c.key)
    .where(timers.c.at_ms <= sa.bindparam("now_ms"))
    .order_by(timers.c.at_ms, timers.c.flow, timers.c.key)
    .limit(sa.bindparam("limit"))
)
_NEXT_TIMER = sa.select(sa.func.min(timers.c.at_ms))
_REQUEST = sa.select(notary_requests).where(notary_requests.c.id == sa.bindparam("of"))
_DELETE_REQUEST = sa.delete(notary_requests).where(notary_requests.c.id == sa.bindparam("of"))
_REQUESTS_DUE = (
    sa.select(notary_requests)
    .where(notary_requests.c.next_ms <= sa.bindparam("now_ms"))
    .order_by(notary_requests.c.next_ms, notary_requests.c.id)
    .limit(sa.bindparam("limit"))
)
_NEXT_REQUEST = sa.select(sa.func.min(notary_requests.c.next_ms))
_ITEM = sa.select(inbox).where(inbox.c.id == sa.bindparam("of"))
_SET_ITEM = (
    sa.update(inbox)
    .where(inbox.c.id == sa.bindparam("of"))
    .values(state=sa.bindparam("to_state"), reason=sa.bindparam("to_reason"))
)


def _listing(
    table: sa.Table, time: sa.Column[int], *, by_state: bool, newest_first: bool, going_on: bool
) -> sa.Select[tuple[object, ...]]:
    """A part of a table in the order of (time, id), after the row with the time and id given."""
    key = sa.tuple_(time, table.c.id)
    place = sa.tuple_(sa.bindparam("after_ms"), sa.bindparam("after"))
    statement = sa.select(table).limit(sa.bindparam("limit"))
    if by_state:
        statement = statement.where(table.c.state == sa.bindparam("of"))
    if going_on:
        statement = statement.where(key < place if newest_first else key > place)
    order = (time.desc(), table.c.id.desc()) if newest_first else (time, table.c.id)
    return statement.order_by(*order)


_CHOICES = [(a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)]
_FLOWS = {c: _listing(flows, flows.c.started_ms, by_state=c[0], newest_first=c[1], going_on=c[2]) for c in _CHOICES}
_ITEMS = {c: _listing(inbox, inbox.c.created_ms, by_state=c[0], newest_first=c[1], going_on=c[2]) for c in _CHOICES}


class Flows(VaultWork):
    """Durable flows and what they wait for."""

    def put_flows(self, flows: Iterable[FlowRecord]) -> None:
        """Keep flows' records, in place of earlier ones."""
        self.write_many(_PUT_FLOW, map(msgspec.structs.asdict, flows))

    def put_flow(self, flow: FlowRecord) -> None:
        """Keep one flow's record."""
        self.put_flows((flow,))

    def flow(self, id: str) -> FlowRecord | None:
        """The flow with this id."""
        row = self.row(_FLOW, of=id)
        return None if row is None else FlowRecord(*row)

    def flows(
        self,
        *,
        state: FlowState | None = None,
        after: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[FlowRecord]:
        """Flows by their start, all or those in one state, after the one with id `after`; Refusal `vault.cursor`."""
        earlier = self.flow(after) if after else None
        check(earlier is not None or not after, "vault.cursor", "a list goes on after a flow that is in it", flow=after)
        place = {"after_ms": earlier.started_ms, "after": after} if earlier else {}
        of = {} if state is None else {"of": state}
        statement = _FLOWS[state is not None, newest_first, earlier is not None]
        return [FlowRecord(*row) for row in self.rows(statement, limit=limit or ALL, **place, **of)]

    def journal_append(self, entries: Iterable[tuple[str, int, bytes]]) -> None:
        """Add entries (flow, number, entry) to journals; entries are never changed."""
        self.write_many(_APPEND, ({"flow": flow, "n": n, "entry": entry} for flow, n, entry in entries))

    def journal(self, flow: str) -> list[bytes]:
        """All entries of a flow's journal in their order."""
        return [row[0] for row in self.rows(_JOURNAL, of=flow)]

    def delete_journal(self, flow: str) -> None:
        """Forget the journal of a flow that has ended."""
        self.write(_DELETE_JOURNAL, {"of": flow})

    # timers -------------------------------------------------------------------------------------------------------

    def set_timer(self, timer: Timer) -> None:
        """Wake a flow at an instant; the same flow and key again moves it."""
        self.write(_PUT_TIMER, {"flow": timer.flow, "key": timer.key, "at_ms": timer.at_ms})

    def clear_timer(self, flow: str, key: str) -> None:
        """Forget a timer; one that is not there is no trouble."""
        self.write(_CLEAR_TIMER, {"of": flow, "at": key})

    def timers_due(self, now_ms: int) -> list[Timer]:
        """Timers whose instant has come, earliest first, at most `DUE_COUNT`."""
        return [Timer(*row) for row in self.rows(_TIMERS_DUE, now_ms=now_ms, limit=DUE_COUNT)]

    def next_timer_ms(self) -> int | None:
        """When the next timer is due."""
        return _only(self.row(_NEXT_TIMER))

    # requests to notaries -----------------------------------------------------------------------------------------

    def put_notary_request(self, request: NotaryRequest) -> None:
        """Keep a request until it is answered, in place of an earlier one."""
        self.write(_PUT_REQUEST, msgspec.structs.asdict(request))

    def notary_request(self, id: bytes) -> NotaryRequest | None:
        """The request with this id, if it has not been answered."""
        row = self.row(_REQUEST, of=id)
        return None if row is None else NotaryRequest(*row)

    def delete_notary_request(self, id: bytes) -> None:
        """Forget a request that was answered."""
        self.write(_DELETE_REQUEST, {"of": id})

    def notary_requests_due(self, now_ms: int) -> list[NotaryRequest]:
        """Requests to be sent again, the longest due first, at most `DUE_COUNT`."""
        return [NotaryRequest(*row) for row in self.rows(_REQUESTS_DUE, now_ms=now_ms, limit=DUE_COUNT)]

    def next_notary_request_ms(self) -> int | None:
        """When the next request is to be sent again."""
        return _only(self.row(_NEXT_REQUEST))

    # questions to people ------------------------------------------------------------------------------------------

    def put_inbox(self, item: InboxItem) -> None:
        """Keep a question to a person, in place of an earlier one."""
        self.write(_PUT_INBOX, {**msgspec.structs.asdict(item), "summary": _pack(item.summary)})

    def inbox_item(self, id: str) -> InboxItem | None:
        """The question with this id."""
        row = self.row(_ITEM, of=id)
        return None if row is None else _item(row)

    def inbox(
        self,
        *,
        state: InboxState | None = "open",
        after: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[InboxItem]:
        """Questions by age, those in one state or all, after the one with id `after`; Refusal `vault.cursor`."""
        earlier = self.inbox_item(after) if after else None
        check(earlier is not None or not after, "vault.cursor", "a list goes on after a row that is in it", item=after)
        place = {"after_ms": earlier.created_ms, "after": after} if earlier else {}
        of = {} if state is None else {"of": state}
        statement = _ITEMS[state is not None, newest_first, earlier is not None]
        return [_item(row) for row in self.rows(statement, limit=limit or ALL, **place, **of)]

    def set_inbox(self, id: str, state: InboxState, *, reason: str = "") -> None:
        """Record what a person decided; Refusal `vault.unknown` for an unknown question."""
        if not self.write(_SET_ITEM, {"of": id, "to_state": state, "to_reason": reason}):
            raise Refusal("vault.unknown", "this question is not in the inbox", item=id[:80])


def _only(row: Row | None) -> int | None:
    return None if row is None else row[0]


def _item(row: Row) -> InboxItem:
    id_, flow, kind, summary, created_ms, state, reason = row
    return InboxItem(
        id=id_, flow=flow, kind=kind, summary=_unpack(summary), created_ms=created_ms, state=state, reason=reason
    )
