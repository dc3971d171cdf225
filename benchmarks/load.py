"""Transactions offered to a cluster's engines, whatever their application: as fast as they go in, or so many a second.

They are handed over without waiting for a check (`broadcast_tx_async`), to all validators in turn; what became of them
is read from the blocks of the first validator. Bodies are written beforehand, so that clients cost little while the
machine is measured.
"""

from __future__ import annotations

import base64
import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from http.client import HTTPConnection
from threading import Event, Lock
from typing import Any
from urllib.parse import urlsplit

from interfirm.base.errors import Refusal
from interfirm.notary.cometbft.rpc import Rpc

BATCH_BYTES, BATCH_COUNT_MAX, HEADERS_MAX = 256 * 1024, 64, 20
PATIENCE_S = 300.0
AcceptedIn = Callable[[dict[str, Any]], int]
"""How much of a transaction's result was accepted."""


class Offer:
    """A transaction as it is handed over, and for how many it counts."""

    __slots__ = ("body", "count", "id")

    def __init__(self, transaction: bytes, count: int = 1) -> None:
        self.id, self.count = sha256(transaction).digest(), count
        params = {"tx": base64.b64encode(transaction).decode()}
        self.body = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "broadcast_tx_async", "params": params}).encode()


class Blocks:
    """Reads the blocks that a validator has judged, as soon as it has."""

    def __init__(self, address: str) -> None:
        self._rpc = Rpc(address, timeout_s=PATIENCE_S)
        self.height = self._judged()
        self.at: dict[int, float] = {}
        self.counts: dict[int, int] = {}

    def _judged(self) -> int:
        return int(self._rpc.call("abci_info")["response"].get("last_block_height", 0))

    def read(self) -> range:
        """The heights that were judged since the last time; of each is noted when that was seen, and how many
        transactions it has.
        """
        first, last = self.height + 1, self._judged()
        now = time.perf_counter()
        for start in range(first, last + 1, HEADERS_MAX):
            end = min(last, start + HEADERS_MAX - 1)
            metas = self._rpc.call("blockchain", minHeight=start, maxHeight=end)["block_metas"]
            self.counts |= {int(meta["header"]["height"]): int(meta["num_txs"]) for meta in metas}
        self.at |= dict.fromkeys(range(first, last + 1), now)
        self.height = last
        return range(first, last + 1)

    def until(self, count: int, noted: Callable[[int], None] = lambda _: None) -> None:
        """Read blocks until they have so many transactions; Refusal `bench.slow` where that takes too long."""
        deadline = time.monotonic() + PATIENCE_S
        while (seen := sum(self.counts.values())) < count:
            if not self.read():
                time.sleep(0.03)
            if time.monotonic() > deadline:
                raise Refusal("bench.slow", "the cluster does not come to an end", seen=seen, of=count)
            noted(seen)

    @property
    def busy(self) -> list[int]:
        """The heights with transactions."""
        return [height for height, count in self.counts.items() if count]

    def transactions(self) -> dict[bytes, float]:
        """When each transaction, by the hash of its bytes, was seen judged."""
        return {
            sha256(base64.b64decode(data)).digest(): self.at[height]
            for height in self.busy for data in self._rpc.call("block", height=height)["block"]["data"]["txs"]
        }  # fmt: skip

    def accepted(self, accepted_in: AcceptedIn) -> int:
        """How much was accepted in all."""
        results = (self._rpc.call("block_results", height=height)["txs_results"] for height in self.busy)
        return sum(accepted_in(each) for some in results for each in some)

    def close(self) -> None:
        """Close the connection."""
        self._rpc.close()


class _Way:
    """How many transactions were handed over, and how many of them were judged."""

    def __init__(self, in_flight: int) -> None:
        self._in_flight, self._given, self._settled = in_flight, 0, 0
        self._lock = Lock()
        self.stop = Event()

    def settled(self, count: int) -> None:
        self._settled = count

    def take(self, count: int) -> bool:
        """Whether so many more may be handed over now."""
        with self._lock:
            under_way = self._given - self._settled
            if under_way and under_way + count > self._in_flight:
                return False
            self._given += count
            return True


def flood(
    addresses: Sequence[str], offers: Sequence[Offer], accepted_in: AcceptedIn, *, in_flight: int
) -> dict[str, float]:
    """Offer all, as fast as they go in while so many are under way: how many a second, from the first one handed over
    to the last block; milliseconds for a block; the clients' own microseconds of processor time for each.

    Refusal `bench.refused` where not all are accepted. `in_flight` counts as the offers do.
    """
    blocks, each = Blocks(addresses[0]), max(offer.count for offer in offers)
    way, batches = _Way(max(1, in_flight // each)), deque(_batches(offers))
    own, began = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(len(addresses)) as pool:
        senders = [pool.submit(_send, address, batches, way) for address in addresses]
        try:
            blocks.until(len(offers), way.settled)
        finally:
            way.stop.set()
        for sender in senders:
            sender.result()
    client = time.process_time() - own
    expected, accepted = sum(offer.count for offer in offers), blocks.accepted(accepted_in)
    blocks.close()
    if accepted != expected:
        raise Refusal("bench.refused", "not everything was accepted", accepted=accepted, expected=expected)
    whole = blocks.at[blocks.busy[-1]] - began
    return {
        "per_s": accepted / whole, "block_ms": whole * 1e3 / len(blocks.busy),
        "client_cpu_us": client * 1e6 / accepted, "seconds": whole,
    }  # fmt: skip


def offered(addresses: Sequence[str], offers: Sequence[Offer], *, per_s: float) -> dict[str, float]:
    """Offer these one by one, so many a second: milliseconds until a validator has judged each.

    They are counted from when it was due, so that waiting to be handed over counts as well.
    """
    blocks, connections = Blocks(addresses[0]), [_connection(address) for address in addresses]
    due_at, due = dict[bytes, float](), time.perf_counter()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(blocks.until, len(offers))
        for place, offer in enumerate(offers):
            time.sleep(max(0.0, due - time.perf_counter()))
            due_at[offer.id] = due
            _post(connections[place % len(connections)], offer.body)
            due += offer.count / per_s
        reading.result()
    for connection in connections:
        connection.close()
    seen = blocks.transactions()
    blocks.close()
    took = sorted(seen[name] - at for name, at in due_at.items())
    return {"p50_ms": took[len(took) // 2] * 1e3, "p95_ms": took[int(len(took) * 0.95)] * 1e3}


def _batches(offers: Sequence[Offer]) -> list[list[bytes]]:
    """The offers' bodies, some at a time."""
    found, size = [list[bytes]()], 0
    for offer in offers:
        if found[-1] and (len(found[-1]) == BATCH_COUNT_MAX or size + len(offer.body) > BATCH_BYTES):
            found.append([])
            size = 0
        found[-1].append(offer.body)
        size += len(offer.body)
    return found


def _send(address: str, batches: deque[list[bytes]], way: _Way) -> None:
    """Hand over batch after batch, while not too many are under way."""
    connection = _connection(address)
    while not way.stop.is_set():
        try:
            batch = batches.popleft()
        except IndexError:
            break
        while not way.take(len(batch)):
            if way.stop.wait(0.005):
                return
        _post(connection, b"[" + b",".join(batch) + b"]")
    connection.close()


def _post(connection: HTTPConnection, body: bytes) -> None:
    connection.request("POST", "/", body, {"Content-Type": "application/json"})
    answer = connection.getresponse().read()
    if b'"error"' in answer:
        raise Refusal("bench.offer", "a validator did not take it", answer=answer[:500].decode(errors="replace"))


def _connection(address: str) -> HTTPConnection:
    parts = urlsplit(address)
    assert parts.hostname is not None, "an address names a host"
    return HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE_S)
