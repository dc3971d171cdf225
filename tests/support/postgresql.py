"""One real PostgreSQL server for a process of tests, and a database of its own for each test."""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from interfirm.node.vault.places import DatabaseUrl
from interfirm.node.vault.postgres import connect
from interfirm.runtime import postgresql

_numbers = itertools.count(1)
OTHER_ORDER = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'"
"""A database that orders texts as people do, which a vault must not mind; since version 15."""


_STOP_AT_END = """
import sys
from pathlib import Path
from interfirm.runtime.postgresql import Server, stop
sys.stdin.read()
stop(Server(folder=Path(sys.argv[1]), port=int(sys.argv[2])))
"""


@functools.cache
def server() -> postgresql.Server:
    """Started when it is first asked for; workers of one run have one each.

    Another process stops it when this one ends, however it ends: it reads a pipe that closes then.
    """
    started = postgresql.start(durable=False)
    command = [sys.executable, "-c", _STOP_AT_END, str(started.folder), str(started.port)]
    _watching.append(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True))
    return started


_watching: list[subprocess.Popen[bytes]] = []


@contextmanager
def a_database() -> Iterator[DatabaseUrl]:
    """A new, empty database."""
    name = f"test_{next(_numbers)}"
    with connect(server().socket_url) as connection:
        order = OTHER_ORDER if connection.info.server_version >= 150_000 else ""
        connection.execute(f"CREATE DATABASE {name} {order}")
    yield server().url.with_name(name)
    with connect(server().socket_url) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
