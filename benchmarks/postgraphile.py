"""PostGraphile on the tables of a node: the same page, asked for on one connection, with one connection to PostgreSQL.

It is installed from the lock in `npm/postgraphile` into `build/postgraphile`; without Node.js there is nothing to
compare with. It knows nothing of roles, and its rows are columns: nothing is decoded.
"""

from __future__ import annotations

import asyncio
import filecmp
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.node import DAYS, Firm
from interfirm.node.vault.places import DatabaseUrl
from interfirm.runtime.databases import vault_place

ROOT = Path(__file__).resolve().parents[1]
SOURCES, BUILD = ROOT / "benchmarks" / "npm" / "postgraphile", ROOT / "build" / "postgraphile"
FILES = ("package.json", "package-lock.json", "server.js")
LIMIT = 50
TRIES = 5


def measured(firm: Firm, pages: int) -> dict[str, float]:
    """Milliseconds of a page; empty where Node.js is absent."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return {}
    _install(npm)
    place = vault_place(firm.home).database
    assert isinstance(place, DatabaseUrl)
    command = [node, "server.js", place.text]
    with subprocess.Popen(command, cwd=BUILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        try:
            return asyncio.run(_measured(firm, int(server.stdout.readline()), pages))
        finally:
            server.stdin.close()


def _install(npm: str) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    done = BUILD / "installed.json"
    if not done.exists() or not filecmp.cmp(SOURCES / "package-lock.json", done, shallow=False):
        for name in FILES:
            shutil.copy(SOURCES / name, BUILD / name)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=BUILD, check=True, stdout=subprocess.DEVNULL)
        shutil.copy(SOURCES / "package-lock.json", done)
    shutil.copy(SOURCES / "server.js", BUILD / "server.js")


async def _measured(firm: Firm, port: int, pages: int) -> dict[str, float]:
    from benchmarks.api import Client  # which takes from here what is measured

    client = await Client.open(port, "")
    fields = (await client.post("/graphql", {"query": "{ __schema { queryType { fields { name } } } }"}))["data"]
    names = [each["name"] for each in fields["__schema"]["queryType"]["fields"]]
    # tables of words beside the template's own have longer names
    name = min((each for each in names if re.fullmatch(r"allBillsBill[A-Z0-9][a-zA-Z0-9]*", each)), key=len)
    query = f"""query($buyer: String!, $from: BigInt!) {{
      {name}(condition: {{buyer: $buyer, _status: "active"}}, filter: {{due: {{greaterThanOrEqualTo: $from}}}},
             orderBy: [DUE_ASC], first: {LIMIT}) {{
        nodes {{ _transaction _status supplier buyer number payableMinor payableCurrency due }}
        pageInfo {{ endCursor }} }} }}"""
    rounds, every = [], []
    for _ in range(TRIES):
        times = []
        for n in range(pages):
            buyer = f"\\x{firm.parties[1 + n % 4].id.hex()}"
            asked = {"query": query, "variables": {"buyer": buyer, "from": str(20_000 + n * 7 % (DAYS // 2))}}
            began = time.perf_counter()
            answer: Any = await client.post("/graphql", asked)
            times.append((time.perf_counter() - began) * 1000)
            assert len(answer["data"][name]["nodes"]) == LIMIT, json.dumps(answer)[:500]
        rounds.append(sorted(times)[pages // 2])
        every += times
    client.close()
    return {"ms": min(rounds), "p95_ms": sorted(every)[int(len(every) * 0.95)]}
