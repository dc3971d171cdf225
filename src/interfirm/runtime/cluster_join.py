"""A machine that joins a running cluster: it takes a snapshot of the state over, then follows the chain.

What it trusts is one header, by height and hash, that somebody else vouched for. It has no vote.
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.node.identity.sealed import write_atomically
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.validators.machine import Member
from interfirm.runtime import engine
from interfirm.runtime.cluster import ClusterLayout, Place, check_free, key_of, write_home
from interfirm.runtime.cluster_parts import ENGINE, running

TRUST_PERIOD = "168h0m0s"
"""How old the trusted header may be; well below the time that evidence against validators is heard."""


class TrustedHeader(Value, frozen=True):
    """A header that is believed without proof: its height, and its hash in hex."""

    height: int
    hash: str


def header_of(place: Place, height: int | None = None) -> TrustedHeader:
    """A header as one validator shows it (the last by default): to be compared with what others say before use."""
    rpc = Rpc(place.rpc)
    try:
        found = rpc.call("commit", **({} if height is None else {"height": height}))["signed_header"]
    finally:
        rpc.close()
    return TrustedHeader(height=int(found["header"]["height"]), hash=found["commit"]["block_id"]["hash"])


def agreed_header(places: Sequence[Place]) -> TrustedHeader:
    """A header that all who answer show alike; Refusal `cluster.unreachable`, `cluster.conflict`."""
    first: TrustedHeader | None = None
    for place in places:
        try:
            found = header_of(place, None if first is None else first.height)
        except Refusal as refusal:
            if not refusal.code.startswith("rpc."):
                raise
            continue
        first = first or found
        if found != first:
            raise Refusal("cluster.conflict", "two validators show different headers", height=found.height,
                          first=first.hash, second=found.hash)  # fmt: skip
    if first is None:
        raise Refusal("cluster.unreachable", "no validator answers", validators=[place.rpc for place in places])
    return first


def add_node(layout: ClusterLayout, host: str, trusted: TrustedHeader) -> Place:
    """A new machine of the cluster at an address, ready to run; Refusal `cluster.address`, `cluster.engine`."""
    check_free(host)
    name = f"node{len(layout.places)}"
    draft = layout.folder / f".{name}.{secrets.token_hex(4)}"
    try:
        node = _begin(engine.installed(layout.file.engine), draft)
        place = Place(name=name, node=node, host=host)
        chain = (layout.home(layout.places[0]) / "config" / "genesis.json").read_bytes()
        write_home(draft, place, (*layout.places, place), chain, {"statesync": _state_sync(layout, trusted)})
        draft.rename(layout.home(place))
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    layout.save(layout.file.replace(places=(*layout.places, place)))
    return place


def _begin(program: Path, home: Path) -> str:
    """Let the engine make keys and configuration; its node id."""
    for command in (["init", "full"], ["show-node-id"]):
        found = subprocess.run(  # noqa: S603 - the engine
            [str(program), *command, "--home", str(home)], capture_output=True, text=True, check=False
        )
        if found.returncode:
            raise Refusal("cluster.engine", "the engine made no configuration", last=found.stderr.splitlines()[-5:])
    return found.stdout.strip()


NEXT_KEY = "priv_validator_key.next.json"
SETTLED_HEIGHTS = 2
"""After so many heights the engine counts a change of the set."""


def next_key(layout: ClusterLayout, place: Place) -> bytes:
    """The key that a machine is to sign with next, made where there is none yet; its public half."""
    path = layout.home(place) / "config" / NEXT_KEY
    if not path.exists():
        found = subprocess.run(  # noqa: S603 - the engine
            [str(engine.installed(layout.file.engine)), "gen-validator"], capture_output=True, text=True, check=False
        )
        if found.returncode:
            raise Refusal("cluster.engine", "the engine made no key", last=found.stderr.splitlines()[-5:])
        write_atomically(path, json.dumps(json.loads(found.stdout)["Key"], indent=2).encode(), replace=False)
    return base64.b64decode(json.loads(path.read_text())["pub_key"]["value"])


def use_next_key(layout: ClusterLayout, place: Place, members: Sequence[Member], *, height: int) -> bytes:
    """Put a machine's next key in the place of the old one, which is gone then; the machine must be stopped.

    Refusal `cluster.running`, `cluster.no-key` without a next key, `cluster.rotation` unless the voters replaced the
    old key by the new one long enough ago that the old one signs nothing any more.
    """
    home = layout.home(place)
    if running(home, ENGINE) is not None:
        raise Refusal("cluster.running", "stop the machine first, so that it never has two keys", name=place.name)
    path = home / "config" / NEXT_KEY
    if not path.exists():
        raise Refusal("cluster.no-key", "no next key was made for this machine", name=place.name)
    old, new = key_of(home), next_key(layout, place)
    entered = next((each.since for each in members if each.key == new and each.power), None)
    if entered is None or any(each.key == old and each.power for each in members) or height < entered + SETTLED_HEIGHTS:
        raise Refusal("cluster.rotation", "the voters have not replaced the old key by the new one, or only just now",
                      name=place.name, height=height)  # fmt: skip
    record = home / "data" / "priv_validator_state.json"
    write_atomically(record, json.dumps({"height": str(height), "round": 0, "step": 3}).encode(), replace=True)
    path.replace(home / "config" / "priv_validator_key.json")
    return new


def _state_sync(layout: ClusterLayout, trusted: TrustedHeader) -> dict[str, Any]:
    servers = [place.rpc for place in layout.places[:4]]
    return {
        "enable": True, "rpc_servers": ",".join(servers if len(servers) > 1 else servers * 2),
        "trust_height": trusted.height, "trust_hash": trusted.hash, "trust_period": TRUST_PERIOD,
        "discovery_time": "5s",
    }  # fmt: skip
