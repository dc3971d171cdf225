"""`notary`: the machines of a cluster: joining, leaving, new keys, the guard of what was signed, snapshots."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Annotated

import typer

from interfirm.base.errors import Refusal
from interfirm.cli import session
from interfirm.cli.govern import HOUR_MS, HOURS, By, Folder, Hours, folder_of, identity_of, put, tell, voice_of
from interfirm.notary.governance.types import RemoveValidator
from interfirm.runtime import cluster_join, signing
from interfirm.runtime.cluster import ClusterLayout, key_of
from interfirm.runtime.cluster_govern import entering, government, key_named, replacing
from interfirm.runtime.cluster_parts import ENGINE, running
from interfirm.runtime.cluster_status import status_of

Machine = Annotated[str, typer.Argument(help="A machine of this folder.")]
MARGIN_HEIGHTS = 5
"""Beyond the height that others show, for what a lost machine may have signed since."""


def add_validator(
    machine: Annotated[
        str, typer.Argument(help="A machine of this folder, or a key in hex; without, one is made.")
    ] = "",
    host: Annotated[str, typer.Option(help="The new machine's address; the one after the last without it.")] = "",
    operator: Annotated[str, typer.Option(help="Who operates it; who proposes it without this.")] = "",
    power: Annotated[int, typer.Option(min=0, help="Its votes; as many as most others have without this.")] = 0,
    by: By = "",
    hours: Hours = HOURS,
    folder: Folder = None,
) -> None:
    """Make a machine that joins by state sync; then, with its name, propose it as a validator."""
    layout = ClusterLayout.open(folder_of(folder))
    if not machine:
        _make_machine(layout, host)
        return
    key, voice = key_named(layout, machine), voice_of(by)
    _check_follows(layout, machine)
    with government(layout) as governing:
        action = entering(governing, key, identity_of(operator) if operator else voice.identity, power or None)
        found = governing.propose((action,), voice, life_ms=hours * HOUR_MS)
    tell(found)


def _make_machine(layout: ClusterLayout, host: str) -> None:
    trusted = cluster_join.agreed_header(layout.places)
    place = cluster_join.add_node(layout, host or str(IPv4Address(layout.places[-1].host) + 1), trusted)
    session.show(
        {"machine": place.name, "address": place.rpc, "key": key_of(layout.home(place)).hex()},
        lambda d: (
            f"{d['machine']} at {d['address']}; start it with `interfirm notary run --only {d['machine']}`, and when it"
            f" has caught up, `interfirm notary add-validator {d['machine']} --by FIRM` proposes it"
        ),
    )


def _check_follows(layout: ClusterLayout, name: str) -> None:
    """Refuse (`cluster.behind`) to propose a machine that would be missed: its power counts at once."""
    for each in status_of(layout).validators:
        if each.name == name and (not each.answers or each.catching_up):
            raise Refusal("cluster.behind", "the machine does not follow the chain yet", name=name, height=each.height)


def remove_validator(
    machine: Annotated[str, typer.Argument(help="A machine of this folder, or a key in hex.")],
    by: By = "",
    hours: Hours = HOURS,
    folder: Folder = None,
) -> None:
    """Propose to take a validator out of the set; its machine goes on without a vote."""
    key = key_named(ClusterLayout.open(folder_of(folder)), machine)
    put((RemoveValidator(key=key),), by, hours, folder)


def rotate_key(
    machine: Machine,
    finish: Annotated[bool, typer.Option("--finish", help="Put the new key in place; the machine is stopped.")] = False,
    by: By = "",
    hours: Hours = HOURS,
    folder: Folder = None,
) -> None:
    """Propose a new key for a validator in the place of its old one; when that is decided, --finish uses it."""
    layout = ClusterLayout.open(folder_of(folder))
    place = layout.named(machine)
    with government(layout) as governing:
        if finish:
            said = governing.said("governance")
            key = cluster_join.use_next_key(layout, place, governing.members(), height=said.height)
            session.show({"machine": machine, "key": key.hex()}, lambda d: f"{machine} signs with {d['key'][:16]} now")
            return
        voice = voice_of(by)
        actions = replacing(governing, key_of(layout.home(place)), cluster_join.next_key(layout, place))
        found = governing.propose(actions, voice, life_ms=hours * HOUR_MS)
    tell(found)


def guard(machine: Machine, folder: Folder = None) -> None:
    """Let a stopped machine, whose record of what it signed was lost, sign nothing that it may have signed before."""
    layout = ClusterLayout.open(folder_of(folder))
    home = layout.home(layout.named(machine))
    if running(home, ENGINE) is not None:
        raise Refusal("cluster.running", "stop the machine first", name=machine)
    others = [place for place in layout.places if place.name != machine]
    height = cluster_join.agreed_header(others).height + MARGIN_HEIGHTS
    found = signing.move_on(layout.folder, machine, height)
    session.show(
        {"machine": machine, "height": found.height},
        lambda d: f"{machine} signs nothing up to height {d['height']}, whatever it signed before",
    )


def snapshot(
    machine: Annotated[str, typer.Argument(help="A machine of this folder; the first without it.")] = "",
    folder: Folder = None,
) -> None:
    """Take a snapshot of the state now, for machines that join; one is taken by itself every thousand heights."""
    from interfirm.runtime.validator import snapshot_now  # all of a validator, which other commands do without

    layout = ClusterLayout.open(folder_of(folder))
    name = machine or layout.places[0].name
    height, root = snapshot_now(layout, name)
    session.show(
        {"machine": name, "height": height, "root": root.hex()},
        lambda d: f"snapshot of height {height}, root {d['root'][:16]}, by {name}",
    )


COMMANDS: dict[str, Callable[..., None]] = {
    "add-validator": add_validator, "remove-validator": remove_validator, "rotate-key": rotate_key, "guard": guard,
    "snapshot": snapshot,
}  # fmt: skip
"""What `interfirm notary` has of machines, by name."""
