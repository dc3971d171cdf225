"""Contracts become a table, as whoever asks may see them; a restart goes on with the next page."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from interfirm.base.errors import Refusal
from interfirm.base.limits import Limits
from interfirm.formats.tables import TableFormats
from interfirm.node import desk_bulk
from interfirm.node.access.people import Person, caller_of, put_person, put_role
from interfirm.node.access.staff import Entity
from interfirm.node.access.types import Caller, Role, Rule
from interfirm.node.jobs import exporting
from interfirm.node.vault.vault import Vault

from .harness import Bench, bench, lines_of, rows_of

CASH = "issuer,owner,amount.amount,amount.currency\n" + "".join(f"firm0,firm1,{n}.00,EUR\n" for n in range(1, 8))
COLUMNS = ["contract.ref", "contract.status", "contract.notary", "issuer", "owner", "amount.amount", "amount.currency"]


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path / "jobs") as made:
        made.imported(CASH)
        yield made


def person(firm: Bench, name: str, *rules: Rule, operations: tuple[str, ...] = ("bulk.*", "jobs.*")) -> Caller:
    """Somebody with a role of these rules."""
    with firm.desk.vault.turn() as turn:
        put_role(turn, Role(name=f"role-{name}", about="", operations=operations, rules=rules))
        put_person(turn, Person(name=name, roles=(f"role-{name}",), created_ms=1))
        return caller_of(turn, name, door="token")


def test_a_table_has_a_column_for_each_part_of_a_field(firm: Bench) -> None:
    header, *rows = rows_of(firm.exported(template="cash.Cash"))
    assert header == COLUMNS
    assert [row[1:] for row in rows] == [["active", "notary0", "firm0", "firm1", f"{n}.00", "EUR"] for n in range(1, 8)]


def test_an_export_may_be_larger_than_an_attached_file_and_has_a_limit_of_its_own(
    firm: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Vault.attachment_put_stream.__kwdefaults__, "bytes_max", 10)
    assert len(rows_of(firm.exported(template="cash.Cash"))) == 8
    monkeypatch.setattr(exporting, "LIMITS", Limits(export_bytes_max=10))
    job = firm.until_done(firm.ask("bulk.export", template="cash.Cash")["job"]["id"])
    assert (job["state"], job["result"]["code"]) == ("refused", "vault.attachment-size")


def test_a_file_that_is_read_in_pieces_is_checked_once(firm: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_bulk, "PIECE_BYTES", 100)
    checked = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *given: (checked.append(1), digest(*given))[1])
    assert len(firm.exported(template="cash.Cash")) > 500
    assert checked == [1]


def test_filter_order_and_fields_are_those_asked_for(firm: Bench) -> None:
    data = firm.exported(
        template="cash.Cash",
        where={"amount": ["gt", "4.00 EUR"]},
        order_by="-amount",
        fields=["amount.amount", "owner"],
    )
    assert rows_of(data) == [["amount.amount", "owner"], ["7.00", "firm1"], ["6.00", "firm1"], ["5.00", "firm1"]]


def test_json_lines_keep_the_fields_whole(firm: Bench) -> None:
    first = lines_of(firm.exported(template="cash.Cash", format="jsonl"))[0]
    assert first["amount"] == {"amount": "1.00", "currency": "EUR"}
    assert first["contract"]["ref"] == firm.refs("cash.Cash")[0]


def test_a_workbook_holds_the_same_rows(firm: Bench) -> None:
    book = io.BytesIO(firm.exported(template="cash.Cash", format="xlsx"))
    rows = [cells for _, cells in TableFormats().read("xlsx", book)]
    assert rows == rows_of(firm.exported(template="cash.Cash"))


def test_what_was_exported_can_be_imported_as_it_is(firm: Bench) -> None:
    table = firm.exported(template="cash.Cash").decode()
    job = firm.imported(table)
    assert (job["done"], job["errors"]) == (7, 0)
    assert len(firm.contracts()) == 14


def test_a_caller_sees_the_rows_and_fields_of_its_roles_alone(firm: Bench) -> None:
    anna = person(firm, "anna", Rule(template="cash.Cash", read=True, hidden=("owner",)))
    header, *rows = rows_of(firm.exported(caller=anna, template="cash.Cash"))
    assert "owner" not in header
    assert len(rows) == 7
    with pytest.raises(Refusal, match=r"^access\.field: "):
        firm.ask("bulk.export", caller=anna, template="cash.Cash", fields=["owner"])
    with pytest.raises(Refusal, match=r"^access\.template: "):
        firm.ask("bulk.export", caller=anna, template="trade.Draft")


def test_rights_that_end_while_a_job_runs_end_the_job(firm: Bench) -> None:
    anna = person(firm, "anna", Rule(template="cash.Cash", read=True))
    job = firm.ask("bulk.export", caller=anna, template="cash.Cash")["job"]
    with firm.desk.vault.turn() as turn:
        put_person(turn, Person(name="anna", roles=(), created_ms=1, active=False))
    ended = firm.until_done(job["id"])
    assert (ended["state"], ended["result"]["code"]) == ("refused", "access.unknown-caller")


@pytest.mark.parametrize("leaves", [False, True])
def test_a_job_of_a_person_of_the_groups_host_goes_on_as_long_as_that_person_is_there(
    firm: Bench, *, leaves: bool
) -> None:
    host = firm.other().desk
    host.staff.take_in(Entity(slug="austria", name="Austria", url=""), firm.desk.staff, host="halden")
    person(firm, "reader", Rule(template="cash.Cash", read=True))
    anna = Person(name="anna", roles=("role-reader@austria",), created_ms=1)
    with host.vault.turn() as turn:
        put_person(turn, anna)
    with firm.desk.vault.read() as turn:
        guest = firm.desk.staff.caller(turn, "halden/anna", door="token")
    job = firm.ask("bulk.export", caller=guest, template="cash.Cash")["job"]
    with host.vault.turn() as turn:
        put_person(turn, anna.replace(active=not leaves))
    ended = firm.until_done(job["id"])
    if leaves:
        assert (ended["state"], ended["result"]["code"]) == ("refused", "access.unknown-caller")
    else:
        assert len(rows_of(firm.written(ended))) == 8


def test_a_caller_imports_what_its_roles_allow(firm: Bench) -> None:
    anna = person(firm, "anna", Rule(template="cash.Cash", read=True))
    job = firm.imported(CASH, caller=anna)
    assert (job["done"], job["errors"]) == (7, 7)
    assert {row["code"] for row in job["rows"]} == {"access.create"}
    assert len(firm.contracts()) == 7


def test_a_file_of_this_machine_is_for_its_own_user(firm: Bench) -> None:
    anna = person(firm, "anna", Rule(template="cash.Cash", read=True, create=True))
    with pytest.raises(Refusal, match=r"^access\.path: "):
        firm.ask("bulk.import", caller=anna, path="/etc/passwd", template="cash.Cash")


def test_nobody_sees_the_jobs_of_others(firm: Bench) -> None:
    anna, bert = (
        person(firm, name, Rule(template="cash.Cash", read=True), operations=OWN) for name in ("anna", "bert")
    )
    job = firm.ask("bulk.export", caller=anna, template="cash.Cash")["job"]
    firm.until_done(job["id"])
    assert [each["id"] for each in firm.ask("jobs.list", caller=anna)["jobs"]] == [job["id"]]
    assert firm.ask("jobs.list", caller=bert)["jobs"] == []
    for operation in ("jobs.show", "jobs.file", "jobs.cancel"):
        with pytest.raises(Refusal, match=r"^job\.unknown: "):
            firm.ask(operation, caller=bert, id=job["id"])
    assert len(firm.ask("jobs.list")["jobs"]) == 2


OWN = ("bulk.export", "jobs.list", "jobs.show", "jobs.file", "jobs.cancel")


@pytest.mark.parametrize("steps", range(1, 7))
def test_a_restart_at_any_step_writes_every_row_once(firm: Bench, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PAGE_ROWS", 2)
    job = firm.ask("bulk.export", template="cash.Cash", fields=["amount.amount"])["job"]
    for _ in range(steps):
        firm.step()
    for left in firm.folder.glob("*.rows"):
        with left.open("ab") as file:
            file.write(b"half a li")
    firm.restarted()
    done = firm.until_done(job["id"])
    assert (done["state"], done["done"]) == ("done", 7)
    assert rows_of(firm.written(done))[1:] == [[f"{n}.00"] for n in range(1, 8)]
    assert list(firm.folder.iterdir()) == []
