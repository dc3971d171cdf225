"""What the document says of signing in is what there is, and answers are as it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.unit.api.signin.browsers import OTHER_PASSWORD, PASSWORD, SigninNode, a_node

from interfirm.api.rest.endpoints import Described
from interfirm.api.rest.judging import faults
from interfirm.api.signin.answers import METHODS
from interfirm.api.signin.described import elsewhere
from interfirm.api.signin.routes import routes
from interfirm.api.signin.settings import SigninSettings
from interfirm.node.access.oidc_settings import OidcSettings

OIDC = OidcSettings(issuer="https://login.firm.example", client_id="interfirm", client_secret="s" * 32)


@pytest.fixture
def node() -> Iterator[SigninNode]:
    with a_node() as made:
        yield made


def described(node: SigninNode) -> dict[tuple[str, str], Described]:
    return {(each.method, each.path): each for each in node.elsewhere.endpoints}


def test_every_path_and_method_is_described_and_no_other(node: SigninNode) -> None:
    told = described(node)
    assert {path for _, path in told} == {route.path for route in routes(node.doors)}  # type: ignore[attr-defined]
    browser = node.signed_in()
    for path in {path for _, path in told}:
        for method in set(METHODS) - {"HEAD", "OPTIONS"}:
            answer = browser.request(method, path.replace("{id}", "00"), headers={"Authorization": "Bearer none"})
            assert (answer.status_code == 405) is ((method, path) not in told), (method, path)


def test_the_paths_of_a_provider_are_described_where_there_is_one() -> None:
    with a_node(oidc=OIDC.checked()) as node:
        assert {path for _, path in described(node)} == {
            route.path
            for route in routes(node.doors)  # type: ignore[attr-defined]
        }


def test_the_document_tells_of_them_and_of_the_session(node: SigninNode) -> None:
    found = node.signed_in().get("/v1/openapi.json").json()
    assert found["components"]["securitySchemes"]["session"]["name"] == "__Host-interfirm-session"
    assert found["security"] == [{"token": []}, {"session": []}]
    assert found["paths"]["/v1/session"]["get"]["security"] == [{"session": []}]
    assert found["paths"]["/v1/session"]["post"]["security"] == []
    assert all(path in found["paths"] for _, path in described(node))
    assert not elsewhere(SigninSettings(), provider=False).endpoints[0].signed_in


def test_answers_are_as_they_are_described(node: SigninNode) -> None:
    told = described(node)

    def fits(method: str, path: str, answer: httpx.Response) -> Any:
        returned = told[method, path].returned[answer.status_code]
        assert returned.schema is not None
        assert faults(returned.schema, answer.json(), {}) == []
        return answer.json()

    here, elsewhere_too = node.signed_in(), node.browser()
    fits("GET", "/v1/session", here.get())
    fits("POST", "/v1/session", elsewhere_too.sign_in())
    listed = fits("GET", "/v1/sessions", here.get("/v1/sessions"))["sessions"]
    other = next(each["id"] for each in listed if not each["current"])
    fits("DELETE", "/v1/sessions/{id}", here.delete(f"/v1/sessions/{other}"))
    fits("DELETE", "/v1/sessions", here.delete("/v1/sessions"))
    fits("GET", "/v1/session/passkeys", here.get("/v1/session/passkeys"))
    fits("POST", "/v1/session/passkey/options", here.post("/v1/session/passkey/options", {}))
    fits("POST", "/v1/session/passkeys/options", here.post("/v1/session/passkeys/options", {}))
    changed = here.post("/v1/session/password", {"current": PASSWORD, "new": OTHER_PASSWORD})
    fits("POST", "/v1/session/password", changed)
    invited = node.browser().accept(node.invited())
    fits("POST", "/v1/session/invitation", invited)
    left = node.browser()
    left.sign_in()
    assert left.delete("/v1/session").status_code in told["DELETE", "/v1/session"].returned
