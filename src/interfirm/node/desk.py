"""Everything a person or system may ask of a node, by name: the one set of operations behind every door.

An operation reads the vault and answers at once with JSON-ready data, or names a flow to start and be waited for.
Business modules add their own operations (`commands.py` in their folder). Refusals carry their codes to the door.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.time import Day, Instant
from interfirm.base.values import Value
from interfirm.contracts import language
from interfirm.contracts.packages import TemplateCode
from interfirm.contracts.types import Command, ContractRef, CreateCommand, ExerciseCommand
from interfirm.ledger.private import commit_private
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.messages import PrivateValue
from interfirm.node.flows.types import AnsweredPerson, AskedCancel, AskedFlow, AskedKill, AskedRetry, Step
from interfirm.node.forms import Forms, Names, jsonable, read_instant, ref_text
from interfirm.node.services import Services
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import FlowRecord, StoredContract, StoredMove
from interfirm.node.vault.vault import Vault

T = TypeVar("T", bound=language.Template)


class Start(Value, frozen=True):
    """Start this flow (or hand in this event), and answer with what it comes to."""

    event: AskedFlow | AnsweredPerson | AskedCancel | AskedKill | AskedRetry
    privates: tuple[PrivateValue, ...] = ()


Answer = dict[str, Any] | Start
Operation = Callable[["Desk", dict[str, Any]], Answer]


class Desk:
    """The operations of one node."""

    def __init__(
        self,
        vault: Vault,
        services: Services,
        names: Names,
        *,
        now_ms: Callable[[], int],
        operations: Mapping[str, Operation],
    ) -> None:
        self.vault = vault
        self.services = services
        self.books = services.books
        self.engine = services.books.engine
        self.names = names
        self.now_ms = now_ms
        self.forms = Forms(names, self._commit)
        self.operations = operations

    @property
    def me(self) -> bytes:
        """This organisation's identity id."""
        return self.books.keys.identity

    def handle(self, name: str, arguments: dict[str, Any]) -> Answer:
        """Carry an operation out; Refusal `desk.operation` where there is none of this name."""
        operation = self.operations.get(name)
        if operation is None:
            raise Refusal(
                "desk.operation", "there is no such operation", operation=name[:80], known=sorted(self.operations)
            )
        return operation(self, arguments)

    # starting what changes the ledger ---------------------------------------------------------------------------

    def create_command(self, template: str, fields: Mapping[str, Any], privates: list[PrivateValue]) -> CreateCommand:
        """The command that creates a contract from JSON fields."""
        code = self.engine.named(template)
        missing = [n for n in code.fields if n not in fields and n in code.required]
        unknown = [n for n in fields if n not in code.fields]
        if missing or unknown:
            raise Refusal(
                "form.fields", "fields are missing or unknown", template=template, missing=missing, unknown=unknown
            )
        typed = {n: self.forms.read(code.fields[n], v, at=n, privates=privates) for n, v in fields.items()}
        return CreateCommand(template=code.id, payload=codec.plain(code.cls(**typed)))

    def exercise_command(
        self, turn: Turn, ref: ContractRef, choice: str, arguments: Mapping[str, Any], privates: list[PrivateValue]
    ) -> ExerciseCommand:
        """The command that exercises a choice with JSON arguments."""
        code = self.code_of(turn, ref)
        chosen = code.choices.get(choice)
        if chosen is None:
            raise Refusal(
                "contract.choice", "the template has no such choice", choice=choice, choices=list(code.choices)
            )
        unknown = [n for n in arguments if n not in chosen.parameters]
        if unknown:
            raise Refusal(
                "form.fields", "the choice takes other arguments", takes=list(chosen.parameters), unknown=unknown
            )
        typed = {n: self.forms.read(chosen.parameters[n], v, at=n, privates=privates) for n, v in arguments.items()}
        if "on" in chosen.parameters and "on" not in typed and chosen.parameters["on"] is Day:
            typed["on"] = self.today()
        return ExerciseCommand(ref=ref, template=code.id, choice=choice, arguments=chosen.arguments_plain(typed))

    def code_of(self, turn: Turn, ref: ContractRef) -> TemplateCode:
        """The template of a contract that this node knows."""
        return self.engine.template(self.books.lookup(turn)(ref).template)

    def contract(self, turn: Turn, ref: ContractRef) -> Any:
        """The typed contract at a ref."""
        found = self.books.lookup(turn)(ref)
        return self.engine.template(found.template).read(found.payload, found.created_in or ref.transaction)

    def read_as(self, turn: Turn, ref: ContractRef, cls: type[T]) -> T:
        """The contract at a ref as an instance of the class that this program imported."""
        return codec.from_plain(codec.plain(self.contract(turn, ref)), cls)

    def every_as(self, turn: Turn, cls: type[T], *, status: str | None = "active") -> list[tuple[ContractRef, T]]:
        """All contracts of an imported template class as (ref, contract)."""
        return [
            (ref, codec.from_plain(codec.plain(found), cls))
            for ref, found in self.every(turn, template_of(cls), status=status)
        ]

    def creation(self, contract: language.Template) -> CreateCommand:
        """The command that creates a contract made from an imported class."""
        return CreateCommand(template=self.engine.named(template_of(type(contract))).id, payload=codec.plain(contract))

    def choice(self, turn: Turn, ref: ContractRef, choice: str, **arguments: Any) -> ExerciseCommand:
        """The command that exercises a choice with typed arguments."""
        code = self.code_of(turn, ref)
        chosen = code.choices[choice]
        return ExerciseCommand(ref=ref, template=code.id, choice=choice, arguments=chosen.arguments_plain(arguments))

    def today(self) -> Day:
        """The day on this node's clock, UTC."""
        return Instant(self.now_ms()).day()

    def submit(
        self,
        commands: Sequence[Command],
        *,
        request: str,
        arguments: Mapping[str, Any] | None = None,
        privates: Sequence[PrivateValue] = (),
        note: str = "",
    ) -> Start:
        """Start the exercise flow for commands; `request` is the client's id, so asking twice is harmless.

        Unless the caller says otherwise, the transaction may be accepted from the beginning of the present day on: so
        what contracts allow from a day on is allowed on that day.
        """
        given = arguments or {}
        asked = ExerciseArguments(
            commands=tuple(commands),
            lower_ms=self.today().start().ms if given.get("not_before") is None else moment_of(given["not_before"]),
            upper_ms=moment_of(given.get("until")),
            notary=None if given.get("notary") is None else self.names.notary_of(text_of(given, "notary")),
            unreachable=tuple(self.names.identity_of(name) for name in given.get("unreachable", [])),
            note=note or str(given.get("note", "")),
        )
        event = AskedFlow(id=request, kind="exercise", arguments=msgspec.msgpack.encode(asked))
        return Start(event=event, privates=tuple(privates))

    def request_id(self, arguments: Mapping[str, Any]) -> str:
        """The client's request id, or a fresh one."""
        given = str(arguments.get("request", ""))
        if len(given) > 100:
            raise Refusal("desk.request", "a request id has at most 100 characters", chars=len(given))
        return given or self.services.random(16).hex()

    def _commit(self, value: Any, subject: str) -> PrivateValue:
        salt = self.services.random(32)
        return PrivateValue(commitment=commit_private(salt, value), subject=subject, value=value, salt=salt)

    # showing ------------------------------------------------------------------------------------------------------

    def shown(self, stored: StoredContract) -> dict[str, Any]:
        """A contract as JSON: ref, template, status, notary, fields."""
        code = self.engine.template(stored.template)
        return {
            "ref": ref_text(stored.ref),
            "template": self.template_name(code),
            "status": stored.status,
            "notary": self.names.name_of(stored.notary),
            "consumer": stored.consumer.hex() if stored.consumer else None,
            "signatories": [self.names.name_of(p) for p in stored.signatories],
            "observers": [self.names.name_of(p) for p in stored.observers],
            "fields": self.forms.write(code.read(stored.payload, stored.created_as.transaction)),
        }

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

    def page(
        self,
        turn: Turn,
        template: str,
        *,
        status: str | None = "active",
        where: Mapping[str, Any] | None = None,
        order_by: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> tuple[list[StoredContract], str | None]:
        """A page of contracts of one template and the cursor of the next."""
        code = self.engine.named(template)
        page = turn.contracts_of(code.id, status=status, where=where or {}, order_by=order_by, after=after, limit=limit)
        return list(page.rows), page.next_cursor

    def wanted(self, template: str, where: Mapping[str, Any] | None) -> dict[str, Any]:
        """A filter as people write it (`{"number": "A-1", "due": ["lt", "2026-11-01"]}`) in the fields' types."""
        fields = self.engine.named(template).fields
        found: dict[str, Any] = {}
        for name, given in (where or {}).items():
            if name not in fields:
                raise Refusal("form.field", "there is no such field", field=name[:80], fields=list(fields))
            operator, value = given if isinstance(given, list) and len(given) == 2 else ("eq", given)
            found[name] = (str(operator), self.forms.read(fields[name], value, at=name, privates=[]))
        return found

    def every(self, turn: Turn, template: str, *, status: str | None = "active") -> list[tuple[ContractRef, Any]]:
        """All contracts of a template as (ref, typed contract), page by page."""
        found: list[tuple[ContractRef, Any]] = []
        after: str | None = None
        while True:
            rows, after = self.page(turn, template, status=status, after=after, limit=500)
            for row in rows:
                code = self.engine.template(row.template)
                found.append((row.ref, code.read(row.payload, row.created_as.transaction)))
            if after is None:
                return found


def template_of(cls: type[language.Template]) -> str:
    """`folder.Name` of an imported template class."""
    return f"{cls.__module__.split('.')[-2]}.{cls.__name__}"


def day_window(day: Day) -> dict[str, Any]:
    """The arguments that let a transaction be accepted on one day only."""
    return {"not_before": str(day.start()), "until": str(day.plus(1).start())}


def moment_of(value: Any) -> int | None:
    """Milliseconds of a time as JSON has it; None stays None."""
    return None if value is None else read_instant(value).ms


def text_of(arguments: Mapping[str, Any], name: str) -> str:
    """An argument that is needed; Refusal `form.fields`."""
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal("form.fields", "an argument is missing", argument=name)
    return value


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
