"""The vault's schema through the versions, as Alembic scripts; `HEAD` is the one this code writes.

A new file is made from `tables.py` at once and stamped (Alembic's way for new databases), so that Alembic itself is
loaded only where an older file is brought up to date. A test holds the scripts and `tables.py` together.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from interfirm.base.errors import Refusal
from interfirm.node.vault.statements import Work
from interfirm.node.vault.tables import metadata

HEAD = "0002"
_STAMPS = sa.Table(
    "alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True, nullable=False)
)


def migrate(connection: sa.Connection, work: Work) -> None:
    """Bring the schema up to date within the transaction that `work` is of the connection.

    Raises Refusal `vault.version` for a file of a newer version, or one that is no vault's.
    """
    names = set(sa.inspect(connection).get_table_names())
    if not names:
        for table in (*metadata.sorted_tables, _STAMPS):
            work.create(table)
        connection.execute(sa.insert(_STAMPS).values(version_num=HEAD))
        return
    found = connection.execute(sa.select(_STAMPS)).scalar() if _STAMPS.name in names else "none"
    if found != HEAD:
        upgrade(connection, found)


def upgrade(connection: sa.Connection, found: str | None) -> None:
    """Run the scripts after version `found` (None: all)."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise Refusal("vault.version", "the vault was written by another version", found=found, known=HEAD)
    command.upgrade(config, "head")
