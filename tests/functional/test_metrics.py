"""A running node's metrics: who may read them, that they count what happens, and that the rules shipped use them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.e2e.networks import FIRMS, asker, done, eventually, network
from tests.e2e.test_privacy import NOTES, write_note
from tests.functional.test_notify import Receiver

from interfirm.runtime import supervise
from interfirm.runtime.configuration import read_configuration
from interfirm.runtime.layout import Home, NetworkLayout, free_port
from interfirm.runtime.metrics import CODES_COUNT_MAX, Metrics

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "interfirm.rules.yml"
PASSED_ON = {"X-Forwarded-For": "203.0.113.9"}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkLayout]:
    with network(tmp_path_factory.mktemp("metrics") / "network", FIRMS[:2]) as made:
        yield made


@pytest.fixture
def home(layout: NetworkLayout) -> Home:
    return layout.firm(FIRMS[0][0])


def page(home: Home, method: str = "GET", path: str = "/metrics", **headers: str) -> httpx.Response:
    api = read_configuration(home.folder / "node.toml").api
    return httpx.request(method, f"http://{api.host}:{api.port}{path}", headers=headers)


def samples(home: Home) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = text_string_to_metric_families(page(home).text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in found for s in family.samples}


def value(home: Home, name: str, **labels: str) -> float:
    return samples(home).get((name, tuple(sorted(labels.items()))), 0)


def token(home: Home, person: str, role: str, **more: Any) -> str:
    asker(home).call("access.person-put", {"name": person, "roles": [role]})
    text: str = asker(home).call("access.token-new", {"person": person, **more})["token"]
    return text


def issue(layout: NetworkLayout, home: Home) -> None:
    other = layout.firm(FIRMS[1][0])
    fields = {"issuer": home.member.name, "owner": other.member.name, "amount": "7.00 EUR"}
    done(home, "create", template="cash.Cash", fields=fields)


def test_whoever_is_on_the_machine_reads_the_metrics(home: Home) -> None:
    answer = page(home)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert value(home, "interfirm_storage_failed") == 0
    assert value(home, "interfirm_disk_free_bytes") > 0
    assert value(home, "process_open_fds") > 0


@pytest.mark.parametrize("headers", [PASSED_ON, {"Host": "node.example"}, {"Authorization": "Bearer ift_none"}])
def test_whoever_comes_from_elsewhere_needs_a_token(home: Home, headers: dict[str, str]) -> None:
    answer = page(home, **headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == "access.unknown-caller"
    assert "interfirm_" not in answer.text


def test_a_token_reads_them_where_its_roles_allow(home: Home) -> None:
    allowed = token(home, "prometheus", "operator", scopes=["metrics"])
    refused = token(home, "somebody", "viewer")
    assert page(home, Authorization=f"Bearer {allowed}", **PASSED_ON).status_code == 200
    assert page(home, Authorization=f"Bearer {refused}", **PASSED_ON).status_code == 403
    assert page(home, Authorization=f"Bearer {refused}").status_code == 403, "also on the machine"


def test_nothing_is_changed_there(home: Home) -> None:
    assert page(home, "POST").status_code == 405


def test_flows_turns_and_requests_are_counted(layout: NetworkLayout, home: Home) -> None:
    before = samples(home)
    issue(layout, home)
    page(home, path="/health")
    after = samples(home)

    def grew(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return after.get(key, 0) - before.get(key, 0)

    assert grew("interfirm_flows_ended_total", kind="exercise", state="done") == 1
    assert grew("interfirm_turn_seconds_count") >= 2
    assert grew("interfirm_turn_seconds_count") == grew("interfirm_turn_events_count")
    assert grew("interfirm_vault_turn_seconds_sum") > 0
    assert grew("interfirm_http_requests_total", method="GET", status="200") == 2, "the page before, and /health"
    assert after["interfirm_peers_connected", ()] >= 1


def test_asking_for_a_flow_again_counts_nothing(layout: NetworkLayout, home: Home) -> None:
    other = layout.firm(FIRMS[1][0])
    fields = {"issuer": home.member.name, "owner": other.member.name, "amount": "7.00 EUR"}
    for _ in range(2):
        done(home, "create", template="cash.Cash", fields=fields, request="once")
    counted = value(home, "interfirm_flows_ended_total", kind="exercise", state="done")
    done(home, "create", template="cash.Cash", fields=fields, request="once")
    assert value(home, "interfirm_flows_ended_total", kind="exercise", state="done") == counted


def test_refusals_are_counted_by_their_code(home: Home) -> None:
    before = value(home, "interfirm_refusals_total", code="contract.template")
    with pytest.raises(Exception, match=r"contract\.template"):
        asker(home).call("contracts.list", {"template": "cash.Nothing"})
    assert value(home, "interfirm_refusals_total", code="contract.template") == before + 1


def test_a_pause_shows(home: Home) -> None:
    asker(home).call("node.pause", {"reason": "a test"})
    assert value(home, "interfirm_paused") == 1
    asker(home).call("node.resume", {})
    assert value(home, "interfirm_paused") == 0


def shown(text: str) -> set[str]:
    """The names of all samples that a page can show, those included that nothing was counted for yet."""
    found = set()
    for line in text.splitlines():
        if match := re.match(r"# TYPE (\S+) (\S+)", line):
            name, kind = match[1], match[2]
            found |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    return found


@pytest.fixture(scope="module")
def notary(layout: NetworkLayout) -> str:
    """What the notary shows where its own file says."""
    port = free_port()
    (layout.notary.folder / "node.toml").write_text(f"[api]\nport = {port}\n")
    supervise.stop([layout.notary])
    supervise.start(layout, [layout.notary])
    issue(layout, layout.firm(FIRMS[0][0]))
    assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    assert httpx.get(f"http://127.0.0.1:{port}/v1/contracts").status_code == 404, "it has nothing else"
    return httpx.get(f"http://127.0.0.1:{port}/metrics").text


def test_a_notary_shows_how_it_goes_on(layout: NetworkLayout, notary: str) -> None:
    found = {s.name: s.value for family in text_string_to_metric_families(notary) for s in family.samples}
    status = asker(layout.notary).call("status")
    assert found["interfirm_notary_accepted"] == status["accepted"] >= 1
    assert found["interfirm_notary_height"] == status["height"]
    assert found["interfirm_notary_commit_seconds_count"] >= 1
    assert abs(found["interfirm_notary_committed_timestamp_seconds"] - time.time()) < 3600
    assert found["interfirm_peers_connected"] >= 1
    assert found["interfirm_certificate_expiry_timestamp_seconds"] > time.time()
    assert "interfirm_notary_height" in asker(layout.notary).call("metrics")["metrics"]


def test_every_rule_is_about_metrics_that_there_are_and_says_what_to_do(home: Home, notary: str) -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    known = shown(page(home).text) | shown(notary)
    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    for rule in rules:
        used = set(re.findall(r"\binterfirm_[a-z0-9_]+", rule["expr"]))
        assert used <= known, rule["alert"]
        assert used or re.search(r"\bup{", rule["expr"])
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["action"]


def test_the_operators_page_tells_every_metric(home: Home, notary: str) -> None:
    told = set(re.findall(r"`(interfirm_[a-z0-9_]+)`", (ROOT / "docs" / "operator.md").read_text()))
    made = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown(page(home).text) | shown(notary)
            if name.startswith("interfirm_")}  # fmt: skip
    assert told == made


def test_codes_that_a_peer_makes_up_do_not_grow_the_page() -> None:
    metrics = Metrics()
    for number in range(CODES_COUNT_MAX + 50):
        metrics.refused(f"made.up-{number}")
    assert metrics.page().count(b"interfirm_refusals_total{") == CODES_COUNT_MAX + 1
    assert b'code="other"} 50.0' in metrics.page()


# what waits ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NetworkLayout]:
    """Two firms whose people are asked before they sign a note."""
    folder = tmp_path / "modules" / "notes"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('"""Notes."""\n')
    (folder / "contract.py").write_text(NOTES)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder.parent), os.environ.get("PYTHONPATH", "")]))
    with network(tmp_path / "network", FIRMS[:2], modules=("notes",)) as made:
        yield made


def told_by_webhook(layout: NetworkLayout, home: Home, receiver: Receiver) -> None:
    secret = home.folder / "webhook-secret"
    secret.write_text("a secret of sixteen bytes and more")
    section = f'\n[notify]\nwebhook_url = "{receiver.url}"\nwebhook_secret_file = "{secret}"\n'
    home.configuration_path.write_text(home.configuration_path.read_text() + section)
    supervise.stop([home])
    supervise.start(layout, [home])


def test_what_waits_for_a_person_is_counted_and_told_until_it_is_decided(asking: NetworkLayout) -> None:
    author, reader = asking.firm(FIRMS[0][0]), asking.firm(FIRMS[1][0])
    receiver = Receiver(204)
    told_by_webhook(asking, reader, receiver)
    assert value(reader, "interfirm_inbox_open") == 0
    write_note(author, reader)
    (item,) = eventually(lambda: asker(reader).call("inbox.list")["inbox"] or None, "the question")
    assert value(reader, "interfirm_inbox_open") == 1
    assert value(reader, "interfirm_flows_under_way", kind="respond", waits_on="person") == 1
    assert value(author, "interfirm_flows_under_way", kind="exercise", waits_on="peer") == 1
    headers, _ = eventually(lambda: receiver.taken[0] if receiver.taken else None, "the notice")
    assert headers["webhook-id"] == f"inbox-{item['id']}"

    supervise.stop([reader])
    supervise.start(asking, [reader])
    assert value(reader, "interfirm_inbox_open") == 1, "also after a restart"
    asker(reader).call("inbox.decide", {"id": item["id"], "approve": False, "reason": "no"})
    assert value(reader, "interfirm_inbox_open") == 0
    eventually(
        lambda: value(author, "interfirm_flows_ended_total", kind="exercise", state="refused") or None, "the end"
    )
    assert value(author, "interfirm_refusals_total", code="flow.declined") == 1
    assert len(receiver.taken) == 1, "it was told once"
    receiver.shutdown()
    receiver.server_close()


def test_a_notary_that_does_not_answer_shows(layout: NetworkLayout, home: Home) -> None:
    supervise.stop([layout.notary])
    try:
        other = layout.firm(FIRMS[1][0])
        fields = {"issuer": home.member.name, "owner": other.member.name, "amount": "7.00 EUR"}
        asker(home).call("create", {"template": "cash.Cash", "fields": fields, "wait_ms": 300})
        assert value(home, "interfirm_notary_requests_waiting") >= 1
        assert value(home, "interfirm_notary_wait_seconds") > 0
        assert value(home, "interfirm_outbox_messages") >= 1
    finally:
        supervise.start(layout, [layout.notary])
    eventually(lambda: value(home, "interfirm_notary_requests_waiting") == 0 or None, "the notary's answer")
    assert value(home, "interfirm_notary_wait_seconds") == 0
