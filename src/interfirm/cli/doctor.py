"""`doctor`: whether this machine and this network are in order, and what to do where they are not."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import typer

from interfirm.cli import session
from interfirm.cli.doctor_home import DISK_BYTES_MIN, look_at
from interfirm.cli.findings import Finding, finding_of
from interfirm.runtime import notaries
from interfirm.runtime.layout import NetworkLayout
from interfirm.runtime.modules import find_modules


def doctor() -> None:
    """Check this machine, the business modules and, where there is one, the network; exit 1 if anything is wrong.

    Of each firm: keys, certificate, configuration, ports, disk, vault; of a node that runs also its clock against the
    notary's, its audit log, and the peers that messages wait for.
    """
    findings = list(_machine())
    if (session.network_folder() / "network.json").exists():
        findings += _network(session.layout())
    else:
        none = f"none in {session.network_folder()}; `interfirm network new` makes one"
        findings.append(Finding("network", ok=True, found=none))
    session.show(
        {"findings": [msgspec.to_builtins(finding) for finding in findings]},
        lambda d: session.table_of("Doctor", ["", "What", "Found"], [_row(f) for f in d["findings"]], empty=""),
    )
    if not all(finding.ok for finding in findings):
        raise typer.Exit(session.FAILED)


def _row(finding: dict[str, Any]) -> list[str]:
    found = finding["found"] if finding["ok"] else f"{finding['found']}\nDo: {finding['do']}"
    return ["ok" if finding["ok"] else "WRONG", finding["what"], found]


def _machine() -> Iterator[Finding]:
    yield _least("Python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or newer")
    sqlite = sqlite3.sqlite_version_info >= (3, 35)
    yield _least("SQLite", sqlite, sqlite3.sqlite_version, "install a Python whose SQLite is 3.35 or newer")
    yield _least("TLS 1.3", ssl.HAS_TLSv1_3, ssl.OPENSSL_VERSION, "install a Python with OpenSSL 1.1.1 or newer")
    free = shutil.disk_usage(_existing(session.network_folder())).free
    yield _least("disk", free > DISK_BYTES_MIN, f"{free // 1024**2} MiB free", "make space")
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    yield _least("clock", time.time() > 1_700_000_000, now, "set the machine's clock by NTP")
    yield finding_of("business modules", lambda: ", ".join(m.name.rpartition(".")[2] for m in find_modules()))


def _least(what: str, good: bool, found: str, do: str) -> Finding:
    return Finding(what, ok=good, found=found, do="" if good else do)


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _network(layout: NetworkLayout) -> Iterator[Finding]:
    yield Finding("network", ok=True, found=f"{layout.file.name} in {layout.folder}")
    at_ms = notaries.time_ms(layout)
    for home in layout.homes():
        yield from look_at(layout, home, at_ms)
