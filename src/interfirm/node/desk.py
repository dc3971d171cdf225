"""Everything a person or system may ask of a node, by name: the one set of operations behind every door.

An operation reads the vault and answers at once with JSON-ready data, or names a flow to start and be waited for.
Business modules add their own operations (`commands.py` in their folder). Refusals carry their codes to the door.

A desk is somebody's (`Desk.of`): what it lists, shows and submits is what the caller's roles allow, so an operation
that reads and acts through its desk needs no rules of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.time import Day, Instant
from interfirm.base.values import Value
from interfirm.contracts import language
from interfirm.contracts.types import Command, ContractRef, CreateCommand, ExerciseCommand
from interfirm.ledger.private import commit_private
from interfirm.node.access.audit import DONE, is_recorded, note_asker, record, subject_of
from interfirm.node.access.machine import ALLOWED, Permission
from interfirm.node.access.people import role_of
from interfirm.node.access.rules import read_rule
from interfirm.node.access.staff import Staff
from interfirm.node.access.types import OWNER_ROLE, Caller
from interfirm.node.asking import Asking, Start
from interfirm.node.files import read_limited, read_stream
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.messages import PrivateValue
from interfirm.node.flows.types import AskedFlow
from interfirm.node.forms import Forms, Names, read_instant
from interfirm.node.reading import fields_of, template_of
from interfirm.node.services import Services
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.vault import Vault
from interfirm.node.vault.where import Where

Answer = dict[str, Any] | Start
Operation = Callable[["Desk", dict[str, Any]], Answer]


V = TypeVar("V", bound=Value)


class Desk(Asking):
    """The operations of one node, for one caller."""

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
        self.staff = Staff(vault)
        """Whom this node knows; desks of all callers share it."""
        self.permission = ALLOWED

    def of(self, caller: Caller) -> Self:
        """The desk as it is for this caller; Refusal `access.role`."""
        with self.vault.read() as turn:
            roles = [role_of(turn, name) for name in caller.roles if name != OWNER_ROLE]
        made = copy.copy(self)
        made.permission = Permission(caller, roles, self._row_rule)
        return made

    def _row_rule(self, template: str, rows: str, variables: Mapping[str, str]) -> Where:
        return read_rule(self.engine.named(template), rows, self.forms, self.engine, variables)

    def check_rule(self, template: str, rows: str, hidden: Iterable[str], choices: Iterable[str]) -> None:
        """Refuse (`access.rule`, `contract.template`) a rule that does not fit the template it names."""
        code = self.engine.named(template)
        check(self.template_name(code) == template, "access.rule", "a rule names its template as folder.Name",
              template=template[:80])  # fmt: skip
        unknown = [name for name in hidden if name not in code.fields]
        unknown += [name for name in choices if name not in code.choices and name != "*"]
        check(not unknown, "access.rule", "the template has no such fields or choices", template=template,
              unknown=unknown)  # fmt: skip
        if "$" not in rows:  # what stands for a variable is known when somebody asks
            self._row_rule(template, rows, {})

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
        outcome = DONE
        answer: Answer | None = None
        try:
            self.permission.check_operation(name)
            answer = operation(self, arguments)
            if isinstance(answer, Start) and not answer.approved:
                self.check_demands(answer.demands)
                answer = self.waiting(name, answer) or answer
            return answer
        except Refusal as refusal:
            outcome = refusal.code
            raise
        finally:
            self._record(name, arguments, answer, outcome)

    def _record(self, name: str, arguments: Mapping[str, Any], answer: Answer | None, outcome: str) -> None:
        """Write into the audit log what was asked for, and who asked for a flow."""
        caller = self.permission.caller
        if not is_recorded(name, caller, outcome):
            return
        asked = answer.event if isinstance(answer, Start) else None
        flow = asked.id if isinstance(asked, AskedFlow) else ""
        with self.vault.turn() as turn:
            if flow:
                note_asker(turn, flow, caller)
            about = flow or subject_of(arguments)
            record(turn, caller, operation=name, subject=about, outcome=outcome, at_ms=self.now_ms())

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
        contract = None if self.permission.is_owner else self.contract(turn, ref)
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
        if contract is not None:
            self.permission.check_choice(self.template_name(code), choice, fields_of(contract), self.related(turn))
        typed = {n: self.forms.read(chosen.parameters[n], v, at=n, privates=privates) for n, v in arguments.items()}
        if "on" in chosen.parameters and "on" not in typed and chosen.parameters["on"] is Day:
            typed["on"] = self.today()
        return ExerciseCommand(ref=ref, template=code.id, choice=choice, arguments=chosen.arguments_plain(typed))

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
        return Start(event=event, privates=tuple(privates), demands=self.demands(commands))

    def file(self, arguments: Mapping[str, Any]) -> tuple[str, bytes]:
        """Name and bytes of the file that an operation is about.

        `document` is the SHA-256 of a file that is kept here, with its `name`; whoever may open the control socket may
        also say its `path` on this machine. Raises Refusal `access.path`, `file.*`, `vault.attachment-unknown`.
        """
        if arguments.get("document") is None:
            # a path from afar could name any file that the node's user may read
            check(self.permission.caller.door == "control", "access.path",
                  "from afar a file is named by the `document` it was put here as")  # fmt: skip
            path = Path(text_of(arguments, "path"))
            return path.name, read_limited(path)
        with self.vault.attachment_open(bytes_of(arguments, "document")) as stream:
            return str(arguments.get("name", "document"))[:200], read_stream(stream)

    def request_id(self, arguments: Mapping[str, Any]) -> str:
        """The client's request id, or a fresh one."""
        given = str(arguments.get("request", ""))
        if len(given) > 100:
            raise Refusal("desk.request", "a request id has at most 100 characters", chars=len(given))
        if not given:
            return self.services.random(16).hex()
        # two callers may choose one id, and neither is to learn what the other's came to
        return given if self.permission.is_owner else f"{self.permission.caller.name}:{given}"

    def _commit(self, value: Any, subject: str) -> PrivateValue:
        salt = self.services.random(32)
        return PrivateValue(commitment=commit_private(salt, value), subject=subject, value=value, salt=salt)


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


def whole_of(arguments: Mapping[str, Any], name: str, default: int, *, least: int = 0, most: int = 2**53) -> int:
    """An argument that is a whole number, brought between the bounds; Refusal `form.fields`."""
    value = arguments.get(name, default)
    if type(value) is not int:
        raise Refusal("form.fields", "an argument is a whole number", argument=name)
    return max(least, min(value, most))


def typed_of(arguments: Mapping[str, Any], kind: type[V]) -> V:
    """The arguments that an operation declares, typed; those that every operation takes are passed over.

    Refusal `form.fields` says which is not as it should be.
    """
    try:
        return msgspec.convert(dict(arguments), kind)
    except msgspec.ValidationError as error:
        raise Refusal("form.fields", "an argument is not as it should be", reason=str(error)[:300]) from error


def bytes_of(arguments: Mapping[str, Any], name: str) -> bytes:
    """An argument that is bytes in hex; Refusal `form.fields`."""
    try:
        return bytes.fromhex(text_of(arguments, name))
    except ValueError as error:
        raise Refusal("form.fields", "an argument is written in hex", argument=name) from error
