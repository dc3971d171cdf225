"""What a notary tells a subscriber, put into the inbox with what this node knows of the subject."""

from __future__ import annotations

from typing import Any

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import InboxItem

_WATCHED = "watched-claims"


def watch_claim(turn: Turn, claim: bytes, about: dict[str, Any]) -> None:
    """Remember what a claim hash stands for, so that a notice about it can be read."""
    turn.blob_put(_WATCHED, claim, msgspec.msgpack.encode(about))


def note_tell(turn: Turn, body: bytes, now_ms: int) -> None:
    """Put one notice into the inbox; the same notice again is the same item. Refusal `codec.*` for garbage."""
    kind, subject, _ = _parts(body)
    known = turn.blob_get(_WATCHED, subject)
    about = {} if known is None else msgspec.msgpack.decode(known)
    item = f"told-{digest('told', body, now_ms // 1000).hex()[:24]}"
    if turn.inbox_item(item) is None:
        turn.put_inbox(
            InboxItem(
                id=item, flow="", kind=kind, summary={"subject": subject.hex(), **about}, created_ms=now_ms,
                state="open", reason="",
            )
        )  # fmt: skip


def _parts(body: bytes) -> tuple[str, bytes, bytes]:
    parts = codec.decode_plain(body)
    if not (isinstance(parts, list) and [type(p) for p in parts] == [str, bytes, bytes]):
        raise Refusal("notary.answer", "a notice has a kind, a subject and a detail")
    return parts[0], parts[1], parts[2]
