"""What it costs to record transactions that are verified already: all that the vault keeps of them, in turns of many.

So history is caught up with: what was notarised is verified (`bench transaction`), then recorded. Of a transaction its
view, skeleton and receipt are kept, of each state the contract in two tables, and one entry in the log of changes.
"""

from __future__ import annotations

import gc
import hashlib
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.support.contracts.iou import contract as iou
from tests.support.ledger import ENGINE, NETWORK, Network
from tests.support.parties import party

from interfirm.base import codec
from interfirm.base.hashing import digest
from interfirm.contracts.language import Party
from interfirm.contracts.types import CreateCommand
from interfirm.ledger.verification import Verified, verify_view
from interfirm.node.books import Books, Directory, Keys
from interfirm.node.changes import note_change
from interfirm.node.flows.context import Context
from interfirm.node.flows.respond import record
from interfirm.node.policy import Policy
from interfirm.node.services import Services
from interfirm.node.vault.places import VaultPlace, beside
from interfirm.node.vault.vault import Vault

TURN = 500
"""Transactions of one turn."""
TRIES = 3
RECEIPT = bytes(700)
NOW_MS = 1_700_000_000_000


def transactions(count: int, states: int) -> list[Verified]:
    """So many transactions, each of which makes so many states that one party holds; verified."""
    network = Network("ann bob")
    ann, bob = Party(party("ann").id), Party(party("bob").id)
    code = ENGINE.named("iou.Iou")
    found = []
    for n in range(count):
        amounts = range(n * states, (n + 1) * states)
        made = [iou.Iou(debtor=bob, creditor=ann, amount=iou.Money(100 + each, "EUR")) for each in amounts]
        draft = network.draft(*(CreateCommand(code.id, codec.plain(each)) for each in made))
        view = network.view(draft, party("ann"))
        found.append(verify_view(view, engine=ENGINE, world=network.members[ann.id], network=NETWORK))
    return found


def services_of(verified: list[Verified]) -> Services:
    """The services of a firm that checked the receipts of these transactions before."""
    ann = party("ann")
    keys = Keys(identity=ann.id, signer=ann.signer, vrf=ann.vrf, agree=lambda _: bytes(32))
    books = Books(keys, ENGINE, cast("Directory", None), NETWORK)
    notary = verified[0].view.header.notary
    books._receipts |= {digest("receipt", _receipt(each), notary): each.id for each in verified}
    services = Services(books, policy=Policy(), random=bytes, names=bytes.hex, default_notary=notary)
    services.watchers.append(note_change)
    return services


def _receipt(verified: Verified) -> bytes:
    return hashlib.sha256(verified.id).digest() + RECEIPT


def recorded(place: VaultPlace, verified: list[Verified], *, durable: bool = True) -> tuple[float, float]:
    """Seconds of CPU, and by the clock, in which a new vault records transactions."""
    services = services_of(verified)
    vault = Vault.open(place, contracts_engine=ENGINE, durable=durable)
    gc.freeze()  # as a node's process does when it has started; what is to be recorded is no part of it
    began, began_cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(verified), TURN):
        with vault.turn() as turn:
            for each in verified[start : start + TURN]:
                ctx = SimpleNamespace(services=services, turn=turn, flow="bench", now_ms=NOW_MS)
                record(cast("Context", ctx), each, _receipt(each))
        services.take_started()
    took = time.process_time() - began_cpu, time.perf_counter() - began
    gc.unfreeze()
    vault.close()
    return took


def measured(count: int, states: int) -> dict[str, float]:
    """States a second of CPU, and by the clock, on SQLite."""
    verified = transactions(count, states)
    times = []
    for _ in range(TRIES):
        with tempfile.TemporaryDirectory() as folder:
            times.append(recorded(beside(Path(folder) / "vault.sqlite"), verified))
    cpu, wall = min(each for each, _ in times), min(each for _, each in times)
    return {"per_cpu_s": count * states / cpu, "per_s": count * states / wall}


def run(*, quick: bool = False) -> dict[str, Any]:
    """What is recorded a second, by states of a transaction."""
    count = 40 if quick else 2_000
    return {str(states): measured(count // states or 2, states) for states in (1, 20)}


if __name__ == "__main__":
    print(run())
