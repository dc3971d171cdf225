"""`node pause`, `resume`, `drain`: a node that begins nothing new, and one that has come to rest."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from interfirm.cli import session
from interfirm.cli.network import node_app

LOOK_MS = 1_000
"""How often a person is told how far it is."""
Reason = Annotated[str, typer.Option(help="Told to whoever asks for something meanwhile.")]


@node_app.command()
def pause(reason: Reason) -> None:
    """Begin nothing new, also after a restart; what is under way goes on. `node resume` ends it."""
    session.show(session.ask("node.pause", reason=reason), lambda _: "paused; `interfirm node resume` goes on")


@node_app.command()
def resume() -> None:
    """Go on after `node pause`; what peers proposed meanwhile begins."""
    session.show(session.ask("node.resume"), lambda _: "the node goes on")


@node_app.command()
def drain(reason: Reason) -> None:
    """Pause, and wait until no peer and no notary is at work for a flow; exit code 4 where --wait was not enough.

    Flows that wait for a person or a time stay: they go on after a restart, as everything does.
    """
    session.ask("node.pause", reason=reason)
    deadline = time.monotonic() + session.options.wait_s
    while True:
        left_ms = max(0, round((deadline - time.monotonic()) * 1000))
        found = session.ask("node.drain", wait_ms=min(LOOK_MS, left_ms))
        if found["drained"] or left_ms == 0:
            break
        if session.progress_allowed():
            session.errors.print(f"[dim]at work: {found['busy_count']}[/]")
    session.show(found, _told)
    if not found["drained"]:
        raise typer.Exit(session.WAITING)


def _told(found: dict[str, Any]) -> Any:
    if found["drained"]:
        return f"at rest; {found['resting_count']} flows wait for a person or a time"
    return session.table_of(
        "Still at work", ["Id", "Waits for", "Who"],
        [[each["id"][:16], each["on"], each["who"]] for each in found["busy"]], empty="",
    )  # fmt: skip
