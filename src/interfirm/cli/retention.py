"""`retention` and `hold`: how long what has ended is kept, and what is kept whatever a rule says."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from interfirm.base.time import Instant
from interfirm.cli import session
from interfirm.cli.contracts import full_ref, json_object
from interfirm.node.retention.types import YEAR_DAYS

app = typer.Typer(help="How long what has ended is kept.", no_args_is_help=True)
hold_app = typer.Typer(help="Legal holds: what is kept whatever a rule says.", no_args_is_help=True)
About = Annotated[
    str,
    typer.Argument(help="A template as folder.Name, '*' for those without a rule, or flows, inbox, approvals or jobs."),
]


@app.command("list")
def list_rules() -> None:
    """List the rules; what none is about is kept for ever."""
    session.show(
        session.ask("retention.list"),
        lambda data: session.table_of(
            "Retention", ["About", "Days after the end", "Ground", "By", "Since"],
            [[r["about"], "for ever" if r["days"] is None else r["days"], r["ground"], r["by"], Instant(r["set_ms"])]
             for r in data["rules"]],
            empty="no rules: everything is kept for ever; `interfirm retention set '*' --years 10 --ground ...`",
        ),
    )  # fmt: skip


@app.command("set")
def set_rule(
    about: About,
    ground: Annotated[str, typer.Option(help="The law or the reason.")],
    days: Annotated[int | None, typer.Option(min=1, help="Days after the end.")] = None,
    years: Annotated[int | None, typer.Option(min=1, help=f"Years after the end, of {YEAR_DAYS} days each.")] = None,
    forever: Annotated[bool, typer.Option("--for-ever", help="Keep it for ever.")] = False,
) -> None:
    """Let what has ended go after a time, or never."""
    if (days is not None) + (years is not None) + forever != 1:
        raise typer.BadParameter("take one of --days, --years, --for-ever")
    wanted = years * YEAR_DAYS if years is not None else days
    session.show(session.ask("retention.set", about=about, days=wanted, ground=ground), _told)


@app.command("remove")
def remove_rule(about: About) -> None:
    """Forget a rule: the rule for all counts again, or it is kept for ever."""
    session.show(session.ask("retention.remove", about=about), lambda r: f"the rule about {r['about']} is gone")


def _told(rule: dict[str, Any]) -> str:
    kept = "for ever" if rule["days"] is None else f"for {rule['days']} days after it ended"
    return f"{rule['about']} is kept {kept} ({rule['ground']})"


@hold_app.command("list")
def list_holds() -> None:
    """List legal holds, with those that were released."""
    session.show(
        session.ask("holds.list"),
        lambda data: session.table_of(
            "Legal holds", ["Name", "Over", "Reason", "By", "Since", "Released"],
            [[h["name"], _over(h), h["reason"], h["by"], Instant(h["placed_ms"]), _released(h)] for h in data["holds"]],
            empty="no holds; `interfirm hold place NAME --reason ...` places one",
        ),
    )  # fmt: skip


@hold_app.command("place")
def place_hold(
    name: Annotated[str, typer.Argument(help="What it is called, such as the case's number.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    template: Annotated[str | None, typer.Option(help="Only contracts of this template.")] = None,
    where: Annotated[str, typer.Option(help="Only those of the template that a filter in JSON wants.")] = "{}",
    party: Annotated[str | None, typer.Option(help="Only contracts of this member.")] = None,
    ref: Annotated[list[str] | None, typer.Option(help="Only this contract; once for each.")] = None,
) -> None:
    """Keep contracts, also those to come, from being archived, and their private values from being erased."""
    refs = [full_ref(each) for each in ref or []]
    found = session.ask(
        "holds.place", name=name, reason=reason, template=template, where=json_object(where), party=party, refs=refs
    )
    session.show(found, lambda h: f"hold {h['name']} is in force over {_over(h)}")


@hold_app.command("release")
def release_hold(name: Annotated[str, typer.Argument(help="The hold's name.")]) -> None:
    """Release a hold: rules count again for what it covered."""
    session.show(session.ask("holds.release", name=name), lambda h: f"hold {h['name']} is released")


def _over(hold: dict[str, Any]) -> str:
    """What a hold covers, for people."""
    parts = [hold["template"] or "all contracts"]
    if hold["where"]:
        parts.append(f"where {hold['where']}")
    if hold["party"]:
        parts.append(f"of {hold['party']}")
    if hold["refs"]:
        parts.append(f"among {len(hold['refs'])} named")
    return "everything" if parts == ["all contracts"] else " ".join(parts)


def _released(hold: dict[str, Any]) -> str:
    return "" if hold["in_force"] else f"{Instant(hold['released_ms'])} by {hold['released_by']}"
