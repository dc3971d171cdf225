"""What pages point at exists: files, tests, refusal codes, commands."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from tools import reference

from .console import ROOT

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "src").rglob("README.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
]
THREATS = (ROOT / "docs" / "threat-model.md").read_text()
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def source_of_tests() -> str:
    return "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link.replace("\n", " ") for link in _LINK.findall(page.read_text()) if "://" not in link]
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", THREATS))))
def test_every_test_that_the_threat_model_names_exists(name: str) -> None:
    assert f"def {name}(" in source_of_tests()


def test_every_file_that_the_threat_model_names_exists() -> None:
    places = re.findall(r"`((?:base|contracts|ledger|notary|node|business|formats)(?:/[\w./]+)?)`", THREATS)
    places = [f"src/interfirm/{place}" for place in places]
    places += re.findall(r"`(tests/[\w./]+)`", THREATS)
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_every_code_that_the_threat_model_names_is_raised() -> None:
    raised = reference.refusals()
    cells = [row.split("|")[3] for row in THREATS.splitlines() if row.startswith("|") and row.count("|") == 5]
    codes = {code for cell in cells for code in re.findall(r"`([a-z0-9-]+\.[a-z0-9.-]+)`", cell)}
    assert len(codes) > 30
    assert sorted(code for code in codes if f"| `{code}` |" not in raised) == []


def test_every_decision_record_is_in_the_index() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    pages = [page.name for page in (ROOT / "docs" / "adr").glob("0*.md")]
    assert [page for page in pages if f"]({page})" not in index] == []


def test_the_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "make demo" in text
    assert "make test" in text


def test_every_folder_of_the_source_says_what_it_is() -> None:
    folders = {page.parent for page in (ROOT / "src" / "interfirm").rglob("*.py")}
    silent = [name_of(folder) for folder in folders if not (folder / "README.md").exists() and folder.name not in PARTS]
    assert sorted(silent) == []


PARTS = frozenset({"interfirm", "migrations", "versions", "rules", "demo", "en16931", "ubl", "trade", "proto"})
"""Folders that the README of the folder above tells of."""
