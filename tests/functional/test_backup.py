"""Copies of nodes and moves to other databases, drilled: take one, lose the node, restore it, go on trading."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.networks import FIRMS, NOW_MS, asker, command, done, eventually
from tests.support.postgresql import a_database, server

from interfirm.node.identity.keystore import KeyStore
from interfirm.node.identity.sealed import read_passphrase
from interfirm.runtime import databases, notaries, supervise
from interfirm.runtime.layout import Home, NetworkLayout, new_network


@contextlib.contextmanager
def trading(folder: Path, *, on_postgresql: bool) -> Iterator[NetworkLayout]:
    """Two firms that run, in files or in databases of the tests' server."""
    layout = new_network(folder, FIRMS[:2], name="test", at_ms=NOW_MS)
    with contextlib.ExitStack() as stack:
        if on_postgresql:
            for home in map(layout.home, layout.members):
                databases.set_database(home, stack.enter_context(a_database()))
        try:
            notaries.start_all(layout)
            yield layout
        finally:
            notaries.stop_all(layout)


def told(layout: NetworkLayout, *words: str, code: int = 0) -> Any:
    done = command("--network", str(layout.folder), "--json", "--as", "nordmark", *words)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def refused(layout: NetworkLayout, *words: str) -> str:
    code: str = told(layout, *words, code=3)["refused"]["code"]
    return code


def issue(home: Home, amount: str) -> str:
    other = "halden" if home.member.slug == "nordmark" else "nordmark"
    fields = {"issuer": home.member.slug, "owner": other, "amount": f"{amount} EUR"}
    return f"{done(home, 'create', template='cash.Cash', fields=fields)['transaction']}:0"


def cash(home: Home) -> list[str]:
    listed = asker(home).call("contracts.list", {"template": "cash.Cash", "limit": 1000})["contracts"]
    return sorted(each["fields"]["amount"]["amount"] for each in listed)


def destroyed(home: Home) -> bytes:
    """Its folder is gone; its owner kept the passphrase elsewhere."""
    passphrase = home.passphrase_path.read_bytes()
    supervise.stop([home])
    shutil.rmtree(home.folder)
    return passphrase


def with_passphrase(home: Home, passphrase: bytes) -> None:
    home.folder.mkdir(mode=0o700, exist_ok=True)
    home.passphrase_path.touch(mode=0o600)
    home.passphrase_path.write_bytes(passphrase)


@pytest.mark.parametrize("on_postgresql", [False, True], ids=["sqlite", "postgresql"])
def test_a_node_that_was_destroyed_is_restored_from_a_copy_taken_while_it_ran_and_goes_on_trading(
    tmp_path: Path, on_postgresql: bool
) -> None:
    with trading(tmp_path / "n", on_postgresql=on_postgresql) as layout, a_database() as elsewhere:
        ours, other = layout.firm("nordmark"), layout.firm("halden")
        issue(ours, "1.00")
        issue(other, "2.00")
        eventually(lambda: cash(ours) == ["1.00", "2.00"] or None, "both contracts")
        copy = tmp_path / "copy"
        assert told(layout, "node", "backup", str(copy))["files"] >= 4
        assert refused(layout, "node", "backup", str(copy)) == "backup.exists"
        issue(other, "3.00")

        passphrase = destroyed(ours)
        found = [path for path in copy.rglob("*") if path.is_file() and passphrase in path.read_bytes()]
        assert found == [], "the passphrase is in no copy"
        words = ["--database", elsewhere.text] if on_postgresql else []
        told(layout, "node", "restore", str(copy), *words)
        with_passphrase(ours, passphrase)
        supervise.start(layout, [ours])
        assert cash(ours)[:2] == ["1.00", "2.00"]
        assert told(layout, "recover")["complete"]
        eventually(lambda: cash(ours) == ["1.00", "2.00", "3.00"] or None, "what was made since the copy")
        issue(ours, "4.00")
        issue(other, "5.00")
        both = ["1.00", "2.00", "3.00", "4.00", "5.00"]
        eventually(lambda: (cash(ours), cash(other)) == (both, both) or None, "all contracts in both vaults")


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    folder = tmp_path_factory.mktemp("copies")
    with trading(folder / "n", on_postgresql=False) as layout:
        issue(layout.firm("nordmark"), "1.00")
        told(layout, "node", "backup", str(folder / "copy"))
        supervise.stop([layout.firm("nordmark")])
        yield layout


@pytest.fixture
def copy(layout: NetworkLayout, tmp_path: Path) -> Path:
    """A copy of its own for each test."""
    return Path(shutil.copytree(layout.folder.parent / "copy", tmp_path / "copy"))


@pytest.fixture
def elsewhere(layout: NetworkLayout, tmp_path: Path) -> NetworkLayout:
    """The network's public files and nothing of the firm, as on another machine."""
    there = tmp_path / "elsewhere"
    there.mkdir()
    shutil.copy(layout.folder / "network.json", there)
    (there / "firms").mkdir()
    return NetworkLayout.open(there)


def test_what_is_there_is_not_written_over(layout: NetworkLayout, elsewhere: NetworkLayout, copy: Path) -> None:
    assert refused(layout, "node", "restore", str(copy)) == "backup.exists"
    folder = elsewhere.firm("nordmark").folder
    folder.mkdir()
    (folder / "keys").write_text("other keys")
    assert refused(elsewhere, "node", "restore", str(copy)) == "backup.exists"
    assert (folder / "keys").read_text() == "other keys"
    assert not (folder / "vault.db").exists()


@pytest.mark.parametrize("name", ["vault.db", "keys", "certificate.pem", "manifest.json"])
def test_a_damaged_copy_is_refused_and_leaves_nothing(elsewhere: NetworkLayout, copy: Path, name: str) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    assert refused(elsewhere, "node", "restore", str(copy)) == "backup.damaged"
    assert not elsewhere.firm("nordmark").folder.exists()


def test_a_copy_that_lacks_a_file_is_refused(elsewhere: NetworkLayout, copy: Path) -> None:
    (copy / "keys").unlink()
    assert refused(elsewhere, "node", "restore", str(copy)) == "backup.damaged"


def test_a_manifest_that_names_files_elsewhere_is_refused(elsewhere: NetworkLayout, copy: Path) -> None:
    from interfirm.runtime.backup import CopiedFile, Manifest, check_backup
    from interfirm.runtime.files import written

    manifest = check_backup(copy)
    outside = CopiedFile(name="attachments/../../../escaped", bytes_count=0, sha256="")
    changed: Manifest = manifest.replace(files=(*manifest.files, outside)).summed()
    (copy / "manifest.json").write_bytes(written(changed))
    assert refused(elsewhere, "node", "restore", str(copy)) == "backup.damaged"


def test_the_copy_of_another_node_is_refused(layout: NetworkLayout, copy: Path) -> None:
    done = command("--network", str(layout.folder), "--json", "--as", "halden", "node", "restore", str(copy))
    assert json.loads(done.stdout)["refused"]["code"] == "backup.foreign"


def test_a_folder_that_is_no_copy_is_refused(layout: NetworkLayout, tmp_path: Path) -> None:
    assert refused(layout, "node", "restore", str(tmp_path)) == "backup.missing"


def test_a_copy_is_restored_on_another_machine_into_another_database(elsewhere: NetworkLayout, copy: Path) -> None:
    with a_database() as url:
        told(elsewhere, "node", "restore", str(copy), "--database", url.text)
        home = elsewhere.firm("nordmark")
        assert databases.vault_place(home).database == url
        assert not (home.folder / "vault.db").exists()
        assert refused(elsewhere, "node", "restore", str(copy)) == "vault.not-empty"


def test_attached_files_are_in_a_copy_and_come_back(
    layout: NetworkLayout, elsewhere: NetworkLayout, tmp_path: Path
) -> None:
    paper = b"a paper"
    name = hashlib.sha256(paper).hexdigest()
    attached = databases.vault_place(layout.firm("nordmark")).attachments / name
    attached.write_bytes(paper)
    told(layout, "node", "backup", str(tmp_path / "with paper"))
    told(elsewhere, "node", "restore", str(tmp_path / "with paper"))
    assert (databases.vault_place(elsewhere.firm("nordmark")).attachments / name).read_bytes() == paper
    attached.unlink()


def test_a_node_moves_to_postgresql_and_back_and_goes_on_trading(tmp_path: Path) -> None:
    with trading(tmp_path / "n", on_postgresql=False) as layout, a_database() as url:
        ours, other = layout.firm("nordmark"), layout.firm("halden")
        issue(ours, "1.00")
        assert refused(layout, "node", "move-database", url.text) == "node.already-running"
        supervise.stop([ours])
        assert told(layout, "node", "move-database", url.text)["rows"] > 0
        assert (ours.folder / "vault.db.moved").exists()
        supervise.start(layout, [ours])
        issue(other, "2.00")
        eventually(lambda: cash(ours) == ["1.00", "2.00"] or None, "the new contract in PostgreSQL")
        supervise.stop([ours])
        told(layout, "node", "move-database", "sqlite")
        supervise.start(layout, [ours])
        issue(ours, "3.00")
        eventually(lambda: cash(ours) == ["1.00", "2.00", "3.00"] or None, "all of it in a file again")
        supervise.stop([ours])
        assert refused(layout, "node", "move-database", url.text) == "backup.exists"
        (ours.folder / "vault.db.moved").unlink()
        assert refused(layout, "node", "move-database", url.text) == "vault.not-empty"


@pytest.mark.parametrize("point", ["contracts", "privates"])
def test_a_kill_in_the_middle_of_a_move_leaves_the_old_database_in_use(layout: NetworkLayout, point: str) -> None:
    home = layout.firm("nordmark")
    with a_database() as url:
        program = (
            "import os, signal, sys; from pathlib import Path; from interfirm.node.vault import transfer;"
            "from interfirm.node.vault.places import DatabaseUrl; from interfirm.runtime.backup import move_database;"
            "from interfirm.runtime.layout import NetworkLayout\n"
            "copied = transfer._copied\n"
            f"def killed(reads, writes, table, told):\n"
            f"    if table.name == {point!r}: os.kill(os.getpid(), signal.SIGKILL)\n"
            "    return copied(reads, writes, table, told)\n"
            "transfer._copied = killed\n"
            f"home = NetworkLayout.open(Path({str(layout.folder)!r})).firm('nordmark')\n"
            f"move_database(home, DatabaseUrl({url.text!r}))"
        )
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
        assert databases.vault_place(home).database == home.folder / "vault.db"
        assert (home.folder / "vault.db").is_file()
        told(layout, "node", "move-database", url.text)
        told(layout, "node", "move-database", "sqlite")
        os.unlink(home.folder / "vault.db.moved")


def test_the_password_of_a_server_is_not_in_what_a_command_says(layout: NetworkLayout) -> None:
    url = f"postgresql://interfirm:se-cret@127.0.0.1:{server().port}/none"
    done = command("--network", str(layout.folder), "--as", "nordmark", "node", "move-database", url)
    assert done.returncode == 3
    assert "se-cret" not in done.stdout + done.stderr


def test_no_secret_is_in_a_copy_in_clear(layout: NetworkLayout, tmp_path: Path) -> None:
    home = layout.firm("nordmark")
    supervise.start(layout, [home])
    asker(home).call("access.person-put", {"name": "someone", "roles": ["viewer"]})
    token: str = asker(home).call("access.token-new", {"person": "someone"})["token"]
    code: str = asker(home).call("access.invite", {"person": "someone"})["code"]
    told(layout, "node", "backup", str(tmp_path / "later"))
    supervise.stop([home])
    store = KeyStore.open(home.keys_path, read_passphrase(home.passphrase_path))
    secrets = [token, token.rpartition("_")[2], code, home.passphrase_path.read_text().strip()]
    held = [secret.encode() for secret in secrets] + [store.vrf_seed, store.vrf_seed.hex().encode()]
    files = [path for path in (tmp_path / "later").rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert not [path.name for path in files if any(secret in path.read_bytes() for secret in held)]
