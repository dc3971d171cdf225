"""Words of texts, the same whatever the database."""

from __future__ import annotations

import pytest
from tests.unit.node.vault.samples import refused

from interfirm.node.vault.words import Term, indexed, occur, query, terms_of, texts_in, words_in


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Müller-Ärzte 12", ["muller", "arzte", "12"]),
        ("Straße, STRASSE", ["strasse", "strasse"]),
        ("ﬁne x² İstanbul", ["fine", "x2", "istanbul"]),
        ("a_b*c", ["a", "b", "c"]),
        ("東京 Ελλάδα", ["東京", "ελλαδα"]),
        ("…!", []),
        ("x" * 70, ["x" * 64]),
    ],
)
def test_words_have_no_marks_and_one_case(text: str, words: list[str]) -> None:
    assert words_in(text) == words


def test_a_star_opens_the_end_of_a_word() -> None:
    assert terms_of("Bol* inv-1 bol*") == (Term("bol", open=True), Term("inv", open=False), Term("1", open=False))


@pytest.mark.parametrize("text", ["a " * 17, "x" * 257])
def test_a_search_without_measure_is_refused(text: str) -> None:
    with refused("vault.where"):
        terms_of(text)


def test_texts_are_found_however_deep() -> None:
    assert list(texts_in([1, "a", {"b": ["c", None]}, b"d"])) == ["a", "b", "c"]
    assert occur(terms_of("A c*"), [["a", {"x": "Cd"}]])
    assert not occur(terms_of("a c"), [["a", {"x": "Cd"}]])


def test_an_index_tells_fields_apart() -> None:
    assert indexed({0: "00", 2: "02"}, ["Bolt bolt", "hidden", ["Nut"]]) == "00bolt 02nut"


def test_each_database_is_asked_in_its_own_words() -> None:
    terms = terms_of("bolt hal*")
    assert query("sqlite", terms, ["00", "02"]) == "(00bolt OR 02bolt) AND (00hal* OR 02hal*)"
    assert query("postgresql", terms, ["00"]) == "(00bolt) & (00hal:*)"
