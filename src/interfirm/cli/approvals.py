"""`approvals`: what waits for somebody else's word before the node acts, and the firm's matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from interfirm.base.errors import Refusal
from interfirm.base.time import Instant
from interfirm.cli import session
from interfirm.cli.waiting import watch

app = typer.Typer(help="What waits for somebody else's approval, and who approves what.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The id, or its beginning; the only one that waits without it.")]


def full_id(beginning: str) -> str:
    """The whole id of what waits, typed by its beginning; Refusal `access.approval` where none or several fit."""
    waiting = [each["id"] for each in session.ask("approvals.list", limit=500)["approvals"]]
    found = [each for each in waiting if each.startswith(beginning)]
    if len(found) != 1:
        raise Refusal("access.approval", "this names nothing that waits, or several", text=beginning, found=found[:5])
    return str(found[0])


@app.command("list")
def list_waiting(ended: Annotated[bool, typer.Option("--ended", help="Those that wait no more.")] = False) -> None:
    """List what waits for approvals."""
    session.show(
        session.ask("approvals.list", ended=ended, limit=500),
        lambda data: session.table_of(
            "Approvals", ["Id", "Asked by", "What", "Lines", "Agreed", "Until", "State"],
            [[
                each["id"][:20], each["asked_by"], _what(each), ", ".join(line["name"] for line in each["lines"]),
                ", ".join(said["person"] for said in each["approvals"]), Instant(each["expires_ms"]), each["state"],
            ] for each in data["approvals"]],
            empty="nothing waits for approval",
        ),
    )  # fmt: skip


def _what(pending: dict[str, Any]) -> str:
    return ", ".join(f"{each['template']} {each['choice']}" for each in pending["does"])


@app.command()
def show(pending: Id = "") -> None:
    """Show what would be done, field by field."""
    name = full_id(pending)
    session.show(next(e for e in session.ask("approvals.list", limit=500)["approvals"] if e["id"] == name), _shown)


def _shown(found: dict[str, Any]) -> Any:
    rows = [["Asked by", found["asked_by"]], ["Until", str(Instant(found["expires_ms"]))]]
    for each in found["does"]:
        rows.append([each["choice"], each["template"]])
        rows += [[f"  {name}", session.text_of(value)] for name, value in (each["fields"] | each["arguments"]).items()]
    return session.table_of(found["id"], ["", ""], rows, empty="")


@app.command()
def approve(pending: Id = "") -> None:
    """Agree; once enough people have, the node acts."""
    session.show(watch("approvals.decide", id=full_id(pending), approve=True), _decided)


@app.command()
def decline(pending: Id = "", reason: Annotated[str, typer.Option(help="Told to who asked.")] = "") -> None:
    """Refuse; whoever asked can ask again."""
    session.show(session.ask("approvals.decide", id=full_id(pending), approve=False, reason=reason), _decided)


@app.command()
def withdraw(pending: Id = "") -> None:
    """Take back what you asked for."""
    session.show(session.ask("approvals.withdraw", id=full_id(pending)), _decided)


def _decided(found: dict[str, Any]) -> str:
    if "approval" not in found:
        return f"approved and {found['state']}"
    missing = ", ".join(found["approval"].get("missing", []))
    return f"{found['approval']['state']}" + (f"; still missing: {missing}" if missing else "")


@app.command()
def matrix(
    file: Annotated[Path | None, typer.Argument(help="JSON: a list of lines, in place of the present matrix.")] = None,
) -> None:
    """Show the firm's approval matrix, or put the one in a file in its place."""
    if file is None:
        session.show(session.ask("access.approvals"), _lines)
        return
    session.show(session.ask("access.approvals-put", lines=session.json_file(file)), _lines)


def _lines(data: dict[str, Any]) -> Any:
    return session.table_of(
        "Approval matrix", ["Name", "Template", "Choice", "Above", "Approvals", "Roles"],
        [[
            line["name"], line["template"], line["choice"],
            f"{line['field']} > {line['above']}" if line["above"] else "whatever the amount", line["approvals"],
            ", ".join(line["roles"]) or "any",
        ] for line in data["lines"]],
        empty="no matrix: what roles allow is done at once",
    )  # fmt: skip
