"""Vaults and notary files of a world: copied from templates that are made once, and killed at commits."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from interfirm.contracts.packages import Engine
from interfirm.node.vault.attachments import Attachments
from interfirm.node.vault.sqlite import SqliteDatabase
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.vault import Vault
from interfirm.sim.process import Killed

MEMORY = Path("/dev/shm")  # noqa: S108 - a memory disk where the system has one; folders in it are made safely
BEFORE, AFTER = "killed before commit", "killed after commit"
_templates: weakref.WeakKeyDictionary[Engine, Path] = weakref.WeakKeyDictionary()
_shared: weakref.WeakKeyDictionary[Engine, tuple[Any, Any]] = weakref.WeakKeyDictionary()


class SimVault(Vault):
    """A vault that shares what does not differ between vaults of one engine, and may be killed around a commit."""

    fate: Callable[[], str] | None = None
    """Asked at each turn: BEFORE or AFTER the commit, or empty."""
    lie: Callable[[Turn], None] | None = None
    """A dishonest owner's hand on each turn."""

    def __init__(self, database: SqliteDatabase, attachments: Attachments, engine: Engine) -> None:
        super().__init__(database, attachments, engine)
        tables, lists = _shared.setdefault(engine, (self._shared.tables, self._shared.lists))
        self._shared = self._shared.replace(tables=tables, lists=lists)

    @contextlib.contextmanager
    def turn(self) -> Iterator[Turn]:
        """See Vault; may end in Killed, with everything rolled back or everything committed."""
        doom = self.fate() if self.fate is not None else ""
        with super().turn() as turn:
            if self.lie is not None:
                self.lie(turn)
            yield turn
            if doom == BEFORE:
                raise Killed(BEFORE)
        if doom == AFTER:
            raise Killed(AFTER)


def scratch() -> Path:
    """A new folder for files, in memory where the system allows; whoever asked removes it."""
    where = MEMORY if MEMORY.is_dir() else None
    return Path(tempfile.mkdtemp(prefix="interfirm-sim-", dir=where))


def new_vault(path: Path, engine: Engine) -> None:
    """Put an empty vault with the tables of the engine's templates at `path`."""
    template = _templates.get(engine)
    if template is None:
        folder = scratch()
        weakref.finalize(engine, shutil.rmtree, folder, ignore_errors=True)
        template = _templates[engine] = folder / "template.db"
        SimVault.open(template, contracts_engine=engine, durable=False).close()
    shutil.copyfile(template, path)


def open_vault(path: Path, engine: Engine) -> SimVault:
    """Open a firm's vault."""
    return SimVault.open(path, contracts_engine=engine, durable=False)
