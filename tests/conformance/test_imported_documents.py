"""Every public example that is valid becomes a document that a contract can store, and comes out again valid."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interfirm.business.invoices.document import require_document
from interfirm.business.invoices.ubl import document_of, model_of
from interfirm.formats.en16931 import fatal, judge
from interfirm.formats.ubl import UblDocument, read_ubl, write_ubl

DATA = Path(os.environ.get("INTERFIRM_CONFORMANCE_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
EXAMPLES = sorted([*DATA.glob("peppol/invoice/*.xml"), *DATA.glob("en16931/examples/*.xml")])


@pytest.mark.skipif(not EXAMPLES, reason=f"no public test data in {DATA}: set INTERFIRM_CONFORMANCE_DATA")
def test_there_are_public_examples() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_a_valid_public_example_is_stored_and_written_back(path: Path) -> None:
    document = document_of(read_ubl(path.read_bytes()).invoice)
    require_document(document, exact=False)
    again = UblDocument(model_of(document))
    assert fatal(judge(read_ubl(write_ubl(again)))) == ()
