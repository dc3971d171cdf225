"""Claims are held at home for what is made at another notary, where one of the two is a cluster of real engines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.networks import asker, eventually, network
from tests.support.cluster import needs_engine

from interfirm.base.time import Instant
from interfirm.node.flows.reservations import END
from interfirm.runtime.layout import Home, NetworkLayout

pytestmark = [pytest.mark.slow, *needs_engine]
FIRMS = (("Halden Retail BV", "BE0812345603"), ("Kern Logistics NV", "BE0543210955"))


@pytest.fixture(scope="module", params=[("solo", "cluster"), ("cluster", "solo")], ids="-then-".join)
def layout(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    """Two firms and two notaries, of which the first is everybody's home."""
    folder = tmp_path_factory.mktemp("claims") / "network"
    with network(folder, FIRMS, notaries=request.param, validators=1) as found:
        yield found


def propose(layout: NetworkLayout, number: str, *, away: bool, **more: Any) -> dict[str, Any]:
    """An agreement with a number that its proposer takes, at home or away."""
    firm = layout.firm(FIRMS[0][0])
    names = [name for name, _ in FIRMS]
    fields = {
        "number": number, "kind": "msa", "parties": names, "signed": names[:1], "document": "00" * 32,
        "terms": {"governing_law": "BE"}, "start": "2026-01-01", "end": "2027-01-01",
    }  # fmt: skip
    arguments = {"template": "agreements.Agreement", "fields": fields, "notary": layout.file.notaries[away]} | more
    found: dict[str, Any] = asker(firm).call("create", arguments)["flow"]
    return found


def reserved(home: Home) -> list[dict[str, Any]]:
    """The flows that end reservations."""
    flows = asker(home).call("flows.list", {})["flows"]
    return [each for each in flows if each["kind"] == END]


def outcome(home: Home, count: int) -> str:
    """How the last of so many reservations ended."""

    def ended() -> str | None:
        found = reserved(home)
        states = [each["state"] for each in found]
        return states[0] if len(states) == count and all(state == "done" for state in states) else None

    eventually(ended, "the end of the reservation", within_s=120)
    newest = max(reserved(home), key=lambda each: each["started_ms"])
    return str(asker(home).call("flows.show", {"id": newest["id"]})["result"])


def test_a_claim_is_taken_by_what_is_made_elsewhere_and_free_again_where_nothing_was(layout: NetworkLayout) -> None:
    firm = layout.firm(FIRMS[0][0])
    made = propose(layout, "A-1", away=True)
    assert made["state"] == "done", made
    assert outcome(firm, 1) == "settled"
    for away in (False, True):
        again = propose(layout, "A-1", away=away)
        assert (again["state"], again["result"]["code"]) == ("refused", "claim.taken")
    now_ms = time.time_ns() // 1_000_000
    early = propose(
        layout, "A-2", away=True, not_before=str(Instant(now_ms + 19_000)), until=str(Instant(now_ms + 20_000))
    )  # fmt: skip
    assert (early["state"], early["result"]["code"]) == ("refused", "notary.too-early")
    held = propose(layout, "A-2", away=False)
    assert (held["state"], held["result"]["code"]) == ("refused", "claim.taken")
    assert outcome(firm, 3) == "freed"
    free = propose(layout, "A-2", away=False)
    assert free["state"] == "done", free
