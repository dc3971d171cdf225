"""What a solo notary does in a second: durable notarisations in batches, from request bytes to receipt bytes.

Each consumes one contract, makes one, and carries two signatures. The limit, measured in turn with it, is the rate at
which the same two signatures alone verify on the same cores, given the transaction's id; `fdatasync` is measured in the
same folder. The full store holds a million consumed refs among which those to be consumed lie scattered. Of all rounds
the best is taken, because what else a machine does only ever adds. Corda's figure is quoted and not run.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from interfirm.base import codec
from interfirm.base.logtree import Frontier
from interfirm.base.signatures import Ed25519Signer
from interfirm.base.time import Instant, Window
from interfirm.contracts.types import Confirmers, ContractRef
from interfirm.ledger import tree
from interfirm.ledger.signing import check_signature, sign
from interfirm.ledger.types import (
    FORMAT_VERSION,
    ConfirmersOpening,
    ConsumeEntry,
    CreateEntry,
    Header,
    Line,
    LineOpening,
    TransactionSignature,
)
from interfirm.notary import machine
from interfirm.notary.abroad import Anchors, anchor_of
from interfirm.notary.registry.machine import registration_bytes
from interfirm.notary.solo import receipts
from interfirm.notary.solo.host import SoloHost
from interfirm.notary.solo.notary import SoloNotary
from interfirm.notary.solo.sqlite import Database
from interfirm.notary.solo.verifiers import Verifiers
from interfirm.notary.types import Asked, Done, Genesis, Notarise, Register
from interfirm.notary.uniqueness.machine import ACTIVE, CONSUMED, consumer_hash, transaction_of
from interfirm.notary.wire import decode_answer, encode_request

RATIO_MIN, GROWTH_MAX, PER_SECOND_MIN = 0.5, 1.3, 4_300
CORDA_PER_SECOND = 860
"""Corda 4.10's uniqueness step at batch 32, quoted; 5 times as many are aimed at."""
BATCH = 256
NOW = Instant(1_700_000_000_000)

Signed = tuple[TransactionSignature, bytes]
"""A signature, and the transaction id it is over."""


def name(*parts: object) -> bytes:
    """32 bytes that look random and are the same in every run."""
    return hashlib.sha256(repr(parts).encode()).digest()


FIRMS = tuple(Ed25519Signer(name("firm", n)) for n in range(2))
IDS = tuple(sorted(firm.public.identity for firm in FIRMS))
BY_ID = {firm.public.identity: firm for firm in FIRMS}
REGISTRAR, KEY = Ed25519Signer(name("registrar")), Ed25519Signer(name("notary"))
GENESIS = Genesis(network=name("network"), registrar=REGISTRAR.public, key=KEY.public, label="benchmark")
NOTARY = machine.notary_id(GENESIS)
OPENED = ConfirmersOpening(entry=0, salt=name("salt"), confirmers=Confirmers(parties=IDS))
COMMITMENT = tree.confirmers_commitment(OPENED.salt, OPENED.confirmers)
HEADER = Header(
    version=FORMAT_VERSION, network=GENESIS.network, notary=NOTARY, packages=name("packages"),
    window=Window(lower=None, upper=NOW.plus_ms(3_600_000)),
)  # fmt: skip


def ref(store: str, number: int) -> ContractRef:
    """A contract that the store is begun with."""
    return ContractRef(name(store, "made by", number), 0)


def request(store: str, number: int) -> Notarise:
    """A transaction of both firms that consumes one contract and makes another."""
    bare = Notarise(
        header=HEADER,
        entries=(
            ConsumeEntry(action=name(store, "consume", number), ref=ref(store, number)),
            CreateEntry(action=name(store, "create", number), payload=name(number), confirmers=COMMITMENT, claims=()),
        ),
        lines=tuple(LineOpening(salt=name(number, id_), line=Line(identity=id_, scope=(0, 1))) for id_ in IDS),
        roots=(name(store, "consume", number),), components=(), confirmers=(OPENED,), claims=(), signatures=(),
    )  # fmt: skip
    transaction = transaction_of(bare)
    return bare.replace(signatures=tuple(sign(BY_ID[id_], id_, transaction) for id_ in IDS))


def signed_of(batch: Sequence[Notarise]) -> list[Signed]:
    """What verifying a batch's signatures alone needs."""
    return [(signature, transaction_of(asked)) for asked in batch for signature in asked.signatures]


def register(notary: SoloNotary) -> None:
    """Enter the two firms."""
    asked = []
    for firm in FIRMS:
        vrf = name("vrf", firm.public.key)
        message = registration_bytes(GENESIS.network, firm.public, vrf, NOTARY)
        entered = Register(
            key=firm.public, vrf=vrf, home=NOTARY, registrar=REGISTRAR.sign(message), own=firm.sign(message)
        )  # fmt: skip
        asked.append(Asked(requester=IDS[0], request=entered))
    notary.submit_batch(asked, NOW)


def begun(path: Path, store: str, *, consumed: int, active: int) -> SoloNotary:
    """A notary with so many refs consumed in its past, acceptances and log included, and so many active ones.

    Written with the host's own parts, but without judging a million transactions.
    """
    database, anchor = Database(path, GENESIS), anchor_of(GENESIS)
    frontier = Frontier()
    for height, start in enumerate(range(0, consumed, BATCH), start=1):
        past = [
            Done(id=name(store, "past", n), height=height, time=NOW, registry_height=0)
            for n in range(start, min(start + BATCH, consumed))
        ]
        frontier, batch = receipts.extend(frontier, past, KEY, anchor)
        changes: dict[tuple[str, bytes], bytes | None] = {}
        for done in past:
            changes["accepted", done.id] = codec.encode(done)
            changes["refs", done.id + bytes(4)] = CONSUMED + consumer_hash(done.id)
        changes["meta", machine.TIME] = codec.encode_plain(NOW.ms)
        changes["meta", machine.BLOCK_HEIGHT] = codec.encode_plain(height)
        changes["meta", machine.COUNT] = codec.encode_plain(frontier.size)
        database.begin(())
        database.write_state(changes)
        database.write_batch(batch)
        database.commit()
    database.begin(())
    made = [ref(store, number) for number in range(active)]
    database.write_state({("refs", (r.transaction or b"") + bytes(4)): ACTIVE + COMMITMENT for r in made})
    database.commit()
    database.close()
    notary = SoloNotary(path, KEY, GENESIS, Anchors())
    register(notary)
    return notary


class Took(NamedTuple):
    """Seconds on the clock, and of this process's work."""

    wall: float
    cpu: float


def seconds(work: Callable[[], object]) -> Took:
    """How long something takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


def best(taken: Sequence[Took]) -> Took:
    """The shortest of each, for one of a batch."""
    return Took(min(t.wall for t in taken) / BATCH, min(t.cpu for t in taken) / BATCH)


def verify_all(work: Sequence[Signed]) -> None:
    """Verify signatures one after the other."""
    for signature, transaction in work:
        check_signature(signature, transaction)


class Store:
    """A notary to be measured, and the requests it has yet to be sent."""

    def __init__(self, path: Path, store: str, *, consumed: int, rounds: int) -> None:
        self.notary = begun(path, store, consumed=consumed, active=rounds * BATCH)
        self._name = store
        self._numbers: Iterator[int] = iter(range(rounds * BATCH))

    def batch(self) -> list[Notarise]:
        """A batch of requests that are new to it."""
        return [request(self._name, next(self._numbers)) for _ in range(BATCH)]

    def measure(self, batch: Sequence[Notarise], verifiers: Verifiers | None = None) -> Took:
        """Seconds from the bytes of a batch to the bytes of its receipts, on the disk."""
        blocks = [(name("requester", n % 64), encode_request(asked)) for n, asked in enumerate(batch)]
        host = SoloHost(self.notary, verifiers=verifiers)
        answers: list[bytes] = []
        taken = seconds(lambda: answers.extend(host.handle_batch(blocks, NOW).answers))
        assert all(decode_answer(answer).receipt for answer in answers[:: BATCH // 4])
        return taken


def one_core(folder: Path, *, consumed: int, rounds: int) -> dict[str, Took]:
    """Seconds per notarisation in this process alone, and of its signatures; the best of rounds taken in turn."""
    empty = Store(folder / "empty.db", "empty", consumed=0, rounds=rounds)
    full = Store(folder / "full.db", "full", consumed=consumed, rounds=rounds)
    taken: dict[str, list[Took]] = {"limit": [], "empty": [], "full": []}
    for _ in range(rounds):
        for key, store in (("empty", empty), ("full", full)):
            batch = store.batch()
            work = signed_of(batch)
            taken["limit"].append(seconds(lambda work=work: verify_all(work)))  # type: ignore[misc] # bound now
            taken[key].append(store.measure(batch))
    empty.notary.close()
    full.notary.close()
    return {key: best(values) for key, values in taken.items()}


def all_cores(folder: Path, *, rounds: int, cores: int) -> dict[str, Took]:
    """The same on an empty store where the other cores verify; the limit is all cores verifying, in threads."""
    store = Store(folder / "cores.db", "cores", consumed=0, rounds=rounds)
    verifiers = Verifiers(max(1, cores - 1))
    taken: dict[str, list[Took]] = {"limit": [], "host": []}
    with ThreadPoolExecutor(cores) as pool:
        for _ in range(rounds):
            batch = store.batch()
            work = signed_of(batch)
            shares = [work[n::cores] for n in range(cores)]
            taken["limit"].append(seconds(lambda s=shares: list(pool.map(verify_all, s))))  # type: ignore[misc] # bound now
            taken["host"].append(store.measure(batch, verifiers))
    verifiers.close()
    store.notary.close()
    return {key: best(values) for key, values in taken.items()}


def fdatasync_per_second(folder: Path, count: int = 200) -> float:
    """How often the disk takes 4 KiB for good in a second."""
    file = os.open(folder / "fdatasync", os.O_CREAT | os.O_WRONLY)

    def work() -> None:
        for n in range(count):
            os.pwrite(file, bytes(4096), n * 4096)
            os.fdatasync(file)

    taken = seconds(work)
    os.close(file)
    return count / taken.wall


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure, and say whether the targets are met; JSON-ready."""
    consumed, rounds = (5_000, 4) if quick else (1_000_000, 24)
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix=".interfirm-bench-", dir=Path.cwd()) as folder:
        single = one_core(Path(folder), consumed=consumed, rounds=rounds)
        several = all_cores(Path(folder), rounds=rounds, cores=cores)
        synced = fdatasync_per_second(Path(folder))
    limit, empty, full = single["limit"], single["empty"], single["full"]
    ratios = {
        "empty_to_signatures_alone_on_one_core": round(limit.wall / empty.wall, 3),
        "full_to_signatures_alone_on_one_core": round(limit.wall / full.wall, 3),
        "empty_to_signatures_alone_in_processor_time": round(limit.cpu / empty.cpu, 3),
        "full_to_empty_time": round(full.wall / empty.wall, 3),
        "to_signatures_alone_on_all_cores": round(several["limit"].wall / several["host"].wall, 3),
        "to_five_times_corda": round(1 / several["host"].wall / (5 * CORDA_PER_SECOND), 3),
    }
    met = (
        ratios["empty_to_signatures_alone_on_one_core"] >= RATIO_MIN
        and ratios["full_to_empty_time"] <= GROWTH_MAX
        and 1 / several["host"].wall >= PER_SECOND_MIN
    )
    return {
        "name": "notary",
        "figures": {
            "notarisations_per_second_on_one_core": round(1 / empty.wall),
            f"notarisations_per_second_on_one_core_with_{consumed}_consumed": round(1 / full.wall),
            f"notarisations_per_second_on_{cores}_cores": round(1 / several["host"].wall),
            "processor_microseconds_beside_signatures": round((empty.cpu - limit.cpu) * 1e6, 1),
            "batch": BATCH,
        },
        "peers": {
            "signature_pairs_per_second_on_one_core": round(1 / limit.wall),
            f"signature_pairs_per_second_on_{cores}_cores": round(1 / several["limit"].wall),
            "fdatasync_per_second": round(synced),
            "corda_uniqueness_per_second_quoted": CORDA_PER_SECOND,
        },
        "ratios": ratios,
        "target_met": met,
        "limited_by": "two Ed25519 verifications each, then Python's decoding, judging and receipts; the disk, hardly",
    }


if __name__ == "__main__":
    print(json.dumps(run(quick="--quick" in sys.argv), indent=2))
