"""`export-all`: leaving with everything."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from interfirm.cli import jobs, session
from interfirm.runtime.proofs import write_anchor


def export_all(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one that is not there yet.")],
    later: Annotated[
        bool, typer.Option("--later", help="Do not wait for it: `interfirm jobs show` says how far it is.")
    ] = False,
) -> None:
    """Write all that a firm's node holds into a folder: contracts, transactions, proofs, files, people, audit log.

    Plain JSON lines and CSV with a manifest of hashes; nothing of this program is needed to read them. The node goes on
    meanwhile, and goes on with the export after a restart.
    """
    started = session.ask("bulk.export-all", folder=str(folder.resolve()), anchor=_anchor())["job"]
    if later:
        session.show(started, jobs.told)
        return
    job = jobs.follow(started)
    session.show(job["result"], lambda d: f"wrote {d['files']} files ({d['bytes']} bytes)")
    session.errors.print(f"in {folder.resolve()}", soft_wrap=True)


def _anchor() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "anchor.json"
        write_anchor(path, session.layout())
        return path.read_text()
