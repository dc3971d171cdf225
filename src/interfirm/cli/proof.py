"""`proof`: a file that proves a contract to a stranger, and its check, which needs no node and no network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from interfirm.base.errors import Refusal
from interfirm.cli import session
from interfirm.cli.contracts import REF, full_ref
from interfirm.ledger.receipts.types import ClusterAnchor
from interfirm.runtime.proofs import read_anchor, renewed_anchor, save_anchor, verify_file, write_anchor

app = typer.Typer(help="Prove a contract to a stranger, offline.", no_args_is_help=True)


@app.command("export")
def export(
    ref: Annotated[str, typer.Argument(help=REF)],
    to: Annotated[Path, typer.Option("--to", "-o", help="The file to write.")],
    field: Annotated[list[str] | None, typer.Option(help="Show only these fields.")] = None,
    anchor: Annotated[Path | None, typer.Option(help="Also write the trust anchor that checks it.")] = None,
) -> None:
    """Write a proof of a contract, or of some of its fields and nothing of the others."""
    found = session.ask("proof.export", ref=full_ref(ref), fields=field)
    write_proof(to, bytes.fromhex(found["bundle"]))
    if anchor is not None:
        write_anchor(anchor, session.layout())
    session.show({"file": str(to), "bytes": to.stat().st_size}, lambda d: f"wrote {d['file']} ({d['bytes']} bytes)")


def write_proof(path: Path, data: bytes) -> None:
    """Write a proof; Refusal `file.write`."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise Refusal(
            "file.write", "the file cannot be written", path=str(path), reason=error.strerror or ""
        ) from error


@app.command()
def anchor(to: Annotated[Path, typer.Option("--to", "-o", help="The file to write.")]) -> None:
    """Write what a stranger must trust to check this network's proofs: ids, the notary's key or first validators."""
    write_anchor(to, session.layout())
    session.show({"file": str(to)}, lambda d: f"wrote {d['file']}")


@app.command()
def renew(
    anchor: Annotated[Path, typer.Argument(help="The trust anchor that is still good.", exists=True, dir_okay=False)],
    ask: Annotated[list[str], typer.Option("--from", help="A validator's address, http://HOST:PORT; several at best.")],
    to: Annotated[Path, typer.Option("--to", "-o", help="The file to write.")],
) -> None:
    """Carry trust in a cluster to its last header, by what its validators show, while the old anchor is good."""
    renewed = renewed_anchor(read_anchor(anchor), ask, now_ms=lambda: time.time_ns() // 1_000_000)
    save_anchor(to, renewed)
    heights = {each.notary.hex(): each.trusted.height for each in renewed.anchors if isinstance(each, ClusterAnchor)}
    session.show({"file": str(to), "heights": heights}, lambda d: f"wrote {d['file']}")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The proof.", exists=True, dir_okay=False)],
    anchor: Annotated[Path, typer.Option(help="The trust anchor.", exists=True, dir_okay=False)],
    expired: Annotated[
        bool, typer.Option("--expired", help="Take an anchor whose time is over: believe its validators' old keys.")
    ] = False,
) -> None:
    """Check a proof with nothing but the proof, the trust anchor and the clock."""
    now_ms = None if expired else time.time_ns() // 1_000_000
    found: dict[str, Any] = verify_file(file, read_anchor(anchor), now_ms=now_ms)
    session.show(found, lambda d: msgspec.json.format(msgspec.json.encode(d), indent=2).decode())
