"""UBL 2.1 invoices and credit notes: `read_ubl`, `write_ubl` and the document between them."""

from __future__ import annotations

from interfirm.formats.en16931.model import Document
from interfirm.formats.ubl.reader import read_ubl
from interfirm.formats.ubl.writer import write_ubl

UblDocument = Document

__all__ = ["UblDocument", "read_ubl", "write_ubl"]
