"""The kinds of jobs that every node has, by name."""

from __future__ import annotations

from interfirm.node.jobs.exporting import exporting
from interfirm.node.jobs.importing import importing
from interfirm.node.jobs.leaving import leaving
from interfirm.node.jobs.ports import JobCode

JOBS: dict[str, JobCode] = {"import": importing, "export": exporting, "export-all": leaving}
"""See the module."""
