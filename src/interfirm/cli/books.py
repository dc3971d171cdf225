"""`books`: whether this firm and others hold the same of what they share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from interfirm.cli import session
from interfirm.cli.waiting import watch

app = typer.Typer(help="Compare this firm's books with others'.", no_args_is_help=True)


@app.command()
def compare(member: Annotated[str, typer.Argument(help="The member's name.")]) -> None:
    """Compare what this firm and a member share, by hashes; say which contracts only one of them has.

    Nodes do so by themselves once a day, and put a difference into the inbox. What is compared is what was in use a few
    minutes ago, so that nothing is still on its way.
    """
    watch("books.compare", **{"with": member})
    found = next(e for e in session.ask("books.compared")["compared"] if _is(e["member"], member))
    session.show(found, _shown)


def _is(name: str, wanted: str) -> bool:
    member = session.layout().firm(wanted).member
    return name == member.name


def _shown(found: dict[str, Any]) -> Any:
    if found["equal"]:
        return f"{found['ours']} contracts shared with {found['member']}, equal on both sides at {found['until']}"
    rows = [["only ours", ref] for ref in found["only_ours"]] + [["only theirs", ref] for ref in found["only_theirs"]]
    whole = "" if found["whole"] else "; there are more"
    title = f"{found['member']}: {found['ours']} ours, {found['theirs']} theirs at {found['until']}{whole}"
    return session.table_of(title, ["Whose", "Contract"], rows, empty=title)


@app.command()
def compared() -> None:
    """Show the last result with each member."""
    session.show(
        session.ask("books.compared"),
        lambda data: session.table_of(
            "Books compared", ["Member", "At", "Equal", "Ours", "Theirs"],
            [
                [each["member"], each["until"], "yes" if each["equal"] else "NO", each["ours"], each["theirs"]]
                for each in data["compared"]
            ],
            empty="not compared yet; `interfirm books compare MEMBER` does",
        ),
    )  # fmt: skip
