"""People, roles and tokens as they are kept; the audit log and whoever tampers with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.node.vault.samples import SampleEngine

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.node.access import audit, people
from interfirm.node.access.people import Person, Token
from interfirm.node.access.roles import ROLES
from interfirm.node.access.types import OWNER, Role
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.vault import Vault

NOW_MS = 1_000_000
ANNA = Person(name="anna", roles=("viewer",), created_ms=NOW_MS)


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[Turn]:
    vault = Vault.open(tmp_path / "vault.db", contracts_engine=SampleEngine(), durable=False)
    with vault.turn() as made:
        people.put_person(made, ANNA)
        yield made
    vault.close()


def refused(code: str) -> Any:
    return pytest.raises(Refusal, match=rf"^{code}: ")


def random() -> Any:
    numbers = itertools.count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


def token(turn: Turn, **changes: Any) -> tuple[Token, str]:
    given: dict[str, Any] = {"note": "", "scopes": None, "expires_ms": NOW_MS + 1000, "now_ms": NOW_MS}
    return people.new_token(turn, "anna", random=random(), **{**given, **changes})


def test_whoever_shows_a_token_is_its_person_with_the_roles_of_now(turn: Turn) -> None:
    _, text = token(turn, scopes=("whoami",))
    people.put_person(turn, msgspec.structs.replace(ANNA, roles=("clerk", "auditor"), variables=(("unit", "north"),)))
    found = people.caller_of_token(turn, text, now_ms=NOW_MS + 999)
    assert (found.name, found.roles, found.door) == ("anna", ("clerk", "auditor"), "token")
    assert found.scopes == ("whoami",)
    assert found.variables == (("unit", "north"),)


def test_the_secret_of_a_token_is_not_kept(turn: Turn) -> None:
    made, text = token(turn)
    secret = text.rpartition("_")[2]
    assert turn.blobs_with(secret.encode()) == []
    assert turn.blobs_with(bytes.fromhex(secret)) == []
    assert "secret_hash" not in people.plain(made)


@pytest.mark.parametrize("change", ["secret", "id", "form", "empty", "expired", "revoked", "left"])
def test_a_token_that_is_not_valid_is_refused_without_saying_why(turn: Turn, change: str) -> None:
    made, text = token(turn)
    at_ms = NOW_MS
    match change:
        case "secret":
            text = text[:-1] + ("0" if text[-1] != "0" else "1")
        case "id":
            text = text.replace(made.id, "f" * 16)
        case "form":
            text = text.upper()
        case "empty":
            text = ""
        case "expired":
            at_ms = made.expires_ms
        case "revoked":
            people.revoke_token(turn, made.id, now_ms=NOW_MS)
        case "left":
            people.put_person(turn, msgspec.structs.replace(ANNA, active=False))
    with refused("access.unknown-caller") as refusal:
        people.caller_of_token(turn, text, now_ms=at_ms)
    assert refusal.value.values == {}


def test_a_token_ends_and_not_too_late(turn: Turn) -> None:
    for wrong in (NOW_MS, NOW_MS + LIMITS.token_lifetime_ms_max + 1):
        with refused("access.expiry"):
            token(turn, expires_ms=wrong)
    token(turn, expires_ms=NOW_MS + LIMITS.token_lifetime_ms_max)


def test_a_token_is_for_somebody_known(turn: Turn) -> None:
    with refused("access.person"):
        people.new_token(turn, "bert", note="", scopes=None, expires_ms=NOW_MS + 1, now_ms=NOW_MS, random=random())


@pytest.mark.parametrize("name", ["owner", "", "Anna", "-a", "a b", "a" * 90, "a/b"])
def test_a_name_that_is_none_is_refused(turn: Turn, name: str) -> None:
    with refused("access.name"):
        people.put_person(turn, msgspec.structs.replace(ANNA, name=name))
    with refused("access.name"):
        people.put_role(turn, Role(name=name, about="", operations=(), rules=()))


@pytest.mark.parametrize("role", ["owner", "king"])
def test_nobody_is_given_a_role_that_is_not_there(turn: Turn, role: str) -> None:
    with refused("access.role"):
        people.put_person(turn, msgspec.structs.replace(ANNA, roles=(role,)))


def test_a_firm_may_define_roles_anew(turn: Turn) -> None:
    mine = Role(name="viewer", about="Sees nothing.", operations=(), rules=())
    assert people.role_of(turn, "viewer") in ROLES
    people.put_role(turn, mine)
    assert people.role_of(turn, "viewer") == mine
    assert len(people.roles(turn)) == len(ROLES)


def test_no_role_of_the_beginning_has_all_power() -> None:
    for role in ROLES:
        assert "*" not in role.operations
        assert not {"privacy.erase", "flows.kill"} & set(role.operations)
        manages = any(name.startswith("access.") and "*" in name for name in role.operations)
        assert not (manages and role.rules), "whoever decides about rights sees no contracts"


def logged(turn: Turn) -> None:
    for number in range(5):
        audit.record(turn, OWNER, operation="access.token-new", subject=str(number), outcome="done", at_ms=number)


def test_the_log_is_read_in_order_and_holds(turn: Turn) -> None:
    logged(turn)
    assert [entry.subject for entry in audit.entries(turn, after=2, limit=2)] == ["2", "3"]
    number, last = audit.check_chain(turn)
    assert number == 5
    assert last == audit.entries(turn, after=4)[0].hash()


def test_an_empty_log_holds(turn: Turn) -> None:
    assert audit.check_chain(turn) == (0, bytes(32))


@pytest.mark.parametrize("change", ["changed", "taken out", "cut off", "put in", "head lost"])
def test_a_log_that_was_tampered_with_is_refused(turn: Turn, change: str) -> None:
    logged(turn)
    keys = [key for key, _ in turn.blobs(audit.SPACE)]
    entry = audit.entries(turn, after=2, limit=1)[0]
    match change:
        case "changed":
            turn.blob_put(audit.SPACE, keys[2], codec.encode(msgspec.structs.replace(entry, caller="bert")))
        case "taken out":
            turn.blob_delete(audit.SPACE, keys[2])
        case "cut off":
            turn.blob_delete(audit.SPACE, keys[4])
        case "put in":
            more = msgspec.structs.replace(entry, number=6)
            turn.blob_put(audit.SPACE, (6).to_bytes(8, "big"), codec.encode(more))
        case "head lost":
            turn.blob_delete(audit.HEAD, b"")
    with refused("access.audit"):
        audit.check_chain(turn)


def test_who_asked_for_a_flow_first_stays_its_asker(turn: Turn) -> None:
    audit.note_asker(turn, "flow-1", people.caller_of(turn, "anna", door="session"))
    audit.note_asker(turn, "flow-1", OWNER)
    assert audit.asked_by(turn, "flow-1") == "anna"
    assert audit.asked_by(turn, "flow-2") is None
