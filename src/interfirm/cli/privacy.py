"""`privacy`: what a firm owes the people that its contracts tell of."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from interfirm.cli import session
from interfirm.node.shown import ALL

app = typer.Typer(help="Private values, erasing them, and what a notary is shown.", no_args_is_help=True)


@app.callback()
def privacy() -> None:
    """Private values, erasing them, and what a notary is shown."""


@app.command("erase")
def erase_subject(
    subject: Annotated[str, typer.Argument(help="The data subject, as it was named when the values were given.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a data subject's private values from this node for ever; every proof stays valid."""
    if not yes:
        typer.confirm(f"Erase everything private that is kept of {subject}, for ever?", abort=True)
    session.show(session.ask("privacy.erase", subject=subject), _told)


@app.command("show")
def show_notary(
    notary: Annotated[str, typer.Argument(help="solo or cluster, the notary's name, or its id.")],
    template: Annotated[
        list[str] | None, typer.Option("--template", help="Show transactions that touch it; once for each.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every transaction.")] = False,
    nothing: Annotated[bool, typer.Option("--nothing", help="Show none any more.")] = False,
) -> None:
    """Show a notary that re-executes whole transactions; without options, say what it is shown.

    Every validator of a cluster then reads what is in them. Without this a notary sees no business content.
    """
    if bool(template) + everything + nothing > 1:
        raise typer.BadParameter("take one of --template, --all, --nothing")
    wanted = [ALL] if everything else [] if nothing else template
    given: dict[str, Any] = {} if wanted is None else {"templates": wanted}
    session.show(session.ask("privacy.shown", notary=notary, **given), _shown)


def _shown(found: dict[str, Any]) -> str:
    """What a notary is shown, for people."""
    names = found["templates"]
    some = f"transactions that touch {', '.join(names)}" if names else "nothing"
    what = "every transaction" if ALL in names else some
    return f"{found['notary']} is shown {what}"


def _told(found: dict[str, Any]) -> str:
    """What was erased, and what stays, for people."""
    lines = [f"erased {found['values']} values of {found['subject']}, with copies in {len(found['flows'])} ended flows"]
    for stays in found["commitments"]:
        lines.append(f"  {stays['template']} {stays['ref']} keeps a commitment, which tells nothing of the value")
    for content in found["files"]:
        lines.append(f"  the attached file {content} still contains a value: its law of retention decides")
    if not found["values"] and not found["flows"]:
        lines = [f"nothing private is kept of {found['subject']}"]
    return "\n".join(lines)
