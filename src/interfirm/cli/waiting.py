"""Watching a flow from a terminal: its steps live, then what came of it."""

from __future__ import annotations

from typing import Any

import typer
from rich.live import Live
from rich.tree import Tree

from interfirm.base.errors import Refusal
from interfirm.cli import session

_MARKS = {"done": "[green]✓[/]", "running": "[yellow]…[/]", "failed": "[red]✗[/]"}


def tree_of(flow: dict[str, Any]) -> Tree:
    """A flow's steps as a tree."""
    root = Tree(f"{flow['kind']} [dim]{flow['id'][:12]}[/] {flow['state']}")
    for step in flow["steps"]:
        _add(root, step)
    return root


def _add(parent: Tree, step: dict[str, Any]) -> None:
    waiting = f" [dim]waiting for {step['waiting_on']}[/]" if step["waiting_on"] else ""
    branch = parent.add(f"{_MARKS.get(step['state'], '')} {step['name']}{waiting}")
    for inner in step["steps"]:
        _add(branch, inner)


def watch(operation: str, **arguments: Any) -> dict[str, Any]:
    """Start an operation and follow its flow to the end; raises its refusal, exits 4 while it waits for somebody."""
    arguments["wait_ms"] = session.options.wait_s * 1000
    last: dict[str, Any] = {}
    if session.progress_allowed():
        with Live(console=session.errors, refresh_per_second=8, transient=True) as live:
            for item in session.ask_stream(operation, progress=True, **arguments):
                last = item
                if "flow" in item:
                    live.update(tree_of(item["flow"]))
    else:
        for item in session.ask_stream(operation, **arguments):
            last = item
    return ended(last.get("flow", last))


def ended(flow: dict[str, Any]) -> dict[str, Any]:
    """The result of an ended flow; its refusal raised; exit code 4 for one that waits."""
    if "approval" in flow:
        session.show(flow["approval"], lambda found: f"{found['id']} waits for approval: `interfirm approvals list`")
        raise typer.Exit(session.WAITING)
    state = flow.get("state")
    if state == "refused":
        result = flow["result"]
        raise Refusal(result["code"], result["reason"], **result["values"])
    if state in ("running", "waiting"):
        session.show(flow, tree_of)
        raise typer.Exit(session.WAITING)
    if state in ("failed", "killed", "cancelled"):
        session.show(flow, lambda f: f"flow {f['id']} {f['state']}: {f['result']}")
        raise typer.Exit(session.FAILED)
    return flow
