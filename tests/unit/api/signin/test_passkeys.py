"""Passkeys: made by who signed in just now, shown once, bound to this node, and not copied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.api.signin.authenticators import PRESENT, Authenticator, b64
from tests.unit.api.signin.browsers import ORIGIN, Browser, SigninNode, a_node

from interfirm.api.signin.settings import SigninSettings
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.node.access import ceremonies
from interfirm.node.access.passkeys import Passkey

ONE, MINE = "/v1/session/passkey", "/v1/session/passkeys"


@pytest.fixture
def node() -> Iterator[SigninNode]:
    with a_node() as made:
        yield made


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def keep(browser: Browser, authenticator: Authenticator, **client: Any) -> httpx.Response:
    """Make a passkey and have it kept."""
    options = browser.post(f"{MINE}/options")
    assert options.status_code == 200, options.text
    return browser.post(MINE, {"credential": authenticator.create(options.json(), **client), "note": "my telephone"})


def use(browser: Browser, authenticator: Authenticator, **client: Any) -> httpx.Response:
    """Sign in by a passkey."""
    options = browser.post(f"{ONE}/options")
    assert options.status_code == 200, options.text
    return browser.post(ONE, {"credential": authenticator.get(options.json(), **client)})


@pytest.fixture
def key(node: SigninNode) -> Authenticator:
    """The authenticator of Anna, whose passkey is kept."""
    made = Authenticator(ORIGIN)
    assert keep(node.signed_in(), made).status_code == 201
    return made


@pytest.mark.parametrize("counts", [True, False])
def test_somebody_makes_a_passkey_and_signs_in_by_it_without_a_name(node: SigninNode, counts: bool) -> None:
    authenticator = Authenticator(ORIGIN, counts=counts)
    kept = keep(node.signed_in(), authenticator)
    assert (kept.status_code, kept.json()["note"]) == (201, "my telephone")
    for _ in range(2):
        browser = node.browser()
        answer = use(browser, authenticator)
        assert (answer.status_code, answer.json()["name"], answer.json()["means"]) == (201, "anna", "passkey")
        assert browser.get().status_code == 200


def test_what_is_asked_of_an_authenticator_names_nobody_and_wants_its_owner_seen(node: SigninNode) -> None:
    asked = node.browser().post(f"{ONE}/options").json()["publicKey"]
    assert (asked["rpId"], asked["allowCredentials"], asked["userVerification"]) == (
        "node.firm.example",
        [],
        "required",
    )
    made = node.signed_in().post(f"{MINE}/options").json()["publicKey"]
    assert made["authenticatorSelection"]["userVerification"] == "required"
    assert made["authenticatorSelection"]["residentKey"] == "required"
    assert b64(b"anna") not in made["user"]["id"]
    assert asked["challenge"] != node.browser().post(f"{ONE}/options").json()["publicKey"]["challenge"]


CHANGES = ("origin", "host", "not verified", "not present", "other challenge", "other kind", "other site within ours")


def changed(authenticator: Authenticator, change: str) -> dict[str, Any]:
    match change:
        case "origin":
            authenticator.origin = "https://evil.example"
        case "host":
            authenticator.host = "evil.example"
        case "not verified":
            authenticator.flags = PRESENT
        case "not present":
            authenticator.flags = 0
        case "other challenge":
            return {"challenge": b64(bytes(32))}
        case "other kind":
            return {"type": "payment.get"}
        case "other site within ours":
            authenticator.origin = "https://evil.node.firm.example"
    return {}


@pytest.mark.parametrize("change", CHANGES)
def test_a_passkey_that_was_made_for_others_or_otherwise_is_not_kept(node: SigninNode, change: str) -> None:
    authenticator = Authenticator(ORIGIN)
    told = changed(authenticator, change)
    browser = node.signed_in()
    assert code_of(keep(browser, authenticator, **told)) == (403, "access.passkey-proof")
    assert browser.get(MINE).json() == {"passkeys": []}


@pytest.mark.parametrize("change", [*CHANGES, "other key", "other person", "copied", "unknown"])
def test_a_passkey_that_does_not_prove_itself_signs_nobody_in(
    node: SigninNode, key: Authenticator, change: str
) -> None:
    told = changed(key, change)
    match change:
        case "other key":
            key.key = Authenticator(ORIGIN).key
        case "other person":
            key.handle = ceremonies.handle_of("bert")
        case "copied":
            assert use(node.browser(), key).status_code == 201
            key.count -= 1
        case "unknown":
            key.id = b"another id"
    browser = node.browser()
    assert code_of(use(browser, key, **told)) == (401, "access.sign-in")
    assert browser.get().status_code == 401
    assert node.logged()[-1] == ("", "session.sign-in", "passkey", "access.sign-in")


@pytest.mark.parametrize("change", ["replayed", "other browser", "too late", "of making"])
def test_what_was_signed_counts_once_in_time_and_in_its_browser(
    node: SigninNode, key: Authenticator, change: str
) -> None:
    browser = node.browser()
    options = browser.post(f"{ONE}/options").json()
    proof = {"credential": key.get(options)}
    match change:
        case "replayed":
            cookies = httpx.Cookies(browser.cookies)
            assert browser.post(ONE, proof).status_code == 201
            browser.cookies = cookies
            key.count += 1
            proof = {"credential": key.get(options)}
        case "other browser":
            browser = node.browser()
        case "too late":
            node.at_ms += LIMITS.sign_in_ms_max
        case "of making":
            browser = node.browser()
            browser.sign_in()
            proof = {"credential": key.get(browser.post(f"{MINE}/options").json() | options)}
    assert code_of(browser.post(ONE, proof)) == (401, "access.sign-in-state")


def test_who_signed_in_long_ago_signs_in_again_before_a_passkey_is_made(node: SigninNode) -> None:
    browser = node.signed_in()
    node.at_ms += LIMITS.sign_in_ms_max + 1
    assert code_of(browser.post(f"{MINE}/options")) == (403, "access.session-old")


def test_a_passkey_begun_by_one_person_is_not_kept_for_another(node: SigninNode) -> None:
    anna, bert = node.signed_in("anna"), node.signed_in("bert")
    credential = Authenticator(ORIGIN).create(anna.post(f"{MINE}/options").json())
    sealed = {c.name: c.value or "" for c in anna.cookies.jar}["__Host-interfirm-passkey"]
    bert.cookies.set("__Host-interfirm-passkey", sealed)
    assert code_of(bert.post(MINE, {"credential": credential})) == (401, "access.sign-in-state")


def test_the_same_passkey_is_kept_once(node: SigninNode, key: Authenticator) -> None:
    browser = node.browser()
    browser.sign_in()
    options = browser.post(f"{MINE}/options").json()
    assert [each["id"] for each in options["publicKey"]["excludeCredentials"]] == [b64(key.id)]
    assert code_of(browser.post(MINE, {"credential": key.create(options)})) == (404, "access.passkey")


def test_somebody_lists_and_removes_own_passkeys_and_no_others(node: SigninNode, key: Authenticator) -> None:
    bert, anna = node.signed_in("bert"), node.browser()
    use(anna, key)
    [found] = anna.get(MINE).json()["passkeys"]
    assert (found["note"], found["used_ms"]) == ("my telephone", node.at_ms)
    assert bert.get(MINE).json() == {"passkeys": []}
    assert code_of(bert.delete(f"{MINE}/{found['id']}")) == (404, "access.passkey")
    assert anna.delete(f"{MINE}/{found['id']}").status_code == 200
    assert code_of(use(node.browser(), key)) == (401, "access.sign-in")


def test_the_passkey_of_who_left_signs_nobody_in(node: SigninNode, key: Authenticator) -> None:
    node.owner("access.person-put", name="anna", active=False)
    node.owner("access.person-put", name="anna", active=True)
    assert code_of(use(node.browser(), key)) == (401, "access.sign-in")


def test_making_and_removing_is_in_the_audit_log(node: SigninNode, key: Authenticator) -> None:
    browser = node.browser()
    use(browser, key)
    browser.delete(f"{MINE}/{key.id.hex()}")
    assert [each[1:] for each in node.logged()[-3:]] == [
        ("session.passkey-add", key.id.hex(), "done"),
        ("session.sign-in", "passkey", "done"),
        ("session.passkey-remove", key.id.hex(), "done"),
    ]


def test_a_node_without_a_name_has_no_passkeys() -> None:
    with a_node(SigninSettings(origin="http://127.0.0.1:8080")) as node:
        assert code_of(node.browser().post(f"{ONE}/options")) == (422, "access.passkey-host")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.binary(max_size=60).map(b64),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PARTS = ("id", "rawId", "type", "response", "clientExtensionResults")
RESPONSE = ("attestationObject", "authenticatorData", "clientDataJSON", "signature", "userHandle")


@settings(max_examples=200)
@given(st.data())
def test_anything_else_than_a_credential_is_refused(data: st.DataObject) -> None:
    authenticator = Authenticator(ORIGIN)
    options = {"publicKey": {"challenge": b64(bytes(32)), "rpId": "node.firm.example"}}
    making = {
        "publicKey": ceremonies.making("anna", host="node.firm.example", challenge=bytes(32), known=())
    }  # fmt: skip
    made, shown = authenticator.create(making), authenticator.get(options)
    where = {"host": "node.firm.example", "origin": ORIGIN, "challenge": bytes(32)}
    passkey = ceremonies.made(made, "anna", note="", now_ms=1, **where)  # type: ignore[arg-type]  # texts and bytes
    for credential in (made, shown):
        garbled = json.loads(json.dumps(credential))
        place = data.draw(st.sampled_from([garbled, garbled["response"]]))
        names = sorted(set(place) & {*PARTS[:-1], *RESPONSE[:-1]})
        place[data.draw(st.sampled_from(names))] = data.draw(JSON)
        with pytest.raises(Refusal):
            judge(garbled, passkey, where, is_made=credential is made)


def judge(credential: Any, passkey: Passkey, where: dict[str, Any], *, is_made: bool) -> None:
    if is_made:
        ceremonies.made(credential, "anna", note="", now_ms=1, **where)
    else:
        ceremonies.shown(credential, passkey, **where)
