"""What is kept of signing in: passwords, attempts that failed, invitations, sessions; and what ends with a person."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.node.vault.samples import SampleEngine

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.node.access import attempts, invitations, oidc_links, passkeys, passwords, people, sessions
from interfirm.node.access.leaving import end_what_changed
from interfirm.node.access.oidc_links import Link
from interfirm.node.access.passkeys import Passkey
from interfirm.node.access.people import Person
from interfirm.node.access.sessions import Client, Session
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.vault import Vault

NOW_MS = 1_000_000
ANNA = Person(name="anna", roles=("viewer",), created_ms=NOW_MS)
GOOD = "four words in a row"
SALT = bytes(16)
HERE = Client(address="192.0.2.1", agent="Browser 1")
_numbers = itertools.count(1)


def random(size: int) -> bytes:
    return next(_numbers).to_bytes(size, "big")


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[Turn]:
    vault = Vault.open(tmp_path / "vault.db", contracts_engine=SampleEngine(), durable=False)
    with vault.turn() as made:
        people.put_person(made, ANNA)
        yield made
    vault.close()


def refused(code: str) -> Any:
    return pytest.raises(Refusal, match=rf"^{code}: ")


@contextmanager
def suppress_only(code: str) -> Iterator[None]:
    try:
        yield
    except Refusal as refusal:
        if refusal.code != code:
            raise


# passwords


def test_a_password_matches_itself_in_any_spelling_of_unicode_and_no_other() -> None:
    kept = passwords.hashed(passwords.checked("anna", "Zürich und Genève"), salt=SALT)
    passwords.check_matches(kept, passwords.normal("Zu\u0308rich und Gene\u0300ve"))
    with refused("access.sign-in"):
        passwords.check_matches(kept, "Zürich und Genèvf")


def test_a_password_is_kept_as_argon2id_at_the_cost_that_is_said() -> None:
    kept = passwords.hashed(GOOD, salt=SALT)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert GOOD not in kept
    assert not passwords.is_dated(kept)
    assert passwords.is_dated(kept.replace("t=3", "t=2"))


def test_what_is_compared_where_there_is_no_account_costs_as_much_and_matches_nothing() -> None:
    assert not passwords.is_dated(passwords.NOBODYS)
    with refused("access.sign-in"):
        passwords.check_matches(passwords.NOBODYS, GOOD)


@pytest.mark.parametrize(
    "wrong", ["", "elevenchars", "aaaaaaaaaaaa", "abababababab", "barbara-xyz-barbara", "x" * 1025]
)
def test_a_password_that_is_easily_guessed_or_too_large_is_refused(wrong: str) -> None:
    with refused("access.password"):
        passwords.checked("barbara", wrong)


@given(st.text(min_size=1, max_size=200))
def test_any_text_is_a_password_or_is_refused(text: str) -> None:
    with suppress_only("access.password"):
        assert len(passwords.checked("anna", text)) >= LIMITS.password_chars_min


# attempts


def fail(turn: Turn, times: int, *, of: attempts.Of = "name", what: str = "anna", now_ms: int = NOW_MS) -> None:
    for _ in range(times):
        attempts.take(turn, of, what, now_ms=now_ms)


def test_after_some_failures_each_next_attempt_waits_longer_up_to_a_limit(turn: Turn) -> None:
    fail(turn, attempts.FREE["name"])
    at_ms, waits = NOW_MS, []
    for _ in range(12):
        with refused("access.too-many") as refusal:
            attempts.take(turn, "name", "anna", now_ms=at_ms)
        waits.append(refusal.value.values["retry_s"])
        at_ms += waits[-1] * 1000
        attempts.take(turn, "name", "anna", now_ms=at_ms)
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == LIMITS.sign_in_delay_ms_max // 1000


def test_names_that_nobody_has_wait_alike_and_others_do_not(turn: Turn) -> None:
    fail(turn, attempts.FREE["name"], what="nobody")
    with refused("access.too-many"):
        fail(turn, 1, what="nobody")
    fail(turn, 1)


def test_an_attempt_that_comes_too_early_is_not_counted(turn: Turn) -> None:
    fail(turn, attempts.FREE["name"])
    for _ in range(20):
        with refused("access.too-many"):
            fail(turn, 1)
    fail(turn, 1, now_ms=NOW_MS + 1000)


def test_success_forgets_the_failures_of_a_name_and_only_itself_of_an_address(turn: Turn) -> None:
    fail(turn, attempts.FREE["name"])
    attempts.succeeded(turn, "name", "anna")
    fail(turn, attempts.FREE["name"])
    fail(turn, attempts.FREE["address"], of="address", what="192.0.2.1")
    attempts.succeeded(turn, "address", "192.0.2.1")
    fail(turn, 1, of="address", what="192.0.2.1")
    with refused("access.too-many"):
        fail(turn, 1, of="address", what="192.0.2.1")


def test_one_subnet_of_ipv6_is_one_address(turn: Turn) -> None:
    fail(turn, attempts.FREE["address"], of="address", what="2001:db8::1")
    with refused("access.too-many"):
        fail(turn, 1, of="address", what="2001:db8::2")
    fail(turn, 1, of="address", what="2001:db8:0:1::1")


def test_failures_are_forgotten_and_cleared_away(turn: Turn) -> None:
    fail(turn, 20, of="address", what="192.0.2.1")
    later_ms = NOW_MS + attempts.FORGOTTEN_MS
    for number in range(200):
        fail(turn, 1, what=f"name-{number}", now_ms=later_ms + number * attempts.FORGOTTEN_MS)
    assert len(turn.blobs(attempts.SPACE, limit=500)) < 50


# invitations


def invited(turn: Turn, **changes: Any) -> str:
    given: dict[str, Any] = {"expires_ms": NOW_MS + 1000, "now_ms": NOW_MS, "random": random}
    return invitations.invited(turn, "anna", **{**given, **changes})[1]


def test_a_code_is_for_its_person_until_it_ends(turn: Turn) -> None:
    code = invited(turn)
    assert invitations.found(turn, code, now_ms=NOW_MS + 999).person == "anna"
    for wrong, at_ms in ((code, NOW_MS + 1000), (code[:-1] + "x", NOW_MS), ("", NOW_MS), ("ifi_" + "0" * 64, NOW_MS)):
        with refused("access.code") as refusal:
            invitations.found(turn, wrong, now_ms=at_ms)
        assert refusal.value.values == {}


def test_a_later_code_takes_the_place_of_an_earlier_one(turn: Turn) -> None:
    first, second = invited(turn), invited(turn)
    invitations.found(turn, second, now_ms=NOW_MS)
    with refused("access.code"):
        invitations.found(turn, first, now_ms=NOW_MS)


def test_a_code_is_not_kept(turn: Turn) -> None:
    secret = invited(turn).removeprefix("ifi_")
    assert turn.blobs_with(secret.encode()) == []
    assert turn.blobs_with(bytes.fromhex(secret)) == []


def test_whoever_left_or_is_unknown_is_not_invited(turn: Turn) -> None:
    people.put_person(turn, ANNA.replace(active=False))
    with refused("access.person"):
        invited(turn)
    with refused("access.person"):
        invitations.invited(turn, "bert", expires_ms=NOW_MS + 1, now_ms=NOW_MS, random=random)


def test_an_invitation_ends_and_not_too_late(turn: Turn) -> None:
    for wrong in (NOW_MS, NOW_MS + LIMITS.invitation_lifetime_ms_max + 1):
        with refused("access.expiry"):
            invited(turn, expires_ms=wrong)


# sessions


def opened(turn: Turn, *, now_ms: int = NOW_MS) -> tuple[Session, str]:
    return sessions.opened(turn, "anna", "password", HERE, now_ms=now_ms, random=random)


def test_a_session_is_its_person_with_the_roles_of_now(turn: Turn) -> None:
    _, text = opened(turn)
    people.put_person(turn, ANNA.replace(roles=("clerk",)))
    caller = sessions.caller_of_session(turn, text, now_ms=NOW_MS)
    assert (caller.name, caller.roles, caller.door) == ("anna", ("clerk",), "session")


def test_the_secret_of_a_session_is_not_kept(turn: Turn) -> None:
    secret = opened(turn)[1].removeprefix("ifs_")
    assert turn.blobs_with(secret.encode()) == []
    assert turn.blobs_with(bytes.fromhex(secret)) == []


@pytest.mark.parametrize("change", ["forged", "form", "empty", "token", "idle", "ended", "all ended", "left"])
def test_a_session_that_is_not_valid_is_refused_without_saying_why(turn: Turn, change: str) -> None:
    session, text = opened(turn)
    at_ms = NOW_MS
    match change:
        case "forged":
            text = "ifs_" + "0" * 64
        case "form":
            text = text.upper()
        case "empty":
            text = ""
        case "token":
            text = text.replace("ifs_", "ift_")
        case "idle":
            at_ms += LIMITS.session_idle_ms_max
        case "ended":
            sessions.end(turn, session.id)
        case "all ended":
            assert sessions.end_all(turn, "anna") == 1
        case "left":
            people.put_person(turn, ANNA.replace(active=False))
    with refused("access.unknown-caller") as refusal:
        sessions.caller_of_session(turn, text, now_ms=at_ms)
    assert refusal.value.values == {}


def test_a_session_in_use_goes_on_until_it_is_old(turn: Turn) -> None:
    _, text = opened(turn)
    at_ms, step = NOW_MS, LIMITS.session_idle_ms_max - 1
    while at_ms + step < NOW_MS + LIMITS.session_lifetime_ms_max:
        at_ms += step
        sessions.touch(turn, text, now_ms=at_ms)
    with refused("access.unknown-caller"):
        sessions.touch(turn, text, now_ms=NOW_MS + LIMITS.session_lifetime_ms_max)


def test_the_oldest_session_ends_where_there_are_too_many_and_old_ones_are_forgotten(turn: Turn) -> None:
    made = [opened(turn, now_ms=NOW_MS + number) for number in range(LIMITS.sessions_count_max + 1)]
    left = {each.id for each in sessions.listed(turn, now_ms=NOW_MS + 100)}
    assert left == {session.id for session, _ in made[1:]}
    opened(turn, now_ms=NOW_MS + LIMITS.session_lifetime_ms_max + 100)
    assert len(turn.blobs(sessions.SPACE, limit=500)) == 1


def test_nobody_ends_the_session_of_another(turn: Turn) -> None:
    session, text = opened(turn)
    with refused("access.session"):
        sessions.end(turn, session.id, person="bert")
    sessions.session_of(turn, text, now_ms=NOW_MS)


def test_all_sessions_but_one_end(turn: Turn) -> None:
    (kept, text), _, _ = opened(turn), opened(turn), opened(turn)
    assert sessions.end_all(turn, "anna", but=kept.id) == 2
    assert sessions.listed(turn, now_ms=NOW_MS, person="anna") == [sessions.session_of(turn, text, now_ms=NOW_MS)]


def test_the_token_of_another_session_is_refused(turn: Turn) -> None:
    (_, one), (_, other) = opened(turn), opened(turn)
    sessions.check_csrf(one, sessions.csrf_token(one))
    for wrong in ("", sessions.csrf_token(other), sessions.csrf_token(one)[:-1], "é"):
        with refused("access.csrf"):
            sessions.check_csrf(one, wrong)


# whoever changes or leaves


def test_other_roles_sign_a_person_out(turn: Turn) -> None:
    opened(turn)
    end_what_changed(turn, ANNA, ANNA)
    assert len(sessions.listed(turn, now_ms=NOW_MS)) == 1
    end_what_changed(turn, ANNA, ANNA.replace(roles=()))
    assert sessions.listed(turn, now_ms=NOW_MS) == []


def test_of_who_leaves_no_way_back_in_is_left(turn: Turn) -> None:
    opened(turn)
    code = invited(turn)
    passwords.put(turn, "anna", "hash", now_ms=NOW_MS)
    passkeys.add(turn, Passkey(id="aa", person="anna", public_key=b"", count=0, note="", created_ms=NOW_MS))
    oidc_links.put(turn, Link(person="anna", issuer="https://provider.example", subject="1"))
    end_what_changed(turn, ANNA, ANNA.replace(active=False))
    assert sessions.listed(turn, now_ms=NOW_MS) == []
    assert passwords.of(turn, "anna") is None
    assert passkeys.of_person(turn, "anna") == []
    assert oidc_links.person_of(turn, "https://provider.example", "1") is None
    with refused("access.code"):
        invitations.found(turn, code, now_ms=NOW_MS)


# passkeys and subjects, as they are kept


def test_a_passkey_is_registered_once_and_removed_by_its_owner(turn: Turn) -> None:
    mine = Passkey(id="aa", person="anna", public_key=b"", count=0, note="", created_ms=NOW_MS)
    passkeys.add(turn, mine)
    with refused("access.passkey"):
        passkeys.add(turn, mine.replace(person="bert"))
    with refused("access.passkey"):
        passkeys.remove(turn, "aa", person="bert")
    assert passkeys.remove(turn, "aa", person="anna") == mine
    with refused("access.sign-in"):
        passkeys.of_id(turn, b"\xaa")


def test_a_person_has_so_many_passkeys_and_no_more(turn: Turn) -> None:
    one = Passkey(id="00", person="anna", public_key=b"", count=0, note="", created_ms=NOW_MS)
    for number in range(LIMITS.passkeys_count_max):
        passkeys.add(turn, one.replace(id=f"{number:02x}"))
    with refused("access.passkey-count"):
        passkeys.add(turn, one.replace(id="ff"))


def test_a_person_is_one_subject_of_a_provider(turn: Turn) -> None:
    link = Link(person="anna", issuer="https://provider.example", subject="1")
    oidc_links.put(turn, link)
    oidc_links.put(turn, link)
    oidc_links.put(turn, link.replace(issuer="https://other.example", subject="2"))
    with refused("access.oidc-person"):
        oidc_links.put(turn, link.replace(subject="2"))
