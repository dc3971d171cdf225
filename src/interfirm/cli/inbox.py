"""`inbox`: what waits for a person's decision."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from interfirm.base.errors import Refusal
from interfirm.cli import session

app = typer.Typer(help="What waits for a person's decision.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The item's id, or its beginning; the only open item without it.")]


def full_id(beginning: str) -> str:
    """The whole id of an open item that was typed by its beginning; Refusal `inbox.item` where none or several fit."""
    found = [i["id"] for i in session.ask("inbox.list", state="open")["inbox"] if i["id"].startswith(beginning)]
    if len(found) != 1:
        raise Refusal("inbox.item", "this names no open item, or several", text=beginning, found=found[:5])
    return str(found[0])


_COMMON = frozenset(
    {"id", "kind", "state", "created_ms", "reason", "note", "proposer", "actions", "creates", "transaction", "subject"}
)


def what(item: dict[str, Any]) -> str:
    """An item on one line: the choices to sign, or what a notice is about."""
    if "actions" in item:
        return ", ".join(f"{action['template']}.{action['choice']}" for action in item["actions"])
    return f"{item['kind']}: {', '.join(f'{name} {value}' for name, value in _about(item))}"


def _about(item: dict[str, Any]) -> list[tuple[str, Any]]:
    """What a notice says beyond what every item has."""
    return [(name, value) for name, value in item.items() if name not in _COMMON]


@app.command("list")
def list_items(state: Annotated[str, typer.Option(help="open, approved or declined")] = "open") -> None:
    """List items."""
    found = session.ask("inbox.list", state=state)
    session.show(
        found,
        lambda data: session.table_of(
            "Inbox",
            ["Id", "From", "What", "Note"],
            [
                [
                    i["id"],
                    i.get("proposer", ""),
                    what(i),
                    i.get("note", ""),
                ]
                for i in data["inbox"]
            ],
            empty="nothing waits for you",
        ),
    )


@app.command()
def show(item: Id = "") -> None:
    """Show what an item is about: who proposes it, and what it would make."""
    name = full_id(item)
    found = next(i for i in session.ask("inbox.list", state="open")["inbox"] if i["id"] == name)
    session.show(found, _shown)


def _shown(found: dict[str, Any]) -> Any:
    rows = [["From", found.get("proposer", "")], ["Note", found.get("note", "")]]
    rows += [["Asked for", f"{a['template']}.{a['choice']}"] for a in found.get("actions", [])]
    rows += [] if "actions" in found else [["Notice", found["kind"]], *([n, str(v)] for n, v in _about(found))]
    for made in found.get("creates", []):
        rows.append(["Makes", made["template"]])
        rows += [[f"  {name}", session.text_of(value)] for name, value in made["fields"].items()]
    return session.table_of(f"Inbox item {found['id']}", ["", ""], rows, empty="")


@app.command()
def approve(item: Id = "") -> None:
    """Sign what was proposed."""
    session.show(session.ask("inbox.decide", id=full_id(item), approve=True))


@app.command()
def decline(item: Id = "", reason: Annotated[str, typer.Option(help="Told to the proposer.")] = "") -> None:
    """Refuse what was proposed, with a reason."""
    session.show(session.ask("inbox.decide", id=full_id(item), approve=False, reason=reason))
