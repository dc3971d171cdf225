"""The composition root: the one place where cores are joined to technology (house principle 5)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from interfirm.base.vrf import VrfKey
from interfirm.contracts.packages import Engine
from interfirm.node.books import Books, Keys
from interfirm.node.changes import note_change, note_move
from interfirm.node.desk import Desk
from interfirm.node.flows.catalogue import FLOWS, OPENED_BY_PEERS
from interfirm.node.flows.machine import FlowEngine
from interfirm.node.identity.keystore import KeyStore
from interfirm.node.identity.sealed import read_passphrase
from interfirm.node.node import Node
from interfirm.node.operations import OPERATIONS
from interfirm.node.policy import Policy
from interfirm.node.services import Services
from interfirm.node.vault.vault import Vault
from interfirm.runtime.configuration import Configuration, read_configuration
from interfirm.runtime.databases import vault_place
from interfirm.runtime.layout import SOLO, Home, NetworkLayout
from interfirm.runtime.modules import BusinessModule, find_modules
from interfirm.runtime.parties import Parties

KILL_AT = "INTERFIRM_TEST_KILL_AT"
"""For tests: `point:count` kills this process (SIGKILL) when it comes to a point of its turns for the count-th time."""


def killed_at(where: str) -> Callable[[str], None]:
    """What happens at the points of a turn: nothing, or death at the one that is named."""
    point, _, count = where.partition(":")
    left = [int(count or 1)]

    def at(name: str) -> None:
        if name == point:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return at


class Assembly:
    """One organisation's node, assembled and not yet connected."""

    def __init__(
        self,
        layout: NetworkLayout,
        home: Home,
        now_ms: Callable[[], int],
        *,
        configuration: Configuration | None = None,
    ) -> None:
        """`configuration`: in place of the home's own."""
        self.layout, self.home = layout, home
        self.configuration = configuration or read_configuration(home.configuration_path)
        self.store = KeyStore.open(home.keys_path, read_passphrase(home.passphrase_path))
        self.parties = Parties(layout)
        self.modules = find_modules(layout.file.modules)
        self.engine = load_engine(self.modules)
        keys = Keys(
            identity=self.store.identity, signer=self.store.signer, vrf=VrfKey(self.store.vrf_seed),
            agree=self.store.agree,
        )  # fmt: skip
        self.books = Books(keys, self.engine, self.parties, layout.network_id)
        judges = [judge for module in self.modules for judge in module.judges]
        self.services = Services(
            self.books, policy=Policy(judges=judges), random=os.urandom, names=self.parties.name_of,
            default_notary=layout.notary_id,
        )  # fmt: skip
        self.services.watchers.append(note_change)
        self.books.moves.watchers.append(note_move)
        self.services.watchers.extend(watcher for module in self.modules for watcher in module.watchers)
        self.vault = Vault.open(vault_place(home), contracts_engine=self.engine)
        code = {**FLOWS, **{name: flow for module in self.modules for name, flow in module.flows.items()}}
        flows = FlowEngine(code, self.services, opened_by_peers=OPENED_BY_PEERS)
        solo = SOLO in layout.file.notaries
        peers = {layout.solo_id: layout.file.notary.identity} if solo else {}
        self.clusters = list(layout.clusters.values())
        gates = frozenset(cluster.notary_id for cluster in self.clusters)
        at = killed_at(os.environ.get(KILL_AT, ""))
        self.node = Node(self.vault, flows, notary_peers=peers, gates=gates, at=at)
        of_modules = {name: operation for module in self.modules for name, operation in module.operations.items()}
        self.desk = Desk(
            self.vault, self.services, self.parties, now_ms=now_ms, operations={**OPERATIONS, **of_modules}
        )


def load_engine(modules: tuple[BusinessModule, ...]) -> Engine:
    """An engine with the packages of all modules, dependencies first."""
    engine = Engine()
    for module in modules:
        for package in module.packages:
            engine.load(package)
    return engine
