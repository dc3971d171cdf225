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
from interfirm.base.time import Day, Instant, Window
from interfirm.base.values import Value
from interfirm.contracts import language
from interfirm.contracts.packages import TemplateCode
from interfirm.contracts.types import Command, ContractRef, Create, CreateCommand, ExerciseCommand, TemplateId, walk
from interfirm.ledger.authority import required_signers
from interfirm.ledger.private import commit_private
from interfirm.ledger.proof import ReceiptBundle, prove_fields
from interfirm.ledger.types import Skeleton, View
from interfirm.ledger.verification import names_from, verify_view
from interfirm.node.flows.deliver import RecoverArguments, ShareArguments
from interfirm.node.flows.exercise import ExerciseArguments
from interfirm.node.flows.messages import PrivateValue
from interfirm.node.flows.types import AnsweredPerson, AskedCancel, AskedFlow, AskedKill, AskedRetry, Step
from interfirm.node.forms import Forms, Names, jsonable, read_instant, ref_of, ref_text
from interfirm.node.privacy import erase, texts_of
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
        operations: Mapping[str, Operation] | None = None,
    ) -> None:
        self.vault = vault
        self.services = services
        self.books = services.books
        self.engine = services.books.engine
        self.names = names
        self.now_ms = now_ms
        self.forms = Forms(names, self._commit)
        self.operations: dict[str, Operation] = {**OPERATIONS, **(operations or {})}

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
            lower_ms=self.today().start().ms if given.get("not_before") is None else _moment(given["not_before"]),
            upper_ms=_moment(given.get("until")),
            notary=None if given.get("notary") is None else self.names.notary_of(_text(given, "notary")),
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


def _moment(value: Any) -> int | None:
    return None if value is None else read_instant(value).ms


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal("form.fields", "an argument is missing", argument=name)
    return value


def _create(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Create a contract of `template` with `fields`, at `notary` or where new facts live."""
    privates: list[PrivateValue] = []
    command = desk.create_command(_text(arguments, "template"), arguments.get("fields", {}), privates)
    return desk.submit([command], request=desk.request_id(arguments), arguments=arguments, privates=privates)


def _exercise(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Make `choice` on the contract `ref` with `arguments`."""
    privates: list[PrivateValue] = []
    with desk.vault.read() as turn:
        ref = ref_of(_text(arguments, "ref"))
        choice = _text(arguments, "choice")
        command = desk.exercise_command(turn, ref, choice, arguments.get("arguments", {}), privates)
        arguments = {**_default_window(desk, turn, ref, choice, arguments), **arguments}
    return desk.submit([command], request=desk.request_id(arguments), arguments=arguments, privates=privates)


def _default_window(desk: Desk, turn: Turn, ref: ContractRef, choice: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A choice that is made on a day is accepted on that day only, unless the caller says otherwise."""
    if (
        "not_before" in arguments
        or "until" in arguments
        or "on" not in desk.code_of(turn, ref).choices[choice].parameters
    ):
        return {}
    given = arguments.get("arguments", {}).get("on")
    return day_window(Day.parse(given) if given else desk.today())


def _preview(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Interpret without doing: who must sign, who will see, what comes of it."""
    now = desk.now_ms()
    lower = _moment(arguments.get("not_before"))
    upper = _moment(arguments.get("until")) or now + desk.services.window_ms
    window = Window(lower=None if lower is None else Instant(lower), upper=Instant(upper))
    with desk.vault.read() as turn:
        ref = ref_of(_text(arguments, "ref"))
        command = desk.exercise_command(turn, ref, _text(arguments, "choice"), arguments.get("arguments", {}), [])
        actions = desk.books.plan(turn, [command], window).actions
    made = [
        desk.forms.write(desk.engine.template(a.template).read(a.payload, None))
        for a in walk(actions)
        if isinstance(a, Create)
    ]
    return {
        "signers": sorted(desk.names.name_of(p) for p in required_signers(actions, window)),
        "informees": sorted({desk.names.name_of(p) for a in walk(actions) for p in a.informees}),
        "creates": made,
    }


def _list(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Contracts, of one template or of all: `status`, `where`, `order_by`, `after`, `limit`; of one `notary` or of all.

    A page of one notary may hold fewer than `limit`, and others follow it all the same.
    """
    notary = None if arguments.get("notary") is None else desk.names.notary_of(_text(arguments, "notary"))
    with desk.vault.read() as turn:
        name = arguments.get("template")
        status = arguments.get("status", "active")
        names = [name] if name else [desk.template_name(code) for code in desk.engine.templates()]
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for each in names:
            rows, cursor = desk.page(
                turn, each, status=None if status == "all" else status, where=desk.wanted(each, arguments.get("where")),
                order_by=arguments.get("order_by"), after=arguments.get("after"), limit=int(arguments.get("limit", 50)),
            )  # fmt: skip
            found.extend(desk.shown(row) for row in rows if notary in (None, row.notary))
        return {"contracts": found, "next": cursor if name else None}


def _show(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """One contract with its choices and the private values that this node holds."""
    ref = ref_of(_text(arguments, "ref"))
    with desk.vault.read() as turn:
        stored = turn.contract(ref)
        if stored is None:
            raise Refusal("vault.unknown", "this contract is not in the vault", ref=ref_text(ref))
        shown = {**desk.shown(stored), "moves": [desk.step(move) for move in _steps(turn, stored)]}
        code = desk.engine.template(stored.template)
        shown["choices"] = {
            name: {"by": list(c.declared.by), "arguments": list(c.parameters), "consuming": c.declared.consuming}
            for name, c in code.choices.items()
        }
        shown["private"] = _privates(turn, code, stored)
    return shown


def _steps(turn: Turn, stored: StoredContract) -> list[StoredMove]:
    """How a contract came to where it lives, and where it went or is on its way to from there."""
    return [*turn.moves_to(stored.ref), *turn.moves_from(stored.ref)[::-1]]


def _privates(turn: Turn, code: TemplateCode, stored: StoredContract) -> dict[str, Any]:
    names = list(code.fields)
    found: dict[str, Any] = {}
    for name in code.private_fields:
        plain = stored.payload[names.index(name)]
        held = turn.private(plain[0]) if plain else None
        found[name] = codec.decode_plain(held.value) if held else None
    return found


def _history(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """A contract and what it came from, newest first."""
    ref = ref_of(_text(arguments, "ref"))
    with desk.vault.read() as turn:
        return {"history": [desk.shown(stored) for stored in turn.history_of(ref)]}


def _templates(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Every template that this node knows, with its fields and choices."""
    return {
        "templates": [
            {
                "name": desk.template_name(code),
                "package": code.id.package.hex(),
                "fields": {n: getattr(k, "__name__", str(k)) for n, k in code.fields.items()},
                "choices": {n: list(c.parameters) for n, c in code.choices.items()},
                "about": (code.cls.__doc__ or "").strip().partition("\n")[0],
            }
            for code in desk.engine.templates()
        ]
    }


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


def _flows(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Flows, newest first: `state`, `after`, `limit`."""
    with desk.vault.read() as turn:
        rows = turn.flows(
            state=arguments.get("state"), after=arguments.get("after"), limit=int(arguments.get("limit", 50))
        )
        return {"flows": [shown_flow(row) for row in rows]}


def _flow(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """One flow with its steps."""
    with desk.vault.read() as turn:
        record = turn.flow(_text(arguments, "id"))
    if record is None:
        raise Refusal("flow.unknown", "there is no such flow", flow=str(arguments.get("id"))[:80])
    return shown_flow(record)


def _inbox(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """What waits for a person, or what a person has decided: `state`."""
    with desk.vault.read() as turn:
        items = turn.inbox(state=arguments.get("state", "open"))
    return {
        "inbox": [
            {
                "id": i.id, "kind": i.kind, "state": i.state, "created_ms": i.created_ms, "reason": i.reason,
                **i.summary, "creates": [_made(desk, *made) for made in i.summary.get("creates", [])],
            }
            for i in items
        ]
    }  # fmt: skip


def _made(desk: Desk, package: bytes, name: str, payload: Any) -> Answer:
    """A contract that would be made, with its fields as people write them."""
    code = desk.engine.template(TemplateId(package=package, name=name))
    return {"template": desk.template_name(code), "fields": desk.forms.write(code.read(payload, None))}


def _decide(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Decide what waits: `id`, `approve`, `reason`."""
    approved = arguments.get("approve")
    if not isinstance(approved, bool):
        raise Refusal("form.fields", "an argument is missing", argument="approve")
    return Start(
        event=AnsweredPerson(item=_text(arguments, "id"), approved=approved, reason=str(arguments.get("reason", "")))
    )


def _share(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Show contracts (`refs`), with their history, to another member (`to`)."""
    asked = ShareArguments(
        refs=tuple(ref_of(r) for r in arguments.get("refs", [])), to=desk.names.identity_of(_text(arguments, "to"))
    )
    encoded = msgspec.msgpack.encode(asked)
    return Start(event=AskedFlow(id=desk.request_id(arguments), kind="share", arguments=encoded))


def _recover(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Ask another member (`from`) for everything that it holds and this node should."""
    encoded = msgspec.msgpack.encode(RecoverArguments(peer=desk.names.identity_of(_text(arguments, "from"))))
    return Start(event=AskedFlow(id=desk.request_id(arguments), kind="recover", arguments=encoded))


def _compare_clocks(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """This node's time and its notary's, as the notary says it now."""
    return Start(event=AskedFlow(id=desk.request_id(arguments), kind="compare-clocks", arguments=b""))


def _cancel(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Cancel a flow where that is safe."""
    return Start(event=AskedCancel(id=_text(arguments, "id")))


def _kill(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """End a flow that will not end; `who` and `reason` are recorded."""
    who, reason = _text(arguments, "who"), _text(arguments, "reason")
    return Start(event=AskedKill(id=_text(arguments, "id"), who=who, reason=reason))


def _retry(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Run a failed flow again from its journal."""
    return Start(event=AskedRetry(id=_text(arguments, "id")))


def _prove(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """A proof of a contract (`ref`), or of some of its `fields`."""
    ref = ref_of(_text(arguments, "ref"))
    books = desk.books
    names = names_from(books.engine)
    with desk.vault.read() as turn:
        held = turn.contract(ref)
        made, moves = (ref, ()) if held is None else (held.created_as, books.moves.way_of(turn, ref).moves)
        stored = turn.transaction(made.transaction or b"")
        if stored is None or not stored.receipt:
            raise Refusal("vault.unknown", "this node holds no receipt of that transaction", ref=ref_text(ref))
        view = codec.decode(stored.view, View)
        verified = verify_view(view, engine=books.engine, world=books.world(turn), network=books.network)
        contract = verified.created.get(made.index)
        shown = arguments.get("fields") or (list(names(contract.action.template)) if contract else [])
        bundle = prove_fields(verified, made.index, shown, receipt=stored.receipt, names=names, moves=moves)
    return {"bundle": codec.encode(bundle).hex()}


def _prove_receipt(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """The receipt of a transaction, with the hashes that it is made of."""
    transaction = bytes.fromhex(_text(arguments, "transaction"))
    with desk.vault.read() as turn:
        stored = turn.transaction(transaction)
    if stored is None or not stored.receipt:
        raise Refusal("vault.unknown", "this node holds no receipt of that transaction", transaction=transaction)
    return {"bundle": codec.encode(ReceiptBundle(codec.decode(stored.skeleton, Skeleton), stored.receipt)).hex()}


def _disclosed(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Contracts that were shown to this node without its being a party to them."""
    with desk.vault.read() as turn:
        found = desk.books.disclosed(turn)
    return {
        "count": len(found),
        "disclosed": [
            {
                "ref": ref_text(d.ref),
                "template": desk.template_name(desk.engine.template(d.template)),
                "fields": desk.forms.write(desk.engine.template(d.template).read(d.payload, d.origin.transaction)),
            }
            for d in found
        ],
    }


def _erase(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Erase all private values of a data subject (`subject`) with every copy; says what stays, and where."""
    with desk.vault.turn() as turn:
        erased = erase(turn, _text(arguments, "subject"), now_ms=desk.now_ms())
        stays = [desk.committed(turn, ref, commitments) for ref, commitments in erased.committed.items()]
    return {
        "subject": erased.subject,
        "values": len(erased.values),
        "flows": list(erased.flows),
        "commitments": stays,
        "files": [content.hex() for content in desk.vault.attachments_holding(texts_of(erased.values))],
    }


def _whoami(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Whose node this is, and its time."""
    return {"name": desk.names.name_of(desk.me), "identity": desk.me.hex(), "now_ms": desk.now_ms()}


OPERATIONS: dict[str, Operation] = {
    "create": _create,
    "exercise": _exercise,
    "preview": _preview,
    "contracts.list": _list,
    "contracts.show": _show,
    "contracts.history": _history,
    "templates": _templates,
    "flows.list": _flows,
    "flows.show": _flow,
    "flows.cancel": _cancel,
    "flows.kill": _kill,
    "flows.retry": _retry,
    "inbox.list": _inbox,
    "inbox.decide": _decide,
    "share": _share,
    "recover": _recover,
    "clock.compare": _compare_clocks,
    "proof.export": _prove,
    "proof.receipt": _prove_receipt,
    "disclosed.count": _disclosed,
    "disclosed.list": _disclosed,
    "privacy.erase": _erase,
    "whoami": _whoami,
}
"""The operations every node has."""
