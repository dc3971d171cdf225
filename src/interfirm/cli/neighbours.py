"""`notary`: which other notaries a cluster believes: votes about them, and carrying trust in another cluster on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.cli import session
from interfirm.cli.govern import HOURS, By, Folder, Hours, folder_of, governing_in, put, voice_of
from interfirm.notary.governance.types import ForgetNotary, TrustNotary
from interfirm.notary.neighbours.machine import last_anchor, neighbour_of
from interfirm.notary.neighbours.types import ClusterNeighbour, Kept, Neighbour, Renew
from interfirm.runtime.cluster import ClusterLayout
from interfirm.runtime.neighbours import neighbour_in, walk_from
from interfirm.runtime.proofs import read_anchor

Other = Annotated[str, typer.Argument(help="A notary of this network by its name, or its id in hex.")]


def neighbours(folder: Folder = None) -> None:
    """Show the notaries that genesis or votes say are believed, and those that votes said to forget."""
    names = _names()
    with governing_in(folder) as governing:
        found = governing.pages("notaries", Kept)
    session.show(
        [_shown(each, names) for each in found],
        lambda rows: session.table_of(
            "Notaries", ["Name", "Id", "Believed by", "Trusted at height", "Vouched for until"],
            [[r["name"], r["notary"][:16], r["by"], r["height"], r["until"]] for r in rows],
            empty="nothing was decided about any other notary",
        ),
    )  # fmt: skip


def _shown(kept: Kept, names: dict[bytes, str]) -> dict[str, Any]:
    neighbour, until = kept.neighbour, ""
    if neighbour is None:
        by = "forgotten"
    elif isinstance(neighbour, ClusterNeighbour):
        last = last_anchor(kept).trusted
        by = f"its headers from height {last.height}"
        until = str(Instant(last.time_ns // 1_000_000 + neighbour.trusting_period_ms))
    else:
        by = "its key"
    return {
        "name": names.get(kept.notary, ""), "notary": kept.notary.hex(), "by": by, "height": kept.height,
        "until": until, "proposal": kept.proposal.hex(),
    }  # fmt: skip


def trust(
    notary: Other,
    anchor: Annotated[
        Path | None, typer.Option(help="A trust anchor's file, for a notary of which no folder is here.")
    ] = None,
    by: By = "",
    hours: Hours = HOURS,
    folder: Folder = None,
) -> None:
    """Propose to believe another notary, so that contracts move between it and this cluster."""
    put((TrustNotary(neighbour=_anchored(notary, anchor)),), by, hours, folder)


def forget(notary: Other, by: By = "", hours: Hours = HOURS, folder: Folder = None) -> None:
    """Propose to believe a notary no longer; what is locked for it stays locked until it is trusted again."""
    put((ForgetNotary(notary=_id_of(notary)),), by, hours, folder)


def renew(notary: Other, by: By = "", folder: Folder = None) -> None:
    """Show the cluster later headers of another one, so that trust in it does not expire; anybody may."""
    voice, other = voice_of(by), _cluster(notary)
    with governing_in(folder) as governing:
        kept = governing.asked("notary", Kept | None, other.notary_id)  # type: ignore[arg-type] # a union is no class
        if kept is None or not isinstance(kept.neighbour, ClusterNeighbour):
            raise Refusal("neighbour.unknown", "the cluster does not believe this one", notary=other.notary_id)
        walk = walk_from(other, last_anchor(kept))
        governing.send(Renew(notary=other.notary_id, walk=walk), voice)
        found = governing.asked("notary", Kept, other.notary_id)
    session.show(
        _shown(found, _names()), lambda d: f"{d['name']} is believed by {d['by']}, which vouch until {d['until']}"
    )


def _names() -> dict[bytes, str]:
    try:
        return session.layout().notaries
    except Refusal:
        return {}


def _id_of(notary: str) -> bytes:
    named = [name for name, known in _names().items() if known == notary]
    if named:
        return named[0]
    try:
        found = bytes.fromhex(notary)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise Refusal("directory.notary", "this notary is not known here", notary=notary[:80],
                      known=sorted(_names().values()))  # fmt: skip
    return found


def _anchored(notary: str, path: Path | None) -> Neighbour:
    if path is None:
        return neighbour_in(session.layout(), session.layout().notaries.get(_id_of(notary), notary))
    wanted = _id_of(notary)
    for each in read_anchor(path).anchors:
        if each.notary == wanted:
            return neighbour_of(each)
    raise Refusal("directory.notary", "this notary is not known here", notary=notary[:80], path=str(path))


def _cluster(notary: str) -> ClusterLayout:
    """Another cluster of this network, or the one in a folder."""
    return ClusterLayout.open(folder_of(Path(notary)))


COMMANDS: dict[str, Callable[..., None]] = {
    "neighbours": neighbours, "trust": trust, "forget": forget, "renew": renew,
}  # fmt: skip
"""What `interfirm notary` has of other notaries, by name."""
