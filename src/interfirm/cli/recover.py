"""`recover`: the books of a node that lost its database, made again from its peers and the notaries."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from interfirm.cli import session
from interfirm.cli.waiting import watch


def recover(
    peer: Annotated[
        list[str] | None, typer.Option("--from", help="A member to ask; once for each. All without it.")
    ] = None,
    silent: Annotated[int, typer.Option(min=1, help="Seconds that a silent member is waited for.")] = 60,
) -> None:
    """Ask members for all that they share with this firm, and the notaries what of it is unspent.

    Everything said is verified. The report says who did not answer or said what does not hold: what is shared with
    them alone can be missing. Run it again when they are back; nothing is doubled.
    """
    flow = watch("recover.all", **{"from": peer or []}, silent_ms=1000 * silent)
    members = {member.identity.hex(): member.name for member in session.layout().file.members}
    session.show(_named(flow["result"], members), _table)


def _named(found: Any, members: dict[str, str]) -> Any:
    """The report with names in the place of identities."""
    if isinstance(found, dict):
        return {name: _named(value, members) for name, value in found.items()}
    if isinstance(found, list):
        return [_named(value, members) for value in found]
    return members.get(found, found) if isinstance(found, str) else found


def _table(found: dict[str, Any]) -> Any:
    lacking = "".join(f"; {each['template']} {each['ref'][0][:12]} {each['state']}" for each in found["lacking"])
    verdict = "complete" if found["complete"] else f"not complete{lacking}"
    return session.table_of(
        f"{found['unspent']} contracts proved unspent by their notaries; {verdict}",
        ["Member", "Answer", "Recorded", "Refused"],
        [
            [each["peer"], each["answer"], each["recorded"], ", ".join(f"{c} {n}" for c, n in each["refused"].items())]
            for each in found["told"]
        ],
        empty="nobody was asked",
    )
