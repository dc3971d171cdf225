"""Groups of companies: which firms' nodes a host's process runs, as `[group]` of the nodes' files says.

An entity that is hosted is a firm like any other: keys, vault, audit log, control socket and address for peers are its
own, in its own folder. Its host gives it the process, the address for HTTP and the people who sign in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from interfirm.api.entities import PREFIX
from interfirm.base.errors import Refusal
from interfirm.node.access.oidc_settings import OidcSettings
from interfirm.runtime.configuration import ApiSettings, Configuration, GroupSettings, read_configuration, url_of
from interfirm.runtime.layout import Home, NetworkLayout


def hosts(layout: NetworkLayout) -> dict[str, str]:
    """The host of each entity that has one, by their slugs."""
    return {entity: host for host, entities in _groups(layout).items() for entity in entities}


def entities_of(layout: NetworkLayout, host: Home) -> list[Home]:
    """The entities that a host's process runs; Refusal `configuration.group`."""
    groups = _groups(layout)
    wanted = read_configuration(host.configuration_path).group.entities
    known = {member.slug: member for member in layout.members}
    for number, slug in enumerate(wanted):
        reason = _why_not(groups, known, host.member.slug, slug)
        if slug in wanted[:number]:
            reason = "it is named twice"
        if reason:
            raise Refusal("configuration.group", "this firm cannot run in this group", host=host.member.slug,
                          entity=slug[:80], reason=reason)  # fmt: skip
    return [layout.home(known[slug]) for slug in wanted]


def _why_not(groups: Mapping[str, tuple[str, ...]], known: Mapping[str, object], host: str, slug: str) -> str:
    if slug not in known:
        return "there is no such firm in the network"
    if slug == host:
        return "a host is not its own entity"
    if slug in groups:
        return "it is a host itself"
    other = next((name for name, entities in groups.items() if slug in entities and name != host), None)
    return "" if other is None else f"it runs with {other}"


def configured(home: Home, host: Configuration) -> Configuration:
    """How an entity runs: what concerns the process and those who come in is its host's, all else its own.

    Variables of the environment are the host's.
    """
    own = read_configuration(home.configuration_path, {})
    return own.replace(
        api=ApiSettings(), signin=host.signin, oidc=OidcSettings(), log=host.log, telemetry=host.telemetry,
        notify=host.notify, group=GroupSettings(),
    )  # fmt: skip


def url_at(layout: NetworkLayout, home: Home) -> str:
    """Where a firm's doors are; empty where they are nowhere."""
    host = hosts(layout).get(home.member.slug)
    if host is None:
        return url_of(read_configuration(home.configuration_path).api)
    url = url_of(read_configuration(layout.firm(host).configuration_path).api)
    return f"{url}{path_of(home)}" if url else ""


def path_of(home: Home) -> str:
    """The path of a hosted entity's doors."""
    return f"{PREFIX}{home.member.slug}"


def _groups(layout: NetworkLayout) -> dict[str, tuple[str, ...]]:
    """The entities of each host, by the slugs."""
    found = {each.slug: _named(layout.home(each).configuration_path) for each in layout.members}
    return {slug: entities for slug, entities in found.items() if entities}


def _named(path: Path) -> tuple[str, ...]:
    """The entities that a node's file names; a file that cannot be read is told to whoever starts that node."""
    try:
        given = tomllib.loads(path.read_text()).get("group", {}).get("entities", ())
        return tuple(each for each in given if isinstance(each, str))
    except (OSError, ValueError, AttributeError, TypeError):
        return ()
