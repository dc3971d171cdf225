"""A PostgreSQL server of one's own, for demos and tests: made in a folder, on loopback, stopped when it is not needed.

An operator's databases lie on the operator's server; this one trusts every user of the machine.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import msgspec

from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.node.vault.places import DatabaseUrl

HOST = "127.0.0.1"
USER = "interfirm"
BINARIES = "INTERFIRM_POSTGRESQL"
"""The folder of initdb and pg_ctl, where they are not found without."""
VERSION_MIN = 13
TIMEOUT_S = 60
FILE = "postgresql.json"
_SETTINGS = "max_connections=200\nlisten_addresses='127.0.0.1'\nlog_min_messages=warning\n"
_FAST = "fsync=off\nfull_page_writes=off\nautovacuum=off\n"


class Server(Value, frozen=True):
    """A server that runs."""

    folder: Path
    port: int

    @property
    def url(self) -> DatabaseUrl:
        """The server, without a database."""
        return DatabaseUrl(f"postgresql://{USER}@{HOST}:{self.port}/")

    @property
    def socket_url(self) -> DatabaseUrl:
        """The same over its socket, for database `postgres`."""
        return DatabaseUrl(f"postgresql://{USER}@/postgres?host={self.folder}&port={self.port}")

    def write(self, folder: Path) -> None:
        """Note in a network's folder that its server is this one."""
        (folder / FILE).write_bytes(msgspec.json.encode({"folder": str(self.folder), "port": self.port}))


def noted(folder: Path) -> Server | None:
    """The server that a network's folder notes as its own."""
    try:
        found = msgspec.json.decode((folder / FILE).read_bytes(), type=dict[str, str | int])
    except FileNotFoundError:
        return None
    return Server(folder=Path(str(found["folder"])), port=int(found["port"]))


def binaries() -> Path:
    """The folder of initdb and pg_ctl, of the newest version; Refusal `postgresql.missing`."""
    given = os.environ.get(BINARIES)
    in_path = shutil.which("initdb")
    listed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: _number(path.parent.name), reverse=True)
    folders = [Path(given)] if given else [*listed, *([Path(in_path).resolve().parent] if in_path else [])]
    for folder in folders:
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "pg_ctl", "postgres")):
            return folder
    raise Refusal(
        "postgresql.missing", f"PostgreSQL {VERSION_MIN} or later is not installed (on Debian: apt-get install"
        f" postgresql); {BINARIES} names the folder of its programs where it is elsewhere",
        looked=[str(folder) for folder in folders],
    )  # fmt: skip


def _number(name: str) -> int:
    found = re.match(r"\d+", name)
    return int(found[0]) if found else 0


def start(*, durable: bool = True, settings: str = "") -> Server:
    """A new server in a temporary folder; `stop` removes it.

    A server does not run as root: where we do, it runs as the user `postgres` or `nobody`. `durable=False` gives up
    safety against a loss of power; `settings` are lines of its configuration. Raises Refusal `postgresql.missing`,
    `postgresql.start`.
    """
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="interfirm-postgresql-"))
    owner = _owner()
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    try:
        command = [programs / "initdb", "-D", folder / "data", "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C"]
        _run([*command, *([] if durable else ["--no-sync"])], owner, folder)
        _configure(folder, owner, fast="" if durable else _FAST, settings=settings)
        return _started(programs, folder, owner)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _configure(folder: Path, owner: pwd.struct_passwd | None, *, fast: str, settings: str) -> None:
    with (folder / "data" / "postgresql.conf").open("a") as file:
        file.write(f"{_SETTINGS}unix_socket_directories='{folder}'\n{fast}{settings}")
    if owner is not None:
        os.chown(folder / "data" / "postgresql.conf", owner.pw_uid, owner.pw_gid)


def _started(programs: Path, folder: Path, owner: pwd.struct_passwd | None) -> Server:
    """Another program may take the port between our looking and the server's; then it is tried again."""
    for attempts_left in (2, 1, 0):
        port = _free_port()
        command = [programs / "pg_ctl", "start", "-w", "-t", TIMEOUT_S, "-s", "-D", folder / "data", "-o", f"-p {port}",
                   "-l", folder / "log"]  # fmt: skip
        try:
            _run(command, owner, folder)
            break
        except Refusal:
            if not attempts_left:
                raise
    return Server(folder=folder, port=port)


def stop(server: Server) -> None:
    """Stop a server and remove its folder; one that is gone already is no trouble."""
    if server.folder.exists():
        command = [binaries() / "pg_ctl", "stop", "-w", "-t", TIMEOUT_S, "-s", "-m", "immediate", "-D",
                   server.folder / "data"]  # fmt: skip
        if (server.folder / "data" / "postmaster.pid").exists():
            _run(command, _owner(), server.folder)
        shutil.rmtree(server.folder)


def _run(command: list[object], owner: pwd.struct_passwd | None, folder: Path) -> None:
    as_owner = {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False,
        timeout=TIMEOUT_S * 2, env={**os.environ, "LC_ALL": "C"}, **as_owner,
    )  # type: ignore[call-overload]  # fmt: skip
    if done.returncode:
        log = folder / "log"
        last = (log.read_text(errors="replace") if log.exists() else done.stderr).splitlines()[-5:]
        raise Refusal("postgresql.start", "PostgreSQL does not do as it is asked", command=str(command[0]), last=last)


def _owner() -> pwd.struct_passwd | None:
    """Whom the server runs as, where that is not ourselves."""
    if os.geteuid():
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
