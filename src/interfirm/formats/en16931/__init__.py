"""EN 16931, the European standard of electronic invoicing: its semantic model and its rules."""

from __future__ import annotations

from interfirm.formats.en16931.findings import Finding, Severity, fatal, refuse_findings
from interfirm.formats.en16931.judge import RULES, judge
from interfirm.formats.en16931.model import Document, Invoice

__all__ = ["RULES", "Document", "Finding", "Invoice", "Severity", "fatal", "judge", "refuse_findings"]
