"""Where everything of a notary cluster lies on disk, and how one is made: N validators, each with its own address.

cluster.json            the genesis of the notary, the engine's version, where each validator listens; public
node0/config, data      what the engine keeps, its keys among it
node0/state.db          the application's state
node0/abci.sock         where the engine finds its application
node0/*.log, *.pid      what both say, and the numbers of their processes
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Collection, Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.signatures import PublicKey
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.node.identity.sealed import write_atomically
from interfirm.notary.cometbft.shown import nanoseconds
from interfirm.notary.cometbft.types import ClusterGenesis, Neighbour, Validator, chain_id
from interfirm.notary.governance.types import Constitution
from interfirm.notary.machine import notary_id
from interfirm.runtime import engine
from interfirm.runtime.files import FORMAT, read_description, written

FIRST_ADDRESS = "127.0.0.10"
VALIDATORS, VALIDATORS_MAX = 7, 64
P2P_PORT, RPC_PORT = 26656, 26657
SOCKET = "abci.sock"
BLOCK_BYTES_MAX = 4 * 1024 * 1024
GOSSIP_PEERS = 2
"""To how many of the peers that it called, and of those that called it, a validator passes envelopes on.

Everybody to everybody would bring each envelope to a validator as often as it has peers. Nothing depends on it: whoever
holds an envelope proposes it in its turn, and a client hands it to another validator where it does not come to a block.
"""

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "rpc": {
        "max_request_batch_size": 256,
        "max_body_bytes": 4 * LIMITS.envelope_bytes_max,
        "timeout_broadcast_tx_commit": "30s",
    },
    "p2p": {"pex": False, "flush_throttle_timeout": "10ms", "send_rate": 51_200_000, "recv_rate": 51_200_000},
    "mempool": {
        "recheck": True,
        "size": 20_000,
        "cache_size": 100_000,
        "max_tx_bytes": LIMITS.envelope_bytes_max,
        "max_txs_bytes": 256 * 1024 * 1024,
        "experimental_max_gossip_connections_to_persistent_peers": GOSSIP_PEERS,
        "experimental_max_gossip_connections_to_non_persistent_peers": GOSSIP_PEERS,
    },
    "consensus": {
        "timeout_propose": "2s",
        "timeout_commit": "300ms",
        "create_empty_blocks": True,
        "peer_gossip_sleep_duration": "20ms",
    },
    "tx_index": {"indexer": "kv"},
}
"""What differs from the engine's own defaults (decision record 30)."""


class Place(Value, frozen=True):
    """One validator: folder, the engine's node id, and where it listens for its peers and for clients."""

    name: str
    node: str
    host: str
    p2p_port: int = P2P_PORT
    rpc_port: int = RPC_PORT

    @property
    def rpc(self) -> str:
        """The address that clients ask."""
        return f"http://{self.host}:{self.rpc_port}"


class ClusterFile(Value, frozen=True):
    """`cluster.json`; `genesis` is the canonical block of the cluster's genesis in hex."""

    format: int
    engine: str
    genesis: str
    places: tuple[Place, ...]


class ClusterLayout:
    """A cluster on disk."""

    def __init__(self, folder: Path, file: ClusterFile) -> None:
        self.folder, self.file = folder, file
        self.genesis = codec.decode(bytes.fromhex(file.genesis), ClusterGenesis)
        self.notary_id = notary_id(self.genesis)
        self.chain_id = chain_id(self.notary_id)

    @classmethod
    def open(cls, folder: Path) -> ClusterLayout:
        """The cluster in a folder; Refusal `cluster.missing`, `cluster.damaged` or `file.format`."""
        path = folder / "cluster.json"
        missing = Refusal(
            "cluster.missing", "there is no cluster here; `interfirm notary init` makes one", folder=str(folder)
        )
        damaged = Refusal("cluster.damaged", "the cluster's file cannot be read", path=str(path))
        return cls(folder, read_description(path, ClusterFile, missing=missing, damaged=damaged))

    @property
    def places(self) -> tuple[Place, ...]:
        """All validators."""
        return self.file.places

    @property
    def began_ns(self) -> int:
        """When the chain began, in nanoseconds since 1970; Refusal `cluster.damaged`."""
        path = self.home(self.places[0]) / "config" / "genesis.json"
        try:
            return nanoseconds(json.loads(path.read_bytes())["genesis_time"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Refusal("cluster.damaged", "the cluster's file cannot be read", path=str(path)) from error

    def save(self, file: ClusterFile) -> None:
        """Write `cluster.json`, whole or not at all."""
        self.file = file
        write_atomically(self.folder / "cluster.json", written(file), replace=True)

    def home(self, place: Place) -> Path:
        """A validator's folder."""
        return self.folder / place.name

    def named(self, name: str) -> Place:
        """The validator of this name; Refusal `cluster.validator`."""
        for place in self.places:
            if place.name == name:
                return place
        raise Refusal("cluster.validator", "there is no such validator here", name=name,
                      known=[p.name for p in self.places])  # fmt: skip


def new_cluster(
    folder: Path,
    *,
    network: bytes,
    registrar: PublicKey,
    label: str,
    validators: int = VALIDATORS,
    first_address: str = FIRST_ADDRESS,
    version: str = engine.PINNED,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    neighbours: tuple[Neighbour, ...] = (),
    scenario_ms: int | None = None,
    constitution: Constitution | None = None,
) -> ClusterLayout:
    """A cluster of so many validators in a folder that does not exist, each with its own loopback address.

    `settings` change the engine's settings on top of `SETTINGS`; `neighbours` are solo notaries whose word it takes;
    with `scenario_ms` its time is a scenario's; a `constitution` without operators makes its voters operators in turn,
    without one the registrar decides alone. Raises Refusal `cluster.exists`, `cluster.size`,
    `cluster.address`, `engine.*`; nothing is left behind by a failure.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Refusal("cluster.exists", "there is something in this folder", folder=str(folder))
    if not 1 <= validators <= VALIDATORS_MAX:
        raise Refusal("cluster.size", "a cluster has some validators, not too many", count=validators,
                      count_max=VALIDATORS_MAX)  # fmt: skip
    hosts = [str(IPv4Address(first_address) + place) for place in range(validators)]
    for host in hosts:
        check_free(host)
    program = engine.install(version)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.parent / f".{folder.name}.{secrets.token_hex(4)}"
    try:
        _make_homes(program, draft, hosts)
        genesis = ClusterGenesis(
            network=network, registrar=registrar, validators=_validators(draft), label=label, neighbours=neighbours,
            scenario=None if scenario_ms is None else Instant(scenario_ms),
            constitution=_operated(constitution, validators),
        )  # fmt: skip
        chain = _chain_genesis(draft, genesis)
        places = tuple(_place(draft, f"node{n}", host) for n, host in enumerate(hosts))
        for place in places:
            write_home(draft / place.name, place, places, chain, settings or {})
        file = ClusterFile(format=FORMAT, engine=version, genesis=codec.encode(genesis).hex(), places=places)
        write_atomically(draft / "cluster.json", written(file), replace=False)
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return ClusterLayout.open(folder)


def _operated(constitution: Constitution | None, validators: int) -> Constitution | None:
    if constitution is None or constitution.operators:
        return constitution
    voters = constitution.voters
    return constitution.replace(operators=tuple(voters[n % len(voters)].identity for n in range(validators)))


def free_first_address(count: int, *, taken: Collection[str] = ()) -> str:
    """The first of so many loopback addresses in a row that are not `taken` and where nobody listens.

    Raises Refusal `cluster.address` where there are none.
    """
    for _ in range(64):
        first = IPv4Address(f"127.{1 + secrets.randbelow(254)}.{1 + secrets.randbelow(254)}.10")
        hosts = [str(first + place) for place in range(count)]
        if not set(hosts).isdisjoint(taken):
            continue
        try:
            for host in hosts:
                check_free(host)
        except Refusal:
            continue
        return str(first)
    raise Refusal("cluster.address", "there are no free loopback addresses", count=count)


def check_free(host: str) -> None:
    """Refuse (`cluster.address`) an address where somebody listens, or that this machine does not have."""
    for port in (P2P_PORT, RPC_PORT):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise Refusal(
                    "cluster.address", "this address cannot be listened on; choose others with --first-address",
                    address=f"{host}:{port}", reason=str(error),
                ) from error  # fmt: skip


def _make_homes(program: Path, folder: Path, hosts: list[str]) -> None:
    """Let the engine make keys and configuration."""
    found = subprocess.run(  # noqa: S603 - the engine
        [str(program), "testnet", "--v", str(len(hosts)), "--o", str(folder), "--starting-ip-address", hosts[0]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if found.returncode:
        raise Refusal("cluster.engine", "the engine made no configuration", last=found.stderr.splitlines()[-5:])
    folder.chmod(0o700)


def _validators(folder: Path) -> tuple[Validator, ...]:
    chain = json.loads((folder / "node0" / "config" / "genesis.json").read_text())
    return tuple(
        Validator(key=base64.b64decode(each["pub_key"]["value"]), power=int(each["power"]))
        for each in chain["validators"]
    )


def _chain_genesis(folder: Path, genesis: ClusterGenesis) -> bytes:
    """The engine's genesis, naming ours: by the chain id, and as the application's first state."""
    chain = json.loads((folder / "node0" / "config" / "genesis.json").read_text())
    chain["chain_id"] = chain_id(notary_id(genesis))
    chain["consensus_params"]["block"]["max_bytes"] = str(BLOCK_BYTES_MAX)
    chain["app_state"] = {"genesis": codec.encode(genesis).hex()}
    return json.dumps(chain, indent=2).encode()


def _place(folder: Path, name: str, host: str) -> Place:
    """The engine's node id is the start of the hash of its node key, which its list of peers spells out."""
    config = (folder / name / "config" / "config.toml").read_text()
    peers = re.search(r'^persistent_peers = "(.*)"$', config, re.MULTILINE)
    assert peers is not None, "the engine wrote its peers"
    nodes = {peer.partition("@")[2]: peer.partition("@")[0] for peer in peers[1].split(",")}
    return Place(name=name, node=nodes[f"{host}:{P2P_PORT}"], host=host)


def write_home(
    home: Path, place: Place, places: tuple[Place, ...], chain: bytes, settings: Mapping[str, Mapping[str, Any]]
) -> None:
    """Complete a folder that the engine has begun: its addresses, our settings, the chain's genesis."""
    path = home / "config" / "config.toml"
    own: dict[str, dict[str, Any]] = {
        "": {"proxy_app": f"unix://{SOCKET}", "moniker": place.name},
        "rpc": {"laddr": f"tcp://{place.host}:{place.rpc_port}"},
        "p2p": {"laddr": f"tcp://{place.host}:{place.p2p_port}", "persistent_peers": peers_of(place, places)},
    }
    text = path.read_text()
    for changes in (SETTINGS, own, settings):
        text = with_settings(text, changes)
    path.write_text(text)
    (home / "config" / "genesis.json").write_bytes(chain)


def peers_of(place: Place, places: tuple[Place, ...]) -> str:
    """The other validators, as the engine wants them listed."""
    return ",".join(f"{p.node}@{p.host}:{p.p2p_port}" for p in places if p.name != place.name)


def key_of(home: Path) -> bytes:
    """The public key that a validator's machine signs blocks with; Refusal `cluster.key`."""
    path = home / "config" / "priv_validator_key.json"
    try:
        return base64.b64decode(json.loads(path.read_text())["pub_key"]["value"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refusal("cluster.key", "the machine's key cannot be read", path=str(path)) from error


def with_settings(text: str, settings: Mapping[str, Mapping[str, Any]]) -> str:
    """A configuration with settings changed, by section; Refusal `cluster.setting` for one that is not in it."""
    section, lines, left = "", text.splitlines(), {(s, k): v for s, each in settings.items() for k, v in each.items()}
    for number, line in enumerate(lines):
        head = re.fullmatch(r"\[([a-z0-9_.]+)\]", line.strip())
        if head:
            section = head[1]
        name = line.partition("=")[0].strip()
        if (section, name) in left:
            lines[number] = f"{name} = {json.dumps(left.pop((section, name)))}"
    if left:
        raise Refusal("cluster.setting", "the engine's configuration has no such setting", settings=sorted(left))
    return "\n".join(lines) + "\n"
