"""A table becomes contracts: each good row once, each bad row with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interfirm.base.errors import Refusal
from interfirm.node.access.people import Person, caller_of, put_person, put_role
from interfirm.node.access.types import Role
from interfirm.node.jobs import importing

from .harness import Bench, bench

HEADER = "issuer,owner,amount.amount,amount.currency\n"
THREE = HEADER + "firm0,firm1,10.00,EUR\nfirm0,firm1,20.00,EUR\nfirm0,firm1,30.00,USD\n"


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path / "jobs") as made:
        yield made


def amounts(firm: Bench) -> list[str]:
    return sorted(each["amount"]["amount"] for each in firm.contracts())


def given_drafts(firm: Bench, numbers: list[str]) -> None:
    """Bills that another firm asks this one to accept."""
    rows = "".join(f"firm1,firm0,1.00 EUR,{number},mark{n}\n" for n, number in enumerate(numbers))
    done = firm.other().imported("supplier,debtor,amount,number,mark\n" + rows, template="trade.Draft")
    assert (done["done"], done["errors"]) == (len(numbers), 0)


def test_every_row_becomes_a_contract(firm: Bench) -> None:
    job = firm.imported(THREE)
    assert (job["state"], job["done"], job["total"], job["errors"]) == ("done", 3, 3, 0)
    assert amounts(firm) == ["10.00", "20.00", "30.00"]


def test_rows_with_the_same_signers_share_a_transaction(firm: Bench) -> None:
    firm.imported(THREE)
    assert len(firm.asked) == 1


def test_a_dry_run_says_what_is_wrong_and_does_nothing(firm: Bench) -> None:
    job = firm.imported(THREE + "nobody,firm1,1.00,EUR\nfirm0,firm1,-1.00,EUR\nfirm0,firm1,x,EUR\n", dry_run=True)
    assert (job["state"], job["done"], job["errors"]) == ("done", 6, 3)
    assert [(row["row"], row["code"], row["column"], row["value"]) for row in job["rows"]] == [
        (5, "directory.unknown", "issuer", "nobody"),
        (6, "contract.require", "", ""),
        (7, "form.value", "amount.amount", "x"),
    ]
    assert amounts(firm) == []


def bills(*numbers: str) -> str:
    """A table of bills that another firm owes to this one, each with a number that exists once."""
    rows = "".join(f"firm0,firm1,firm0,1.00 EUR,{number}\n" for number in numbers)
    return "supplier,debtor,holder,amount,number\n" + rows


def test_a_dry_run_finds_numbers_that_rows_claim_twice(firm: Bench) -> None:
    job = firm.imported(bills("A-1", "A-2", "A-1", "A-1"), template="trade.Bill", dry_run=True)
    assert [(row["row"], row["code"], row["values"]["row"]) for row in job["rows"]] == [
        (4, "bulk.claim-repeated", 2), (5, "bulk.claim-repeated", 2),
    ]  # fmt: skip
    assert not list(firm.folder.iterdir()), "what was kept for it is gone"


def test_a_dry_run_finds_numbers_that_contracts_have_claimed(firm: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "VAULT_ROWS", 2)
    done = firm.imported(bills("A-1", "A-2", "A-3"), template="trade.Bill")
    assert (done["done"], done["errors"]) == (3, 0)
    job = firm.imported(bills("A-4", "A-3", "A-1"), template="trade.Bill", dry_run=True)
    assert [(row["row"], row["code"]) for row in job["rows"]] == [(3, "bulk.claim-taken"), (4, "bulk.claim-taken")]


@pytest.mark.parametrize("steps", range(1, 9))
def test_a_dry_run_that_is_restarted_finds_the_same(firm: Bench, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHECKED_ROWS", 1)
    table = firm.document(bills("A-1", "A-2", "A-1"))
    job = firm.ask("bulk.import", document=table, name="t.csv", template="trade.Bill", dry_run=True)["job"]
    for _ in range(steps):
        firm.step()
    firm.restarted()
    assert [row["row"] for row in firm.until_done(job["id"])["rows"]] == [4]


def test_bad_rows_do_not_hold_up_good_ones(firm: Bench) -> None:
    job = firm.imported(THREE.replace("20.00", "-20.00"))
    assert (job["done"], job["errors"]) == (3, 1)
    assert amounts(firm) == ["10.00", "30.00"]


def test_a_table_that_breaks_off_does_nothing(firm: Bench) -> None:
    job = firm.imported(THREE + '"firm0')
    assert job["state"] == "refused"
    assert job["result"]["code"] == "table.csv"
    assert amounts(firm) == []


def test_columns_are_mapped_and_completed(firm: Bench) -> None:
    mapping = {
        "columns": {"To": "owner", "Sum": "amount.amount", "Cur": "amount.currency"},
        "constants": {"issuer": "firm0"}, "defaults": {"amount.currency": "EUR"},
    }  # fmt: skip
    firm.imported("To;Sum;Cur;Note\nfirm1;5.00;;x\nfirm1;6.00;USD;y\n", mapping=mapping)
    found = [each["amount"] for each in firm.contracts()]
    assert sorted((each["amount"], each["currency"]) for each in found) == [("5.00", "EUR"), ("6.00", "USD")]


def test_a_mapping_is_kept_by_its_name(firm: Bench) -> None:
    mapping = {"columns": {"Sum": "amount"}, "constants": {"issuer": "firm0", "owner": "firm1"}, "defaults": {}}
    firm.ask("bulk.mapping-put", name="bank", mapping=mapping)
    assert firm.ask("bulk.mappings")["mappings"] == {"bank": mapping}
    firm.imported("Sum\n7.00 EUR\n", mapping="bank")
    assert amounts(firm) == ["7.00"]


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        ({"columns": {"Nowhere": "owner"}}, "bulk.column"),
        ({"columns": {"issuer": "nothing"}}, "bulk.path"),
        ({"columns": {"issuer": "owner", "owner": "owner"}}, "bulk.path"),
    ],
)
def test_a_mapping_that_does_not_fit_ends_the_job(firm: Bench, mapping: dict[str, object], code: str) -> None:
    job = firm.imported(THREE, mapping=mapping)
    assert (job["state"], job["result"]["code"]) == ("refused", code)


def test_one_bad_row_of_a_refused_transaction_is_found(firm: Bench) -> None:
    """Two bills of one number: each row is good by itself, and only the notary knows better."""
    numbers = ["N-1", "N-2", "N-3", "N-1", "N-4"]
    given_drafts(firm, numbers)
    table = "Draft\n" + "".join(f"{ref}\n" for ref in firm.refs("trade.Draft"))
    job = firm.imported(table, template="trade.Draft", choice="accept", key={"column": "Draft"})
    assert (job["state"], job["done"], job["errors"]) == ("done", 5, 1)
    assert sorted(each["number"] for each in firm.contracts("trade.Bill")) == ["N-1", "N-2", "N-3", "N-4"]
    assert [each["number"] for each in firm.contracts("trade.Draft")] == ["N-1"]


def test_choices_are_made_on_the_contracts_that_a_column_names(firm: Bench) -> None:
    given_drafts(firm, ["N-1", "N-2", "N-3"])
    job = firm.imported(
        "Number\nN-1\nN-3\nN-9\n", template="trade.Draft", choice="accept", key={"column": "Number", "field": "number"}
    )
    assert (job["state"], job["errors"]) == ("done", 1)
    assert [(row["row"], row["code"], row["column"], row["value"]) for row in job["rows"]] == [
        (4, "bulk.key", "Number", "N-9")
    ]
    assert sorted(each["number"] for each in firm.contracts("trade.Bill")) == ["N-1", "N-3"]
    assert [each["number"] for each in firm.contracts("trade.Draft")] == ["N-2"]


def test_asking_again_under_one_request_id_imports_once(firm: Bench) -> None:
    first = firm.imported(THREE, request="monday")
    again = firm.imported(THREE, request="monday")
    assert first["id"] == again["id"]
    assert len(amounts(firm)) == 3


@pytest.mark.parametrize("steps", range(1, 9))
def test_a_restart_at_any_step_does_every_row_once(firm: Bench, steps: int) -> None:
    table = HEADER + "".join(f"firm0,firm1,{n}.00,EUR\n" for n in range(1, 8))
    job = firm.ask("bulk.import", document=firm.document(table), name="t.csv", template="cash.Cash", batch=2)["job"]
    for _ in range(steps):
        firm.step()
    firm.restarted()
    done = firm.until_done(job["id"])
    assert (done["state"], done["done"], done["errors"]) == ("done", 7, 0)
    assert amounts(firm) == [f"{n}.00" for n in range(1, 8)]


@pytest.mark.parametrize(("approve", "errors", "made"), [(True, 1, ["1.00", "2.00"]), (False, 2, ["1.00"])])
def test_what_the_approval_matrix_asks_for_waits_for_somebody(
    firm: Bench, approve: bool, errors: int, made: list[str]
) -> None:
    line = {"name": "much", "template": "cash.Cash", "choice": "create", "field": "amount", "above": "1.50 EUR"}
    with firm.desk.vault.turn() as turn:
        put_role(turn, Role(name="boss", about="", operations=("approvals.*",), rules=()))
        put_person(turn, Person(name="anna", roles=("boss",), created_ms=1))
        anna = caller_of(turn, "anna", door="token")
    firm.ask("access.approvals-put", lines=[line])
    table = HEADER + "firm0,firm1,1.00,EUR\nfirm0,firm1,2.00,EUR\nfirm0,firm1,-2.00,EUR\n"
    job = firm.ask("bulk.import", document=firm.document(table), name="t.csv", template="cash.Cash", batch=1)["job"]
    while firm.step():
        pass
    firm.world.run(60_000)
    firm.restarted()
    while firm.step():
        pass
    shown = firm.show(job["id"])
    assert (shown["state"], shown["done"], shown["waiting"]) == ("running", 2, "1 transactions under way")
    [waiting] = firm.ask("approvals.list")["approvals"]
    firm.decide(waiting["id"], caller=anna, approve=approve)
    done = firm.until_done(job["id"])
    assert (done["state"], done["done"], done["errors"]) == ("done", 3, errors)
    assert amounts(firm) == made


def test_a_cancelled_job_takes_up_nothing_more(firm: Bench) -> None:
    table = HEADER + "".join(f"firm0,firm1,{n}.00,EUR\n" for n in range(1, 8))
    job = firm.ask("bulk.import", document=firm.document(table), name="t.csv", template="cash.Cash", batch=2)["job"]
    for _ in range(3):
        firm.step()
    assert firm.ask("jobs.cancel", id=job["id"])["job"]["state"] == "cancelled"
    firm.world.run(60_000)
    assert not firm.step()
    assert amounts(firm) == ["1.00", "2.00"]
    with pytest.raises(Refusal, match=r"^job\.ended: "):
        firm.ask("jobs.cancel", id=job["id"])
