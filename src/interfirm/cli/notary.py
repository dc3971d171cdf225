"""`notary`: making a cluster of validators, running it, seeing what it does."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from interfirm.cli import explorer, govern, machines, neighbours, session
from interfirm.cli.govern import Folder
from interfirm.cli.govern import folder_of as _folder
from interfirm.notary.governance.types import Constitution
from interfirm.runtime import engine
from interfirm.runtime.cluster import FIRST_ADDRESS, VALIDATORS, ClusterLayout, new_cluster
from interfirm.runtime.cluster_status import ClusterStatus, status_of

app = typer.Typer(help="Make a notary cluster, run it, and decide about it.", no_args_is_help=True)
for _name, _command in {**govern.COMMANDS, **neighbours.COMMANDS, **machines.COMMANDS, **explorer.COMMANDS}.items():
    app.command(_name)(_command)


@app.command()
def init(
    folder: Folder = None,
    validators: Annotated[int, typer.Option(min=1, help="How many.")] = VALIDATORS,
    first_address: Annotated[str, typer.Option(help="Each validator has an address of its own from here.")] = (
        FIRST_ADDRESS
    ),
    version: Annotated[str, typer.Option("--engine", help="The engine's version.")] = engine.PINNED,
    voter: Annotated[
        list[str] | None,
        typer.Option("--voter", help="Who votes, each; the registrar without any."),
    ] = None,
) -> None:
    """Make a cluster for this network: keys, genesis and configuration; builds the engine if it is not there."""
    voters = tuple(govern.key_of_voter(each) for each in voter or ())
    genesis = session.layout().file.genesis
    layout = new_cluster(
        _folder(folder), network=genesis.network, registrar=genesis.registrar, label=f"{genesis.label} cluster",
        validators=validators, first_address=first_address, version=version,
        constitution=Constitution(voters=voters, operators=()) if voters else None,
    )  # fmt: skip
    session.show(
        {"notary": layout.notary_id.hex(), "chain": layout.chain_id, "folder": str(layout.folder),
         "validators": {place.name: place.rpc for place in layout.places}},
        lambda d: f"{len(d['validators'])} validators in {d['folder']}; `interfirm notary run` starts them",
    )  # fmt: skip


@app.command()
def run(
    folder: Folder = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="A validator; once for each.")] = None,
) -> None:
    """Run the cluster's validators on this machine in the foreground, and start again what ends."""
    import asyncio

    from interfirm.runtime.cluster_run import run as run_cluster  # the supervisor, which other commands do not wait for

    asyncio.run(run_cluster(_folder(folder), only or ()))


@app.command()
def status(folder: Folder = None) -> None:
    """Show heights, roots of the state, who is down, and why the cluster stands if it does."""
    found = status_of(ClusterLayout.open(_folder(folder)))
    session.show(msgspec.to_builtins(found), lambda _: _table(found))


def _table(found: ClusterStatus) -> Any:
    verdict = f"stands: {found.why}" if found.stands else f"runs, last block {found.block_age_ms} ms ago"
    verdict += f"; stopped by its voters in {found.stopped[:12]}" if found.stopped else ""
    verdict += f"; to come: {found.upgrade}" if found.upgrade else ""
    return session.table_of(
        f"{found.chain} at height {found.height}, {found.power_up} of {found.power} votes, {verdict}",
        ["Name", "Address", "Application", "Engine", "Height", "State", "Peers", "Restarts"],
        [
            [each.name, each.address, each.application or "down", _engine(each), each.height, each.app_hash[:16],
             each.peers, each.restarts]
            for each in found.validators
        ],
        empty="no validators",
    )  # fmt: skip


def _engine(each: Any) -> str:
    if each.engine is None:
        return "down"
    return f"{each.engine}" + (" silent" if not each.answers else " catching up" if each.catching_up else "")
