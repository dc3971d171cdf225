"""What a notary tells a subscriber: for a person's inbox, or for a flow that looks into it.

The notary pushes what it tells and keeps it until it is asked for, so every notice may come twice and is known by its
number.
"""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base.values import Value
from interfirm.contracts.types import ContractRef
from interfirm.node.flows.types import AskedFlow
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import InboxItem
from interfirm.notary.wire import Told

_WATCHED, _HANDLED, _NOTARIES = "watched-claims", "told-handled", "watched-notaries"


class CollectArguments(Value, frozen=True):
    """A contract that ended at a notary, and the hash by which the notary names its consumer."""

    notary: bytes
    ref: ContractRef
    consumer: bytes


def watch_claim(turn: Turn, claim: bytes, about: dict[str, Any]) -> None:
    """Remember what a claim hash stands for, so that a notice about it can be read."""
    turn.blob_put(_WATCHED, claim, msgspec.msgpack.encode(about))


def watch_notary(turn: Turn, notary: bytes) -> None:
    """Remember that this notary has things to tell."""
    turn.blob_put(_NOTARIES, notary, b"")


def watched_notaries(turn: Turn) -> list[bytes]:
    """The notaries that were ever asked to tell something."""
    return [notary for notary, _ in turn.blobs(_NOTARIES, limit=1_000)]


def note(turn: Turn, notary: bytes, told: Told, now_ms: int) -> AskedFlow | None:
    """Put a notice into the inbox, or return the flow that looks into it; the same notice again changes nothing."""
    name = notice_id(notary, told)
    if told.kind == "consumed":
        ref = ContractRef(told.subject[:32], int.from_bytes(told.subject[32:], "big"))
        arguments = CollectArguments(notary=notary, ref=ref, consumer=told.detail)
        return AskedFlow(id=name, kind="collect", arguments=msgspec.msgpack.encode(arguments))
    known = turn.blob_get(_WATCHED, told.subject)
    about = {} if known is None else msgspec.msgpack.decode(known)
    if turn.inbox_item(name) is None:
        turn.put_inbox(
            InboxItem(
                id=name, flow="", kind=told.kind, summary={"subject": told.subject.hex(), **about}, created_ms=now_ms,
                state="open", reason="",
            )
        )  # fmt: skip
    return None


def notice_id(notary: bytes, told: Told) -> str:
    """What the inbox calls a notice, or the flow that looks into it."""
    return f"told-{notary.hex()[:8]}-{told.number}"


def handled_to(turn: Turn, notary: bytes) -> int:
    """The number of the last notice up to which nothing was missed."""
    return int.from_bytes(turn.blob_get(_HANDLED, notary) or b"", "big")


def set_handled(turn: Turn, notary: bytes, number: int) -> None:
    """Everything up to this number has been handled."""
    turn.blob_put(_HANDLED, notary, number.to_bytes(8, "big"))
