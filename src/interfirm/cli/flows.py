"""`flows`: what is under way, who is waited for, and what to do about it."""

from __future__ import annotations

import getpass
import re
from typing import Annotated, Any

import typer

from interfirm.base.time import Instant
from interfirm.cli import session
from interfirm.cli.waiting import tree_of

app = typer.Typer(help="Flows: what is under way, and who is waited for.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The flow's id, or its beginning.")]
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def full_id(beginning: str) -> str:
    """The whole id of a flow that was typed by its beginning; as it stands where that fits none, or several."""
    found = [f["id"] for f in session.ask("flows.list", limit=1000)["flows"] if f["id"].startswith(beginning)]
    return str(found[0]) if len(found) == 1 else beginning


@app.command("list")
def list_flows(
    state: Annotated[
        str | None, typer.Option(help="running, waiting, done, refused, failed, cancelled, killed")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="exercise, respond, ...")] = None,
    waiting_on: Annotated[str | None, typer.Option(help="peer, notary, person, time")] = None,
    older_than: Annotated[str | None, typer.Option(help="Begun so long ago or longer: 90s, 15m, 2h, 3d.")] = None,
    after: Annotated[str | None, typer.Option(help="The last flow of the page before.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """List flows, newest first, with what each waits for and why it ended."""
    found = session.ask(
        "flows.list", state=state, kind=kind, waiting_on=waiting_on, after=after, limit=limit,
        older_than_ms=None if older_than is None else duration_ms(older_than),
    )  # fmt: skip
    session.show(
        found,
        lambda data: session.table_of(
            "Flows", ["Id", "Kind", "State", "Age", "Waits for", "Since", "Reason"],
            [_row(each) for each in data["flows"]], empty="no flows",
        ),
    )  # fmt: skip


def _row(flow: dict[str, Any]) -> list[str]:
    wait, reason = flow["waits"], flow["reason"]
    waits = "" if wait is None else f"{wait['on']} {wait['who']}".strip()
    since = "" if wait is None else str(Instant(wait["since_ms"]))
    why = "" if reason is None else f"{reason['code']}: {reason['reason']}"
    return [flow["id"][:16], flow["kind"], flow["state"], duration_text(flow["age_ms"]), waits, since, why]


def duration_ms(text: str) -> int:
    """Milliseconds of `90s`, `15m`, `2h` or `3d`."""
    parts = re.fullmatch(r"(\d+)([smhd])", text)
    if parts is None:
        raise typer.BadParameter("a duration is written 90s, 15m, 2h or 3d")
    return int(parts[1]) * _UNITS_MS[parts[2]]


def duration_text(ms: int) -> str:
    """A duration in the largest unit of which there are two, or in seconds."""
    unit = next((unit for unit in "dhm" if ms >= 2 * _UNITS_MS[unit]), "s")
    return f"{ms // _UNITS_MS[unit]}{unit}"


@app.command()
def show(flow: Id) -> None:
    """Show one flow with its steps."""
    session.show(session.ask("flows.show", id=full_id(flow)), tree_of)


@app.command()
def cancel(flow: Id) -> None:
    """Cancel a flow where that is safe; its own signature is withdrawn at the notary."""
    session.show(session.ask("flows.cancel", id=full_id(flow)))


@app.command()
def retry(flow: Id) -> None:
    """Run a failed flow again from its journal."""
    session.show(session.ask("flows.retry", id=full_id(flow)))


@app.command()
def skip(flow: Id) -> None:
    """Let a flow that waits until a time, or for a peer until then, go on as if the time had come."""
    session.show(session.ask("flows.skip", id=full_id(flow)))


@app.command()
def kill(flow: Id, reason: Annotated[str, typer.Option(help="Kept in the audit record.")]) -> None:
    """End a flow that will not end, or that failed for good; who and why is recorded."""
    session.show(session.ask("flows.kill", id=full_id(flow), who=getpass.getuser(), reason=reason))
