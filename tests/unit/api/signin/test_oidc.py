"""Signing in by npm's oidc-provider, a real provider of OpenID Connect on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.support.provider import RunningProvider, a_provider
from tests.unit.api.signin.browsers import ORIGIN, PASSWORD, Browser, SigninNode, a_node

from interfirm.api.signin.provider import ROTATED_MS
from interfirm.api.signin.settings import SigninSettings
from interfirm.base.limits import LIMITS
from interfirm.node.access.oidc_settings import OidcSettings

BEGIN, RETURN = "/v1/session/oidc", "/v1/session/oidc/return"
ACCOUNTS: dict[str, dict[str, Any]] = {
    "1": {"email": "Anna@firm.example", "email_verified": True, "groups": ["staff", "other"]},
    "2": {"email": "bert@firm.example", "email_verified": True, "groups": ["other"]},
    "3": {"email": "anna@firm.example", "email_verified": False, "groups": ["staff"]},
    "4": {"email": "anna@firm.example", "email_verified": True, "groups": ["staff"]},
}
SECRET = "a secret: of 100% & more"
CLIENT = {
    "client_id": "interfirm", "client_secret": SECRET, "redirect_uris": [ORIGIN + RETURN],
    "response_types": ["code"], "grant_types": ["authorization_code"],
}  # fmt: skip
PUBLIC = {name: value for name, value in CLIENT.items() if name != "client_secret"} | {
    "client_id": "public", "token_endpoint_auth_method": "none",
}  # fmt: skip
ANNA = "anna@firm.example"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    with a_provider(tmp_path_factory.mktemp("provider"), accounts=ACCOUNTS, clients=[CLIENT, PUBLIC]) as running:
        yield running


@pytest.fixture
def settings(provider: RunningProvider) -> OidcSettings:
    return OidcSettings(
        issuer=provider.issuer, client_id="interfirm", client_secret=SECRET, roles={"staff": ("clerk", "approver")}
    )


@pytest.fixture
def node(settings: OidcSettings) -> Iterator[SigninNode]:
    with node_of(oidc=settings.checked()) as made:
        yield made


@contextmanager
def node_of(settings: SigninSettings | None = None, **more: Any) -> Iterator[SigninNode]:
    """A node on the machine's clock, on which the provider is, too."""
    with a_node(settings, **more) as made:
        made.at_ms = time.time_ns() // 1_000_000
        yield made


def returned(node: SigninNode, browser: Browser, subject: str = "1") -> str:
    """Where the provider sends a browser back to in which somebody signed in there."""
    begun = browser.get(BEGIN)
    assert begun.status_code == 303, begun.text
    url = f"{begun.headers['location']}&login_hint={subject}"
    with httpx.Client() as at_provider:
        while not url.startswith(ORIGIN):
            answer = at_provider.get(url)
            assert answer.is_redirect, answer.text
            url = str(httpx.URL(url).join(answer.headers["location"]))
    return url.removeprefix(ORIGIN)


def signed_in(node: SigninNode, subject: str = "1") -> tuple[Browser, httpx.Response]:
    browser = node.browser()
    return browser, browser.get(returned(node, browser, subject), headers={"Sec-Fetch-Site": "cross-site"})


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_somebody_signs_in_with_the_roles_that_the_provider_gives(node: SigninNode) -> None:
    browser, answer = signed_in(node)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["name"], answer.json()["roles"]) == (ANNA, ["approver", "clerk"])
    assert answer.json()["means"] == "oidc"
    assert "SameSite=Strict" in answer.headers["set-cookie"]
    assert browser.get().status_code == 200
    assert browser.delete("/v1/session").status_code == 204


def test_a_browser_is_sent_to_the_provider_with_all_that_protects_the_way_back(node: SigninNode) -> None:
    begun = node.browser().get(BEGIN)
    query = parse_qs(urlsplit(begun.headers["location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["response_type"] == ["code"]
    assert len({query[name][0] for name in ("state", "nonce", "code_challenge")}) == 3
    assert all(len(query[name][0]) >= 43 for name in ("state", "nonce", "code_challenge"))
    cookie = begun.headers["set-cookie"]
    assert cookie.startswith("__Host-interfirm-oidc=")
    assert {"HttpOnly", "Secure", "SameSite=Lax"} <= set(cookie.split("; "))


def test_a_browser_is_sent_on_to_the_landing(settings: OidcSettings) -> None:
    with node_of(SigninSettings(origin=ORIGIN, landing="/app"), oidc=settings) as node:
        browser, answer = signed_in(node)
        assert (answer.status_code, answer.headers["location"]) == (303, "/app")
        assert browser.get().json()["name"] == ANNA


def test_a_way_back_is_used_once(node: SigninNode) -> None:
    browser = node.browser()
    back = returned(node, browser)
    cookies = httpx.Cookies(browser.cookies)
    assert browser.get(back).status_code == 200
    browser.cookies = cookies
    assert code_of(browser.get(back)) == (401, "access.sign-in-state")


@pytest.mark.parametrize("change", ["other browser", "other state", "no state", "too late", "forged", "other way"])
def test_a_way_back_that_was_not_begun_here_signs_nobody_in(node: SigninNode, change: str) -> None:
    browser, other = node.browser(), node.browser()
    back = returned(node, browser)
    match change:
        case "other browser":
            browser = other
        case "other state":
            other.get(BEGIN)
            browser = other
        case "no state":
            back = back.replace("state=", "was=")
        case "too late":
            node.at_ms += LIMITS.sign_in_ms_max
        case "forged":
            cookie = next(c.value or "" for c in browser.cookies.jar)
            browser.cookies = httpx.Cookies({"__Host-interfirm-oidc": "A" + cookie[1:]})
        case "other way":
            sealed = node.doors.signin.pending.sealed("passkey", {"state": "x"})
            browser.cookies = httpx.Cookies({"__Host-interfirm-oidc": sealed})
    assert code_of(browser.get(back)) == (401, "access.sign-in-state")
    assert browser.get().status_code == 401


def test_a_code_of_another_sign_in_is_refused_by_its_nonce_and_verifier(node: SigninNode) -> None:
    mine, others = node.browser(), node.browser()
    back, stolen = returned(node, mine), returned(node, others)
    code = parse_qs(urlsplit(stolen).query)["code"][0]
    query = parse_qs(urlsplit(back).query)
    answer = mine.get(f"{RETURN}?code={code}&state={query['state'][0]}")
    assert code_of(answer) == (502, "access.oidc-provider")
    assert mine.get().status_code == 401


def test_the_answer_of_another_provider_is_refused(node: SigninNode) -> None:
    browser = node.browser()
    back = returned(node, browser)
    mixed = httpx.URL(back).copy_set_param("iss", "https://evil.example")
    assert code_of(browser.get(str(mixed))) == (502, "access.oidc-provider")


def test_whom_the_provider_lets_not_in_is_not_let_in(node: SigninNode) -> None:
    _, answer = signed_in(node, "nobody")
    assert code_of(answer) == (401, "access.sign-in")
    assert node.logged()[-1] == ("", "session.sign-in", "oidc", "access.sign-in")


def test_keys_that_the_provider_changed_are_read_again(node: SigninNode, provider: RunningProvider) -> None:
    assert signed_in(node)[1].status_code == 200
    provider.rotate()
    assert code_of(signed_in(node)[1]) == (401, "access.oidc-token")
    node.at_ms += ROTATED_MS
    assert signed_in(node)[1].status_code == 200


def test_whoever_has_no_role_by_the_provider_is_not_let_in(node: SigninNode) -> None:
    assert code_of(signed_in(node, "2")[1]) == (403, "access.oidc-roles")


def test_an_address_that_is_not_verified_is_no_name(node: SigninNode) -> None:
    assert code_of(signed_in(node, "3")[1]) == (403, "access.oidc-name")


def test_another_subject_does_not_take_the_place_of_a_person(node: SigninNode) -> None:
    assert signed_in(node, "1")[1].status_code == 200
    assert code_of(signed_in(node, "4")[1]) == (403, "access.oidc-person")


def test_whoever_left_does_not_come_back_by_the_provider(node: SigninNode) -> None:
    browser, _ = signed_in(node)
    node.owner("access.person-put", name=ANNA, active=False)
    assert browser.get().status_code == 401
    assert code_of(signed_in(node)[1]) == (401, "access.unknown-caller")


def test_the_provider_takes_roles_away_and_that_ends_sessions(node: SigninNode) -> None:
    earlier, _ = signed_in(node)
    node.owner("access.person-put", name=ANNA, roles=["administrator"])
    assert earlier.get().status_code == 401
    before, _ = signed_in(node)
    assert before.get().json()["roles"] == ["approver", "clerk"]


@pytest.mark.parametrize("known", [True, False])
def test_without_roles_by_the_provider_an_administrator_adds_people(settings: OidcSettings, known: bool) -> None:
    with node_of(oidc=settings.replace(roles={})) as node:
        if known:
            node.person(ANNA, "viewer")
        _, answer = signed_in(node)
        assert answer.json().get("roles") == (["viewer"] if known else None)
        assert answer.status_code == (200 if known else 403)


def test_a_client_that_the_provider_does_not_believe_signs_nobody_in(settings: OidcSettings) -> None:
    with node_of(oidc=settings.replace(client_secret="another secret")) as node:
        assert code_of(signed_in(node)[1]) == (502, "access.oidc-provider")


def test_a_client_without_a_secret_is_known_by_what_it_began_with(settings: OidcSettings) -> None:
    with node_of(oidc=settings.replace(client_id="public", client_secret="")) as node:
        assert signed_in(node)[1].status_code == 200


@pytest.mark.parametrize("body", [b"hello", b"[]", b"{}", b" " * (LIMITS.provider_answer_bytes_max + 1)])
def test_a_provider_that_answers_something_else_is_told_as_that(settings: OidcSettings, body: bytes) -> None:
    with (
        a_site(body) as issuer,
        node_of(oidc=settings.replace(issuer=issuer)) as node,
    ):
        assert code_of(node.browser().get(BEGIN)) == (502, "access.oidc-provider")


@contextmanager
def a_site(body: bytes) -> Iterator[str]:
    """Answers everything with a body."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(ConnectionError):  # who asked has heard enough
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("issuer", ["{}/other", "http://127.0.0.1:9"])
def test_a_provider_that_is_another_or_not_there_is_told_as_that(settings: OidcSettings, issuer: str) -> None:
    with node_of(oidc=settings.replace(issuer=issuer.replace("{}", settings.issuer))) as node:
        assert code_of(node.browser().get(BEGIN)) == (502, "access.oidc-provider")


def test_where_there_is_no_provider_there_is_no_way_to_one() -> None:
    with node_of() as node:
        assert node.browser().get(BEGIN).status_code == 404


def test_who_signs_in_by_the_provider_has_no_password_here(node: SigninNode) -> None:
    signed_in(node)
    assert code_of(node.browser().sign_in(ANNA, PASSWORD)) == (401, "access.sign-in")
