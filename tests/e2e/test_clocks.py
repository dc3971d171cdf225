"""A firm whose clock is wrong: what it proposes is refused by the notary with both times, and the doctor tells it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.networks import FIRMS, answer, asker, command, network

from interfirm.runtime import supervise
from interfirm.runtime.layout import Home, NetworkLayout

NOW_MS = time.time_ns() // 1_000_000
DAY_MS = 24 * 3_600_000


def ahead(layout: NetworkLayout, homes: list[Home], days: int) -> None:
    """Set these clocks ahead of the others."""
    for home in homes:
        asker(home).call("clock.set", {"ms": NOW_MS + days * DAY_MS})


def issue(issuer: Home, owner: Home) -> dict[str, Any]:
    fields = {"issuer": issuer.member.name, "owner": owner.member.name, "amount": "10.00 EUR"}
    flow: dict[str, Any] = asker(issuer).call("create", {"template": "cash.Cash", "fields": fields})["flow"]
    return flow


def doctor(layout: NetworkLayout) -> list[dict[str, Any]]:
    done = command("--network", str(layout.folder), "--json", "doctor")
    assert done.returncode == 1, done.stdout + done.stderr
    return [finding for finding in json.loads(done.stdout)["findings"] if not finding["ok"]]


@pytest.mark.parametrize(("days", "code"), [(3, "notary.too-early"), (-3, "notary.too-late")])
def test_a_firm_whose_clock_is_days_off_is_refused_with_both_times_and_the_doctor_says_so(
    tmp_path: Path, days: int, code: str
) -> None:
    with network(tmp_path / "network", FIRMS[:2], scenario_ms=NOW_MS) as layout:
        wrong, right = layout.firm(FIRMS[0][0]), layout.firm(FIRMS[1][0])
        assert answer(command("--network", str(layout.folder), "--json", "doctor"))["findings"]
        ahead(layout, [wrong] if days > 0 else [layout.notary, right], abs(days))

        flow = issue(wrong, right)
        assert flow["state"] == "refused"
        assert flow["result"]["code"] == code
        assert {"now", "lower" if days > 0 else "upper"} == set(flow["result"]["values"])

        (finding,) = doctor(layout)
        assert finding["what"] == f"clock of {wrong.member.slug}"
        assert finding["refused"]["code"] == "clock.differs"
        off_ms = finding["refused"]["values"]["ahead_ms"]
        assert abs(off_ms - days * DAY_MS) < 60_000
        assert {"node", "notary", "tolerance_ms"} < set(finding["refused"]["values"])

        assert issue(right, wrong)["state"] == "done", "who is right goes on, and tells the other"


def test_the_doctor_says_that_a_notary_does_not_answer(tmp_path: Path) -> None:
    with network(tmp_path / "network", FIRMS[:1]) as layout:
        supervise.stop([layout.notary])
        (finding,) = doctor(layout)
        assert finding["refused"]["code"] == "notary.no-answer"
        flows = asker(layout.firm("")).call("flows.list", {})["flows"]
        assert [flow["state"] for flow in flows] == ["cancelled"]
