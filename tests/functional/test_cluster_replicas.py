"""Seven replicas in surroundings of their own judge one random workload and agree on every root and every result."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.notary.clusters import NOTARY, Cluster, envelope, registrar_envelope
from tests.unit.notary.notaries import NOW, ORGS, A, B, C, Ledger, claim, create, exercise, fetch

from interfirm.base import codec
from interfirm.base.hashing import digest, sha256
from interfirm.contracts.types import ContractRef
from interfirm.notary.cometbft.sqlite import Database
from interfirm.notary.types import Ask, Request, Subscribe, Unsubscribe, ref_key
from interfirm.notary.uniqueness.machine import transaction_of

BLOCKS, ENVELOPES_MAX, REQUESTS_MAX = 12, 6, 4
SURROUNDINGS = (
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LANG": "C"},
    {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LANG": "C.UTF-8"},
    {"PYTHONHASHSEED": "2", "TZ": "America/St_Johns", "LC_ALL": "POSIX"},
    {"PYTHONHASHSEED": "77", "TZ": "Pacific/Apia", "LANG": "tr_TR.UTF-8"},
    {"PYTHONHASHSEED": "random", "PYTHONUTF8": "1", "LANG": "de_DE.UTF-8"},
    {"PYTHONHASHSEED": "4294967295", "PYTHONUTF8": "0", "HOME": "/", "USER": "other"},
    {"PYTHONHASHSEED": "random", "PYTHONMALLOC": "malloc", "COLUMNS": "7"},
)


class Workload:
    """Requests of all sorts, good and bad, on contracts that exist, existed, or never did."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ledger = Ledger(NOTARY)
        self.refs = [ContractRef(digest("never made"), 0)]
        self.count = 0

    def request(self) -> Request:
        pick = self.random
        ref, org = pick.choice(self.refs), pick.choice(ORGS)
        kind = pick.randrange(8)
        if kind < 3 or ref.transaction not in {name for name, _ in self.ledger.salts}:
            claims = (claim(org, str(pick.randrange(6))),) if pick.random() < 0.4 else ()
            made = self.ledger.request(create(0, org, claims=claims))
            self.refs.append(ContractRef(transaction_of(made), 0))
            return made
        if kind < 5:
            return self.ledger.request(exercise(0, ref, pick.choice((A, org))))
        if kind == 5:
            return self.ledger.request(fetch(0, ref, org))
        follow = pick.choice((Subscribe, Unsubscribe))
        return follow(kind="ref", subject=ref_key(ref)) if kind == 6 else Ask(kind="unspent", subject=ref_key(ref))

    def transaction(self) -> bytes:
        if self.random.random() < 0.1:
            return self.random.randbytes(40)
        self.count += 1
        requests = [self.request() for _ in range(self.random.randint(1, REQUESTS_MAX))]
        return envelope(*requests, by=self.random.choice(ORGS), nonce=digest("nonce of", self.count))

    def blocks(self) -> list[list[bytes]]:
        registrations = [org.registration(NOTARY) for org in (A, B, C)]
        first = [registrar_envelope(*registrations, nonce=digest("first"))]
        return [first] + [
            [self.transaction() for _ in range(self.random.randint(0, ENVELOPES_MAX))] for _ in range(BLOCKS)
        ]


def replica(folder: Path, *, ahead: bool, restarts: bool) -> list[str]:
    """The root and the hash of the results of every block, as one validator comes to them."""
    blocks = [[bytes.fromhex(each) for each in block] for block in json.loads((folder / "blocks").read_text())]
    path = folder / f"{os.getpid()}.db"
    store = Database(path)
    cluster = Cluster(store=store)
    found = []
    for place, block in enumerate(blocks):
        cluster.now = NOW.plus_ms(place * 900)
        if ahead:
            for each in cluster.application.propose(block, 10**7, cluster.now):
                cluster.application.check(each, cluster.now)
        results = cluster.block(*block).results
        hashed = sha256(b"".join(codec.encode(result.outcome) for result in results))
        found.append(f"{cluster.store.app_hash.hex()} {hashed.hex()}")
        if restarts:
            store.close()
            store = Database(path)
            cluster = Cluster(store=store)
    store.close()
    return found


@pytest.mark.parametrize("seed", range(2))
def test_replicas_agree_on_every_root_whatever_surrounds_them(tmp_path: Path, seed: int) -> None:
    blocks = Workload(seed).blocks()
    (tmp_path / "blocks").write_text(json.dumps([[each.hex() for each in block] for block in blocks]))
    told = []
    for number, surroundings in enumerate(SURROUNDINGS):
        command = [sys.executable, "-c", _RUN, str(tmp_path), str(number % 2), str(number % 3 == 2)]
        plain = {name: value for name, value in os.environ.items() if name not in ("LC_ALL", "LANG", "TZ")}
        found = subprocess.run(command, env={**plain, **surroundings}, capture_output=True, text=True, check=True)
        told.append(json.loads(found.stdout))
    assert len(told[0]) == BLOCKS + 1
    assert all(each == told[0] for each in told)


_RUN = """
import json, sys
from pathlib import Path
from tests.functional.test_cluster_replicas import replica
print(json.dumps(replica(Path(sys.argv[1]), ahead=sys.argv[2] == "1", restarts=sys.argv[3] == "True")))
"""
