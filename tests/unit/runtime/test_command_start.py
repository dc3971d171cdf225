"""A command starts without what only processes need: every command would wait for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("sqlalchemy", "structlog", "interfirm.runtime.cluster_run", "interfirm.runtime.node_process")


@pytest.mark.parametrize("module", HEAVY)
def test_the_command_line_does_not_load_what_processes_need(module: str) -> None:
    program = f"import sys, interfirm.cli.main; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
