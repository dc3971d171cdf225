"""`contracts`, `create`, `exercise`: the vault, and changing it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from interfirm.base.errors import Refusal
from interfirm.cli import session
from interfirm.cli.waiting import watch

app = typer.Typer(help="What a firm's vault holds.", no_args_is_help=True)
REF = "transaction id:index or its beginning, or a template with one active contract"
"""How a contract is named on the command line."""


def brief(fields: dict[str, Any]) -> str:
    """A contract's fields on one line."""
    shown = []
    for name, value in fields.items():
        if value in (None, [], {}, ""):
            continue
        shown.append(f"{name}={session.text_of(value)[:40]}")
    return ", ".join(shown)


@app.command("list")
def list_contracts(
    template: Annotated[str | None, typer.Argument(help="A template, such as Invoice or cash.Cash.")] = None,
    status: Annotated[str, typer.Option(help="active, consumed, locked or all")] = "active",
    where: Annotated[str | None, typer.Option(help='A filter in JSON, such as {"number": {"_like": "A-%"}}.')] = None,
    search: Annotated[str | None, typer.Option(help="Words that stand in its texts; bolt* for what begins so.")] = None,
    order_by: Annotated[str | None, typer.Option(help="Fields with commas; -field for the other way round.")] = None,
    total: Annotated[bool, typer.Option("--total", help="Say how many there are in all.")] = False,
    notary: Annotated[
        str | None, typer.Option(help="Only what lives there: solo, cluster, or a notary's name.")
    ] = None,
    after: Annotated[str | None, typer.Option(help="The cursor that the last page ended with.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """List contracts, a page at a time."""
    found = session.ask(
        "contracts.list", template=template, status=status, notary=notary, where=_json(where), search=search,
        order_by=order_by, total=total, after=after, limit=limit,
    )  # fmt: skip
    session.show(
        found,
        lambda data: session.table_of(
            _titled(data),
            ["Template", "Status", "Ref", "Fields"],
            [
                [c["template"], c["status"], f"{c['ref'][:12]}…{c['ref'][64:]}", brief(c["fields"])]
                for c in data["contracts"]
            ],
            empty="no contracts",
        ),
    )


def _titled(page: dict[str, Any]) -> str:
    total = page.get("total")
    return "Contracts" if total is None else f"Contracts, {'' if total['exact'] else 'about '}{total['count']:,} in all"


def _json(where: str | None) -> Any:
    if where is None:
        return None
    try:
        return json.loads(where)
    except ValueError as error:
        raise Refusal("filter.shape", "a filter is an object in JSON", where=where[:80]) from error


@app.command()
def show(ref: Annotated[str, typer.Argument(help=REF)]) -> None:
    """Show one contract with its fields and choices, the notary where it lives, and how it came there."""
    session.show(session.ask("contracts.show", ref=full_ref(ref)))


@app.command()
def move(
    ref: Annotated[str, typer.Argument(help=REF)],
    to: Annotated[str, typer.Option("--to", help="The notary: solo, cluster, its name or its id.")],
    until: Annotated[
        str | None, typer.Option(help="Until when the new notary may take it, ISO 8601; by default a day from now.")
    ] = None,
    note: Annotated[str, typer.Option(help="Told to those who must sign.")] = "",
) -> None:
    """Move a contract to another notary: all who confirm it sign, and all its stakeholders follow.

    Between the two notaries it can be used nowhere. If the new one takes nothing in time it can be used again where it
    was. Asking again for a contract that was left locked carries its move on.
    """
    flow = watch("contracts.move", ref=full_ref(ref), to=to, until=until, note=note)
    session.show(flow, _arrived)


def _arrived(flow: dict[str, Any]) -> str:
    transaction, index = flow["result"]["ref"]
    left = flow["result"]["left"]
    return f"moved, now {transaction}:{index}" + (f"; the old notary keeps its lock: {left}" if left else "")


@app.command()
def history(ref: Annotated[str, typer.Argument(help=REF)]) -> None:
    """Show a contract and what it came from, newest first."""
    found = session.ask("contracts.history", ref=full_ref(ref))
    session.show(
        found,
        lambda data: session.table_of(
            "History",
            ["Template", "Status", "Ref", "Fields"],
            [
                [c["template"], c["status"], f"{c['ref'][:12]}…{c['ref'][64:]}", brief(c["fields"])]
                for c in data["history"]
            ],
            empty="nothing",
        ),
    )


def full_ref(text: str) -> str:
    """The whole ref of one typed by its beginning (`3fa2…:1`, `3fa2:1`), or of the only contract of a template."""
    head, _, index = text.replace("…", "").partition(":")
    if len(head) == 64:
        return f"{head}:{index}"
    if head.rpartition(".")[2][:1].isupper():
        found = [c["ref"] for c in session.ask("contracts.list", template=head, limit=1000)["contracts"]]
    else:
        found = [
            c["ref"]
            for c in session.ask("contracts.list", status="all", limit=1000)["contracts"]
            if c["ref"].startswith(head) and (not index or c["ref"].endswith(f":{index}"))
        ]
    if len(found) != 1:
        raise Refusal("form.ref", "this names no contract, or several", text=text, found=found[:5])
    return str(found[0])


def json_object(text: str) -> dict[str, Any]:
    """The JSON object that was typed; a usage error where it is none."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise typer.BadParameter("a JSON object is wanted")
    return value


def create(
    template: Annotated[str, typer.Argument(help="The template's name.")],
    fields: Annotated[str, typer.Argument(help="Its fields as a JSON object.")] = "{}",
    note: Annotated[str, typer.Option(help="Told to those who must sign.")] = "",
    notary: Annotated[
        str | None, typer.Option(help="The notary where it is to live; the network's first without it.")
    ] = None,
) -> None:
    """Create a contract."""
    flow = watch("create", template=template, fields=json_object(fields), note=note, notary=notary)
    session.show(flow, lambda f: f"done, transaction {f['result']['transaction']}")


def exercise(
    ref: Annotated[str, typer.Argument(help=REF)],
    choice: Annotated[str, typer.Argument(help="The choice's name.")],
    arguments: Annotated[str, typer.Argument(help="Its arguments as a JSON object.")] = "{}",
    note: Annotated[str, typer.Option(help="Told to those who must sign.")] = "",
    not_before: Annotated[str | None, typer.Option(help="The window's lower bound, ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="The window's upper bound, ISO 8601.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and who must sign.")] = False,
) -> None:
    """Make a choice on a contract."""
    given: dict[str, Any] = {
        "ref": full_ref(ref), "choice": choice, "arguments": json_object(arguments), "not_before": not_before,
        "until": until,
    }  # fmt: skip
    if dry_run:
        session.show(session.ask("preview", **given))
        return
    flow = watch("exercise", note=note, **given)
    session.show(flow, lambda f: f"done, transaction {f['result']['transaction']}")
