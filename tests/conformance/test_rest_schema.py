"""Schemathesis, which reads the OpenAPI document and tries what it allows and what it forbids, finds nothing.

`INTERFIRM_EXAMPLES=200` tries longer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from tests.unit.api.rest.nodes import Client, FirmNode, cash, made, nodes
from tests.unit.api.signin.browsers import a_node

from interfirm.api.signin.settings import SigninSettings
from interfirm.node.access.types import Role

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Using `httpx`")
EXAMPLES = int(os.environ.get("INTERFIRM_EXAMPLES", "2"))
PHASES = ("examples", "coverage", "fuzzing", "stateful")
FIXED = "^/(health|ready|v1/(me|entities|templates|flows|inbox|approvals|documents|webhooks)).*"
CASH = "^/v1/contracts/cash[.].*"
EVERYTHING = "^/(?!v1/events).*"
"""But for the stream, which has no end."""
PUSHED = Role(name="pushed", about="Follows what happens.", operations=("changes.list", "webhooks.*"), rules=())
CHECKS: dict[str, Any] = {
    # what fits the document may still be against a rule of business: 422
    "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", "401", "403", "404", "409", "422"]},
    "negative_data_rejection": {"expected-statuses": ["400", "401", "403", "404", "405", "409", "413", "414", "415",
                                                      "422", "431"]},
    "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx"]},
}  # fmt: skip
BY_ROLE: dict[str, Any] = {"unsupported_method": {"enabled": False}, "allow_header_conformance": {"enabled": False}}
"""A method that is there for others is left out of the document of a caller who may not use it, and answers 403."""
SIGNING_IN = "^/v1/sessions?(/.*)?$"
OF_SESSIONS = {name: {"expected-statuses": [*CHECKS[name]["expected-statuses"], "429"]} for name in (
    "positive_data_acceptance", "negative_data_rejection")}  # fmt: skip
"""Who tries too often waits."""
SENT_ALWAYS: dict[str, Any] = {"negative_data_rejection": {"enabled": False}}
"""A cookie that is a header of every request is sent also where it thinks to leave it out."""


@pytest.fixture(scope="module")
def node() -> Iterator[FirmNode]:
    with nodes(2) as found:
        yield found[0]


@pytest.fixture(scope="module")
def clerk(node: FirmNode) -> Client:
    client = node.client("ann", "clerk", "approver", "operator", PUSHED)
    made(client.post("/v1/contracts/cash.Cash", json=cash(node)))
    return client


def faults(
    client: Client, phase: str, paths: str, checks: dict[str, Any], *, sent: dict[str, str] | None = None
) -> tuple[int, list[str]]:
    """How many requests were tried, and what was found wrong with the answers; `sent` in place of the client's."""
    config = SchemathesisConfig.from_dict({
        "seed": 1, "headers": client.headers if sent is None else sent, "workers": 1, "continue-on-failure": True,
        "checks": checks,
        "generation": {"max-examples": EXAMPLES, "deterministic": True, "no-shrink": True, "database": "none"},
        "phases": {name: {"enabled": name == phase} for name in PHASES},
    })  # fmt: skip
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", client.app, config=config, headers=client.headers)
    count, found = 0, []
    for event in from_schema(schema.include(path_regex=paths)).execute():
        if isinstance(event, events.FatalError | events.NonFatalError):
            found.append(repr(event))
        if isinstance(event, events.ScenarioFinished):
            count += len(event.recorder.interactions)
            found += _failed(event)
    return count, found


def _failed(event: events.ScenarioFinished) -> list[str]:
    return [
        f"{check.name} {event.recorder.cases[case].value.operation.label}: {check.failure_info.failure}"
        for case, checks in event.recorder.checks.items()
        for check in checks
        if check.failure_info is not None
    ]


@pytest.mark.parametrize(("phase", "paths"), [("coverage", FIXED), ("coverage", CASH), ("fuzzing", EVERYTHING)])
def test_nothing_is_found_by_whoever_may_do_most(clerk: Client, phase: str, paths: str) -> None:
    count, found = faults(clerk, phase, paths, CHECKS)
    assert count > 50
    assert found == []


@pytest.mark.parametrize(("role", "phase", "paths"), [
    ("viewer", "coverage", FIXED), ("viewer", "fuzzing", CASH), ("administrator", "fuzzing", EVERYTHING),
    ("auditor", "fuzzing", FIXED), ("records-manager", "coverage", FIXED),
])  # fmt: skip
def test_nothing_is_found_by_others(node: FirmNode, clerk: Client, role: str, phase: str, paths: str) -> None:
    count, found = faults(node.client(f"a-{role}", role), phase, paths, CHECKS | BY_ROLE)
    assert count > 5
    assert found == []


@pytest.mark.parametrize("phase", ["coverage", "fuzzing"])
@pytest.mark.parametrize("somebody", [True, False], ids=["signed-in", "nobody"])
def test_nothing_is_found_where_people_sign_in(phase: str, somebody: bool) -> None:
    with a_node(SigninSettings(origin="http://localhost")) as people:
        browser = people.signed_in()
        cookies = "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)
        shown = {"Cookie": cookies, "X-CSRF-Token": browser.csrf, "Origin": people.settings.origin}
        who = SimpleNamespace(app=people.app, headers=shown)
        sent, checks = (shown, CHECKS | OF_SESSIONS | SENT_ALWAYS) if somebody else ({}, CHECKS | OF_SESSIONS)
        count, found = faults(cast("Client", who), phase, SIGNING_IN, checks, sent=sent)
    assert count > 20
    assert found == []


def test_a_fault_would_be_found(node: FirmNode, clerk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node.port, "ready", lambda: {"ready": True, "status": 1 / 0})
    count, found = faults(clerk, "fuzzing", "^/ready$", CHECKS)
    assert count > 0
    assert "not_a_server_error" in {each.partition(" ")[0] for each in found}
