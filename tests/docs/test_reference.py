"""The committed reference is what the code says today."""

from __future__ import annotations

import ast

import pytest
from tools import reference

HOW = "docs/reference is not what the code says; run `.venv/bin/python tools/reference.py` and commit what it writes"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference.pages()


def test_every_page_is_current(pages: dict[str, str]) -> None:
    committed = {str(p.relative_to(reference.TARGET)): p.read_text() for p in reference.TARGET.rglob("*.md")}
    assert sorted(committed) == sorted(pages), HOW
    stale = [name for name, text in pages.items() if committed[name] != text]
    assert not stale, HOW


def test_a_command_stands_with_its_options_and_what_they_mean(pages: dict[str, str]) -> None:
    assert "## `interfirm network join NAME REGISTRATION`" in pages["commands.md"]
    assert "| `--dry-run` | Say what would happen, and who must sign. |" in pages["commands.md"]


def test_a_choice_stands_with_its_arguments_and_who_makes_it(pages: dict[str, str]) -> None:
    assert "`move(to: Party, amount: Money) -> Moved`, made by owner." in pages["business/cash.md"]
    assert "`retire() -> Money`, made by owner and issuer." in pages["business/cash.md"]


def test_a_field_stands_with_its_type_and_meaning(pages: dict[str, str]) -> None:
    assert "| `amount` | `Money` | How much; more than nothing. |" in pages["business/cash.md"]


def test_a_refusal_stands_with_its_sentence(pages: dict[str, str]) -> None:
    assert "| `notary.consumed` | the ref was consumed | notary" in pages["refusals.md"]


def test_a_code_is_told_from_other_texts() -> None:
    source = 'check(x, "a.b-c", "this is so")\nlog("a.b", "word")\nf("no code", "a sentence here")\n'
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    assert [pair for call in calls for pair in reference._refused(call)] == [("a.b-c", "this is so")]
