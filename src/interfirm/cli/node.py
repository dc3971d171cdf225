"""`node`: one node's copies, and the database that its vault lies in; `node run` is beside `network`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from interfirm.cli import session
from interfirm.cli.network import node_app as app
from interfirm.node.vault.places import DatabaseUrl

SQLITE = "sqlite"
__all__ = ["app"]


@app.command("backup")
def backup(folder: Annotated[Path, typer.Argument(help="A folder that is not there yet.")]) -> None:
    """Copy a node, which may run, into a folder: vault, attached files, encrypted keys, certificate, configuration.

    The passphrase of the keys is not in the copy: keep it elsewhere.
    """
    from interfirm.runtime.backup import back_up  # all of a vault, which other commands do not wait for

    layout = session.layout()
    home = layout.firm(session.options.firm)
    made = back_up(layout, home, folder, now_ms=time.time_ns() // 1_000_000, told_of=_told)
    size = sum(file.bytes_count for file in made.files)
    session.show(
        {"firm": home.member.slug, "folder": str(folder), "files": len(made.files), "bytes": size},
        lambda d: f"{home.member.name}: {d['files']} files, {d['bytes']:,} bytes in {d['folder']}",
    )


@app.command("restore")
def restore(
    folder: Annotated[Path, typer.Argument(help="The folder of a copy.")],
    database: Annotated[
        str | None, typer.Option(help="An empty PostgreSQL database for the vault; else where it lay.")
    ] = None,
) -> None:
    """Make a stopped node from a copy, here or on another machine, and write nothing over.

    `interfirm recover` then asks the other members for what was shared since the copy was made.
    """
    from interfirm.runtime.backup import restore as restored  # all of a vault

    layout = session.layout()
    home = layout.firm(session.options.firm)
    url = None if database is None else DatabaseUrl(database)
    found = restored(layout, home, folder, database=url, told_of=_told)
    session.show(
        {"firm": home.member.slug, "made_ms": found.made_ms, "files": len(found.files)},
        lambda d: (
            f"{home.member.name}: {d['files']} files restored; start it, then `interfirm --as {d['firm']} recover`"
        ),
    )


@app.command("move-database")
def move_database(
    to: Annotated[str, typer.Argument(help="An empty PostgreSQL database (postgresql://user@host/name), or sqlite.")],
) -> None:
    """Move a stopped node's vault into another database; the old one is used until the new one is whole, and stays."""
    from interfirm.runtime.backup import move_database as moved  # all of a vault

    home = session.layout().firm(session.options.firm)
    url = None if to == SQLITE else DatabaseUrl(to)
    count = moved(home, url, told_of=_told)
    session.show(
        {"firm": home.member.slug, "rows": count, "database": SQLITE if url is None else str(url)},
        lambda d: f"{home.member.name}: {d['rows']:,} rows moved and compared; its vault lies in {d['database']}",
    )


def _told(table: str, rows_count: int) -> None:
    if session.progress_allowed():
        session.errors.print(f"[dim]{table} {rows_count:,}[/]", end="\r")
