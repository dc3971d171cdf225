"""What a node's interfaces cost: pages of a list over REST and GraphQL, GraphQL beside graphql-core alone, subscribers.

A real node on SQLite, then on PostgreSQL, in this process; requests come over sockets of loopback, one after the other
on one connection, from a client in this process too (its work is part of the time). Subscribers are another process.
Peers: the same query by graphql-core alone over plain values, and PostGraphile on the same tables.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import msgspec
import uvloop
from graphql import GraphQLSchema, build_schema, execute_sync, parse, print_schema, validate

from benchmarks import postgraphile, subscribers
from benchmarks.common import result
from benchmarks.node import DAYS, TEMPLATE, Firm, network, server
from interfirm.api.graphql.execution import Asked, Executor
from interfirm.api.rest.idempotency import Answers
from interfirm.base.time import Day
from interfirm.node.access.people import caller_of_token
from interfirm.runtime.doors import Doors
from interfirm.runtime.node_process import NodeProcess

PAGE_MS_MAX = 100
GROWTH_MAX = 1.5
TO_GRAPHQL_CORE_MAX = 2.0
P95_MS_MAX = 1000
COUNT, GROWTH = 100_000, 10
"""Contracts of the small list, and how many times as many the large one has."""
PEOPLE, IDLE_S = 1000, 60.0
DOORS, WHAT = ("rest", "graphql"), ("ms", "p95_ms", "cpu_ms")
LIMIT = 50
TRIES = 5
"""The best of so many is taken: what else the machine does only ever adds."""
FIELDS = "_ref _status supplier buyer number payable { amount currency } due"
QUERY = f"""query($buyer: String!, $from: Day!) {{
  bills_Bill(where: {{buyer: {{_eq: $buyer}}, due: {{_gte: $from}}}}, order_by: [{{due: asc}}], limit: {LIMIT}) {{
    rows {{ {FIELDS} }} next }} }}"""
TOTAL = "{ bills_Bill(limit: 1) { total { count exact } } }"
SOME = "query($n: String!) { bills_Bill(where: {number: {_lt: $n}}, limit: 1) { total { count exact } } }"


class Client:
    """One connection to a node, kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self._reader, self._writer = reader, writer
        self._head = f"Host: node\r\nAuthorization: Bearer {token}\r\n"

    @classmethod
    async def open(cls, port: int, token: str) -> Client:
        """Connect to a node on this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port), token)

    async def get(self, path: str, **query: str) -> Any:
        """The JSON of a path."""
        return await self._asked(f"GET {path}?{urlencode(query)} HTTP/1.1\r\n{self._head}\r\n".encode())

    async def post(self, path: str, body: Any) -> Any:
        """The JSON that a body is answered with."""
        data = json.dumps(body).encode()
        head = f"{self._head}Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        return await self._asked(f"POST {path} HTTP/1.1\r\n{head}".encode() + data)

    async def _asked(self, request: bytes) -> Any:
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = await self._reader.readexactly(length)
        assert head.startswith("http/1.1 200"), body
        return json.loads(body)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


Ask = Callable[[int], Awaitable[int]]
"""Ask for the n-th page; how many rows it has."""


def variables(firm: Firm, n: int) -> dict[str, str]:
    """What the n-th page is about: the bills of a buyer from a day on."""
    return {"buyer": firm.names[1 + n % 4], "from": str(Day(20_000 + n * 7 % (DAYS // 2)))}


def rest(firm: Firm, client: Client) -> Ask:
    """Pages over REST."""

    async def ask(n: int) -> int:
        about = variables(firm, n)
        where = json.dumps({"buyer": about["buyer"], "due": ["ge", about["from"]]})
        found = await client.get(f"/v1/contracts/{TEMPLATE}", where=where, order_by="due", limit=str(LIMIT))
        return len(found["contracts"])

    return ask


def graphql(firm: Firm, client: Client) -> Ask:
    """Pages over GraphQL."""

    async def ask(n: int) -> int:
        found = await client.post("/graphql", {"query": QUERY, "variables": variables(firm, n)})
        return len(found["data"]["bills_Bill"]["rows"])

    return ask


async def milliseconds(ask: Ask, pages: int) -> dict[str, float]:
    """Milliseconds of a page, by the clock (the middle one, and p95 of all) and of this process's CPU."""
    rounds, every, cpu = [], [], []
    for _ in range(TRIES):
        times = []
        began_cpu = time.process_time()
        for n in range(pages):
            began = time.perf_counter()
            assert await ask(n) == LIMIT
            times.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - began_cpu) / pages * 1000)
        rounds.append(sorted(times)[pages // 2])
        every += times
    return {"ms": min(rounds), "p95_ms": sorted(every)[int(len(every) * 0.95)], "cpu_ms": min(cpu)}


async def measured_lists(firm: Firm, pages: int, *, aside: bool) -> dict[str, Any]:
    """A page over each door, totals, and with `aside` what the doors are compared with."""
    async with firm.running() as process:
        with process.assembly.vault.turn() as turn:
            token = firm.token(turn, "reader", "viewer")
        client = await Client.open(firm.port, token)
        found: dict[str, Any] = {
            "rest": await milliseconds(rest(firm, client), pages),
            "graphql": await milliseconds(graphql(firm, client), pages),
            "total": await _total(client, TOTAL), "some": await _total(client, SOME, n="INV-00000300"),
        }  # fmt: skip
        if aside:
            found["core"] = compared(firm, process, token, pages)
        client.close()
    return found


async def _total(client: Client, query: str, **given: str) -> dict[str, Any]:
    began = time.perf_counter()
    answer = await client.post("/graphql", {"query": query, "variables": given})
    return {**answer["data"]["bills_Bill"]["total"], "ms": (time.perf_counter() - began) * 1000}


def compared(firm: Firm, process: NodeProcess, token: str, pages: int) -> dict[str, float]:
    """Microseconds of CPU of a page in process: all that the GraphQL door does, and graphql-core on the same rows.

    Both are measured in turn, and their ratio is the middle one: a machine that others use slows both.
    """
    vault, now_ms = process.assembly.vault, process.clock.now_ms
    executor = Executor(Doors(process), Answers(vault, now_ms))
    with vault.read() as turn:
        caller = caller_of_token(turn, token, now_ms=now_ms())
    asked = Asked(QUERY, variables(firm, 1), None, None)

    def ours() -> bytes:
        made = executor.answer(caller, asked)  # the loop runs already; what reads alone waits for nothing
        try:
            made.send(None)
        except StopIteration as done:
            return msgspec.json.encode(done.value)
        raise AssertionError("a query was waited for")

    shown = msgspec.json.decode(ours())
    alone = core_alone(executor.schema(caller)[1], asked, shown["data"])
    assert msgspec.json.decode(alone()) == shown
    pairs = sorted((_cpu(ours, pages), _cpu(alone, pages)) for _ in range(TRIES))
    ratios = sorted(ours / alone for ours, alone in pairs)
    return {"ours": pairs[0][0], "alone": min(each for _, each in pairs), "ratio": ratios[TRIES // 2]}


def core_alone(schema: GraphQLSchema, asked: Asked, shown: dict[str, Any]) -> Callable[[], bytes]:
    """The same query by graphql-core over values as they are shown: the same types without any code of ours."""
    plain = build_schema(print_schema(schema))
    document = parse(asked.query or "")
    assert not validate(plain, document)
    variables = dict(asked.variables)
    return lambda: msgspec.json.encode({"data": execute_sync(plain, document, shown, variable_values=variables).data})


def _cpu(work: Callable[[], object], count: int) -> float:
    """Microseconds of CPU of one call."""
    began = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - began) / count * 1e6


def on(database: Any, *, quick: bool) -> dict[str, Any]:
    """Everything that is measured on one database."""
    count, pages = (4_000, 4) if quick else (COUNT, 40)
    with network(database) as firm:
        firm.fill(count)
        found: dict[str, Any] = {"small": uvloop.run(measured_lists(firm, pages, aside=True))}
        people, idle_s = (20, 2.0) if quick else (PEOPLE, IDLE_S)
        found["streams"] = uvloop.run(
            subscribers.measured(firm, count=people, changes=2 if quick else 5, idle_s=idle_s)
        )  # fmt: skip
        firm.grow(GROWTH)
        found["large"] = uvloop.run(measured_lists(firm, pages, aside=False))
        found["postgraphile"] = postgraphile.measured(firm, pages) if database is not None else {}
    return found


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure, and say whether the targets are met; JSON-ready."""
    with server() as database:
        found = {"sqlite": on(None, quick=quick)}
        if database is not None:
            found["postgresql"] = on(database, quick=quick)
    figures: dict[str, Any] = {}
    peers: dict[str, Any] = {"page_ms_max": PAGE_MS_MAX, "subscribers_p95_ms_max": P95_MS_MAX}
    ratios: dict[str, float] = {}
    for name, each in found.items():
        _pages(name, each, figures, ratios)
        _beside(name, each, peers, ratios)
        _streams(name, each["streams"], figures)
    return result(
        "api", figures=figures, peers=peers, ratios=ratios, met=all(_is_met(each) for each in found.values()),
        limited_by="graphql-core's own work for each field; decoding and typing 50 payloads; for streams sending to "
        "each socket",
    )  # fmt: skip


def _pages(name: str, found: dict[str, Any], figures: dict[str, Any], ratios: dict[str, float]) -> None:
    for door in DOORS:
        for size in ("small", "large"):
            figures |= {f"{name} {door}, page of {LIMIT}, {size}: {what}": found[size][door][what] for what in WHAT}
        ratios[f"{name} {door}: large to small"] = found["large"][door]["ms"] / found["small"][door]["ms"]
    for size in ("small", "large"):
        for kind in ("total", "some"):
            total = found[size][kind]
            mark = "exact" if total["exact"] else "estimate"
            figures[f"{name} {kind}, {size}: {mark} {total['count']}, ms"] = total["ms"]


def _beside(name: str, found: dict[str, Any], peers: dict[str, Any], ratios: dict[str, float]) -> None:
    core = found["small"]["core"]
    peers[f"{name} graphql in process, ours: CPU microseconds"] = core["ours"]
    peers[f"{name} graphql-core alone on the same rows: CPU microseconds"] = core["alone"]
    ratios[f"{name} graphql to graphql-core alone"] = core["ratio"]
    peer = found["postgraphile"]
    if peer:
        peers |= {f"PostGraphile, page of {LIMIT}, large: {what}": value for what, value in peer.items()}
        ratios[f"{name} graphql to PostGraphile, by the clock"] = found["large"]["graphql"]["ms"] / peer["ms"]
    elif name == "postgresql":
        peers["PostGraphile"] = "not measured: Node.js is absent"


def _streams(name: str, found: dict[str, Any], figures: dict[str, Any]) -> None:
    people = found["people"]
    figures |= {f"{name} {people} subscribers: {what}": found[what] for what in ("p50_ms", "p95_ms", "cpu_ms")}
    figures[f"{name} {people} subscribers, {found['idle_s']} s idle: transactions of the database"] = found["idle"]


def _is_met(found: dict[str, Any]) -> bool:
    doors = [(found["small"][door]["ms"], found["large"][door]["ms"]) for door in DOORS]
    fast = all(max(pair) < PAGE_MS_MAX and pair[1] < GROWTH_MAX * pair[0] for pair in doors)
    streams = found["streams"]
    told = streams["p95_ms"] < P95_MS_MAX and not streams["idle"]
    return fast and told and found["small"]["core"]["ratio"] < TO_GRAPHQL_CORE_MAX


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(), indent=2) + "\n")
