"""`flows`: what is under way, who is waited for, and what to do about it."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from interfirm.cli import session
from interfirm.cli.waiting import tree_of

app = typer.Typer(help="Flows: what is under way, and who is waited for.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The flow's id, or its beginning.")]


def full_id(beginning: str) -> str:
    """The whole id of a flow that was typed by its beginning; as it stands where that fits none, or several."""
    found = [f["id"] for f in session.ask("flows.list", limit=1000)["flows"] if f["id"].startswith(beginning)]
    return str(found[0]) if len(found) == 1 else beginning


@app.command("list")
def list_flows(
    state: Annotated[
        str | None, typer.Option(help="running, waiting, done, refused, failed, cancelled, killed")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """List flows, newest first."""
    found = session.ask("flows.list", state=state, limit=limit)
    session.show(
        found,
        lambda data: session.table_of(
            "Flows",
            ["Id", "Kind", "State", "Step"],
            [
                [f["id"][:16], f["kind"], f["state"], f["steps"][-1]["name"] if f["steps"] else ""]
                for f in data["flows"]
            ],
            empty="no flows",
        ),
    )


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
def kill(flow: Id, reason: Annotated[str, typer.Option(help="Kept in the audit record.")]) -> None:
    """End a flow that will not end; who and why is recorded."""
    session.show(session.ask("flows.kill", id=full_id(flow), who=getpass.getuser(), reason=reason))
