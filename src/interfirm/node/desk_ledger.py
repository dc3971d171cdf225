"""Operations about where contracts live, what is shown there, and what was lost: moves, recovery, what binds a firm."""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.contracts.language import Party
from interfirm.contracts.types import ContractRef
from interfirm.node.asking import Start
from interfirm.node.desk import Answer, Desk, Operation, moment_of, text_of, whole_of
from interfirm.node.flows.comparing import COMPARE, CompareArguments, last_compared
from interfirm.node.flows.moves import CHANGE, MoveArguments
from interfirm.node.flows.recovery import RebuildArguments
from interfirm.node.flows.types import AskedFlow
from interfirm.node.forms import read_instant, ref_of, ref_text
from interfirm.node.shown import ALL, show_to, shown_to
from interfirm.node.vault.types import StoredContract

SILENT_MS = 60_000
"""How long a member that does not answer is waited for."""


def _move(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Move the contract `ref` to the notary `to`, which may take it `until` then."""
    until = arguments.get("until")
    asked = MoveArguments(
        ref=ref_of(text_of(arguments, "ref")), to=desk.names.notary_of(text_of(arguments, "to")),
        until_ms=None if until is None else _instant(until), note=str(arguments.get("note", "")),
    )  # fmt: skip
    return Start(event=AskedFlow(id=desk.request_id(arguments), kind=CHANGE, arguments=msgspec.msgpack.encode(asked)))


def _rebuild(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Ask members (`from`; all without it) for all that they share with this node, and notaries what is unspent."""
    named = [desk.names.identity_of(str(name)) for name in arguments.get("from") or ()]
    peers = named or [each for each in desk.names.organisations() if each != desk.me]
    asked = RebuildArguments(peers=tuple(peers), wait_ms=whole_of(arguments, "silent_ms", SILENT_MS))
    return Start(
        event=AskedFlow(id=desk.request_id(arguments), kind="rebuild", arguments=msgspec.msgpack.encode(asked))
    )


def _compare(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Compare what this node and a member (`with`) share, by hashes; says which contracts only one of them has."""
    asked = CompareArguments(
        peer=desk.names.identity_of(text_of(arguments, "with")), until_ms=moment_of(arguments.get("until"))
    )
    encoded = msgspec.msgpack.encode(asked)
    return Start(event=AskedFlow(id=desk.request_id(arguments), kind=COMPARE, arguments=encoded))


def _compared(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """The last result of comparing books with each member."""
    with desk.vault.read() as turn:
        found = last_compared(turn)
    return {
        "compared": [
            {
                "member": desk.names.name_of(each.peer), "until": str(Instant(each.until_ms)), "equal": each.equal,
                "ours": each.ours, "theirs": each.theirs, "whole": each.whole,
                "only_ours": [ref_text(ContractRef(*ref)) for ref in each.only_ours],
                "only_theirs": [ref_text(ContractRef(*ref)) for ref in each.only_theirs],
            }
            for each in found
        ]
    }  # fmt: skip


def _binding(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """The contracts in use that bind this organisation, or on which it may make a choice."""
    found = []
    with desk.vault.read() as turn:
        for code in desk.readable_templates():
            for status in ("active", "locked"):
                after: str | None = None
                while True:
                    page = desk.page(turn, code, status=status, after=after, limit=500)
                    after = page.next_cursor
                    found += [desk.shown(row) | {"as": roles} for row in page.rows if (roles := _roles(desk, row))]
                    if after is None:
                        break
    return {"contracts": found}


def _roles(desk: Desk, stored: StoredContract) -> list[str]:
    """What this organisation is to a contract: `signatory`, `controller`."""
    code = desk.engine.template(stored.template)
    contract = code.read(stored.payload, stored.created_as.transaction)
    by = {name for chosen in code.choices.values() for name in chosen.declared.by}
    controls = any(getattr(contract, name, None) == Party(desk.me) for name in by)
    return ["signatory"] * (desk.me in stored.signatories) + ["controller"] * controls


def _shown(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """What the `notary` is shown whole; with `templates` (`*` for all), what it is shown from now on."""
    notary = desk.names.notary_of(text_of(arguments, "notary"))
    wanted = arguments.get("templates")
    with desk.vault.turn() as turn:
        if wanted is not None:
            show_to(turn, notary, [each if each == ALL else _template(desk, each) for each in wanted])
        templates = shown_to(turn, notary)
    return {"notary": desk.names.name_of(notary), "templates": list(templates)}


def _template(desk: Desk, name: Any) -> str:
    return desk.engine.path_of(desk.engine.named(str(name)).id)


def _instant(value: Any) -> int:
    try:
        return read_instant(value).ms
    except (ValueError, AttributeError) as error:
        raise Refusal("form.value", "a time is ISO 8601 with a zone", field="until", value=str(value)[:80]) from error


OPERATIONS: dict[str, Operation] = {
    "contracts.move": _move,
    "contracts.binding": _binding,
    "privacy.shown": _shown,
    "recover.all": _rebuild,
    "books.compare": _compare,
    "books.compared": _compared,
}
"""See the module."""
