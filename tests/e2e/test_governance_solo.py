"""`interfirm notary` of a network whose notary is one machine: the same commands, and its word by its signature."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest
from rich.console import Console
from tests.e2e.networks import FIRMS, asker, network

from interfirm.base.errors import Refusal
from interfirm.base.signatures import Ed25519Signer
from interfirm.cli import session
from interfirm.cli.main import run
from interfirm.notary.questions import state_it
from interfirm.notary.types import Ask, Said
from interfirm.notary.wire import Answered, decode_answer, encode_answer, encode_request
from interfirm.runtime.layout import NetworkLayout
from interfirm.runtime.solo_govern import OPERATION, SoloGovernment

STRANGER = Ed25519Signer(bytes(32))


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    """A firm and a solo notary that run; the registrar alone votes at first."""
    with network(tmp_path_factory.mktemp("solo") / "n", FIRMS[:1]) as found:
        yield found


def typed(layout: NetworkLayout, *words: str) -> tuple[int, str]:
    """A command's exit code and what it printed."""
    out = io.StringIO()
    before = session.console, session.errors
    session.console = session.errors = Console(file=out, width=200)
    try:
        with redirect_stdout(out), redirect_stderr(out):
            code = run(["--json", "--network", str(layout.folder), "notary", *words])
    finally:
        session.console, session.errors = before
        session.options.json = False
    return code, out.getvalue()


def said(layout: NetworkLayout, *words: str) -> Any:
    code, out = typed(layout, *words)
    assert code == 0, out
    return json.loads(out)


def test_a_parameter_of_a_solo_notary_is_decided_and_has_a_history(layout: NetworkLayout) -> None:
    found = said(layout, "propose", "--set", "page_count_max=10")
    assert found["status"] == "applied", "the registrar decides alone"
    (parameter,) = said(layout, "parameters", "page_count_max")
    assert parameter["coming"] == 10
    (change,) = said(layout, "parameters", "--history")
    assert (change["name"], change["proposer"]) == ("page_count_max", "registrar")
    assert [each["id"] for each in said(layout, "proposals")] == [found["id"]]
    assert said(layout, "validators") == []
    assert said(layout, "fees", "--folder", "solo")["payer"] == "nobody"


def test_a_firm_gets_a_vote_and_stops_the_notary(layout: NetworkLayout) -> None:
    slug = layout.file.members[0].slug
    assert said(layout, "propose", "--add-voter", slug)["status"] == "applied"
    assert {each["name"] for each in said(layout, "voters")["voters"]} == {"registrar", slug}
    stop = said(layout, "stop", "an exercise", "--by", slug)
    assert stop["status"] == "applied", "half of the voters are more than a third"
    firm = asker(layout.firm(slug))
    fields = {"issuer": layout.firm(slug).member.name, "owner": layout.firm(slug).member.name, "amount": "1.00 EUR"}
    made = {"template": "cash.Cash", "fields": fields, "request": "cash", "wait_ms": 1_000}
    assert firm.call("create", made)["flow"]["state"] == "waiting", "nothing is accepted"
    resume = said(layout, "resume", "--by", slug)
    assert resume["status"] == "open"
    assert said(layout, "vote", resume["id"][:12])["status"] == "applied"
    assert firm.call("create", made | {"request": "again", "wait_ms": 60_000})["flow"]["state"] == "done"


def test_a_proposal_that_is_not_there_is_refused(layout: NetworkLayout) -> None:
    code, out = typed(layout, "retract", "ff" * 32)
    assert (code, "governance.unknown" in out) == (session.REFUSED, True)


def test_the_socket_takes_nothing_else(layout: NetworkLayout) -> None:
    notary = asker(layout.notary)
    question = encode_request(Ask(kind="claim", subject=bytes(32))).hex()
    with pytest.raises(Refusal) as refusal:
        notary.call(OPERATION, {"requester": "", "request": question})
    assert refusal.value.code == "notary.governing"


@pytest.mark.parametrize("forged", [True, False])
def test_what_the_notary_did_not_sign_is_not_believed(
    layout: NetworkLayout, monkeypatch: pytest.MonkeyPatch, forged: bool
) -> None:
    """Whoever holds the socket says something else, or repeats what was said of another thing."""
    governing = SoloGovernment(layout)
    honest = governing._asker.call

    def lying(name: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        answered = decode_answer(bytes.fromhex(honest(name, arguments)["answer"]))
        assert isinstance(answered.answer, Said)
        other = answered.answer.replace(kind="fees")
        statement = state_it(STRANGER, layout.solo_id, other) if forged else answered.statement
        return {"answer": encode_answer(Answered(answer=other, statement=statement)).hex()}

    assert governing.said("voters").kind == "voters"
    monkeypatch.setattr(governing._asker, "call", lying)
    if forged:
        with pytest.raises(Refusal) as refusal:
            governing.said("fees")
        assert refusal.value.code == "signature.invalid"
    else:
        assert governing.said("voters").kind == "voters", "the signed word counts, not the answer around it"
