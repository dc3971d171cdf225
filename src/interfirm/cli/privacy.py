"""`privacy`: what a firm owes the people that its contracts tell of."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from interfirm.cli import session

app = typer.Typer(help="Private values, and erasing them.", no_args_is_help=True)


@app.callback()
def privacy() -> None:
    """Private values, and erasing them."""


@app.command("erase")
def erase_subject(
    subject: Annotated[str, typer.Argument(help="The data subject, as it was named when the values were given.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a data subject's private values from this node for ever; every proof stays valid."""
    if not yes:
        typer.confirm(f"Erase everything private that is kept of {subject}, for ever?", abort=True)
    session.show(session.ask("privacy.erase", subject=subject), _told)


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
