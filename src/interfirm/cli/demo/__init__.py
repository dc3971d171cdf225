"""`demo`: five firms and a notary play the sale of a receivable, on real documents, in separate processes."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from interfirm.base.errors import Refusal
from interfirm.cli import session
from interfirm.cli.demo import tables
from interfirm.cli.demo.doors import open_doors
from interfirm.node.vault.places import DatabaseUrl
from interfirm.runtime import databases, notaries, postgresql
from interfirm.runtime.layout import NetworkLayout, new_network

EXAMPLES = Path(__file__).resolve().parents[4] / "examples"

FIRMS = {
    "supplier": ("Nordmark Components NV", "BE0987654394"),
    "buyer": ("Halden Retail BV", "BE0812345603"),
    "lender": ("Lumen Factors NV", "BE0765432146"),
    "second_lender": ("Sable Capital NV", "BE0654321026"),
    "carrier": ("Kern Logistics NV", "BE0543210955"),
}
"""Role in the scenario -> (legal name, VAT number)."""
SQLITE, POSTGRESQL = "sqlite", "postgresql"


def demo(
    invoice: Annotated[Path | None, typer.Option(help="Another UBL invoice from the supplier to the buyer.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the result to this file.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the network running for exploring.")] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Where to make the network (default: a new temporary folder).")
    ] = None,
    notary: Annotated[str, typer.Option(help="solo, or cluster: validators that agree (needs Go).")] = "solo",
    validators: Annotated[int, typer.Option(min=1, help="How many a cluster has.")] = 7,
    database: Annotated[
        str, typer.Option(help="sqlite, postgresql (a server of the demo's own), or a server's postgresql://...")
    ] = "sqlite",
) -> None:
    """Five firms and a notary on this machine: an invoice is accepted, sold, collected, and never financed twice."""
    source = invoice or EXAMPLES / "invoice-2026-0001.xml"
    place = folder or Path(tempfile.mkdtemp(prefix="interfirm-demo-")) / "network"
    session.options.network = place
    ok = False
    if database not in (SQLITE, POSTGRESQL):
        databases.check_server(DatabaseUrl(database))
    try:
        result = _played(place, source, notary, validators, database)
        ok = result["ok"]
        if json_file is not None:
            _write(json_file, {k: v for k, v in result.items() if k not in ("ok", "differences")})
        session.console.print(tables.vaults(result))
        session.console.print(tables.outcome(result))
    finally:
        _leave(place, keep=keep)
    if not ok:
        raise typer.Exit(session.FAILED)


def _played(place: Path, source: Path, notary: str, validators: int, database: str) -> dict[str, Any]:
    """Make the network, play the scenario, look into every vault, and check everything offline."""
    from interfirm.cli.demo import evidence, figures  # they load a node's rooms, which other commands do not wait for
    from interfirm.cli.demo.play import Play

    progress = tables.Progress(session.console)
    progress.title("A notary and five firms, each with its own keys, database and process")
    layout = new_network(
        place, FIRMS.values(), name="demo", at_ms=figures.START.ms, scenario_ms=figures.START.ms,
        notaries=(notary,), validators=validators,
    )  # fmt: skip
    _give_databases(layout, database)
    notaries.start_all(layout, told=progress.started)
    play = Play(layout, {role: name for role, (name, _) in FIRMS.items()}, source, progress)
    play.run()
    progress.title("What each vault holds, asked of each node")
    vaults = figures.vaults(play)
    expected = figures.expected(play.document)
    differences = figures.differences(vaults, expected, play.document)
    progress.title("Every receipt and proof, checked by a process that has the trust anchor and the files only")
    verified = evidence.verify_offline(play)
    for step in play.steps:
        step["receipt_verified"] = step["transaction"] in verified
    agree = figures.agree(vaults)
    return {
        "steps": play.steps,
        "refusals": play.refusals,
        "vaults": vaults,
        "vaults_agree": agree,
        "differences": differences,
        "notices": play.notices,
        "ok": agree
        and not differences
        and all(step["receipt_verified"] for step in play.steps)
        and len(play.refusals) == 2,
    }


def _give_databases(layout: NetworkLayout, database: str) -> None:
    """Where the firms' vaults lie: in files, on a server made for this demo, or on one that is there."""
    if database == POSTGRESQL:
        server = postgresql.start()
        server.write(layout.folder)
        databases.give_databases(layout, server.url)
    elif database != SQLITE:
        databases.give_databases(layout, DatabaseUrl(database))


def _write(path: Path, result: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(result, indent=2) + "\n")
    except OSError as error:
        raise Refusal(
            "file.write", "the file cannot be written", path=str(path), reason=error.strerror or ""
        ) from error


def _leave(place: Path, *, keep: bool) -> None:
    """Stop and delete the network, or say how to talk to it."""
    if not (place / "network.json").exists():
        return
    layout = session.layout()
    if keep:
        session.console.print(tables.kept(place, open_doors(layout)), soft_wrap=True)
        return
    notaries.stop_all(layout)
    if (server := postgresql.noted(place)) is not None:
        postgresql.stop(server)
    shutil.rmtree(place, ignore_errors=True)
    if place.parent.name.startswith("interfirm-demo-"):
        shutil.rmtree(place.parent, ignore_errors=True)
