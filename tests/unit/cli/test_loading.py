"""A command does not wait for what only a node loads."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "sqlalchemy", "alembic", "psycopg", "starlette", "uvicorn", "graphql", "httpx", "authlib", "webauthn", "argon2",
    "openpyxl", "prometheus_client", "opentelemetry",
)  # fmt: skip


def test_the_command_loads_nothing_that_only_a_node_needs() -> None:
    program = f"import sys, interfirm.cli.main; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
