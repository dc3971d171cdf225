"""The alerting rules as Prometheus itself judges them, and their own tests run by it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
RULES, TESTS, CONFIGURATION = "interfirm.rules.yml", "interfirm.rules.test.yml", "prometheus.yml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "prometheus"))


def promtool(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("there is no promtool to judge the rules (Debian: apt-get install prometheus)")
    return subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, check=False)


def alerts() -> list[str]:
    groups = yaml.safe_load((FOLDER / RULES).read_text())["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"]]


def test_prometheus_takes_the_rules_and_the_configuration(folder: Path) -> None:
    judged = promtool(folder, "check", "rules", RULES)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert f"{len(alerts())} rules found" in judged.stdout
    configured = promtool(folder, "check", "config", "--syntax-only", CONFIGURATION)
    assert configured.returncode == 0, configured.stdout + configured.stderr


def test_the_rules_pass_their_tests_and_each_of_them_has_one(folder: Path) -> None:
    judged = promtool(folder, "test", "rules", TESTS)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    tested = (FOLDER / TESTS).read_text()
    assert [name for name in alerts() if f'alertname="{name}"' not in tested] == []


@pytest.mark.parametrize(
    ("rule", "another"),
    [
        ("up{job=\"interfirm-notary\"} == 0", "up{job=\"interfirm-notary\"} == 1"),
        ("{job=\"interfirm-validator\"} > 100", "{job=\"interfirm-validator\"} > 101"),
    ],
)  # fmt: skip
def test_a_rule_that_says_something_else_fails_them(folder: Path, rule: str, another: str) -> None:
    text = (folder / RULES).read_text()
    assert text.count(rule) == 1
    (folder / RULES).write_text(text.replace(rule, another))
    assert promtool(folder, "test", "rules", TESTS).returncode == 1
