"""Clients that are written from a node's own document: checked by their languages, and used against the node."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from tests.support.node_packages import installed
from tests.unit.api.rest.nodes import Client, FirmNode, nodes

from interfirm.api.clients import page, python, typescript
from interfirm.api.clients.model import model_of
from interfirm.base.errors import Refusal
from interfirm.cli.main import run
from interfirm.runtime.configuration import ApiSettings
from interfirm.runtime.http import HttpServer
from interfirm.runtime.layout import free_port

IN_PYTHON = """
import json, sys
from client import Client, Refused

node = Client(sys.argv[1], sys.argv[2])
fields = {"issuer": "firm0", "owner": "firm0", "amount": {"amount": "5.00", "currency": "EUR"}}
made = node.cash_Cash.create(fields=fields, request="one")
again = node.cash_Cash.create(fields=fields, request="one")
(cash,) = node.cash_Cash.list(limit=10, where={"issuer": "firm0"})["contracts"]
preview = node.cash_Cash.divide(
    cash["ref"], arguments={"amounts": [{"amount": "2.00", "currency": "EUR"}, {"amount": "3.00", "currency": "EUR"}]},
    dry_run=True,
)
try:
    node.cash_Cash.show("00" * 32 + ":0")
except Refused as refused:
    code = [refused.status, refused.code]
kept = node.documents.put(b"bytes")
ageing = node.report.ageing(on="2026-01-31")
print(json.dumps([
    made["state"], again["id"] == made["id"], cash["fields"]["amount"], preview["signers"], code, kept, ageing["rows"],
    node.me()["name"],
]))
"""
IN_TYPESCRIPT = """
import { Client, Refused } from "./client.js";
import type { CashCashCreateFields, Flow, Preview } from "./client.js";

const node = new Client(process.argv[2]!, process.argv[3]!);
const fields: CashCashCreateFields = {
  issuer: "firm0", owner: "firm0", amount: { amount: "5.00", currency: "EUR" },
};
const made = await node.cash_Cash.create({ fields, request: "one" }) as Flow;
const again = await node.cash_Cash.create({ fields, request: "one" }) as Flow;
const [cash] = (await node.cash_Cash.list({ limit: 10, where: { issuer: "firm0" } })).contracts;
const amounts = [{ amount: "2.00", currency: "EUR" as const }, { amount: "3.00", currency: "EUR" as const }];
const preview = await node.cash_Cash.divide(cash!.ref, { arguments: { amounts }, dry_run: true }) as Preview;
let code: [number, string] | undefined;
try {
  await node.cash_Cash.show("00".repeat(32) + ":0");
} catch (error) {
  if (error instanceof Refused) code = [error.status, error.code];
}
const kept = await node.documents.put(new TextEncoder().encode("bytes"));
const ageing = await node.report.ageing({ on: "2026-01-31" }) as Record<string, unknown>;
console.log(JSON.stringify([
  made.state, again.id === made.id, cash!.fields.amount, preview.signers, code, kept, ageing["rows"],
  (await node.me()).name,
]));
"""
SAID = [
    "done", True, {"amount": "5.00", "currency": "EUR"}, ["firm0"], [404, "vault.unknown"],
    {"content": "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9", "size_bytes": 5}, [], "anna",
]  # fmt: skip


@pytest.fixture
def node() -> Iterator[FirmNode]:
    with nodes(1) as (found,):
        yield found


@pytest.fixture
def clerk(node: FirmNode) -> Client:
    return node.client("anna", "clerk")


def document(clerk: Client) -> Any:
    return clerk.get("/v1/openapi.json").json()


def used(node: FirmNode, clerk: Client, *program: str | Path) -> Any:
    """What a program prints that is given the node's address and a token."""

    async def whole() -> tuple[int | None, bytes, bytes]:
        port = free_port()
        server = HttpServer(node.app, ApiSettings(port=port))
        await server.start()
        try:
            token = clerk.headers["Authorization"].removeprefix("Bearer ")
            started = await asyncio.create_subprocess_exec(
                *program, f"http://127.0.0.1:{port}", token, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            return (*await started.communicate(), started.returncode)[::-1]  # type: ignore[return-value]  # as it is read
        finally:
            await server.stop()

    code, errors, said = asyncio.run(whole())
    assert code == 0, errors.decode()
    return json.loads(said)


def checked(*program: str | Path, cwd: Path) -> None:
    done = subprocess.run(program, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_client_in_python_is_typed_and_works(node: FirmNode, clerk: Client, tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(python.write(model_of(document(clerk))))
    (tmp_path / "use.py").write_text(IN_PYTHON)
    checked(sys.executable, "-m", "mypy", "--strict", "client.py", cwd=tmp_path)
    assert used(node, clerk, sys.executable, tmp_path / "use.py") == SAID


def test_a_client_in_typescript_is_typed_and_works(node: FirmNode, clerk: Client, tmp_path: Path) -> None:
    compiler = installed("typescript") / "node_modules" / "typescript" / "bin" / "tsc"
    (tmp_path / "client.ts").write_text(typescript.write(model_of(document(clerk))))
    (tmp_path / "use.ts").write_text(IN_TYPESCRIPT.replace("process.argv", '(globalThis as any)["process"].argv'))
    (tmp_path / "package.json").write_text('{"type": "module"}')
    strict = ["--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--noImplicitOverride"]
    target = ["--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom"]
    checked("node", compiler, *strict, *target, "use.ts", cwd=tmp_path)
    assert used(node, clerk, "node", tmp_path / "use.js") == SAID


def test_a_refusal_says_what_is_no_document(tmp_path: Path) -> None:
    for wrong in ({}, {"components": 1}, [], {"components": {"schemas": {}}, "paths": {"/": {"get": {}}}}):
        with pytest.raises(Refusal, match=r"client\.document"):
            model_of(wrong)


def test_the_page_for_people_is_whole_and_leads_only_to_what_is_on_it(clerk: Client) -> None:
    given = document(clerk)
    given["info"]["title"] = "<b>a node"
    text = page.write(model_of(given))
    read = etree.fromstring(text, etree.HTMLParser(recover=False))
    assert "&lt;b&gt;a node" in text
    assert not [*read.findall(".//b"), *read.findall(".//script")]
    places = [each.get("id") for each in read.findall(".//*[@id]")]
    assert len(set(places)) == len(places)
    assert {each.get("href") for each in read.findall(".//a")} <= {f"#{place}" for place in places}
    shown = " ".join("".join(each.itertext()) for each in read.findall(".//code"))
    assert all(path in shown for path in given["paths"] if path != "/v1/events")


def test_the_command_writes_a_client_to_a_file(clerk: Client, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(document(clerk)))
    for language, begins in (("client python", '"""A client'), ("client typescript", "// A client"),
                             ("page", "<!doctype html>")):  # fmt: skip
        target = tmp_path / language
        assert run(["api", *language.split(), str(tmp_path / "openapi.json"), "--out", str(target)]) == 0
        assert target.read_text().startswith(begins)
    assert run(["api", "client", "cobol", str(tmp_path / "openapi.json")]) == 3
    assert run(["api", "client", "python", str(tmp_path / "none.json")]) == 3
