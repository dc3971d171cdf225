"""What is not as documented is refused, each request for one stated reason, and no answer tells more than it must."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from interfirm.api.rest import reading
from interfirm.api.rest.app import SECURITY_HEADERS, rest_app
from interfirm.api.rest.door import Door, http_date
from interfirm.api.rest.endpoints import Asked, Deprecated, Endpoint, Reply, Returned
from interfirm.api.rest.idempotency import Answers
from interfirm.base.limits import LIMITS, Limits
from interfirm.base.time import Day

from .nodes import Client, FirmNode, cash, nodes

PATH = "/v1/contracts/cash.Cash"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def node() -> Iterator[FirmNode]:
    with nodes(1) as found:
        yield found[0]


@pytest.fixture(scope="module")
def clerk(node: FirmNode) -> Client:
    return node.client("ann", "clerk")


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert problem["status"] == status
    return problem


@pytest.mark.parametrize(("query", "at"), [
    ("colour=red", "colour"), ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=ten", "limit"),
    ("limit=1&limit=2", "limit"), ("status=lost", "status"), ("order_by=colour", "order_by"), ("where=[]", "where"),
    ("notary=", "notary"),
])  # fmt: skip
def test_a_parameter_that_is_not_documented_is_refused(clerk: Client, query: str, at: str) -> None:
    problem = refused(clerk.get(f"{PATH}?{query}"), 400, "http.shape")
    assert [each["at"] for each in problem["errors"]] == [at]


@pytest.mark.parametrize(("change", "at"), [
    ({"amount": {"amount": 1, "currency": "EUR"}}, "/fields/amount/amount"),
    ({"amount": {"amount": "1.00", "currency": "EURO"}}, "/fields/amount/currency"),
    ({"amount": "1.00 EUR"}, "/fields/amount"), ({"owner": None}, "/fields/owner"), ({"more": 1}, "/fields/more"),
])  # fmt: skip
def test_a_field_that_is_not_of_its_type_is_refused(node: FirmNode, clerk: Client, change: Any, at: str) -> None:
    body = {"fields": {**cash(node)["fields"], **change}}
    problem = refused(clerk.post(PATH, json=body), 400, "http.shape")
    assert [each["at"] for each in problem["errors"]] == [at]


def test_all_that_is_wrong_is_told_at_once(clerk: Client) -> None:
    problem = refused(clerk.post(PATH, json={"fields": {"owner": 1}, "colour": 1}), 400, "http.shape")
    assert [each["at"] for each in problem["errors"]] == [
        "/fields/issuer", "/fields/amount", "/fields/owner", "/colour",
    ]  # fmt: skip


@pytest.mark.parametrize(("content", "headers", "status", "code"), [
    (b"{", JSON, 400, "http.body"), (b"", JSON, 400, "http.body"), (b"\xff", JSON, 400, "http.body"),
    (b"[" * 40 + b"]" * 40, JSON, 400, "http.body"), (b"[" * 100_000, JSON, 400, "http.body"),
    (b"{}", {"Content-Type": "text/plain"}, 415, "http.media-type"), (b"{}", {}, 415, "http.media-type"),
    (b"{}", {**JSON, "Content-Encoding": "gzip"}, 415, "http.media-type"),
    (b" " * (LIMITS.http_body_bytes_max + 1), JSON, 413, "http.size"),
    (b"{}", {**JSON, "Content-Length": "x"}, 413, "http.size"),
    (b"{}", {**JSON, "X": "y" * LIMITS.http_head_bytes_max}, 431, "http.head"),
])  # fmt: skip
def test_a_body_that_is_no_json_of_fair_size_is_refused(
    clerk: Client, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    refused(clerk.post(PATH, content=content, headers=headers), status, code)


def test_a_body_without_an_announced_size_is_refused_as_soon_as_it_is_too_large(clerk: Client) -> None:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65_536

    refused(clerk.post(PATH, content=parts(), headers=JSON), 413, "http.size")


def test_a_path_that_is_too_long_is_refused(clerk: Client) -> None:
    refused(clerk.get(f"{PATH}?after={'x' * LIMITS.http_target_bytes_max}"), 414, "http.target")


def test_a_body_that_stalls_is_given_up(clerk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LIMITS", Limits(http_stall_ms_max=1))

    async def stalling() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    refused(clerk.post(PATH, content=stalling(), headers=JSON), 408, "http.slow")


@pytest.mark.parametrize(("method", "path", "allowed"), [
    ("PUT", "/v1/me", {"GET", "HEAD"}), ("DELETE", PATH, {"GET", "HEAD", "POST"}),
    ("OPTIONS", "/v1/documents", {"POST"}), ("TRACE", "/v1/flows", {"GET", "HEAD"}),
])  # fmt: skip
def test_other_methods_are_refused(clerk: Client, method: str, path: str, allowed: set[str]) -> None:
    answer = clerk.request(method, path)
    refused(answer, 405, "http.method")
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/v1/me", PATH, "/v1/nothing", "/health"])
def test_every_answer_carries_the_security_headers_and_lets_no_other_site_in(clerk: Client, path: str) -> None:
    answer = clerk.get(path, headers={"Origin": "https://elsewhere.example"})
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS)
    assert "access-control-allow-origin" not in answer.headers


def test_a_fault_says_nothing_of_itself(node: FirmNode, clerk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the password is tulip")

    monkeypatch.setattr(node.port, "template", fail)
    answer = clerk.get(PATH)
    refused(answer, 500, "node.fault")
    assert "tulip" not in answer.text


def test_a_token_is_in_no_answer(node: FirmNode, clerk: Client) -> None:
    token = clerk.headers["Authorization"].removeprefix("Bearer ")
    wrong = Client(node.app, token[:-1] + ("0" if token[-1] != "0" else "1"))
    for client in (clerk, wrong):
        for path in ("/v1/me", PATH, f"{PATH}?token={token}", "/v1/flows/none"):
            assert token[-64:] not in client.get(path).text.replace(f"token={token}", "")


def test_an_endpoint_that_goes_says_until_when(node: FirmNode, clerk: Client) -> None:
    going = Deprecated(since=Day.of(2026, 11, 21), sunset=Day.of(2027, 6, 1), instead="/v2/old")
    old = Endpoint(
        name="old", method="GET", path="/v1/old", about="Something that goes.", tag="node", handle=_old,
        returned={200: Returned("It.", {"type": "object"})}, deprecated=going,
    )  # fmt: skip
    app = rest_app(node.port, Answers(node.firm.vault, node.firm.clock_ms), more=[old])
    client = Client(app, clerk.headers["Authorization"].removeprefix("Bearer "))
    answer = client.get("/v1/old")
    assert answer.headers["deprecation"] == "@1795219200"
    assert answer.headers["sunset"] == "Tue, 01 Jun 2027 00:00:00 GMT"
    assert answer.headers["link"] == '</v2/old>; rel="successor-version"'
    assert client.get("/v1/openapi.json").json()["paths"]["/v1/old"]["get"]["deprecated"] is True


async def _old(door: Door, asked: Asked) -> Reply:
    return Reply(200, {})


def test_dates_are_written_as_http_does() -> None:
    assert http_date(Day.of(1994, 11, 6)) == "Sun, 06 Nov 1994 00:00:00 GMT"
