"""What a desk reads and shows: contracts of the vault, as far as the caller's roles let them be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.time import Instant
from interfirm.contracts import language
from interfirm.contracts.packages import Engine, TemplateCode
from interfirm.contracts.types import ContractRef, TemplateId
from interfirm.node.access.machine import Permission
from interfirm.node.books import Books
from interfirm.node.flows.types import Step
from interfirm.node.forms import Forms, Names, jsonable, ref_text
from interfirm.node.vault.filters import SEARCH, read_where
from interfirm.node.vault.queries import Total
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import FlowRecord, Page, StoredContract, StoredMove
from interfirm.node.vault.where import EVERYTHING, AllOf, Fields, Where

T = TypeVar("T", bound=language.Template)
K = TypeVar("K")


class Reading:
    """The reading half of a desk: everything it gives is what `permission` lets the caller see."""

    books: Books
    engine: Engine
    names: Names
    forms: Forms
    permission: Permission

    def code_of(self, turn: Turn, ref: ContractRef) -> TemplateCode:
        """The template of a contract that this node knows."""
        self.check_kept(turn, ref)
        return self.engine.template(self.books.lookup(turn)(ref).template)

    def contract(self, turn: Turn, ref: ContractRef) -> Any:
        """The typed contract at a ref; Refusal `vault.unknown` also where the caller may not read it."""
        if not self.permission.is_owner and turn.has_contract(ref):
            self.stored(turn, ref)  # before anything else is said of it
        self.check_kept(turn, ref)
        found = self.books.lookup(turn)(ref)
        code = self.engine.template(found.template)
        contract = code.read(found.payload, found.created_in or ref.transaction)
        self._check_readable(turn, code, contract, ref)
        return contract

    def stored(self, turn: Turn, ref: ContractRef) -> StoredContract:
        """What the vault holds of a contract; Refusal `vault.unknown` also where the caller may not read it."""
        found = turn.contract(ref)
        if found is None:
            self.check_kept(turn, ref)
            raise Refusal("vault.unknown", "this contract is not in the vault", ref=ref_text(ref))
        code = self.engine.template(found.template)
        self._check_readable(turn, code, code.read(found.payload, found.created_as.transaction), ref)
        return found

    def check_kept(self, turn: Turn, ref: ContractRef) -> None:
        """Refuse (`vault.archived`) what was moved into an archive, as far as the caller may know of archives.

        Others are told what they are told of contracts that were never here (`vault.unknown`).
        """
        row = turn.archived(ref.transaction or b"")
        if row is None:
            return
        check(self.permission.may("archive.show"), "vault.unknown", "this contract is not in the vault",
              ref=ref_text(ref))  # fmt: skip
        raise Refusal("vault.archived", "this has ended and was moved into an archive", ref=ref_text(ref),
                      archive=row.archive)  # fmt: skip

    def is_readable(self, turn: Turn, code: TemplateCode, contract: Any) -> bool:
        """Whether the caller may read a contract."""
        return self.permission.is_readable(self.template_name(code), fields_of(contract), self.related(turn))

    def is_shown(self, turn: Turn, stored: StoredContract) -> bool:
        """Whether the caller may read a contract of the vault."""
        code = self.engine.template(stored.template)
        return self.is_readable(turn, code, code.read(stored.payload, stored.created_as.transaction))

    def _check_readable(self, turn: Turn, code: TemplateCode, contract: Any, ref: ContractRef) -> None:
        # whoever may not read it does not learn that it is there
        readable = self.permission.is_owner or self.is_readable(turn, code, contract)
        check(readable, "vault.unknown", "this contract is not in the vault", ref=ref_text(ref))

    def related(self, turn: Turn) -> Fields:
        """What rules about rows see of the contracts that fields of type Ref name."""

        def fields(ref: Any) -> Mapping[str, Any] | None:
            found = turn.contract(ContractRef(ref.transaction, ref.index))
            if found is None:
                return None
            code = self.engine.template(found.template)
            return fields_of(code.read(found.payload, found.created_as.transaction))

        return fields

    def read_as(self, turn: Turn, ref: ContractRef, cls: type[T]) -> T:
        """The contract at a ref as an instance of the class that this program imported."""
        return codec.from_plain(codec.plain(self.contract(turn, ref)), cls)

    def every(self, turn: Turn, template: str, *, status: str | None = "active") -> list[tuple[ContractRef, Any]]:
        """All contracts of a template as (ref, typed contract), page by page."""
        found: list[tuple[ContractRef, Any]] = []
        after: str | None = None
        while True:
            page = self.page(turn, template, status=status, after=after, limit=500)
            after = page.next_cursor
            for row in page.rows:
                code = self.engine.template(row.template)
                found.append((row.ref, code.read(row.payload, row.created_as.transaction)))
            if after is None:
                return found

    def every_as(self, turn: Turn, cls: type[T], *, status: str | None = "active") -> list[tuple[ContractRef, T]]:
        """All contracts of an imported template class as (ref, contract)."""
        return [
            (ref, codec.from_plain(codec.plain(found), cls))
            for ref, found in self.every(turn, template_of(cls), status=status)
        ]

    def page(
        self,
        turn: Turn,
        template: str | TemplateCode,
        *,
        status: str | None = "active",
        where: Where = EVERYTHING,
        order_by: str | Sequence[str] | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[StoredContract]:
        """A page of contracts of a template (by name: of all its versions) that the caller may read.

        `where` is what `wanted` gave. Refusal `access.template` where the caller may read none, `access.field` for an
        order by a field that is hidden, and those of `Listing.select`.
        """
        path, among = self._listed(template)
        self.permission.check_fields(path, [order_by] if isinstance(order_by, str) else order_by or ())
        return turn.select(
            among, where=joined(self.rule(path), where), status=status, order_by=order_by, after=after, limit=limit
        )

    def total(
        self, turn: Turn, template: str | TemplateCode, *, status: str | None = "active", where: Where = EVERYTHING
    ) -> Total:
        """How many contracts such pages have in all; Refusal as `page`."""
        path, among = self._listed(template)
        return turn.total(among, where=joined(self.rule(path), where), status=status)

    def rule(self, path: str) -> Where:
        """Which contracts of a template the caller may read; Refusal `access.template` where none may."""
        rule = self.permission.readable(path)
        if rule is None:
            raise Refusal("access.template", "your roles do not let you read these contracts", template=path)
        return rule

    def wanted(self, template: str, where: Any = None, *, search: str | None = None) -> Where:
        """The tree of a filter in JSON (`filters.py`), and of a search in all texts that the caller sees."""
        given = [*([where] if where else []), *([{SEARCH: search}] if search else [])]
        code = self.engine.named(template)
        return joined(*(read_where(code, each, self.forms, self.engine, seen=self.permission) for each in given))

    def _listed(self, template: str | TemplateCode) -> tuple[str, str | TemplateId]:
        if isinstance(template, TemplateCode):
            return self.template_name(template), template.id
        path = self.template_name(self.engine.named(template))
        return path, path

    def readable_templates(self) -> list[TemplateCode]:
        """The templates of which the caller may read some contracts."""
        every = self.engine.templates()
        return [code for code in every if self.permission.readable(self.template_name(code)) is not None]

    def shown_of(self, code: TemplateCode, names: Iterable[str]) -> list[str]:
        """Those of a template's fields that the caller sees."""
        hidden = self.permission.hidden(self.template_name(code))
        return [name for name in names if name not in hidden]

    def shown(self, stored: StoredContract) -> dict[str, Any]:
        """A contract as JSON: ref, template, status, notary, and the fields that the caller sees."""
        code = self.engine.template(stored.template)
        contract = code.read(stored.payload, stored.created_as.transaction)
        return {
            "ref": ref_text(stored.ref),
            "template": self.template_name(code),
            "status": stored.status,
            "notary": self.names.name_of(stored.notary),
            "consumer": stored.consumer.hex() if stored.consumer else None,
            "signatories": [self.names.name_of(p) for p in self.parties(code, contract, stored.signatories)],
            "observers": [self.names.name_of(p) for p in self.parties(code, contract, stored.observers)],
            "fields": self.fields(code, contract),
        }

    def parties(self, code: TemplateCode, contract: Any, parties: Iterable[bytes]) -> list[bytes]:
        """Those of a contract's parties that no field alone names which the caller does not see."""
        hidden = self.permission.hidden(self.template_name(code))
        if not hidden:
            return list(parties)
        named = fields_of(contract)
        kept = _named(value for name, value in named.items() if name in hidden)
        kept -= _named(value for name, value in named.items() if name not in hidden)
        return [party for party in parties if party not in kept]

    def fields(self, code: TemplateCode, contract: Any) -> dict[str, Any]:
        """The fields of a contract that the caller sees, as JSON."""
        hidden = self.permission.hidden(self.template_name(code))
        shown: dict[str, Any] = self.forms.write(contract)
        return {name: value for name, value in shown.items() if name not in hidden} if hidden else shown

    def step(self, move: StoredMove) -> dict[str, Any]:
        """A move as JSON: from which notary to which, the refs before and after, until when, how it stands."""
        return {
            "lock": move.lock.hex(), "from": self.names.name_of(move.origin), "to": self.names.name_of(move.target),
            "ref": ref_text(move.ref), "arrives_as": ref_text(ContractRef(move.lock, 0)),
            "until": str(Instant(move.until_ms)), "status": move.status,
        }  # fmt: skip

    def committed(self, turn: Turn, ref: ContractRef, commitments: Sequence[bytes]) -> dict[str, Any]:
        """Which commitments a contract holds, as JSON: ref, template, commitments."""
        stored = turn.contract(ref)
        name = "" if stored is None else self.template_name(self.engine.template(stored.template))
        return {"ref": ref_text(ref), "template": name, "commitments": [each.hex() for each in commitments]}

    def template_name(self, code: TemplateCode) -> str:
        """`folder.Name` of a template."""
        return self.engine.path_of(code.id)


def names_of(order_by: Any) -> list[str]:
    """The fields of an order as people write it: a list, or names with commas; Refusal `vault.order`."""
    names = order_by.split(",") if isinstance(order_by, str) else order_by or []
    fits = isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)
    check(fits, "vault.order", "a list is ordered by names of fields")
    return [name.strip() for name in names]


def joined(*parts: Where) -> Where:
    """All of these."""
    some = [part for part in parts if part != EVERYTHING]
    return some[0] if len(some) == 1 else AllOf(tuple(some))


def within(values: Iterable[Any], kind: type[K]) -> Iterator[K]:
    """The values of a kind among typed values, however deep."""
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, kind):
            yield value
        elif isinstance(value, (tuple, list)):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, msgspec.Struct):
            waiting.extend(getattr(value, name) for name in value.__struct_fields__)


def _named(values: Iterable[Any]) -> set[bytes]:
    """The parties that values name, however deep."""
    return {party.id for party in within(values, language.Party)}


def fields_of(contract: Any) -> dict[str, Any]:
    """The typed fields of a contract by name."""
    return {name: getattr(contract, name) for name in contract.__struct_fields__}


def template_of(cls: type[language.Template]) -> str:
    """`folder.Name` of an imported template class."""
    return f"{cls.__module__.split('.')[-2]}.{cls.__name__}"


def shown_flow(record: FlowRecord) -> dict[str, Any]:
    """A flow as JSON: id, kind, state, times, result, steps."""
    result = msgspec.msgpack.decode(record.result) if record.result else None
    steps = msgspec.msgpack.decode(record.progress, type=tuple[Step, ...]) if record.progress else ()
    return {
        "id": record.id,
        "kind": record.kind,
        "state": record.state,
        "started_ms": record.started_ms,
        "changed_ms": record.changed_ms,
        "result": jsonable(result),
        "steps": [shown_step(step) for step in steps],
    }


def shown_step(step: Step) -> dict[str, Any]:
    """A step of progress as JSON."""
    return {
        "name": step.name,
        "state": step.state,
        "waiting_on": step.waiting_on,
        "started_ms": step.started_ms,
        "ended_ms": step.ended_ms,
        "steps": [shown_step(inner) for inner in step.steps],
    }
