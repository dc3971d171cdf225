"""One real PostgreSQL server for a process of tests, and a database of its own for each test."""

from __future__ import annotations

import atexit
import functools
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from interfirm.node.vault.places import DatabaseUrl
from interfirm.node.vault.postgres import connect
from interfirm.runtime import postgresql

_numbers = itertools.count(1)
OTHER_ORDER = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'"
"""A database that orders texts as people do, which a vault must not mind; since version 15."""


@functools.cache
def server() -> postgresql.Server:
    """Started when it is first asked for, stopped when the process ends; workers of one run have one each."""
    started = postgresql.start(durable=False)
    atexit.register(postgresql.stop, started)
    return started


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
