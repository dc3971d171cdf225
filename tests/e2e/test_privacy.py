"""Erasing a person by command on running nodes: gone from every file, while contract and proofs stay as they were."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.networks import FIRMS, answer, asker, command, eventually, network

from interfirm.runtime import supervise
from interfirm.runtime.layout import Home, NetworkLayout

VALUE, SUBJECT = "Anna Verlinden, +32 470 11 22 33", "Anna Verlinden"
NOTES = '''
"""Notes that two firms keep about people."""

from __future__ import annotations

from interfirm.contracts.language import Party, Private, Template, Transaction, choice


class Note(Template):
    """What two firms agreed to keep."""

    author: Party
    reader: Party
    text: Private[str]

    def signatories(self) -> list[Party]:
        return [self.author, self.reader]

    @choice(by="author")
    def withdraw(self, tx: Transaction) -> None:
        """End it."""
'''


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NetworkLayout]:
    folder = tmp_path / "modules" / "notes"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('"""Notes."""\n')
    (folder / "contract.py").write_text(NOTES)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder.parent), os.environ.get("PYTHONPATH", "")]))
    with network(tmp_path / "network", FIRMS[:2], modules=("notes",)) as layout:
        yield layout


def write_note(author: Home, reader: Home) -> dict[str, Any]:
    fields = {"author": author.member.name, "reader": reader.member.name, "text": {"value": VALUE, "subject": SUBJECT}}
    arguments = {"template": "notes.Note", "fields": fields, "request": "note", "wait_ms": 500}
    flow: dict[str, Any] = asker(author).call("create", arguments)["flow"]
    return flow


def decide(reader: Home, *, approve: bool) -> None:
    items = eventually(lambda: asker(reader).call("inbox.list")["inbox"] or None, "the question")
    asker(reader).call("inbox.decide", {"id": items[0]["id"], "approve": approve, "reason": "no"})


def ended(home: Home, flow: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        shown: dict[str, Any] = asker(home).call("flows.show", {"id": flow})
        return shown if shown["state"] not in ("running", "waiting") else None

    return eventually(look, f"the end of {flow}")


def responding(home: Home) -> str:
    flows = asker(home).call("flows.list", {"limit": 100})["flows"]
    (found,) = [flow["id"] for flow in flows if flow["kind"] == "respond"]
    return str(found)


def files_with_it(home: Home) -> list[str]:
    return sorted(f.name for f in home.folder.rglob("*") if f.is_file() and VALUE.encode() in f.read_bytes())


def base(layout: NetworkLayout, home: Home) -> tuple[str, ...]:
    return ("--network", str(layout.folder), "--as", home.member.slug, "--json")


def test_a_person_is_erased_and_the_proof_stays_valid(running: NetworkLayout, tmp_path: Path) -> None:
    author, reader = running.firm(FIRMS[0][0]), running.firm(FIRMS[1][0])
    assert write_note(author, reader)["state"] == "waiting"
    eventually(lambda: asker(reader).call("inbox.list")["inbox"] or None, "the question")
    early = command(*base(running, reader), "privacy", "erase", SUBJECT, "--yes")
    assert early.returncode == 3, "a person still decides"
    refused = json.loads(early.stdout)["refused"]
    assert refused["code"] == "privacy.in-use"
    assert refused["values"]["flows"] == [responding(reader)]

    decide(reader, approve=True)
    assert ended(author, "note")["state"] == ended(reader, responding(reader))["state"] == "done"
    (note,) = asker(reader).call("contracts.list", {"template": "notes.Note"})["contracts"]
    assert asker(reader).call("contracts.show", {"ref": note["ref"]})["private"] == {"text": VALUE}
    assert files_with_it(reader)
    proof, anchor = str(tmp_path / "note.proof"), str(tmp_path / "anchor.json")
    answer(command(*base(running, reader), "proof", "export", note["ref"], "--to", proof, "--anchor", anchor))

    told = answer(command(*base(running, reader), "privacy", "erase", SUBJECT, "--yes"))
    assert told["values"] == 1
    assert told["flows"] == [responding(reader)]
    commitment = note["fields"]["text"]
    assert told["commitments"] == [{"ref": note["ref"], "template": "notes.Note", "commitments": [commitment]}]
    assert files_with_it(reader) == []
    assert files_with_it(author), "the other firm answers for its own copy"

    assert asker(reader).call("contracts.show", {"ref": note["ref"]})["private"] == {"text": None}
    again = str(tmp_path / "again.proof")
    answer(command(*base(running, reader), "proof", "export", note["ref"], "--to", again))
    for file in (proof, again):
        checked = answer(command("--json", "proof", "verify", file, "--anchor", anchor))
        assert (checked["complete"], checked["package_known"]) == (True, False), "of a module that is not installed"
        assert checked["fields"]["text"] == [commitment]
    recovered = asker(reader).call("recover", {"from": author.member.name, "wait_ms": 20_000})["flow"]
    assert recovered["state"] == "done"
    assert files_with_it(reader) == [], "and it does not come back"
    supervise.stop([reader])
    supervise.start(running, [reader])
    assert files_with_it(reader) == []
    withdrawn = asker(author).call("exercise", {"ref": note["ref"], "choice": "withdraw"})["flow"]
    assert withdrawn["state"] == "done", "which the other confirms without what was erased"


def test_what_was_proposed_and_declined_is_erased_too(running: NetworkLayout) -> None:
    author, reader = running.firm(FIRMS[0][0]), running.firm(FIRMS[1][0])
    write_note(author, reader)
    decide(reader, approve=False)
    assert ended(author, "note")["state"] == ended(reader, responding(reader))["state"] == "refused"
    assert files_with_it(reader)
    told = answer(command(*base(running, reader), "privacy", "erase", SUBJECT, "--yes"))
    assert (told["values"], told["flows"]) == (0, [responding(reader)])
    assert files_with_it(reader) == []
    assert answer(command(*base(running, author), "privacy", "erase", SUBJECT, "--yes"))["values"] == 1
    assert files_with_it(author) == []
    nothing = command("--network", str(running.folder), "--as", "nordmark", "privacy", "erase", SUBJECT, "--yes")
    assert "nothing private is kept" in nothing.stdout
