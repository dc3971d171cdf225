"""Who asks decides what is shown and done, and an interface shows nobody more than that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from interfirm.node.access.types import Caller, Role, Rule

from .nodes import Client, FirmNode, cash, made, nodes

PATH = "/v1/contracts/cash.Cash"
BLIND = Role(
    name="blind", about="Sees cash without amounts.", operations=("whoami", "contracts.*", "proof.export"),
    rules=(Rule(template="cash.Cash", read=True, hidden=("amount",)),),
)  # fmt: skip


@pytest.fixture(scope="module")
def node() -> Iterator[FirmNode]:
    with nodes(1) as found:
        yield found[0]


@pytest.fixture(scope="module")
def clerk(node: FirmNode) -> Client:
    return node.client("ann", "clerk")


@pytest.fixture(scope="module")
def viewer(node: FirmNode) -> Client:
    return node.client("vic", "viewer")


@pytest.fixture(scope="module")
def held(node: FirmNode, clerk: Client) -> str:
    return made(clerk.post(PATH, json=cash(node)))


@pytest.mark.parametrize("path", ["/v1/me", "/v1/templates", PATH, "/v1/flows", "/v1/inbox", "/v1/openapi.json"])
def test_a_stranger_is_told_nothing(node: FirmNode, path: str) -> None:
    for client in (node.stranger(), Client(node.app, "ift_0000000000000000_" + "0" * 64), Client(node.app, "junk")):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_viewer_sees_and_changes_nothing(node: FirmNode, viewer: Client, held: str) -> None:
    assert viewer.get(held).status_code == 200
    for path, body in ((PATH, cash(node)), (f"{held}/retire", {}), ("/v1/inbox/one", {"approve": True})):
        answer = viewer.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "access.operation")
    assert viewer.get(held).json()["status"] == "active"


def test_a_viewer_is_shown_an_interface_without_changes(viewer: Client, clerk: Client) -> None:
    mine, theirs = (client.get("/v1/openapi.json").json()["paths"] for client in (viewer, clerk))
    assert "post" not in mine[PATH]
    assert f"{PATH}/{{ref}}/move" not in mine
    assert "post" in theirs[PATH]
    assert f"{PATH}/{{ref}}/move" in theirs


def test_a_hidden_field_is_nowhere(node: FirmNode, held: str) -> None:
    blind = node.client("bea", BLIND)
    assert set(blind.get(held).json()["fields"]) == {"issuer", "owner"}
    assert set(blind.get(PATH).json()["contracts"][0]["fields"]) == {"issuer", "owner"}
    document = blind.get("/v1/openapi.json").json()
    assert set(document["components"]["schemas"]["cash.Cash.Contract"]["properties"]["fields"]["properties"]) == {
        "issuer", "owner",
    }  # fmt: skip
    assert [path for path in document["paths"] if path.startswith("/v1/contracts/")] == [
        PATH, f"{PATH}/{{ref}}", f"{PATH}/{{ref}}/history", f"{PATH}/{{ref}}/proof",
    ]  # fmt: skip
    for query in ("order_by=amount", 'where={"amount":"100.00 EUR"}'):
        answer = blind.get(f"{PATH}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (403, "access.field")


def test_a_template_that_is_not_readable_is_not_there(node: FirmNode) -> None:
    blind = node.client("ben", BLIND)
    assert blind.get("/v1/contracts/invoices.Invoice").status_code == 404
    assert blind.get("/v1/contracts/invoices.Nothing").json()["code"] == "contract.template"


def test_flows_of_others_are_not_there(node: FirmNode, clerk: Client, held: str) -> None:
    flow = clerk.get("/v1/flows").json()["flows"][0]["id"]
    other = node.client("cas", "clerk")
    assert other.get(f"/v1/flows/{flow}").status_code == 404
    assert other.get("/v1/flows").json() == {"flows": []}
    assert other.post(f"/v1/flows/{flow}/cancel").status_code == 404


def test_whoever_ends_a_flow_is_recorded_as_who_asked(node: FirmNode) -> None:
    answer = node.client("opa", "operator").post(
        "/v1/flows/none/kill", json={"reason": "stuck", "who": "somebody else"}
    )
    assert [each["at"] for each in answer.json()["errors"]] == ["/who"]


class Signed:
    """A port that knows everybody by a browser's session."""

    def __init__(self, node: FirmNode) -> None:
        self._port = node.port

    def caller(self, headers: Any) -> Caller:
        return Caller(name="ann", roles=("clerk",), door="session")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


@pytest.mark.parametrize(("headers", "status"), [
    ({}, 403), ({"Origin": "https://elsewhere.example"}, 403), ({"Origin": "null"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "https://elsewhere.example"}, 403),
    ({"Origin": "http://node"}, 201), ({"Sec-Fetch-Site": "same-origin"}, 201),
])  # fmt: skip
def test_a_page_of_another_site_cannot_use_a_session(node: FirmNode, headers: dict[str, str], status: int) -> None:
    from interfirm.api.rest.app import rest_app
    from interfirm.api.rest.idempotency import Answers

    app = rest_app(Signed(node), Answers(node.firm.vault, node.firm.clock_ms))
    answer = Client(app, None).post(PATH, json=cash(node), headers=headers)
    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.json()["code"] == "http.origin"
