"""Cash that went through hands unseen: what its owner must show to the next one stays, however old."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interfirm.node.asking import Start
from interfirm.node.flows.types import AskedFlow
from interfirm.node.retention import archiving

from .harness import Keeper, keepers, transaction_of

AMOUNT = {"amount": "10.00", "currency": "EUR"}


def round_trip(firms: list[Keeper]) -> list[str]:
    """Cash from its issuer through three hands, back to the first; the transactions that made it each time."""
    issuer, first, second, third = firms
    made = issuer.does("create", template="cash.Cash", fields={"issuer": "firm0", "owner": "firm1", "amount": AMOUNT})
    refs = [f"{(made.transaction or b'').hex()}:0"]
    for giver, taker in ((first, second), (second, third), (third, first)):
        moved = giver.chooses(refs[-1], "move", to=taker.firm.name, amount=AMOUNT)
        (ref,) = [ref for ref in taker.every_ref("cash.Cash") if transaction_of(ref) == transaction_of(moved)]
        refs.append(ref)
    first.draft(1, supplier="firm1", debtor="firm2")
    first.lets_go()
    return refs


def test_what_leads_through_others_to_active_cash_stays(tmp_path: Path) -> None:
    with keepers(tmp_path, firms=4) as firms:
        refs = round_trip(firms)
        first, second = firms[1], firms[2]
        result = first.archived()["result"]
        assert result["archives"] == []
        assert {transaction_of(ref) for ref in (refs[0], refs[1], refs[3])} <= first.transactions()
        assert transaction_of(refs[2]) not in first.transactions()  # what two others did, the first never saw
        first.chooses(refs[3], "move", to="firm2", amount=AMOUNT)
        assert len(second.every_ref("cash.Cash")) == 2


def test_without_following_what_others_gave_the_way_back_would_be_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: Any) -> tuple[int, None]:
        return 0, None

    monkeypatch.setattr(archiving, "_mark_histories", nothing)
    with keepers(tmp_path, firms=4) as firms:
        round_trip(firms)
        assert firms[1].archived()["result"]["archives"] == [1]


def test_what_was_disclosed_keeps_what_it_came_from(tmp_path: Path) -> None:
    with keepers(tmp_path, firms=3) as firms:
        one, other, third = firms
        draft = one.draft(1)
        other.chooses(draft, "accept")
        (bill,) = one.every_ref("trade.Bill")
        share = one.desk.handle("share", {"refs": [bill], "to": "firm2"})
        assert isinstance(share, Start)
        assert isinstance(share.event, AskedFlow)
        one.firm.ask(share.event)
        one.world.run(60_000)
        third.lets_go()
        third.draft(2, supplier="firm2", debtor="firm0")
        assert third.archived()["state"] == "done"
        assert third.desk.handle("disclosed.count", {})["count"] == 1
