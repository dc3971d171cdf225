"""Operations about contracts: make, choose, preview, list, show, prove."""

from __future__ import annotations

from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.time import Day, Instant, Window
from interfirm.contracts.packages import TemplateCode
from interfirm.contracts.types import ContractRef, Create, CreateCommand, ExerciseCommand, walk
from interfirm.ledger.authority import required_signers
from interfirm.ledger.proof import ReceiptBundle, prove_fields
from interfirm.ledger.types import Skeleton, View
from interfirm.ledger.verification import names_from
from interfirm.node.desk import Answer, Desk, Operation, bytes_of, day_window, moment_of, text_of, whole_of
from interfirm.node.flows.messages import PrivateValue
from interfirm.node.forms import ref_of, ref_text
from interfirm.node.reading import names_of
from interfirm.node.vault.queries import Total
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import StoredContract, StoredMove


def _create(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Create a contract of `template` with `fields`, at `notary` or where new facts live."""
    privates: list[PrivateValue] = []
    command = desk.create_command(text_of(arguments, "template"), arguments.get("fields", {}), privates)
    return desk.submit([command], request=desk.request_id(arguments), arguments=arguments, privates=privates)


def _exercise(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Make `choice` on the contract `ref` with `arguments`."""
    privates: list[PrivateValue] = []
    with desk.vault.read() as turn:
        ref = ref_of(text_of(arguments, "ref"))
        choice = text_of(arguments, "choice")
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
    """Interpret without doing: who must sign, who will see, what comes of it, whose approval it waits for.

    Of `choice` on the contract `ref` with `arguments`, or of making a contract of `template` with `fields`.
    """
    now = desk.now_ms()
    lower = moment_of(arguments.get("not_before"))
    upper = moment_of(arguments.get("until")) or now + desk.services.window_ms
    window = Window(lower=None if lower is None else Instant(lower), upper=Instant(upper))
    with desk.vault.read() as turn:
        command = _previewed(desk, turn, arguments)
        actions = desk.books.plan(turn, [command], window).actions
    created = [(desk.engine.template(a.template), a) for a in walk(actions) if isinstance(a, Create)]
    made = [desk.fields(code, code.read(action.payload, None)) for code, action in created]
    lines = desk.lines_for(desk.demands([command]))
    return {
        "signers": sorted(desk.names.name_of(p) for p in required_signers(actions, window)),
        "informees": sorted({desk.names.name_of(p) for a in walk(actions) for p in a.informees}),
        "creates": made,
        "approvals": [{"name": line.name, "approvals": line.approvals, "roles": list(line.roles)} for line in lines],
    }  # fmt: skip


def _previewed(desk: Desk, turn: Turn, arguments: dict[str, Any]) -> CreateCommand | ExerciseCommand:
    if arguments.get("template") is not None:
        return desk.create_command(text_of(arguments, "template"), arguments.get("fields", {}), [])
    ref = ref_of(text_of(arguments, "ref"))
    return desk.exercise_command(turn, ref, text_of(arguments, "choice"), arguments.get("arguments", {}), [])


def _list(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Contracts, of one template or of all: `status`, `where`, `search`, `order_by`, `after`, `limit`, `total`.

    `where` is a filter, `search` words in texts that the caller sees; `order_by` names fields, in a list or with
    commas; `notary` is where they live. With `total` the answer tells how many there are in all: exactly up to 10,000,
    else an estimate that says so. A page of one notary may hold fewer than `limit`, and others follow it all the same;
    it has no total.
    """
    notary = None if arguments.get("notary") is None else desk.names.notary_of(text_of(arguments, "notary"))
    status, name = arguments.get("status", "active"), arguments.get("template")
    among: dict[str, Any] = {"status": None if status == "all" else status}
    counted = bool(arguments.get("total"))
    check(notary is None or not counted, "form.fields", "contracts of one notary are listed and not counted")
    found: list[dict[str, Any]] = []
    totals: list[Total] = []
    cursor: str | None = None
    with desk.vault.read() as turn:
        for each in [name] if name else [desk.template_name(code) for code in desk.readable_templates()]:
            among["where"] = desk.wanted(each, arguments.get("where"), search=_search_of(arguments))
            page = desk.page(
                turn, each, **among, order_by=names_of(arguments.get("order_by")), after=arguments.get("after"),
                limit=whole_of(arguments, "limit", 50, most=1000),
            )  # fmt: skip
            cursor = page.next_cursor
            found.extend(desk.shown(row) for row in page.rows if notary in (None, row.notary))
            totals += [desk.total(turn, each, **among)] if counted else []
    answer = {"contracts": found, "next": cursor if name else None}
    if not counted:
        return answer
    count, exact = sum(each.count for each in totals), all(each.exact for each in totals)
    return {**answer, "total": {"count": count, "exact": exact}}


def _search_of(arguments: dict[str, Any]) -> str | None:
    return None if arguments.get("search") is None else text_of(arguments, "search")


def _show(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """One contract with its choices and the private values that this node holds."""
    ref = ref_of(text_of(arguments, "ref"))
    with desk.vault.read() as turn:
        stored = desk.stored(turn, ref)
        shown = {**desk.shown(stored), "moves": [desk.step(move) for move in _steps(turn, stored)]}
        code = desk.engine.template(stored.template)
        shown["choices"] = {
            name: {"by": list(c.declared.by), "arguments": list(c.parameters), "consuming": c.declared.consuming}
            for name, c in code.choices.items()
        }
        shown["private"] = _privates(desk, turn, code, stored)
    return shown


def _steps(turn: Turn, stored: StoredContract) -> list[StoredMove]:
    """How a contract came to where it lives, and where it went or is on its way to from there."""
    return [*turn.moves_to(stored.ref), *turn.moves_from(stored.ref)[::-1]]


def _privates(desk: Desk, turn: Turn, code: TemplateCode, stored: StoredContract) -> dict[str, Any]:
    names = list(code.fields)
    found: dict[str, Any] = {}
    for name in desk.shown_of(code, code.private_fields):
        plain = stored.payload[names.index(name)]
        held = turn.private(plain[0]) if plain and isinstance(plain[0], bytes) else None
        found[name] = codec.decode_plain(held.value) if held else None
    return found


def _history(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """A contract and what it came from, newest first."""
    ref = ref_of(text_of(arguments, "ref"))
    with desk.vault.read() as turn:
        desk.stored(turn, ref)
        return {"history": [desk.shown(stored) for stored in turn.history_of(ref) if desk.is_shown(turn, stored)]}


def _templates(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Every template that this node knows, with its fields and choices."""
    return {
        "templates": [
            {
                "name": desk.template_name(code),
                "package": code.id.package.hex(),
                "fields": {
                    n: getattr(code.fields[n], "__name__", str(code.fields[n]))
                    for n in desk.shown_of(code, code.fields)
                },
                "choices": {n: list(c.parameters) for n, c in code.choices.items()},
                "about": (code.cls.__doc__ or "").strip().partition("\n")[0],
            }
            for code in desk.readable_templates()
        ]
    }


def _kind_of(code: TemplateCode, field: str) -> str:
    kind = code.fields[field]
    return str(getattr(kind, "__name__", kind))


def _prove(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """A proof of a contract (`ref`), or of some of its `fields`."""
    ref = ref_of(text_of(arguments, "ref"))
    books = desk.books
    names = names_from(books.engine)
    with desk.vault.read() as turn:
        held = turn.contract(ref) if desk.permission.is_owner else desk.stored(turn, ref)
        made, moves = (ref, ()) if held is None else (held.created_as, books.moves.way_of(turn, ref).moves)
        stored = turn.transaction(made.transaction or b"")
        if stored is None or not stored.receipt:
            desk.check_kept(turn, made)
            raise Refusal("vault.unknown", "this node holds no receipt of that transaction", ref=ref_text(ref))
        view = codec.decode(stored.view, View)
        verified = books.verified(turn, view)
        contract = verified.created.get(made.index)
        shown = arguments.get("fields") or []
        if contract is not None:
            code = desk.engine.template(contract.action.template)
            desk.permission.check_fields(desk.template_name(code), shown)
            shown = shown or desk.shown_of(code, names(code.id))
        bundle = prove_fields(verified, made.index, shown, receipt=stored.receipt, names=names, moves=moves)
    return {"bundle": codec.encode(bundle).hex()}


def _prove_receipt(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """The receipt of a transaction, with the hashes that it is made of."""
    transaction = bytes_of(arguments, "transaction")
    with desk.vault.read() as turn:
        stored = turn.transaction(transaction)
        desk.check_kept(turn, ContractRef(transaction, 0))
    if stored is None or not stored.receipt:
        raise Refusal("vault.unknown", "this node holds no receipt of that transaction", transaction=transaction)
    return {"bundle": codec.encode(ReceiptBundle(codec.decode(stored.skeleton, Skeleton), stored.receipt)).hex()}


def _disclosed(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Contracts that were shown to this node without its being a party to them."""
    with desk.vault.read() as turn:
        known = [(d, desk.engine.template(d.template)) for d in desk.books.disclosed(turn)]
        typed = [(d, code, code.read(d.payload, d.origin.transaction)) for d, code in known]
        found = [each for each in typed if desk.is_readable(turn, each[1], each[2])]
    return {
        "count": len(found),
        "disclosed": [
            {
                "ref": ref_text(d.ref),
                "template": desk.template_name(code),
                "fields": desk.fields(code, contract),
            }
            for d, code, contract in found
        ],
    }


OPERATIONS: dict[str, Operation] = {
    "create": _create,
    "exercise": _exercise,
    "preview": _preview,
    "contracts.list": _list,
    "contracts.show": _show,
    "contracts.history": _history,
    "templates": _templates,
    "proof.export": _prove,
    "proof.receipt": _prove_receipt,
    "disclosed.count": _disclosed,
    "disclosed.list": _disclosed,
}
"""See the module."""
