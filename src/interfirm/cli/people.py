"""`people`: who may use a node, with which roles and tokens, and what the audit log says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from interfirm.base.time import Instant
from interfirm.cli import session
from interfirm.node.access.types import EVERYWHERE, placed

app = typer.Typer(help="Who may use the node: people, roles, tokens, the audit log.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The person's or program's name: anna, erp.")]
RoleNames = Annotated[
    list[str] | None,
    typer.Option("--role", help="A role, or role@entity for one of the group, role@* for all; once for each."),
]
Variables = Annotated[
    list[str] | None, typer.Option("--variable", help="name=value, which rules about rows know as $name.")
]


@app.command("list")
def list_people() -> None:
    """List everybody who may sign in."""
    session.show(session.ask("access.people"), _people)


def _people(data: dict[str, Any]) -> Any:
    entities = sorted({placed(role)[1] for person in data["people"] for role in person["roles"]} - {""})
    rows = [
        [person["name"], _roles_at("", person), "yes" if person["active"] else "no",
         *(_roles_at(entity, person) for entity in entities)]
        for person in data["people"]
    ]  # fmt: skip
    columns = ["Name", "Roles", "Active", *(f"At {'all' if each == EVERYWHERE else each}" for each in entities)]
    empty = "nobody yet; `interfirm people add anna --role administrator` adds the first"
    return session.table_of("People", columns, rows, empty=empty)


def _roles_at(entity: str, person: dict[str, Any]) -> str:
    return ", ".join(role for role, where in map(placed, person["roles"]) if where == entity)


@app.command()
def add(
    name: Name,
    role: RoleNames = None,
    variable: Variables = None,
    invited: Annotated[bool, typer.Option("--invite", help="Make a code to set a password with, too.")] = False,
) -> None:
    """Add a person or program, or change the roles of one."""
    found = session.ask(
        "access.person-put", name=name, roles=role, active=True,
        variables=None if variable is None else dict(_pair(each) for each in variable),
    )  # fmt: skip
    if invited:
        found["invitation"] = session.ask("access.invite", person=name)
    session.show(found, _added)


def _added(data: dict[str, Any]) -> str:
    text = f"{data['name']}: {', '.join(data['roles']) or 'no roles yet'}"
    return f"{text}\n{_code(data['invitation'])}" if "invitation" in data else text


@app.command()
def invite(name: Name, hours: Annotated[int, typer.Option(min=1, help="How long the code is valid.")] = 72) -> None:
    """Make a one-time code to set a password with, for somebody new or who forgot it; it is shown this once."""
    session.show(session.ask("access.invite", person=name, hours=hours), _code)


def _code(data: dict[str, Any]) -> str:
    return f"{data['code']}\nsets a password for {data['person']} until {Instant(data['expires_ms'])}, once"


@app.command()
def sessions(name: Annotated[str | None, typer.Argument(help="Only of this person.")] = None) -> None:
    """List who is signed in, and whence."""
    session.show(
        session.ask("access.sessions", person=name),
        lambda data: session.table_of(
            "Sessions", ["Id", "Person", "By", "From", "Used", "Ends"],
            [[s["id"], s["person"], s["means"], s["address"], Instant(s["used_ms"]), Instant(s["ends_ms"])]
             for s in data["sessions"]], empty="nobody is signed in",
        ),
    )  # fmt: skip


@app.command("end-session")
def end_session(
    session_id: Annotated[str | None, typer.Argument(help="The session's id, as `people sessions` shows it.")] = None,
    person: Annotated[str | None, typer.Option(help="All sessions of this person.")] = None,
) -> None:
    """Sign somebody out now."""
    if (session_id is None) == (person is None):
        raise typer.BadParameter("name a session, or a --person")
    session.show(session.ask("access.session-end", id=session_id, person=person), lambda d: f"{d['ended']} ended")


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise typer.BadParameter("a variable is written name=value")
    return name, value


@app.command()
def leave(name: Name) -> None:
    """End what a person may do: no door opens any more, and every token ends now."""
    session.show(session.ask("access.person-put", name=name, active=False), lambda d: f"{d['name']} has left")


@app.command()
def roles() -> None:
    """List roles with what they allow."""
    session.show(
        session.ask("access.roles"),
        lambda data: session.table_of(
            "Roles", ["Name", "About", "Operations"],
            [[r["name"], r["about"], ", ".join(r["operations"])] for r in data["roles"]], empty="no roles",
        ),
    )  # fmt: skip


@app.command()
def role(file: Annotated[Path, typer.Argument(help="JSON: name, about, operations, rules.")]) -> None:
    """Define a role by a file, in place of an earlier definition."""
    session.show(
        session.ask("access.role-put", definition=session.json_file(file)), lambda d: f"role {d['name']} is defined"
    )


@app.command()
def token(
    name: Name,
    days: Annotated[int, typer.Option(min=1, help="How long it is valid.")] = 90,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="Only this operation; once for each.")] = None,
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a token for the doors of the node; it is shown this once."""
    found = session.ask("access.token-new", person=name, days=days, scopes=scope, note=note)
    if session.options.json:
        session.show(found)
        return
    typer.echo(found["token"])  # on one line, to be copied
    session.errors.print(f"valid until {Instant(found['expires_ms'])}; it is not shown again")


@app.command()
def tokens() -> None:
    """List tokens, without their secrets."""
    session.show(
        session.ask("access.tokens"),
        lambda data: session.table_of(
            "Tokens", ["Id", "Person", "Until", "Ended", "For"],
            [[t["id"], t["person"], Instant(t["expires_ms"]), "yes" if t["revoked_ms"] else "", t["note"]]
             for t in data["tokens"]], empty="no tokens; `interfirm people token NAME` makes one",
        ),
    )  # fmt: skip


@app.command()
def revoke(token_id: Annotated[str, typer.Argument(help="The token's id, as `people tokens` shows it.")]) -> None:
    """End a token now."""
    session.show(session.ask("access.token-revoke", id=token_id), lambda d: f"the token of {d['person']} has ended")


@app.command()
def audit(
    after: Annotated[int, typer.Option(help="Begin after this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    check: Annotated[bool, typer.Option("--check", help="Only say whether the whole log holds.")] = False,
) -> None:
    """Show the audit log, or check that nobody tampered with it."""
    if check:
        session.show(
            session.ask("access.audit-check"), lambda d: f"{d['entries']} entries hold; the last hash is {d['hash']}"
        )
        return
    session.show(session.ask("access.audit", after=after, limit=limit), _log)


def _log(data: dict[str, Any]) -> Any:
    rows = [
        [e["number"], Instant(e["at_ms"]), e["caller"], e["door"], e["operation"], e["subject"], e["outcome"]]
        for e in data["entries"]
    ]
    columns = ["Number", "Time", "Who", "Door", "Operation", "About", "Outcome"]
    return session.table_of("Audit log", columns, rows, empty="nothing was recorded yet")
