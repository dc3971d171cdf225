"""Many people who follow a node: a process that holds their WebSockets, and what the node's process measures with it.

Each person has a token and a connection of its own; roles differ, and so do the rows that they let be read. Latency is
from the commit at the node to the message at the person, by the clock that both processes share.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from websockets import Subprotocol
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.node import Firm
from interfirm.base.money import Money
from interfirm.base.time import Day
from interfirm.node.access import people
from interfirm.node.access.types import Role, Rule
from interfirm.runtime.node_process import NodeProcess

STREAM = "subscription { bills_Bill_stream { rows { _ref number payable { amount currency } due } cursor } }"
PROTOCOL = Subprotocol("graphql-transport-ws")
PLAIN = ("viewer", "clerk", "approver", "auditor")
OWN_COUNT = 16
"""Roles of the firm's own, each with other rows; every fourth sees the rows of its person's buyer alone."""
CONNECTING = 50
"""How many connect at one time."""


def roles() -> list[Role]:
    """The firm's own roles."""
    found = []
    for n in range(OWN_COUNT):
        rows = {"buyer": {"_eq": "$buyer"}} if n % 4 == 0 else {"due": {"_gte": str(Day(20_000 + n))}}
        rule = Rule(template="*" if n % 2 else "bills.Bill", read=True, rows=json.dumps(rows))
        found.append(Role(name=f"own{n}", about="Follows some bills.", operations=("contracts.*",), rules=(rule,)))
    return found


def tokens(firm: Firm, process: NodeProcess, count: int) -> list[str]:
    """So many people with tokens; all of them may read the bills of the second buyer."""
    with process.assembly.vault.turn() as turn:
        for role in roles():
            people.put_role(turn, role)
        names = [*PLAIN, *(role.name for role in roles())]
        return [
            firm.token(turn, f"person{n}", names[n % len(names)], variables=(("buyer", firm.names[2]),))
            for n in range(count)
        ]  # fmt: skip


async def measured(firm: Firm, *, count: int, changes: int, idle_s: float) -> dict[str, Any]:
    """Latencies in milliseconds, and what the database was asked while nothing changed."""
    async with firm.running() as process:
        given = json.dumps({"port": firm.port, "tokens": tokens(firm, process, count), "changes": changes})
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.subscribers", stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, limit=2**26,
        )  # fmt: skip
        assert child.stdin
        assert child.stdout
        child.stdin.write(given.encode() + b"\n")
        committed: list[int] = []
        process.changing.subscribe(lambda _: committed.append(time.monotonic_ns()))
        assert (await child.stdout.readline()).strip() == b"ready"
        with asked(process) as begun:
            await asyncio.sleep(idle_s)
            idle = next(begun)
        cpu = time.process_time()
        latencies = []
        for n in range(changes):
            committed.clear()
            await _change(firm, process, n)
            received = json.loads(await child.stdout.readline())
            assert len(received) == count
            latencies.append([(each - committed[0]) / 1e6 for each in received])
        await child.wait()
    every = sorted(itertools.chain(*latencies))
    return {
        "p50_ms": every[len(every) // 2], "p95_ms": every[int(len(every) * 0.95)], "last_ms": every[-1],
        "cpu_ms": (time.process_time() - cpu) * 1000 / changes, "idle": idle, "people": count, "idle_s": idle_s,
    }  # fmt: skip


async def _change(firm: Firm, process: NodeProcess, n: int) -> None:
    """A bill is made, by way of the notary."""
    supplier, buyer = firm.names[0], firm.names[2]
    fields = {
        "supplier": supplier, "buyer": buyer, "number": f"NEW-{n}",
        "payable": {"amount": str(Money(100 + n, "EUR")), "currency": "EUR"}, "due": str(Day(20_300)),
    }  # fmt: skip
    answer = await process.handle("create", {"template": "bills.Bill", "fields": fields})
    parts = [answer] if isinstance(answer, dict) else [part async for part in answer]
    assert parts[-1]["flow"]["state"] == "done", parts[-1]


@contextlib.contextmanager
def asked(process: NodeProcess) -> Iterator[Iterator[int]]:
    """Counts the transactions that the vault begins: without one nothing is asked of a database."""
    database: Any = process.assembly.vault._database
    counted = itertools.count()
    names = ("reading", "writing")
    before = {name: getattr(database, name) for name in names}

    def counting(name: str) -> Any:
        def begin() -> Any:
            next(counted)
            return before[name]()

        return begin

    for name in names:
        setattr(database, name, counting(name))
    try:
        yield counted
    finally:
        for name in names:
            delattr(database, name)


class Person:
    """One connection that follows."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token
        self._socket: ClientConnection | None = None

    async def begin(self, gate: asyncio.Semaphore) -> None:
        """Connect, subscribe, and hear where the stream begins."""
        async with gate:
            url = f"ws://127.0.0.1:{self._port}/graphql"
            self._socket = await connect(url, subprotocols=[PROTOCOL], compression=None, open_timeout=60)
            init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {self._token}"}}
            await self._socket.send(json.dumps(init))
            await self._socket.recv()
            await self._socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": STREAM}}))
            await self.next()

    async def next(self) -> int:
        """When the next message came, in nanoseconds of the monotonic clock."""
        assert self._socket is not None
        text = await self._socket.recv()
        at = time.monotonic_ns()
        message = json.loads(text)
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        return at


async def follow() -> None:
    """Hold the connections that standard input names, and write when each heard of each change."""
    given = json.loads(sys.stdin.readline())
    persons = [Person(given["port"], token) for token in given["tokens"]]
    gate = asyncio.Semaphore(CONNECTING)
    await asyncio.gather(*[person.begin(gate) for person in persons])
    print("ready", flush=True)
    for _ in range(given["changes"]):
        print(json.dumps(await asyncio.gather(*[person.next() for person in persons])), flush=True)


if __name__ == "__main__":
    import uvloop

    uvloop.run(follow())
