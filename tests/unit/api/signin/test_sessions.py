"""Signing in by password, one-time codes, sessions, and what pages of other sites cannot do with them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from tests.unit.api.rest.nodes import cash
from tests.unit.api.signin.browsers import ORIGIN, OTHER_PASSWORD, PASSWORD, Browser, SigninNode, a_node

from interfirm.api.signin import service
from interfirm.api.signin.settings import SigninSettings
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.node.access import attempts, passwords

WHOAMI = "/v1/me"
HOUR_MS = 3600 * 1000


@pytest.fixture
def node() -> Iterator[SigninNode]:
    with a_node() as made:
        yield made


def code_of(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return answer.status_code, answer.json()["code"]


UNKNOWN = (401, "access.unknown-caller")
WRONG = (401, "access.sign-in")


# first steps


def test_the_first_administrator_is_invited_sets_a_password_and_signs_in(node: SigninNode) -> None:
    node.owner("access.person-put", name="anna", roles=["administrator"], active=True)
    browser = node.browser()
    accepted = browser.accept(node.invited())
    assert accepted.status_code == 201
    assert (accepted.json()["name"], accepted.json()["roles"]) == ("anna", ["administrator"])
    browser.delete("/v1/session")
    assert code_of(browser.get()) == UNKNOWN
    assert browser.sign_in("Anna ").status_code == 201
    assert browser.get().json()["means"] == "password"
    assert browser.get("/v1/sessions").json()["sessions"][0]["current"]


def test_a_code_works_once_and_a_weak_password_does_not_use_it_up(node: SigninNode) -> None:
    node.person()
    code = node.invited()
    assert code_of(node.browser().accept(code, "short")) == (422, "access.password")
    assert node.browser().accept(code).status_code == 201
    assert code_of(node.browser().accept(code)) == (401, "access.code")


def test_a_code_ends_and_so_does_one_of_whoever_left(node: SigninNode) -> None:
    node.person()
    code = node.invited()
    node.at_ms += 72 * HOUR_MS
    assert code_of(node.browser().accept(code)) == (401, "access.code")
    code = node.invited()
    node.owner("access.person-put", name="anna", active=False)
    assert code_of(node.browser().accept(code)) == (401, "access.code")


def test_who_forgot_a_password_gets_back_in_by_a_code_and_is_signed_out_elsewhere(node: SigninNode) -> None:
    elsewhere = node.signed_in()
    here = node.browser()
    assert here.accept(node.invited(), OTHER_PASSWORD).status_code == 201
    assert code_of(elsewhere.get()) == UNKNOWN
    assert code_of(node.browser().sign_in()) == WRONG
    assert node.browser().sign_in(password=OTHER_PASSWORD).status_code == 201


def test_a_session_is_a_caller_at_the_other_doors_with_the_roles_of_its_person(node: SigninNode) -> None:
    browser = node.signed_in("anna", "viewer")
    assert browser.get(WHOAMI).status_code == 200
    assert code_of(browser.post("/v1/contracts/cash.Cash", cash(node.firm))) == (403, "access.operation")


# what the browser is given


def test_the_cookie_is_for_this_host_alone_and_no_script_reads_it(node: SigninNode) -> None:
    node.person()
    set_cookie = node.browser().accept(node.invited()).headers["set-cookie"]
    name, *attributes = set_cookie.split("; ")
    assert name.startswith("__Host-interfirm-session=ifs_")
    assert {"Path=/", "HttpOnly", "SameSite=Strict", "Secure"} <= set(attributes)
    assert not any(each.startswith("Domain") for each in attributes)


def test_what_is_answered_about_sessions_is_stored_nowhere(node: SigninNode) -> None:
    browser = node.signed_in()
    refused = browser.delete("/v1/session", headers={"X-CSRF-Token": "0"})
    for answer in (browser.get(), browser.get("/v1/sessions"), node.browser().get(), refused):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_another_method_or_path_is_refused_as_everywhere(node: SigninNode) -> None:
    browser = node.signed_in()
    wrong = browser.request("PUT", "/v1/session")
    assert code_of(wrong) == (405, "http.method")
    assert wrong.headers["allow"] == "DELETE, GET, POST"
    assert code_of(browser.get("/v1/session/other")) == (404, "http.path")


def test_on_this_machine_a_session_works_over_plain_http() -> None:
    with a_node(SigninSettings(origin="http://localhost:8080")) as node:
        node.person()
        browser = node.browser()
        cookie = browser.accept(node.invited()).headers["set-cookie"]
        assert cookie.startswith("interfirm-session=")
        assert "Secure" not in cookie
        assert browser.get().status_code == 200


@pytest.mark.parametrize("origin", [
    "http://node.firm.example", "node.firm.example", "https://node.firm.example/", "https://a@node.firm.example",
    "ftp://localhost", "https://", "https://Node.firm.example",
])  # fmt: skip
def test_an_origin_that_others_read_or_that_is_none_is_refused(origin: str) -> None:
    with pytest.raises(Refusal, match=r"^configuration\.origin: "):
        SigninSettings(origin=origin).checked()


@pytest.mark.parametrize("landing", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "x"])
def test_nobody_is_sent_to_another_site(landing: str) -> None:
    with pytest.raises(Refusal, match=r"^configuration\.landing: "):
        SigninSettings(origin=ORIGIN, landing=landing).checked()


# who is not let in


def test_a_wrong_password_and_a_name_that_nobody_has_are_told_alike(node: SigninNode) -> None:
    node.signed_in()
    wrong = node.browser().sign_in(password="another password")
    nobody = node.browser().sign_in("bert", "another password")
    assert code_of(wrong) == WRONG
    assert wrong.json() == nobody.json()


def test_as_much_is_hashed_for_a_name_that_nobody_has(node: SigninNode, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    check = passwords.check_matches
    monkeypatch.setattr(passwords, "check_matches", lambda hash_, plain: (hashed.append(hash_), check(hash_, plain)))
    node.browser().sign_in("nobody")
    assert hashed == [passwords.NOBODYS]


def test_whoever_fails_often_waits_under_a_known_and_an_unknown_name_alike(node: SigninNode) -> None:
    node.signed_in()
    for name in ("anna", "bert"):
        for _ in range(attempts.FREE["name"]):
            assert code_of(node.browser().sign_in(name, "another password")) == WRONG
        refused = node.browser().sign_in(name)
        assert code_of(refused) == (429, "access.too-many")
        assert refused.headers["retry-after"] == "1"
    node.at_ms += 1000
    assert node.browser().sign_in().status_code == 201


def test_many_names_from_one_address_wait_and_other_addresses_do_not(node: SigninNode) -> None:
    node.person()
    with node.vault.turn() as turn:
        for _ in range(attempts.FREE["address"]):
            attempts.take(turn, "address", "192.0.2.1", now_ms=node.at_ms)
    assert code_of(node.browser("192.0.2.1").sign_in("bert")) == (429, "access.too-many")
    assert code_of(node.browser("192.0.2.2").sign_in("bert")) == WRONG


def test_attempts_at_one_time_are_counted_each(node: SigninNode) -> None:
    node.person()
    body = {"name": "anna", "password": "another password"}

    async def at_once() -> list[int]:
        asked = [node.browser().asks("POST", "/v1/session", json=body) for _ in range(attempts.FREE["name"] + 3)]
        return [answer.status_code for answer in await asyncio.gather(*asked)]

    assert sorted(asyncio.run(at_once())) == [401] * attempts.FREE["name"] + [429] * 3


def test_where_too_many_sign_in_at_one_time_some_are_asked_to_come_back(
    node: SigninNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "WAITING_MAX", 2)

    async def at_once() -> list[tuple[int, str]]:
        bodies = [{"name": f"name-{number}", "password": "another password"} for number in range(5)]
        return [
            code_of(answer)
            for answer in await asyncio.gather(*(node.browser().asks("POST", "/v1/session", json=b) for b in bodies))
        ]

    assert sorted(asyncio.run(at_once())) == [WRONG] * 2 + [(429, "access.too-many")] * 3
    assert code_of(node.browser().sign_in()) == WRONG


def test_what_was_used_is_forgotten_when_it_would_have_ended(node: SigninNode) -> None:
    pending = node.doors.signin.pending
    for number in range(50):
        pending.use("oidc", pending.sealed("oidc", {"number": str(number)}))
        node.at_ms += LIMITS.sign_in_ms_max // 10
    assert len(pending._used) <= 11


def test_a_password_that_was_changed_while_it_was_compared_lets_nobody_in(
    node: SigninNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.signed_in()

    def changed_meanwhile(*_: Any) -> None:
        with node.vault.turn() as turn:
            passwords.put(turn, "anna", "$other", now_ms=node.at_ms)

    monkeypatch.setattr(passwords, "check_matches", changed_meanwhile)
    assert code_of(node.browser().sign_in()) == WRONG


def test_a_password_kept_at_an_older_cost_is_hashed_anew(node: SigninNode) -> None:
    node.signed_in()
    older = PasswordHasher(time_cost=2, memory_cost=64, parallelism=1).hash(PASSWORD)
    with node.vault.turn() as turn:
        passwords.put(turn, "anna", older, now_ms=node.at_ms)
    assert node.browser().sign_in().status_code == 201
    with node.vault.read() as turn:
        kept = passwords.of(turn, "anna")
    assert kept is not None
    assert not passwords.is_dated(kept.hash)


@pytest.mark.parametrize("body", [{}, {"name": "anna"}, {"name": "anna", "password": 1}, [], {"name": "a", "x": 1}])
def test_a_body_that_is_none_is_refused(node: SigninNode, body: Any) -> None:
    assert code_of(node.browser().post("/v1/session", body)) == (422, "form.fields")


def test_a_body_that_a_form_of_another_site_could_send_is_refused(node: SigninNode) -> None:
    answer = node.browser().request("POST", "/v1/session", content=b'{"name":"a","password":"b"}')
    assert code_of(answer) == (415, "http.media-type")


def test_an_oversized_password_is_refused_before_it_is_hashed(node: SigninNode) -> None:
    assert code_of(node.browser().sign_in(password="x" * 1025)) == (422, "access.password")
    assert code_of(node.browser().sign_in(password="x" * 100_000)) == (413, "http.size")


# sessions end


@pytest.mark.parametrize("end", ["idle", "old", "signed out", "by administrator", "left", "other roles"])
def test_a_session_ends(node: SigninNode, end: str) -> None:
    browser = node.signed_in()
    kept, csrf = browser.session, browser.csrf
    match end:
        case "idle":
            node.at_ms += LIMITS.session_idle_ms_max
        case "old":
            for _ in range(LIMITS.session_lifetime_ms_max // LIMITS.session_idle_ms_max * 2):
                node.at_ms += LIMITS.session_idle_ms_max // 2
                browser.get()
        case "signed out":
            assert browser.delete("/v1/session").status_code == 204
            assert browser.session == ""
        case "by administrator":
            [found] = node.owner("access.sessions", person="anna")["sessions"]
            assert node.owner("access.session-end", id=found["id"]) == {"ended": 1}
        case "left":
            node.owner("access.person-put", name="anna", active=False)
            node.owner("access.person-put", name="anna", active=True)
        case "other roles":
            node.owner("access.person-put", name="anna", roles=["clerk"])
    replayed = {"Cookie": f"__Host-interfirm-session={kept}", "X-CSRF-Token": csrf}
    for path in ("/v1/session", "/v1/sessions", WHOAMI):
        assert code_of(node.browser().get(path, headers=replayed)) == UNKNOWN


def test_a_session_that_is_used_stays(node: SigninNode) -> None:
    browser = node.signed_in()
    for _ in range(5):
        node.at_ms += LIMITS.session_idle_ms_max - 1
        assert browser.get(WHOAMI).status_code == 200


def test_signing_in_again_makes_a_new_session_and_ends_the_one_before(node: SigninNode) -> None:
    browser = node.signed_in()
    before = browser.session
    assert browser.sign_in().status_code == 201
    assert browser.session != before
    stale = {"Cookie": f"__Host-interfirm-session={before}"}
    assert code_of(node.browser().get(headers=stale)) == UNKNOWN


def test_somebody_lists_and_ends_own_sessions_and_no_others(node: SigninNode) -> None:
    bert = node.signed_in("bert")
    here = node.signed_in("anna")
    there = node.browser("192.0.2.9")
    there.sign_in()
    found = here.get("/v1/sessions").json()["sessions"]
    assert sorted((each["address"], each["current"]) for each in found) == [("192.0.2.1", True), ("192.0.2.9", False)]
    berts = bert.get().json()["id"]
    assert code_of(here.delete(f"/v1/sessions/{berts}")) == (404, "access.session")
    assert here.delete(f"/v1/sessions/{there.get().json()['id']}").json() == {"ended": 1}
    assert code_of(there.get()) == UNKNOWN
    there.sign_in()
    assert here.delete("/v1/sessions").json() == {"ended": 1}
    assert [here.get().status_code, there.get().status_code, bert.get().status_code] == [200, 401, 200]


def test_a_token_does_not_see_to_sessions(node: SigninNode) -> None:
    node.signed_in()
    token = node.owner("access.token-new", person="anna")["token"]
    answer = node.browser().get("/v1/sessions", headers={"Authorization": f"Bearer {token}"})
    assert code_of(answer) == (403, "access.session-needed")


def test_a_session_beside_a_token_that_is_none_is_not_used(node: SigninNode) -> None:
    browser = node.signed_in()
    for given in ("Bearer ift_0", "Basic YTpi", ""):
        assert code_of(browser.get(WHOAMI, headers={"Authorization": given})) == UNKNOWN


@pytest.mark.parametrize("cookie", [
    "__Host-interfirm-session=ifs_" + "0" * 64, "interfirm-session={}", "__Host-interfirm-session={}x",
    "__Host-interfirm-session={}; __Host-interfirm-session={}", "__Host-interfirm-session=",
])  # fmt: skip
def test_a_forged_cookie_is_nobody(node: SigninNode, cookie: str) -> None:
    kept = node.signed_in().session
    assert code_of(node.browser().get(headers={"Cookie": cookie.replace("{}", kept)})) == UNKNOWN


def test_changing_a_password_needs_the_present_one_and_ends_all_other_sessions(node: SigninNode) -> None:
    here = node.signed_in()
    before = here.session
    there = node.browser()
    there.sign_in()
    wrong = here.post("/v1/session/password", {"current": OTHER_PASSWORD, "new": OTHER_PASSWORD})
    assert code_of(wrong) == WRONG
    weak = here.post("/v1/session/password", {"current": PASSWORD, "new": "anna"})
    assert code_of(weak) == (422, "access.password")
    assert here.post("/v1/session/password", {"current": PASSWORD, "new": OTHER_PASSWORD}).status_code == 200
    assert here.session != before
    assert [here.get().status_code, there.get().status_code] == [200, 401]
    assert node.browser().sign_in(password=OTHER_PASSWORD).status_code == 201


def test_failing_to_change_a_password_counts_as_failing_to_sign_in(node: SigninNode) -> None:
    browser = node.signed_in()
    for _ in range(attempts.FREE["name"]):
        browser.post("/v1/session/password", {"current": "another password", "new": OTHER_PASSWORD})
    answer = browser.post("/v1/session/password", {"current": PASSWORD, "new": OTHER_PASSWORD})
    assert code_of(answer) == (429, "access.too-many")


# pages of other sites (CSRF)


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://node.firm.example.evil.example"}, {"Origin": "http://node.firm.example"},
    {"Origin": "https://node.firm.example:444"}, {"Origin": "null"}, {"Origin": None}, {"Sec-Fetch-Site": "same-site"},
])  # fmt: skip
def test_a_page_of_another_site_changes_nothing_in_a_session(node: SigninNode, headers: dict[str, Any]) -> None:
    browser = node.signed_in()
    for method, path in (("DELETE", "/v1/session"), ("POST", "/v1/session/password"), ("POST", "/v1/access/invite")):
        assert code_of(browser.request(method, path, headers=headers)) == (403, "http.origin")
    assert browser.get().status_code == 200


def test_a_page_without_the_sessions_own_token_changes_nothing(node: SigninNode) -> None:
    browser, other = node.signed_in(), node.signed_in("bert")
    for wrong in (None, "", "0" * 64, other.csrf):
        for method, path in (("DELETE", "/v1/session"), ("POST", "/v1/contracts/cash.Cash")):
            answer = browser.request(method, path, headers={"X-CSRF-Token": wrong})
            assert code_of(answer) == (403, "access.csrf")
    assert browser.get().status_code == 200


@pytest.mark.parametrize("path", ["/v1/session", "/v1/session/invitation"])
def test_another_site_signs_nobody_in_under_a_name_of_its_choice(node: SigninNode, path: str) -> None:
    node.signed_in()
    answer = node.browser().post(path, {}, headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
    assert code_of(answer) == (403, "http.origin")


def test_a_program_without_a_browser_signs_in_without_an_origin(node: SigninNode) -> None:
    node.signed_in()
    assert node.browser().sign_in(headers={"Origin": None, "Sec-Fetch-Site": None}).status_code == 201


def test_a_program_with_a_token_needs_neither_origin_nor_csrf_token(node: SigninNode) -> None:
    node.signed_in()
    token = node.owner("access.token-new", person="anna")["token"]
    headers = {"Authorization": f"Bearer {token}", "Origin": None, "Sec-Fetch-Site": None, "X-CSRF-Token": None}
    answer = node.browser().post("/v1/contracts/cash.Cash", {}, headers=headers)
    assert answer.json()["code"] not in ("http.origin", "access.csrf", "access.unknown-caller")


@pytest.mark.parametrize(("origin", "heard"), [(ORIGIN, True), ("https://evil.example", False), (None, False)])
def test_a_socket_of_another_site_is_closed(node: SigninNode, origin: str | None, heard: bool) -> None:
    browser = node.signed_in()
    assert (socket_code(node, browser, origin) != 1008) is heard


def socket_code(node: SigninNode, browser: Browser, origin: str | None) -> int:
    """The code by which a socket with a session's cookie is closed."""
    headers = [(b"cookie", f"__Host-interfirm-session={browser.session}".encode())]
    headers += [] if origin is None else [(b"origin", origin.encode())]
    scope = {"type": "websocket", "path": "/v1/graphql", "headers": headers, "query_string": b"", "subprotocols": []}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(node.app(scope, receive, send))
    return int(sent[0].get("code", 0))


# what is written down


def test_signing_in_and_failing_to_are_in_the_audit_log_without_what_was_typed(node: SigninNode) -> None:
    browser = node.signed_in()
    node.browser().sign_in(password="another password")
    node.browser().sign_in("typed the password here")
    browser.delete("/v1/session")
    assert node.logged()[-4:] == [
        ("anna", "session.sign-in", "code", "done"),
        ("anna", "session.sign-in", "password", "access.sign-in"),
        ("", "session.sign-in", "password", "access.sign-in"),
        ("anna", "session.sign-out", "", "done"),
    ]


def test_no_secret_is_kept_in_clear(node: SigninNode) -> None:
    node.person()
    code = node.invited()
    browser = node.browser()
    browser.accept(code)
    with node.vault.read() as turn:
        for secret in (PASSWORD, code, code[4:], browser.session, browser.session[4:], browser.csrf):
            assert turn.blobs_with(secret.encode()) == []
