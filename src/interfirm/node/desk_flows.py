"""Operations about what is under way, what waits for a person, and this node: flows, inbox, sharing, erasing."""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base.errors import Refusal
from interfirm.contracts.types import TemplateId
from interfirm.node.access.approvals import Demand
from interfirm.node.asking import Start
from interfirm.node.desk import Answer, Desk, Operation, text_of
from interfirm.node.desk_operate import own
from interfirm.node.flows.deliver import RecoverArguments, ShareArguments
from interfirm.node.flows.types import AnsweredPerson, AskedCancel, AskedFlow
from interfirm.node.forms import ref_of
from interfirm.node.privacy import erase, texts_of
from interfirm.node.reading import fields_of
from interfirm.node.retention.policy import Policy
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import InboxItem


def _inbox(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """What waits for a person, or what a person has decided: `state`."""
    with desk.vault.read() as turn:
        every = turn.inbox(state=arguments.get("state", "open"))
        items = [item for item in every if _is_item_for(desk, turn, item)]
    return {
        "inbox": [
            {
                "id": i.id, "kind": i.kind, "state": i.state, "created_ms": i.created_ms, "reason": i.reason,
                **i.summary, "creates": [_made(desk, *made) for made in i.summary.get("creates", [])],
            }
            for i in items
        ]
    }  # fmt: skip


def _is_item_for(desk: Desk, turn: Turn, item: InboxItem) -> bool:
    """Whether the caller may read all contracts that an item would make."""
    if desk.permission.is_owner:
        return True
    made = [(desk.engine.template(TemplateId(package=p, name=n)), payload)
            for p, n, payload in item.summary.get("creates", [])]  # fmt: skip
    return all(desk.is_readable(turn, code, code.read(payload, None)) for code, payload in made)


def _made(desk: Desk, package: bytes, name: str, payload: Any) -> Answer:
    """A contract that would be made, with its fields as people write them."""
    code = desk.engine.template(TemplateId(package=package, name=name))
    return {"template": desk.template_name(code), "fields": desk.fields(code, code.read(payload, None))}


def _decide(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Decide what waits: `id`, `approve`, `reason`."""
    approved = arguments.get("approve")
    if not isinstance(approved, bool):
        raise Refusal("form.fields", "an argument is missing", argument="approve")
    name = text_of(arguments, "id")
    event = AnsweredPerson(item=name, approved=approved, reason=str(arguments.get("reason", "")))
    return Start(event=event, demands=_demands(desk, name) if approved else ())


def _demands(desk: Desk, name: str) -> tuple[Demand, ...]:
    """What is done in this organisation's name when an item is approved, as far as the item says."""
    with desk.vault.read() as turn:
        asked = desk.is_asked(turn)
        item = next((each for each in turn.inbox(state="open") if each.id == name), None) if asked else None
    if item is None:
        return ()
    made = [(desk.engine.template(TemplateId(package=package, name=of)), payload)
            for package, of, payload in item.summary.get("creates", [])]  # fmt: skip
    fields = {desk.template_name(code): fields_of(code.read(payload, None)) for code, payload in made}
    found = []
    for action in item.summary.get("actions", []):
        path = desk.template_name(desk.engine.named(action["template"]))
        found.append(Demand(path, action["choice"], fields.get(path, {})))
    return tuple(found)


def _share(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Show contracts (`refs`), with their history, to another member (`to`)."""
    asked = ShareArguments(
        refs=tuple(ref_of(r) for r in arguments.get("refs", [])), to=desk.names.identity_of(text_of(arguments, "to"))
    )
    encoded = msgspec.msgpack.encode(asked)
    return Start(event=AskedFlow(id=desk.request_id(arguments), kind="share", arguments=encoded))


def _recover(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Ask another member (`from`) for everything that it holds and this node should."""
    encoded = msgspec.msgpack.encode(RecoverArguments(peer=desk.names.identity_of(text_of(arguments, "from"))))
    return Start(event=AskedFlow(id=desk.request_id(arguments), kind="recover", arguments=encoded))


def _compare_clocks(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """This node's time and its notary's, as the notary says it now."""
    return Start(event=AskedFlow(id=desk.request_id(arguments), kind="compare-clocks", arguments=b""))


def _cancel(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Cancel the flow `id` where that is safe."""
    with desk.vault.read() as turn:
        return Start(event=AskedCancel(id=own(desk, turn, arguments)))


def _erase(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Erase all private values of a data subject (`subject`) with every copy; says what stays, and where."""
    with desk.vault.turn() as turn:
        hold_on = Policy(desk, turn).hold_on
        erased = erase(turn, text_of(arguments, "subject"), now_ms=desk.now_ms(), hold_on=hold_on)
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
    "flows.cancel": _cancel,
    "inbox.list": _inbox,
    "inbox.decide": _decide,
    "share": _share,
    "recover": _recover,
    "clock.compare": _compare_clocks,
    "privacy.erase": _erase,
    "whoami": _whoami,
}
"""See the module."""
