"""`doctor`: whether this machine and this network are in order, and what to do where they are not."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from interfirm.base.errors import Refusal
from interfirm.cli import session
from interfirm.node.identity.keystore import KeyStore
from interfirm.node.identity.sealed import read_passphrase
from interfirm.runtime import supervise
from interfirm.runtime.asking import Asker
from interfirm.runtime.layout import Home, NetworkLayout
from interfirm.runtime.modules import find_modules
from interfirm.runtime.tls import tls_identity

Finding = tuple[str, bool, str]
"""(what was looked at, in order, what was found or what to do)."""


def doctor() -> None:
    """Check this machine, the business modules and, where there is one, the network; exit 1 if anything is wrong."""
    findings = list(_machine())
    if (session.network_folder() / "network.json").exists():
        findings += _network(session.layout())
    else:
        findings.append(("network", True, f"none in {session.network_folder()}; `interfirm network new` makes one"))
    data = {"findings": [{"what": w, "ok": ok, "found": f} for w, ok, f in findings]}
    session.show(
        data,
        lambda d: session.table_of(
            "Doctor",
            ["", "What", "Found"],
            [["ok" if f["ok"] else "WRONG", f["what"], f["found"]] for f in d["findings"]],
            empty="",
        ),
    )
    if not all(ok for _, ok, _ in findings):
        raise typer.Exit(session.FAILED)


def _machine() -> Iterator[Finding]:
    yield "Python", sys.version_info >= (3, 11), platform.python_version()
    yield "SQLite", sqlite3.sqlite_version_info >= (3, 35), sqlite3.sqlite_version
    yield "TLS 1.3", ssl.HAS_TLSv1_3, ssl.OPENSSL_VERSION
    free = shutil.disk_usage(_existing(session.network_folder())).free
    yield "disk", free > 200 * 1024 * 1024, f"{free // 1024**2} MiB free"
    yield "clock", time.time() > 1_700_000_000, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    yield _try("business modules", lambda: ", ".join(m.name.rpartition(".")[2] for m in find_modules()))


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _network(layout: NetworkLayout) -> list[Finding]:
    found: list[Finding] = [("network", True, f"{layout.file.name} in {layout.folder}")]
    times: list[int] = []
    for home in layout.homes():
        found.append(_try(f"keys of {home.member.slug}", lambda home=home: _keys(layout, home)))  # type: ignore[misc]  # bound now
        if supervise.running(home) is not None:
            told = _try_call(home)
            found.append((f"node of {home.member.slug}", told is not None, "answers" if told else "does not answer"))
            times += [int(told["now_ms"])] if told else []
        else:
            found.append((f"node of {home.member.slug}", True, "down; `interfirm network up` starts it"))
    if times:
        spread = max(times) - min(times)
        found.append(("clocks agree", spread < 60_000, f"within {spread} ms"))
    return found


def _keys(layout: NetworkLayout, home: Home) -> str:
    store = KeyStore.open(home.keys_path, read_passphrase(home.passphrase_path))
    tls_identity(layout, home, store)
    return "key store and certificate belong together"


def _try(what: str, look: Callable[[], str]) -> Finding:
    try:
        return what, True, look()
    except Refusal as refusal:
        return what, False, str(refusal)


def _try_call(home: Home) -> dict[str, Any] | None:
    try:
        return Asker(home.control_path).call("status", {})
    except Refusal:
        return None
