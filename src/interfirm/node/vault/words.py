"""Texts as words that can be searched for: one rule, whatever the database. Pure.

A word is a run of letters and digits, without the marks on letters and in one case: Unicode NFKD without what
combines, then full case folding. So "Müller-Ärzte 12" has the words muller, arzte and 12. Databases are given these
words and make none of their own, so that all of them find the same. A change of the rule raises
`template_tables.LAYOUT`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

from interfirm.base.errors import check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.contracts.types import Plain

WORD_CHARS_MAX = 64
"""Words that are alike so far are one."""
_WORD = re.compile(r"[^\W_]+(?:\*(?!\w))?")
_GRAMMARS = {"sqlite": (" OR ", " AND ", "*"), "postgresql": (" | ", " & ", ":*")}
"""How FTS5 and tsquery write one of, all of, and a word that begins so."""


class Term(Value, frozen=True):
    """A word that is looked for; where it is `open`, any that begins with it."""

    word: str
    open: bool


def words_in(text: str) -> list[str]:
    """The words of a text in their order."""
    return [word.removesuffix("*")[:WORD_CHARS_MAX] for word in _WORD.findall(_folded(text))]


def terms_of(text: str) -> tuple[Term, ...]:
    """What a search looks for: words, and with a `*` at the end what begins so; Refusal `vault.where` for too many."""
    found = [Term(word.removesuffix("*")[:WORD_CHARS_MAX], word.endswith("*")) for word in _WORD.findall(_folded(text))]
    fits = len(text) <= LIMITS.pattern_chars_max and len(found) <= LIMITS.search_words_count_max
    check(fits, "vault.where", "too much is searched for", chars_max=LIMITS.pattern_chars_max,
          words_max=LIMITS.search_words_count_max)  # fmt: skip
    return tuple(dict.fromkeys(found))


def texts_in(plain: Plain) -> Iterator[str]:
    """The texts of a plain value, however deep, names of keys among them."""
    if isinstance(plain, str):
        yield plain
    elif isinstance(plain, list):
        for item in plain:
            yield from texts_in(item)
    elif isinstance(plain, dict):
        for name, item in plain.items():
            yield name
            yield from texts_in(item)


def occur(terms: Iterable[Term], values: Iterable[Plain]) -> bool:
    """Whether each term is found among the words of these values."""
    words = {word for value in values for text in texts_in(value) for word in words_in(text)}
    return all(
        term.word in words or (term.open and any(word.startswith(term.word) for word in words)) for term in terms
    )


def indexed(texts: Mapping[int, str], payload: Sequence[Plain]) -> str:
    """What an index keeps of a payload: its words, each after the code of its field, so that fields are told apart.

    `texts` are the codes by the fields' places.
    """
    found: dict[str, None] = {}
    for place, code in texts.items():
        for text in texts_in(payload[place]):
            found |= dict.fromkeys([code + word for word in words_in(text)])
            if len(found) >= LIMITS.indexed_words_count_max:
                return " ".join(list(found)[: LIMITS.indexed_words_count_max])
    return " ".join(found)


def query(dialect: str, terms: Sequence[Term], codes: Sequence[str]) -> str:
    """What a database's index is asked: each term in one of the fields with these codes."""
    one_of, all_of, begins = _GRAMMARS[dialect]
    ends = {True: begins, False: ""}
    return all_of.join(
        f"({one_of.join(code + term.word + ends[term.open] for code in codes)})" for term in terms
    )  # fmt: skip


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()
