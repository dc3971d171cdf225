"""`doctor`: whether this machine and this network are in order, and what to do where they are not."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import typer

from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.cli import session
from interfirm.node.identity.keystore import KeyStore
from interfirm.node.identity.sealed import read_passphrase
from interfirm.runtime import notaries, supervise
from interfirm.runtime.asking import Asker
from interfirm.runtime.layout import Home, NetworkLayout
from interfirm.runtime.modules import find_modules
from interfirm.runtime.tls import check_own_certificate, tls_identity

CLOCK_WAIT_MS = 10_000
"""How long the notary may take to tell its time."""


class Finding(Value, frozen=True):
    """What was looked at, whether it is in order, what was found, and the refusal where there was one."""

    what: str
    ok: bool
    found: str
    refused: dict[str, Any] | None = None


def doctor() -> None:
    """Check this machine, the business modules and, where there is one, the network; exit 1 if anything is wrong."""
    findings = list(_machine())
    if (session.network_folder() / "network.json").exists():
        findings += _network(session.layout())
    else:
        none = f"none in {session.network_folder()}; `interfirm network new` makes one"
        findings.append(Finding("network", ok=True, found=none))
    session.show(
        {"findings": [msgspec.to_builtins(finding) for finding in findings]},
        lambda d: session.table_of(
            "Doctor",
            ["", "What", "Found"],
            [["ok" if f["ok"] else "WRONG", f["what"], f["found"]] for f in d["findings"]],
            empty="",
        ),
    )
    if not all(finding.ok for finding in findings):
        raise typer.Exit(session.FAILED)


def _machine() -> Iterator[Finding]:
    yield Finding("Python", sys.version_info >= (3, 11), platform.python_version())
    yield Finding("SQLite", sqlite3.sqlite_version_info >= (3, 35), sqlite3.sqlite_version)
    yield Finding("TLS 1.3", ssl.HAS_TLSv1_3, ssl.OPENSSL_VERSION)
    free = shutil.disk_usage(_existing(session.network_folder())).free
    yield Finding("disk", free > 200 * 1024 * 1024, f"{free // 1024**2} MiB free")
    yield Finding("clock", time.time() > 1_700_000_000, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    yield _try("business modules", lambda: ", ".join(m.name.rpartition(".")[2] for m in find_modules()))


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _network(layout: NetworkLayout) -> Iterator[Finding]:
    yield Finding("network", ok=True, found=f"{layout.file.name} in {layout.folder}")
    at_ms = notaries.time_ms(layout)
    for home in layout.homes():
        slug = home.member.slug
        yield _try(f"keys of {slug}", partial(_keys, layout, home, at_ms))
        if supervise.running(home) is None:
            yield Finding(f"node of {slug}", ok=True, found="down; `interfirm network up` starts it")
            continue
        yield _try(f"node of {slug}", partial(_answers, home))
        if slug != layout.notary.member.slug:
            yield _try(f"clock of {slug}", partial(_clock, home))


def _keys(layout: NetworkLayout, home: Home, at_ms: int) -> str:
    store = KeyStore.open(home.keys_path, read_passphrase(home.passphrase_path))
    check_own_certificate(layout, tls_identity(layout, home, store), at_ms=at_ms)
    return "key store and certificate belong together, and peers accept them"


def _answers(home: Home) -> str:
    refused = Asker(home.control_path).call("status", {}).get("refuses")
    if refused:
        raise Refusal(refused["code"], refused["reason"], **refused["values"])
    return "answers"


def _clock(home: Home) -> str:
    from interfirm.node.flows.clock import ClocksCompared, check_clock  # it loads a node's rooms

    asker = Asker(home.control_path)
    flow = asker.call("clock.compare", {"wait_ms": CLOCK_WAIT_MS})["flow"]
    if flow["state"] != "done":
        with suppress(Refusal):  # it may end just now
            asker.call("flows.cancel", {"id": flow["id"]})
        raise Refusal("notary.no-answer", "the notary does not tell its time", waited_ms=CLOCK_WAIT_MS)
    seen = check_clock(ClocksCompared(**flow["result"]))
    return f"within {abs(seen.ahead_ms)} ms of the notary's"


def _try(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, ok=True, found=look())
    except Refusal as refusal:
        return Finding(what, ok=False, found=str(refusal), refused=refusal.as_plain())
