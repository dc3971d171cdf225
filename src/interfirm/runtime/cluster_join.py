"""A machine that joins a running cluster: it takes a snapshot of the state over, then follows the chain.

What it trusts is one header, by height and hash, that somebody else vouched for. It has no vote.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.values import Value
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.runtime import engine
from interfirm.runtime.cluster import ClusterLayout, Place, check_free, write_home

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


def _state_sync(layout: ClusterLayout, trusted: TrustedHeader) -> dict[str, Any]:
    servers = [place.rpc for place in layout.places[:4]]
    return {
        "enable": True, "rpc_servers": ",".join(servers if len(servers) > 1 else servers * 2),
        "trust_height": trusted.height, "trust_hash": trusted.hash, "trust_period": TRUST_PERIOD,
        "discovery_time": "5s",
    }  # fmt: skip
