"""A cluster's notarisations a second on real engines of this machine, beside the engine's own kvstore in the same run.

Each notarisation has two signatures, consumes two contracts, makes two, and claims something; its envelope is signed
too. Offered are as many as go in, with one and with many in an envelope; then 300 a second, for the time from handing
over to the block whose results a validator shows. The peer is the kvstore that is built into the engine: as many
validators, the same settings, each transaction as large as one notarisation's request. Clients share the machine.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.common import microseconds, result
from benchmarks.load import PATIENCE_S, AcceptedIn, Offer, flood, offered
from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.signatures import Ed25519Signer
from interfirm.base.time import Instant, Window
from interfirm.contracts.types import Confirmers, ContractRef
from interfirm.ledger import tree
from interfirm.ledger.receipts import chain as hashes
from interfirm.ledger.receipts import light
from interfirm.ledger.receipts.verify import verify_receipt
from interfirm.ledger.signing import sign
from interfirm.ledger.types import (
    FORMAT_VERSION,
    ClaimOpening,
    ConfirmersOpening,
    ConsumeEntry,
    CreateEntry,
    Header,
    Line,
    LineOpening,
)
from interfirm.notary.cometbft.anchors import cluster_anchor
from interfirm.notary.cometbft.client import ClusterClient
from interfirm.notary.cometbft.envelope import seal_envelope
from interfirm.notary.cometbft.receipts import Chain
from interfirm.notary.cometbft.rpc import Rpc
from interfirm.notary.cometbft.types import Outcome
from interfirm.notary.registry.machine import registration_bytes
from interfirm.notary.types import Done, Notarise, Register
from interfirm.notary.uniqueness.machine import transaction_of
from interfirm.notary.wire import encode_request
from interfirm.runtime import engine
from interfirm.runtime.cluster import ClusterLayout, free_first_address, new_cluster
from interfirm.runtime.cluster_parts import APPLICATION, ENGINE, running

RATIO_MIN, P95_MS_MAX, OFFERED_PER_S = 0.8, 1_500, 300
BIGCHAINDB_PER_S = 298
"""Published by BigchainDB for its own transactions on larger machines; quoted and not run."""
MANY = 32
"""Notarisations in an envelope, where there are many."""
INPUTS = 2
MADE_AT_ONCE = 256
"""Contracts made by one transaction, when those to be consumed are prepared."""
IN_FLIGHT_S = 2.0
"""What is under way in a flood, in seconds of the rate to be expected: some blocks."""
BEHIND_MAX = 4
"""A machine that takes less than is offered has at most so many times the seconds' work to do, or envelopes expire."""
FLOODS_MAX = 3
PILOT = 256
"""Notarisations by which the rate to be expected is found."""
LIFE_MS = 90_000
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
NETWORK, REGISTRAR = sha256(b"benchmark").digest(), Ed25519Signer(sha256(b"registrar").digest())


# clusters -------------------------------------------------------------------------------------------------------------


class Machines(NamedTuple):
    """Validators that run: where they answer, and the processes of each part."""

    addresses: tuple[str, ...]
    processes: dict[str, tuple[int, ...]]

    def processor_s(self) -> dict[str, float]:
        """Seconds of processor time so far, by part."""
        return {part: sum(map(_processor_s, pids)) for part, pids in self.processes.items()}

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of the largest process of each part, in megabytes."""
        return {part: max(map(_memory_mb, pids)) for part, pids in self.processes.items()}


def _processor_s(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / TICKS_PER_S


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS"))


def _new(folder: Path, validators: int) -> ClusterLayout:
    return new_cluster(
        folder, network=NETWORK, registrar=REGISTRAR.public, label="benchmark", validators=validators,
        first_address=free_first_address(validators),
    )  # fmt: skip


@contextmanager
def notaries(folder: Path, validators: int) -> Iterator[tuple[ClusterLayout, Machines]]:
    """A cluster as an operator runs it."""
    layout = _new(folder, validators)
    with (folder / "run.log").open("ab") as log:
        command = [sys.executable, "-m", "interfirm.runtime.cluster_run", str(folder)]
        supervisor = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        addresses = tuple(place.rpc for place in layout.places)
        _until(lambda: all(_height(address) > 0 for address in addresses), folder / "run.log")
        homes = [layout.home(place) for place in layout.places]
        yield layout, Machines(addresses, {
            part: tuple(pid for home in homes if (pid := running(home, part))) for part in (APPLICATION, ENGINE)
        })  # fmt: skip
    finally:
        supervisor.send_signal(signal.SIGTERM)
        supervisor.wait()


@contextmanager
def kvstores(folder: Path, validators: int) -> Iterator[Machines]:
    """As many engines with their built-in kvstore and the same settings."""
    layout, program = _new(folder, validators), engine.installed()
    log_path = folder / "run.log"
    processes = []
    with log_path.open("ab") as log:
        for place in layout.places:
            command = [str(program), "node", "--home", str(layout.home(place)), "--proxy_app", "kvstore"]
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
    try:
        addresses = tuple(place.rpc for place in layout.places)
        _until(lambda: all(_height(address) > 0 for address in addresses), log_path)
        yield Machines(addresses, {ENGINE: tuple(process.pid for process in processes)})
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _until(holds: Callable[[], bool], log_path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            last = log_path.read_text()[-1_000:]
            raise Refusal("bench.cluster", "the cluster does not begin", last=last)
        time.sleep(0.1)


def _height(address: str) -> int:
    rpc = Rpc(address)
    try:
        return int(rpc.call("status")["sync_info"]["latest_block_height"])
    except Refusal:
        return 0
    finally:
        rpc.close()


# what is offered ------------------------------------------------------------------------------------------------------


def name(*parts: object) -> bytes:
    """32 bytes that look random and are the same in every run."""
    return sha256(repr(parts).encode()).digest()


FIRMS = {firm.public.identity: firm for firm in (Ed25519Signer(name("firm", n)) for n in range(8))}
IDS = tuple(sorted(FIRMS)[:2])
"""Who signs each notarisation; all of them in turn ask for one."""
OPENED = ConfirmersOpening(entry=0, salt=name("salt"), confirmers=Confirmers(parties=IDS))
COMMITMENT = tree.confirmers_commitment(OPENED.salt, OPENED.confirmers)


def now_ms() -> int:
    """This machine's time."""
    return time.time_ns() // 1_000_000


class Notarisations:
    """Requests to one cluster: contracts to consume are prepared there first."""

    def __init__(self, layout: ClusterLayout, client: ClusterClient) -> None:
        self.notary, self._client, self._number = layout.notary_id, client, 0
        upper = Instant(now_ms() + 3_600_000)
        self._header = Header(
            version=FORMAT_VERSION, network=NETWORK, notary=self.notary, packages=name("packages"),
            window=Window(lower=None, upper=upper),
        )  # fmt: skip
        client.ask(self._sealed([self._registration(firm) for firm in FIRMS.values()], REGISTRAR))

    def _registration(self, firm: Ed25519Signer) -> Register:
        vrf = name("vrf", firm.public.key)
        message = registration_bytes(NETWORK, firm.public, vrf, self.notary)
        return Register(
            key=firm.public, vrf=vrf, home=self.notary, registrar=REGISTRAR.sign(message), own=firm.sign(message)
        )  # fmt: skip

    def example(self) -> Notarise:
        """A request like those in the envelopes."""
        return self._request([ContractRef(self._new(), index) for index in range(INPUTS)])

    def offers(self, count: int, *, each: int) -> list[Offer]:
        """So many notarisations that can be accepted now, in envelopes of so many each."""
        counts = [min(each, count - start) for start in range(0, count, each)]
        return [Offer(data, inside) for data, inside in zip(self.envelopes(count, each=each), counts, strict=True)]

    def envelopes(self, count: int, *, each: int) -> list[bytes]:
        """So many notarisations that can be accepted now, in envelopes of so many each."""
        refs = self._contracts(count * INPUTS)
        requests = [self._request(refs[n * INPUTS : (n + 1) * INPUTS]) for n in range(count)]
        firms = list(FIRMS.values())
        return [
            self._sealed(requests[start : start + each], firms[place % len(firms)])
            for place, start in enumerate(range(0, count, each))
        ]

    def fill(self, count: int) -> None:
        """Make so many contracts that stay."""
        self._contracts(count)

    def _contracts(self, count: int) -> list[ContractRef]:
        """Contracts of both firms, made now."""
        found, waiting = list[ContractRef](), []
        while len(found) < count:
            made = [CreateEntry(action=self._new(), payload=self._new(), confirmers=COMMITMENT, claims=())
                    for _ in range(MADE_AT_ONCE)]  # fmt: skip
            request = self._signed(tuple(made))
            transaction = transaction_of(request)
            found += [ContractRef(transaction, index) for index in range(MADE_AT_ONCE)]
            waiting.append(self._client.submit(self._sealed([request], FIRMS[IDS[0]])))
        for envelope in waiting:
            settled = self._client.wait(envelope, timeout_s=PATIENCE_S)
            assert all(isinstance(answer, Done) for answer in settled.answers), settled
        return found[:count]

    def _request(self, refs: Sequence[ContractRef]) -> Notarise:
        claim, salt = self._new(), self._new()
        commitment = tree.claim_commitment(salt, IDS[0], claim)
        consumed = tuple(ConsumeEntry(action=self._new(), ref=ref) for ref in refs)
        made = tuple(
            CreateEntry(action=self._new(), payload=self._new(), confirmers=COMMITMENT, claims=claims)
            for claims in ((commitment,), ())
        )
        opened = ClaimOpening(entry=len(consumed), position=0, salt=salt, owner=IDS[0], claim=claim)
        openings = tuple(OPENED.replace(entry=entry) for entry in range(len(consumed)))
        return self._signed(consumed + made, confirmers=openings, claims=(opened,))

    def _signed(self, entries: tuple[Any, ...], **openings: Any) -> Notarise:
        scope = tuple(range(len(entries)))
        lines = tuple(LineOpening(salt=self._new(), line=Line(identity=id_, scope=scope)) for id_ in IDS)
        parts: dict[str, Any] = {"confirmers": (), "claims": (), "components": (), "signatures": (), **openings}
        bare = Notarise(header=self._header, entries=entries, lines=lines, roots=(entries[0].action,), **parts)
        transaction = transaction_of(bare)
        return bare.replace(signatures=tuple(sign(FIRMS[id_], id_, transaction) for id_ in IDS))

    def _sealed(self, requests: Sequence[Any], signer: Ed25519Signer) -> bytes:
        return seal_envelope(
            requests, notary=self.notary, signer=signer, identity=signer.public.identity,
            expires=Instant(now_ms() + LIFE_MS), nonce=self._new(),
        )  # fmt: skip

    def _new(self) -> bytes:
        self._number += 1
        return name(self.notary, self._number)


class Pairs:
    """Transactions of the kvstore, each of so many bytes."""

    def __init__(self, size: int) -> None:
        self._size, self._number = size, 0

    def offers(self, count: int) -> list[Offer]:
        """So many new ones."""
        self._number += count
        return [Offer((b"%064x=" % (self._number - n)).ljust(self._size, b"v")) for n in range(count)]


# measured -------------------------------------------------------------------------------------------------------------


def done_in(result: dict[str, Any]) -> int:
    """How many notarisations a result accepts."""
    answers = codec.decode(base64.b64decode(result["data"]), Outcome).answers
    return sum(isinstance(answer, Done) for answer in answers)


def stored_in(result: dict[str, Any]) -> int:
    """1 for a transaction that the kvstore took."""
    return int(result["code"] == 0)


Figures = dict[str, float]


def measured(
    machines: Machines, make: Callable[[int], list[Offer]], accepted_in: AcceptedIn, *, seconds: float, per_s: float
) -> Figures:
    """A flood of about so many seconds, then a steady offer of as long; `make` gives offers for so many to count."""
    found = flood(machines.addresses, make(PILOT), accepted_in, in_flight=PILOT)
    for _ in range(FLOODS_MAX):  # a flood that ended too soon says how long the next one has to be
        rate = found["per_s"]
        count = max(PILOT, int(rate * seconds))
        offers, before = make(count), machines.processor_s()
        found = flood(machines.addresses, offers, accepted_in, in_flight=max(PILOT, int(rate * IN_FLIGHT_S)))
        after = machines.processor_s()
        if found["seconds"] > seconds / 2:
            break
    found |= {f"{part}_cpu_us": (after[part] - before[part]) * 1e6 / count for part in after}
    found["cpu_us"] = sum(after[part] - before[part] for part in after) * 1e6 / count
    steady = min(per_s, found["per_s"] * BEHIND_MAX) * seconds
    found |= offered(machines.addresses, make(max(MANY, int(steady))), per_s=per_s)
    return found | {f"{part}_mb": size for part, size in machines.memory_mb().items()}


def receipt(layout: ClusterLayout, machines: Machines, client: ClusterClient, ready: Notarisations) -> Figures:
    """Bytes of a receipt of this cluster, and microseconds to verify it offline when nothing was verified before."""
    (envelope,) = ready.envelopes(1, each=1)
    settled = client.wait(client.submit(envelope), timeout_s=PATIENCE_S)
    (answer,) = settled.answers
    assert isinstance(answer, Done), answer
    anchor = cluster_anchor(layout.genesis)
    readers = [Rpc(address) for address in machines.addresses]
    found = Chain(anchor, readers, now_ms=now_ms)
    _until(lambda: _height(machines.addresses[0]) > settled.height, layout.folder / "run.log")
    data = found.receipt_of(answer.id, height=settled.height)
    for each in readers:
        each.close()

    def verify() -> None:
        for cached in (light.verify_adjacent, light.verify_skipping, hashes._header_hash, hashes._around_time):
            cached.cache_clear()
        verify_receipt(data, anchor=anchor)

    return {"receipt_bytes": len(data), "receipt_verify_us": microseconds(verify, count=20)}


def run(*, quick: bool = False, validators: int = 7, seconds: float = 10.0) -> dict[str, Any]:
    """The result, JSON-ready."""
    seconds, per_s = (0.0, 20) if quick else (seconds, OFFERED_PER_S)
    with tempfile.TemporaryDirectory(prefix="interfirm-bench-") as temporary:
        with notaries(Path(temporary) / "notary", validators) as (layout, machines):
            client = ClusterClient(machines.addresses)
            ready = Notarisations(layout, client)
            size = len(encode_request(ready.example()))
            one = measured(machines, partial(ready.offers, each=1), done_in, seconds=seconds, per_s=per_s)
            many = measured(machines, partial(ready.offers, each=MANY), done_in, seconds=seconds, per_s=per_s)
            proof = receipt(layout, machines, client, ready)
            client.close()
        with kvstores(Path(temporary) / "kvstore", validators) as machines:
            peer = measured(machines, Pairs(size).offers, stored_in, seconds=seconds, per_s=per_s)
    ratio = {"one": one["per_s"] / peer["per_s"], "many": many["per_s"] / peer["per_s"]}
    best = max(one["per_s"], many["per_s"])
    found = result(
        "notary",
        figures={"validators": validators, "seconds": seconds, "request_bytes": size, "offered_per_s": per_s}
        | _named("one_an_envelope", one) | _named(f"{MANY}_an_envelope", many) | proof,
        peers=_named("kvstore", peer) | {"bigchaindb_published_per_s": BIGCHAINDB_PER_S},
        ratios={
            "to_kvstore_one_an_envelope": ratio["one"], f"to_kvstore_{MANY}_an_envelope": ratio["many"],
            "kvstores_cpu_to_cpu_one_an_envelope": peer["cpu_us"] / one["cpu_us"],
            f"kvstores_cpu_to_cpu_{MANY}_an_envelope": peer["cpu_us"] / many["cpu_us"],
            "p95_to_limit_one_an_envelope": one["p95_ms"] / P95_MS_MAX,
            f"p95_to_limit_{MANY}_an_envelope": many["p95_ms"] / P95_MS_MAX, "to_bigchaindb": best / BIGCHAINDB_PER_S,
        },
        met=max(ratio.values()) >= RATIO_MIN and min(one["p95_ms"], many["p95_ms"]) < P95_MS_MAX
        and best > BIGCHAINDB_PER_S,
        limited_by="processor time: every validator of this one machine decodes and verifies every envelope by itself",
    )  # fmt: skip
    return found | {"host": "cometbft", "ratio_to_kvstore": round(max(ratio.values()), 3)}


def _named(what: str, figures: Figures) -> Figures:
    return {f"{what}_{name}": value for name, value in figures.items()}
