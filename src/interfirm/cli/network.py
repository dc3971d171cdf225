"""`network` and `node`: making a network, starting and stopping its processes, joining it."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from interfirm.base.errors import Refusal, check
from interfirm.base.time import Day, Instant
from interfirm.cli import session
from interfirm.node.vault.places import DatabaseUrl
from interfirm.runtime import databases, notaries, postgresql, supervise
from interfirm.runtime.asking import Asker
from interfirm.runtime.group import url_at
from interfirm.runtime.layout import Home, NetworkLayout, new_network
from interfirm.runtime.modules import find_modules

app = typer.Typer(help="Make a network and run it.", no_args_is_help=True)
node_app = typer.Typer(help="Run one process of a network.", no_args_is_help=True)

FIRMS = (
    ("Nordmark Components NV", "BE0987654394"),
    ("Halden Retail BV", "BE0812345603"),
    ("Lumen Factors NV", "BE0765432146"),
    ("Sable Capital NV", "BE0654321026"),
    ("Kern Logistics NV", "BE0543210955"),
)
"""The firms of the reference scenario: supplier, buyer, lender, second lender, carrier and bank."""


@app.command()
def new(
    firm: Annotated[
        list[str] | None, typer.Option("--firm", help='"Legal name=Registration number"; once for each firm.')
    ] = None,
    name: Annotated[str, typer.Option(help="The network's name, lower case letters.")] = "demo",
    scenario_from: Annotated[
        str | None, typer.Option(help="Run on a scenario's clock from this day (demos and tests only).")
    ] = None,
    module: Annotated[
        list[str] | None, typer.Option("--module", help="A business module beside the built-in ones; once for each.")
    ] = None,
    notary: Annotated[
        list[str] | None, typer.Option("--notary", help="solo or cluster; with both, new facts live at the first.")
    ] = None,
    validators: Annotated[int, typer.Option(min=1, help="How many a cluster has.")] = 7,
    database: Annotated[
        str | None,
        typer.Option(help="A PostgreSQL server (postgresql://user@host) for the firms' databases; else SQLite files."),
    ] = None,
) -> None:
    """Make a network in a new folder: authority, notary, and firms with their keys and certificates."""
    firms = [_firm(text) for text in firm] if firm else list(FIRMS)
    scenario_ms = None if scenario_from is None else Day.parse(scenario_from).start().ms
    at_ms = scenario_ms if scenario_ms is not None else time.time_ns() // 1_000_000
    if module:
        find_modules(module)  # before anything is made
    server = None if database is None else DatabaseUrl(database)
    if server is not None:
        databases.check_server(server)
    layout = new_network(
        session.network_folder(), firms, name=name, at_ms=at_ms, scenario_ms=scenario_ms, modules=tuple(module or ()),
        notaries=tuple(notary or ("solo",)), validators=validators,
    )  # fmt: skip
    if server is not None:
        _give_databases(layout, server)
    session.show(
        {
            "network": layout.network_id.hex(),
            "notary": layout.notary_id.hex(),
            "firms": [m.slug for m in layout.file.members],
        },
        lambda d: (
            f"network [bold]{name}[/] in {layout.folder}: {', '.join(d['firms'])}; `interfirm network up` starts it"
        ),
    )


def _give_databases(layout: NetworkLayout, server: DatabaseUrl) -> None:
    try:
        databases.give_databases(layout, server)
    except BaseException:
        shutil.rmtree(layout.folder)
        raise


def _firm(text: str) -> tuple[str, str]:
    legal, _, number = text.partition("=")
    if not legal.strip() or not number.strip():
        raise typer.BadParameter('a firm is written "Legal name=Registration number"')
    return legal.strip(), number.strip()


@app.command()
def up() -> None:
    """Start the notary and every node that does not run."""
    layout = session.layout()
    notaries.start_all(layout, told=_told)
    session.show(
        {"running": [h.member.slug for h in layout.homes()], "strangers": _strangers(layout)},
        lambda d: _with_strangers(f"running: {', '.join(d['running'])}", d),
    )


def _told(name: str) -> None:
    if session.progress_allowed():
        session.errors.print(f"[green]✓[/] {name}")


@app.command()
def down() -> None:
    """Stop every process of the network; nothing is lost."""
    stopped = notaries.stop_all(session.layout())
    session.show({"stopped": stopped}, lambda d: f"stopped: {', '.join(d['stopped']) or 'nothing ran'}")


@app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the network and delete its folder with everything in it."""
    layout = session.layout()
    if not yes:
        typer.confirm(f"Delete {layout.folder} with all keys and vaults?", abort=True)
    notaries.stop_all(layout)
    if (server := postgresql.noted(layout.folder)) is not None:
        postgresql.stop(server)
    shutil.rmtree(layout.folder)
    session.show({"deleted": str(layout.folder)}, lambda d: f"deleted {d['deleted']}")


@app.command()
def status() -> None:
    """Show every process: running or not, connections, height."""
    layout = session.layout()
    found = [_status(layout, home) for home in layout.homes()]
    session.show(
        {"processes": found},
        lambda d: session.table_of(
            "Network",
            ["Name", "Process", "Address", "Interfaces", "Time", "Connected"],
            [
                [p["name"], p["pid"] or "down", p["address"], p["url"], p["now"], ", ".join(p["connected"])]
                for p in d["processes"]
            ],
            empty="no processes",
        ),
    )


def _status(layout: NetworkLayout, home: Home) -> dict[str, Any]:
    member = home.member
    found: dict[str, Any] = {
        "name": member.name, "pid": supervise.running(home), "address": f"{member.host}:{member.port}", "now": "",
        "connected": [], "url": url_at(layout, home),
    }  # fmt: skip
    if found["pid"]:
        told = Asker(home.control_path).call("status", {})
        found |= {"now": str(Instant(told["now_ms"])), "connected": told["connected"]}
        found |= {k: told[k] for k in ("height", "accepted") if k in told}
    return found


@app.command()
def join(
    name: Annotated[str, typer.Argument(help="The firm's legal name.")],
    registration: Annotated[str, typer.Argument(help="Its registration number, such as BE0420429375.")],
    start: Annotated[bool, typer.Option(help="Start its node at once.")] = True,
) -> None:
    """Add a firm to a running network: keys, certificate, registration, node."""
    layout = session.layout()
    at_ms = notaries.time_ms(layout)
    home = layout.join(name, registration, at_ms=at_ms)
    told = tell_members(layout)
    if start and notaries.running(layout):
        supervise.start(layout, [home], told=_told)
    session.show(
        {"firm": home.member.slug, "identity": home.member.identity.hex(), "told": told},
        lambda d: f"{name} is in the network; `interfirm --as {d['firm']} contracts list` talks to its node",
    )


@app.command()
def revoke(
    firm: Annotated[str, typer.Argument(help="The firm whose certificate is revoked.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Revoke a firm's certificate for ever: no node talks to it any more, and open connections end."""
    layout = session.layout()
    home = layout.firm(firm)
    if not yes:
        typer.confirm(f"Revoke the certificate of {home.member.name} for ever?", abort=True)
    serial = layout.revoke(home, at_ms=notaries.time_ms(layout))
    told = tell_members(layout)
    session.show(
        {"firm": home.member.slug, "serial_number": f"{serial:x}", "told": told},
        lambda d: f"revoked the certificate {d['serial_number']} of {home.member.name}; told: {', '.join(told) or '-'}",
    )


@app.command()
def leave(
    firm: Annotated[str, typer.Argument(help="The firm that leaves.")],
    force: Annotated[bool, typer.Option("--force", help="Leave what it is bound by behind.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """End a firm's membership: its node stops, its certificate and its power to sign are revoked for ever.

    Refused while contracts in use bind it or wait for its choice: end them or hand them over first. With --force they
    stay as they are: nobody can make a choice any more that needs its signature, unless a deadline names others.
    """
    layout = session.layout()
    home = layout.firm(firm)
    runs = [each.member.slug for each in supervise.within(layout, home)]
    check(not runs, "group.host", "this firm's process runs others of its group; take them out of `[group]` first",
          entities=runs)  # fmt: skip
    staying = _binding(home, force=force)
    if staying and not force:
        raise Refusal(
            "network.bound", "contracts in use bind this firm; end them, hand them over, or leave them with --force",
            count=len(staying), contracts=[f"{each['template']} {each['ref']}" for each in staying[:10]],
        )  # fmt: skip
    if not yes:
        typer.confirm(f"End the membership of {home.member.name} for ever?", abort=True)
    supervise.stop([home])
    gone = layout.leave(home, at_ms=notaries.time_ms(layout))
    told = tell_members(layout)
    notaries.revoke(layout, gone)
    session.show(
        {"firm": gone.slug, "identity": gone.identity.hex(), "stays": staying, "told": told},
        lambda d: f"{gone.name} has left; {len(d['stays'])} contracts stay as they are",
    )


def _binding(home: Home, *, force: bool) -> list[dict[str, Any]]:
    """The contracts in use that bind a firm, as its own node says; nothing where that is down and nobody minds."""
    if supervise.running(home) is None:
        if force:
            return []
        raise Refusal("node.not-running", "its node is down, so nobody says what binds it", firm=home.member.slug)
    found: list[dict[str, Any]] = Asker(home.control_path).call("contracts.binding", {})["contracts"]
    return found


@app.command("add-notary")
def add_notary(
    kind: Annotated[str, typer.Argument(help="cluster or solo.")],
    name: Annotated[str, typer.Option(help="A cluster's name, which its folder has too; else `cluster`.")] = "",
    validators: Annotated[int, typer.Option(min=1, help="How many a cluster has.")] = 7,
) -> None:
    """Give the network another notary; facts move there with `interfirm contracts move`.

    Processes that run are stopped and started again, because each of them has to know the new notary. Clusters that the
    registrar alone governs trust the new notary then; for others it is said what their voters have to propose.
    """
    layout = session.layout()
    ran = notaries.running(layout)
    scenario_ms = None if layout.file.scenario_ms is None else notaries.time_ms(layout)
    layout.add_notary(kind, name=name, validators=validators, scenario_ms=scenario_ms)
    if ran:
        supervise.stop(layout.homes()[::-1])
        notaries.start_all(layout, told=_told)
    session.show(
        {
            "notaries": list(layout.file.notaries), "notary": layout.notary_id.hex(),
            "strangers": _strangers(layout) if ran else [],
        },
        lambda d: _with_strangers(f"notaries: {', '.join(d['notaries'])}; new facts live at the first", d),
    )  # fmt: skip


def _strangers(layout: NetworkLayout) -> list[dict[str, str]]:
    """What clusters that run have not decided about notaries of the network; one alone has it in its genesis."""
    if len(layout.clusters) < 2:
        return []
    from interfirm.runtime.neighbours import strangers  # other networks do without

    return [{"cluster": each.cluster, "notary": each.notary} for each in strangers(layout)]


def _with_strangers(text: str, shown: dict[str, Any]) -> str:
    return "\n".join([
        text,
        *(
            f"{each['cluster']} does not know {each['notary']} yet: its voters decide about"
            f" `interfirm notary trust {each['notary']} --folder {each['cluster']} --by FIRM`"
            for each in shown["strangers"]
        ),
    ])  # fmt: skip


def tell_members(layout: NetworkLayout) -> list[str]:
    """Have every running process read the network's file again; the names of those told."""
    told = []
    for home in layout.homes():
        if supervise.running(home) is not None:
            try:
                Asker(home.control_path).call("network.reload", {})
                told.append(home.member.slug)
            except Refusal as refusal:
                if refusal.code != "node.not-running":
                    raise
    return told


@node_app.command()
def start() -> None:
    """Start one firm's node, and with it those of its group that it hosts."""
    layout = session.layout()
    home = layout.firm(session.options.firm)
    supervise.start(layout, [home], told=_told)
    session.show({"firm": home.member.slug}, lambda d: f"{home.member.name} runs")


@node_app.command()
def stop() -> None:
    """Stop one firm's node, and with it those of its group that it hosts; nothing is lost."""
    stopped = supervise.stop([session.layout().firm(session.options.firm)])
    session.show({"stopped": stopped}, lambda d: f"stopped: {', '.join(d['stopped']) or 'it did not run'}")


@node_app.command()
def entities() -> None:
    """List the firms of the group whose nodes this one's process runs, and where their doors are."""
    session.show(
        session.ask("entities.list"),
        lambda data: session.table_of(
            "Entities", ["Firm", "Name", "Interfaces"], [[e["slug"], e["name"], e["url"]] for e in data["entities"]],
            empty="this node runs no other firm's; `[group]` of its node.toml names those that it is to run",
        ),
    )  # fmt: skip


@node_app.command("run")
def run(
    name: Annotated[str, typer.Argument(help="The firm's name, or notary.")],
) -> None:
    """Run one node (or the notary) in the foreground until it is stopped; logs go to standard error."""
    from interfirm.runtime import main as process  # all of a node, which other commands do not wait for

    layout: NetworkLayout = session.layout()
    folder: Path = layout.folder
    sys.argv = ["interfirm", str(folder), name if name == "notary" else layout.firm(name).member.slug]
    raise typer.Exit(process.main())
