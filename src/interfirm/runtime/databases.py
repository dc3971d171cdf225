"""Where a firm's vault lies: `vault.db` in its folder, or the PostgreSQL database that the file `database` names.

The file is for its owner alone, as the address may hold a password; without one, libpq looks for PGPASSWORD and in the
owner's `.pgpass`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from interfirm.base.errors import Refusal
from interfirm.node.identity.sealed import write_atomically
from interfirm.node.vault.places import DatabaseUrl, VaultPlace, beside, check_driver

if TYPE_CHECKING:
    from interfirm.runtime.layout import Home, NetworkLayout

FILE = "database"
NAME_CHARS_MAX = 60


def vault_path(home: Home) -> Path:
    """The SQLite file of a firm's vault, and what the folder of its attached files is named after."""
    return home.folder / "vault.db"


def vault_place(home: Home) -> VaultPlace:
    """Where a firm's vault lies; Refusal `vault.url` for a file that holds no address."""
    place = beside(vault_path(home))
    try:
        text = (home.folder / FILE).read_text()
    except FileNotFoundError:
        return place
    return place.replace(database=DatabaseUrl(text))


def set_database(home: Home, database: Path | DatabaseUrl) -> None:
    """From its next start a node uses this database; written whole or not at all."""
    path = home.folder / FILE
    if isinstance(database, DatabaseUrl):
        write_atomically(path, database.text.encode() + b"\n", replace=True)
    else:
        path.unlink(missing_ok=True)


def check_server(server: DatabaseUrl) -> None:
    """Whether databases can be made there; Refusal `vault.storage`, `vault.driver`, `database.rights`."""
    check_driver()
    from interfirm.node.vault.postgres import connect  # nodes on SQLite do without

    with connect(_maintenance(server)) as connection:
        row = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if row is None or not row[0]:
        raise Refusal("database.rights", "this user must not make databases (ALTER ROLE ... CREATEDB)", url=str(server))


def give_databases(layout: NetworkLayout, server: DatabaseUrl) -> list[str]:
    """Make a database for each firm of a network that has not run, `<prefix>_<firm>`, and note it; their names.

    The prefix is the database that the address names, else the network's name. Raises Refusal `database.exists`,
    `vault.storage`; none of them is left then.
    """
    prefix = server.named or layout.file.name
    homes = [layout.home(member) for member in layout.members]
    names = [_name(prefix, home.member.slug) for home in homes]
    make_databases(server, names)
    for home, name in zip(homes, names, strict=True):
        set_database(home, server.with_name(name))
    return names


def make_databases(server: DatabaseUrl, names: Iterable[str]) -> None:
    """Make empty databases, all or none; Refusal `database.exists`, `vault.storage`."""
    import psycopg  # nodes on SQLite do without
    from psycopg import sql

    from interfirm.node.vault.postgres import connect, refusal_of

    made: list[str] = []
    with connect(_maintenance(server)) as connection:
        try:
            for name in names:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name))
                )
                made.append(name)
        except psycopg.Error as error:
            for name in made:
                connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
            if isinstance(error, psycopg.errors.DuplicateDatabase):
                raise Refusal("database.exists", "there is a database of this name", url=str(server)) from error
            raise refusal_of(error) or error from error


def _maintenance(server: DatabaseUrl) -> DatabaseUrl:
    """The database that every server has, from which others are made."""
    return server.with_name("postgres")


def _name(prefix: str, slug: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", f"{prefix}_{slug}".lower())[:NAME_CHARS_MAX]
