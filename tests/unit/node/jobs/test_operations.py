"""What is asked wrongly is refused before a job begins, with a code and never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS

from .harness import Bench, bench

TABLE = "issuer,owner,amount\nfirm0,firm1,1.00 EUR\n"


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path / "jobs") as made:
        yield made


def wanted(firm: Bench, **changed: Any) -> dict[str, Any]:
    return {"document": firm.document(TABLE), "name": "t.csv", "template": "cash.Cash", **changed}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"document": "00" * 32}, "vault.attachment-unknown"),
        ({"document": None, "path": "/nowhere/at/all.csv"}, "file.unreadable"),
        ({"document": None, "path": "\0"}, "file.unreadable"),
        ({"document": None}, "form.fields"),
        ({"name": "t.pdf"}, "table.format"),
        ({"template": "cash.Nothing"}, "contract.template"),
        ({"batch": 0}, "bulk.batch"),
        ({"batch": "5"}, "bulk.batch"),
        ({"batch": LIMITS.job_batch_rows_count_max + 1}, "bulk.batch"),
        ({"mapping": "never kept"}, "bulk.mapping"),
        ({"mapping": 5}, "bulk.mapping"),
        ({"key": "number"}, "form.fields"),
    ],
)
def test_an_import_that_cannot_be_is_refused(firm: Bench, changed: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        firm.ask("bulk.import", **wanted(firm, **changed))
    assert refused.value.code == code
    assert firm.ask("jobs.list")["jobs"] == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"format": "pdf"}, "table.format"),
        ({"fields": 5}, "form.fields"),
        ({"fields": ["nothing"]}, "bulk.path"),
        ({"where": {"nothing": 1}}, "filter.field"),
        ({"order_by": "nothing"}, "vault.order"),
        ({"status": "lost"}, "vault.status"),
    ],
)
def test_an_export_that_cannot_be_is_refused(firm: Bench, changed: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        firm.ask("bulk.export", **{"template": "cash.Cash", **changed})
    assert refused.value.code == code


@pytest.mark.parametrize("folder", ["relative/folder", "/\0", "/proc/nothing/here"])
def test_a_folder_that_cannot_be_written_is_refused(firm: Bench, folder: str) -> None:
    with pytest.raises(Refusal, match=r"^leaving\.folder: "):
        firm.ask("bulk.export-all", folder=folder)


@pytest.mark.parametrize(
    ("operation", "arguments"), [("jobs.list", {"limit": "x"}), ("jobs.list", {"limit": -1}), ("jobs.show", {})]
)
def test_arguments_of_another_type_are_refused(firm: Bench, operation: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match=r"^form\.fields: "):
        firm.ask(operation, **arguments)


def test_a_job_that_writes_no_file_has_none(firm: Bench) -> None:
    job = firm.imported(TABLE)
    with pytest.raises(Refusal, match=r"^job\.file: "):
        firm.ask("jobs.file", id=job["id"])


def test_only_so_many_jobs_are_under_way(firm: Bench) -> None:
    for _ in range(LIMITS.jobs_running_count_max):
        firm.ask("bulk.export", template="cash.Cash")
    with pytest.raises(Refusal, match=r"^job\.count: "):
        firm.ask("bulk.export", template="cash.Cash")


def test_jobs_take_turns(firm: Bench) -> None:
    first, second = (firm.ask("bulk.import", **wanted(firm))["job"]["id"] for _ in range(2))
    seen = []
    for _ in range(4):
        running = firm.runner.due()
        assert running is not None
        seen.append(running.work.id)
        firm.runner.step(running)
    assert set(seen[:2]) == set(seen[2:]) == {first, second}


def test_a_fault_of_a_job_ends_that_job_alone(firm: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    job = firm.ask("bulk.export", template="cash.Cash")["job"]
    other = firm.ask("bulk.import", **wanted(firm))["job"]
    monkeypatch.setattr("interfirm.node.jobs.exporting.append", lambda *_, **__: 1 // 0)
    assert firm.until_done(job["id"])["result"]["code"] == "job.failed"
    assert firm.until_done(other["id"])["state"] == "done"
