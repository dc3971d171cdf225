"""The native rules against the public unit cases and examples of EN 16931, with the published rules as judge.

Run alone with `pytest tests/conformance -k en16931 -s`, which prints the agreement per rule. The data lie outside the
project: in $INTERFIRM_CONFORMANCE_DATA, or in ../shared/data beside it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from lxml import etree

from interfirm.formats.en16931 import RULES, fatal, judge
from interfirm.formats.ubl import read_ubl, write_ubl
from interfirm.formats.ubl.syntax import SYNTAX_RULES

PROJECT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("INTERFIRM_CONFORMANCE_DATA") or PROJECT.parent / "shared" / "data")
OURS = {rule.id for rule in RULES} | SYNTAX_RULES
NEVER_BROKEN = {"BR-CO-05", "BR-CO-06", "BR-CO-07", "BR-CO-08"}
"""That a reason and its code mean the same, no program can judge: the published rules say true."""
VALIDATOR = "{http://difi.no/xsd/vefa/validator/1.0}"
FAILED = "{http://purl.oclc.org/dsdl/svrl}failed-assert"

pytestmark = pytest.mark.skipif(
    not (DATA / "en16931").is_dir(),
    reason=f"NOT RUN: no conformance data in {DATA} (set INTERFIRM_CONFORMANCE_DATA to a folder with en16931/)",
)


class Case(NamedTuple):
    """One document of a unit file, and the verdicts it states."""

    file: str
    position: int
    data: bytes
    fires: tuple[str, ...]
    stays_silent: tuple[str, ...]


def unit_cases() -> Iterator[Case]:
    for path in sorted((DATA / "en16931" / "unit").glob("*/*.xml")):
        for position, test in enumerate(etree.parse(path).getroot().iter(f"{VALIDATOR}test"), 1):
            verdicts = test.find(f"{VALIDATOR}assert")
            document = next(child for child in test if etree.QName(child).namespace != VALIDATOR[1:-1])
            fires = [held.text or "" for name in ("error", "warning") for held in verdicts.iter(VALIDATOR + name)]
            silent = [held.text or "" for held in verdicts.iter(f"{VALIDATOR}success")]
            data = etree.tostring(document, with_tail=False)
            yield Case(f"{path.parent.name}/{path.name}", position, data, tuple(fires), tuple(silent))


def examples() -> list[Path]:
    folders = (DATA / "en16931" / "examples", DATA / "peppol" / "invoice")
    return sorted(path for folder in folders for path in folder.glob("*") if path.suffix.lower() == ".xml")


class Official:
    """The published rules, compiled once."""

    def __init__(self) -> None:
        import saxonche

        self._processor = saxonche.PySaxonProcessor(license=False)
        stylesheet = DATA / "en16931" / "EN16931-UBL-validation.xslt"
        self._rules = self._processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(stylesheet))
        self.known = {
            str(element.text) for element in etree.parse(stylesheet).iter("{*}attribute") if element.get("name") == "id"
        }

    def broken(self, data: bytes) -> set[str]:
        """The ids of the rules that a document breaks."""
        document = self._processor.parse_xml(xml_text=data.decode())
        report = self._rules.transform_to_string(xdm_node=document)
        return {str(held.get("id")) for held in etree.fromstring(report.encode()).iter(FAILED)}


@pytest.fixture(scope="module")
def official() -> Official:
    return Official()


def native_broken(data: bytes) -> set[str]:
    return {finding.rule for finding in judge(read_ubl(data))}


def print_table(tally: dict[str, list[int]], title: str, capfd: Any) -> None:
    with capfd.disabled():
        print(f"\n{title}", file=sys.stderr)
        for rule, (agreed, asked) in sorted(tally.items()):
            print(f"  {rule:<12} {agreed:>4} of {asked:<4} {'' if agreed == asked else 'DISAGREES'}", file=sys.stderr)
        agreed, asked = (sum(column) for column in zip(*tally.values(), strict=True))
        print(f"  {'all':<12} {agreed:>4} of {asked:<4} verdicts, {len(tally)} rules", file=sys.stderr)


def test_en16931_rules_agree_with_every_public_unit_case(official: Official, capfd: Any) -> None:
    """Each stated verdict, and for the stated rule what the published rules say of the same document."""
    tally: dict[str, list[int]] = {}
    disagreements = []
    for case in unit_cases():
        native, published = native_broken(case.data), official.broken(case.data)
        for rule, stated in [(rule, True) for rule in case.fires] + [(rule, False) for rule in case.stays_silent]:
            judged = published if rule in official.known else {rule} if stated else set()
            agrees = (rule in native) == stated == (rule in judged)
            counts = tally.setdefault(rule, [0, 0])
            counts[0] += agrees
            counts[1] += 1
            if not agrees:
                disagreements.append((case.file, case.position, rule, stated, rule in native, rule in published))
    print_table(tally, "agreement with the public unit cases, per rule", capfd)
    assert sum(asked for _, asked in tally.values()) > 0, f"no unit cases in {DATA}"
    assert not disagreements, "\n".join(str(held) for held in disagreements)


def test_en16931_every_published_rule_is_judged(official: Official) -> None:
    """All but UBL-CR, which list the elements without business term one by one; here each is an `ubl.unmapped`."""
    rules = {rule for rule in official.known if rule.startswith(("BR-", "UBL-SR-", "UBL-DT-"))}
    assert rules - OURS == NEVER_BROKEN


def test_en16931_rules_find_what_the_published_rules_find_in_every_unit_case(official: Official) -> None:
    """All rules at once, not only the one a case is about."""
    differences = []
    for case in unit_cases():
        native, published = native_broken(case.data) & official.known, official.broken(case.data) & OURS
        if native & OURS != published:
            differences.append((case.file, case.position, "only native", native & OURS - published,
                                "only published", published - native))  # fmt: skip
    assert not differences, "\n".join(str(held) for held in differences)


def without_one_element(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The document again and again, each time with another element left out."""
    for position in range(1, sum(1 for _ in etree.fromstring(data).iter("*"))):
        root = etree.fromstring(data)
        element = list(root.iter("*"))[position]
        path = element.getroottree().getelementpath(element)
        element.getparent().remove(element)
        yield path, etree.tostring(root)


@pytest.mark.parametrize("name", ["ubl-tc434-creditnote1.xml", "ubl-tc434-example9.xml", "vat-category-O.xml"])
def test_en16931_rules_agree_when_any_one_element_is_missing(official: Official, name: str) -> None:
    paths = [path for path in examples() if path.name == name]
    if not paths:
        pytest.skip(f"NOT RUN: {name} is not among the conformance data")
    differences = []
    for path, data in without_one_element(paths[0].read_bytes()):
        native, published = native_broken(data), official.broken(data)
        if native & official.known != published & OURS:
            differences.append((path, "only native", native - published, "only published", published - native))
    assert not differences, "\n".join(str(held) for held in differences)


@pytest.mark.parametrize("path", examples() or [None], ids=lambda path: getattr(path, "name", "no data"))
def test_en16931_public_examples_import(official: Official, path: Path) -> None:
    data = path.read_bytes()
    assert not official.broken(data), "the example is not valid, so it says nothing"
    document = read_ubl(data)
    assert not fatal(judge(document))
    assert read_ubl(write_ubl(document)).invoice == document.invoice, "something is lost between reading and writing"
    assert not official.broken(write_ubl(document))
