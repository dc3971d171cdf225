"""Files are put by streaming, and got by whoever is shown a contract that names them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from interfirm.api.rest import documents
from interfirm.api.rest.documents import _plain_name
from interfirm.base.limits import Limits
from interfirm.node.access.types import Role, Rule

from .nodes import Client, FirmNode, made, nodes

BINARY = {"Content-Type": "application/octet-stream"}
FILE = b"%PDF-1.7 terms" * 10_000
INVOICE = (Path(__file__).parents[4] / "examples" / "invoice-2026-0001.xml").read_bytes()
NOBODY = Role(name="nobody", about="Sees cash alone.", operations=("contracts.*", "documents.put"),
              rules=(Rule(template="cash.Cash", read=True),))  # fmt: skip


@pytest.fixture(scope="module")
def node() -> Iterator[FirmNode]:
    with nodes(2) as found:
        yield found[0]


@pytest.fixture(scope="module")
def clerk(node: FirmNode) -> Client:
    return node.client("ann", "clerk")


def put(clerk: Client, content: bytes = FILE) -> str:
    answer = clerk.post("/v1/documents", content=content, headers=BINARY)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["content"])


def agreement(clerk: Client, content: str, number: str = "A-1") -> str:
    """The ref of an agreement whose text is the file."""
    fields: dict[str, Any] = {
        "number": number, "kind": "msa", "parties": ["firm0", "firm1"], "signed": ["firm0"], "document": content,
        "terms": {}, "start": "2026-01-05", "end": None,
    }  # fmt: skip
    answer = clerk.post("/v1/contracts/agreements.Agreement", json={"fields": fields})
    return made(answer).rpartition("/")[2]


@pytest.fixture(scope="module")
def ref(clerk: Client) -> str:
    return agreement(clerk, put(clerk))


@pytest.fixture(scope="module")
def content() -> str:
    return hashlib.sha256(FILE).hexdigest()


def test_a_file_is_named_by_its_hash_and_kept_once(clerk: Client, content: str) -> None:
    for _ in range(2):
        answer = clerk.post("/v1/documents", content=FILE, headers=BINARY)
        assert answer.json() == {"content": content, "size_bytes": len(FILE)}


def test_a_file_is_got_by_a_contract_that_names_it(clerk: Client, ref: str, content: str) -> None:
    answer = clerk.get(f"/v1/documents/{content}?ref={ref}")
    assert answer.status_code == 200
    assert answer.content == FILE
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_file_is_not_got_without_a_contract_or_by_one_that_does_not_name_it(
    clerk: Client, ref: str, content: str
) -> None:
    assert clerk.get(f"/v1/documents/{content}").status_code == 400
    other = put(clerk, b"something else")
    answer = clerk.get(f"/v1/documents/{other}?ref={ref}")
    assert (answer.status_code, answer.json()["code"]) == (404, "vault.attachment-unknown")


def test_a_file_is_not_got_by_whoever_may_not_read_the_contract(node: FirmNode, ref: str, content: str) -> None:
    nobody = node.client("nob", NOBODY)
    answer = nobody.get(f"/v1/documents/{content}?ref={ref}")
    assert (answer.status_code, answer.json()["code"]) == (404, "vault.unknown")


def test_a_viewer_puts_no_file(node: FirmNode) -> None:
    answer = node.client("vic", "viewer").post("/v1/documents", content=FILE, headers=BINARY)
    assert (answer.status_code, answer.json()["code"]) == (403, "access.operation")


def test_an_invoice_is_put_imported_and_got_with_its_name(clerk: Client) -> None:
    content = put(clerk, INVOICE)
    given = {"document": content, "name": "invoice.xml"}
    flow = clerk.post("/v1/operations/invoice.import", json=given).json()
    assert flow["state"] == "done", flow
    ref = f"{flow['result']['transaction']}:0"
    answer = clerk.get(f"/v1/documents/{content}?ref={ref}")
    assert answer.content == INVOICE
    assert answer.headers["content-type"].startswith("application/xml")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''invoice.xml"
    shown = clerk.get(f"/v1/contracts/invoices.Invoice/{ref}").json()
    assert shown["fields"]["number"] == "INV-2026-0001"


def test_a_path_of_the_nodes_machine_is_refused(clerk: Client) -> None:
    answer = clerk.post("/v1/operations/invoice.import", json={"path": "/etc/passwd"})
    assert (answer.status_code, answer.json()["code"]) == (400, "http.shape")


@pytest.mark.parametrize("path", ["../../etc/passwd", "%2e%2e%2fpasswd", "passwd", "0" * 63, "0" * 65])
def test_a_document_has_no_path(clerk: Client, ref: str, path: str) -> None:
    assert clerk.get(f"/v1/documents/{path}?ref={ref}").status_code in (400, 404)


def test_a_file_that_is_too_large_is_refused_as_soon_as_it_is(clerk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LIMITS", Limits(attachment_bytes_max=100_000))

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65_536)

    answer = clerk.post("/v1/documents", content=endless(), headers=BINARY)
    assert (answer.status_code, answer.json()["code"]) == (413, "http.size")


@pytest.mark.parametrize(("name", "plain"), [
    ("terms.pdf", "terms.pdf"), ("../../etc/passwd", "passwd"), ("C:\\terms.pdf", "terms.pdf"), ("..", "document"),
    ("a\r\nSet-Cookie: b", "aSet-Cookie: b"), ("", "document"), ("Vertr\u00e4ge.pdf", "Vertr\u00e4ge.pdf"),
])  # fmt: skip
def test_a_files_name_is_a_name_and_nothing_else(name: str, plain: str) -> None:
    assert _plain_name(name) == plain
