"""The doctor's look at one home: configuration, addresses, keys, certificate, disk, vault; and the node that runs."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from interfirm.base.errors import Refusal, check
from interfirm.cli.findings import Finding, finding_of
from interfirm.node.identity.keystore import KeyStore
from interfirm.node.identity.sealed import read_passphrase
from interfirm.runtime import supervise
from interfirm.runtime.asking import Asker
from interfirm.runtime.configuration import read_configuration
from interfirm.runtime.databases import vault_place
from interfirm.runtime.group import entities_of, hosts
from interfirm.runtime.layout import Home, NetworkLayout
from interfirm.runtime.tls import certificate_until_s, check_own_certificate, tls_identity
from interfirm.runtime.watching import read_secret

CLOCK_WAIT_MS = 10_000
"""How long the notary may take to tell its time."""
CERTIFICATE_DAYS_MIN = 14
DISK_BYTES_MIN = 200 * 1024 * 1024
WHOLE_BYTES_MAX = 1024**3
"""A vault's file up to this size is read whole; of a larger one, its tables."""
REACH_S = 2
_DAY_S = 24 * 3600


def look_at(layout: NetworkLayout, home: Home, at_ms: int) -> Iterator[Finding]:
    """Everything about a home."""
    slug = home.member.slug
    firm = slug != layout.notary.member.slug
    runs, host = supervise.running(home) is not None, hosts(layout).get(slug, "")
    yield finding_of(f"keys of {slug}", partial(_keys, layout, home, at_ms))
    yield _certificate(home, at_ms)
    yield _disk(f"disk of {slug}", home.folder)
    if firm:
        yield finding_of(f"configuration of {slug}", partial(_configuration, layout, home))
    yield finding_of(f"ports of {slug}", partial(_ports, home, firm=firm and not host, runs=runs))
    if firm:
        yield finding_of(f"vault of {slug}", partial(_vault, home))
    if not runs:
        yield Finding(f"node of {slug}", ok=True, found="down; `interfirm network up` starts it")
        return
    yield finding_of(f"node of {slug}", partial(_answers, home, host))
    if firm:
        yield finding_of(f"clock of {slug}", partial(_clock, home))
        yield finding_of(f"audit log of {slug}", partial(_audit, home))
        yield finding_of(f"peers of {slug}", partial(_peers, layout, home))


def _keys(layout: NetworkLayout, home: Home, at_ms: int) -> str:
    store = KeyStore.open(home.keys_path, read_passphrase(home.passphrase_path))
    check_own_certificate(layout, tls_identity(layout, home, store), at_ms=at_ms)
    return "key store and certificate belong together, and peers accept them"


def _certificate(home: Home, at_ms: int) -> Finding:
    what = f"certificate of {home.member.slug}"
    try:
        days = int((certificate_until_s(home) - at_ms / 1000) // _DAY_S)
    except Refusal as refusal:
        return finding_of(what, partial(_raise, refusal))
    soon = days < CERTIFICATE_DAYS_MIN
    do = "have the network's authority certify it again before it ends; no peer talks to it after that" if soon else ""
    return Finding(what, ok=not soon, found=f"{days} days left", do=do)


def _raise(refusal: Refusal) -> str:
    raise refusal


def _disk(what: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    enough = free > DISK_BYTES_MIN
    do = "" if enough else "make space: a node that cannot write refuses everything"
    return Finding(what, ok=enough, found=f"{free // 1024**2} MiB free", do=do)


def _configuration(layout: NetworkLayout, home: Home) -> str:
    found = read_configuration(home.configuration_path)
    entities = entities_of(layout, home)
    files = (found.notify.smtp_password_file, found.notify.webhook_secret_file, found.telemetry.header_file)
    for path in filter(None, files):
        read_secret(path)
    for path in filter(None, (found.api.certificate, found.api.key)):
        check(Path(path).is_file(), "configuration.file", "a file that is named is not there", path=path)
    ways = [name for name, there in (("mail", found.notify.mail_to), ("webhook", found.notify.webhook_url)) if there]
    runs = f"; runs {', '.join(each.member.slug for each in entities)} too" if entities else ""
    return f"in order; notices by {' and '.join(ways) or 'nothing'}{runs}"


def _ports(home: Home, *, firm: bool, runs: bool) -> str:
    """That the node can be reached where it says, or that nobody else listens there while it is down."""
    member = home.member
    places = [(member.host, member.port)]
    if firm and (api := read_configuration(home.configuration_path).api).port:
        places.append((api.host, api.port))
    for host, port in places:
        if runs:
            check(_is_open(host, port), "port.closed", "the node runs and cannot be reached here", host=host, port=port)
        else:
            check(not _is_open(host, port), "port.taken", "another program listens here", host=host, port=port)
    shown = ", ".join(f"{host}:{port}" for host, port in places)
    return f"{shown} {'can be reached' if runs else 'is free'}"


def _is_open(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=REACH_S):
        return True
    return False


def _vault(home: Home) -> str:
    """A look into the vault beside a node that may be running; a large file is not read whole."""
    database = vault_place(home).database
    if not isinstance(database, Path):
        from interfirm.node.vault.postgres import connect  # nodes on SQLite do without

        with connect(database) as connection:
            connection.execute("SELECT 1 FROM alembic_version").fetchone()
        return f"{database} answers"
    if not database.exists():
        return "not made yet"
    whole = database.stat().st_size <= WHOLE_BYTES_MAX
    try:
        with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=5)) as reader:
            reader.execute("PRAGMA query_only=ON")
            question = "PRAGMA quick_check(1)" if whole else "SELECT count(*) FROM sqlite_master"
            (found,) = reader.execute(question).fetchone()
    except sqlite3.OperationalError as error:
        raise Refusal("vault.storage", "the vault's file cannot be read", reason=str(error)) from error
    except sqlite3.DatabaseError as error:
        raise Refusal("vault.damaged", "the vault's file is damaged", reason=str(error)) from error
    check(not whole or found == "ok", "vault.damaged", "the vault's file is damaged", reason=str(found)[:300])
    return "nothing damaged" if whole else f"{found} tables; too large to be read whole here"


def _answers(home: Home, host: str) -> str:
    within = supervise.host_of(home)
    as_said = within == host
    check(as_said, "group.changed", "it does not run with the host that `[group]` says", runs_with=within, host=host)
    status = Asker(home.control_path).call("status", {})
    if refused := status.get("refuses"):
        raise Refusal(refused["code"], refused["reason"], **refused["values"])
    failing = {name: task["reason"] for name, task in status.get("tasks", {}).items() if task["waits"]}
    check(not failing, "node.task", "some work of the node has failed; its log says why", tasks=failing)
    paused = status.get("paused")
    told = "answers" if not within else f"answers, in the process of {within}"
    return told if not paused else f"{told}; paused: {paused['reason']}"


def _clock(home: Home) -> str:
    from interfirm.node.flows.clock import ClocksCompared, check_clock  # it loads a node's rooms

    asker = Asker(home.control_path)
    flow = asker.call("clock.compare", {"wait_ms": CLOCK_WAIT_MS})["flow"]
    if flow["state"] != "done":
        with contextlib.suppress(Refusal):  # it may end just now
            asker.call("flows.cancel", {"id": flow["id"]})
        raise Refusal("notary.no-answer", "the notary does not tell its time", waited_ms=CLOCK_WAIT_MS)
    seen = check_clock(ClocksCompared(**flow["result"]))
    return f"within {abs(seen.ahead_ms)} ms of the notary's"


def _audit(home: Home) -> str:
    begun_s = time.monotonic()
    found = Asker(home.control_path).call("access.audit-check", {})
    return f"{found['entries']} entries, each with the hash of the one before ({time.monotonic() - begun_s:.1f} s)"


def _peers(layout: NetworkLayout, home: Home) -> str:
    """That members for whom messages wait can be reached."""
    status = Asker(home.control_path).call("status", {})
    waiting: dict[str, int] = status["outbox"]
    places = {member.name: (member.host, member.port) for member in layout.members}
    silent = [name for name in waiting if name in places and name not in status["connected"]]
    lost = [name for name in silent if not _is_open(*places[name])]
    check(not lost, "peers.unreachable", "messages wait for members that cannot be reached", members=lost)
    return f"{len(status['connected'])} connected; messages wait for {len(waiting)}"
