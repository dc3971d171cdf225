"""`node pause`, `resume`, `drain`, `restart`: a node that begins nothing new, comes to rest, and begins again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from interfirm.cli import session
from interfirm.cli.network import node_app
from interfirm.runtime.asking import Asker

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
    found = _at_rest(session.client(), wait_s=session.options.wait_s)
    session.show(found, _told)
    if not found["drained"]:
        raise typer.Exit(session.WAITING)


@node_app.command()
def restart(
    now: Annotated[bool, typer.Option("--now", help="Do not wait until nobody is at work for it.")] = False,
    reason: Reason = "it is started again",
) -> None:
    """Drain a node, stop it, start it with the software that is installed now, and let it go on.

    Where --wait was not enough for it to come to rest, it is left running as before, and the flows that hinder it are
    listed, with exit code 4. `--now` stops it nevertheless, which is as safe: what was under way goes on. A node that
    was paused stays so. The nodes of a group that one process runs are drained and started together.
    """
    from interfirm.runtime import supervise  # starts processes, which other commands here do not

    layout = session.layout()
    home = layout.firm(session.options.firm)
    supervise.check_stoppable([home])
    nodes = [Asker(each.control_path) for each in (home, *supervise.within(layout, home))]
    going_on = [node for node in nodes if node.call("status")["paused"] is None]
    for node in going_on:
        node.call("node.pause", {"reason": reason})
    stands = [_at_rest(node, wait_s=0 if now else session.options.wait_s) for node in nodes]
    found = {"firm": home.member.slug, "restarted": False, **_together(stands)}
    if found["drained"] or now:
        supervise.stop([home])
        supervise.start(layout, [home])
        found["restarted"] = True
    for node in going_on:
        node.call("node.resume")
    session.show(found, lambda d: f"{home.member.name} runs again" if d["restarted"] else _told(d))
    if not found["restarted"]:
        raise typer.Exit(session.WAITING)


def _together(stands: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How several nodes stand."""
    counts = {name: sum(each[name] for each in stands) for name in ("busy_count", "resting_count", "held", "outbox")}
    busy = [flow for each in stands for flow in each["busy"]]
    return {"drained": all(each["drained"] for each in stands), "busy": busy, **counts}


def _at_rest(node: Asker, *, wait_s: float) -> dict[str, Any]:
    """How a paused node stands when nobody is at work for it any more, or when the time is over."""
    deadline = time.monotonic() + wait_s
    while True:
        left_ms = max(0, round((deadline - time.monotonic()) * 1000))
        found = node.call("node.drain", {"wait_ms": min(LOOK_MS, left_ms)})
        if found["drained"] or left_ms == 0:
            return found
        if session.progress_allowed():
            session.errors.print(f"[dim]at work: {found['busy_count']}[/]")


def _told(found: dict[str, Any]) -> Any:
    if found["drained"]:
        return f"at rest; {found['resting_count']} flows wait for a person or a time"
    return session.table_of(
        "Still at work", ["Id", "Waits for", "Who"],
        [[each["id"][:16], each["on"], each["who"]] for each in found["busy"]], empty="",
    )  # fmt: skip
