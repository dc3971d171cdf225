"""A legal hold beats every rule; who may place and release it; what is asked wrongly is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.node.access.people import Person, caller_of, put_person
from interfirm.node.access.types import Caller
from interfirm.node.retention import store

from .harness import Keeper


def caller(keeper: Keeper, *roles: str) -> Caller:
    with keeper.desk.vault.turn() as turn:
        put_person(turn, Person(name="paula", roles=roles, created_ms=1))
        return caller_of(turn, "paula", door="session")


def refused(keeper: Keeper, operation: str, **arguments: Any) -> str:
    with pytest.raises(Refusal) as found:
        keeper.ask(operation, **arguments)
    return found.value.code


@pytest.mark.parametrize(
    ("over", "kept"),
    [
        ({}, 2),
        ({"template": "trade.Draft"}, 2),
        ({"template": "trade.Bill"}, 0),
        ({"template": "trade.Draft", "where": {"number": {"_eq": "2"}}}, 1),
        ({"template": "trade.Draft", "where": {"number": {"_eq": "4"}}}, 0),
        ({"party": "firm1"}, 2),
        ({"party": "firm1", "template": "trade.Bill"}, 0),
    ],
)
def test_a_hold_keeps_what_it_covers_and_nothing_else(one: Keeper, over: dict[str, Any], kept: int) -> None:
    one.ask("holds.place", name="case 7", reason="a claim", **over)
    one.archived()
    assert len(one.every_ref()) == 1 + kept
    one.ask("holds.release", name="case 7")
    one.archived()
    assert len(one.every_ref()) == 1


def test_a_hold_covers_what_comes_later(one: Keeper, firms: list[Keeper]) -> None:
    one.ask("holds.place", name="case", reason="a claim", template="trade.Draft", where={"number": {"_eq": "9"}})
    ref = one.draft(9)
    firms[1].chooses(ref, "reject")
    one.draft(10)
    one.archived()
    assert ref in one.every_ref()


def test_nothing_that_a_hold_covers_is_erased(one: Keeper) -> None:
    with one.desk.vault.turn() as turn:
        turn.put_private(b"c" * 32, "person-1", codec.encode("why"), bytes(32))
    one.ask("holds.place", name="case", reason="a claim")
    assert refused(one, "privacy.erase", subject="person-1") == "retention.held"
    with one.desk.vault.read() as turn:
        assert turn.privates_of_subject("person-1") != []
    one.ask("holds.release", name="case")
    assert one.ask("privacy.erase", subject="person-1")["values"] == 1


def test_a_hold_over_some_contracts_lets_others_be_erased_until_it_cannot_be_known(one: Keeper) -> None:
    with one.desk.vault.turn() as turn:
        for number in (1, 2):
            turn.put_private(bytes([number]) * 32, f"person-{number}", codec.encode("why"), bytes(32))
    one.ask("holds.place", name="bills", reason="a claim", template="trade.Bill")
    assert one.ask("privacy.erase", subject="person-1")["values"] == 1
    one.archived()  # what the values belong to may be in the archive now
    assert refused(one, "privacy.erase", subject="person-2") == "retention.held"


def test_papers_are_kept_while_a_hold_is_in_force(one: Keeper) -> None:
    one.lets_go(about="flows")
    one.ask("holds.place", name="bills", reason="a claim", template="trade.Bill")
    assert one.archived()["result"]["forgotten"]["flows"] == 0


def test_holds_and_rules_are_in_the_audit_log(one: Keeper) -> None:
    one.ask("holds.place", name="case", reason="a claim")
    one.ask("holds.release", name="case")
    entries = one.desk.handle("access.audit", {})["entries"]
    assert [(each["operation"], each["subject"]) for each in entries] == [
        ("retention.set", "*"), ("holds.place", "case"), ("holds.release", "case"),
    ]  # fmt: skip
    (hold,) = one.ask("holds.list")["holds"]
    assert (hold["in_force"], hold["by"], hold["released_by"]) == (False, "owner", "owner")


@pytest.mark.parametrize("role", ["viewer", "clerk", "approver", "auditor", "administrator", "operator"])
@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("retention.set", {"about": "*", "days": 1, "ground": "mine"}),
        ("retention.remove", {"about": "*"}),
        ("holds.place", {"name": "a", "reason": "b"}),
        ("holds.release", {"name": "a"}),
        ("archive.create", {"dry_run": True}),
        ("archive.restore", {"file": "/tmp/a"}),
    ],
)
def test_nobody_without_the_role_may(one: Keeper, role: str, operation: str, arguments: dict[str, Any]) -> None:
    assert refused(one, operation, caller=caller(one, role), **arguments) == "access.operation"


def test_a_records_manager_decides_and_names_no_files(one: Keeper, tmp_path: Path) -> None:
    paula = caller(one, "records-manager")
    one.ask("retention.set", caller=paula, about="trade.Bill", days=9, ground="the law")
    one.ask("holds.place", caller=paula, name="case", reason="a claim", template="trade.Draft")
    one.ask("holds.release", caller=paula, name="case")
    job = one.ask("archive.create", caller=paula, dry_run=True)["job"]["id"]
    assert one.until_done(job)["result"]["contracts"] == 2
    assert refused(one, "archive.create", caller=paula, folder=str(tmp_path)) == "access.path"
    assert refused(one, "archive.restore", caller=paula, file=str(tmp_path)) == "access.path"
    where = {"number": {"_eq": "1"}}
    asked = {"name": "sly", "reason": "to learn", "template": "trade.Draft", "where": where}
    assert refused(one, "holds.place", caller=paula, **asked) == "access.template"


def test_who_may_not_read_of_archives_learns_nothing_of_them(one: Keeper) -> None:
    ref = one.every_ref()[0]
    one.archived()
    assert refused(one, "contracts.show", caller=caller(one, "clerk"), ref=ref) == "vault.unknown"
    assert refused(one, "contracts.show", caller=caller(one, "auditor"), ref=ref) == "vault.archived"


@pytest.mark.parametrize(
    ("operation", "arguments", "code"),
    [
        ("retention.set", {"about": "*", "days": 0, "ground": "x"}, "retention.days"),
        ("retention.set", {"about": "*", "days": 10**9, "ground": "x"}, "retention.days"),
        ("retention.set", {"about": "*", "days": "9", "ground": "x"}, "form.fields"),
        ("retention.set", {"about": "*", "days": 9}, "retention.ground"),
        ("retention.set", {"about": "nothing", "days": 9, "ground": "x"}, "contract.template"),
        ("retention.remove", {"about": "trade.Bill"}, "retention.unknown"),
        ("holds.place", {"name": "", "reason": "x"}, "holds.name"),
        ("holds.place", {"name": "x", "reason": ""}, "holds.reason"),
        ("holds.place", {"name": "x"}, "form.fields"),
        ("holds.place", {"name": "x", "reason": "x", "where": {"a": 1}}, "holds.where"),
        ("holds.place", {"name": "x", "reason": "x", "template": "trade.Draft", "where": {"a": 1}}, "filter.field"),
        ("holds.place", {"name": "x", "reason": "x", "party": "nobody"}, "directory.unknown"),
        ("holds.release", {"name": "nothing"}, "holds.unknown"),
        ("archive.create", {"folder": "here"}, "archive.path"),
        ("archive.create", {}, "form.fields"),
        ("archive.create", {"dry_run": True, "before": "yesterday"}, "form.value"),
        ("archive.create", {"dry_run": True, "before": []}, "form.value"),
        ("archive.show", {"archive": 5}, "archive.unknown"),
        ("archive.show", {"transaction": "00"}, "archive.unknown"),
    ],
)
def test_what_is_asked_wrongly_is_refused(one: Keeper, operation: str, arguments: dict[str, Any], code: str) -> None:
    assert refused(one, operation, **arguments) == code


def test_a_name_is_given_to_one_hold_for_ever(one: Keeper) -> None:
    one.ask("holds.place", name="case", reason="a claim")
    assert refused(one, "holds.place", name="case", reason="another") == "holds.exists"
    one.ask("holds.release", name="case")
    assert refused(one, "holds.place", name="case", reason="another") == "holds.exists"
    assert refused(one, "holds.release", name="case") == "holds.unknown"
    with one.desk.vault.read() as turn:
        assert store.holds_in_force(turn) == []
