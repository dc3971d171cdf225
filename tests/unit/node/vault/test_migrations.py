"""The schema through the versions."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from tests.unit.node.vault.samples import SampleEngine, flow, refused

from interfirm.node.vault import migrations
from interfirm.node.vault.tables import metadata
from interfirm.node.vault.vault import Vault


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.sqlite"


def open_and_close(path: Path) -> None:
    Vault.open(path, contracts_engine=SampleEngine(), durable=False).close()


def schema(path: Path) -> dict[str, tuple[tuple[object, ...], ...]]:
    """Columns and indexes of every table, as SQLite itself describes them."""
    with sqlite3.connect(path) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        described: dict[str, tuple[tuple[object, ...], ...]] = {}
        for name in names:
            columns = connection.execute(f"SELECT * FROM pragma_table_xinfo('{name}')").fetchall()
            indexes = connection.execute(
                f"SELECT l.\"unique\", i.seqno, i.name FROM pragma_index_list('{name}') l, pragma_index_info(l.name) i"
                " ORDER BY l.name, i.seqno"
            ).fetchall()
            listing = connection.execute(f"SELECT wr FROM pragma_table_list('{name}')").fetchall()
            described[name] = (tuple(columns), tuple(indexes), tuple(listing))
        return described


def by_the_scripts(path: Path) -> None:
    """A database made by the migration scripts alone."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        migrations.upgrade(connection, None)
    engine.dispose()


def test_the_scripts_make_the_same_schema_as_the_tables(tmp_path: Path) -> None:
    by_the_scripts(tmp_path / "scripts.sqlite")
    Vault.open(tmp_path / "new.sqlite", contracts_engine=_NoTemplates(), durable=False).close()
    assert schema(tmp_path / "scripts.sqlite") == schema(tmp_path / "new.sqlite")


class _NoTemplates(SampleEngine):
    def __init__(self) -> None:
        super().__init__()
        self._templates = []


def test_alembic_finds_nothing_to_change(tmp_path: Path) -> None:
    by_the_scripts(tmp_path / "scripts.sqlite")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'scripts.sqlite'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_newest_script_is_the_version_that_new_vaults_get() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_an_older_vault_is_brought_up_to_date(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    vault = Vault.open(path, contracts_engine=SampleEngine(), durable=False)
    with vault.turn() as turn:
        turn.put_flow(flow())
    vault.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(migrations.HEAD,)]


def test_an_older_vault_with_rows_is_brought_up_to_date_without_loss(path: Path) -> None:
    from alembic import command

    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO blobs VALUES ('space', x'01', x'02')")
        connection.execute("INSERT INTO template_tables VALUES (1, x'0a', 'Old', 'old', 'old_old', 1)")
        connection.execute(
            "INSERT INTO contracts VALUES"
            " (7, x'01', 0, 1, x'80', x'', x'', x'', x'', 'active', NULL, x'90', x'90', 1, 5)"
        )
    vault = Vault.open(path, contracts_engine=SampleEngine(), durable=False)
    with vault.read() as turn:
        assert turn.blob_get("space", b"\x01") == b"\x02"
    vault.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(migrations.HEAD,)]
        found = connection.execute("SELECT number, time_ms, origin_entry_index FROM contracts").fetchall()
    assert found == [(7, 5, None)]


def test_a_vault_of_a_newer_version_is_refused_and_left_as_it_is(path: Path) -> None:
    open_and_close(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = schema(path)
    with refused("vault.version") as caught:
        open_and_close(path)
    assert caught.value.values == {"found": "9999", "known": migrations.HEAD}
    assert schema(path) == before


def test_a_vault_of_this_version_is_opened_without_alembic(path: Path) -> None:
    open_and_close(path)
    before = path.read_bytes()
    open_and_close(path)
    assert path.read_bytes()[100:] == before[100:]
