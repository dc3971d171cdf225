"""What interfirm depends on is named by its hash, and may be given on with it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tools import audit


@pytest.fixture(scope="module")
def packages() -> dict[str, dict[str, Any]]:
    return audit.locked()


def test_nothing_is_found() -> None:
    assert audit.findings() == []


def test_what_comes_from_elsewhere_or_has_no_hash_is_found(packages: dict[str, dict[str, Any]]) -> None:
    changed = copy.deepcopy(packages)
    changed["msgspec"]["source"] = {"git": "https://example.org/msgspec"}
    del changed["rich"]["sdist"]["hash"]
    assert [line.partition(":")[0] for line in audit.unnamed(changed)] == ["msgspec", "rich"]


def test_a_module_of_npm_without_a_hash_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(audit, "ROOT", tmp_path)
    modules = {"": {}, "node_modules/a": {"integrity": "sha512-x"}, "node_modules/b": {"resolved": "https://b"}}
    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": modules}))
    (line,) = audit.unnamed_modules(tmp_path / "package-lock.json")
    assert "node_modules/b" in line


def test_what_is_installed_with_it_is_judged_and_what_developers_need_alone_is_not(
    packages: dict[str, dict[str, Any]],
) -> None:
    found = audit.installed_with(packages)
    assert {"msgspec", "psycopg", "cffi", "opentelemetry-sdk"} <= found
    assert not {"pytest", "hypothesis"} & found
    assert [line.partition(":")[0] for line in audit.unfitting({"msgspec", "python-stdnum"})] == ["python-stdnum"]


@pytest.mark.parametrize("said", ["MIT", "Apache-2.0 OR BSD-3-Clause", "GPL-3.0-only OR MIT", "Apache-2.0 AND MIT"])
def test_a_licence_that_fits(said: str) -> None:
    assert audit.fits(said)


@pytest.mark.parametrize("said", ["", "GPL-3.0-only", "AGPL-3.0", "MIT AND GPL-2.0-only", "SSPL-1.0", "Proprietary"])
def test_a_licence_that_does_not_fit(said: str) -> None:
    assert not audit.fits(said)
