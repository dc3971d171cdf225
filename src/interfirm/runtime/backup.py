"""A copy of a firm's node in a folder, and a node made from one again, here or on another machine.

    manifest.json      whose it is, of when, and the hash of each file
    vault.db           the vault in one SQLite file, whatever database it came from
    attachments/       the attached files
    keys               the key store, encrypted as it lies in the node's folder; its passphrase is not in the copy
    certificate.pem, node.toml

A copy is taken while the node runs and is one state of it. It holds what the vault holds: keep it as safe.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.node.identity.sealed import write_atomically
from interfirm.node.vault.places import DatabaseUrl
from interfirm.node.vault.sqlite import SqliteDatabase, refusal_of
from interfirm.node.vault.transfer import Told, copy_vault
from interfirm.node.vault.vault import open_database
from interfirm.runtime import supervise
from interfirm.runtime.databases import set_database, vault_path, vault_place
from interfirm.runtime.files import FORMAT, read_description, written
from interfirm.runtime.layout import Home, NetworkLayout

MANIFEST, VAULT, ATTACHMENTS = "manifest.json", "vault.db", "attachments"
BESIDE = ("keys", "certificate.pem", "node.toml")
"""Files of the node's folder that are copied where they are there."""
_NAMES = re.compile(rf"{re.escape(VAULT)}|{'|'.join(map(re.escape, BESIDE))}|{ATTACHMENTS}/[0-9a-f]{{64}}")
CHUNK_BYTES = 1024 * 1024


class CopiedFile(Value, frozen=True):
    """One file of a copy."""

    name: str
    bytes_count: int
    sha256: str


class Manifest(Value, frozen=True):
    """`manifest.json`; `sha256` is over all the rest of it."""

    format: int
    network: str
    firm: str
    identity: str
    made_ms: int
    files: tuple[CopiedFile, ...]
    sha256: str = ""

    def summed(self) -> Manifest:
        """With its own hash."""
        bare = msgspec.json.encode(self.replace(sha256=""))
        return self.replace(sha256=hashlib.sha256(bare).hexdigest())


def back_up(
    layout: NetworkLayout, home: Home, folder: Path, *, now_ms: int, told_of: Told = lambda *_: None
) -> Manifest:
    """Copy a firm's node, which may run, into a new folder; the folder is there when the copy is whole.

    Raises Refusal `backup.exists`, `backup.write`, and those of the vault (`vault.storage`, `vault.version`).
    """
    check(not folder.exists(), "backup.exists", "a copy is made in a new folder", folder=str(folder))
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    with _writing(folder), _removed_unless_done(part):
        part.mkdir(mode=0o700, parents=True)
        _copy_vault_out(home, part / VAULT, told_of)
        _copy_files(home, part)
        names = sorted(str(path.relative_to(part)) for path in part.rglob("*") if path.is_file())
        manifest = Manifest(
            format=FORMAT, network=layout.network_id.hex(), firm=home.member.slug, identity=home.member.identity.hex(),
            made_ms=now_ms, files=tuple(_copied(part, name) for name in names),
        ).summed()  # fmt: skip
        write_atomically(part / MANIFEST, written(manifest), replace=False)
        part.rename(folder)
    return manifest


def check_backup(folder: Path) -> Manifest:
    """The manifest of a copy of which every byte is as it was written.

    Raises Refusal `backup.missing`, `backup.damaged` naming the file, `file.format`.
    """
    damaged = Refusal("backup.damaged", "the copy's manifest cannot be read", folder=str(folder))
    missing = Refusal("backup.missing", "there is no copy of a node here", folder=str(folder))
    manifest = read_description(folder / MANIFEST, Manifest, missing=missing, damaged=damaged)
    whole = manifest.summed() == manifest and all(_NAMES.fullmatch(file.name) for file in manifest.files)
    check(whole, "backup.damaged", "the copy's manifest has changed", folder=str(folder))
    check(any(file.name == VAULT for file in manifest.files), "backup.damaged", "the copy lacks the vault")
    for file in manifest.files:
        path = folder / file.name
        found = _copied(folder, file.name) if path.is_file() and not path.is_symlink() else None
        check(found == file, "backup.damaged", "a file of the copy is missing or has changed", file=file.name)
    return manifest


def restore(
    layout: NetworkLayout, home: Home, folder: Path, *, database: DatabaseUrl | None = None,
    told_of: Told = lambda *_: None,
) -> Manifest:  # fmt: skip
    """Make a firm's node from a copy, in its folder, with the vault in `database` or else where it lay.

    Nothing that is there is written over: the vault's place must be empty, other files absent or the same. The vault
    comes last, so that what was interrupted can be done again. Raises Refusal `backup.foreign`, `backup.exists`,
    `node.already-running`, `vault.not-empty`, those of `check_backup` and of the vault.
    """
    manifest = check_backup(folder)
    ours = (manifest.network, manifest.identity) == (layout.network_id.hex(), home.member.identity.hex())
    check(ours, "backup.foreign", "this is the copy of another node", firm=manifest.firm, network=manifest.network)
    check(supervise.running(home) is None, "node.already-running", "stop the node first", firm=home.member.slug)
    place = vault_place(home)
    target = place.database if database is None else database
    check(not vault_path(home).exists(), "backup.exists", "there is a vault", path=str(vault_path(home)))
    with _writing(home.folder):
        home.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.attachments.mkdir(mode=0o700, exist_ok=True)
        for file in manifest.files:
            if file.name != VAULT:
                _put_back(folder / file.name, _place_of(home, file.name))
        _put_vault_back(home, folder / VAULT, target, told_of)
    return manifest


def move_database(home: Home, target: DatabaseUrl | None, *, told_of: Told = lambda *_: None) -> int:
    """Move a stopped node's vault into an empty database, or (None) into a file in its folder; the count of rows.

    The node uses the old one until the new one is whole. An old file stays as `vault.db.moved`, an old database as it
    is. Raises Refusal `node.already-running`, `backup.exists`, and those of `copy_vault`.
    """
    check(supervise.running(home) is None, "node.already-running", "stop the node first", firm=home.member.slug)
    source, into = vault_place(home).database, target or vault_path(home)
    check(source != into, "database.same", "the vault lies there already", database=str(source))
    if isinstance(source, Path):
        check(source.exists(), "database.empty", "the node has no vault yet", path=str(source))
    old = vault_path(home).with_name(vault_path(home).name + ".moved")
    check(isinstance(source, DatabaseUrl) or not old.exists(), "backup.exists", "move it away first", path=str(old))
    count = _copy(source, into, home, told_of)
    set_database(home, into)
    if isinstance(source, Path):
        source.rename(old)
    return count


def _copy(source: Path | DatabaseUrl, into: Path | DatabaseUrl, home: Home, told_of: Told) -> int:
    """Both are held by us alone meanwhile. A file is made beside its place and moved there when it is whole."""
    part = home.folder / f".vault.{os.getpid()}.part"
    beside = part if isinstance(into, Path) else into
    with contextlib.ExitStack() as stack:
        stack.callback(_remove_database, part)
        opened = open_database(source)
        stack.callback(opened.close)
        target = open_database(beside)
        with contextlib.closing(target):
            made = copy_vault(opened, target, told_of=told_of)
        if isinstance(into, Path):
            _single_file(part)
            check(not into.exists(), "backup.exists", "there is a vault", path=str(into))
            os.rename(part, into)
    return sum(table.rows_count for table in made)


def _copy_vault_out(home: Home, path: Path, told_of: Told) -> None:
    source = vault_place(home).database
    if isinstance(source, Path):
        check(source.exists(), "database.empty", "the node has no vault yet", path=str(source))
        _copy_sqlite(source, path)
        return
    from interfirm.node.vault.postgres import PostgresReads  # nodes on SQLite do without

    reads, target = PostgresReads(source), SqliteDatabase(path, durable=False)
    with contextlib.closing(reads), contextlib.closing(target):
        copy_vault(reads, target, told_of=told_of)
    _single_file(path)


def _copy_sqlite(source: Path, path: Path) -> None:
    """SQLite's own copy of one state, while others read and write."""
    path.touch(mode=0o600)
    with (
        contextlib.closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as reads,
        contextlib.closing(sqlite3.connect(path)) as made,
    ):
        reads.backup(made)
    _single_file(path)


def _single_file(path: Path) -> None:
    """One sound file, on disk, without a log or a lock beside it."""
    with contextlib.closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA journal_mode=DELETE")
        found = made.execute("PRAGMA quick_check(1)").fetchone()[0]
    check(found == "ok", "vault.damaged", "the vault's file is damaged", reason=found)
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _remove_database(path: Path) -> None:
    for name in ("", "-wal", "-shm", ".lock"):
        path.with_name(path.name + name).unlink(missing_ok=True)


def _copy_files(home: Home, part: Path) -> None:
    (part / ATTACHMENTS).mkdir(mode=0o700)
    attached = vault_place(home).attachments
    for path in sorted(attached.iterdir()) if attached.is_dir() else []:
        if re.fullmatch("[0-9a-f]{64}", path.name):
            _copy_file(path, part / ATTACHMENTS / path.name)
    for name in BESIDE:
        if (home.folder / name).exists():
            _copy_file(home.folder / name, part / name)


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as reads, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
        shutil.copyfileobj(reads, made, CHUNK_BYTES)
        made.flush()
        os.fsync(made.fileno())


def _copied(folder: Path, name: str) -> CopiedFile:
    with (folder / name).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return CopiedFile(name=name, bytes_count=file.tell(), sha256=digest)


def _place_of(home: Home, name: str) -> Path:
    kind, _, rest = name.partition("/")
    return vault_place(home).attachments / rest if kind == ATTACHMENTS else home.folder / name


def _put_back(source: Path, target: Path) -> None:
    """One file in its place, unless the same is there."""
    if target.exists():
        same = source.stat().st_size == target.stat().st_size and source.read_bytes() == target.read_bytes()
        check(same, "backup.exists", "there is another file; move it away first", path=str(target))
        return
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    with _removed_unless_done(part):
        _copy_file(source, part)
        part.rename(target)


def _put_vault_back(home: Home, source: Path, target: Path | DatabaseUrl, told_of: Told) -> None:
    part = home.folder / f".vault.{os.getpid()}.restored"
    try:
        _copy_file(source, part)
        _single_file(part)
        if isinstance(target, Path):
            os.rename(part, target)
        else:
            _copy(part, target, home, told_of)
            set_database(home, target)
    finally:
        _remove_database(part)


@contextlib.contextmanager
def _removed_unless_done(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(where: Path) -> Iterator[None]:
    """What the operating system or SQLite refuses is told."""
    try:
        yield
    except sqlite3.Error as error:
        raise refusal_of(error) or error from error
    except OSError as error:
        raise Refusal("backup.write", "the files cannot be written or read", folder=str(where),
                      reason=str(error)) from error  # fmt: skip
