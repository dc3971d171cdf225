"""Rules, holds and manifests of archives in the vault."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from interfirm.base.errors import Refusal
from interfirm.node import kept
from interfirm.node.retention.types import Hold, Manifest, Rule
from interfirm.node.vault.turn import Turn

RULES, HOLDS, ARCHIVES, ENDED = "retention-rules", "holds", "archives", "archives-ended"


def put_rule(turn: Turn, rule: Rule) -> None:
    """Keep a rule, in place of an earlier one about the same."""
    kept.put(turn, RULES, rule.about.encode(), rule)


def rules(turn: Turn) -> dict[str, Rule]:
    """All rules by what they are about."""
    return {rule.about: rule for _, rule in kept.every(turn, RULES, Rule)}


def remove_rule(turn: Turn, about: str) -> Rule:
    """Forget a rule; Refusal `retention.unknown`."""
    found = kept.get(turn, RULES, about.encode(), Rule)
    if found is None:
        raise Refusal("retention.unknown", "there is no rule about this", about=about[:80])
    turn.blob_delete(RULES, about.encode())
    return found


def put_hold(turn: Turn, hold: Hold) -> None:
    """Keep a hold, in place of how it was."""
    kept.put(turn, HOLDS, hold.name.encode(), hold)


def find_hold(turn: Turn, name: str) -> Hold | None:
    """The hold of this name."""
    return kept.get(turn, HOLDS, name.encode(), Hold)


def holds(turn: Turn) -> list[Hold]:
    """All holds by name, those that were released included."""
    return [hold for _, hold in kept.every(turn, HOLDS, Hold)]


def holds_in_force(turn: Turn) -> list[Hold]:
    """The holds that were not released."""
    return [hold for hold in holds(turn) if hold.released_ms is None]


def put_archive(turn: Turn, manifest: Manifest) -> None:
    """Keep what an archive is."""
    turn.blob_put(ARCHIVES, _key(manifest.head.number), msgspec.msgpack.encode(manifest))


def archives(turn: Turn) -> Iterator[Manifest]:
    """All archives of this vault, the first one first."""
    return (manifest for _, manifest in kept.every(turn, ARCHIVES, Manifest))


def find_archive(turn: Turn, number: int) -> Manifest | None:
    """The archive with this number."""
    return kept.get(turn, ARCHIVES, _key(number), Manifest) if 0 < number < 2**63 else None


def last_archive(turn: Turn) -> Manifest | None:
    """The archive that was made last."""
    return max(archives(turn), key=lambda manifest: manifest.head.number, default=None)


def note_ended(turn: Turn, ended_ms: int) -> None:
    """Remember until when contracts were in use that have been archived."""
    turn.blob_put(ENDED, b"", max(ended_ms, ended_until_ms(turn)).to_bytes(8, "big"))


def ended_until_ms(turn: Turn) -> int:
    """At this time and later, no contract was in use that is in an archive; 0 where none was ever archived."""
    return int.from_bytes(turn.blob_get(ENDED, b"") or b"", "big")


def _key(number: int) -> bytes:
    return number.to_bytes(8, "big")
