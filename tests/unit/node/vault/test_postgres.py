"""A vault in PostgreSQL: connections that are lost, other nodes, what is erased, and where a password may be seen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from tests.support.postgresql import a_database, server
from tests.unit.node.vault.samples import SampleEngine, flow, refused

from interfirm.base.errors import Refusal
from interfirm.node.vault import migrations
from interfirm.node.vault.migrations import HEAD
from interfirm.node.vault.places import DatabaseUrl, VaultPlace
from interfirm.node.vault.postgres import connect
from interfirm.node.vault.tables import metadata
from interfirm.node.vault.vault import Vault

ENGINE = SampleEngine()
OTHERS = "pid <> pg_backend_pid() AND datname = current_database()"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[VaultPlace]:
    with a_database() as url:
        yield VaultPlace(database=url, attachments=tmp_path / "attachments")


@pytest.fixture
def vault(place: VaultPlace) -> Iterator[Vault]:
    opened = Vault.open(place, contracts_engine=ENGINE)
    yield opened
    opened.close()


def asked(place: VaultPlace, text: str) -> list[tuple[object, ...]]:
    """What another program gets to know."""
    assert isinstance(place.database, DatabaseUrl)
    with connect(place.database) as connection:
        cursor = connection.execute(text)
        return cursor.fetchall() if cursor.description else []


def end_connections(place: VaultPlace) -> None:
    asked(place, f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {OTHERS}")


def test_a_connection_that_was_lost_between_turns_is_made_again(vault: Vault, place: VaultPlace) -> None:
    with vault.read() as one, vault.read() as two:
        assert one.flows() == two.flows() == []
    end_connections(place)
    with vault.turn() as turn:
        turn.put_flow(flow())
    with vault.read() as one, vault.read() as two:
        assert one.flows() == two.flows() == [flow()]


def test_a_turn_in_which_the_connection_is_lost_leaves_nothing_and_the_next_goes_on(
    vault: Vault, place: VaultPlace
) -> None:
    with refused("vault.storage"), vault.turn() as turn:
        turn.put_flow(flow("one"))
        end_connections(place)
        turn.put_flow(flow("two"))
    with vault.turn() as turn:
        turn.put_flow(flow("three"))
    with vault.read() as turn:
        assert [each.id for each in turn.flows()] == ["three"]


def test_a_read_in_which_the_connection_is_lost_is_refused_and_the_next_goes_on(
    vault: Vault, place: VaultPlace
) -> None:
    with refused("vault.storage"), vault.read() as turn:
        end_connections(place)
        turn.flows()
    with vault.read() as turn:
        assert turn.flows() == []


def test_a_node_whose_vault_another_one_had_meanwhile_does_not_write_again(vault: Vault, place: VaultPlace) -> None:
    end_connections(place)
    Vault.open(place, contracts_engine=ENGINE).close()
    for _ in range(2):
        with refused("vault.in-use"), vault.turn() as turn:
            turn.put_flow(flow())


def test_a_killed_node_leaves_no_lock_behind(place: VaultPlace) -> None:
    assert isinstance(place.database, DatabaseUrl)
    code = (
        "import os, signal; from pathlib import Path; from interfirm.node.vault.places import DatabaseUrl;"
        "from interfirm.node.vault.postgres import PostgresDatabase;"
        f"PostgresDatabase(DatabaseUrl({place.database.text!r})); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode < 0
    Vault.open(place, contracts_engine=ENGINE).close()


def test_commits_are_on_disk_when_they_are_answered_whatever_the_servers_default(place: VaultPlace) -> None:
    (name,) = asked(place, "SELECT current_database()")[0]
    asked(place, f"ALTER DATABASE {name} SET synchronous_commit = off")
    for durable, found in ((True, "on"), (False, "off")):
        opened = Vault.open(place, contracts_engine=ENGINE, durable=durable)
        with opened.turn() as turn:
            assert turn.rows(sa.text("SHOW synchronous_commit")) == [(found,)]
        opened.close()


def test_what_is_erased_is_gone_from_the_tables_files(vault: Vault, place: VaultPlace) -> None:
    with vault.turn() as turn:
        turn.put_private(b"c1", "person-1", b"a private value", b"salt")
    asked(place, "CHECKPOINT")
    assert files_with(b"a private value")
    with vault.turn() as turn:
        turn.erase_subject("person-1")
    asked(place, "CHECKPOINT")
    assert not files_with(b"a private value")


def test_what_is_erased_while_somebody_reads_is_gone_with_the_next_turn(vault: Vault, place: VaultPlace) -> None:
    with vault.turn() as turn:
        turn.put_private(b"c1", "person-1", b"another private value", b"salt")
    with vault.read() as reader:
        assert reader.private(b"c1") is not None
        with vault.turn() as turn:
            turn.erase_subject("person-1")
        assert reader.private(b"c1") is not None
    with vault.turn():
        pass
    asked(place, "CHECKPOINT")
    assert not files_with(b"another private value")


def files_with(part: bytes) -> list[Path]:
    """The files of all tables of the server in which these bytes stand; its log of changes aside."""
    files = (server().folder / "data" / "base").rglob("*")
    return [path for path in files if path.is_file() and part in path.read_bytes()]


def test_a_sound_database_passes_the_check(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.put_flow(flow())
    vault.check()


def test_a_database_of_another_program_is_refused(place: VaultPlace) -> None:
    asked(place, "CREATE TABLE theirs (id int)")
    with refused("vault.version"):
        Vault.open(place, contracts_engine=ENGINE)


def test_a_database_that_is_not_there_is_refused(place: VaultPlace) -> None:
    assert isinstance(place.database, DatabaseUrl)
    with refused("vault.storage"):
        Vault.open(place.replace(database=place.database.with_name("none")), contracts_engine=ENGINE)


@pytest.mark.parametrize("text", ["mysql://host/db", "postgresql://h:port/db", "postgresql://h/db?password=secret", ""])
def test_what_is_no_address_is_refused(text: str) -> None:
    with refused("vault.url") as caught:
        DatabaseUrl(text)
    assert "secret" not in str(caught.value)


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    url = DatabaseUrl(f"postgresql://interfirm:se%20cret@127.0.0.1:{server().port}/none?nonsense=1")
    place = VaultPlace(database=url, attachments=tmp_path)
    shown = [str(url), repr(url), repr(place), str(place)]
    for each in (url, DatabaseUrl(f"postgresql://interfirm:se%20cret@127.0.0.1:{server().port}/none")):
        with pytest.raises(Refusal) as caught:
            Vault.open(place.replace(database=each), contracts_engine=ENGINE)
        shown += [str(caught.value), repr(caught.value.as_plain()), repr(caught.value.__cause__)]
    assert not [text for text in shown if "se%20cret" in text or "se cret" in text]


@pytest.fixture
def locked(place: VaultPlace) -> VaultPlace:
    """The place as a user sees it who needs a password."""
    rules = server().folder / "data" / "pg_hba.conf"
    if "locked" not in rules.read_text():
        rules.write_text("host all locked 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        asked(place, "CREATE ROLE locked LOGIN SUPERUSER PASSWORD 'se-cret'")
        asked(place, "SELECT pg_reload_conf()")
    assert isinstance(place.database, DatabaseUrl)
    return place.replace(database=DatabaseUrl(place.database.text.replace("interfirm@", "locked@")))


def test_a_password_is_taken_from_the_address_the_environment_or_the_users_file(
    locked: VaultPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(locked.database, DatabaseUrl)
    with refused("vault.storage"):
        Vault.open(locked, contracts_engine=ENGINE)
    given = DatabaseUrl(locked.database.text.replace("locked@", "locked:se-cret@"))
    Vault.open(locked.replace(database=given), contracts_engine=ENGINE).close()
    with monkeypatch.context() as patched:
        patched.setenv("PGPASSWORD", "se-cret")
        Vault.open(locked, contracts_engine=ENGINE).close()
    file = tmp_path / "pgpass"
    file.touch(mode=0o600)
    file.write_text("127.0.0.1:*:*:locked:se-cret\n")
    monkeypatch.setenv("PGPASSFILE", str(file))
    Vault.open(locked, contracts_engine=ENGINE).close()


def test_a_wrong_password_is_refused_and_not_shown(locked: VaultPlace) -> None:
    assert isinstance(locked.database, DatabaseUrl)
    wrong = DatabaseUrl(locked.database.text.replace("locked@", "locked:wr-ong@"))
    with refused("vault.storage") as caught:
        Vault.open(locked.replace(database=wrong), contracts_engine=ENGINE)
    assert "wr-ong" not in f"{caught.value} {caught.value.as_plain()} {caught.value.__cause__!r}"


def older(place: VaultPlace, revision: str) -> None:
    """An empty vault as an older version made it."""
    from alembic import command
    from alembic.config import Config

    assert isinstance(place.database, DatabaseUrl)
    engine = sa.create_engine(place.database.text.replace("postgresql:", "postgresql+interfirm:"))
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def test_an_older_vault_with_rows_is_brought_up_to_date_without_loss(place: VaultPlace) -> None:
    older(place, "0001")
    asked(place, "INSERT INTO blobs VALUES ('space', '\\x01', '\\x02')")
    asked(place, r"INSERT INTO template_tables VALUES (1, '\x0a', 'Old', 'old', 'old_old', 1)")
    empty = ", ".join(["''"] * 4)
    asked(place, f"INSERT INTO contracts VALUES (7, '\\x01', 0, 1, '\\x80', {empty}, 'active', NULL, '\\x90', '\\x90',"
                 " true, 5)")  # fmt: skip
    opened = Vault.open(place, contracts_engine=ENGINE)
    with opened.read() as turn:
        assert turn.blob_get("space", b"\x01") == b"\x02"
    opened.close()
    assert asked(place, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert asked(place, "SELECT number, time_ms, origin_entry_index FROM contracts") == [(7, 5, None)]


def test_the_scripts_make_the_same_schema_as_the_tables(place: VaultPlace) -> None:
    with a_database() as url:
        scripts = place.replace(database=url)
        older(scripts, "head")
        made_by_scripts = schema(scripts)
    Vault.open(place, contracts_engine=ENGINE).close()
    made = schema(place)
    assert [row for row in made_by_scripts if row[0] in metadata.tables] == [r for r in made if r[0] in metadata.tables]


def schema(place: VaultPlace) -> list[tuple[object, ...]]:
    """Columns and indexes of every table, as PostgreSQL describes them."""
    columns = asked(place, "SELECT table_name, column_name, data_type, collation_name, is_nullable"
                           " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2")  # fmt: skip
    indexes = asked(place, "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2")
    return columns + indexes


def test_a_statement_that_is_wrong_is_a_bug_and_no_refusal(vault: Vault) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable), vault.turn() as turn:
        turn.rows(sa.text("SELECT 1 FROM nowhere"))
